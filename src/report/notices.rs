//! One renderer per event kind: from what happened to the lines that tell it.

use super::checks;
use super::line::{self, Line};
use super::plan_view::{note, step};
use super::streams::{Notice, Stream};
use super::style::{Sign, Style, Tone};
use super::tally::{Tally, warns};
use super::words::{changes, class, counted, hosts, sentence};
use crate::change::{Note, StepNumber};
use crate::event::{Fault, HostResult, Mode, Proof, StepResult};
use crate::facts::Facts;
use crate::plan::StepPlan;

/// Lines of a failed step's output that are shown without `-v`.
const TAIL: usize = 20;

/// The run begins.
pub(super) fn run_started(summary: &str, tally: &Tally, style: &Style) -> Option<Notice> {
    let run = tally.run.as_ref().filter(|_| !style.quiet)?;
    let what = match run.mode {
        Mode::DryRun => "Dry run of ",
        Mode::Apply => "",
        Mode::Verify => "Verification of ",
    };
    let on = match tally.hosts.as_slice() {
        [only] => only.name.clone(),
        [] | [_, _, ..] => hosts(tally.hosts.len()),
    };
    let mut line = Line::of(Tone::Plain, what)
        .push(Tone::Strong, &run.runbook)
        .push(Tone::Plain, format!(" on {on}"))
        .hanging(2);
    if !summary.is_empty() {
        let text = format!("{}{summary}", style.sign(Sign::Dot));
        line = line.push(Tone::Dim, text);
    }
    Some(Notice::of_run(Stream::Status, vec![line]))
}

/// External data is there.
pub(super) fn data_ready(
    name: &str,
    origin: &str,
    entries: usize,
    notes: &[Note],
    style: &Style,
) -> Option<Notice> {
    if style.quiet && !warns(notes) {
        return None;
    }
    let entries = counted(entries, "entry", "entries");
    let head = Line::of(Tone::Plain, "data ")
        .push(Tone::Strong, name)
        .push(Tone::Plain, format!(": {entries}, {origin}"))
        .hanging(2);
    Some(Notice::of_run(Stream::Status, with_notes(head, notes)))
}

/// External data was refused. What to do stands in the summary.
pub(super) fn data_refused(name: &str, origin: &str, why: &str) -> Notice {
    let head = Line::of(Tone::Bad, "data ")
        .push(Tone::Strong, name)
        .push(Tone::Bad, " refused: ")
        .push(Tone::Plain, sentence(why))
        .hanging(2);
    let origin = Line::of(Tone::Dim, format!("it was {}", sentence(origin)));
    Notice::of_run(Stream::Status, vec![head, origin.indented(2).hanging(2)])
}

/// The operator asked to stop.
pub(super) fn interrupting() -> Notice {
    let text = "Interrupted: what is under way ends, nothing new begins.";
    Notice::of_run(Stream::Status, vec![Line::of(Tone::Warn, text)])
}

/// A host's connection is being made.
pub(super) fn host_connecting(host: &str, style: &Style) -> Option<Notice> {
    let line = Line::of(Tone::Dim, "connecting");
    style.verbose().then(|| Notice::of_host(host, vec![line]))
}

/// A host answered.
pub(super) fn host_reached(
    host: &str,
    facts: &Facts,
    notes: &[Note],
    style: &Style,
) -> Option<Notice> {
    let facts = style.verbose().then(|| Line::of(Tone::Dim, told(facts)));
    let notes = notes.iter().filter(|note| note.warning || !style.quiet);
    let lines: Vec<Line> = facts.into_iter().chain(notes.map(note)).collect();
    (!lines.is_empty()).then(|| Notice::of_host(host, lines))
}

fn told(facts: &Facts) -> String {
    let ports: Vec<String> = facts
        .sshd
        .ports
        .iter()
        .map(|port| port.get().to_string())
        .collect();
    let ssh = match ports.as_slice() {
        [] => "no sshd found".to_owned(),
        [_, ..] => format!("sshd on {}", ports.join(" and ")),
    };
    let ufw = match (facts.ufw.installed, facts.ufw.enabled) {
        (false, _) => "no ufw",
        (true, false) => "ufw off",
        (true, true) => "ufw on",
    };
    format!("reached: {}, {ssh}, {ufw}", facts.os.name)
}

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
        Fault::Stale | Fault::Journal => "was not begun",
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

/// A check was made.
pub(super) fn checked(host: &str, name: &str, proof: &Proof, mode: Mode, style: &Style) -> Notice {
    let line = checks::one(&format!("check: {name}"), proof, None, style);
    let notice = Notice::of_host(host, vec![line]);
    match mode {
        Mode::Verify => notice.for_data_stream(),
        Mode::Apply | Mode::DryRun => notice,
    }
}

/// A host ended. What the plan and the summary say anyway is left out.
pub(super) fn host_finished(host: &str, result: &HostResult, style: &Style) -> Option<Notice> {
    let (sign, bad) = (style.sign(Sign::Good), style.sign(Sign::Bad));
    let line = match result {
        HostResult::Changed { changes: count } => Line::of(Tone::Good, format!("{sign} done"))
            .push(Tone::Plain, format!(": {}", changes(*count))),
        HostResult::Verified => Line::of(Tone::Good, format!("{sign} as it should be")),
        HostResult::Stopped { fault, message, .. } => {
            let head = Line::of(Tone::Bad, format!("{bad} {}", class(*fault)));
            let lines = line::message(head.push(Tone::Plain, ": "), message, style);
            return Some(Notice::of_host(host, lines));
        }
        HostResult::NothingToDo => Line::of(Tone::Dim, "= nothing to do"),
        HostResult::ChangesDue { changes: count } => {
            Line::of(Tone::Plain, format!("{} due", changes(*count)))
        }
        HostResult::Declined => Line::of(Tone::Plain, "declined"),
    };
    let told = match result {
        HostResult::Changed { .. } => !style.quiet,
        HostResult::Stopped { .. }
        | HostResult::Verified
        | HostResult::NothingToDo
        | HostResult::ChangesDue { .. }
        | HostResult::Declined => style.verbose(),
    };
    told.then(|| Notice::of_host(host, vec![line.hanging(2)]))
}

/// An event of a newer version; told once.
pub(super) fn unknown() -> Notice {
    let text = "Some events are of a newer version of Holdfast and are not shown.";
    Notice::of_run(Stream::Status, vec![Line::of(Tone::Warn, text)])
}

fn with_notes(head: Line, notes: &[Note]) -> Vec<Line> {
    let notes = notes.iter().map(|told| note(told).indented(2));
    std::iter::once(head).chain(notes).collect()
}
