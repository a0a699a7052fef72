//! How a run ended, in one word: the same in lists, in filters and in JSON.

use std::fmt;
use std::str::FromStr;

use super::{Brief, Integrity};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Exit code 0.
    Done,
    /// Exit code 2: changes were due.
    Due,
    /// Exit code 1: something it was made of was wrong.
    Refused,
    /// Exit code 3.
    Failed,
    /// Exit code 4.
    Unreachable,
    /// Exit code 5: not so in effect.
    NotSo,
    /// Exit code 6.
    Reverted,
    /// Exit code 7.
    Locked,
    /// Exit code 8.
    Stale,
    /// Exit code 9: a person had to decide.
    Undecided,
    /// Exit code 10.
    Unknown,
    /// Exit code 130.
    Interrupted,
    /// It did not come to its end, or its end was cut off.
    Unfinished,
    /// It is under way.
    Alive,
    /// Its record is not as it was written.
    Tampered,
}

/// All of them with their words.
const WORDS: [(Ending, &str); 15] = [
    (Ending::Done, "done"),
    (Ending::Due, "due"),
    (Ending::Refused, "refused"),
    (Ending::Failed, "failed"),
    (Ending::Unreachable, "unreachable"),
    (Ending::NotSo, "not-so"),
    (Ending::Reverted, "reverted"),
    (Ending::Locked, "locked"),
    (Ending::Stale, "stale"),
    (Ending::Undecided, "undecided"),
    (Ending::Unknown, "unknown"),
    (Ending::Interrupted, "interrupted"),
    (Ending::Unfinished, "unfinished"),
    (Ending::Alive, "under-way"),
    (Ending::Tampered, "tampered"),
];

impl Ending {
    /// How this run ended.
    pub fn of(brief: &Brief) -> Self {
        if let Integrity::Broken { .. } = brief.integrity {
            return Ending::Tampered;
        }
        match brief.ended.map(|ended| ended.exit) {
            None if brief.alive => Ending::Alive,
            None => Ending::Unfinished,
            Some(exit) => Self::of_exit(exit),
        }
    }

    /// What an exit code means; those of newer versions are failures to us.
    pub fn of_exit(exit: u8) -> Self {
        match exit {
            0 => Ending::Done,
            1 => Ending::Refused,
            2 => Ending::Due,
            4 => Ending::Unreachable,
            5 => Ending::NotSo,
            6 => Ending::Reverted,
            7 => Ending::Locked,
            8 => Ending::Stale,
            9 => Ending::Undecided,
            10 => Ending::Unknown,
            130 => Ending::Interrupted,
            _ => Ending::Failed,
        }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        let found = WORDS.iter().find(|(ending, _)| *ending == self);
        found.map_or("failed", |(_, word)| word)
    }

    /// Every word.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(_, word)| *word)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no [`Ending`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run ends as one of {}", Ending::words().collect::<Vec<_>>().join(", "))]
pub struct NoEnding;

impl FromStr for Ending {
    type Err = NoEnding;

    fn from_str(text: &str) -> Result<Self, NoEnding> {
        let found = WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(ending, _)| *ending).ok_or(NoEnding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_one_ending() {
        for (ending, word) in WORDS {
            assert_eq!(word.parse(), Ok(ending));
            assert_eq!(ending.to_string(), word);
        }
        assert!("fine".parse::<Ending>().is_err());
        assert_eq!(Ending::of_exit(77), Ending::Failed);
    }
}
