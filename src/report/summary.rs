//! The end of a run for a tired person: what happened in one sentence, who needs attention and what
//! to do about it, how to see more.

use super::headline::headline;
use super::line::{Line, message};
use super::style::{Sign, Style, Tone};
use super::tally::{End, HostTally, Tally};
use super::warnings::Warning;
use super::words::{advice, capital, changes, class, duration, joined, listed, sentence};
use crate::event::{Fault, HostResult};

/// The summary. `more` says how to see more, when there is a way.
pub(super) fn summary(tally: &Tally, more: Option<&str>, style: &Style) -> Vec<Line> {
    let (tone, text) = headline(tally);
    let mut lines = vec![Line::of(tone, text)];
    lines.extend(refusals(tally, style));
    lines.extend(attention(tally, style));
    lines.extend(warnings(tally, style));
    lines.extend(trace(tally, more, style));
    lines
}

fn refusals(tally: &Tally, style: &Style) -> Vec<Line> {
    let mut lines = Vec::new();
    for data in &tally.refused {
        lines.push(
            Line::of(Tone::Plain, "data ")
                .push(Tone::Strong, &data.name)
                .push(Tone::Bad, " refused: ")
                .push(Tone::Plain, sentence(&data.why))
                .indented(2)
                .hanging(2),
        );
        let hint = data.hint.as_deref().map(|hint| next(hint, style));
        lines.extend(hint.map(|line| line.indented(2)));
    }
    lines
}

/// Why hosts need attention; equal ones are told once.
#[derive(Debug, PartialEq, Eq)]
struct Reason<'a> {
    fault: Fault,
    message: &'a str,
    hint: Option<&'a str>,
    changes: usize,
}

fn attention(tally: &Tally, style: &Style) -> Vec<Line> {
    let mut reasons: Vec<(Reason<'_>, Vec<&str>)> = Vec::new();
    for host in &tally.hosts {
        let told = host.lacks_data(&tally.refused);
        let Some(reason) = reason(host).filter(|_| !told) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, hosts)) => hosts.push(&host.name),
            None => reasons.push((reason, vec![&host.name])),
        }
    }
    reasons.sort_by_key(|(reason, _)| alarm(reason.fault));
    let lines = reasons.iter();
    lines
        .flat_map(|(reason, hosts)| reason.lines(hosts, style))
        .collect()
}

fn reason(host: &HostTally) -> Option<Reason<'_>> {
    match &host.result {
        Some(HostResult::Stopped {
            fault,
            message,
            hint,
            changes,
        }) => Some(Reason {
            fault: *fault,
            message,
            hint: hint.as_deref(),
            changes: *changes,
        }),
        None => Some(Reason {
            fault: Fault::Interrupted,
            message: "the run ended before this host did",
            hint: None,
            changes: 0,
        }),
        Some(
            HostResult::NothingToDo
            | HostResult::ChangesDue { .. }
            | HostResult::Changed { .. }
            | HostResult::Verified
            | HostResult::Declined,
        ) => None,
    }
}

impl Reason<'_> {
    fn lines(&self, hosts: &[&str], style: &Style) -> Vec<Line> {
        let mut head = Line::of(Tone::Strong, joined(hosts))
            .push(Tone::Dim, style.sign(Sign::Dot))
            .push(Tone::Bad, class(self.fault));
        if self.changes > 0 {
            head = head.push(Tone::Bad, format!(" after {}", changes(self.changes)));
        }
        let hint = self.hint.unwrap_or(advice(self.fault));
        let mut lines = message(head.push(Tone::Plain, ": "), self.message, style);
        lines.push(next(hint, style));
        lines.into_iter().map(|line| line.indented(2)).collect()
    }
}

/// What to do next.
fn next(hint: &str, style: &Style) -> Line {
    let arrow = style.sign(Sign::Arrow);
    Line::of(Tone::Dim, format!("{arrow} "))
        .push(Tone::Plain, capital(&sentence(hint)))
        .indented(2)
        .hanging(2)
}

/// What the plans warned of, again after much else was told.
fn warnings(tally: &Tally, style: &Style) -> Vec<Line> {
    let changed = |host: &HostTally| matches!(host.result, Some(HostResult::Changed { .. }));
    if !tally.hosts.iter().any(changed) {
        return Vec::new();
    }
    let line = |Warning { text, hosts, .. }: &Warning| {
        let room = style.width.map(|width| width / 2);
        Line::of(Tone::Strong, listed(hosts, room))
            .push(Tone::Dim, style.sign(Sign::Dot))
            .push(Tone::Warn, "warning")
            .push(Tone::Plain, format!(": {}", sentence(text)))
            .indented(2)
            .hanging(2)
    };
    tally.warnings.iter().map(line).collect()
}

/// The order of telling: the order of the exit codes.
const fn alarm(fault: Fault) -> u8 {
    match fault {
        Fault::OutcomeUnknown => 0,
        Fault::Reverted => 1,
        Fault::Failed => 2,
        Fault::Journal => 3,
        Fault::Verification => 4,
        Fault::Unreachable => 5,
        Fault::Identity => 6,
        Fault::Authentication => 7,
        Fault::Sudo => 8,
        Fault::Stale => 9,
        Fault::Locked => 10,
        Fault::NeedsHuman => 11,
        Fault::Unsupported => 12,
        Fault::Interrupted => 13,
        Fault::NotBegun => 14,
    }
}

/// `Run 019a… · 14 s · holdfast show 019a…`.
fn trace(tally: &Tally, more: Option<&str>, style: &Style) -> Option<Line> {
    let run = tally.run.as_ref()?;
    let dot = style.sign(Sign::Dot);
    let mut text = format!("Run {}", run.id);
    if let Some(End { millis, exit }) = tally.end {
        text = format!("{text}{dot}{}", duration(millis));
        if exit != 0 {
            text = format!("{text}{dot}exit {exit}");
        }
    }
    if let Some(more) = more {
        text = format!("{text}{dot}{more}");
    }
    Some(Line::of(Tone::Dim, text).hanging(2))
}
