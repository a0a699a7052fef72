//! `--limit`: which hosts a run is about.
//!
//! | word | means |
//! | --- | --- |
//! | `web-1` | the host, group or tag of that name |
//! | `host:web`, `group:web`, `tag:web` | when `web` is more than one of them |
//! | `web-*`, `db-[12]`, `{a,b}-1` | the hosts whose name matches |
//! | `all` | every host |
//! | `!web-3` | not these; alone it means all but these |
//!
//! The option may be repeated and takes lists with commas; includes add up, then exclusions are
//! taken away, wherever they stand. A word that nobody knows, an empty word or an empty result is
//! an error: a typing mistake must never mean "all hosts".

use std::collections::BTreeSet;

use globset::GlobBuilder;

use super::{Host, Inventory};
use crate::diagnostic::Diagnostic;

/// Positions in the inventory.
type Chosen = BTreeSet<usize>;

/// The hosts that `limits` name, in the order of the inventory; all of them without any limit.
///
/// # Errors
/// When a word means nothing or several things, or when no host is left.
pub fn select<'a>(
    inventory: &'a Inventory,
    limits: &[String],
) -> Result<Vec<&'a Host>, Diagnostic> {
    let hosts = inventory.hosts();
    if hosts.is_empty() {
        return Err(Diagnostic::error("the inventory holds no host")
            .hint("write one below `hosts:` in inventory/hosts.yaml"));
    }
    if limits.is_empty() {
        return Ok(hosts.iter().collect());
    }
    let mut included: Option<Chosen> = None;
    let mut excluded = Chosen::new();
    for limit in limits {
        for word in words(limit) {
            match word.strip_prefix('!') {
                Some(word) => excluded.extend(resolve(inventory, word.trim(), limit)?),
                None => included
                    .get_or_insert_default()
                    .extend(resolve(inventory, word, limit)?),
            }
        }
    }
    let included = included.unwrap_or_else(|| (0..hosts.len()).collect());
    let left: Vec<&Host> = included
        .difference(&excluded)
        .map(|index| &hosts[*index])
        .collect();
    if left.is_empty() {
        let message = format!("no host is left by --limit {}", limits.join(" --limit "));
        return Err(Diagnostic::error(message)
            .hint("what it names is empty, or the exclusions take everything away"));
    }
    Ok(left)
}

/// Splits at commas, but not at those between the braces of a glob.
fn words(limit: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let between = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    limit.split(between).map(str::trim).collect()
}

fn resolve(inventory: &Inventory, word: &str, limit: &str) -> Result<Chosen, Diagnostic> {
    if word.is_empty() {
        let message = format!("an empty name in --limit {limit:?}");
        return Err(Diagnostic::error(message).hint("leave --limit out to mean every host"));
    }
    if word == "all" {
        return Ok((0..inventory.hosts().len()).collect());
    }
    for kind in Kind::ALL {
        if let Some(name) = word.strip_prefix(kind.prefix()) {
            return kind.find(inventory, name).ok_or_else(|| {
                let message = format!("there is no {} `{name}`", kind.name());
                let known = kind.names(inventory);
                Diagnostic::error(message).nearest(name, known.iter().copied())
            });
        }
    }
    if word.contains(['*', '?', '[', '{']) {
        return by_glob(inventory, word);
    }
    by_bare_word(inventory, word)
}

fn by_glob(inventory: &Inventory, word: &str) -> Result<Chosen, Diagnostic> {
    let glob = GlobBuilder::new(word)
        .build()
        .map_err(|error| Diagnostic::error(format!("--limit {word}: {}", error.kind())))?;
    let matcher = glob.compile_matcher();
    let found = matching(inventory, |host| matcher.is_match(host.name.as_str()));
    if found.is_empty() {
        let message = format!("no host has a name like `{word}`");
        return Err(
            Diagnostic::error(message).hint("globs are about host names, not groups or tags")
        );
    }
    Ok(found)
}

fn by_bare_word(inventory: &Inventory, word: &str) -> Result<Chosen, Diagnostic> {
    let meanings = Kind::ALL.into_iter();
    let meanings = meanings.filter_map(|kind| Some((kind, kind.find(inventory, word)?)));
    let meanings: Vec<(Kind, Chosen)> = meanings.collect();
    let Some((_, first)) = meanings.first() else {
        let known = Kind::ALL.into_iter().flat_map(|kind| kind.names(inventory));
        let known: BTreeSet<&str> = known.collect();
        let message = format!("no host, group or tag is called `{word}`");
        return Err(Diagnostic::error(message).nearest(word, known));
    };
    if meanings.iter().all(|(_, chosen)| chosen == first) {
        return Ok(first.clone());
    }
    let kinds: Vec<&str> = meanings.iter().map(|(kind, _)| kind.name()).collect();
    let ways: Vec<String> = meanings
        .iter()
        .map(|(kind, _)| format!("{}{word}", kind.prefix()))
        .collect();
    let message = format!(
        "`{word}` is a {} with different hosts",
        kinds.join(" and a ")
    );
    Err(Diagnostic::error(message).hint(format!("write {}", ways.join(" or "))))
}

fn matching(inventory: &Inventory, fits: impl Fn(&Host) -> bool) -> Chosen {
    let hosts = inventory.hosts().iter().enumerate();
    hosts
        .filter(|(_, host)| fits(host))
        .map(|(index, _)| index)
        .collect()
}

/// What a word may name.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Host,
    Group,
    Tag,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Host, Self::Group, Self::Tag];

    fn name(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::Group => "group",
            Kind::Tag => "tag",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Kind::Host => "host:",
            Kind::Group => "group:",
            Kind::Tag => "tag:",
        }
    }

    fn names(self, inventory: &Inventory) -> Vec<&str> {
        match self {
            Kind::Host => inventory
                .hosts()
                .iter()
                .map(|host| host.name.as_str())
                .collect(),
            Kind::Group => inventory.groups().map(crate::value::Name::as_str).collect(),
            Kind::Tag => inventory
                .tags()
                .into_iter()
                .map(crate::value::Name::as_str)
                .collect(),
        }
    }

    /// The hosts behind the name, perhaps none; `None` when nothing has that name.
    fn find(self, inventory: &Inventory, name: &str) -> Option<Chosen> {
        if !self.names(inventory).contains(&name) {
            return None;
        }
        Some(match self {
            Kind::Host => matching(inventory, |host| host.name.as_str() == name),
            Kind::Group => matching(inventory, |host| {
                host.groups.iter().any(|g| g.as_str() == name)
            }),
            Kind::Tag => matching(inventory, |host| {
                host.tags.iter().any(|t| t.as_str() == name)
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::*;
    use crate::diagnostic::{Diagnostics, Source};
    use proptest::prelude::*;

    fn inventory() -> Inventory {
        let text = "
hosts:
  web-2: { tags: [edge, db] }
  web-1: { tags: [edge] }
  db-1: { groups: [db] }
  lone:
groups:
  web: { hosts: [web-1, web-2] }
  db:
  empty:
";
        load::read(vec![Source::new("t", text)], Diagnostics::new()).unwrap()
    }

    fn chosen(limits: &[&str]) -> Result<Vec<String>, String> {
        let limits: Vec<String> = limits.iter().map(|&limit| limit.to_owned()).collect();
        let inventory = inventory();
        let hosts = select(&inventory, &limits)
            .map_err(|error| format!("{} ({})", error.message, error.hint.unwrap_or_default()))?;
        Ok(hosts
            .into_iter()
            .map(|host| host.name.to_string())
            .collect())
    }

    #[test]
    fn hosts_keep_the_order_of_the_inventory() {
        let all = ["web-2", "web-1", "db-1", "lone"];
        assert_eq!(chosen(&[]).unwrap(), all);
        assert_eq!(chosen(&["all"]).unwrap(), all);
        assert_eq!(
            chosen(&["web-1,web-2", "web-1"]).unwrap(),
            ["web-2", "web-1"]
        );
        assert_eq!(
            chosen(&["lone", "group:web"]).unwrap(),
            ["web-2", "web-1", "lone"]
        );
    }

    #[test]
    fn globs_groups_and_tags_are_understood() {
        assert_eq!(chosen(&["web-*"]).unwrap(), ["web-2", "web-1"]);
        assert_eq!(chosen(&["{web,db}-1"]).unwrap(), ["web-1", "db-1"]);
        assert_eq!(chosen(&["web"]).unwrap(), ["web-2", "web-1"]);
        assert_eq!(chosen(&["edge"]).unwrap(), ["web-2", "web-1"]);
        assert_eq!(chosen(&["tag:db"]).unwrap(), ["web-2"]);
        assert_eq!(chosen(&["group:db"]).unwrap(), ["db-1"]);
    }

    #[test]
    fn exclusions_hold_wherever_they_stand() {
        assert_eq!(chosen(&["!web-1", "web"]).unwrap(), ["web-2"]);
        assert_eq!(chosen(&["!web-*"]).unwrap(), ["db-1", "lone"]);
        assert_eq!(chosen(&["all,!web,!lone"]).unwrap(), ["db-1"]);
    }

    #[test]
    fn a_word_with_two_meanings_asks_which() {
        assert_eq!(
            chosen(&["db"]).unwrap_err(),
            "`db` is a group and a tag with different hosts (write group:db or tag:db)"
        );
    }

    #[test]
    fn nothing_degenerate_ever_means_all() {
        for limit in [
            "", ",", " ", "web-1,", "!", "!,web", "tag:", "host:", "empty", "web,!web", "!all",
            "nope*", "[", "{",
        ] {
            let error = chosen(&[limit]);
            assert!(error.is_err(), "{limit:?} chose {error:?}");
        }
        assert_eq!(
            chosen(&["wbe-1"]).unwrap_err(),
            "no host, group or tag is called `wbe-1` (did you mean `web-1`?)"
        );
        assert_eq!(
            chosen(&["!lona"]).unwrap_err(),
            "no host, group or tag is called `lona` (did you mean `lone`?)"
        );
        assert_eq!(
            chosen(&["tag:egde"]).unwrap_err(),
            "there is no tag `egde` (did you mean `edge`?)"
        );
    }

    #[test]
    fn an_inventory_without_hosts_is_an_error_even_without_a_limit() {
        assert!(select(&Inventory::default(), &[]).is_err());
    }

    proptest! {
        #[test]
        fn any_limit_is_read_without_panic(limits in prop::collection::vec("[a-z0-9,!*?{}\\[\\]: -]{0,12}|\\PC{0,8}", 1..4)) {
            let inventory = inventory();
            if let Ok(hosts) = select(&inventory, &limits) {
                prop_assert!(!hosts.is_empty());
            }
        }
    }
}
