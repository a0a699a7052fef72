//! Text of hosts made harmless: whatever acts on a terminal is shown as an escape instead.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::journal::is_hidden;

/// One line: line breaks and tabs are shown as escapes too, so a text cannot forge a line of its own.
pub fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// A line of a file: as [`clean`], but tabs stay.
pub(super) fn clean_keeping_tabs(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\t' && is_hidden(c))
}

/// Several lines, such as a question, in which names and answers of hosts may stand.
pub fn harmless(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(clean).collect();
    lines.join("\n")
}

/// Lines of a mistake: the same, but tabs of the line that is shown stay.
pub fn harmless_lines(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(clean_keeping_tabs).collect();
    lines.join("\n")
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            push_escape(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn push_escape(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_as_an_escape() {
        let hostile = "\u{1b}[2Jgone\r\nroot\u{7}\u{9b}31m\u{202e}txt.exe\u{2066}\u{200b}";
        insta::assert_snapshot!(clean(hostile), @r"\x1b[2Jgone\r\nroot\x07\u{9b}31m\u{202e}txt.exe\u{2066}\u{200b}");
        assert_eq!(clean_keeping_tabs("a\tb\r"), "a\tb\\r");
    }

    #[test]
    fn a_question_has_lines_and_nothing_else_that_acts_on_a_terminal() {
        assert_eq!(harmless("a\nb\u{1b}[31m\r\nc"), "a\nb\\x1b[31m\nc");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "Größe → 10 µs, 日本語, /etc/ufw/user.rules";
        assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
    }

    proptest! {
        #[test]
        fn nothing_hidden_passes(text in any::<String>()) {
            prop_assert!(!clean(&text).chars().any(is_hidden));
            let kept = clean_keeping_tabs(&text);
            prop_assert!(!kept.chars().any(|c| c != '\t' && is_hidden(c)));
        }

        #[test]
        fn cleaning_twice_is_cleaning_once(text in any::<String>()) {
            let once = clean(&text).into_owned();
            prop_assert_eq!(clean(&once).into_owned(), once);
        }
    }
}
