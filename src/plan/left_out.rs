//! Which steps of a host are left out when some of them moved and the others are to go on.
//!
//! Left out is what moved, and everything that may rest on it:
//!
//! - what says so: `after`, `reload_on`, a change that was predicted from an earlier step's;
//! - the other way round for reloads: a file whose service is not reloaded would be half done, so it waits too;
//! - guarded and high-risk steps behind anything that is left out: what they need not to cut us off may be just
//!   that (the rule that lets SSH in, before the firewall is switched on);
//! - questions and pauses behind anything that is left out, and all that comes after them: they are about what
//!   was to be done before.

use std::collections::BTreeSet;

use super::{HostPlan, Outcome, StepPlan};
use crate::change::{StepNumber, Verdict};
use crate::risk::Risk;
use crate::runbook::RenderedStep;

/// The numbers of the steps to leave out, `moved` among them.
pub fn left_out(
    plan: &HostPlan,
    steps: &[RenderedStep],
    moved: &BTreeSet<StepNumber>,
) -> BTreeSet<StepNumber> {
    let mut out = moved.clone();
    loop {
        let more: Vec<StepNumber> = plan
            .steps
            .iter()
            .filter(|step| !out.contains(&step.number) && rests_on(step, plan, steps, &out))
            .map(|step| step.number)
            .collect();
        if more.is_empty() {
            return out;
        }
        out.extend(more);
    }
}

fn rests_on(
    step: &StepPlan,
    plan: &HostPlan,
    steps: &[RenderedStep],
    out: &BTreeSet<StepNumber>,
) -> bool {
    let is_behind = out.iter().any(|left| *left < step.number);
    let is_delicate =
        step.guarded || step.risk == Risk::High || matches!(step.outcome, Outcome::Interlude(_));
    (is_behind && is_delicate)
        || is_behind_a_question(step, plan, out)
        || is_predicted_from(step, out)
        || is_tied(step, steps, out)
}

fn is_behind_a_question(step: &StepPlan, plan: &HostPlan, out: &BTreeSet<StepNumber>) -> bool {
    let questions = plan
        .steps
        .iter()
        .filter(|other| matches!(other.outcome, Outcome::Interlude(_)));
    let mut before = questions.filter(|other| other.number < step.number);
    before.any(|question| out.contains(&question.number))
}

fn is_predicted_from(step: &StepPlan, out: &BTreeSet<StepNumber>) -> bool {
    match step.verdict() {
        Some(
            Verdict::ChangeAfter { step: earlier, .. }
            | Verdict::UnknownUntil { step: earlier, .. },
        ) => out.contains(earlier),
        _ => false,
    }
}

/// Whether the runbook ties it to a step that is left out.
fn is_tied(step: &StepPlan, steps: &[RenderedStep], out: &BTreeSet<StepNumber>) -> bool {
    let is_out = |step: &RenderedStep| out.contains(&step.number);
    let id_is_out = |id: &String| {
        let mut named = steps.iter().filter(|step| step.id.as_ref() == Some(id));
        named.any(is_out)
    };
    let Some(rendered) = steps.iter().find(|one| one.number == step.number) else {
        return false;
    };
    let asks = rendered.after.iter().chain(&rendered.reload_on);
    let reloads = |other: &RenderedStep| {
        let mut ids = other.reload_on.iter();
        ids.any(|id| rendered.id.as_ref() == Some(id))
    };
    asks.into_iter().any(id_is_out) || steps.iter().any(|other| is_out(other) && reloads(other))
}

/// The plan with these steps left out, and with the reason.
#[must_use]
pub fn without(
    plan: &HostPlan,
    out: &BTreeSet<StepNumber>,
    moved: &BTreeSet<StepNumber>,
) -> HostPlan {
    let mut plan = plan.clone();
    for step in plan.steps.iter_mut().filter(|s| out.contains(&s.number)) {
        let why = if moved.contains(&step.number) {
            "it moved since the plan was made"
        } else if step.is_pending() || matches!(step.outcome, Outcome::Interlude(_)) {
            "it may rest on what moved since the plan was made"
        } else {
            continue;
        };
        step.outcome = Outcome::Skipped {
            why: why.to_owned(),
        };
        step.expects.clear();
    }
    plan
}
