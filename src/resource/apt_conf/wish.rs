//! What a step wants of apt's configuration, and the text that says so to apt.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

use super::word::{Key, NoWord, Value};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::Fields;
use crate::template::Text;
use crate::yaml::{Kind, Node};

/// One thing that should be so in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) key: Key,
    pub(super) sort: Sort,
    /// The value, or the members in order.
    pub(super) values: Vec<Value>,
}

/// How a key is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// It has this one value.
    Setting,
    /// It has these members and no others.
    List,
    /// It has these members among others.
    Additions,
}

const SECTIONS: [(&str, Sort); 3] = [
    ("settings", Sort::Setting),
    ("lists", Sort::List),
    ("additions", Sort::Additions),
];

impl Wish {
    /// The key as a word of `hf_apt_conf`.
    pub(super) fn word(&self) -> String {
        match self.sort {
            Sort::Setting | Sort::List => self.key.to_string(),
            Sort::Additions => format!("+{}", self.key),
        }
    }
}

/// Says what is wrong with keys and constant values.
pub(super) fn check(node: &Node, out: &mut Diagnostics) {
    let mut keys = BTreeSet::new();
    for (section, sort) in SECTIONS {
        for (key, value) in node.get(section).map(Node::entries).unwrap_or_default() {
            match Text::from_node(key).map(|text| word::<Key>(&text)) {
                Some(Ok(word)) if !keys.insert(word.folded()) => {
                    let message = format!("the key `{word}` stands here twice");
                    out.push(Diagnostic::error(message).at(&key.place));
                }
                Some(Err(diagnostic)) => out.push(diagnostic),
                Some(Ok(_)) | None => {}
            }
            check_values(value, sort, out);
        }
    }
}

fn check_values(node: &Node, sort: Sort, out: &mut Diagnostics) {
    let wanted = match (&node.kind, sort) {
        (Kind::Scalar { .. }, _) => None,
        (Kind::List(_) | Kind::Map(_) | Kind::Null, Sort::Setting) => Some("a text"),
        (Kind::List(items), Sort::List | Sort::Additions) => items
            .iter()
            .any(|item| item.text().is_none())
            .then_some("a list of texts"),
        (Kind::Map(_) | Kind::Null, Sort::List | Sort::Additions) => Some("a list of texts"),
    };
    if let Some(wanted) = wanted {
        let message = format!("the value must be {wanted}, not {}", node.kind_name());
        out.push(Diagnostic::error(message).at(&node.place));
    }
    for text in texts(node).iter().filter(|text| text.is_constant()) {
        if let Err(diagnostic) = word::<Value>(text) {
            out.push(diagnostic);
        }
    }
}

/// A word, or the mistake at its place.
fn word<T: FromStr<Err = NoWord>>(text: &Text) -> Result<T, Diagnostic> {
    text.text.parse().map_err(|error| {
        let shown = text.text.escape_debug();
        Diagnostic::error(format!("`{shown}` is not valid: {error}")).at(&text.place)
    })
}

fn texts(node: &Node) -> Vec<Text> {
    let one = Text::from_node(node);
    let items = node.items().iter().filter_map(Text::from_node);
    one.into_iter().chain(items).collect()
}

/// All wishes, rendered; mistakes are kept.
pub(super) fn read(fields: &mut Fields<'_>) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (section, sort) in SECTIONS {
        let entries = fields.node.get(section).map(Node::entries);
        for (key, value) in entries.unwrap_or_default() {
            let key = Text::from_node(key).and_then(|text| fields.keep(word::<Key>(&text)));
            let rendered = match sort {
                Sort::Setting => setting(fields, value),
                Sort::List | Sort::Additions => {
                    let items = fields.scope.list(&texts(value));
                    fields.keep(items)
                }
            };
            let values: Vec<Value> = rendered
                .unwrap_or_default()
                .iter()
                .filter_map(|text| fields.keep(word(text)))
                .collect();
            // Nothing to add is nothing at all.
            let nothing = sort == Sort::Additions && values.is_empty();
            wishes.extend(
                key.filter(|_| !nothing)
                    .map(|key| Wish { key, sort, values }),
            );
        }
    }
    wishes
}

fn setting(fields: &mut Fields<'_>, node: &Node) -> Option<Vec<Text>> {
    let text = Text::from_node(node)?;
    let rendered = fields.scope.text(&text);
    let rendered = fields.keep(rendered)?;
    Some(vec![Text {
        text: rendered,
        ..text
    }])
}

/// The text of our file.
pub(super) fn text(wishes: &[Wish], runbook: &str) -> String {
    let mut text = format!(
        "// Written by Holdfast for the runbook {runbook}, which replaces any other text.\n"
    );
    // Writing to a text never fails.
    for wish in wishes.iter().filter(|wish| wish.sort == Sort::List) {
        let _ = writeln!(text, "#clear {};", wish.key);
    }
    for wish in wishes {
        let member = match wish.sort {
            Sort::Setting => "",
            Sort::List | Sort::Additions => "::",
        };
        for value in &wish.values {
            let _ = writeln!(text, "{}{member} \"{}\";", wish.key, value.as_str());
        }
    }
    text
}
