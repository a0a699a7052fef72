//! The rules that one port needs to be treated as another is.
//!
//! Each rule that decides about the port gets its like for the other one, right behind it: so the
//! first rule that fits a packet is the like of the one that would fit it for the old port, also where
//! a `deny` stands before an `allow`. A rule that covers both ports already needs none.

use ipnet::IpNet;

use crate::resource::ufw_rules::address::{Address, Family};
use crate::resource::ufw_rules::comment::Comment;
use crate::resource::ufw_rules::ports::{PortRange, Ports};
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::simulate::{Decision, Packet, concerns, simulate};
use crate::resource::ufw_rules::tuple::{Action, Match, Protocol, Tuple};

/// A rule of the old port, and its like for the new one.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// Where the rule stands in the file, counted from 0.
    pub place: usize,
    /// The rule.
    pub origin: Tuple,
    /// Its like.
    pub like: Tuple,
}

/// The pairs of a file, in order. Of two rules whose likes are for the same packets the first decides,
/// so both have its like.
pub(super) fn pairs(file: &RulesFile, from: u16, to: u16, tag: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for (place, origin) in file.tuples().enumerate() {
        let decides = |port| concerns(&origin.matching, Protocol::Tcp, port);
        if !decides(from) || decides(to) {
            continue;
        }
        let like = like(origin, to, tag);
        let earlier = pairs.iter().find(|pair| pair.like.same_rule(&like));
        let like = earlier.map_or(like, |pair| pair.like.clone());
        pairs.push(Pair {
            place,
            origin: origin.clone(),
            like,
        });
    }
    pairs
}

fn like(origin: &Tuple, to: u16, tag: &str) -> Tuple {
    Tuple {
        matching: Match {
            protocol: Protocol::Tcp,
            dport: Ports::List(vec![PortRange::single(to)]),
            dapp: None,
            sapp: None,
            ..origin.matching.clone()
        },
        comment: Some(Comment::of(tag)),
        ..origin.clone()
    }
}

/// Whether a rule is about this one port and no other, of TCP or of any protocol.
pub(super) fn is_only_about(rule: &Tuple, port: u16) -> bool {
    rule.matching.dport == Ports::List(vec![PortRange::single(port)])
}

/// The sources whose packets the rules treat differently for the two ports.
pub(super) fn differences(file: &RulesFile, from: u16, to: u16) -> Vec<IpNet> {
    let family = file.family();
    let rules: Vec<Tuple> = file.tuples().cloned().collect();
    let about = |rule: &&Tuple| {
        let decides = |port| concerns(&rule.matching, Protocol::Tcp, port);
        decides(from) || decides(to)
    };
    let mut sources: Vec<IpNet> = rules
        .iter()
        .filter(about)
        .filter_map(|rule| source(rule, family))
        .collect();
    sources.push(family.everything());
    sources.sort_unstable();
    sources.dedup();
    let differs = |source: &IpNet| outcome(&rules, from, *source) != outcome(&rules, to, *source);
    sources.into_iter().filter(differs).collect()
}

fn source(rule: &Tuple, family: Family) -> Option<IpNet> {
    match &rule.matching.src {
        Address::Anywhere => Some(family.everything()),
        Address::Net { net, .. } => Some(*net),
        Address::Masked(_) => None,
    }
}

/// What becomes of a packet: by an admitting rule which one, and what may decide before it.
fn outcome(rules: &[Tuple], port: u16, source: IpNet) -> (Option<Action>, Vec<Action>) {
    let verdict = simulate(
        rules,
        Packet {
            protocol: Protocol::Tcp,
            port,
            source,
        },
    );
    let admitted = match verdict.decision {
        Decision::Admitted(by) => Some(rules[by].action),
        Decision::Refused(_) | Decision::Policy => None,
    };
    let doubts = verdict.doubts.iter().map(|by| rules[*by].action);
    (admitted, doubts.collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::edit::Edit;
    use super::*;

    const TAG: &str = "holdfast:t:port-2222";

    /// A file whose rules are these tuples, with the lines that ufw would write.
    pub(in super::super) fn file(family: Family, tuples: &[&str]) -> RulesFile {
        let empty = b"*filter\n### RULES ###\n\n### END RULES ###\nCOMMIT\n";
        let parse = |text: &&str| {
            let line = format!("### tuple ### {text}");
            crate::resource::ufw_rules::tuple_line::parse(&line, family).expect("a tuple")
        };
        let rules: Vec<Tuple> = tuples.iter().map(parse).collect();
        let empty = RulesFile::parse(empty, family);
        empty.changed(|_| false, &rules).expect("a place for rules")
    }

    fn edit() -> Edit {
        Edit::Mirror {
            from: "22".parse().unwrap(),
            to: "2222".parse().unwrap(),
            tag: TAG.to_owned(),
        }
    }

    fn after(tuples: &[&str]) -> Vec<String> {
        let edited = edit().of(file(Family::V4, tuples)).unwrap();
        let file = edited.turnover.result();
        // What was written is read as it was meant, and is all there is to do.
        let read = RulesFile::parse(&file.render(), Family::V4);
        assert_eq!(&read, file);
        assert!(edit().of(read).unwrap().turnover.is_empty());
        assert_eq!(differences(file, 22, 2222), []);
        file.tuples().map(Tuple::describe).collect()
    }

    #[test]
    fn every_form_that_admits_the_port_gets_its_like_behind_it() {
        for (origin, like) in [
            (
                "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
                "allow tcp 2222 from anywhere",
            ),
            (
                "limit tcp 22 0.0.0.0/0 any 10.1.0.0/16 in comment=6869",
                "limit tcp 2222 from 10.1.0.0/16",
            ),
            (
                "allow any 22 0.0.0.0/0 any 0.0.0.0/0 in",
                "allow tcp 2222 from anywhere",
            ),
            (
                "allow_log tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
                "allow log tcp 2222 from anywhere",
            ),
            (
                "allow tcp 20:25 0.0.0.0/0 any 10.0.0.1 in_eth0",
                "allow tcp 2222 from 10.0.0.1 in on eth0",
            ),
            (
                "allow tcp 22,80,443 10.77.0.9 any 0.0.0.0/0 in",
                "allow tcp 2222 from anywhere to 10.77.0.9",
            ),
            (
                "reject tcp 22 0.0.0.0/0 1024:65535 10.0.0.1 in",
                "reject tcp 2222 from 10.0.0.1 port 1024:65535",
            ),
        ] {
            let after = after(&[origin, "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in"]);
            assert_eq!(after.len(), 3, "{origin}");
            assert_eq!(after[1], like, "{origin}");
        }
    }

    #[test]
    fn rules_about_both_ports_or_neither_have_no_like() {
        for origin in [
            "allow any any 0.0.0.0/0 any 10.1.0.0/16 in",
            "allow tcp 1:65535 0.0.0.0/0 any 10.1.0.0/16 in",
            "allow tcp 22,2222 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow udp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 out",
            "route:allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp any 0.0.0.0/0 22 0.0.0.0/0 in",
        ] {
            assert_eq!(after(&[origin]).len(), 1, "{origin}");
        }
    }

    #[test]
    fn the_order_of_deny_and_allow_is_kept() {
        let after = after(&[
            "deny tcp 22 0.0.0.0/0 any 203.0.113.0/24 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "deny any any 0.0.0.0/0 any 192.0.2.0/24 in",
        ]);
        assert_eq!(
            after,
            [
                "deny tcp 22 from 203.0.113.0/24",
                "deny tcp 2222 from 203.0.113.0/24",
                "allow tcp 22 from anywhere",
                "allow tcp 2222 from anywhere",
                "deny any any from 192.0.2.0/24",
            ]
        );
    }

    #[test]
    fn of_two_rules_for_the_same_packets_the_first_counts() {
        let after = after(&[
            "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
        ]);
        assert_eq!(after.len(), 3);
        assert_eq!(after[1], "limit tcp 2222 from anywhere");
    }

    #[test]
    fn a_like_of_ours_follows_its_origin_and_one_of_others_is_for_a_person() {
        let limit = "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in";
        let ours = format!(
            "allow tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in comment={}",
            Comment::of(TAG).hex()
        );
        let edited = edit()
            .of(file(Family::V4, &[limit, &ours]))
            .unwrap()
            .turnover;
        assert_eq!((edited.added.len(), edited.removed.len()), (1, 1));
        let rules: Vec<String> = edited.result().tuples().map(Tuple::describe).collect();
        assert_eq!(
            rules,
            ["limit tcp 22 from anywhere", "limit tcp 2222 from anywhere"]
        );
        let other = "deny tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in";
        assert!(edit().of(file(Family::V4, &[limit, other])).is_err());
    }

    #[test]
    fn rules_that_were_there_before_and_treat_the_port_otherwise_are_told() {
        let file = file(
            Family::V6,
            &[
                "allow tcp 2222 ::/0 any 2001:db8::/32 in",
                "deny tcp 22 ::/0 any 2001:db8::/32 in",
                "allow tcp 22 ::/0 any ::/0 in",
            ],
        );
        assert!(
            edit().of(file).is_err(),
            "a deny of the very packets of an allow"
        );
        let file = super::tests::file(
            Family::V6,
            &[
                "allow tcp 2222 ::/0 any 2001:db8::/48 in",
                "deny tcp 22 ::/0 any 2001:db8::/32 in",
                "allow tcp 22 ::/0 any ::/0 in",
            ],
        );
        let edited = edit().of(file).unwrap();
        let told: Vec<&str> = edited.notes.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("2001:db8::/48"), "{told:?}");
    }
}
