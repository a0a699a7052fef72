//! What is told of a step: that it turned out otherwise, begins, takes its time, was answered, ended.

use super::line::Line;
use super::plan_view::step;
use super::streams::Notice;
use super::style::{Sign, Style, Tone};
use super::words::{changes, counted, sentence};
use crate::change::StepNumber;
use crate::event::{Fault, StepResult};
use crate::plan::StepPlan;

/// Lines of a failed step's output that are shown without `-v`.
const TAIL: usize = 20;

/// A step turned out different from its prediction. `like` names a host where it looks the same.
pub(super) fn step_replanned(
    host: &str,
    planned: &StepPlan,
    like: Option<&str>,
    style: &Style,
) -> Notice {
    let mut head = Line::of(Tone::Warn, format!("{} turned out:", planned.number));
    if let Some(like) = like {
        head = head.push(Tone::Plain, format!(" as on {like}"));
        return Notice::of_host(host, vec![head]).for_data_stream();
    }
    let lines = std::iter::once(head).chain(step(planned, style));
    Notice::of_host(host, lines.collect()).for_data_stream()
}

/// A step's changes begin.
pub(super) fn step_started(
    host: &str,
    number: StepNumber,
    name: &str,
    style: &Style,
) -> Option<Notice> {
    let line = Line::of(Tone::Dim, format!("{number} begins: {name}")).hanging(2);
    style.verbose().then(|| Notice::of_host(host, vec![line]))
}

/// A step takes its time.
pub(super) fn step_progress(
    host: &str,
    number: StepNumber,
    text: &str,
    style: &Style,
) -> Option<Notice> {
    let line = Line::of(Tone::Dim, format!("{number}: {text}")).hanging(2);
    (!style.quiet).then(|| Notice::of_host(host, vec![line]))
}

/// A person answered.
pub(super) fn answered(
    host: &str,
    number: StepNumber,
    (question, yes, by): (&str, bool, &str),
    style: &Style,
) -> Option<Notice> {
    let answer = if yes { "yes" } else { "no" };
    let text = format!("{number}: {question} {answer}, says {by}");
    let line = Line::of(Tone::Dim, text).hanging(2);
    (!style.quiet).then(|| Notice::of_host(host, vec![line]))
}

/// A step ended. `calm` leaves out what went as it should.
pub(super) fn step_finished(
    host: &str,
    (number, name): (StepNumber, &str),
    result: &StepResult,
    calm: bool,
    style: &Style,
) -> Option<Notice> {
    match result {
        StepResult::Done { changes } => {
            (!calm).then(|| step_done(host, number, name, *changes, style))
        }
        StepResult::Passed => style.verbose().then(|| {
            let text = format!("= {number}: {name}");
            Notice::of_host(host, vec![Line::of(Tone::Dim, text).hanging(2)])
        }),
        StepResult::NothingToDo => style.verbose().then(|| {
            let text = format!("= {number}: {name}{}nothing to do", style.sign(Sign::Dot));
            Notice::of_host(host, vec![Line::of(Tone::Dim, text).hanging(2)])
        }),
        StepResult::Failed {
            fault,
            message,
            output,
        } => {
            let head = format!("{} {number} {}: ", style.sign(Sign::Bad), failed(*fault));
            let mut lines = vec![
                Line::of(Tone::Bad, head)
                    .push(Tone::Strong, name)
                    .hanging(2),
                Line::of(Tone::Plain, sentence(message))
                    .indented(2)
                    .hanging(2),
            ];
            lines.extend(tail(output, style));
            Some(Notice::of_host(host, lines))
        }
    }
}

fn step_done(host: &str, number: StepNumber, name: &str, count: usize, style: &Style) -> Notice {
    let line = Line::of(Tone::Good, style.sign(Sign::Good))
        .push(Tone::Plain, format!(" {number}: {name}"))
        .push(
            Tone::Dim,
            format!("{}{}", style.sign(Sign::Dot), changes(count)),
        )
        .hanging(2);
    Notice::of_host(host, vec![line])
}

/// The verb for a step that did not end well.
const fn failed(fault: Fault) -> &'static str {
    match fault {
        Fault::OutcomeUnknown => "may have been done or not",
        Fault::Interrupted => "was interrupted",
        Fault::Stale | Fault::Journal | Fault::NotBegun => "was not begun",
        Fault::Reverted => "was taken back",
        Fault::Unreachable
        | Fault::Identity
        | Fault::Authentication
        | Fault::Sudo
        | Fault::Locked
        | Fault::Unsupported
        | Fault::Failed
        | Fault::NeedsHuman
        | Fault::Verification => "failed",
    }
}

/// The end of what the host printed, each line behind a bar so that it cannot be taken for ours.
fn tail(output: &str, style: &Style) -> Vec<Line> {
    let lines: Vec<&str> = output.trim_end().split('\n').collect();
    let from = match style.verbosity {
        0 => lines.len().saturating_sub(TAIL),
        1.. => 0,
    };
    let bar = format!("{} ", style.sign(Sign::Bar));
    let more = (from > 0).then(|| {
        let text = counted(from, "line", "lines");
        Line::of(
            Tone::Dim,
            format!("{} {text} before", style.sign(Sign::Ellipsis)),
        )
        .indented(2)
    });
    let shown = lines[from..].iter().filter(|_| !output.trim().is_empty());
    let shown = shown.map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let exact = Line::exact(Tone::Dim, &bar).push_exact(Tone::Plain, line);
        exact.indented(2)
    });
    more.into_iter().chain(shown).collect()
}
