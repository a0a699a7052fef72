//! The rules of a port that go once another port has taken its place.
//!
//! Ours go. One of others goes when its like for the kept port is there, for then a person's decision
//! lives on in that; a rule without a like, or one about more than this port, is not the old SSH rule
//! and stays.

use crate::change::Note;
use crate::resource::ufw_rules::comment::Comment;
use crate::resource::ufw_rules::report::named;
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::simulate::concerns;
use crate::resource::ufw_rules::tuple::{Protocol, Tuple};

use super::mirror::{self, Pair};

/// The rules of a file that let packets in to a port, told apart.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// Those that go.
    pub gone: Vec<Tuple>,
    /// What is to be told about those that stay.
    pub notes: Vec<Note>,
}

/// What becomes of each rule that lets packets in to `port`.
pub(super) fn closing(file: &RulesFile, port: u16, kept: u16, tag: &str) -> Closing {
    let pairs = mirror::pairs(file, port, kept, tag);
    let mut closing = Closing::default();
    for rule in file.tuples() {
        let opens = rule.action.admits() && concerns(&rule.matching, Protocol::Tcp, port);
        match reason_to_stay(file, rule, &pairs, port, kept) {
            _ if !opens => {}
            None => closing.gone.push(rule.clone()),
            Some(why) => closing.notes.push(Note::warning(format!(
                "a rule still lets packets in to port {port}, and stays because {why}: {}",
                named(rule)
            ))),
        }
    }
    closing
}

fn reason_to_stay(
    file: &RulesFile,
    rule: &Tuple,
    pairs: &[Pair],
    port: u16,
    kept: u16,
) -> Option<String> {
    if !mirror::is_only_about(rule, port) || has_more(file, rule) {
        return Some("it is about more than that port".to_owned());
    }
    if rule.comment.as_ref().is_some_and(Comment::is_a_tag) {
        return None;
    }
    let pair = pairs.iter().find(|pair| pair.origin == *rule)?;
    let there = |other: &Tuple| other.same_rule(&pair.like) && other.action == pair.like.action;
    let why = || format!("it is not ours and has no like for port {kept}");
    (!file.tuples().any(there)).then(why)
}

/// Whether the rule is one of several that an application profile became.
fn has_more(file: &RulesFile, rule: &Tuple) -> bool {
    let sibling = |other: &Tuple| {
        other.matching.dapp == rule.matching.dapp
            && (&other.matching.dport, other.matching.protocol)
                != (&rule.matching.dport, rule.matching.protocol)
    };
    rule.matching.dapp.is_some() && file.tuples().any(sibling)
}

#[cfg(test)]
mod tests {
    use crate::resource::ufw_rules::address::Family;

    use super::super::mirror::tests::file;
    use super::*;

    /// What goes and what is told, for 22 with 2222 kept.
    fn of(tuples: &[&str]) -> (Vec<String>, Vec<String>) {
        let file = file(Family::V4, tuples);
        let closing = closing(&file, 22, 2222, "holdfast:t:port-2222");
        (
            closing.gone.iter().map(Tuple::describe).collect(),
            closing.notes.into_iter().map(|note| note.text).collect(),
        )
    }

    #[test]
    fn ours_go_and_those_of_others_with_a_like() {
        let ours = Comment::of("holdfast:ufw-enable:ssh");
        let (gone, told) = of(&[
            &format!(
                "allow tcp 22 0.0.0.0/0 any 10.9.0.0/16 in comment={}",
                ours.hex()
            ),
            "limit tcp 22 0.0.0.0/0 any 10.1.0.0/16 in",
            "limit tcp 2222 0.0.0.0/0 any 10.1.0.0/16 in",
            "allow any 22 0.0.0.0/0 any 10.2.0.0/16 in",
            "allow tcp 2222 0.0.0.0/0 any 10.2.0.0/16 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
            "allow tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in comment=6869",
        ]);
        assert_eq!(
            gone,
            [
                "allow tcp 22 from 10.9.0.0/16",
                "limit tcp 22 from 10.1.0.0/16",
                "allow any 22 from 10.2.0.0/16",
                "allow tcp 22 from anywhere (profile OpenSSH)",
            ]
        );
        assert_eq!(told, Vec::<String>::new());
    }

    #[test]
    fn those_without_a_like_or_about_more_stay_and_are_told() {
        let ours = Comment::of("holdfast:x:y");
        let tuples = [
            "allow tcp 22 0.0.0.0/0 any 10.1.0.0/16 in",
            "allow tcp 22,80 0.0.0.0/0 any 10.2.0.0/16 in",
            "allow tcp 2222 0.0.0.0/0 any 10.2.0.0/16 in",
            "allow any any 0.0.0.0/0 any 10.3.0.0/16 in",
            "limit tcp 22 0.0.0.0/0 any 10.4.0.0/16 in",
            "allow tcp 2222 0.0.0.0/0 any 10.4.0.0/16 in",
            &format!(
                "allow tcp 20:30 0.0.0.0/0 any 0.0.0.0/0 in comment={}",
                ours.hex()
            ),
            "allow tcp 22 0.0.0.0/0 any 10.5.0.0/16 Git - in",
            "allow tcp 9418 0.0.0.0/0 any 10.5.0.0/16 Git - in",
            "allow tcp 2222 0.0.0.0/0 any 10.5.0.0/16 in",
        ];
        let (gone, told) = of(&tuples);
        assert_eq!(gone, Vec::<String>::new());
        assert_eq!(told.len(), 6, "{told:#?}");
        assert!(told[0].contains("has no like for port 2222: allow tcp 22 from 10.1.0.0/16"));
        assert!(told[1].contains("about more than that port: allow tcp 22,80"));
    }

    #[test]
    fn what_keeps_packets_out_is_no_old_rule() {
        let (gone, told) = of(&[
            "deny tcp 22 0.0.0.0/0 any 10.1.0.0/16 in",
            "deny tcp 2222 0.0.0.0/0 any 10.1.0.0/16 in",
            "allow udp 22 0.0.0.0/0 any 0.0.0.0/0 in",
        ]);
        assert_eq!((gone.len(), told.len()), (0, 0));
    }
}
