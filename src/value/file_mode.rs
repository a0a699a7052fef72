//! Permission bits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

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
