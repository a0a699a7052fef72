//! Keys and values of the kernel, and names of files that hold them.

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Why a text is none of these; fits after "… is not valid:".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoWord(&'static str);

/// The name of a file below /etc/sysctl.d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName(String);

/// A key, kept as its path below /proc/sys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

/// A value on one line, with single blanks in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value(String);

impl FileName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// Its path below /proc/sys.
    pub(super) fn path(&self) -> &str {
        &self.0
    }
}

impl Value {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// With dots, as people write it; with slashes when a name in it has a dot.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains('.') {
            f.write_str(&self.0)
        } else {
            f.write_str(&self.0.replace('/', "."))
        }
    }
}

impl FromStr for FileName {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let stem = text.strip_suffix(".conf").unwrap_or("");
        if stem.is_empty()
            || text.len() > 64
            || text.starts_with(['.', '-'])
            || !text.chars().all(good)
        {
            return Err(NoWord(
                "only names of letters, digits, `-`, `_` and `.` that end in `.conf` are read",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The first of `.` and `/` parts the key; the other one belongs to a name (sysctl.d(5)).
impl FromStr for Key {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let dots = text
            .find(['.', '/'])
            .is_some_and(|at| text[at..].starts_with('.'));
        let path: String = text
            .chars()
            .map(|c| match c {
                '.' if dots => '/',
                '/' if dots => '.',
                c => c,
            })
            .collect();
        let good = |c: char| c.is_ascii_alphanumeric() || "_-.:@".contains(c);
        let name =
            |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(good);
        if !path.contains('/')
            || text.len() > 200
            || text.starts_with('-')
            || !path.split('/').all(name)
        {
            return Err(NoWord(
                "a key is names with `.` or `/` between them, such as kernel.sysrq",
            ));
        }
        Ok(Self(path))
    }
}

impl FromStr for Value {
    type Err = NoWord;
    fn from_str(text: &str) -> Result<Self, NoWord> {
        let words: Vec<&str> = text
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        let value = words.join(" ");
        if value.is_empty() || value.contains(char::is_control) || value.len() > 1000 {
            return Err(NoWord("a value is one line and not empty"));
        }
        Ok(Self(value))
    }
}

/// A word of a file, or the mistake at its place.
pub(super) fn word<T: FromStr<Err = NoWord>>(node: &Node) -> Result<T, Diagnostic> {
    let text = node.text().unwrap_or_default();
    text.parse().map_err(|error| {
        let shown = text.escape_debug();
        Diagnostic::error(format!("`{shown}` is not valid: {error}")).at(&node.place)
    })
}
