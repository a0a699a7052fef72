//! `supports: [debian >= 11, ubuntu >= 20.04]`: which systems a runbook is made for.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::facts::Os;

/// One supported system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supported {
    /// The `ID` of `/etc/os-release`.
    id: String,
    /// The lowest version, when one is named.
    at_least: Option<String>,
}

/// How well a system fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is named.
    Yes,
    /// It descends from a named one; nobody tried it.
    Derived,
    /// It is not named.
    No,
}

impl FromStr for Supported {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` must be a system such as `debian >= 11`");
        let (id, version) = match text.split_once(">=") {
            Some((id, version)) => (id.trim(), Some(version.trim())),
            None => (text.trim(), None),
        };
        let word = !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let number = |v: &str| !v.is_empty() && v.chars().all(|c| c.is_ascii_digit() || c == '.');
        if !word || version.is_some_and(|v| !number(v)) {
            return Err(bad());
        }
        Ok(Self {
            id: id.to_owned(),
            at_least: version.map(str::to_owned),
        })
    }
}

impl fmt::Display for Supported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at_least {
            Some(version) => write!(f, "{} >= {version}", self.id),
            None => f.write_str(&self.id),
        }
    }
}

impl Supported {
    /// How well `os` fits the list; an empty list fits everything.
    pub fn fit(list: &[Self], os: &Os) -> Fit {
        let new_enough = |one: &Self| match &one.at_least {
            // Rolling releases have no version and are newer than any.
            Some(version) => {
                os.version.is_empty() || compare(&os.version, version) != Ordering::Less
            }
            None => true,
        };
        if list.is_empty() || list.iter().any(|one| one.id == os.id && new_enough(one)) {
            return Fit::Yes;
        }
        let named = list.iter().any(|one| one.id == os.id);
        let derived = list.iter().any(|one| os.like.contains(&one.id));
        if derived && !named {
            Fit::Derived
        } else {
            Fit::No
        }
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    let numbers =
        |text: &str| -> Vec<u64> { text.split('.').map(|n| n.parse().unwrap_or(0)).collect() };
    numbers(a).cmp(&numbers(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str, like: &str) -> Os {
        Os {
            id: id.into(),
            version: version.into(),
            codename: String::new(),
            like: like.split_whitespace().map(str::to_owned).collect(),
            name: String::new(),
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let list = [
            "debian >= 11".parse().unwrap(),
            "ubuntu >= 20.04".parse().unwrap(),
        ];
        assert_eq!(Supported::fit(&list, &os("debian", "9", "")), Fit::No);
        assert_eq!(Supported::fit(&list, &os("debian", "13", "")), Fit::Yes);
        assert_eq!(Supported::fit(&list, &os("debian", "", "")), Fit::Yes);
        assert_eq!(
            Supported::fit(&list, &os("ubuntu", "18.04", "debian")),
            Fit::No
        );
        assert_eq!(
            Supported::fit(&list, &os("raspbian", "12", "debian")),
            Fit::Derived
        );
        assert_eq!(Supported::fit(&list, &os("alpine", "3.20", "")), Fit::No);
    }
}
