//! What a run says about itself on a host: who, since when, what for, and what it set out to do.

use std::fmt::Write as _;

/// The format of a run's folder on a host. From 2 on, a journal says that its run came to its end.
const CARD_FORMAT: u32 = 2;

/// Who runs what: written on the host when a run opens.
#[derive(Debug, Clone)]
pub struct RunCard {
    /// The run's id.
    pub run: String,
    /// The runbook's name.
    pub runbook: String,
    /// `user@machine`.
    pub operator: String,
    /// When it started, RFC 3339.
    pub started: String,
    /// The run that it takes back.
    pub undoes: Option<String>,
    /// Which steps of its runbook it is about, in words; none when about all of them.
    pub part: Option<String>,
}

impl RunCard {
    /// What a second run is told.
    pub(super) fn holder(&self) -> String {
        format!(
            "{} since {}, runbook {}, run {}",
            self.operator, self.started, self.runbook, self.run
        )
    }

    /// The same as lines for whoever reads the run's folder.
    pub(super) fn card(&self) -> String {
        let mut card = format!(
            "run={}\nformat={CARD_FORMAT}\nrunbook={}\noperator={}\nstarted={}\nversion={}",
            self.run,
            self.runbook,
            self.operator,
            self.started,
            env!("CARGO_PKG_VERSION")
        );
        if let Some(run) = &self.undoes {
            let _ = write!(card, "\nundoes={run}");
        }
        if let Some(steps) = &self.part {
            let steps = steps.replace(char::is_control, " ");
            let _ = write!(card, "\npart=yes\nonly={steps}");
        }
        card
    }
}

/// What a run leaves in its folder on a host before it begins there: whole lines, empty when they are there already.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunPapers<'a> {
    /// The steps that are to be performed, a line each.
    pub due: &'a str,
    /// All steps as they are for this host, as YAML.
    pub steps: &'a str,
    /// What the host answered before anything was changed: an expectation in JSON a line.
    pub start: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_part_is_called_cannot_be_another_line_of_the_card() {
        let card = RunCard {
            run: "r-1".to_owned(),
            runbook: "web".to_owned(),
            operator: "ada@desk".to_owned(),
            started: "2026-11-21T18:00:00Z".to_owned(),
            undoes: None,
            part: Some("--start-at a\nundoes=r-0".to_owned()),
        };
        let lines = card.card();
        let last: Vec<&str> = lines.lines().skip(6).collect();
        assert_eq!(last, ["part=yes", "only=--start-at a undoes=r-0"]);
        let whole = RunCard { part: None, ..card };
        assert!(!whole.card().contains("part="));
    }
}
