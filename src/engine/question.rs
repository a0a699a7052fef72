//! The question before a step: what it would do now, what it can cut, what rests on it, and the way back.

use super::Stop;
use super::due::keeps_promise;
use super::past::Entry;
use super::worker::Worker;
use crate::change::{StepNumber, Timing, Verdict};
use crate::event::{Back, Failure, QuestionGuard, Rest, Since, StepQuestion};
use crate::inventory::Connection;
use crate::plan::{Outcome, StepPlan};
use crate::runbook::RenderedStep;
use crate::value::Port;

impl Worker<'_> {
    /// What a person is asked about a step as it is now.
    pub(super) fn question(
        &self,
        planned: &StepPlan,
        live: &StepPlan,
        timing: Timing,
        failed: Option<&(Stop, bool)>,
    ) -> StepQuestion {
        let rendered = find(&self.rendered.steps, planned.number);
        let why = rendered.and_then(|step| step.why.clone());
        let runbook = &self.job.runbook;
        let reason = Some(runbook.why.trim().to_owned()).filter(|why| !why.is_empty());
        let checks = self.rendered.checks.iter();
        StepQuestion {
            step: only(live, timing),
            at_end: timing == Timing::AtEnd,
            of: self.plan.steps.len(),
            why: why.or(reason),
            risk: live.risk.max(runbook.risk),
            here: self.host.connection == Connection::Local,
            guard: rendered.and_then(|step| self.guard_of(step)),
            checks: checks.map(|check| check.name.clone()).collect(),
            since: match (keeps_promise(planned, live), self.beyond(planned, live)) {
                (true, _) => Since::Same,
                (false, None) => Since::Moved,
                (false, Some(_)) => Since::Beyond,
            },
            failure: failed.map(|(stop, tried)| Failure {
                tried: *tried,
                message: stop.message.clone(),
                hint: stop.hint.clone(),
            }),
            rests: self.rests(planned, timing),
            back: self.back(),
            done: self.changes,
        }
    }

    fn guard_of(&self, step: &RenderedStep) -> Option<QuestionGuard> {
        let guard = step.guard.as_ref()?;
        let port = guard
            .port
            .filter(|_| !self.is_later(step.number, guard.port));
        let id = step.id.as_ref();
        let listens = |other: &&RenderedStep| id.is_some_and(|id| other.reload_on.contains(id));
        let listeners = self.rendered.steps.iter().filter(listens);
        Some(QuestionGuard {
            seconds: self.job.guard.time.as_secs(),
            port: port.map(Port::get),
            reloads: listeners.map(|step| step.name.clone()).collect(),
        })
    }

    /// Later steps that rest on this one.
    fn rests(&self, step: &StepPlan, timing: Timing) -> Vec<Rest> {
        if timing == Timing::AtEnd {
            return Vec::new();
        }
        let id = step.id.as_deref();
        let later = self.plan.steps.iter().filter(|later| {
            later.number > step.number
                && later.is_pending()
                && !self.past.is_skipped(&self.plan.key(later.number))
        });
        let rest = |later: &StepPlan| {
            let rendered = find(&self.rendered.steps, later.number)?;
            let named = |ids: &[String]| id.is_some_and(|id| ids.iter().any(|one| one == id));
            let becomes = if named(&rendered.reload_on) {
                "is not reloaded for it"
            } else if named(&rendered.after) || awaits(later, step.number) {
                "is looked at again without it"
            } else {
                return None;
            };
            Some(Rest {
                number: later.number,
                name: later.name.clone(),
                becomes: becomes.to_owned(),
            })
        };
        later.filter_map(rest).collect()
    }

    fn back(&self) -> Option<Back> {
        let (_, last) = self.past.last();
        let acts = last.iter().filter_map(|entry| match entry {
            Entry::Did(act) => Some(act),
            Entry::Left { .. } => None,
        });
        let (number, name) = match last.first()? {
            Entry::Did(act) => (act.step.number, &act.step.name),
            Entry::Left { number, name, .. } => (*number, name),
        };
        Some(Back {
            number,
            name: name.clone(),
            changes: acts.clone().map(|act| act.count()).sum(),
            failed: acts.clone().any(|act| act.failed),
        })
    }
}

/// The step with this number.
pub(super) fn find(steps: &[RenderedStep], number: StepNumber) -> Option<&RenderedStep> {
    steps.iter().find(|step| step.number == number)
}

/// Whether the plan of a step waits for what the other one does.
fn awaits(step: &StepPlan, other: StepNumber) -> bool {
    matches!(
        step.verdict(),
        Some(Verdict::ChangeAfter { step, .. } | Verdict::UnknownUntil { step, .. }) if *step == other
    )
}

/// The step with the changes of this moment alone.
fn only(step: &StepPlan, timing: Timing) -> StepPlan {
    let mut step = step.clone();
    if let Outcome::Seen(Verdict::Change(changes) | Verdict::ChangeAfter { changes, .. }) =
        &mut step.outcome
    {
        changes.retain(|change| change.timing == timing);
    }
    step
}
