//! The lists that come with the runbook: what the first fetch is measured by.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::guards::{self, ListSpec};
use super::lists::Lists;
use super::read::constant;
use super::shape::SHAPE;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::Text;
use crate::value::Cidr;
use crate::yaml::{Kind, Node};

/// The lists that come with the runbook.
#[derive(Debug)]
pub(super) struct BuiltIn {
    pub(super) date: Date,
    pub(super) lists: Lists,
}

/// Reads `built_in`, which must have every list.
pub(super) fn read_built_in(
    node: &Node,
    lists: &BTreeMap<String, ListSpec>,
    out: &mut Diagnostics,
) -> Option<BuiltIn> {
    let built_in = SHAPE.get(node, "built_in")?;
    let before = out.errors();
    let date = built_in.get("date").and_then(Text::from_node);
    let date: Option<Date> = date.and_then(|text| constant(&text, out));
    if date.is_none() && out.errors() == before {
        let message = "`built_in` needs its date, as 2025-06-01";
        out.push(Diagnostic::error(message).at(&built_in.place));
    }
    for (key, _) in built_in.entries() {
        let name = key.text().unwrap_or_default();
        if name != "date" && !lists.contains_key(name) {
            let known = lists.keys().map(String::as_str);
            out.push(
                Diagnostic::error(format!("there is no list `{name}`"))
                    .at(&key.place)
                    .nearest(name, known),
            );
        }
    }
    let mut built = Lists::default();
    for (name, spec) in lists {
        match built_in.get(name) {
            Some(list) => built.insert(name, read_built_in_list(name, spec, list, out)),
            None => out.push(
                Diagnostic::error(format!("`{name}` is missing in `built_in`")).at(&built_in.place),
            ),
        }
    }
    (out.errors() == before).then_some(BuiltIn {
        date: date?,
        lists: built,
    })
}

/// The list must pass its own guards, or the first fetch could not be compared with it.
fn read_built_in_list(
    name: &str,
    spec: &ListSpec,
    node: &Node,
    out: &mut Diagnostics,
) -> Vec<Cidr> {
    let before = out.errors();
    if !matches!(node.kind, Kind::List(_)) {
        out.push(Diagnostic::error(format!("`{name}` must be a list of networks")).at(&node.place));
    }
    for item in node.items() {
        let text = item.text().unwrap_or_default();
        if let Err(why) = guards::check_entry(spec, text, &[]) {
            out.push(Diagnostic::error(format!("{} {why}", guards::shown(text))).at(&item.place));
        }
    }
    if out.errors() > before {
        return Vec::new();
    }
    let texts: Vec<String> = node
        .items()
        .iter()
        .filter_map(Node::text)
        .map(str::to_owned)
        .collect();
    let checked = guards::check_list(name, spec, &texts, &[]);
    checked
        .map_err(|why| out.push(Diagnostic::error(why).at(&node.place)))
        .unwrap_or_default()
}
