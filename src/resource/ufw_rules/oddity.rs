//! What is unusual about a rules file, and so decides how it may be changed.

use super::rules_file::{END_RULES, RULES, RulesFile};
use super::tuple::MARK;

/// Something about a file that ufw itself would not have written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// The last line that says anything is not `COMMIT`: at the next boot nothing of it is loaded.
    NoCommit,
    /// There is no place for rules.
    NoRulesSection,
    /// Lines end in CR LF, which iptables-restore does not take.
    CarriageReturns,
    /// Zero bytes or text that is not UTF-8.
    NotText,
    /// A tuple line that ufw skips, and drops when it writes the file next.
    UnreadTuple(String),
    /// A line among the rules that ufw would not write, and drops when it writes the file next.
    HandEdit(String),
}

impl Oddity {
    /// Whether ufw itself, when it writes the file next, takes away what a person wrote.
    pub fn is_lost_by_ufw(&self) -> bool {
        match self {
            Self::UnreadTuple(_) | Self::HandEdit(_) | Self::NotText => true,
            Self::NoCommit | Self::NoRulesSection | Self::CarriageReturns => false,
        }
    }

    /// The same in words.
    pub fn describe(&self) -> String {
        match self {
            Self::NoCommit => "does not end in COMMIT".to_owned(),
            Self::NoRulesSection => "has no `### RULES ###` section".to_owned(),
            Self::CarriageReturns => "has lines that end in CR LF".to_owned(),
            Self::NotText => "holds bytes that are no text".to_owned(),
            Self::UnreadTuple(line) => format!("holds a rule that ufw cannot read: {line}"),
            Self::HandEdit(line) => format!("was edited by hand: {line}"),
        }
    }
}

/// Everything odd about `file`.
pub fn of(file: &RulesFile) -> Vec<Oddity> {
    let bytes = file.render();
    let mut found = Vec::new();
    if last_statement(&bytes) != Some(b"COMMIT") {
        found.push(Oddity::NoCommit);
    }
    if !lines(&bytes).any(|line| line == RULES.as_bytes()) {
        found.push(Oddity::NoRulesSection);
    }
    if bytes.contains(&b'\r') {
        found.push(Oddity::CarriageReturns);
    }
    if bytes.contains(&0) || std::str::from_utf8(&bytes).is_err() {
        found.push(Oddity::NotText);
    }
    found.extend(between_rules(file));
    found
}

fn lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end)
}

/// The last line that is neither empty nor a comment.
fn last_statement(bytes: &[u8]) -> Option<&[u8]> {
    lines(bytes).rfind(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// Lines in the rules section that no rule explains. In the file that the package ships the section
/// has no end, and what follows is the package's own.
fn between_rules(file: &RulesFile) -> Vec<Oddity> {
    let ends = file
        .others()
        .flat_map(lines)
        .any(|line| line == END_RULES.as_bytes());
    let mut inside = false;
    let mut found = Vec::new();
    for line in file.others().flat_map(lines) {
        inside = (inside || line == RULES.as_bytes()) && line != END_RULES.as_bytes();
        if line.starts_with(MARK.as_bytes()) {
            found.push(Oddity::UnreadTuple(shown(line)));
        } else if inside && ends && !line.is_empty() && line != RULES.as_bytes() {
            found.push(Oddity::HandEdit(shown(line)));
        }
    }
    let broken = file.blocks().filter(|block| !block.complete);
    found.extend(broken.map(|block| Oddity::HandEdit(block.tuple.to_string())));
    found
}

/// A line for people: no control characters, at most 120 of the others.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::super::address::Family;
    use super::super::testing::captured;
    use super::*;

    fn odd(text: &str) -> Vec<Oddity> {
        of(&RulesFile::parse(text.as_bytes(), Family::V4))
    }

    #[test]
    fn what_ufw_wrote_is_never_odd() {
        for (name, family, bytes) in captured() {
            assert_eq!(of(&RulesFile::parse(&bytes, family)), [], "{name}");
        }
    }

    #[test]
    fn a_cut_file_is_noticed() {
        assert!(odd("").contains(&Oddity::NoCommit));
        assert_eq!(odd("*filter\n### RULES ###\nCOMM"), [Oddity::NoCommit]);
        assert_eq!(
            odd("*filter\nCOMMIT\n# the end\n\n"),
            [Oddity::NoRulesSection]
        );
    }

    #[test]
    fn hand_edits_are_named() {
        let rule = "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in";
        let text = format!(
            "### RULES ###\n\n{rule}\n-A ufw-user-input -p tcp --dport 22 -i eth0 -j ACCEPT\n\
             ### tuple ### allow gopher\n\n### END RULES ###\nCOMMIT\n"
        );
        let hand = "-A ufw-user-input -p tcp --dport 22 -i eth0 -j ACCEPT".to_owned();
        let unread = "### tuple ### allow gopher".to_owned();
        assert_eq!(
            odd(&text),
            [
                Oddity::HandEdit(hand),
                Oddity::UnreadTuple(unread),
                Oddity::HandEdit(rule.to_owned())
            ]
        );
    }

    #[test]
    fn carriage_returns_are_named() {
        assert_eq!(
            odd("### RULES ###\r\n### END RULES ###\r\nCOMMIT\r\n"),
            [Oddity::CarriageReturns]
        );
    }
}
