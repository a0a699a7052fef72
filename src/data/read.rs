//! Reading one data entry, with every mistake that can be seen without the network.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::built_in::read_built_in;
use super::drift::{ChangeBounds, Percent};
use super::guards::{Bounds, ListSpec};
use super::shape::{CHANGE, LIST, SHAPE, SOURCE};
use super::spec::{Format, SourceSpec, Spec, check_url, constant_here};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::Text;
use crate::value::{Duration, Name};
use crate::yaml::Node;

/// The longest `timeout`.
const LONGEST: Duration = Duration::seconds(300);

impl Spec {
    /// Reads an entry that fits [`SHAPE`]; what the shape cannot know is said here. `None` when it
    /// cannot be used, which was then said here or by the shape.
    pub fn from_node(key: &Node, node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let before = out.errors();
        let name = key.text().unwrap_or_default().parse::<Name>();
        let name = name.map_err(|error| {
            out.push(Diagnostic::error(format!("not a name: {error}")).at(&key.place));
        });
        let lists = read_lists(node, out);
        // What is said about a list that is wrong itself would only confuse.
        let known = lists.as_ref();
        let sources = known.and_then(|lists| read_sources(node, lists, out));
        let built_in = known.and_then(|lists| read_built_in(node, lists, out));
        let change = SHAPE.get(node, "change");
        let mut bound = |name, otherwise| {
            let text = change.and_then(|change| CHANGE.text(change, name));
            text.and_then(|text| constant(&text, out))
                .unwrap_or(Percent::new(otherwise))
        };
        let change = ChangeBounds {
            removed: bound("removed", 25),
            lost: bound("lost", 20),
            added: bound("added", 30),
        };
        let canary = SHAPE
            .text(node, "canary")
            .and_then(|text| constant(&text, out));
        let timeout = SHAPE
            .text(node, "timeout")
            .map_or(Some(Duration::seconds(30)), |text| read_timeout(&text, out));
        if out.errors() > before {
            return None;
        }
        Some(Self {
            name: name.ok()?,
            help: SHAPE.text(node, "help")?.text.trim().to_owned(),
            sources: sources?,
            ca_file: SHAPE.text(node, "ca_file"),
            timeout: timeout?,
            lists: lists?,
            allow_special: SHAPE.texts(node, "allow_special").unwrap_or_default(),
            change,
            canary: canary.unwrap_or(Percent::new(60)),
            built_in: built_in?,
        })
    }
}

/// A text that must be written out, as its value.
pub(super) fn constant<T: FromStr<Err: std::fmt::Display>>(
    text: &Text,
    out: &mut Diagnostics,
) -> Option<T> {
    constant_here(text).map_err(|error| out.push(error)).ok()
}

fn read_timeout(text: &Text, out: &mut Diagnostics) -> Option<Duration> {
    let timeout: Duration = constant(text, out)?;
    if (Duration::seconds(1)..=LONGEST).contains(&timeout) {
        return Some(timeout);
    }
    out.push(Diagnostic::error(format!("`timeout` must be from 1s to {LONGEST}")).at(&text.place));
    None
}

/// All lists, when each can be used.
fn read_lists(node: &Node, out: &mut Diagnostics) -> Option<BTreeMap<String, ListSpec>> {
    let entries = SHAPE
        .get(node, "lists")
        .map(Node::entries)
        .unwrap_or_default();
    let mut lists = BTreeMap::new();
    for (key, value) in entries {
        let name = key.text().unwrap_or_default();
        if let Err(error) = name.parse::<Name>() {
            out.push(Diagnostic::error(format!("not a name: {error}")).at(&key.place));
        }
        if name == "date" {
            let message = "`date` is the date of `built_in`, so no list can have this name";
            out.push(Diagnostic::error(message).at(&key.place));
        }
        lists.extend(read_list(value, out).map(|list| (name.to_owned(), list)));
    }
    (lists.len() == entries.len()).then_some(lists)
}

fn read_list(node: &Node, out: &mut Diagnostics) -> Option<ListSpec> {
    let mut bounds = |field| {
        let text = LIST.text(node, field);
        text.map(|text| constant::<Bounds>(&text, out))
    };
    let (count, prefix, addresses) = (bounds("count"), bounds("prefix"), bounds("addresses"));
    Some(ListSpec {
        family: LIST.parse(node, "family")?,
        count: count??,
        prefix: prefix??,
        addresses: match addresses {
            Some(addresses) => Some(addresses?),
            None => None,
        },
    })
}

fn read_sources(
    node: &Node,
    lists: &BTreeMap<String, ListSpec>,
    out: &mut Diagnostics,
) -> Option<Vec<SourceSpec>> {
    let list = SHAPE.get(node, "sources")?;
    let before = out.errors();
    let sources = list
        .items()
        .iter()
        .map(|source| read_source(source, lists, out));
    let sources = sources
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Option<Vec<_>>>()?;
    let Some(first) = sources.first() else {
        out.push(Diagnostic::error("at least one source is needed").at(&list.place));
        return None;
    };
    let missing = lists
        .keys()
        .map(String::as_str)
        .filter(|name| !first.format.has(name));
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        let message = format!("the first source must have every list; {missing} is missing");
        out.push(Diagnostic::error(message).at(&first.url.place));
    }
    (out.errors() == before).then_some(sources)
}

fn read_source(
    node: &Node,
    lists: &BTreeMap<String, ListSpec>,
    out: &mut Diagnostics,
) -> Option<SourceSpec> {
    let format = match (SOURCE.get(node, "json"), SOURCE.texts(node, "lines")) {
        (Some(json), None) => Format::Json(read_pointers(json, out)),
        (None, Some(lines)) => Format::Lines(lines.into_iter().map(|text| text.text).collect()),
        (Some(_), Some(_)) | (None, None) => {
            out.push(
                Diagnostic::error("a source has exactly one of json and lines").at(&node.place),
            );
            return None;
        }
    };
    check_named_lists(node, &format, lists, out);
    let url = SOURCE.text(node, "url")?;
    if url.is_constant() && !url.text.is_empty() {
        check_url(&url.text, &url.place)
            .map_err(|error| out.push(error))
            .ok()?;
    }
    let require = SOURCE.get(node, "require");
    if let (Some(require), Format::Lines(_)) = (require, &format) {
        out.push(Diagnostic::error("`require` belongs to a json source").at(&require.place));
    }
    let require = require
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| {
            check_pointer(key, out);
            (key.text().unwrap_or_default().to_owned(), value.to_value())
        });
    let require = require.collect();
    Some(SourceSpec {
        url,
        format,
        require,
    })
}

/// Lists are known, and those that share an array or a text differ in family.
fn check_named_lists(
    node: &Node,
    format: &Format,
    lists: &BTreeMap<String, ListSpec>,
    out: &mut Diagnostics,
) {
    let named: Vec<(&str, &str)> = match format {
        Format::Json(named) => named
            .iter()
            .map(|(list, pointer)| (list.as_str(), pointer.as_str()))
            .collect(),
        Format::Lines(named) => named.iter().map(|list| (list.as_str(), "")).collect(),
    };
    let mut taken = Vec::new();
    for (name, pointer) in named {
        let Some(list) = lists.get(name) else {
            let known = lists.keys().map(String::as_str);
            out.push(
                Diagnostic::error(format!("there is no list `{name}`"))
                    .at(&node.place)
                    .nearest(name, known),
            );
            continue;
        };
        if taken.contains(&(pointer, list.family)) {
            let message =
                format!("`{name}` would take the same networks as another list of its family");
            out.push(Diagnostic::error(message).at(&node.place));
        }
        taken.push((pointer, list.family));
    }
}

fn read_pointers(json: &Node, out: &mut Diagnostics) -> Vec<(String, String)> {
    let pointers = json.entries().iter().map(|(list, pointer)| {
        check_pointer(pointer, out);
        let text = |node: &Node| node.text().unwrap_or_default().to_owned();
        (text(list), text(pointer))
    });
    pointers.collect()
}

fn check_pointer(node: &Node, out: &mut Diagnostics) {
    if !node
        .text()
        .is_some_and(|text| text.is_empty() || text.starts_with('/'))
    {
        let message = "a JSON pointer starts with a slash: /result/ranges";
        out.push(Diagnostic::error(message).at(&node.place));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLOUDFLARE, cloudflare, read};

    /// What is said when `old` is replaced by `new`.
    fn said(old: &str, new: &str) -> Vec<String> {
        assert!(CLOUDFLARE.contains(old), "{old}");
        let (spec, out) = read(&CLOUDFLARE.trim_start().replacen(old, new, 1));
        assert!(spec.is_some() || out.has_errors());
        let text = |d: &crate::diagnostic::Diagnostic| {
            format!("{} {}", d.place.as_ref().unwrap(), d.message)
        };
        out.iter().map(text).collect()
    }

    #[test]
    fn the_entry_for_cloudflare_is_yaml_only() {
        let spec = cloudflare();
        assert_eq!(spec.name(), "cloudflare");
        assert_eq!(spec.built_in.lists.len(), 22);
        let texts: Vec<&str> = spec.texts().map(|text| text.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "{{ inputs.api }}",
                "{{ inputs.text_v4 }}",
                "{{ inputs.text_v6 }}",
                "{{ inputs.ca_file }}"
            ]
        );
    }

    #[test]
    fn the_built_in_list_passes_its_own_guards() {
        assert_eq!(
            said("173.245.48.0/20", "173.245.48.1/20"),
            [
                "r.yaml:18:9 `173.245.48.1/20` is refused: host bits are set; the network is 173.245.48.0/20"
            ]
        );
        assert_eq!(
            said("131.0.72.0/22", "173.245.48.0/20"),
            ["r.yaml:18:7 173.245.48.0/20 stands twice in `ipv4`"]
        );
        assert_eq!(said("2025-06-01", "soon").len(), 1);
        assert_eq!(
            said("    date: 2025-06-01\n", ""),
            ["r.yaml:16:5 `built_in` needs its date, as 2025-06-01"]
        );
    }

    #[test]
    fn only_https_without_a_password_is_asked() {
        for url in [
            "http://a.example/",
            "https://u:p@a.example/",
            "ftp://x/",
            "a.example/x",
            "https:///x",
        ] {
            assert_eq!(said("{{ inputs.api }}", url).len(), 1, "{url}");
        }
        assert!(said("{{ inputs.api }}", "https://a.example:8443/x?y").is_empty());
    }

    #[test]
    fn mistakes_of_form_are_said_at_their_place() {
        assert_eq!(
            said("lines: ipv4 }", "lines: ipv44 }"),
            ["r.yaml:7:7 there is no list `ipv44`"]
        );
        assert_eq!(
            said("lines: ipv4 }", "lines: [ipv4, ipv6] }"),
            [] as [&str; 0]
        );
        assert_eq!(
            said(", lines: ipv4 }", " }"),
            ["r.yaml:7:7 a source has exactly one of json and lines"]
        );
        assert_eq!(
            said(", ipv6: /result/ipv6_cidrs }", " }"),
            ["r.yaml:4:12 the first source must have every list; ipv6 is missing"]
        );
        assert_eq!(
            said("/result/ipv6_cidrs", "result.v6"),
            ["r.yaml:5:47 a JSON pointer starts with a slash: /result/ranges"]
        );
        assert_eq!(said("10-40", "40-10").len(), 1);
        assert_eq!(said("10-40", "0-10").len(), 1);
        assert_eq!(said("25%", "25").len(), 1);
        assert_eq!(said("60%", "160%").len(), 1);
        assert_eq!(
            said("canary: 60%", "timeout: 10m"),
            ["r.yaml:14:12 `timeout` must be from 1s to 5m"]
        );
        assert_eq!(
            said("canary:", "cannary:"),
            ["r.yaml:14:3 unknown key `cannary` in a data entry"]
        );
        assert_eq!(
            said("family: ipv6", "family: ipv4").len(),
            7,
            "each built-in entry is of the other family"
        );
    }
}
