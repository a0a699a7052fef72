//! What becomes of the lines of one file of keys.

use super::AuthorizedKeys;
use super::line::KeyLine;

/// A file of keys before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turnover {
    /// Its new content.
    pub(super) content: Vec<u8>,
    /// Lines that go, for people.
    pub(super) removed: Vec<String>,
    /// Lines that come, for people.
    pub(super) added: Vec<String>,
    /// Fingerprints that lose a line.
    pub(super) losing: Vec<String>,
    /// Keys that nobody listed and that stay.
    pub(super) others: Vec<String>,
    /// Listed keys that are there, as they will be.
    pub(super) there: Vec<KeyLine>,
}

impl Turnover {
    /// Walks through the lines; comments, empty lines and bytes that are no text stay as they are.
    pub(super) fn of(wanted: &AuthorizedKeys, before: &[u8]) -> Self {
        let mut turnover = Self::default();
        for line in before.split_inclusive(|byte| *byte == b'\n') {
            turnover.take(wanted, line);
        }
        turnover
    }

    fn take(&mut self, wanted: &AuthorizedKeys, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            self.content.extend_from_slice(line);
            return;
        }
        let parsed = text.parse::<KeyLine>().ok();
        let listed = parsed.as_ref().and_then(|there| {
            Some((
                there,
                wanted.keys.iter().find(|key| key.is_same_key(there))?,
            ))
        });
        match listed {
            Some((there, key)) if key.is_met_by(there) => {
                self.there.push(there.clone());
                self.content.extend_from_slice(line);
            }
            Some((there, key)) => {
                self.removed.push(there.to_string());
                self.losing.push(there.fingerprint.clone());
                if !self.there.iter().any(|done| done.is_same_key(key)) {
                    self.append(key);
                }
            }
            None => self.unlisted(wanted, line, text, parsed.as_ref()),
        }
    }

    fn unlisted(
        &mut self,
        wanted: &AuthorizedKeys,
        line: &[u8],
        text: &str,
        parsed: Option<&KeyLine>,
    ) {
        let unreadable = || {
            format!(
                "unreadable line: {}",
                text.chars().take(60).collect::<String>()
            )
        };
        let told = parsed.map_or_else(unreadable, ToString::to_string);
        if wanted.exclusive {
            self.removed.push(told);
            self.losing
                .extend(parsed.map(|key| key.fingerprint.clone()));
        } else {
            self.others.push(told);
            self.content.extend_from_slice(line);
        }
    }

    /// Adds a line at the end.
    pub(super) fn append(&mut self, key: &KeyLine) {
        if self.content.last().is_some_and(|last| *last != b'\n') {
            self.content.push(b'\n');
        }
        self.content.extend_from_slice(key.text.as_bytes());
        self.content.push(b'\n');
        self.added.push(key.to_string());
        self.there.push(key.clone());
    }

    /// Whether a line goes or comes.
    pub(super) fn is_due(&self) -> bool {
        !self.removed.is_empty() || !self.added.is_empty()
    }
}
