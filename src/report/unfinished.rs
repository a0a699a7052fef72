//! Runs that were cut off, as they are told: who, when, what was done, what not, what nobody knows.

use jiff::Timestamp;

use super::line::Line;
use super::streams::Notice;
use super::style::Tone;
use super::tally::Tally;
use super::words::changes;
use crate::event::{Decision, EventKind, Mode, StepState, Unfinished, UnfinishedStep};

/// What to tell of a run that was cut off.
pub(super) fn notice(kind: &EventKind, tally: &Tally) -> Option<Notice> {
    match kind {
        EventKind::UnfinishedFound { host, found: cut } => {
            let run = tally.run.as_ref();
            let goes_on =
                run.is_some_and(|run| run.mode == Mode::Apply && run.runbook == cut.runbook);
            Some(found(host, cut, goes_on))
        }
        EventKind::UnfinishedSettled {
            host,
            run,
            decision,
        } => Some(settled(host, run, *decision)),
        _ => None,
    }
}

/// An earlier run was cut off on a host. `goes_on`: this run may go on from it.
fn found(host: &str, found: &Unfinished, goes_on: bool) -> Notice {
    let head = Line::of(Tone::Warn, "unfinished: ")
        .push(Tone::Plain, head(found))
        .hanging(2);
    let rows = rows(&found.steps).into_iter().map(|(tone, word, text)| {
        Line::of(tone, word)
            .push(Tone::Plain, format!(": {text}"))
            .indented(2)
            .hanging(2)
    });
    let hint = (!goes_on).then(|| hint(found)).flatten();
    Notice::of_host(
        host,
        std::iter::once(head).chain(rows).chain(hint).collect(),
    )
}

/// What to do about it, for a run that leaves it as it is.
fn hint(found: &Unfinished) -> Option<Line> {
    let verb = if found.undoes.is_empty() {
        format!("run {}", found.runbook)
    } else {
        format!("rollback {}", found.undoes)
    };
    let text = format!(
        "holdfast {verb} goes on from there, holdfast rollback {} takes it back; with --unfinished settle it is not told of again.",
        found.run
    );
    let known = !found.runbook.is_empty();
    known.then(|| Line::of(Tone::Dim, text).indented(2).hanging(2))
}

/// It was decided what becomes of it.
fn settled(host: &str, run: &str, decision: Decision) -> Notice {
    let what = match decision {
        Decision::Next => {
            let text = format!("run {run} is taken back next, by a run of its own");
            return Notice::of_host(host, vec![Line::of(Tone::Plain, text).hanging(2)]);
        }
        Decision::Resumed => "this run went on from where it was cut off",
        Decision::Undone => "what it had done was taken back",
        Decision::Left => "it is left as it is, and is not told of again",
    };
    let line = Line::of(Tone::Plain, format!("settled: run {run}: {what}"));
    Notice::of_host(host, vec![line.hanging(2)])
}

fn head(found: &Unfinished) -> String {
    let known = |before: &str, text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("{before}{text}")
        }
    };
    let last = found
        .last
        .and_then(|last| Timestamp::from_second(last).ok())
        .map(|last| format!(", last heard of at {}", last.strftime("%Y-%m-%dT%H:%M:%SZ")));
    let restarted = if found.restarted {
        "; the host was restarted since it began"
    } else {
        ""
    };
    format!(
        "run {}{}{}{}, was cut off{}{restarted}",
        found.run,
        known(" of ", &found.operator),
        known(" at ", &found.started),
        known(", runbook ", &found.runbook),
        last.unwrap_or_default()
    )
}

/// A line for each way in which steps were left.
fn rows(steps: &[UnfinishedStep]) -> Vec<(Tone, &'static str, String)> {
    let mut rows: Vec<(Tone, &'static str, Vec<String>)> = Vec::new();
    for step in steps {
        let (tone, word, more) = left(step.state);
        let text = format!("{}{more}", named(step));
        match rows.iter_mut().find(|(_, known, _)| *known == word) {
            Some((_, _, texts)) => texts.push(text),
            None => rows.push((tone, word, vec![text])),
        }
    }
    rows.into_iter()
        .map(|(tone, word, texts)| (tone, word, texts.join(", ")))
        .collect()
}

fn left(state: StepState) -> (Tone, &'static str, String) {
    let so_far = |made: usize| match made {
        0 => String::new(),
        made => format!(", {} of it made", changes(made)),
    };
    match state {
        StepState::Done => (Tone::Good, "done", String::new()),
        StepState::Unknown { made } => (
            Tone::Bad,
            "unknown",
            format!(": begun, and how it ended is not on record{}", so_far(made)),
        ),
        StepState::Partly { made } => (Tone::Warn, "in part", so_far(made)),
        StepState::Failed { made } => (Tone::Bad, "failed", so_far(made)),
        StepState::TakenBack => (Tone::Plain, "taken back", String::new()),
        StepState::Untouched => (
            Tone::Dim,
            "not done",
            ": begun, but nothing of it was done".to_owned(),
        ),
        StepState::NotBegun => (Tone::Dim, "not done", String::new()),
    }
}

fn named(step: &UnfinishedStep) -> String {
    let end = if step.at_end { " at the end" } else { "" };
    if step.name.is_empty() {
        format!("{}{end}", step.number)
    } else {
        format!("{}{end} ({})", step.number, step.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::StepNumber;
    use crate::report::Style;

    fn step(number: usize, state: StepState) -> UnfinishedStep {
        UnfinishedStep {
            number: StepNumber(number),
            name: format!("State {number}"),
            at_end: number == 5,
            once: false,
            state,
        }
    }

    fn told(notice: &Notice) -> String {
        notice.text(&Style::plain(), 0)
    }

    #[test]
    fn a_run_that_was_cut_off_is_told_with_who_when_and_what() {
        let run = Unfinished {
            run: "r-1".to_owned(),
            runbook: "web".to_owned(),
            operator: "ada@desk".to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            version: "0.3.0".to_owned(),
            undoes: String::new(),
            last: Some(1_767_323_050),
            restarted: true,
            steps: vec![
                step(1, StepState::Done),
                step(2, StepState::Partly { made: 1 }),
                step(3, StepState::Unknown { made: 0 }),
                step(4, StepState::NotBegun),
                step(5, StepState::NotBegun),
            ],
        };
        let text = told(&found("web-1", &run, true));
        assert_eq!(
            text,
            "web-1 │ unfinished: run r-1 of ada@desk at 2026-01-02T03:04:05Z, runbook web, was cut off, last heard of at 2026-01-02T03:04:10Z; the host was restarted since it began\n\
             web-1 │   done: step 1 (State 1)\n\
             web-1 │   in part: step 2 (State 2), 1 change of it made\n\
             web-1 │   unknown: step 3 (State 3): begun, and how it ended is not on record\n\
             web-1 │   not done: step 4 (State 4), step 5 at the end (State 5)\n"
        );
        let other = told(&found("web-1", &run, false));
        let last = other.lines().last().unwrap();
        assert!(last.starts_with("web-1 │   holdfast run web goes on from there"));
    }

    #[test]
    fn what_was_decided_is_told() {
        let text = told(&settled("web-1", "r-1", Decision::Resumed));
        assert!(text.contains("run r-1: this run went on"));
        let text = told(&settled("web-1", "r-1", Decision::Next));
        assert_eq!(
            text,
            "web-1 │ run r-1 is taken back next, by a run of its own\n"
        );
    }
}
