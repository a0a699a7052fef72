//! Steps that still count, compared with how things are now, and what is said of each.

use super::compare::plan_step;
use super::left_behind::{self, Later, LeftBehind};
use super::records::{self, Record, Standing};
use super::survey::probes;
use crate::change::{Known, Note, Verdict};
use crate::plan::{Outcome, StepPlan};
use crate::resource::Resource;
use crate::risk::Risk;
use crate::runbook::{Left, RenderedStep, Retry, What};
use crate::transport::{ReadHost, TransportError};
use crate::value::Duration;

/// A step that still counts, as it is now.
pub(super) struct Compared<'a> {
    /// The run that left it.
    pub(super) record: &'a Record,
    behind: &'a LeftBehind,
    /// How it is now.
    pub(super) plan: StepPlan,
    /// Whether it was so when its run went.
    pub(super) was_so: bool,
    /// What it described, and what comparing it alone comes to; none when it could not be read.
    now: Option<(Box<dyn Resource>, Verdict)>,
}

impl Compared<'_> {
    /// Whether it is no longer as it was left.
    pub(super) fn is_due(&self) -> bool {
        !is_as_left(&self.plan.outcome)
    }

    /// What a later run made of it is no drift.
    pub(super) fn excuse(&mut self, later: &[Later<'_>]) {
        let Some((resource, now)) = &self.now else {
            return;
        };
        let left = left_behind::difference_left(resource.as_ref(), self.behind, later);
        if left.as_ref() == Some(now) {
            self.pass_over("it is as the last run left it");
        }
    }

    /// Nothing is said of it.
    pub(super) fn pass_over(&mut self, why: &str) {
        self.plan.outcome = Outcome::Skipped {
            why: why.to_owned(),
        };
    }

    /// What is shown of it.
    pub(super) fn told(self) -> StepPlan {
        let mut plan = self.plan;
        if is_as_left(&plan.outcome) {
            // What a kind remarks about what is as it should be is no news here.
            plan.notes.clear();
        } else {
            plan.notes.insert(0, Note::info(story(self.record)));
        }
        plan
    }
}

/// Asks and compares each of them.
///
/// # Errors
/// When the host does not answer.
pub(super) async fn compare<'a>(
    link: &mut ReadHost,
    standing: Vec<Standing<'a>>,
) -> Result<Vec<Compared<'a>>, TransportError> {
    let mut whose: Vec<(&'a Record, &'a LeftBehind)> = Vec::new();
    let (mut rendered, mut unknown) = (Vec::new(), Vec::new());
    for (
        index,
        Standing {
            record,
            behind,
            left,
        },
    ) in standing.into_iter().enumerate()
    {
        whose.push((record, behind));
        match step(index, left) {
            Ok(step) => rendered.push(step),
            Err(plan) => unknown.push((index, *plan)),
        }
    }
    let answers = link.ask(&probes(&rendered)).await?;
    // Each for itself: what another would bring back is not there.
    let plan = |step: &RenderedStep| plan_step(step, &answers, &Known::nothing());
    let mut plans: Vec<StepPlan> = rendered.iter().map(plan).collect();
    let resources = rendered.into_iter().map(|step| step.resource);
    let mut resources: Vec<Option<Box<dyn Resource>>> = resources.collect();
    for (index, plan) in unknown {
        plans.insert(index, plan);
        resources.insert(index, None);
    }
    let mut compared = Vec::new();
    for (((record, behind), plan), resource) in whose.into_iter().zip(plans).zip(resources) {
        let then = resource
            .as_ref()
            .map(|resource| behind.verdict(resource.as_ref()));
        let was_so = !matches!(&then, Some(Some(verdict)) if !left_behind::is_calm(verdict));
        // Nobody looked at it when its run went: as it describes it is fine, but a difference may be older than that.
        let plan = if then == Some(None) {
            in_doubt(plan)
        } else {
            plan
        };
        let now = resource.and_then(|resource| {
            let verdict = left_behind::verdict(resource.as_ref(), &answers)?;
            Some((resource, verdict))
        });
        compared.push(Compared {
            record,
            behind,
            plan,
            was_so,
            now,
        });
    }
    Ok(compared)
}

/// The step to compare, or what is said of one that cannot be read.
fn step(index: usize, left: Left) -> Result<RenderedStep, Box<StepPlan>> {
    let Left { name, what, .. } = left;
    let number = records::number(index);
    match what {
        What::Resource(_, resource) => Ok(RenderedStep {
            number,
            id: None,
            name,
            why: None,
            risk: Risk::default(),
            resource: Some(resource),
            interlude: None,
            after: Vec::new(),
            reload_on: Vec::new(),
            guard: None,
            retry: Retry::NONE,
            timeout: Duration::seconds(0),
            tags: Vec::new(),
        }),
        What::Unknown { why } => Err(Box::new(StepPlan {
            number,
            id: None,
            name,
            subject: String::new(),
            risk: Risk::default(),
            guarded: false,
            outcome: Outcome::CouldNotTell { why },
            notes: Vec::new(),
            expects: Vec::new(),
        })),
    }
}

/// A step of which nobody knows how its run left it.
fn in_doubt(mut plan: StepPlan) -> StepPlan {
    if !is_as_left(&plan.outcome) {
        plan.outcome = Outcome::CouldNotTell {
            why: "it is not as the step describes it, and how the run left it is not on record"
                .to_owned(),
        };
    }
    plan
}

/// Who left it so.
fn story(record: &Record) -> String {
    let Record {
        run,
        runbook,
        operator,
        started,
        ..
    } = record;
    format!("left otherwise by {runbook}, run {run} of {operator} at {started}")
}

/// Whether nothing is to be said about it.
pub(super) fn is_as_left(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Seen(verdict) => left_behind::is_calm(verdict),
        Outcome::Skipped { .. } | Outcome::Interlude(_) => true,
        Outcome::CouldNotTell { .. } => false,
    }
}
