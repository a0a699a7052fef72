//! Owners of files: names that the host knows, or numbers.

use std::fmt;
use std::str::FromStr;

use super::File;
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;

/// A user or group, by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// A name, looked up on the host.
    Name(String),
    /// A number, whether the host has a name for it or not.
    Number(u32),
}

/// Why a text is no [`Account`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an owner is a number, or a name of letters, digits, `_`, `-` and `.` that starts with a letter or `_`"
)]
pub(super) struct NoAccount;

impl FromStr for Account {
    type Err = NoAccount;
    fn from_str(text: &str) -> Result<Self, NoAccount> {
        if let Ok(number) = text.parse::<u32>() {
            return Ok(Self::Number(number));
        }
        // Packages bring names that `useradd` would refuse, such as Debian-exim.
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if starts && rest && text.len() <= 32 {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(NoAccount)
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Name(name) => f.write_str(name),
            Account::Number(number) => write!(f, "{number}"),
        }
    }
}

impl Account {
    /// What must be asked about it; a number needs no asking.
    pub(super) fn probe(&self, what: &str) -> Option<Probe> {
        match self {
            Account::Name(name) => Some(Probe::new("hf_account", [what, name])),
            Account::Number(_) => None,
        }
    }

    /// Its number; `None` when the host does not know the name.
    fn number(&self, what: &str, seen: &Answers) -> Result<Option<u32>, ParseError> {
        let probe = match self {
            Account::Number(number) => return Ok(Some(*number)),
            Account::Name(name) => Probe::new("hf_account", [what, name]),
        };
        if seen.get(&probe)?.status != 0 {
            return Ok(None);
        }
        Lines::of(seen, &probe)?.need("id").map(Some)
    }
}

/// The numbers of the wanted owner and group; `None` where nothing is wanted or the name is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
}

impl Ids {
    pub(super) fn of(file: &File, seen: &Answers) -> Result<Self, ParseError> {
        let number = |account: &Option<Account>, what| match account {
            Some(account) => account.number(what, seen),
            None => Ok(None),
        };
        Ok(Self {
            owner: number(&file.owner, "user")?,
            group: number(&file.group, "group")?,
        })
    }
}
