//! Ports.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

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
