//! Validated values: names, ports, networks, file modes and time spans.
//!
//! A value that lands in a configuration grammar or on a command line is made here once, checked by
//! that grammar, and carried as its own type from then on.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Why a text is not the value it should be; a lower-case fragment that fits after "… is not valid:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

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

/// A TCP or UDP port, 1 to 65535, written without leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Port {
    type Error = ValueError;
    fn try_from(number: u16) -> Result<Self, ValueError> {
        if number == 0 {
            return Err(ValueError::new("a port is a number from 1 to 65535"));
        }
        Ok(Self(number))
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> u16 {
        port.0
    }
}

impl FromStr for Port {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        if !digits || text.starts_with('0') {
            return Err(ValueError::new("a port is a number from 1 to 65535"));
        }
        match text.parse::<u16>() {
            Ok(number) => Self::try_from(number),
            Err(_) => Err(ValueError::new("a port is a number from 1 to 65535")),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network in canonical text: explicit prefix, no host bits, lower case, shortest form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network.
    pub fn net(self) -> IpNet {
        self.0
    }

    /// Whether it is an IPv4 network.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// A single address as a network of one (`/32`, `/128`).
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// Reads what a person writes: a missing prefix means one address. Host bits are still refused.
    pub fn lenient(text: &str) -> Result<Self, ValueError> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self::host(address)),
            Err(_) => text.parse(),
        }
    }
}

impl FromStr for Cidr {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let net: IpNet = text
            .parse()
            .map_err(|_| ValueError::new("not a network such as 192.0.2.0/24 or 2001:db8::/32"))?;
        if net.trunc() != net {
            let right = net.trunc();
            return Err(ValueError::new(format!(
                "host bits are set; the network is {right}"
            )));
        }
        if net.to_string() != text {
            return Err(ValueError::new(format!(
                "not in canonical form; write {net}"
            )));
        }
        Ok(Self(net))
    }
}

impl TryFrom<String> for Cidr {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Permission bits of a file, written in octal: `0644`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMode(u32);

impl FromStr for FileMode {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let octal = matches!(text.len(), 3 | 4) && text.chars().all(|c| ('0'..='7').contains(&c));
        let bits = u32::from_str_radix(text, 8);
        match bits {
            Ok(bits) if octal => Ok(Self(bits)),
            Ok(_) | Err(_) => Err(ValueError::new(
                "a file mode is three or four octal digits, as 0644",
            )),
        }
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// A time span of whole seconds, written with units: `45s`, `10m`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

impl Duration {
    /// A span of so many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The span for timers.
    pub fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bad = || ValueError::new("a time span is digits with a unit: 45s, 10m, 1h30m, 2d, 1w");
        let mut total: u64 = 0;
        let mut digits = String::new();
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let unit = match c {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return Err(bad()),
            };
            let amount: u64 = digits.parse().map_err(|_| bad())?;
            let seconds = amount.checked_mul(unit).ok_or_else(bad)?;
            total = total.checked_add(seconds).ok_or_else(bad)?;
            digits.clear();
        }
        if text.is_empty() || !digits.is_empty() {
            return Err(bad());
        }
        Ok(Self::seconds(total))
    }
}

impl TryFrom<String> for Duration {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_rfc_1123() {
        for good in ["web-1", "a.b.c", "3com", "localhost"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-oProxyCommand=x",
            "web_1",
            "a..b",
            "ends-",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_never_start_with_a_hyphen() {
        assert!("-oProxyCommand=x".parse::<Address>().is_err());
        assert!("2001:db8::1".parse::<Address>().is_ok());
        assert!("my_alias".parse::<Address>().is_ok());
    }

    #[test]
    fn networks_are_canonical() {
        assert!("173.245.48.0/20".parse::<Cidr>().is_ok());
        let error = "173.245.48.1/20".parse::<Cidr>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "host bits are set; the network is 173.245.48.0/20"
        );
        assert!("2400:CB00::/32".parse::<Cidr>().is_err());
        assert!("173.245.48.0".parse::<Cidr>().is_err());
        assert!("131.0.72.0/222400:cb00::/32".parse::<Cidr>().is_err());
        assert_eq!(
            Cidr::lenient("192.0.2.7").unwrap().to_string(),
            "192.0.2.7/32"
        );
    }

    #[test]
    fn ports_have_no_leading_zero() {
        assert!("443".parse::<Port>().is_ok());
        for bad in ["0", "022", "65536", "-1", "22 ", ""] {
            assert!(bad.parse::<Port>().is_err(), "{bad}");
        }
    }

    #[test]
    fn time_spans_round_trip() {
        for text in ["45s", "10m", "1h30m", "2d"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert!("10".parse::<Duration>().is_err());
        assert!("99999999999999999999w".parse::<Duration>().is_err());
    }

    #[test]
    fn paths_are_plain() {
        assert_eq!("/etc/a".parse::<AbsolutePath>().unwrap().parent(), "/etc");
        for bad in ["etc", "/etc/../x", "/etc/", "/a//b", "/a\nb", "/"] {
            assert!(bad.parse::<AbsolutePath>().is_err(), "{bad}");
        }
    }
}
