//! What is told of the decisions that a person made in a guided run.

use super::guided::rest_line;
use super::line::Line;
use super::streams::Notice;
use super::style::{Sign, Style, Tone};
use super::words::{changes, sentence};
use crate::change::StepNumber;
use crate::event::{Choice, Deed, EventKind};

/// What is told of something that a person decided or had done.
pub(super) fn notice(kind: &EventKind, style: &Style) -> Option<Notice> {
    let EventKind::Guided {
        host,
        number,
        name,
        deed,
        ..
    } = kind
    else {
        return None;
    };
    let step = (*number, name.as_str());
    let lines = match deed.as_ref() {
        Deed::Chose { choice, by } => chosen(step, choice, by, style)?,
        Deed::PassedOver => {
            let dot = style.sign(Sign::Dot);
            let text = format!("- {number}: {name}{dot}skipped, as in the run before");
            vec![line(Tone::Warn, text)]
        }
        Deed::TakenBack {
            changes,
            problem,
            failed,
        } => {
            let count = if *failed { None } else { Some(*changes) };
            vec![taken_back(step, count, problem.as_deref(), style)]
        }
    };
    Some(Notice::of_host(host, lines))
}

fn line(tone: Tone, text: String) -> Line {
    Line::of(tone, text).hanging(2)
}

fn chosen(
    (number, name): (StepNumber, &str),
    choice: &Choice,
    by: &str,
    style: &Style,
) -> Option<Vec<Line>> {
    let dot = style.sign(Sign::Dot);
    match choice {
        Choice::Skip { rests } => {
            let head = line(
                Tone::Warn,
                format!("- {number}: {name}{dot}skipped by {by}"),
            );
            let rests = rests.iter().map(|rest| rest_line(rest).indented(2));
            Some(std::iter::once(head).chain(rests).collect())
        }
        Choice::Edit { input, value } => {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            let text = format!("{number}: {input}={value}, says {by}; planned anew");
            Some(vec![line(Tone::Warn, text)])
        }
        Choice::Apply
        | Choice::Again
        | Choice::Back
        | Choice::Shell
        | Choice::Finish
        | Choice::Undo
        | Choice::Keep => {
            let is_end = matches!(choice, Choice::Finish | Choice::Undo | Choice::Keep);
            let text = format!("{number}: {}, says {by}", said(choice)?);
            (style.verbose() || is_end).then(|| vec![line(Tone::Dim, text)])
        }
    }
}

/// `count` is none for a step that had failed.
fn taken_back(
    (number, name): (StepNumber, &str),
    count: Option<usize>,
    problem: Option<&str>,
    style: &Style,
) -> Line {
    let dot = style.sign(Sign::Dot);
    match (count, problem) {
        (_, Some(problem)) => {
            let text = format!(
                "{} {number}: {name}{dot}not taken back: ",
                style.sign(Sign::Bad)
            );
            line(Tone::Bad, text).push(Tone::Plain, sentence(problem))
        }
        (Some(0), None) => line(Tone::Dim, format!("{number}: {name}{dot}no longer skipped")),
        (count, None) => {
            let what = count.map_or("what failed of it".to_owned(), changes);
            let text = format!(" {number}: {name}{dot}taken back{dot}{what}");
            Line::of(Tone::Good, style.sign(Sign::Good))
                .push(Tone::Plain, text)
                .hanging(2)
        }
    }
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
