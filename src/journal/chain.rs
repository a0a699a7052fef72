//! One event as one line, sealed: every line carries the sha256 of the line before, so that a line
//! that was changed or taken out later is noticed.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hidden::is_hidden;
use crate::event::{Event, EventKind};
use crate::probe::Digest;

/// Where a journal stands: makes the next line, or checks it.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// The digest of the last line; empty before the first.
    prev: String,
}

#[derive(Serialize)]
struct Sealed<'a> {
    seq: u64,
    at: Timestamp,
    kind: &'a EventKind,
    prev: &'a str,
}

#[derive(Deserialize)]
struct Opened {
    seq: u64,
    at: Timestamp,
    kind: EventKind,
    prev: String,
}

/// A line whose event we cannot read: written by a newer version.
#[derive(Deserialize)]
struct Envelope {
    seq: u64,
    at: Timestamp,
    prev: String,
}

/// Why a line cannot follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    /// It is not the JSON of an event.
    #[error("it is no event")]
    Unreadable,
    /// It does not carry the digest of the line before.
    #[error("it does not follow the line before: a line was changed, added or removed")]
    Unlinked,
}

impl Chain {
    /// Before the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line of an event, with its line break.
    ///
    /// Characters that act on a terminal are written as JSON escapes: `cat` of a journal is safe.
    ///
    /// # Errors
    /// When the event has no JSON form, which no event of ours lacks.
    pub fn seal(&mut self, event: &Event) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(&Sealed {
            seq: event.seq,
            at: event.at,
            kind: &event.kind,
            prev: &self.prev,
        })?;
        let mut line = escaped(&json);
        self.advance(line.as_bytes());
        line.push('\n');
        Ok(line)
    }

    /// Reads the next line (without its line break). An event of a newer version comes as `Unknown`.
    pub(super) fn open(&mut self, line: &[u8]) -> Result<Event, Misfit> {
        let (event, prev) = parse(line).ok_or(Misfit::Unreadable)?;
        let linked = prev == self.prev;
        self.advance(line);
        if linked {
            Ok(event)
        } else {
            Err(Misfit::Unlinked)
        }
    }

    /// Checks the next line as [`Chain::open`] does, without reading what happened.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<(), Misfit> {
        let prev = carried(line).or_else(|| {
            let Envelope { prev, .. } = serde_json::from_slice(line).ok()?;
            Some(prev)
        });
        let linked = prev.ok_or(Misfit::Unreadable)? == self.prev;
        self.advance(line);
        if linked {
            Ok(())
        } else {
            Err(Misfit::Unlinked)
        }
    }

    /// The digest of the last line; empty before the first.
    pub(super) fn last(&self) -> &str {
        &self.prev
    }

    fn advance(&mut self, line: &[u8]) {
        Digest::of(line).as_str().clone_into(&mut self.prev);
    }
}

/// The digest at the end of a line that we wrote, where it always stands.
fn carried(line: &[u8]) -> Option<String> {
    const KEY: &str = r#","prev":""#;
    let text = std::str::from_utf8(line).ok()?;
    let (body, digest) = text.strip_suffix("\"}")?.rsplit_once(KEY)?;
    let is_digest = digest.is_empty() || digest.len() == 64;
    let is_hex = digest.bytes().all(|b| b.is_ascii_hexdigit());
    // The key of an object at the top of the line, not of one within, nor a piece of a text.
    (is_digest && is_hex && body.starts_with(r#"{"seq":"#)).then(|| digest.to_owned())
}

fn parse(line: &[u8]) -> Option<(Event, String)> {
    if let Ok(opened) = serde_json::from_slice::<Opened>(line) {
        let Opened {
            seq,
            at,
            kind,
            prev,
        } = opened;
        return Some((Event { seq, at, kind }, prev));
    }
    let Envelope { seq, at, prev } = serde_json::from_slice(line).ok()?;
    let kind = EventKind::Unknown;
    Some((Event { seq, at, kind }, prev))
}

/// JSON with `\u` escapes for what serde leaves raw. Such characters stand only inside strings.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(text: &str) -> Event {
        let host = text.to_owned();
        Event {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::HostConnecting { host },
        }
    }

    #[test]
    fn a_line_holds_no_raw_control_character_and_reads_back() {
        let told = event("\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{e0041}é");
        let line = Chain::new().seal(&told).unwrap();
        insta::assert_snapshot!(line, @r#"{"seq":1,"at":"1970-01-01T00:00:00Z","kind":{"event":"host_connecting","host":"\u001b[2J\u009b2J\u007f\u202e\udb40\udc41é"},"prev":""}"#);
        assert_eq!(Chain::new().open(line.trim_end().as_bytes()), Ok(told));
    }

    #[test]
    fn an_event_of_a_newer_version_is_unknown_but_linked() {
        let mut chain = Chain::new();
        for kind in [
            r#"{"event":"host_levitated","height":3}"#,
            r#"{"event":"run_finished","exit":"none"}"#,
        ] {
            let prev = chain.prev.clone();
            let line = format!(
                r#"{{"seq":1,"at":"2026-08-22T10:00:00Z","kind":{kind},"more":1,"prev":"{prev}"}}"#
            );
            let event = chain.open(line.as_bytes()).unwrap();
            assert_eq!(event.kind, EventKind::Unknown);
        }
    }

    proptest! {
        #[test]
        fn whatever_a_host_says_becomes_one_harmless_line(text in any::<String>()) {
            let told = event(&text);
            let line = Chain::new().seal(&told).unwrap();
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(is_hidden));
            prop_assert_eq!(Chain::new().open(body.as_bytes()), Ok(told));
        }
    }
}
