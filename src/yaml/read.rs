//! Reads a text into the tree.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

use super::{Kind, Node, Style};
use crate::diagnostic::{Diagnostic, Place, Source};

/// Reads one document.
///
/// # Errors
/// One diagnostic for a syntax error, a duplicate key, a second document or a tag nobody knows:
/// the reader cannot go on behind it.
pub fn parse(source: &Source) -> Result<Node, Diagnostic> {
    let options = serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        reject_unsupported_tags: true,
    };
    let raw: Spanned<Raw> = serde_yaml::from_str_with_options(source.text(), options)
        .map_err(|error| syntax_error(source, &error))?;
    let tree = place_nodes(source, raw);
    match mapping_as_key(&tree) {
        None => Ok(tree),
        Some(key) => Err(Diagnostic::error("a key must be a text")
            .at(&key.place)
            .hint("a value that starts with braces needs quotes: \"{{ … }}\"")),
    }
}

/// `x: {{ port }}` is a mapping as the key of a mapping: the most common mistake of newcomers.
fn mapping_as_key(node: &Node) -> Option<&Node> {
    let keys = node.entries().iter().map(|(key, _)| key);
    if let Some(key) = keys.into_iter().find(|key| key.text().is_none()) {
        return Some(key);
    }
    let below = node.entries().iter().map(|(_, value)| value);
    below.chain(node.items()).find_map(mapping_as_key)
}

fn syntax_error(source: &Source, error: &serde_yaml::Error) -> Diagnostic {
    let text = error.without_snippet().to_string();
    // The location is in the place; the library repeats it in the text.
    let message = text
        .split(" at line ")
        .next()
        .unwrap_or(&text)
        .trim_start_matches("error: ")
        .replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    let mut diagnostic = Diagnostic::error(format!("not readable as YAML: {message}"));
    if let Some(location) = error.location() {
        let place = place_of(source, location);
        diagnostic = diagnostic.at(&place);
    }
    diagnostic
}

fn place_of(source: &Source, location: serde_yaml::Location) -> Place {
    Place {
        source: source.clone(),
        line: usize::try_from(location.line()).unwrap_or(1).max(1),
        column: usize::try_from(location.column()).unwrap_or(1).max(1),
        width: usize::try_from(location.span().len()).unwrap_or(1).max(1),
    }
}

/// What serde gives us, before scalars get their written text back.
enum Raw {
    Null,
    Text(String),
    /// A number or boolean: its text is taken from the file.
    Typed(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

fn place_nodes(source: &Source, raw: Spanned<Raw>) -> Node {
    let location = raw.referenced;
    let mut place = place_of(source, location);
    // Behind an alias the text stands where the anchor is.
    let written = written(source, raw.defined);
    let style = style_of(source, raw.defined);
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Text(text) => {
            let quoted = matches!(written.chars().next(), Some('"' | '\''));
            let plain = !quoted && style == Style::Flow;
            Kind::Scalar { text, plain }
        }
        Raw::Typed(value) => {
            let text = if written.trim().is_empty() {
                value
            } else {
                written.trim().to_owned()
            };
            Kind::Scalar { text, plain: true }
        }
        Raw::List(items) => Kind::List(
            items
                .into_iter()
                .map(|item| place_nodes(source, item))
                .collect(),
        ),
        Raw::Map(entries) => Kind::Map(
            entries
                .into_iter()
                .map(|(key, value)| (place_nodes(source, key), place_nodes(source, value)))
                .collect(),
        ),
    };
    if !matches!(kind, Kind::Scalar { .. }) || style == Style::Block {
        place.width = 1;
    }
    Node { kind, place, style }
}

/// A block scalar's span starts at its content, so the style shows in what stands before it.
fn style_of(source: &Source, location: serde_yaml::Location) -> Style {
    let start = location
        .span()
        .byte_offset()
        .and_then(|o| usize::try_from(o).ok());
    let before = start
        .and_then(|start| source.text().get(..start))
        .unwrap_or("");
    let header = before.trim_end().lines().next_back().unwrap_or("");
    let header = header.split(" #").next().unwrap_or(header).trim_end();
    let mut token = header.split([' ', '\t']).next_back().unwrap_or("").chars();
    let block = matches!(token.next(), Some('|' | '>'))
        && token.all(|c| matches!(c, '+' | '-' | '0'..='9'));
    if block { Style::Block } else { Style::Flow }
}

/// The text of the file that a location covers.
fn written(source: &Source, location: serde_yaml::Location) -> &str {
    let span = location.span();
    let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) else {
        return "";
    };
    let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
        return "";
    };
    source.text().get(start..start + length).unwrap_or("")
}
