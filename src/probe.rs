//! Read-only questions to a host and its answers.
//!
//! A probe names a shell function of `src/host/*.read.sh` and its arguments. The survey script is
//! made of those files alone, so a probe cannot change anything. The same probe, asked again right
//! before an action, is the precondition of that action: compare-and-swap compares [`Digest`]s. So
//! an answer must depend on the state of the host only, never on time, counters or process ids.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A read-only question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Probe {
    /// The shell function, `hf_…`; a question to this machine instead of the host begins with `here_`.
    pub function: String,
    /// Its arguments; each arrives as one word, whatever it holds.
    pub args: Vec<String>,
}

impl Probe {
    /// Asks `function` with `args`.
    pub fn new<A: Into<String>>(function: &str, args: impl IntoIterator<Item = A>) -> Self {
        debug_assert!(
            function.starts_with("hf_") || function.starts_with("here_"),
            "host functions carry our prefix"
        );
        Self {
            function: function.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg:?}"))
    }
}

/// What the host said: the function's exit status and its standard output (no NUL bytes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The exit status of the function.
    pub status: i32,
    /// Its standard output.
    #[serde(with = "lossless")]
    pub output: Vec<u8>,
}

impl Answer {
    /// The output as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.output)
    }

    /// The sha256 of `status`, a line break and the output, as the host computes it.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n", self.status));
        hash.update(&self.output);
        Digest(hex(&hash.finalize()))
    }
}

/// A sha256 in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)))
    }

    /// The 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The answers of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Probe, Answer>);

impl Answers {
    /// No answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps an answer.
    pub fn insert(&mut self, probe: Probe, answer: Answer) {
        self.0.insert(probe, answer);
    }

    /// All of them, by their questions.
    pub fn iter(&self) -> impl Iterator<Item = (&Probe, &Answer)> {
        self.0.iter()
    }

    /// Takes over newer answers.
    pub fn update(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }

    /// The answer to a probe that was asked.
    ///
    /// # Errors
    /// When it never was asked or the host gave no answer to it.
    pub fn get(&self, probe: &Probe) -> Result<&Answer, ParseError> {
        let answer = self.0.get(probe);
        answer.ok_or_else(|| ParseError::new(probe, "the host gave no answer"))
    }
}

impl FromIterator<(Probe, Answer)> for Answers {
    fn from_iter<I: IntoIterator<Item = (Probe, Answer)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// An answer that says nothing we can read. The step it belongs to is *could not tell*.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the host's answer to {probe}: {why}")]
pub struct ParseError {
    /// Which probe.
    pub probe: String,
    /// What is wrong with the answer.
    pub why: String,
}

impl ParseError {
    /// The answer to `probe` is unreadable because of `why`.
    pub fn new(probe: &Probe, why: impl Into<String>) -> Self {
        Self {
            probe: probe.to_string(),
            why: why.into(),
        }
    }
}

/// Bytes as a JSON string when they are UTF-8, else as a list of numbers.
pub(crate) mod lossless {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Bytes {
        Text(String),
        Raw(Vec<u8>),
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let value = match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.to_owned()),
            Err(_) => Bytes::Raw(bytes.to_vec()),
        };
        value.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        Ok(match Bytes::deserialize(deserializer)? {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Raw(bytes) => bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_what_sha256sum_says() {
        let answer = Answer {
            status: 0,
            output: b"x\n".to_vec(),
        };
        assert_eq!(answer.digest(), Digest::of(b"0\nx\n"));
        assert_eq!(
            Digest::of(b"").as_str(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
