//! Which rules of a file come, go and stay, and which of others stand in for or against ours.

use super::rules_file::RulesFile;
use super::tuple::{Action, Tuple};
use super::wanted::Wanted;

/// What becomes of the rules of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turnover {
    /// The file as it is.
    pub before: RulesFile,
    /// The file as it will be. `None` when there is no place for rules in it.
    pub after: Option<RulesFile>,
    /// Rules that come.
    pub added: Vec<Tuple>,
    /// Rules of ours that go.
    pub removed: Vec<Tuple>,
    /// Rules of others that do what ours would do. ufw would take ours for an update of them, so
    /// they stay and ours are not needed.
    pub satisfying: Vec<Tuple>,
    /// Rules of others with the very packets of ours and another verdict. Both cannot exist.
    pub conflicting: Vec<Tuple>,
    /// Rules that bear our tag although we never write such.
    pub impostors: Vec<Tuple>,
}

impl Turnover {
    /// Compares the rules of a file with the wanted ones.
    pub fn of(before: RulesFile, wanted: &Wanted) -> Self {
        let rules = wanted.rules(before.family());
        let (mut added, mut satisfying, mut conflicting) = (Vec::new(), Vec::new(), Vec::new());
        for rule in &rules {
            let equal = before.tuples().find(|other| other.same_rule(rule));
            match equal {
                None => added.push(rule.clone()),
                Some(other) if wanted.is_ours(other) => {}
                Some(other) if other.action == Action::Allow => satisfying.push(other.clone()),
                Some(other) => conflicting.push(other.clone()),
            }
        }
        let stale =
            |rule: &Tuple| wanted.is_ours(rule) && !rules.iter().any(|other| other.same_rule(rule));
        let impostor = |rule: &&Tuple| wanted.tagged(rule) && !wanted.is_ours(rule);
        Self {
            removed: before
                .tuples()
                .filter(|rule| stale(rule))
                .cloned()
                .collect(),
            impostors: before.tuples().filter(impostor).cloned().collect(),
            after: before.changed(stale, &added),
            before,
            added,
            satisfying,
            conflicting,
        }
    }

    /// Nothing becomes of the rules of a file.
    pub fn idle(before: RulesFile) -> Self {
        Self {
            before,
            after: None,
            added: Vec::new(),
            removed: Vec::new(),
            satisfying: Vec::new(),
            conflicting: Vec::new(),
            impostors: Vec::new(),
        }
    }

    /// Whether the file stays as it is.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// The rules as they will be.
    pub fn result(&self) -> &RulesFile {
        self.after.as_ref().unwrap_or(&self.before)
    }

    /// All rules of ours, those that go and those that come included.
    pub fn ours(&self, wanted: &Wanted) -> Vec<Tuple> {
        let held = self.before.tuples().filter(|rule| wanted.is_ours(rule));
        held.chain(&self.added).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::address::Family;
    use super::super::testing::{any_family, any_tuple, fixture, net};
    use super::super::tuple::Protocol;
    use super::*;

    fn wanted(sources: &[&str]) -> Wanted {
        Wanted {
            tag: "holdfast:t:cf".to_owned(),
            protocol: Protocol::Tcp,
            ports: "443".parse().unwrap(),
            sources: sources.iter().map(|net| net.parse().unwrap()).collect(),
        }
    }

    fn file(extra: &str) -> RulesFile {
        let text = String::from_utf8(fixture("debian-12/all.user.rules")).unwrap();
        let text = text.replace("\n### END RULES", &format!("{extra}\n### END RULES"));
        RulesFile::parse(text.as_bytes(), Family::V4)
    }

    #[test]
    fn one_range_less_and_one_more_is_plus_one_minus_one() {
        let first = Turnover::of(
            file(""),
            &wanted(&["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"]),
        );
        assert_eq!((first.added.len(), first.removed.len()), (3, 0));
        let next = Turnover::of(
            first.after.unwrap(),
            &wanted(&["13.0.0.0/8", "10.0.0.0/8", "12.0.0.0/8"]),
        );
        assert_eq!(next.added[0].describe(), "allow tcp 443 from 13.0.0.0/8");
        assert_eq!(next.removed[0].describe(), "allow tcp 443 from 11.0.0.0/8");
        assert_eq!((next.added.len(), next.removed.len()), (1, 1));
    }

    #[test]
    fn a_rule_of_others_that_does_the_same_stays_alone() {
        let other = "\n### tuple ### allow_log tcp 443 0.0.0.0/0 any 10.0.0.0/8 in comment=6869\n\
                     -A ufw-user-input -j ACCEPT\n";
        let turnover = Turnover::of(file(other), &wanted(&["10.0.0.0/8", "11.0.0.0/8"]));
        assert_eq!(turnover.satisfying.len(), 1);
        assert_eq!(turnover.added.len(), 1);
        let after = turnover.after.unwrap().render();
        assert!(String::from_utf8(after).unwrap().contains(other));
    }

    #[test]
    fn a_deny_of_the_very_packets_is_a_conflict() {
        let other = "\n### tuple ### deny tcp 443 0.0.0.0/0 any 10.0.0.0/8 in\n\
                     -A ufw-user-input -p tcp --dport 443 -s 10.0.0.0/8 -j DROP\n";
        let turnover = Turnover::of(file(other), &wanted(&["10.0.0.0/8"]));
        assert_eq!(turnover.conflicting.len(), 1);
        assert!(turnover.is_empty());
    }

    #[test]
    fn our_tag_on_a_rule_we_never_write_is_named_and_left() {
        let tag = "comment=686f6c64666173743a743a6366";
        let other = format!("\n### tuple ### deny tcp 22 0.0.0.0/0 any 10.0.0.0/8 in {tag}\n");
        let turnover = Turnover::of(file(&other), &wanted(&["10.0.0.0/8"]));
        assert_eq!(turnover.impostors.len(), 1);
        assert!(turnover.removed.is_empty());
    }

    proptest! {
        #[test]
        fn applied_once_there_is_nothing_left_to_do(
            foreign in prop::collection::vec(any_tuple(), 0..12),
            sources in prop::collection::btree_set((any::<u128>(), 1u8..33), 1..12),
            family in any_family(),
        ) {
            let foreign: Vec<Tuple> =
                foreign.into_iter().map(|rule| Tuple { family, ..rule }).filter(|rule| {
                    super::super::tuple_line::parse(&rule.to_string(), family).as_ref() == Some(rule)
                }).collect();
            let empty = RulesFile::parse(b"*filter\n### RULES ###\n\n### END RULES ###\nCOMMIT\n", family);
            let before = empty.changed(|_| false, &foreign).unwrap();
            let mut wanted = wanted(&[]);
            wanted.sources = sources.iter().map(|(bits, prefix)| net(family, *bits, *prefix)).collect();
            wanted.sources.sort_unstable();
            wanted.sources.dedup();
            let turnover = Turnover::of(before.clone(), &wanted);
            let bytes = turnover.result().render();
            let after = RulesFile::parse(&bytes, family);
            let again = Turnover::of(after.clone(), &wanted);
            prop_assert!(again.is_empty());
            let found = after.tuples().filter(|rule| wanted.is_ours(rule)).count();
            prop_assert_eq!(found + again.satisfying.len() + again.conflicting.len(), wanted.sources.len());
            let gone = after.changed(|rule| wanted.is_ours(rule), &[]).unwrap();
            prop_assert_eq!(gone.render(), before.render());
        }
    }
}
