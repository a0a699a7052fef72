//! Texts that were read, and places in them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that was read, with the name it is known by in messages. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(Arc<SourceText>);

#[derive(Debug, PartialEq, Eq)]
struct SourceText {
    path: PathBuf,
    text: String,
    finished: bool,
}

impl Source {
    /// Names `text` by the path it came from.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self(Arc::new(SourceText {
            path: path.into(),
            text: text.into(),
            finished: false,
        }))
    }

    /// The same for a text in which nothing is left to fill in: braces in it mean themselves.
    pub fn finished(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self(Arc::new(SourceText {
            path: path.into(),
            text: text.into(),
            finished: true,
        }))
    }

    /// Whether nothing is left to fill in.
    pub fn is_finished(&self) -> bool {
        self.0.finished
    }

    /// The path as shown in messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The line with the given 1-based number, without its line break.
    pub fn line(&self, number: usize) -> Option<&str> {
        self.0.text.lines().nth(number.checked_sub(1)?)
    }
}

/// Where something stands: 1-based line and column (in characters) of a [`Source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The text that holds it.
    pub source: Source,
    /// 1-based.
    pub line: usize,
    /// 1-based, counted in characters.
    pub column: usize,
    /// How many characters to underline, at least one.
    pub width: usize,
}

impl Place {
    /// The same line, `by` characters further right.
    #[must_use]
    pub fn shifted(&self, by: usize, width: usize) -> Self {
        Self {
            column: self.column + by,
            width: width.max(1),
            ..self.clone()
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.source.path().display();
        write!(f, "{path}:{}:{}", self.line, self.column)
    }
}
