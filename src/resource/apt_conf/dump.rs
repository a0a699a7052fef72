//! The answer of `hf_apt_conf`: what apt makes of its files, as they are and with our text among them.

use super::word::Key;
use crate::change::Diff;
use crate::probe::ParseError;
use crate::resource::Lines;

/// What apt comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// Now.
    pub(super) now: Dump,
    /// With our text: after our file, and after each later file that changes something.
    pub(super) layers: Vec<(String, Dump)>,
    /// With our text, in the end.
    pub(super) then: Dump,
}

/// Lines of `apt-config dump`: keys as apt spells them, and values, in apt's order. A member of a list
/// has a key that ends in `::`, or a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dump(Vec<(String, String)>);

impl Dump {
    fn push(&mut self, line: &str) {
        // `Key::Name "value";`, where the value may hold anything but a line break.
        let entry = line.split_once(' ').and_then(|(key, value)| {
            let value = value.strip_prefix('"')?.strip_suffix("\";")?;
            Some((key.to_ascii_lowercase(), value.to_owned()))
        });
        self.0.extend(entry);
    }

    /// The value of a key; empty when it has none, which is the same to apt.
    pub(super) fn value(&self, key: &Key) -> &str {
        let key = key.folded();
        let found = self.0.iter().rfind(|(name, _)| *name == key);
        found.map_or("", |(_, value)| value)
    }

    /// The members of a list.
    pub(super) fn members(&self, key: &Key) -> Vec<&str> {
        self.below(&key.folded())
    }

    /// The members of the list with this lower-case key.
    pub(super) fn below(&self, key: &str) -> Vec<&str> {
        let member = |name: &str| {
            name.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with("::"))
        };
        let members = self.0.iter().filter(|(name, _)| member(name));
        members.map(|(_, value)| value.as_str()).collect()
    }
}

impl Look {
    /// The answer, or why nothing can be done with this apt.
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Result<Self, Diff>, ParseError> {
        if lines.get("apt") == "missing" {
            let why = "there is no apt on the host";
            return Ok(Err(Diff::blocked(
                why,
                "this kind is for Debian and Ubuntu",
            )));
        }
        if let Some(file) = lines.all("unreadable").next() {
            return Err(lines.unreadable(format!("needs root to read {file}")));
        }
        if let Some(broken) = lines.all("broken").next() {
            let why = format!("apt cannot read its own configuration: {broken}");
            return Ok(Err(Diff::blocked(
                why,
                "mend that file first: as long as it is so, nothing of apt works there",
            )));
        }
        if let Some(refused) = lines.all("refused").next() {
            let why = format!("apt refuses these settings: {refused}");
            return Ok(Err(Diff::blocked(why, "")));
        }
        let look = Self::read(&lines.text);
        look.map(Ok)
            .ok_or_else(|| lines.unreadable("it says nothing of our file"))
    }

    fn read(text: &str) -> Option<Self> {
        let mut now = Dump::default();
        let mut layers: Vec<(String, Dump)> = Vec::new();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("now", line)) => now.push(line),
                Some(("file", name)) => layers.push((name.to_owned(), Dump::default())),
                Some(("then", line)) => layers.last_mut()?.1.push(line),
                Some(_) | None => {}
            }
        }
        let (_, then) = layers.last()?.clone();
        Some(Self { now, layers, then })
    }
}
