//! The comment of a rule: UTF-8 text that ufw keeps as hexadecimal digits.
//!
//! It is how we know our own rules again. A text of ours is ASCII without quotes; a text of others
//! may be anything, line breaks included, and is never printed as it is.

use std::fmt::Write as _;

/// A comment as it stands behind `comment=`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comment(String);

impl Comment {
    /// The comment that says `text`.
    pub fn of(text: &str) -> Self {
        Self(text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }

    /// What stands in a file. `None` when it is not hexadecimal, or would not survive a round trip.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let sound = !hex.is_empty() && hex.len().is_multiple_of(2) && hex.bytes().all(digits);
        sound.then(|| Self(hex.to_owned()))
    }

    /// Whether it is a tag of Holdfast's, of whatever runbook.
    pub fn is_a_tag(&self) -> bool {
        self.text().starts_with("holdfast:")
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// The text; bytes that are not UTF-8 become replacement characters.
    pub fn text(&self) -> String {
        let pairs = self.0.as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        };
        let bytes: Vec<u8> = pairs.filter_map(byte).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The text on one line, safe to show: control characters become `\n`, `\u{1b}` and so on.
    pub fn shown(&self) -> String {
        self.text()
            .chars()
            .map(|c| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_hex_are_the_same_comment() {
        let comment = Comment::of("ssh \"mine\" # ünï");
        assert_eq!(comment.hex(), "73736820226d696e6522202320c3bc6ec3af");
        assert_eq!(Comment::from_hex(comment.hex()), Some(comment.clone()));
        assert_eq!(comment.text(), "ssh \"mine\" # ünï");
    }

    #[test]
    fn a_comment_with_a_line_break_stays_on_one_line() {
        let forged = Comment::of("a\n### tuple ### allow any\u{1b}[2J");
        assert_eq!(forged.shown(), "a\\n### tuple ### allow any\\u{1b}[2J");
    }

    #[test]
    fn what_is_not_lower_case_hex_is_no_comment() {
        for bad in ["", "6", "6G", "6A", "zz"] {
            assert_eq!(Comment::from_hex(bad), None, "{bad}");
        }
    }
}
