//! Reads what stands below the key of a kind.

use std::fmt::Display;
use std::str::FromStr;

use super::Resource;
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::shape::Shape;
use crate::template::{Scope, Text};
use crate::yaml::Node;

/// Reads what stands below a kind's key for one host, and keeps every mistake on the way.
pub(crate) struct Fields<'a> {
    pub(super) shape: &'static Shape,
    pub(super) node: &'a Node,
    pub(super) scope: &'a Scope,
    pub(super) said: Diagnostics,
}

impl<'a> Fields<'a> {
    /// The fields of `node`, filled in with the values of `scope`.
    pub(crate) fn new(shape: &'static Shape, node: &'a Node, scope: &'a Scope) -> Self {
        Self {
            shape,
            node,
            scope,
            said: Diagnostics::new(),
        }
    }

    /// A text; `None` when the key is not there or cannot be rendered.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let text = self.shape.text(self.node, key)?;
        let rendered = self.scope.text(&text);
        self.keep(rendered)
    }

    /// A checked value.
    pub(crate) fn value<T>(&mut self, key: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.shape.text(self.node, key)?;
        let parsed = self.scope.parse(&text);
        self.keep(parsed)
    }

    /// `true` or `false`; a key that is not there means false.
    pub(crate) fn flag(&mut self, key: &str) -> bool {
        self.value(key).unwrap_or(false)
    }

    /// The items of a list, rendered; `None` when the key is not there.
    pub(crate) fn items(&mut self, key: &str) -> Option<Vec<Text>> {
        let texts = self.shape.texts(self.node, key)?;
        let rendered = self.scope.list(&texts);
        self.keep(rendered)
    }

    /// The text of `content`, or what the file of `template` makes. `key` gets the blame for its size.
    pub(crate) fn content(&mut self, key: &str) -> Option<String> {
        // Steps that were filled in name their template, too.
        let text = match (self.text("content"), self.shape.text(self.node, "template")) {
            (Some(content), _) => content,
            (None, template) => {
                let template = template?;
                let name = self.text("template")?;
                let rendered = self.scope.file(name.trim(), &template);
                self.keep(rendered)?
            }
        };
        if text.len() > LARGEST {
            let error = Diagnostic::error(format!(
                "the content has {} bytes, more than 1 MiB",
                text.len()
            ));
            self.wrong(key, error.hint("bring such a file by a package"));
        }
        Some(text)
    }

    /// What a result holds; a mistake is kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|diagnostic| self.said.push(diagnostic)).ok()
    }

    /// Where the value of a key stands, or the whole mapping.
    pub(crate) fn place(&self, key: &str) -> &Place {
        &self.shape.get(self.node, key).unwrap_or(self.node).place
    }

    /// Keeps a mistake about a key.
    pub(crate) fn wrong(&mut self, key: &str, diagnostic: Diagnostic) {
        let diagnostic = diagnostic.at(self.place(key));
        self.said.push(diagnostic);
    }

    /// The resource, when nothing was wrong and nothing is missing.
    pub(crate) fn finish(
        self,
        made: Option<impl Resource + 'static>,
    ) -> Result<Box<dyn Resource>, Diagnostics> {
        let place = &self.node.place;
        match made {
            Some(resource) => self.said.into_result(Box::new(resource)),
            None if self.said.has_errors() => Err(self.said),
            None => Err(
                Diagnostic::error(format!("{} is not complete", self.shape.name))
                    .at(place)
                    .into(),
            ),
        }
    }
}

/// The largest content that a step carries, and the largest that a host tells.
pub(super) const LARGEST: usize = 1024 * 1024;

/// Says when both `content` and `template` are there.
pub(crate) fn check_one_content(shape: &'static Shape, node: &Node, out: &mut Diagnostics) {
    if let (Some(_), Some(template)) = (shape.get(node, "content"), shape.get(node, "template")) {
        let error = Diagnostic::error("`content` and `template` exclude each other");
        out.push(error.at(&template.place));
    }
}

/// A step gives no content and does not ask for the absence either.
pub(crate) fn says_nothing(what: &str, hint: &str) -> Diagnostic {
    Diagnostic::error(format!("the step says nothing about the {what}"))
        .hint(format!("add `content`, `template` or `absent: true`{hint}"))
}

/// Says when a step neither gives a content nor asks for its absence, or does both. `what` it is about, in the
/// plural; `hint` says more about what to add.
pub(crate) fn check_content_or_absence(
    shape: &'static Shape,
    node: &Node,
    what: &str,
    hint: &str,
    out: &mut Diagnostics,
) {
    check_one_content(shape, node, out);
    let says = ["content", "template"]
        .iter()
        .any(|key| shape.get(node, key).is_some());
    let absent = shape.text(node, "absent").map(|text| text.text);
    let error = match absent.as_deref() {
        Some("true") if says => {
            Diagnostic::error(format!("{what} that must be absent have no content"))
        }
        None | Some("false") if !says => says_nothing(what, hint),
        _ => return,
    };
    out.push(error.at(&node.place));
}

/// Says when a value that needs no rendering is none of its type.
pub(crate) fn check_constant<T>(
    shape: &'static Shape,
    node: &Node,
    key: &str,
    out: &mut Diagnostics,
) where
    T: FromStr,
    T::Err: Display,
{
    for text in shape
        .texts(node, key)
        .unwrap_or_default()
        .iter()
        .filter(|text| text.is_constant())
    {
        if let Err(error) = text.text.trim().parse::<T>() {
            let message = format!("`{}` is not valid: {error}", text.text.trim());
            out.push(Diagnostic::error(message).at(&text.place));
        }
    }
}
