//! A text of a file that may be a template, and the places in it.

use std::ops::Range;

use crate::diagnostic::{Place, Source};
use crate::yaml::{Node, Style};

/// A text of a file, perhaps with `{{ }}` in it, and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    /// As written, quotes resolved.
    pub text: String,
    /// Where it starts.
    pub place: Place,
    /// How it is written, which decides where its lines are.
    pub style: Style,
}

impl Text {
    /// The text of a scalar node.
    pub fn from_node(node: &Node) -> Option<Self> {
        node.text().map(|text| Self {
            text: text.to_owned(),
            place: node.place.clone(),
            style: node.style,
        })
    }

    /// A text of our own, for defaults.
    pub fn fixed(text: &str) -> Self {
        let source = Source::new("default", text);
        Self {
            text: text.to_owned(),
            place: Place {
                source,
                line: 1,
                column: 1,
                width: 1,
            },
            style: Style::Flow,
        }
    }

    /// The whole text of a file.
    pub fn of_file(source: &Source) -> Self {
        Self {
            text: source.text().to_owned(),
            place: Place {
                source: source.clone(),
                line: 1,
                column: 1,
                width: 1,
            },
            style: Style::Block,
        }
    }

    /// Whether nothing is left to render.
    pub fn is_constant(&self) -> bool {
        let has_templates = self.text.contains("{{") || self.text.contains("{%");
        !has_templates || self.place.source.is_finished()
    }

    /// The expression, when the whole text is one `{{ expression }}`.
    pub(super) fn single_expression(&self) -> Option<&str> {
        if self.is_constant() {
            return None;
        }
        let inner = self.text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        let one = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%");
        one.then_some(inner)
    }

    /// The place in the file of a byte range of the text.
    pub(super) fn place_within(&self, range: Option<Range<usize>>) -> Place {
        let Some(range) = range.filter(|range| self.text.get(range.clone()).is_some()) else {
            return self.place.clone();
        };
        let before = &self.text[..range.start];
        let width = self.text[range]
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .count();
        let column = before.rsplit('\n').next().unwrap_or("").chars().count();
        match self.style {
            Style::Block => {
                let line = self.place.line + before.matches('\n').count();
                let shown = self.place.source.line(line).unwrap_or("");
                let own = self
                    .text
                    .lines()
                    .nth(before.matches('\n').count())
                    .unwrap_or("");
                let indent = shown.chars().count().saturating_sub(own.chars().count());
                Place {
                    line,
                    column: 1 + indent + column,
                    width: width.max(1),
                    source: self.place.source.clone(),
                }
            }
            Style::Flow => {
                let quote = self
                    .place
                    .source
                    .line(self.place.line)
                    .and_then(|line| line.chars().nth(self.place.column - 1));
                let shift = usize::from(matches!(quote, Some('"' | '\'')));
                self.place.shifted(column + shift, width)
            }
        }
    }
}
