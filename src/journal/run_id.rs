//! The name of a run: short text that sorts by time, safe as the name of a folder.

use std::fmt;
use std::str::FromStr;

/// The name of a run, made by the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no [`RunId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no run id: 1 to 64 of a-z, 0-9 and `-`, not `-` first")]
pub struct RunIdError(String);

impl FromStr for RunId {
    type Err = RunIdError;

    /// Takes nothing that could leave the folder of runs or look like an option.
    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (1..=64).contains(&text.len()) && !text.starts_with('-');
        if fits && text.bytes().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RunIdError(text.escape_debug().to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_cannot_leave_its_folder() {
        for text in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "-rf",
            "A",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
        let id: RunId = "019a7b3e-5c1d-7".parse().unwrap();
        assert_eq!(id.to_string(), "019a7b3e-5c1d-7");
    }
}
