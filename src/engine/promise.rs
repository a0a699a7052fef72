//! A plan that was saved and agreed to, beside the one made now: only where they are the same may anything be
//! done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::survey::{self, Looked};
use super::{Job, Stop};
use crate::change::StepNumber;
use crate::event::{EventKind, Events, Fault, SavedPlan};
use crate::facts::Facts;
use crate::plan::{self, HostPlan, Look, Measure, Moves};
use crate::probe::{Answers, Probe};
use crate::runbook::RenderedStep;

/// What was saved of the hosts of a run, and what to do where it no longer holds.
#[derive(Debug)]
pub struct Promise {
    /// Which plan it is, as it is told.
    pub told: SavedPlan,
    /// The external data that it was made with.
    pub data: Value,
    /// By the hosts' names.
    pub hosts: BTreeMap<String, Promised>,
    /// How exactly the new plans must be the same.
    pub measure: Measure,
    /// On a host that moved, make the steps that neither moved nor may rest on one that did.
    pub keep_going: bool,
}

/// What was saved of one host.
#[derive(Debug)]
pub struct Promised {
    /// The plan that was agreed to.
    pub plan: HostPlan,
    /// What it was made from.
    pub answers: Answers,
    /// The host's facts then.
    pub facts: Option<Facts>,
}

/// What the comparison leaves to do on a host.
#[derive(Debug)]
enum Kept {
    /// The plan is the same.
    Whole,
    /// This much of it; how the host ends all the same.
    Part(HostPlan, Stop),
    /// Nothing.
    Nothing(Stop),
}

/// What may be done on a host.
pub(super) struct Agreed {
    pub(super) looked: Looked,
    /// How the host ends, when only a part of the saved plan is left.
    pub(super) stale: Option<Stop>,
}

/// What is left of a plan beside the saved one, if there is one.
pub(super) fn kept(
    job: &Job,
    looked: Looked,
    facts: &Facts,
    steps: &[RenderedStep],
) -> Result<Agreed, Stop> {
    let kept = match &job.promise {
        None => Kept::Whole,
        Some(promise) => promise.check(&job.events, (&looked.plan, &looked.answers, facts), steps),
    };
    match kept {
        Kept::Whole => Ok(Agreed {
            looked,
            stale: None,
        }),
        Kept::Part(plan, stop) => Ok(Agreed {
            looked: Looked { plan, ..looked },
            stale: Some(stop),
        }),
        Kept::Nothing(stop) => Err(stop),
    }
}

impl Promise {
    /// Compares a host's plan with what was saved of it, and tells what moved.
    fn check(
        &self,
        events: &Events,
        (plan, answers, facts): (&HostPlan, &Answers, &Facts),
        steps: &[RenderedStep],
    ) -> Kept {
        let host = plan.host.as_str();
        let Some(promised) = self.hosts.get(host) else {
            let message = "it has no saved plan; nothing was done here";
            return Kept::Nothing(Stop::new(Fault::Stale, message));
        };
        let then = Look {
            plan: &promised.plan,
            answers: &promised.answers,
            facts: promised.facts.as_ref(),
        };
        let now = Look {
            plan,
            answers,
            facts: Some(facts),
        };
        let probes = |number: StepNumber| probes(steps, number);
        let moves = plan::moves(then, now, self.measure, &probes);
        if moves.is_empty() {
            return Kept::Whole;
        }
        for moved in &moves.steps {
            events.tell(EventKind::StepMoved {
                host: host.to_owned(),
                moved: moved.clone(),
            });
        }
        if moves.other_steps || !self.keep_going {
            return Kept::Nothing(stop(&moves, "nothing was done here"));
        }
        part(plan, steps, &moves)
    }
}

fn probes(steps: &[RenderedStep], number: StepNumber) -> Vec<Probe> {
    let step = steps.iter().find(|step| step.number == number);
    let resource = step.and_then(|step| step.resource.as_ref());
    resource.map(|r| r.probes()).unwrap_or_default()
}

/// The steps that neither moved nor may rest on one that did.
fn part(plan: &HostPlan, steps: &[RenderedStep], moves: &Moves) -> Kept {
    let moved: BTreeSet<StepNumber> = moves.steps.iter().map(|moved| moved.number).collect();
    let out = plan::left_out(plan, steps, &moved);
    let mut left = plan::without(plan, &out, &moved);
    survey::drop_idle_interludes(&mut left.steps);
    if !left.is_pending() || left.obstacle().is_some() {
        return Kept::Nothing(stop(moves, "nothing was done here"));
    }
    let done = "it was left out with all that may rest on it, and nothing was proved in effect";
    Kept::Part(left, stop(moves, done))
}

fn stop(moves: &Moves, done: &str) -> Stop {
    let Some(first) = moves.steps.first() else {
        return Stop::new(Fault::Stale, done);
    };
    let about = if first.subject.is_empty() {
        first.name.clone()
    } else {
        first.subject.clone()
    };
    let more = match moves.steps.len() - 1 {
        0 => String::new(),
        1 => " and one more step".to_owned(),
        more => format!(" and {more} more steps"),
    };
    let message = format!(
        "{} ({about}){more} moved since the plan was made; {done}",
        first.number
    );
    Stop::new(Fault::Stale, message).hint(Some(
        "look at what moved above; then make a new plan with `holdfast plan`".to_owned(),
    ))
}
