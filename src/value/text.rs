//! Names and paths: texts that a grammar has checked.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ValueError;
            fn from_str(text: &str) -> Result<Self, ValueError> {
                $check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ValueError;
            fn try_from(text: String) -> Result<Self, ValueError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_value!(
    /// The name of a host in the inventory: RFC 1123 labels joined by dots.
    HostName,
    check_host_name
);
text_value!(
    /// What `ssh` connects to: a host name, an alias of the user's ssh configuration or an address.
    Address,
    check_address
);
text_value!(
    /// A Unix user name, as `useradd` accepts it.
    UserName,
    check_user_name
);
text_value!(
    /// A name of ours in YAML: a runbook, a step id, an input, a tag, a group.
    Name,
    check_name
);
text_value!(
    /// A Debian package name (Debian policy §5.6.1).
    PackageName,
    check_package_name
);
text_value!(
    /// A systemd unit name; without a suffix it means a service.
    UnitName,
    check_unit_name
);
text_value!(
    /// An absolute path without `.`, `..`, doubled slashes, a trailing slash or control characters.
    AbsolutePath,
    check_absolute_path
);

fn check_host_name(text: &str) -> Result<(), ValueError> {
    if text.is_empty() || text.len() > 253 {
        return Err(ValueError::new("a host name has 1 to 253 characters"));
    }
    for label in text.split('.') {
        check_label(label)?;
    }
    Ok(())
}

fn check_label(label: &str) -> Result<(), ValueError> {
    if label.is_empty() || label.len() > 63 {
        return Err(ValueError::new(
            "each part of a host name has 1 to 63 characters",
        ));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(ValueError::new(
            "no part of a host name starts or ends with a hyphen",
        ));
    }
    match label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-')
    {
        Some(c) => Err(ValueError::new(format!(
            "{c:?} is not allowed in a host name (letters, digits and hyphens; RFC 1123)"
        ))),
        None => Ok(()),
    }
}

fn check_address(text: &str) -> Result<(), ValueError> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if text.is_empty() || text.len() > 253 {
        return Err(ValueError::new("an address has 1 to 253 characters"));
    }
    if text.starts_with('-') {
        return Err(ValueError::new(
            "an address never starts with `-`: ssh would read it as an option",
        ));
    }
    let odd = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "._-:%[]".contains(*c)));
    match odd {
        Some(c) => Err(ValueError::new(format!(
            "{c:?} is not allowed in an address"
        ))),
        None => Ok(()),
    }
}

fn check_user_name(text: &str) -> Result<(), ValueError> {
    let mut chars = text.chars();
    let first = chars
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
    if first && rest && text.len() <= 32 {
        Ok(())
    } else {
        Err(ValueError::new(
            "a user name is 1 to 32 of a-z, 0-9, _ and -, and starts with a letter or _",
        ))
    }
}

fn check_name(text: &str) -> Result<(), ValueError> {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if first && rest && text.len() <= 64 {
        Ok(())
    } else {
        Err(ValueError::new(
            "a name is 1 to 64 letters, digits, - and _, and starts with a letter",
        ))
    }
}

fn check_package_name(text: &str) -> Result<(), ValueError> {
    let first = text.chars().next();
    let starts = first.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.:".contains(c));
    if starts && rest && text.len() >= 2 && text.len() <= 128 {
        Ok(())
    } else {
        Err(ValueError::new(
            "a package name is at least two of a-z, 0-9, +, - and .",
        ))
    }
}

fn check_unit_name(text: &str) -> Result<(), ValueError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.@\\".contains(c);
    if text.is_empty() || text.len() > 255 || text.starts_with('-') || !text.chars().all(allowed) {
        return Err(ValueError::new(
            "a unit name is letters, digits and :-_.@ (systemd.unit(5))",
        ));
    }
    Ok(())
}

fn check_absolute_path(text: &str) -> Result<(), ValueError> {
    let Some(rest) = text.strip_prefix('/') else {
        return Err(ValueError::new("the path must be absolute"));
    };
    if text.chars().any(char::is_control) {
        return Err(ValueError::new("the path holds a control character"));
    }
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(ValueError::new(
            "the path must not hold `.`, `..`, `//` or a final `/`",
        ));
    }
    Ok(())
}

impl AbsolutePath {
    /// The folder that holds it; `/` for a path directly below the root.
    pub fn parent(&self) -> &str {
        match self.0.rsplit_once('/') {
            Some(("", _)) | None => "/",
            Some((parent, _)) => parent,
        }
    }
}

impl UnitName {
    /// The full name: `fail2ban` is `fail2ban.service`.
    pub fn full(&self) -> String {
        const SUFFIXES: [&str; 8] = [
            ".service", ".socket", ".timer", ".path", ".target", ".mount", ".slice", ".swap",
        ];
        if SUFFIXES.iter().any(|suffix| self.0.ends_with(suffix)) {
            self.0.clone()
        } else {
            format!("{}.service", self.0)
        }
    }
}
