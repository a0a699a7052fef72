//! One inventory file: its shape, and its reading into typed entries with their places.
//!
//! A key with nothing behind it counts as not written, so that a newcomer may comment out
//! everything below `groups:`; a host with nothing behind it is a host.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use super::settings::{Settings, settings};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::shape::{Field, Shape, Ty};
use crate::value::{Address, HostName, Name};
use crate::yaml::{Kind, Node};

const PORT: Field = Field::optional("port", Ty::Int(1, 65_535), "The port of its SSH server.");
const USER: Field = Field::optional("user", Ty::Text, "The user to log in as.");
const CONNECTION: Field = Field::optional(
    "connection",
    Ty::Word(&["ssh", "local"]),
    "`local` for this machine without SSH; otherwise `ssh`.",
);
const TAGS: Field = Field::optional("tags", Ty::Texts, "Free words for `--limit`.");
const VARS: Field = Field::optional("vars", Ty::Values, "`vars` of templates.");
const INPUTS: Field = Field::optional(
    "inputs",
    Ty::Values,
    "Values for inputs: the runbook's name, below it the input's.",
);

/// The top of an inventory file.
pub const FILE: Shape = Shape {
    name: "an inventory file",
    fields: &[
        Field::optional(
            "hosts",
            Ty::Values,
            "The hosts by name; below each, what is special about it.",
        ),
        Field::optional("groups", Ty::Values, "Groups of hosts by name."),
        Field::optional(
            "all",
            Ty::One(&ALL),
            "What holds for every host that says nothing else.",
        ),
    ],
    shorthand: None,
};

/// What stands below `all:`.
pub const ALL: Shape = Shape {
    name: "`all`",
    fields: &[PORT, USER, CONNECTION, VARS, INPUTS],
    shorthand: None,
};

/// What stands below the name of a host; a plain text is its address.
pub const HOST: Shape = Shape {
    name: "a host",
    fields: &[
        Field::optional(
            "address",
            Ty::Text,
            "What `ssh` connects to: a name, an address or an alias; the host's name when missing.",
        ),
        PORT,
        USER,
        CONNECTION,
        Field::optional(
            "groups",
            Ty::Texts,
            "Groups that it is in, besides those that list it.",
        ),
        TAGS,
        VARS,
        INPUTS,
    ],
    shorthand: Some("address"),
};

/// What stands below the name of a group.
pub const GROUP: Shape = Shape {
    name: "a group",
    fields: &[
        Field::optional("hosts", Ty::Texts, "Its hosts."),
        Field::optional("groups", Ty::Texts, "Groups whose hosts are all in it too."),
        PORT,
        USER,
        CONNECTION,
        TAGS,
        VARS,
        INPUTS,
    ],
    shorthand: None,
};

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) all: Settings,
    pub(super) hosts: Vec<HostEntry>,
    pub(super) groups: Vec<GroupEntry>,
}

/// A host as written.
#[derive(Debug)]
pub(super) struct HostEntry {
    pub(super) name: HostName,
    pub(super) place: Place,
    /// Where the same stands once more.
    pub(super) again: Option<Place>,
    pub(super) address: Option<Address>,
    pub(super) groups: Vec<(Name, Place)>,
    pub(super) tags: BTreeSet<Name>,
    pub(super) settings: Settings,
}

/// A group as written.
#[derive(Debug)]
pub(super) struct GroupEntry {
    pub(super) name: Name,
    pub(super) place: Place,
    pub(super) hosts: Vec<(HostName, Place)>,
    pub(super) children: Vec<(Name, Place)>,
    pub(super) tags: BTreeSet<Name>,
    pub(super) settings: Settings,
}

/// Reads one file, saying everything that is wrong in it.
pub(super) fn read(node: &Node, out: &mut Diagnostics) -> Layer {
    let node = written(node);
    if matches!(node.kind, Kind::Null) {
        return Layer::default();
    }
    FILE.check(&node, out);
    let all = node.get("all").map(|all| settings(&written(all), out));
    Layer {
        all: all.unwrap_or_default(),
        hosts: named(&node, "hosts", &HOST, out, read_host),
        groups: named(&node, "groups", &GROUP, out, read_group),
    }
}

/// The mapping without the keys that have nothing behind them.
fn written(node: &Node) -> Node {
    let Kind::Map(entries) = &node.kind else {
        return node.clone();
    };
    let kept = entries
        .iter()
        .filter(|(_, value)| !matches!(value.kind, Kind::Null));
    Node {
        kind: Kind::Map(
            kept.map(|(key, value)| (key.clone(), written_below(key, value)))
                .collect(),
        ),
        ..node.clone()
    }
}

/// Below `all` the same holds; variables and inputs, on the other hand, may be null.
fn written_below(key: &Node, value: &Node) -> Node {
    if key.text() == Some("all") {
        written(value)
    } else {
        value.clone()
    }
}

/// Each entry of `hosts:` or `groups:`, checked by its shape and read.
fn named<T>(
    file: &Node,
    key: &str,
    shape: &Shape,
    out: &mut Diagnostics,
    read: impl Fn(&Node, &Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let entries = raw_entries(file, key);
    let mut all = Vec::new();
    for (name, value) in entries {
        let value = match value.kind {
            Kind::Null => Node {
                kind: Kind::Map(Vec::new()),
                ..value.clone()
            },
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => written(value),
        };
        shape.check(&value, out);
        all.extend(read(name, &value, out));
    }
    all
}

/// The entries below a key, as written.
pub(super) fn raw_entries<'a>(file: &'a Node, key: &str) -> &'a [(Node, Node)] {
    file.get(key).map_or(&[], Node::entries)
}

fn read_host(name: &Node, node: &Node, out: &mut Diagnostics) -> Option<HostEntry> {
    let address = HOST
        .get(node, "address")
        .and_then(|address| value(address, out));
    Some(HostEntry {
        again: None,
        address,
        groups: values(HOST.get(node, "groups"), out),
        tags: tags(node, out),
        settings: settings(node, out),
        name: value(name, out)?,
        place: name.place.clone(),
    })
}

fn read_group(name: &Node, node: &Node, out: &mut Diagnostics) -> Option<GroupEntry> {
    Some(GroupEntry {
        hosts: values(node.get("hosts"), out),
        children: values(node.get("groups"), out),
        tags: tags(node, out),
        settings: settings(node, out),
        name: value(name, out)?,
        place: name.place.clone(),
    })
}

fn tags(node: &Node, out: &mut Diagnostics) -> BTreeSet<Name> {
    values(node.get("tags"), out)
        .into_iter()
        .map(|(tag, _)| tag)
        .collect()
}

/// A scalar as a checked value. What is no scalar was said by the shape.
pub(super) fn value<T: FromStr<Err: Display>>(node: &Node, out: &mut Diagnostics) -> Option<T> {
    match node.text()?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("`{}` is not valid: {error}", node.text()?);
            out.push(Diagnostic::error(message).at(&node.place));
            None
        }
    }
}

/// One scalar or each of a list.
fn values<T: FromStr<Err: Display>>(node: Option<&Node>, out: &mut Diagnostics) -> Vec<(T, Place)> {
    let Some(node) = node else { return Vec::new() };
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        Kind::Null | Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(node),
    };
    let read = |item: &Node| Some((value(item, out)?, item.place.clone()));
    items.iter().filter_map(read).collect()
}
