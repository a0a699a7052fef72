//! Time spans.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

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

/// Ten years, in seconds: no clock overflows, and no tool of a host does.
const MOST: u64 = 10 * 366 * 86_400;

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
        if total > MOST {
            return Err(ValueError::new("a time span is at most 10 years"));
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
    fn a_time_span_ends_before_any_clock_does() {
        assert!("520w".parse::<Duration>().is_ok());
        for text in ["11000d", "99999999999w", "18446744073709551615s"] {
            let said = text.parse::<Duration>().unwrap_err().to_string();
            assert!(said.contains("at most 10 years"), "{said}");
        }
    }
}
