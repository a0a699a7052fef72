//! What is told of the decisions that a person made in a guided run.

use super::guided::rest_line;
use super::line::Line;
use super::streams::Notice;
use super::style::{Sign, Style, Tone};
use super::words::{changes, sentence};
use crate::change::StepNumber;
use crate::event::{Choice, Deed};

/// What is told of something that a person decided or had done.
pub(super) fn deed(
    host: &str,
    (number, name): (StepNumber, &str),
    deed: &Deed,
    style: &Style,
) -> Option<Notice> {
    let dot = style.sign(Sign::Dot);
    let line = |tone, text: String| Line::of(tone, text).hanging(2);
    let lines = match deed {
        Deed::Chose {
            choice: Choice::Skip { rests },
            by,
        } => {
            let head = line(
                Tone::Warn,
                format!("- {number}: {name}{dot}skipped by {by}"),
            );
            let rests = rests.iter().map(|rest| rest_line(rest).indented(2));
            std::iter::once(head).chain(rests).collect()
        }
        Deed::Chose {
            choice: Choice::Edit { input, value },
            by,
        } => {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            let text = format!("{number}: {input}={value}, says {by}; planned anew");
            vec![line(Tone::Warn, text)]
        }
        Deed::Chose { choice, by } => {
            let text = format!("{number}: {}, says {by}", said(choice)?);
            let is_end = matches!(choice, Choice::Finish | Choice::Undo | Choice::Keep);
            if !style.verbose() && !is_end {
                return None;
            }
            vec![line(Tone::Dim, text)]
        }
        Deed::PassedOver => {
            let text = format!("- {number}: {name}{dot}skipped, as in the run before");
            vec![line(Tone::Warn, text)]
        }
        Deed::TakenBack {
            changes: 0,
            problem: None,
        } => {
            let text = format!("{number}: {name}{dot}no longer skipped");
            vec![line(Tone::Dim, text)]
        }
        Deed::TakenBack {
            changes: count,
            problem: None,
        } => {
            let text = format!("{number}: {name}{dot}taken back{dot}{}", changes(*count));
            vec![
                Line::of(Tone::Good, style.sign(Sign::Good))
                    .push(Tone::Plain, format!(" {text}"))
                    .hanging(2),
            ]
        }
        Deed::TakenBack {
            problem: Some(problem),
            ..
        } => {
            let text = format!(
                "{} {number}: {name}{dot}not taken back: ",
                style.sign(Sign::Bad)
            );
            vec![line(Tone::Bad, text).push(Tone::Plain, sentence(problem))]
        }
    };
    Some(Notice::of_host(host, lines))
}

const fn said(choice: &Choice) -> Option<&'static str> {
    match choice {
        Choice::Apply => Some("apply"),
        Choice::Again => Some("look again"),
        Choice::Back => Some("back"),
        Choice::Shell => Some("a shell"),
        Choice::Finish => Some("the rest without asking"),
        Choice::Undo => Some("take everything back and stop"),
        Choice::Keep => Some("stop and keep what was done"),
        Choice::Skip { .. } | Choice::Edit { .. } => None,
    }
}
