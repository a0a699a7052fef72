//! YAML (and JSON, its subset) as a tree in which every node knows where it stands.
//!
//! Serde's derived types stop at the first mistake; we want all of them at once, so files are read
//! into this tree and checked against a [`Shape`](crate::shape::Shape). Scalars keep their text:
//! `0644`, `1.10` and `no` arrive as written, never as a number or a boolean by surprise.

use crate::diagnostic::Place;

mod read;

pub use read::parse;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

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
