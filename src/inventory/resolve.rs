//! What holds for one host: its groups, and which of the values wins.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{GroupEntry, HostEntry};
use super::groups::Tree;
use super::merge::Written;
use super::settings::{Key, Setting, Settings};
use super::{Connection, Host, Inputs};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::value::{Address, HostName, Name};

/// Two groups and what they disagree about.
type Clash = (Name, Name, Key);

/// Finds out what holds for each host. The groups must not be in a ring.
pub(super) struct Resolve<'a> {
    groups: &'a BTreeMap<Name, GroupEntry>,
    all: &'a Settings,
    tree: Tree,
    depths: BTreeMap<Name, usize>,
    /// For each host, the groups that list it.
    listed: BTreeMap<&'a HostName, Vec<&'a Name>>,
    /// What was warned of already, for another host.
    clashes: BTreeSet<Clash>,
}

impl<'a> Resolve<'a> {
    pub(super) fn new(written: &'a Written, tree: Tree, depths: BTreeMap<Name, usize>) -> Self {
        let mut listed: BTreeMap<&HostName, Vec<&Name>> = BTreeMap::new();
        for group in written.groups.values() {
            for (host, _) in &group.hosts {
                listed.entry(host).or_default().push(&group.name);
            }
        }
        Self {
            groups: &written.groups,
            all: &written.all,
            tree,
            depths,
            listed,
            clashes: BTreeSet::new(),
        }
    }

    /// The host with everything that its groups and `all:` say about it.
    pub(super) fn host(&mut self, entry: &HostEntry, out: &mut Diagnostics) -> Host {
        let groups = self.groups_of(entry);
        let mut settings = self.all.clone();
        for group in &groups {
            settings.extend(group.settings.clone());
        }
        self.warn_of_clashes(entry, &groups, out);
        settings.extend(entry.settings.clone());
        let tags = groups
            .iter()
            .flat_map(|group| &group.tags)
            .chain(&entry.tags);
        let mut host = Host {
            name: entry.name.clone(),
            address: entry
                .address
                .clone()
                .unwrap_or_else(|| own_address(&entry.name)),
            port: None,
            user: None,
            connection: Connection::Ssh,
            groups: groups.iter().map(|group| group.name.clone()).collect(),
            tags: tags.cloned().collect(),
            vars: serde_json::Map::new(),
            inputs: Inputs::new(),
            key_name: None,
            place: entry.place.clone(),
            again: entry.again.clone(),
        };
        for (key, (setting, place)) in settings {
            put(&mut host, key, setting, place);
        }
        host
    }

    /// Its groups and theirs, the outermost first, so that later ones win.
    fn groups_of(&self, entry: &HostEntry) -> Vec<&'a GroupEntry> {
        let listed = self.listed.get(&entry.name).into_iter().flatten().copied();
        let direct = entry.groups.iter().map(|(name, _)| name).chain(listed);
        let all: BTreeSet<Name> = direct
            .flat_map(|name| self.tree.around(name).into_iter().chain([name.clone()]))
            .collect();
        let mut groups: Vec<&GroupEntry> = all
            .iter()
            .filter_map(|name| self.groups.get(name))
            .collect();
        groups.sort_by_key(|group| (self.depths.get(&group.name), &group.name));
        groups
    }

    /// Says where the alphabet decided: the host itself says nothing, and two of its groups, neither
    /// inside the other, say different things.
    fn warn_of_clashes(
        &mut self,
        entry: &HostEntry,
        groups: &[&GroupEntry],
        out: &mut Diagnostics,
    ) {
        let keys: BTreeSet<&Key> = groups
            .iter()
            .flat_map(|group| group.settings.keys())
            .collect();
        for key in keys
            .into_iter()
            .filter(|key| !entry.settings.contains_key(key))
        {
            let heads = self.heads(groups, key);
            let Some((winner, others)) = heads.split_last() else {
                continue;
            };
            let differs = |other: &&&GroupEntry| other.settings[key].0 != winner.settings[key].0;
            let Some(loser) = others.iter().rev().find(differs) else {
                continue;
            };
            let clash = (loser.name.clone(), winner.name.clone(), key.clone());
            if self.clashes.insert(clash) {
                out.push(clash_warning(&entry.name, key, loser, winner));
            }
        }
    }

    /// The groups that give the key a value which no group inside them replaces.
    fn heads<'g>(&self, groups: &[&'g GroupEntry], key: &Key) -> Vec<&'g GroupEntry> {
        let setters = groups
            .iter()
            .copied()
            .filter(|group| group.settings.contains_key(key));
        let setters: Vec<&GroupEntry> = setters.collect();
        let replaced = |group: &GroupEntry| {
            let mut others = setters.iter();
            others.any(|other| self.tree.around(&other.name).contains(&group.name))
        };
        setters
            .iter()
            .copied()
            .filter(|group| !replaced(group))
            .collect()
    }
}

fn clash_warning(
    host: &HostName,
    key: &Key,
    loser: &GroupEntry,
    winner: &GroupEntry,
) -> Diagnostic {
    let (loser, winner, place) = (&loser.name, &winner.name, &winner.settings[key].1);
    let message = format!(
        "`{host}` is in the groups `{loser}` and `{winner}`, which give {key} different values; `{winner}` wins"
    );
    let hint = format!(
        "say it at the host, or put one group inside the other (groups: [{winner}] below `{loser}`)"
    );
    Diagnostic::warning(message).at(place).hint(hint)
}

fn put(host: &mut Host, key: Key, setting: Setting, place: Place) {
    match (key, setting) {
        (Key::Var(name), Setting::Value(value)) => {
            host.vars.insert(name, value);
        }
        (Key::Input(runbook, input), Setting::Value(value)) => {
            host.inputs
                .entry(runbook)
                .or_default()
                .insert(input, (value, place));
        }
        (_, Setting::Port(port)) => host.port = Some(port),
        (_, Setting::User(user)) => host.user = Some(user),
        (_, Setting::Connection(connection)) => host.connection = connection,
        (Key::Port | Key::User | Key::Connection, Setting::Value(_)) => {}
    }
}

/// A host name has only characters that an address may have.
fn own_address(name: &HostName) -> Address {
    name.as_str().parse().expect("a host name is an address")
}
