//! One step against the answers of its host: what is different, what that rests on, and what must still be so when
//! it is performed.

use std::collections::BTreeSet;

use crate::change::{Blocked, Diff, Known, Note, StepNumber, Undo, Verdict};
use crate::plan::{Expectation, Outcome, StepPlan};
use crate::probe::{Answer, Answers, Probe};
use crate::runbook::RenderedStep;

/// Why a step is skipped whose `when` says no.
pub(super) const NOT_WANTED: &str = "its condition does not hold";

/// Compares one step with the answers, for the plan that is shown.
pub(super) fn plan_step(step: &RenderedStep, answers: &Answers, known: &Known) -> StepPlan {
    compare(step, answers, known, |verdict| {
        rests_on(step, known, verdict)
    })
}

/// Compares one step right before it is performed: what it rests on is done, so all of it is certain.
pub(super) fn plan_now(step: &RenderedStep, answers: &Answers, known: &Known) -> StepPlan {
    compare(step, answers, known, |verdict| match verdict {
        Verdict::ChangeAfter { changes, .. } => Verdict::Change(changes),
        Verdict::Compliant
        | Verdict::Change(_)
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict,
    })
}

fn compare(
    step: &RenderedStep,
    answers: &Answers,
    known: &Known,
    settle: impl Fn(Verdict) -> Verdict,
) -> StepPlan {
    let Some(resource) = &step.resource else {
        if let Some(interlude) = &step.interlude {
            let outcome = Outcome::Interlude(interlude.clone());
            return frame(step, String::new(), outcome, Vec::new(), Vec::new());
        }
        return skipped(step, NOT_WANTED);
    };
    match resource.diff(answers, known) {
        Ok(Diff { verdict, notes }) => {
            let verdict = reversible(step, settle(verdict));
            let expects = expectations(&verdict, answers);
            frame(
                step,
                resource.subject(),
                Outcome::Seen(verdict),
                notes,
                expects,
            )
        }
        Err(error) => {
            let outcome = Outcome::CouldNotTell {
                why: error.to_string(),
            };
            frame(step, resource.subject(), outcome, Vec::new(), Vec::new())
        }
    }
}

/// What a guard could not take back is not done under one: the promise would be a lie.
fn reversible(step: &RenderedStep, verdict: Verdict) -> Verdict {
    if step.guard.is_none_or(|guard| guard.irreversible) {
        return verdict;
    }
    let why = verdict
        .changes()
        .iter()
        .find_map(|change| match &change.undo {
            Undo::Impossible { why } => Some(format!("{}: {why}", change.summary)),
            Undo::Call(_) => None,
        });
    match why {
        None => verdict,
        Some(why) => Verdict::Blocked(Blocked {
            why: format!("it is guarded, and the guard could not take it back ({why})"),
            hint: Some("declare an undo, or accept it with --accept-irreversible".to_owned()),
            human: true,
            moved: Vec::new(),
        }),
    }
}

/// `after:`: once an earlier step changes something, this one is looked at again.
fn rests_on(step: &RenderedStep, known: &Known, verdict: Verdict) -> Verdict {
    let Some(earlier) = step
        .after
        .iter()
        .filter_map(|id| known.changing_step(id))
        .max()
    else {
        return verdict;
    };
    match verdict {
        Verdict::Change(changes) => Verdict::ChangeAfter {
            step: earlier,
            changes,
        },
        Verdict::Compliant => Verdict::UnknownUntil {
            step: earlier,
            why: "it is as desired now, and is looked at again then".to_owned(),
        },
        Verdict::ChangeAfter { .. }
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict,
    }
}

fn expectations(verdict: &Verdict, answers: &Answers) -> Vec<Expectation> {
    let Verdict::Change(changes) = verdict else {
        return Vec::new();
    };
    let probes: BTreeSet<&Probe> = changes.iter().flat_map(|change| &change.expects).collect();
    let digest = |probe: &Probe| answers.get(probe).ok().map(Answer::digest);
    probes
        .into_iter()
        .filter_map(|probe| {
            Some(Expectation {
                digest: digest(probe)?,
                probe: probe.clone(),
            })
        })
        .collect()
}

/// A step that is not looked at.
pub(super) fn skipped(step: &RenderedStep, why: &str) -> StepPlan {
    let subject = step
        .resource
        .as_ref()
        .map(|resource| resource.subject())
        .unwrap_or_default();
    frame(
        step,
        subject,
        Outcome::Skipped {
            why: why.to_owned(),
        },
        Vec::new(),
        Vec::new(),
    )
}

fn frame(
    step: &RenderedStep,
    subject: String,
    outcome: Outcome,
    notes: Vec<Note>,
    expects: Vec<Expectation>,
) -> StepPlan {
    let number: StepNumber = step.number;
    StepPlan {
        number,
        id: step.id.clone(),
        name: step.name.clone(),
        subject,
        risk: step.risk,
        guarded: step.guard.is_some(),
        outcome,
        notes,
        expects,
    }
}
