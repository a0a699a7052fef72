//! A message for the operator with the place it is about and a hint what to do.
//!
//! Everything that reads files (runbooks, inventory, templates, data) collects these instead of
//! stopping at the first, so that one look shows every mistake.

use std::fmt;

use serde::{Deserialize, Serialize};

mod place;

pub use place::{Place, Source};

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The input can be used, but probably does not mean what its author thinks.
    Warning,
    /// The input cannot be used.
    Error,
}

/// One message: what is wrong, where, and what to do about it.
///
/// Messages are sentences without a final full stop when a place follows; hints are imperative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, when it stands in a text.
    pub place: Option<Place>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            place: None,
            hint: None,
        }
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Adds the hint; an empty one says nothing and adds none.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.trim().is_empty() {
            self.hint = Some(hint);
        }
        self
    }

    /// Adds a "did you mean" hint when one of `known` is near `word`, otherwise lists them.
    #[must_use]
    pub fn nearest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(word, &known) {
            Some(found) => self.hint(format!("did you mean `{found}`?")),
            None if known.is_empty() => self,
            None => self.hint(format!("known here: {}", known.join(", "))),
        }
    }
}

/// The word of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), *candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().min(word.chars().count()) / 4
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

impl fmt::Display for Diagnostic {
    /// The message in the manner of compilers: severity, place, the line itself, a caret, the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}: {}", own_lines(&self.message))?;
        if let Some(place) = &self.place {
            write_snippet(f, place)?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", own_lines(hint))?;
        }
        Ok(())
    }
}

/// What begins a line that quotes what a program said.
const QUOTED: &str = "  | ";

/// Words of files, hosts and other people may stand in a message, and their line breaks would forge lines of ours:
/// they are shown as escapes. Only quoted lines stay lines.
fn own_lines(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut own = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        own.push_str(if line.starts_with(QUOTED) {
            "\n"
        } else {
            "\\n"
        });
        own.push_str(line);
    }
    own
}

/// Longest part of a source line that is shown; a minified line must not flood the terminal.
const SHOWN_LINE: usize = 160;

fn write_snippet(f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
    write!(f, "\n --> {}", own_lines(&place.to_string()))?;
    let Some(line) = place.source.line(place.line) else {
        return Ok(());
    };
    let number = place.line.to_string();
    let pad = " ".repeat(number.len());
    // Control characters of a hostile or broken file must not reach the terminal.
    let shown: String = line
        .chars()
        .take(SHOWN_LINE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let length = shown.chars().count();
    write!(f, "\n{pad} |\n{number} | {}", shown.trim_end())?;
    if place.column <= length + 1 {
        let before = " ".repeat(place.column - 1);
        let carets = "^".repeat(
            place
                .width
                .clamp(1, (length + 2).saturating_sub(place.column)),
        );
        write!(f, "\n{pad} | {before}{carets}")?;
    }
    Ok(())
}

/// Several messages, in the order they were found. As an error it prints them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Nothing to say yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        let errors = self.0.iter().filter(|d| d.severity == Severity::Error);
        errors.count()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// Takes the result when nothing is wrong; warnings stay in `self`.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok(value)
        }
    }

    /// Sorts by file, line and column, so that a long list reads like the files.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|d| {
            d.place
                .as_ref()
                .map(|p| (p.source.path().to_owned(), p.line, p.column))
        });
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "\n\n" };
            write!(f, "{between}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_place_line_caret_and_hint() {
        let source = Source::new("a.yaml", "name: x\nprot: tcp\n");
        let place = Place {
            source,
            line: 2,
            column: 1,
            width: 4,
        };
        let shown = Diagnostic::error("unknown key `prot`")
            .at(&place)
            .nearest("prot", ["ports", "proto"])
            .to_string();
        assert_eq!(
            shown,
            "error: unknown key `prot`\n --> a.yaml:2:1\n  |\n2 | prot: tcp\n  | ^^^^\n  hint: did you mean `proto`?"
        );
    }

    #[test]
    fn foreign_words_forge_no_line_of_ours() {
        let source = Source::new("a\nerror: path", "x\n");
        let place = Place {
            source,
            line: 1,
            column: 1,
            width: 1,
        };
        let shown = Diagnostic::error("made by 9\nerror: fake:\n  | quoted")
            .at(&place)
            .nearest("zebra", ["web\nerror: gone"])
            .to_string();
        assert_eq!(
            shown,
            "error: made by 9\\nerror: fake:\n  | quoted\n --> a\\nerror: path:1:1\n  |\n1 | x\n  | ^\n  hint: known here: web\\nerror: gone"
        );
    }

    #[test]
    fn a_far_word_lists_what_is_known() {
        let hint = Diagnostic::error("x").nearest("zebra", ["file", "package"]);
        assert_eq!(hint.hint.as_deref(), Some("known here: file, package"));
    }

    #[test]
    fn a_hint_that_says_nothing_is_none() {
        assert_eq!(Diagnostic::error("x").hint("").hint, None);
        assert_eq!(Diagnostic::error("x").nearest("y", []).hint, None);
    }
}
