//! How a change of a file is shown: text as text, everything else by size and digest.

use super::look::Content;
use crate::change::Shown;
use crate::probe::Digest;

/// The content before and after; `None`: no file.
pub(super) fn content(path: &str, before: Option<&Content>, after: Option<&[u8]>) -> Vec<Shown> {
    let old = before.map(text);
    let new = after.map(|bytes| as_text(bytes));
    // Both must be readable, or a diff would show half of the change as if it were all of it.
    if let (None | Some(Some(_)), None | Some(Some(_))) = (&old, &new) {
        let (old, new) = (old.flatten(), new.flatten());
        let mut shown = vec![Shown::Text {
            path: path.to_owned(),
            before: old.map(str::to_owned),
            after: new.map(str::to_owned),
        }];
        if let (Some(old), Some(new)) = (old, new) {
            shown.extend(property("line endings", endings(old), endings(new)));
            shown.extend(property(
                "line break at the end",
                last_break(old),
                last_break(new),
            ));
        }
        return shown;
    }
    let name = "content".to_owned();
    vec![Shown::Property {
        name,
        before: before.map(describe).unwrap_or_default(),
        after: after.map(described).unwrap_or_default(),
    }]
}

/// A property that differs and says something on both sides. Terminals do not show what these say.
fn property(name: &str, before: &str, after: &str) -> Option<Shown> {
    (before != after && !before.is_empty() && !after.is_empty()).then(|| Shown::Property {
        name: name.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    })
}

fn text(content: &Content) -> Option<&str> {
    match content {
        Content::Bytes(bytes) => as_text(bytes),
        Content::Digest { .. } | Content::Unread { .. } => None,
    }
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn describe(content: &Content) -> String {
    match content {
        Content::Bytes(bytes) => described(bytes),
        Content::Digest { size, sha256 } => format!("{size} bytes, sha256 {sha256}"),
        Content::Unread { size } => format!("{size} bytes"),
    }
}

fn described(bytes: &[u8]) -> String {
    format!("{} bytes, sha256 {}", bytes.len(), Digest::of(bytes))
}

fn endings(text: &str) -> &'static str {
    let all = text.matches('\n').count();
    let crlf = text.matches("\r\n").count();
    match (all, crlf) {
        (0, _) => "",
        (_, 0) => "LF",
        (all, crlf) if all == crlf => "CRLF",
        (_, _) => "mixed",
    }
}

fn last_break(text: &str) -> &'static str {
    match text.chars().next_back() {
        None => "",
        Some('\n') => "yes",
        Some(_) => "no",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(before: &str, after: &str) -> Vec<String> {
        let before = Content::Bytes(before.as_bytes().to_vec());
        let shown = content("/x", Some(&before), Some(after.as_bytes()));
        let lines = shown.into_iter().map(|one| match one {
            Shown::Text { .. } => "text".to_owned(),
            Shown::Property {
                name,
                before,
                after,
            } => format!("{name}: {before} → {after}"),
            Shown::Lines { .. } | Shown::Run { .. } => "something else".to_owned(),
        });
        lines.collect()
    }

    #[test]
    fn what_a_terminal_does_not_show_is_said_in_words() {
        assert_eq!(
            names("a\r\nb\r\n", "a\nb"),
            [
                "text",
                "line endings: CRLF → LF",
                "line break at the end: yes → no"
            ]
        );
        assert_eq!(names("a\n", "b\n"), ["text"]);
        assert_eq!(names("", "b\n"), ["text"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_by_digest() {
        let shown = content("/x", Some(&Content::Bytes(vec![0xff])), Some(b"a"));
        let [Shown::Property { before, after, .. }] = shown.as_slice() else {
            panic!("{shown:?}")
        };
        assert!(before.starts_with("1 bytes, sha256 a8100ae6"), "{before}");
        assert!(after.starts_with("1 bytes, sha256 ca978112"), "{after}");
        assert_eq!(
            names("a\0", "a"),
            [
                "content: 2 bytes, sha256 ffe9aaeaa2a2d5048174df0b80599ef0197ec024c4b051bc9860cff58ef7f9f3 → 1 bytes, sha256 ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
            ]
        );
    }
}
