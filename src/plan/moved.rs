//! What moved between a plan that was saved and one that is made now: which steps are no longer what was
//! agreed to, and what is different on the host, as a diff from then to now.
//!
//! A step is *the same* when its changes and what they rest on are. Where somebody has made it so meanwhile (an
//! earlier try of the same plan, say), nothing is left of it, and that is no difference either: nothing will be
//! written. Steps that could only be predicted may have become certain by that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::explain;
use super::{HostPlan, Outcome, StepPlan};
use crate::change::{Change, Shown, StepNumber, Undo, Verdict};
use crate::facts::Facts;
use crate::probe::{Answers, Probe};

/// A host at one time: its plan, and what that was made from.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The plan.
    pub plan: &'a HostPlan,
    /// The answers to the questions of its steps.
    pub answers: &'a Answers,
    /// The host's facts, when they are known.
    pub facts: Option<&'a Facts>,
}

/// How exactly two plans must be alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// To the last byte: the same version of Holdfast made both.
    Exact,
    /// In all that is shown and in what the host answers to the same questions: another version may ask more,
    /// and may act by other calls.
    Shown,
}

/// A step that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its number in the saved plan.
    pub number: StepNumber,
    /// The desired state in the author's words.
    pub name: String,
    /// What it is about.
    pub subject: String,
    /// How, as a clause.
    pub why: String,
    /// What is different: from then to now.
    pub shown: Vec<Shown>,
}

/// All that moved on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// The steps that moved, in order.
    pub steps: Vec<Moved>,
    /// The runbook comes to other steps now: none of them can be told from the others.
    pub other_steps: bool,
}

impl Moves {
    /// Whether the plan is still the same.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Compares a saved plan with one made now. `probes` gives the questions of a step.
pub fn moves(
    then: Look<'_>,
    now: Look<'_>,
    measure: Measure,
    probes: &dyn Fn(StepNumber) -> Vec<Probe>,
) -> Moves {
    if let Some(moved) = other_steps(then.plan, now.plan) {
        let shown = facts(then, now);
        return Moves {
            steps: vec![Moved { shown, ..moved }],
            other_steps: true,
        };
    }
    let mut done = BTreeSet::new();
    let mut steps = Vec::new();
    let last_due = now.plan.steps.iter().rposition(StepPlan::is_pending);
    for (index, (before, after)) in then.plan.steps.iter().zip(&now.plan.steps).enumerate() {
        let is_idle = last_due.is_none_or(|last| index > last);
        match state(before, after, is_idle, &done, measure) {
            State::Same => {}
            State::Done => {
                done.insert(before.number);
            }
            State::Moved => {
                let probes = probes(before.number);
                let answers = (then.answers, now.answers);
                let shown = explain::shown(before, after, &probes, answers);
                steps.push(Moved {
                    number: before.number,
                    name: before.name.clone(),
                    subject: before.subject.clone(),
                    why: explain::why(before, after, !shown.is_empty()),
                    shown,
                });
            }
        }
    }
    if let Some(first) = steps.first_mut() {
        first.shown.extend(facts(then, now));
    }
    Moves {
        steps,
        other_steps: false,
    }
}

/// The first place where the two are not about the same things.
fn other_steps(then: &HostPlan, now: &HostPlan) -> Option<Moved> {
    let about = |step: &StepPlan| (step.number, step.id.clone(), step.subject.clone());
    let pairs = then.steps.iter().zip(&now.steps);
    let common = pairs
        .take_while(|(a, b)| about(a) == about(b) || is_silent(a) || is_silent(b))
        .count();
    let (before, after) = (then.steps.get(common), now.steps.get(common));
    let step = before.or(after)?;
    let named = |step: Option<&StepPlan>| {
        step.map_or("no step".to_owned(), |step| format!("\"{}\"", step.name))
    };
    Some(Moved {
        number: step.number,
        name: step.name.clone(),
        subject: step.subject.clone(),
        why: format!(
            "the runbook comes to other steps on this host now: here it was {}, and is {}",
            named(before),
            named(after)
        ),
        shown: Vec::new(),
    })
}

/// A step whose condition does not hold says nothing of what it is about.
fn is_silent(step: &StepPlan) -> bool {
    step.subject.is_empty()
}

/// What became of a step.
enum State {
    Same,
    /// Nothing is left to do of it.
    Done,
    Moved,
}

/// `is_idle`: nothing after it is due now.
fn state(
    then: &StepPlan,
    now: &StepPlan,
    is_idle: bool,
    done: &BTreeSet<StepNumber>,
    measure: Measure,
) -> State {
    let is_same = match (&then.outcome, &now.outcome) {
        (Outcome::Seen(_), Outcome::Seen(Verdict::Compliant)) if then.is_pending() => {
            return State::Done;
        }
        (Outcome::Seen(before), Outcome::Seen(after)) => {
            same_verdict(before, after, done, measure) && same_answers(then, now, measure)
        }
        (Outcome::Interlude(before), Outcome::Interlude(after)) => before == after,
        // A question or a pause is for what comes after it. What was agreed to with it is not done without it.
        (Outcome::Interlude(_), Outcome::Skipped { .. }) => is_idle,
        (Outcome::Skipped { .. }, Outcome::Skipped { .. })
        | (Outcome::CouldNotTell { .. }, Outcome::CouldNotTell { .. }) => true,
        (
            Outcome::Seen(_)
            | Outcome::Interlude(_)
            | Outcome::Skipped { .. }
            | Outcome::CouldNotTell { .. },
            _,
        ) => false,
    };
    let is_framed_alike = (then.risk, then.guarded) == (now.risk, now.guarded);
    if is_same && is_framed_alike {
        State::Same
    } else {
        State::Moved
    }
}

fn same_verdict(
    then: &Verdict,
    now: &Verdict,
    done: &BTreeSet<StepNumber>,
    measure: Measure,
) -> bool {
    match (then, now) {
        (Verdict::Change(before), Verdict::Change(after)) => alike(before, after, measure),
        (
            Verdict::ChangeAfter {
                step: earlier,
                changes: before,
            },
            Verdict::Change(after),
        ) => done.contains(earlier) && alike(before, after, measure),
        (
            Verdict::ChangeAfter {
                step: earlier,
                changes: before,
            },
            Verdict::ChangeAfter { step, changes },
        ) => (earlier == step || done.contains(earlier)) && alike(before, changes, measure),
        // Nothing was promised about it, and what it waited for is done.
        (Verdict::UnknownUntil { step, .. }, after) if done.contains(step) => {
            !matches!(after, Verdict::Blocked(_))
        }
        (
            Verdict::Compliant
            | Verdict::Change(_)
            | Verdict::ChangeAfter { .. }
            | Verdict::UnknownUntil { .. }
            | Verdict::Blocked(_)
            | Verdict::NotApplicable { .. },
            after,
        ) => then == after,
    }
}

fn alike(then: &[Change], now: &[Change], measure: Measure) -> bool {
    match measure {
        Measure::Exact => then == now,
        Measure::Shown => {
            then.len() == now.len() && then.iter().zip(now).all(|(a, b)| looks_alike(a, b))
        }
    }
}

fn looks_alike(then: &Change, now: &Change) -> bool {
    let can_be_undone = |change: &Change| matches!(change.undo, Undo::Call(_));
    then.summary == now.summary
        && then.shown == now.shown
        && then.timing == now.timing
        && can_be_undone(then) == can_be_undone(now)
}

/// What the changes were planned from. A step that rested on an earlier one expects nothing yet.
fn same_answers(then: &StepPlan, now: &StepPlan, measure: Measure) -> bool {
    if measure == Measure::Exact && !then.expects.is_empty() {
        return then.expects == now.expects;
    }
    then.expects.iter().all(|before| {
        let mut after = now.expects.iter().filter(|e| e.probe == before.probe);
        after.all(|after| after.digest == before.digest)
    })
}

/// Facts that are different now, but for those that are at every look.
fn facts(then: Look<'_>, now: Look<'_>) -> Vec<Shown> {
    let tree = |look: Look<'_>| {
        look.facts
            .and_then(|facts| serde_json::to_value(facts).ok())
    };
    let (Some(before), Some(after)) = (tree(then), tree(now)) else {
        return Vec::new();
    };
    let mut shown = Vec::new();
    compare("facts", &before, &after, &mut shown);
    shown
}

/// Differ at every look, or after every restart.
const VOLATILE: [&str; 2] = ["facts.clock_ahead", "facts.boot_id"];

fn compare(name: &str, before: &Value, after: &Value, shown: &mut Vec<Shown>) {
    if before == after || VOLATILE.contains(&name) {
        return;
    }
    if let (Value::Object(fields), Value::Object(others)) = (before, after) {
        for (key, value) in fields {
            let other = others.get(key).unwrap_or(&Value::Null);
            compare(&format!("{name}.{key}"), value, other, shown);
        }
        return;
    }
    shown.push(Shown::Property {
        name: name.to_owned(),
        before: before.to_string(),
        after: after.to_string(),
    });
}

#[cfg(test)]
#[path = "moved_tests.rs"]
mod tests;
