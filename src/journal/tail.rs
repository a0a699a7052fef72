//! The end of a journal, without reading what stands before it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

/// A whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastLine {
    /// Its number, which is that of its event.
    pub(super) number: u64,
    /// What stands there, without the line break.
    pub(super) text: Vec<u8>,
}

/// How much is read at once: most last lines are short.
const PIECE: u64 = 16 * 1024;

/// The last line that is whole: one that is being written, or was cut, does not count. None in an empty
/// journal, and when what stands there is no event.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn last_line(path: &Path) -> io::Result<Option<LastLine>> {
    let mut file = File::open(path)?;
    let mut start = file.metadata()?.len();
    let mut held: Vec<u8> = Vec::new();
    loop {
        if let Some(text) = last_whole(&held, start == 0) {
            return Ok(numbered(text));
        }
        if start == 0 {
            return Ok(None);
        }
        let size = start.min(PIECE);
        start -= size;
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        file.by_ref().take(size).read_to_end(&mut piece)?;
        piece.extend_from_slice(&held);
        held = piece;
    }
}

/// The text between the last two line breaks; before the first one when the file begins here.
fn last_whole(held: &[u8], from_start: bool) -> Option<&[u8]> {
    let end = held.iter().rposition(|b| *b == b'\n')?;
    match held[..end].iter().rposition(|b| *b == b'\n') {
        Some(before) => Some(&held[before + 1..end]),
        None if from_start => Some(&held[..end]),
        None => None,
    }
}

fn numbered(text: &[u8]) -> Option<LastLine> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let Numbered { seq } = serde_json::from_slice(text).ok()?;
    Some(LastLine {
        number: seq,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> Option<(u64, usize)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let line = last_line(file.path()).unwrap();
        line.map(|line| (line.number, line.text.len()))
    }

    #[test]
    fn the_last_whole_line_is_found_however_long_it_is() {
        let long = format!("{{\"seq\":2,\"x\":\"{}\"}}", "a".repeat(100_000));
        assert_eq!(last(""), None);
        assert_eq!(last("{\"seq\":1}"), None);
        assert_eq!(last("{\"seq\":1}\n"), Some((1, 9)));
        assert_eq!(last("{\"seq\":1}\n{\"se"), Some((1, 9)));
        assert_eq!(
            last(&format!("{{\"seq\":1}}\n{long}\n")),
            Some((2, long.len()))
        );
        assert_eq!(last("garbage\n"), None);
    }
}
