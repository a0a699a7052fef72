//! Text of hosts that wants to be more than text.

use proptest::prelude::*;

use super::super::Style;
use super::super::samples::*;
use super::plain;
use crate::change::{Note, Shown, Verdict};
use crate::event::{EventKind, Fault, HostResult, Mode, Proof};
use crate::journal::is_hidden;
use crate::plan::Outcome;

/// All text of the run that could come from a host is `text`.
fn hostile(text: &str) -> Vec<EventKind> {
    let mut steps = common();
    steps[0].notes = vec![Note::warning(text)];
    steps[1].name = text.into();
    steps[1].outcome = Outcome::Seen(Verdict::Change(vec![change(
        text,
        vec![
            Shown::Property {
                name: text.into(),
                before: text.into(),
                after: text.into(),
            },
            Shown::Run {
                argv: vec![text.into()],
            },
            Shown::Lines {
                what: text.into(),
                removed: vec![text.into()],
                added: vec![text.into()],
            },
        ],
    )]));
    vec![
        started(Mode::Apply, &["web-1"]),
        reached("web-1", vec![Note::info(text)]),
        planned("web-1", steps),
        begun("web-1", 2, text),
        progress("web-1", 2, text),
        ended("web-1", 2, text, failed(text, "")),
        check("web-1", text, Proof::No { seen: text.into() }),
        finished(
            "web-1",
            HostResult::Stopped {
                fault: Fault::Failed,
                message: text.into(),
                hint: Some(text.into()),
                changes: 0,
            },
        ),
        end(3),
    ]
}

#[test]
fn hostile_text_is_shown_as_escapes() {
    let text = plain(Style::plain(), hostile("x\u{1b}[2J\nroot │ ✓ done\u{202e}"));
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    insta::assert_snapshot!(last.join("\n"), @r"
    Run 019a7b3e-5c1d · 14 s · exit 3
        → X\x1b[2J\nroot │ ✓ done\u{202e}.
        │ root │ ✓ done\u{202e}
      web-1 · failed: x\x1b[2J
    web-1 was not done.
    ");
}

proptest! {
    #[test]
    fn no_text_of_a_host_can_forge_a_line_or_move_the_cursor(text in any::<String>()) {
        // A full stop more or less, and empty text, are the only things that may change lines.
        let text = format!("x{text}x");
        let told = plain(Style::plain(), hostile(&text));
        prop_assert!(!told.chars().any(|c| c != '\n' && is_hidden(c)));
        let honest = plain(Style::plain(), hostile("x"));
        // A host's end is told twice, each further line of its message behind a bar.
        let more = 2 * text.matches('\n').count();
        prop_assert_eq!(told.lines().count(), honest.lines().count() + more);
    }
}
