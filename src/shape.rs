//! The shape of a mapping in a YAML file, as a table.
//!
//! One table serves the check of a file (every mistake at once, with the nearest known word), the
//! typed reading of it, and the generated reference. A shape says what *may* stand there; what a
//! text means after rendering is checked where it is rendered.

mod programs;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::Text;
use crate::value::Duration;
use crate::yaml::{Kind, Node};

pub use programs::Program;

/// A mapping with known keys.
#[derive(Debug)]
pub struct Shape {
    /// What it is called in messages, with its article: "a step".
    pub name: &'static str,
    /// The keys, in the order of the reference.
    pub fields: &'static [Field],
    /// The field that a value without a mapping stands for (`package: [ufw]`).
    pub shorthand: Option<&'static str>,
}

/// One key of a [`Shape`].
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What stands behind it.
    pub ty: Ty,
    /// Whether it must be there.
    pub required: bool,
    /// One sentence for the reference, in the imperative or as a noun phrase.
    pub help: &'static str,
}

/// What may stand behind a key. Every scalar may be a template.
#[derive(Debug, Clone, Copy)]
pub enum Ty {
    /// A text.
    Text,
    /// A text, or a list of texts.
    Texts,
    /// A program and its arguments, which may run as root: written as [`Ty::Texts`] is.
    Argv,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds, both included.
    Int(i64, i64),
    /// A time span such as `30s`, `10m`, `1h30m`.
    Duration,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything.
    Any,
    /// A mapping.
    One(&'static Shape),
    /// A list of mappings.
    Many(&'static Shape),
    /// A mapping from names of the author's choice to mappings.
    Named(&'static Shape),
    /// A mapping from names of the author's choice to anything.
    Values,
}

impl Field {
    /// A key that must be there.
    pub const fn required(name: &'static str, ty: Ty, help: &'static str) -> Self {
        Self {
            name,
            ty,
            required: true,
            help,
        }
    }

    /// A key that may be there.
    pub const fn optional(name: &'static str, ty: Ty, help: &'static str) -> Self {
        Self {
            name,
            ty,
            required: false,
            help,
        }
    }
}

impl Ty {
    /// The type in the words of the reference.
    pub fn describe(self) -> String {
        match self {
            Ty::Text => "text".to_owned(),
            Ty::Texts | Ty::Argv => "text or list of texts".to_owned(),
            Ty::Bool => "true or false".to_owned(),
            Ty::Int(min, max) => format!("number {min}–{max}"),
            Ty::Duration => "time span".to_owned(),
            Ty::Word(words) => words.join(" | "),
            Ty::Any => "anything".to_owned(),
            Ty::One(shape) => shape.name.to_owned(),
            Ty::Many(shape) => format!("list; each {}", shape.name),
            Ty::Named(shape) => format!("mapping of names; each {}", shape.name),
            Ty::Values => "mapping of names to values".to_owned(),
        }
    }

    fn check(self, what: &str, node: &Node, out: &mut Diagnostics) {
        match self {
            Ty::Any => {}
            Ty::Texts | Ty::Argv => check_texts(what, node, out),
            Ty::Text => {
                check_scalar(what, node, "a text", out, |_| true);
            }
            Ty::Bool => check_scalar(what, node, "true or false", out, |text| {
                text == "true" || text == "false"
            }),
            Ty::Int(min, max) => {
                let wanted = format!("a whole number from {min} to {max}");
                check_scalar(what, node, &wanted, out, |text| {
                    text.parse::<i64>().is_ok_and(|n| (min..=max).contains(&n))
                });
            }
            Ty::Duration => {
                check_scalar(
                    what,
                    node,
                    "a time span such as 30s, 10m or 1h",
                    out,
                    |text| text.parse::<Duration>().is_ok(),
                );
            }
            Ty::Word(words) => check_word(what, words, node, out),
            Ty::One(shape) => shape.check(node, out),
            Ty::Many(shape) => check_many(what, shape, node, out),
            Ty::Named(shape) => check_named(what, Some(shape), node, out),
            Ty::Values => check_named(what, None, node, out),
        }
    }
}

fn wrong(what: &str, wanted: &str, node: &Node) -> Diagnostic {
    let got = match &node.kind {
        Kind::Scalar { text, .. } if text.chars().count() <= 40 => format!("`{text}`"),
        Kind::Scalar { .. } | Kind::Null | Kind::List(_) | Kind::Map(_) => {
            node.kind_name().to_owned()
        }
    };
    Diagnostic::error(format!("`{what}` must be {wanted}, not {got}")).at(&node.place)
}

/// Whether the value is only known after rendering.
fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

fn check_scalar(
    what: &str,
    node: &Node,
    wanted: &str,
    out: &mut Diagnostics,
    accepts: impl Fn(&str) -> bool,
) {
    match node.text() {
        Some(text) if is_template(text) || accepts(text) => {}
        Some(_) | None => out.push(wrong(what, wanted, node)),
    }
}

fn check_word(what: &str, words: &[&str], node: &Node, out: &mut Diagnostics) {
    match node.text() {
        Some(text) if is_template(text) || words.contains(&text) => {}
        Some(text) => {
            let wanted = format!("one of {}", words.join(", "));
            let known = words.iter().copied();
            out.push(wrong(what, &wanted, node).nearest(text, known));
        }
        None => out.push(wrong(what, &format!("one of {}", words.join(", ")), node)),
    }
}

fn check_texts(what: &str, node: &Node, out: &mut Diagnostics) {
    match &node.kind {
        Kind::Scalar { .. } => {}
        Kind::List(items) => {
            for item in items.iter().filter(|item| item.text().is_none()) {
                out.push(wrong(what, "a list of texts", item));
            }
        }
        Kind::Null | Kind::Map(_) => out.push(wrong(what, "a text or a list of texts", node)),
    }
}

fn check_many(what: &str, shape: &Shape, node: &Node, out: &mut Diagnostics) {
    match &node.kind {
        Kind::List(items) => {
            for item in items {
                shape.check(item, out);
            }
        }
        Kind::Null | Kind::Scalar { .. } | Kind::Map(_) => out.push(wrong(what, "a list", node)),
    }
}

fn check_named(what: &str, shape: Option<&Shape>, node: &Node, out: &mut Diagnostics) {
    match (&node.kind, shape) {
        (Kind::Map(entries), Some(shape)) => {
            for (_, value) in entries {
                shape.check(value, out);
            }
        }
        (Kind::Map(_), None) => {}
        (Kind::Null | Kind::Scalar { .. } | Kind::List(_), _) => {
            out.push(wrong(what, "a mapping", node));
        }
    }
}

impl Shape {
    /// Says everything about `node` that does not fit: unknown keys, missing keys, wrong values.
    pub fn check(&self, node: &Node, out: &mut Diagnostics) {
        match (&node.kind, self.shorthand.and_then(|name| self.field(name))) {
            (Kind::Map(_), _) => self.check_fields(node, &[], out),
            (Kind::Null | Kind::Scalar { .. } | Kind::List(_), Some(field)) => {
                field.ty.check(field.name, node, out);
            }
            (Kind::Null | Kind::Scalar { .. } | Kind::List(_), None) => {
                let message = format!("{} must be a mapping, not {}", self.name, node.kind_name());
                out.push(Diagnostic::error(message).at(&node.place));
            }
        }
    }

    /// Like [`Shape::check`] for a mapping in which the keys of `more` may stand as well.
    pub fn check_fields(&self, node: &Node, more: &[Field], out: &mut Diagnostics) {
        let known = || self.fields.iter().chain(more);
        for (key, value) in node.entries() {
            let name = key.text().unwrap_or_default();
            if let Some(field) = known().find(|field| field.name == name) {
                field.ty.check(name, value, out);
            } else {
                let message = format!("unknown key `{name}` in {}", self.name);
                let names = known().map(|field| field.name);
                out.push(
                    Diagnostic::error(message)
                        .at(&key.place)
                        .nearest(name, names),
                );
            }
        }
        for field in known().filter(|field| field.required && node.get(field.name).is_none()) {
            let message = format!("`{}` is missing in {}", field.name, self.name);
            out.push(Diagnostic::error(message).at(&node.place).hint(field.help));
        }
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The value of a field, whether written in a mapping or as the shorthand.
    pub fn get<'a>(&self, node: &'a Node, name: &str) -> Option<&'a Node> {
        debug_assert!(
            self.field(name).is_some(),
            "{name} is no field of {}",
            self.name
        );
        match (&node.kind, self.shorthand) {
            (Kind::Map(_), _) => node.get(name),
            (Kind::Null | Kind::Scalar { .. } | Kind::List(_), Some(short)) if short == name => {
                Some(node)
            }
            (Kind::Null | Kind::Scalar { .. } | Kind::List(_), _) => None,
        }
    }

    /// The text of a field, a template still.
    pub fn text(&self, node: &Node, name: &str) -> Option<Text> {
        self.get(node, name).and_then(Text::from_node)
    }

    /// The texts of a field: one, or each of a list. `None` when the key is not there.
    pub fn texts(&self, node: &Node, name: &str) -> Option<Vec<Text>> {
        let value = self.get(node, name)?;
        Some(match &value.kind {
            Kind::List(items) => items.iter().filter_map(Text::from_node).collect(),
            Kind::Null | Kind::Scalar { .. } | Kind::Map(_) => {
                Text::from_node(value).into_iter().collect()
            }
        })
    }

    /// The word or plain value of a field that may not be a template.
    pub fn parse<T: std::str::FromStr>(&self, node: &Node, name: &str) -> Option<T> {
        self.get(node, name)?.text()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;

    const INNER: Shape = Shape {
        name: "a thing",
        fields: &[
            Field::required("names", Ty::Texts, "Names."),
            Field::optional("size", Ty::Int(1, 9), "How big."),
        ],
        shorthand: Some("names"),
    };
    const OUTER: Shape = Shape {
        name: "a box",
        fields: &[
            Field::required("thing", Ty::One(&INNER), "The thing inside."),
            Field::optional("mood", Ty::Word(&["good", "bad"]), "Mood."),
            Field::optional("wait", Ty::Duration, "Time."),
        ],
        shorthand: None,
    };

    fn mistakes(text: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t", text)).unwrap();
        let mut out = Diagnostics::new();
        OUTER.check(&node, &mut out);
        out.iter().map(|d| d.message.clone()).collect()
    }

    #[test]
    fn all_mistakes_are_said_at_once() {
        let said = mistakes("thng: 1\nmood: god\nwait: soon\n");
        assert_eq!(said.len(), 4, "{said:?}");
        assert_eq!(said[0], "unknown key `thng` in a box");
        assert_eq!(said[3], "`thing` is missing in a box");
    }

    #[test]
    fn a_shorthand_stands_for_its_field() {
        assert!(mistakes("thing: [a, b]").is_empty());
        assert_eq!(mistakes("thing: {names: a, size: 12}").len(), 1);
        assert!(mistakes("thing: {names: a, size: '{{ n }}'}").is_empty());
    }
}
