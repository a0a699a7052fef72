//! The words of apt's configuration: names of files, keys and values that mean to apt what they say.

use std::fmt;
use std::str::FromStr;

/// Why a text is no such word; fits after "… is not valid:".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoWord(&'static str);

/// The name of a file that apt reads whatever its version: apt skips names with other characters, and
/// those with an ending that it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfName(String);

/// A key: parts of letters, digits and some signs, with `::` between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

/// A value that stands in double quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value(String);

impl ConfName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// As apt compares it: keys have no case.
    pub(super) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl Value {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ConfName {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.is_empty() || text.len() > 64 || !text.chars().all(good) || text.starts_with('-') {
            return Err(NoWord(
                "apt reads files whose names are letters, digits, `-` and `_`, and ignores others",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Key {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let part = |part: &str| !part.is_empty() && part.chars().all(good);
        if text.len() > 200 || !text.split("::").all(part) {
            return Err(NoWord(
                "a key is parts of letters, digits, `-`, `_`, `.` and `/` with `::` between them",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Value {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        if text.contains(char::is_control) {
            return Err(NoWord("a value is one line without tabs"));
        }
        if text.contains(['"', ';']) || has_braces(text) {
            return Err(NoWord(
                "a value has no double quotes, semicolons, or braces other than in ${variable}",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether there are braces beside those of `${name}`, which unattended-upgrade fills in.
fn has_braces(text: &str) -> bool {
    let mut rest = text;
    while let Some(start) = rest.find(['{', '}']) {
        let variable = rest[start..].strip_prefix('{').and_then(|inner| {
            let (name, after) = inner.split_once('}')?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (rest[..start].ends_with('$') && !name.is_empty() && name.chars().all(plain))
                .then_some(after)
        });
        match variable {
            Some(after) => rest = after,
            None => return true,
        }
    }
    false
}
