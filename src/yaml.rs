//! YAML (and JSON, its subset) as a tree in which every node knows where it stands.
//!
//! Serde's derived types stop at the first mistake; we want all of them at once, so files are read
//! into this tree and checked against a [`Shape`](crate::shape::Shape). Scalars keep their text:
//! `0644`, `1.10` and `no` arrive as written, never as a number or a boolean by surprise.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

use crate::diagnostic::{Diagnostic, Place, Source};

/// One node and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub place: Place,
    /// How a scalar is written; decides how template errors map back to lines.
    pub style: Style,
}

/// What a [`Node`] is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar, as written (quotes and escapes resolved). `plain` when unquoted.
    Scalar {
        /// The text.
        text: String,
        /// Unquoted: may be meant as a number or a boolean.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping in the order of the file. Keys are unique.
    Map(Vec<(Node, Node)>),
}

/// How a scalar is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// On the line where it starts: plain or quoted.
    Flow,
    /// `|` or `>`: the text starts on the next line.
    Block,
}

impl Node {
    /// What the node is, in the words of messages.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The value below `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.text() == Some(key))
                .map(|(_, v)| v),
            Kind::Null | Kind::Scalar { .. } | Kind::List(_) => None,
        }
    }

    /// The entries of a mapping; empty for everything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Scalar { .. } | Kind::List(_) => &[],
        }
    }

    /// The items of a list; empty for everything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null | Kind::Scalar { .. } | Kind::Map(_) => &[],
        }
    }

    /// The node as an untyped value: plain scalars become numbers and booleans by the JSON rules
    /// (`true`, `false`, `null`, integers without leading zeros, decimal fractions).
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Scalar { text, plain: false } => Value::String(text.clone()),
            Kind::Scalar { text, plain: true } => plain_value(text),
            Kind::List(items) => items.iter().map(Node::to_value).collect(),
            Kind::Map(entries) => entries
                .iter()
                .map(|(k, v)| (k.text().unwrap_or_default().to_owned(), v.to_value()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Reads an unquoted scalar by the JSON rules; whatever is no JSON scalar stays text.
fn plain_value(text: &str) -> serde_json::Value {
    let json = serde_json::from_str::<serde_json::Value>(text);
    json.unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        parse(&Source::new("t.yaml", text)).unwrap()
    }

    #[test]
    fn scalars_keep_their_written_text() {
        let tree = node("mode: 0644\nversion: 1.10\nanswer: no\nbig: 1_000\nport: \"22\"\n");
        let texts: Vec<_> = tree
            .entries()
            .iter()
            .map(|(_, v)| v.text().unwrap())
            .collect();
        assert_eq!(texts, ["0644", "1.10", "no", "1_000", "22"]);
    }

    #[test]
    fn places_point_at_keys_and_values() {
        let tree = node("a: 1\nb:\n  - x\n  - {c: y}\n");
        let list = tree.get("b").unwrap().items();
        assert_eq!(list[0].place.to_string(), "t.yaml:3:5");
        assert_eq!(list[1].get("c").unwrap().place.to_string(), "t.yaml:4:9");
    }

    #[test]
    fn an_alias_has_the_text_of_its_anchor_and_its_own_place() {
        let tree = node("a: &x { port: 22 }\nb: *x\n");
        let port = tree.get("b").unwrap().get("port").unwrap();
        assert_eq!(port.text(), Some("22"));
        assert_eq!(port.place.line, 2);
    }

    #[test]
    fn block_scalars_are_known_as_such() {
        let tree = node("a: |\n  one\n  two\nb: \"x\"\n");
        let block = tree.get("a").unwrap();
        assert_eq!((block.place.line, block.place.column), (2, 3));
        assert_eq!(block.style, Style::Block);
        assert_eq!(block.text(), Some("one\ntwo\n"));
    }

    #[test]
    fn duplicate_keys_and_bare_braces_are_pointed_at() {
        let twice = parse(&Source::new("t.yaml", "a: 1\na: 2\n")).unwrap_err();
        assert_eq!(twice.place.unwrap().line, 2);
        let braces = parse(&Source::new("t.yaml", "a:\n  port: {{ port }}\n")).unwrap_err();
        assert!(braces.hint.unwrap().contains("needs quotes"));
    }

    #[test]
    fn untyped_values_follow_the_json_rules() {
        let value = node("a: 1\nb: true\nc: 0644\nd: \"1\"\ne: ~\n").to_value();
        assert_eq!(
            value.to_string(),
            r#"{"a":1,"b":true,"c":"0644","d":"1","e":null}"#
        );
    }
}
