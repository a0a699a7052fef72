//! Several files become one inventory: they add up, and must not contradict each other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::Inventory;
use super::file::{GroupEntry, HostEntry, Layer};
use super::groups::Tree;
use super::resolve::Resolve;
use super::settings::{Key, Setting, Settings};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::value::{Address, HostName, Name};

/// Everything that was written, joined over the files.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) all: Settings,
    /// In the order of the files.
    pub(super) hosts: Vec<HostEntry>,
    pub(super) groups: BTreeMap<Name, GroupEntry>,
}

/// Joins what the files say.
///
/// # Errors
/// Every contradiction, unknown name and ring. Warnings alone end up in the inventory.
pub(super) fn merge(layers: Vec<Layer>, mut out: Diagnostics) -> Result<Inventory, Diagnostics> {
    let written = join(layers, &mut out);
    check_names(&written, &mut out);
    let tree = tree(&written);
    let depths = match tree.depths() {
        Ok(depths) => depths,
        Err(ring) => {
            out.push(ring_error(&ring, &written));
            BTreeMap::new()
        }
    };
    if out.has_errors() {
        out.sort();
        return Err(out);
    }
    let mut resolve = Resolve::new(&written, tree, depths);
    let hosts = written.hosts.iter();
    let hosts = hosts.map(|entry| resolve.host(entry, &mut out)).collect();
    out.sort();
    Ok(Inventory {
        hosts,
        groups: written.groups.keys().cloned().collect(),
        warnings: out,
    })
}

// ── joining ─────────────────────────────────────────────────────────────────────────────────

fn join(layers: Vec<Layer>, out: &mut Diagnostics) -> Written {
    let mut written = Written::default();
    let mut seen: BTreeMap<HostName, usize> = BTreeMap::new();
    for layer in layers {
        join_settings(&mut written.all, layer.all, "`all`", out);
        for host in layer.hosts {
            match seen.entry(host.name.clone()) {
                Entry::Vacant(new) => {
                    new.insert(written.hosts.len());
                    written.hosts.push(host);
                }
                Entry::Occupied(index) => join_host(&mut written.hosts[*index.get()], host, out),
            }
        }
        for group in layer.groups {
            match written.groups.entry(group.name.clone()) {
                Entry::Vacant(new) => {
                    new.insert(group);
                }
                Entry::Occupied(earlier) => join_group(earlier.into_mut(), group, out),
            }
        }
    }
    written
}

/// Adds what is new; the same key with another value is a contradiction between files.
fn join_settings(into: &mut Settings, from: Settings, whose: &str, out: &mut Diagnostics) {
    for (key, (setting, place)) in from {
        match into.entry(key) {
            Entry::Vacant(new) => {
                new.insert((setting, place));
            }
            Entry::Occupied(earlier) if earlier.get().0 == setting => {}
            Entry::Occupied(earlier) => {
                let message = format!("{} of {whose} has another value elsewhere", earlier.key());
                let hint = format!("the other stands at {}", earlier.get().1);
                out.push(Diagnostic::error(message).at(&place).hint(hint));
            }
        }
    }
}

/// A host may be mentioned again: with the same content, or with none.
fn join_host(earlier: &mut HostEntry, again: HostEntry, out: &mut Diagnostics) {
    let empty = |host: &HostEntry| content(host) == (None, Vec::new(), BTreeSet::new(), Vec::new());
    if empty(&again) {
        return;
    }
    if content(earlier) == content(&again) {
        earlier.again = Some(again.place);
        return;
    }
    if empty(earlier) {
        *earlier = again;
        return;
    }
    let message = format!(
        "the host `{}` is defined twice, and differently",
        again.name
    );
    let hint = format!(
        "the other definition stands at {}; keep one of them",
        earlier.place
    );
    out.push(Diagnostic::error(message).at(&again.place).hint(hint));
}

type Content<'a> = (
    Option<&'a Address>,
    Vec<&'a Name>,
    BTreeSet<&'a Name>,
    Vec<(&'a Key, &'a Setting)>,
);

fn content(host: &HostEntry) -> Content<'_> {
    (
        host.address.as_ref(),
        host.groups.iter().map(|(name, _)| name).collect(),
        host.tags.iter().collect(),
        host.settings
            .iter()
            .map(|(key, (setting, _))| (key, setting))
            .collect(),
    )
}

fn join_group(earlier: &mut GroupEntry, again: GroupEntry, out: &mut Diagnostics) {
    earlier.hosts.extend(again.hosts);
    earlier.children.extend(again.children);
    earlier.tags.extend(again.tags);
    let whose = format!("the group `{}`", again.name);
    join_settings(&mut earlier.settings, again.settings, &whose, out);
}

// ── names ───────────────────────────────────────────────────────────────────────────────────

fn check_names(written: &Written, out: &mut Diagnostics) {
    let hosts: BTreeSet<&str> = written
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    let groups: BTreeSet<&str> = written.groups.keys().map(Name::as_str).collect();
    let mut check = |kind: &str, known: &BTreeSet<&str>, name: &str, place: &Place| {
        if !known.contains(name) {
            let message = format!("there is no {kind} `{name}`");
            let known = known.iter().copied();
            let error = Diagnostic::error(message).at(place).nearest(name, known);
            let cure = format!("write it below `{kind}s:` first");
            out.push(if error.hint.is_some() {
                error
            } else {
                error.hint(cure)
            });
        }
    };
    for group in written.groups.values() {
        group
            .hosts
            .iter()
            .for_each(|(name, place)| check("host", &hosts, name.as_str(), place));
        group
            .children
            .iter()
            .for_each(|(name, place)| check("group", &groups, name.as_str(), place));
    }
    for host in &written.hosts {
        host.groups
            .iter()
            .for_each(|(name, place)| check("group", &groups, name.as_str(), place));
    }
    let named_all = written
        .hosts
        .iter()
        .find(|host| host.name.as_str() == "all");
    let grouped_all = written
        .groups
        .values()
        .find(|group| group.name.as_str() == "all");
    for place in [
        named_all.map(|host| &host.place),
        grouped_all.map(|group| &group.place),
    ] {
        let Some(place) = place else { continue };
        let message = "`all` means every host and cannot be the name of one or of a group";
        out.push(Diagnostic::error(message).at(place));
    }
}

fn tree(written: &Written) -> Tree {
    let mut tree = Tree::default();
    for group in written.groups.values() {
        tree.add(&group.name);
        for (child, _) in &group.children {
            tree.put_inside(child, &group.name);
        }
    }
    tree
}

fn ring_error(ring: &[Name], written: &Written) -> Diagnostic {
    let names: Vec<&str> = ring.iter().map(Name::as_str).collect();
    let message = format!(
        "these groups contain each other in a ring: {}",
        names.join(" in ")
    );
    let error = Diagnostic::error(message);
    match ring.first().and_then(|group| written.groups.get(group)) {
        Some(group) => error.at(&group.place),
        None => error,
    }
}
