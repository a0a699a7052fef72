//! A text on a host that tells whether it is whole: its first line has the digest of what follows. A full disk or a
//! lost connection may leave half of it, and half of a YAML list is a list, too.

use crate::probe::Digest;

/// A comment in YAML, so that versions that know nothing of it read the rest.
const HEAD: &str = "# sha256 ";

/// The text with its digest before it.
pub(super) fn sealed(text: &str) -> String {
    format!("{HEAD}{}\n{text}", Digest::of(text.as_bytes()))
}

/// Whether nothing of it is missing. Older versions wrote texts without a digest: of those nobody can tell, and they
/// are taken as they are.
pub(super) fn is_whole(text: &str) -> bool {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.strip_prefix(HEAD) {
        Some(digest) => digest == Digest::of(rest.as_bytes()).as_str(),
        // The beginning of our first line and no more.
        None => !first.starts_with('#') && !text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_cut_anywhere_is_not_whole() {
        let text = sealed("- { step: 1 }\n- { step: 2 }\n");
        assert!(is_whole(&text));
        for end in 0..text.len() {
            assert!(!is_whole(&text[..end]), "{:?}", &text[..end]);
        }
        assert!(is_whole("- { step: 1, of: an older version }\n"));
    }
}
