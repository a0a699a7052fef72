//! Ports as ufw writes them: `any`, `443`, `6000:6007`, `80,443,8000:8010`.

use std::fmt;
use std::str::FromStr;

/// What ufw (and `iptables -m multiport`) allows: fifteen ports, a range counting as two.
pub const MAX_PORTS: usize = 15;

/// One port, or a range of ports with both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: Option<u16>,
}

impl PortRange {
    /// A single port.
    pub const fn single(port: u16) -> Self {
        Self {
            first: port,
            last: None,
        }
    }

    /// Whether `port` lies within.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last.unwrap_or(self.first)).contains(&port)
    }

    /// The ports from the first to the last.
    pub fn all(self) -> std::ops::RangeInclusive<u16> {
        self.first..=self.last.unwrap_or(self.first)
    }

    fn slots(self) -> usize {
        1 + usize::from(self.last.is_some())
    }
}

/// Why a text is no port, range or list that ufw would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    /// Not a number from 1 to 65535, and not two of them around a colon, the smaller first.
    #[error("`{0}` is no port (1-65535) and no range (6000:6007)")]
    NotAPort(String),
    /// More than fit into one rule.
    #[error("more than {MAX_PORTS} ports in one rule (a range counts as two)")]
    TooMany,
}

impl FromStr for PortRange {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let bad = || PortsError::NotAPort(text.chars().take(40).collect());
        match text.split_once(':') {
            None => number(text).map(Self::single).ok_or_else(bad),
            Some((first, last)) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first < last => Ok(Self {
                    first,
                    last: Some(last),
                }),
                _ => Err(bad()),
            },
        }
    }
}

/// Digits only and without leading zeros, so that formatting gives the same text again.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            None => write!(f, "{}", self.first),
            Some(last) => write!(f, "{}:{last}", self.first),
        }
    }
}

/// The ports that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// No condition on the port.
    Any,
    /// These; never empty. The order is that of the text.
    List(Vec<PortRange>),
}

impl Ports {
    /// A list in ufw's order, duplicates dropped.
    ///
    /// # Errors
    /// [`PortsError::TooMany`] when one rule cannot hold them.
    pub fn sorted(mut ranges: Vec<PortRange>) -> Result<Self, PortsError> {
        ranges.sort_unstable();
        ranges.dedup();
        check_count(&ranges)?;
        Ok(if ranges.is_empty() {
            Self::Any
        } else {
            Self::List(ranges)
        })
    }

    /// The same ports in the order in which ufw compares and writes them.
    #[must_use]
    pub fn normalized(&self) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::List(ranges) => {
                let mut ranges = ranges.clone();
                ranges.sort_unstable();
                Self::List(ranges)
            }
        }
    }

    /// Whether a packet to or from `port` fits.
    pub fn contain(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::List(ranges) => ranges.iter().any(|range| range.contains(port)),
        }
    }

    /// Whether iptables needs the multiport match for them: a list or a range.
    pub fn is_multi(&self) -> bool {
        match self {
            Self::Any => false,
            Self::List(ranges) => ranges.len() > 1 || ranges.iter().any(|r| r.last.is_some()),
        }
    }

    /// Whether there is no condition at all.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

fn check_count(ranges: &[PortRange]) -> Result<(), PortsError> {
    let slots: usize = ranges.iter().map(|range| range.slots()).sum();
    if slots > MAX_PORTS {
        return Err(PortsError::TooMany);
    }
    Ok(())
}

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        if text == "any" {
            return Ok(Self::Any);
        }
        let ranges: Vec<PortRange> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        check_count(&ranges)?;
        Ok(Self::List(ranges))
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::List(ranges) => {
                for (n, range) in ranges.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma}{range}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_keep_their_text() {
        for text in ["any", "443", "6000:6007", "80,443,8000:8010"] {
            assert_eq!(text.parse::<Ports>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_ufw_refuses_is_refused() {
        for text in [
            "", "0", "022", "65536", "9:8", "8:8", "80,", ",80", "http", "1:2:3",
        ] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }

    #[test]
    fn fifteen_ports_fit_and_sixteen_do_not() {
        let list = |n: u16| (1..=n).map(|p| p.to_string()).collect::<Vec<_>>().join(",");
        assert!(list(15).parse::<Ports>().is_ok());
        assert_eq!(list(16).parse::<Ports>(), Err(PortsError::TooMany));
        assert_eq!(
            format!("{},100:200", list(14)).parse::<Ports>(),
            Err(PortsError::TooMany)
        );
    }

    #[test]
    fn sorting_is_ufws_own() {
        let ranges = ["8443", "443", "400:500", "400"].map(|t| t.parse().unwrap());
        assert_eq!(
            Ports::sorted(ranges.to_vec()).unwrap().to_string(),
            "400,400:500,443,8443"
        );
    }
}
