//! What a person reads in a guided run: the question before a step, and its details.

use super::groups::visible;
use super::line::{Line, message};
use super::plan_view;
use super::streams::{Notice, Stream};
use super::style::{Sign, Style, Tone};
use super::words::{changes, command_line, joined, listed, seconds, sentence};
use crate::change::{Call, Change, Timing, Undo, Verdict};
use crate::event::{Rest, Since, StepQuestion};
use crate::risk::Risk;

/// Names of checks that are shown before a step; all of them stand in the details.
const MOST_CHECKS: usize = 3;

/// Whether two hosts would be asked in the same words, so that one answer can be for both.
pub fn looks_alike(one: &StepQuestion, other: &StepQuestion) -> bool {
    let bare = |question: &StepQuestion| StepQuestion {
        step: visible(&question.step),
        ..question.clone()
    };
    bare(one) == bare(other)
}

/// The question before a step, without the answers that may be given.
pub fn step_question(hosts: &[String], question: &StepQuestion, style: &Style) -> String {
    let mut lines = vec![Line::new(), heading(hosts, question, style)];
    if let Some(failure) = &question.failure {
        let head = Line::of(Tone::Bad, format!("{} ", style.sign(Sign::Bad)));
        lines.extend(message(head, &failure.message, style));
        let hint = failure.hint.iter();
        lines.extend(hint.map(|hint| field("hint", Tone::Plain, &sentence(hint))));
    }
    if let Some(why) = &question.why {
        lines.push(field("why", Tone::Plain, &sentence(why)));
    }
    lines.push(risk(question));
    if question.since != Since::Same {
        let text = "what would be done now is not what the plan showed: look closely";
        lines.push(field("moved", Tone::Warn, &sentence(text)));
    }
    lines.extend(plan_view::step(&question.step, style));
    lines.push(field("proof", Tone::Plain, &proof(question, MOST_CHECKS)));
    lines.extend(skipping(question));
    lines.extend(back(question));
    text(lines, style)
}

/// Everything that is known of a step: the whole diff, what is run, what must still be so, and the way back.
pub fn step_details(hosts: &[String], question: &StepQuestion, style: &Style) -> String {
    let whole = Style {
        verbosity: style.verbosity.max(1),
        ..*style
    };
    let mut lines = vec![Line::new(), heading(hosts, question, style)];
    lines.push(field("hosts", Tone::Plain, &joined(hosts)));
    lines.push(field("about", Tone::Plain, &question.step.subject));
    lines.extend(plan_view::step(&question.step, &whole));
    let all = question.step.verdict().map(Verdict::changes);
    for change in all.unwrap_or_default() {
        lines.extend(call_lines(change));
    }
    for expectation in &question.step.expects {
        let words = [
            std::slice::from_ref(&expectation.probe.function),
            expectation.probe.args.as_slice(),
        ];
        let digest = expectation.digest.to_string();
        let digest: String = digest.chars().take(12).collect();
        let asked = format!(
            "{} must answer as now ({digest})",
            command_line(&words.concat())
        );
        lines.push(field("only if", Tone::Dim, &asked));
    }
    lines.push(field("proof", Tone::Plain, &proof(question, usize::MAX)));
    text(lines, style)
}

/// Lines of prose, broken where the terminal is narrow.
pub fn paragraphs(text: &str, style: &Style) -> String {
    let lines = text
        .lines()
        .map(|line| Line::of(Tone::Plain, line).hanging(4));
    self::text(lines.collect(), style)
}

fn text(lines: Vec<Line>, style: &Style) -> String {
    Notice::of_run(Stream::Status, lines).text(style, 0)
}

/// `step 3 of 9 · The name · web-1, web-2`.
fn heading(hosts: &[String], question: &StepQuestion, style: &Style) -> Line {
    let dot = style.sign(Sign::Dot);
    let number = question.step.number.0;
    let end = if question.at_end { ", at the end" } else { "" };
    Line::of(
        Tone::Strong,
        format!("step {number} of {}{end}", question.of),
    )
    .push(Tone::Dim, dot)
    .push(Tone::Strong, &question.step.name)
    .push(Tone::Dim, dot)
    .push(Tone::Strong, listed(hosts, style.width))
    .hanging(2)
}

fn field(name: &str, tone: Tone, text: &str) -> Line {
    Line::of(Tone::Dim, format!("{name:<6} "))
        .push(tone, text)
        .indented(2)
        .hanging(2)
}

/// The risk, and what the step can cut.
fn risk(question: &StepQuestion) -> Line {
    let (tone, cuts) = match (&question.guard, question.risk) {
        (Some(_), _) if question.here => (
            Tone::Warn,
            "can cut the way into this machine. It is guarded, but no login from here proves anything: it is \
             taken back if this run does not come to its end"
                .to_owned(),
        ),
        (Some(guard), _) => {
            let by = guard.port.map_or(String::new(), |port| format!(" by port {port}"));
            let time = seconds(guard.seconds);
            let with = if guard.reloads.is_empty() {
                String::new()
            } else {
                format!("; with it, under the same guard: {}", guard.reloads.join(", "))
            };
            let text = format!(
                "can cut SSH. It is guarded: the host takes it back by itself unless a new login{by} succeeds within {time}{with}"
            );
            (Tone::Good, text)
        }
        (None, _) if is_here(question) => (
            Tone::Plain,
            "is done on this machine, so it cuts no way in".to_owned(),
        ),
        (None, Risk::High) => (
            Tone::Warn,
            "it is not guarded: nothing takes it back by itself".to_owned(),
        ),
        (None, Risk::Low | Risk::Medium) => {
            (Tone::Plain, "does not touch the way in, so it is not guarded".to_owned())
        }
    };
    field(
        "risk",
        tone,
        &format!("{}; {}", question.risk, sentence(&cuts)),
    )
}

/// Whether all of it is done on this machine, for the host.
fn is_here(question: &StepQuestion) -> bool {
    let changes = question
        .step
        .verdict()
        .map(Verdict::changes)
        .unwrap_or_default();
    let here = |change: &Change| change.act.function.starts_with("here_");
    !changes.is_empty() && changes.iter().all(here)
}

/// What will show that it is so.
fn proof(question: &StepQuestion, most: usize) -> String {
    let mut parts = vec!["looked at again at once, when nothing of it may be left".to_owned()];
    if question.guard.is_some() && !question.here {
        parts.push("a new login".to_owned());
    }
    if !question.checks.is_empty() {
        let shown: Vec<&str> = question
            .checks
            .iter()
            .take(most)
            .map(String::as_str)
            .collect();
        let more = question.checks.len() - shown.len();
        let more = if more > 0 {
            format!(" (+{more})")
        } else {
            String::new()
        };
        parts.push(format!("after the last step: {}{more}", shown.join("; ")));
    }
    sentence(&parts.join("; "))
}

/// What "no" means.
fn skipping(question: &StepQuestion) -> Vec<Line> {
    let head = if question.rests.is_empty() {
        "it stays as it is, and no later step rests on it"
    } else {
        "it stays as it is, and this rests on it:"
    };
    let rests = question
        .rests
        .iter()
        .map(|rest| rest_line(rest).indented(4));
    std::iter::once(field("skip", Tone::Plain, &sentence(head)))
        .chain(rests)
        .collect()
}

pub(super) fn rest_line(rest: &Rest) -> Line {
    let text = format!("{} ({}) {}", rest.number, rest.name, rest.becomes);
    Line::of(Tone::Warn, text).hanging(2)
}

fn back(question: &StepQuestion) -> Option<Line> {
    let back = question.back.as_ref()?;
    let what = match (back.changes, back.failed) {
        (0, true) => "taking back what failed of it".to_owned(),
        (0, false) => "which was skipped".to_owned(),
        (count, _) => format!("taking back its {}", changes(count)),
    };
    let text = format!("to {} ({}), {what}", back.number, back.name);
    Some(field("back", Tone::Dim, &sentence(&text)))
}

/// What is run on the host for a change, and for its undo.
fn call_lines(change: &Change) -> Vec<Line> {
    let when = match change.timing {
        Timing::InOrder => "runs",
        Timing::AtEnd => "at end",
    };
    let undo = match &change.undo {
        Undo::Call(call) => words(call),
        Undo::Impossible { why } => format!("cannot be undone: {why}"),
    };
    vec![
        field(when, Tone::Dim, &words(&change.act)),
        field("undo", Tone::Dim, &undo),
    ]
}

fn words(call: &Call) -> String {
    let all = [std::slice::from_ref(&call.function), call.args.as_slice()].concat();
    let input = call
        .input
        .as_ref()
        .map(|input| format!(" < {} bytes", input.len()));
    format!("{}{}", command_line(&all), input.unwrap_or_default())
}
