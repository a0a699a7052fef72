//! `/etc/ufw/user.rules` and `user6.rules` as a sequence of rules and everything between them.
//!
//! Every byte of a file is kept: what others wrote is written back as it was, also when no ufw would
//! write it so. Only blocks of ours are ever added or taken out.

use super::address::Family;
use super::expansion;
use super::tuple::{Action, Tuple};
use super::tuple_line;

pub(super) const RULES: &str = "### RULES ###";
pub(super) const END_RULES: &str = "### END RULES ###";

/// A rules file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFile {
    family: Family,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Other(Vec<u8>),
    Rule(Box<Block>),
}

/// A rule with the bytes that belong to it: the empty line before it, its tuple, its iptables lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    bytes: Vec<u8>,
    /// The rule.
    pub tuple: Tuple,
    /// Whether all iptables lines that ufw writes for this rule stand below it.
    pub complete: bool,
}

impl Block {
    /// The block that ufw would write.
    pub fn new(tuple: Tuple) -> Self {
        Self {
            bytes: written(&tuple),
            tuple,
            complete: true,
        }
    }
}

fn written(tuple: &Tuple) -> Vec<u8> {
    let mut text = format!("\n{tuple}\n");
    for line in expansion::lines(tuple) {
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}

impl RulesFile {
    /// Reads the bytes of the file of `family`. Never fails: what is not understood is kept.
    pub fn parse(bytes: &[u8], family: Family) -> Self {
        let mut reader = Reader {
            family,
            lines: bytes.split_inclusive(|b| *b == b'\n').peekable(),
            parts: Vec::new(),
        };
        while let Some(line) = reader.lines.next() {
            reader.line(line);
        }
        Self {
            family,
            parts: reader.parts,
        }
    }

    /// The bytes of the file.
    pub fn render(&self) -> Vec<u8> {
        let bytes = |part: &Part| match part {
            Part::Other(bytes) => bytes.clone(),
            Part::Rule(block) => block.bytes.clone(),
        };
        self.parts.iter().flat_map(bytes).collect()
    }

    /// Whose rules they are.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The rules, in the order in which they are asked.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Rule(block) => Some(block.as_ref()),
            Part::Other(_) => None,
        })
    }

    /// The tuples of the rules.
    pub fn tuples(&self) -> impl Iterator<Item = &Tuple> {
        self.blocks().map(|block| &block.tuple)
    }

    /// What stands between the rules, in the order of the file.
    pub(super) fn others(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Other(bytes) => Some(bytes.as_slice()),
            Part::Rule(_) => None,
        })
    }

    /// The file without the rules that `stale` picks and with `new` at the end of the rules.
    ///
    /// `None` when there is no place for rules in it (`Oddity::NoRulesSection`).
    pub fn changed(&self, stale: impl Fn(&Tuple) -> bool, new: &[Tuple]) -> Option<Self> {
        let keep = |part: &&Part| !matches!(part, Part::Rule(block) if stale(&block.tuple));
        let mut parts: Vec<Part> = self.parts.iter().filter(keep).cloned().collect();
        if !new.is_empty() {
            let (part, offset) = insertion_point(&parts)?;
            let blocks = new
                .iter()
                .cloned()
                .map(|tuple| Part::Rule(Box::new(Block::new(tuple))));
            let tail = match parts.get_mut(part) {
                Some(Part::Other(bytes)) => bytes.split_off(offset),
                Some(Part::Rule(_)) | None => Vec::new(),
            };
            let after = std::iter::once(Part::Other(tail));
            parts.splice(part + 1..=part, blocks.chain(after));
        }
        let family = self.family;
        Some(Self { family, parts })
    }

    /// The file with rules added right behind others: each behind the rule with that number, counted
    /// from 0 in the order in which they are asked.
    #[must_use]
    pub fn followed(&self, new: &[(usize, Tuple)]) -> Self {
        let mut parts = Vec::new();
        let mut number = 0;
        for part in &self.parts {
            parts.push(part.clone());
            if matches!(part, Part::Rule(_)) {
                let behind = new.iter().filter(|(place, _)| *place == number);
                parts
                    .extend(behind.map(|(_, rule)| Part::Rule(Box::new(Block::new(rule.clone())))));
                number += 1;
            }
        }
        let family = self.family;
        Self { family, parts }
    }

    /// The file with the chains that its `limit` rules lead to.
    ///
    /// The IPv6 file that the package ships has none of them. ufw fills them when it writes the file, but
    /// that comes after it has loaded it: until the next start packets would pass by the rule.
    #[must_use]
    pub fn with_limits(self) -> Self {
        let limits = self.tuples().any(|rule| rule.action == Action::Limit);
        let chain = format!(":{}-user-limit ", self.family.prefix());
        let bytes = self.render();
        let declared = bytes
            .split(|b| *b == b'\n')
            .any(|line| line.starts_with(chain.as_bytes()));
        let rules = find_line(&bytes, RULES).map(|line| line.start);
        let commit = find_line(&bytes, "COMMIT").map(|line| line.start);
        match (rules, commit) {
            (Some(rules), Some(commit)) if limits && !declared && rules < commit => {
                let (declarations, lines) = limit_chains(self.family);
                let parts = [
                    &bytes[..rules],
                    declarations.as_bytes(),
                    &bytes[rules..commit],
                    lines.as_bytes(),
                    &bytes[commit..],
                ];
                Self::parse(&parts.concat(), self.family)
            }
            _ => self,
        }
    }
}

/// The chains of `limit` as the package's IPv4 file has them: their declarations, and their rules.
fn limit_chains(family: Family) -> (String, String) {
    let p = family.prefix();
    let declarations = format!(":{p}-user-limit - [0:0]\n:{p}-user-limit-accept - [0:0]\n");
    let rules = format!(
        "-A {p}-user-limit -m limit --limit 3/minute -j LOG --log-prefix \"[UFW LIMIT BLOCK] \"\n\
         -A {p}-user-limit -j REJECT\n-A {p}-user-limit-accept -j ACCEPT\n"
    );
    (declarations, rules)
}

/// Where new rules go: in which part, at which byte of it. Before the empty line that precedes
/// `### END RULES ###`; in the file that the package ships, which has no such line, after the last
/// rule, or after `### RULES ###`.
fn insertion_point(parts: &[Part]) -> Option<(usize, usize)> {
    let others = || {
        parts.iter().enumerate().filter_map(|(n, part)| match part {
            Part::Other(bytes) => Some((n, bytes.as_slice())),
            Part::Rule(_) => None,
        })
    };
    let end = others().find_map(|(n, bytes)| Some((n, find_line(bytes, END_RULES)?.start)));
    if let Some((n, at)) = end {
        let bytes = others().find(|(m, _)| *m == n).map(|(_, bytes)| bytes)?;
        let blank = at > 0 && bytes[..at].ends_with(b"\n") && ends_in_blank_line(&bytes[..at]);
        return Some((n, if blank { at - 1 } else { at }));
    }
    let last_rule = parts.iter().rposition(|part| matches!(part, Part::Rule(_)));
    match last_rule {
        Some(n) if matches!(parts.get(n + 1), Some(Part::Other(_))) => Some((n + 1, 0)),
        Some(_) => None,
        None => others().find_map(|(n, bytes)| Some((n, find_line(bytes, RULES)?.end))),
    }
}

fn ends_in_blank_line(bytes: &[u8]) -> bool {
    bytes == b"\n" || bytes.ends_with(b"\n\n")
}

/// The first line that says `text`, with its line end.
fn find_line(bytes: &[u8], text: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let end = start + line.len();
        if line.trim_ascii_end() == text.as_bytes() && line.ends_with(b"\n") {
            return Some(start..end);
        }
        start = end;
    }
    None
}

struct Reader<'a, I: Iterator<Item = &'a [u8]>> {
    family: Family,
    lines: std::iter::Peekable<I>,
    parts: Vec<Part>,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Reader<'a, I> {
    fn line(&mut self, line: &'a [u8]) {
        match parse_tuple(line, self.family) {
            Some(tuple) => self.rule(line, tuple),
            None => self.other(line),
        }
    }

    fn other(&mut self, line: &[u8]) {
        if let Some(Part::Other(bytes)) = self.parts.last_mut() {
            bytes.extend_from_slice(line);
        } else {
            self.parts.push(Part::Other(line.to_vec()));
        }
    }

    /// A rule with the empty line before it and the iptables lines after it, as far as they are the
    /// ones that ufw writes; anything else stays between the rules.
    fn rule(&mut self, line: &[u8], tuple: Tuple) {
        let mut bytes = self.take_blank();
        bytes.extend_from_slice(line);
        let complete = expansion::lines(&tuple).iter().all(|expected| {
            let same = |line: &&[u8]| line.trim_ascii_end() == expected.as_bytes();
            let line = self.lines.next_if(same);
            bytes.extend_from_slice(line.unwrap_or_default());
            line.is_some()
        });
        self.parts.push(Part::Rule(Box::new(Block {
            bytes,
            tuple,
            complete,
        })));
    }

    fn take_blank(&mut self) -> Vec<u8> {
        match self.parts.last_mut() {
            Some(Part::Other(bytes)) if ends_in_blank_line(bytes) => {
                bytes.pop();
                if bytes.is_empty() {
                    self.parts.pop();
                }
                b"\n".to_vec()
            }
            Some(Part::Other(_) | Part::Rule(_)) | None => Vec::new(),
        }
    }
}

fn parse_tuple(line: &[u8], family: Family) -> Option<Tuple> {
    tuple_line::parse(std::str::from_utf8(line).ok()?.trim_end(), family)
}

/// The lines of a file that are text.
pub fn lines(file: &RulesFile) -> impl Iterator<Item = String> {
    let bytes = file.render();
    let lines: Vec<String> = bytes
        .split(|b| *b == b'\n')
        .filter_map(|line| String::from_utf8(line.to_vec()).ok())
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_family, any_tuple, captured, fixture};
    use super::*;

    fn ours(source: &str) -> Tuple {
        let line = format!("### tuple ### allow tcp 443 0.0.0.0/0 any {source} in comment=6866");
        tuple_line::parse(&line, Family::V4).unwrap()
    }

    #[test]
    fn every_captured_file_comes_back_byte_for_byte_and_is_what_ufw_writes() {
        for (name, family, bytes) in captured() {
            let file = RulesFile::parse(&bytes, family);
            assert_eq!(file.render(), bytes, "{name}");
            assert!(file.blocks().all(|block| block.complete), "{name}");
            assert!(
                file.blocks()
                    .all(|block| block.bytes == written(&block.tuple)),
                "{name}"
            );
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                file.blocks().count(),
                text.matches("\n### tuple ###").count(),
                "{name}"
            );
        }
    }

    #[test]
    fn the_ipv6_file_of_the_package_gets_the_chains_of_its_limits() {
        let package = "*filter\n:ufw6-user-input - [0:0]\n### RULES ###\nCOMMIT\n";
        let file = RulesFile::parse(package.as_bytes(), Family::V6);
        let limit = "### tuple ### limit tcp 22 ::/0 any ::/0 in";
        let limit = tuple_line::parse(limit, Family::V6).unwrap();
        let allow = Tuple {
            action: Action::Allow,
            ..limit.clone()
        };
        let allowed = file.changed(|_| false, &[allow]).unwrap();
        assert_eq!(allowed.clone().with_limits(), allowed);
        let limited = file.changed(|_| false, &[limit]).unwrap().with_limits();
        let text = String::from_utf8(limited.render()).unwrap();
        assert!(
            text.contains("\n:ufw6-user-limit-accept - [0:0]\n### RULES ###\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\n-A ufw6-user-limit-accept -j ACCEPT\nCOMMIT\n"),
            "{text}"
        );
        assert_eq!(limited.clone().with_limits(), limited);
    }

    #[test]
    fn a_rule_put_in_is_where_ufw_would_put_it() {
        let empty = fixture("debian-12/enabled.user.rules");
        let file = RulesFile::parse(&empty, Family::V4);
        let file = file
            .changed(|_| true, &[ours("10.0.0.0/8"), ours("11.0.0.0/8")])
            .unwrap();
        let text = String::from_utf8(file.render()).unwrap();
        let section = text.split_once("### RULES ###\n").unwrap().1;
        assert!(section.starts_with(
            "\n### tuple ### allow tcp 443 0.0.0.0/0 any 10.0.0.0/8 in comment=6866\n\
             -A ufw-user-input -p tcp --dport 443 -s 10.0.0.0/8 -j ACCEPT\n\
             \n### tuple ### allow tcp 443 0.0.0.0/0 any 11.0.0.0/8 in comment=6866\n\
             -A ufw-user-input -p tcp --dport 443 -s 11.0.0.0/8 -j ACCEPT\n\
             \n### END RULES ###\n\n### LOGGING ###\n"
        ));
    }

    #[test]
    fn putting_in_and_taking_out_restores_the_file() {
        for (name, family, bytes) in captured() {
            if family == Family::V6 {
                continue;
            }
            let new = [ours("10.0.0.0/8"), ours("11.0.0.0/8")];
            let added = RulesFile::parse(&bytes, family)
                .changed(|_| false, &new)
                .unwrap();
            let read = RulesFile::parse(&added.render(), family);
            assert_eq!(
                read.tuples().filter(|t| new.contains(t)).count(),
                2,
                "{name}"
            );
            let removed = read.changed(|tuple| new.contains(tuple), &[]).unwrap();
            assert_eq!(removed.render(), bytes, "{name}");
        }
    }

    #[test]
    fn the_file_of_the_package_takes_rules_twice() {
        let bytes = fixture("debian-11/pristine.user.rules");
        let once = RulesFile::parse(&bytes, Family::V4).changed(|_| false, &[ours("10.0.0.0/8")]);
        let once = RulesFile::parse(&once.unwrap().render(), Family::V4);
        let twice = once
            .changed(|_| false, &[ours("11.0.0.0/8")])
            .unwrap()
            .render();
        let text = String::from_utf8(twice).unwrap();
        let (head, tail) = text.split_once("-s 11.0.0.0/8 -j ACCEPT\n").unwrap();
        assert!(head.contains("-s 10.0.0.0/8"));
        assert!(tail.starts_with("-A ufw-user-limit -m limit"));
    }

    #[test]
    fn a_file_without_a_place_for_rules_takes_none() {
        let file = RulesFile::parse(b"*filter\nCOMMIT\n", Family::V4);
        assert_eq!(file.changed(|_| false, &[ours("10.0.0.0/8")]), None);
        assert!(file.changed(|_| false, &[]).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300), family in any_family()) {
            prop_assert_eq!(RulesFile::parse(&bytes, family).render(), bytes);
        }

        #[test]
        fn any_mixture_of_lines_comes_back(
            lines in prop::collection::vec(line(), 0..30), cut in 0usize..4,
        ) {
            let mut bytes = lines.concat();
            bytes.truncate(bytes.len().saturating_sub(cut));
            prop_assert_eq!(RulesFile::parse(&bytes, Family::V4).render(), bytes);
        }

        #[test]
        fn foreign_bytes_stay_where_they_are(
            foreign in prop::collection::vec(line(), 0..20),
            sources in prop::collection::btree_set(1u8..200, 0..6),
        ) {
            let before = [b"*filter\n### RULES ###\n".to_vec(), foreign.concat(),
                b"\n### END RULES ###\nCOMMIT\n".to_vec()].concat();
            let new: Vec<Tuple> = sources.iter().map(|n| ours(&format!("{n}.0.0.0/8"))).collect();
            let after = RulesFile::parse(&before, Family::V4).changed(|_| false, &new).unwrap();
            let after = RulesFile::parse(&after.render(), Family::V4);
            let found = after.tuples().filter(|tuple| new.contains(tuple)).cloned();
            prop_assert_eq!(found.collect::<Vec<_>>(), new.clone());
            let undone = after.changed(|tuple| new.contains(tuple), &[]).unwrap();
            prop_assert_eq!(undone.render(), before);
        }

        #[test]
        fn a_rule_of_any_form_is_read_as_one_block(tuple in any_tuple()) {
            let bytes = written(&tuple);
            let file = RulesFile::parse(&bytes, tuple.family);
            prop_assert!(file.blocks().all(|block| block.complete));
            prop_assert_eq!(file.tuples().cloned().collect::<Vec<_>>(), vec![tuple]);
            prop_assert_eq!(file.render(), bytes);
        }
    }

    /// Lines as people and ufw leave them.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"### tuple ### allow any\n".to_vec()),
            Just(b"-A ufw-user-input -j ACCEPT\r\n".to_vec()),
            "[^\n]{0,30}\n".prop_map(String::into_bytes),
            any_tuple().prop_map(|tuple| written(&tuple)),
            any_tuple().prop_map(|tuple| format!("{tuple}\r\n").into_bytes()),
            prop::collection::vec(any::<u8>(), 0..20),
        ]
    }
}
