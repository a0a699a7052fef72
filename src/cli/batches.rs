//! `--serial`: which hosts are worked on together, and in which order.

use std::collections::{BTreeSet, VecDeque};

use crate::diagnostic::Diagnostic;
use crate::event::Serial;
use crate::inventory::Host;
use crate::value::Name;

/// What is wrong with the batches for these hosts: a typing mistake must not put a group last.
pub(super) fn mistake(serial: &Serial, hosts: &[Host]) -> Option<Diagnostic> {
    let Serial::Groups(groups) = serial else {
        return None;
    };
    let known: BTreeSet<&str> = hosts
        .iter()
        .flat_map(|host| &host.groups)
        .map(Name::as_str)
        .collect();
    let unknown = groups
        .iter()
        .find(|group| !known.contains(group.as_str()))?;
    let message = format!("--serial: none of these hosts is in a group `{unknown}`");
    Some(Diagnostic::error(message).nearest(unknown, known))
}

/// The batches in their order; `host` says which one an item is about. None is empty.
pub(super) fn batches<T>(
    serial: &Serial,
    all: Vec<T>,
    host: impl Fn(&T) -> &Host,
) -> VecDeque<Vec<T>> {
    let mut rest = all;
    let mut batches = VecDeque::new();
    match serial {
        Serial::All => {}
        Serial::Of(most) => {
            while rest.len() > *most {
                let later = rest.split_off(*most);
                batches.push_back(std::mem::replace(&mut rest, later));
            }
        }
        Serial::Groups(groups) => {
            for group in groups {
                let is_in = |item: &mut T| {
                    let mut its = host(item).groups.iter();
                    its.any(|its| its.as_str() == group)
                };
                batches.push_back(rest.extract_if(.., is_in).collect());
            }
        }
    }
    batches.push_back(rest);
    batches.retain(|batch| !batch.is_empty());
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<Host> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "hosts:\n  a: {}\n  b: {}\n  c: {}\n  d: {}\ngroups:\n  web: { hosts: [b, c] }\n  canary: { hosts: [c] }\n";
        std::fs::write(file.path(), text).unwrap();
        crate::inventory::load(file.path())
            .unwrap()
            .hosts()
            .to_vec()
    }

    fn named(serial: &Serial) -> String {
        let batches = batches(serial, hosts(), |host| host);
        let batches = batches
            .iter()
            .map(|batch| -> String { batch.iter().map(|host| host.name.as_str()).collect() });
        batches.collect::<Vec<_>>().join(" ")
    }

    fn groups(names: &[&str]) -> Serial {
        Serial::Groups(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn hosts_come_by_number_or_by_group_and_each_of_them_once() {
        assert_eq!(named(&Serial::All), "abcd");
        assert_eq!(named(&Serial::Of(3)), "abc d");
        assert_eq!(named(&Serial::Of(1)), "a b c d");
        assert_eq!(named(&groups(&["canary", "web"])), "c b ad");
        assert_eq!(named(&groups(&["web", "canary"])), "bc ad");
        assert!(batches(&Serial::Of(2), Vec::new(), |host: &Host| host).is_empty());
    }

    #[test]
    fn a_group_that_is_none_of_theirs_is_a_mistake() {
        assert!(mistake(&groups(&["web"]), &hosts()).is_none());
        let said = mistake(&groups(&["web", "canery"]), &hosts()).unwrap();
        assert!(said.to_string().contains("canary"), "{said}");
    }
}
