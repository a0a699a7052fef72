//! What was warned of in a run and is still so at its end.

use crate::change::Note;

/// What was warned of.
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Vec<Warning>);

/// Something that was warned of.
#[derive(Debug, Clone)]
pub(super) struct Warning {
    /// A sentence.
    pub(super) text: String,
    /// The hosts that it is about.
    pub(super) hosts: Vec<String>,
    of: Of,
}

/// Where a warning comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Host,
    Steps,
}

impl Warnings {
    /// All of them, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Warning> {
        self.0.iter()
    }

    /// Takes in what was seen when the host was reached.
    pub(super) fn of_host(&mut self, host: &str, notes: &[Note]) {
        self.take(host, Of::Host, notes);
    }

    /// Takes in what steps said.
    pub(super) fn of_steps(&mut self, host: &str, notes: &[Note]) {
        self.take(host, Of::Steps, notes);
    }

    /// What the steps say after all changes is what counts: what lay ahead may be behind.
    pub(super) fn planned_again(&mut self, host: &str, notes: &[Note]) {
        for warning in self.0.iter_mut().filter(|warning| warning.of == Of::Steps) {
            warning.hosts.retain(|known| known != host);
        }
        self.take(host, Of::Steps, notes);
        self.0.retain(|warning| !warning.hosts.is_empty());
    }

    fn take(&mut self, host: &str, of: Of, notes: &[Note]) {
        for Note { text, .. } in notes.iter().filter(|note| note.warning) {
            let host = host.to_owned();
            let known = |warning: &&mut Warning| warning.of == of && warning.text == *text;
            match self.0.iter_mut().find(known) {
                Some(known) if known.hosts.contains(&host) => {}
                Some(known) => known.hosts.push(host),
                None => self.0.push(Warning {
                    text: text.clone(),
                    hosts: vec![host],
                    of,
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(warnings: &Warnings) -> Vec<String> {
        let line = |warning: &Warning| format!("{}: {}", warning.hosts.join(" "), warning.text);
        warnings.iter().map(line).collect()
    }

    #[test]
    fn what_is_no_longer_so_at_the_end_is_not_told() {
        let mut warnings = Warnings::default();
        warnings.of_host("a", &[Note::warning("the clock is wrong")]);
        for host in ["a", "b"] {
            let notes = [
                Note::warning("ufw is off"),
                Note::warning("Docker"),
                Note::info("x"),
            ];
            warnings.of_steps(host, &notes);
        }
        let all = ["a: the clock is wrong", "a b: ufw is off", "a b: Docker"];
        assert_eq!(shown(&warnings), all);
        let left = [Note::warning("Docker"), Note::warning("new")];
        warnings.planned_again("a", &left);
        let now = [
            "a: the clock is wrong",
            "b: ufw is off",
            "b a: Docker",
            "a: new",
        ];
        assert_eq!(shown(&warnings), now);
        warnings.planned_again("b", &[]);
        assert_eq!(
            shown(&warnings),
            ["a: the clock is wrong", "a: Docker", "a: new"]
        );
    }
}
