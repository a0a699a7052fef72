//! Plans as they are shown before anything is asked or done: grouped over hosts, a line per step
//! with a sign, the exact changes below it.
//!
//! `=` is so · `+` change · `~` change after an earlier step · `?` unknown until then · `!` blocked ·
//! `-` skipped or not applicable · `*` a question or a pause.

use console::measure_text_width;

use super::diff;
use super::groups::{Group, Groups, visible};
use super::line::Line;
use super::plan_sum::{sum, total};
use super::style::{Sign, Style, Tone};
use super::words::{changes, class, joined, listed, sentence};
use crate::change::{Change, Note, Timing, Undo, Verdict};
use crate::event::Fault;
use crate::plan::{Outcome, StepPlan};
use crate::risk::Risk;
use crate::runbook::Interlude;

/// All plans, one block per group, and what they come to.
pub(super) fn plans(groups: Groups, order: &[String], style: &Style) -> Vec<Line> {
    let (planned, without) = groups.counts();
    let calm = groups.is_calm();
    let (groups, rest) = groups.sorted(order);
    let reference = groups.first();
    let mut lines = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let base = reference.filter(|_| index > 0);
        lines.push(Line::new());
        lines.extend(block(group, base, style));
    }
    lines.extend(without_plan(&rest, style));
    lines.push(Line::new());
    let is_due = groups.iter().any(|group| group.plan.is_pending());
    if planned + without > 1 && !calm && is_due {
        lines.push(total(&groups, planned + without));
        lines.push(Line::new());
    }
    lines
}

/// The hosts that have no plan, by the reason.
fn without_plan(rest: &[(String, Fault)], style: &Style) -> Vec<Line> {
    let mut reasons: Vec<(Fault, Vec<&str>)> = Vec::new();
    for (host, fault) in rest {
        match reasons.iter_mut().find(|(known, _)| known == fault) {
            Some((_, hosts)) => hosts.push(host),
            None => reasons.push((*fault, vec![host])),
        }
    }
    let line = |(fault, hosts): (Fault, Vec<&str>)| {
        Line::of(Tone::Strong, joined(&hosts))
            .push(Tone::Dim, style.sign(Sign::Dot))
            .push(Tone::Bad, format!("no plan: {}", class(fault)))
            .hanging(2)
    };
    let gap = (!reasons.is_empty()).then(Line::new);
    gap.into_iter()
        .chain(reasons.into_iter().map(line))
        .collect()
}

/// One group: its hosts, what it comes to, its steps.
fn block(group: &Group, base: Option<&Group>, style: &Style) -> Vec<Line> {
    let (tone, sum) = sum(&group.plan, style);
    let names = match style.verbosity {
        0 => listed(&group.hosts, style.width.map(|width| room(width, &sum))),
        1.. => joined(&group.hosts),
    };
    let heading = Line::of(Tone::Strong, names)
        .push(Tone::Dim, style.sign(Sign::Dot))
        .push(tone, sum)
        .hanging(2);
    let digits = group.plan.steps.len().to_string().len();
    let steps = group.plan.steps.iter().filter(|step| {
        let still = group.plan.is_pending() || group.plan.obstacle().is_some();
        still || style.verbose() || !step.notes.is_empty()
    });
    let mut lines = vec![heading];
    for planned in steps {
        let same = base.filter(|base| base.plan.steps.contains(planned));
        match same.and_then(|base| base.hosts.first()) {
            Some(host) if has_body(planned) => {
                let as_on = format!("{}as on {host}", style.sign(Sign::Dot));
                lines.push(headline(planned, digits, style).push(Tone::Dim, as_on));
            }
            Some(_) | None => lines.extend(step_lines(planned, digits, style)),
        }
    }
    lines
}

/// Columns for the names of hosts: what the rest of the line leaves, but at least half of it.
fn room(width: usize, rest: &str) -> usize {
    let left = width.saturating_sub(measure_text_width(rest) + 3);
    left.max(width / 2)
}

/// Whether columns are too dear for deep indents.
fn is_narrow(style: &Style) -> bool {
    style.width.is_some_and(|width| width < 60)
}

/// A step that is shown apart from its plan, because it turned out different.
pub(super) fn step(step: &StepPlan, style: &Style) -> Vec<Line> {
    step_lines(&visible(step), 1, style)
}

fn step_lines(step: &StepPlan, digits: usize, style: &Style) -> Vec<Line> {
    let indent = if is_narrow(style) { 2 } else { 6 + digits };
    let mut lines = vec![headline(step, digits, style)];
    let changes = step.verdict().map(Verdict::changes).unwrap_or_default();
    let body = changes
        .iter()
        .flat_map(|change| change_lines(change, style))
        .chain(moved(step, style))
        .chain(hint(step))
        .chain(step.notes.iter().map(note));
    lines.extend(body.map(|line| line.indented(indent)));
    lines
}

fn has_body(step: &StepPlan) -> bool {
    step.is_pending() || step.obstacle().is_some() || !step.notes.is_empty()
}

/// `  + 2  The name · 22 changes`.
fn headline(step: &StepPlan, digits: usize, style: &Style) -> Line {
    let (sign, tone) = sign(&step.outcome);
    let calm = matches!(sign, "=" | "-");
    let number = step.number.0;
    let mut line = Line::of(tone, sign)
        .push(Tone::Dim, format!(" {number:>digits$}  "))
        .push(if calm { Tone::Dim } else { Tone::Plain }, &step.name)
        .indented(if is_narrow(style) { 0 } else { 2 })
        .hanging(4 + digits);
    for (tone, text) in tails(step) {
        line = line.push(Tone::Dim, style.sign(Sign::Dot)).push(tone, text);
    }
    line
}

const fn sign(outcome: &Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Seen(Verdict::Compliant) => ("=", Tone::Good),
        Outcome::Seen(Verdict::Change(_)) => ("+", Tone::Added),
        Outcome::Seen(Verdict::ChangeAfter { .. }) => ("~", Tone::Warn),
        Outcome::Seen(Verdict::UnknownUntil { .. }) => ("?", Tone::Warn),
        Outcome::Seen(Verdict::Blocked(_)) | Outcome::CouldNotTell { .. } => ("!", Tone::Bad),
        Outcome::Interlude(_) => ("*", Tone::Warn),
        Outcome::Seen(Verdict::NotApplicable { .. }) | Outcome::Skipped { .. } => ("-", Tone::Dim),
    }
}

/// What stands behind the name of a step.
fn tails(step: &StepPlan) -> Vec<(Tone, String)> {
    let mut tails = vec![match &step.outcome {
        Outcome::Seen(Verdict::Compliant) => (Tone::Dim, String::new()),
        Outcome::Seen(Verdict::Change(_)) => (Tone::Added, changes(step.count())),
        Outcome::Seen(Verdict::ChangeAfter { step: earlier, .. }) => {
            let text = format!("{} after {earlier}", changes(step.count()));
            (Tone::Warn, text)
        }
        Outcome::Seen(Verdict::UnknownUntil { step, why }) => {
            (Tone::Warn, format!("unknown until {step}: {why}"))
        }
        Outcome::Seen(Verdict::Blocked(blocked)) if blocked.human => {
            (Tone::Bad, format!("needs a decision: {}", blocked.why))
        }
        Outcome::Seen(Verdict::Blocked(blocked)) => {
            (Tone::Bad, format!("blocked: {}", blocked.why))
        }
        Outcome::CouldNotTell { why } => (Tone::Bad, format!("could not tell: {why}")),
        Outcome::Seen(Verdict::NotApplicable { why }) => {
            (Tone::Dim, format!("not applicable: {why}"))
        }
        Outcome::Interlude(Interlude::Ask { question, .. }) => {
            (Tone::Warn, format!("asks: {question}"))
        }
        Outcome::Interlude(Interlude::Pause(time)) => (Tone::Warn, format!("waits {time}")),
        Outcome::Skipped { why } => (Tone::Dim, format!("skipped: {why}")),
    }];
    if step.is_pending() {
        if step.guarded {
            tails.push((Tone::Good, "guarded".to_owned()));
        }
        match step.risk {
            Risk::Low => {}
            Risk::Medium | Risk::High => tails.push((Tone::Warn, format!("{} risk", step.risk))),
        }
    }
    tails.retain(|(_, text)| !text.is_empty());
    tails
}

/// What is no longer as it was left.
fn moved(step: &StepPlan, style: &Style) -> Vec<Line> {
    let moved = step.obstacle().map_or(&[][..], |obstacle| obstacle.moved);
    moved
        .iter()
        .flat_map(|shown| diff::shown(shown, style))
        .collect()
}

fn hint(step: &StepPlan) -> Option<Line> {
    let hint = step.obstacle()?.hint?;
    Some(Line::of(Tone::Plain, format!("hint: {}", sentence(hint))).hanging(2))
}

fn change_lines(change: &Change, style: &Style) -> Vec<Line> {
    let mut summary = Line::of(Tone::Plain, &change.summary).hanging(2);
    match change.timing {
        Timing::InOrder => {}
        Timing::AtEnd => summary = summary.push(Tone::Dim, ", once after all steps"),
    }
    let mut lines = vec![summary];
    for shown in &change.shown {
        lines.extend(
            diff::shown(shown, style)
                .into_iter()
                .map(|line| line.indented(2)),
        );
    }
    match &change.undo {
        Undo::Call(_) => {}
        Undo::Impossible { why } => lines.push(
            Line::of(Tone::Warn, format!("cannot be undone: {}", sentence(why)))
                .indented(2)
                .hanging(2),
        ),
    }
    lines
}

/// A note of a step, a host or a data source.
pub(super) fn note(note: &Note) -> Line {
    let (tone, word) = if note.warning {
        (Tone::Warn, "warning")
    } else {
        (Tone::Dim, "note")
    };
    Line::of(tone, format!("{word}: {}", sentence(&note.text))).hanging(2)
}
