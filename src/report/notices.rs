//! One renderer per event kind: from what happened to the lines that tell it. Those of steps and of guards have
//! files of their own.

use super::checks;
use super::line::{self, Line};
use super::plan_view::note;
use super::streams::{Notice, Stream};
use super::style::{Sign, Style, Tone};
use super::tally::{Tally, warns};
use super::words::{changes, class, counted, hosts, sentence};
use crate::change::Note;
use crate::event::{HostResult, Mode, Proof};
use crate::facts::Facts;

/// The run begins.
pub(super) fn run_started(summary: &str, tally: &Tally, style: &Style) -> Option<Notice> {
    let run = tally.run.as_ref().filter(|_| !style.quiet)?;
    let what = match run.mode {
        Mode::DryRun => "Dry run of ",
        Mode::Apply => "",
        Mode::Verify => "Verification of ",
        Mode::Drift => "Looking for ",
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

/// A check was made.
pub(super) fn checked(host: &str, name: &str, proof: &Proof, mode: Mode, style: &Style) -> Notice {
    let line = checks::one(&format!("check: {name}"), proof, None, style);
    let notice = Notice::of_host(host, vec![line]);
    match mode {
        Mode::Verify => notice.for_data_stream(),
        Mode::Apply | Mode::DryRun | Mode::Drift => notice,
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
