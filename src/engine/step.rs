//! One step is performed: looked at again when it was provisional, compared and swapped on the host,
//! read back.

use std::time::Duration;

use super::act::Act;
use super::due::{due, due_again, is_agreed, keeps_promise};
use super::guard::Section;
use super::worker::Worker;
use super::{Stop, apply, compare, desk, recover};
use crate::change::{Change, Known, Timing, Verdict};
use crate::event::{EventKind, Fault, StepResult};
use crate::plan::{Outcome, StepPlan};
use crate::probe::Answers;
use crate::resource::Resource;
use crate::runbook::RenderedStep;
use crate::transport::{MOVED, Performed, REVERTED, StepScript, TransportError};

/// How a step ended well.
pub(super) enum Done {
    Changed,
    Nothing,
}

/// `timeout(1)` says this when it ended a step.
const OUT_OF_TIME: i32 = 124;
/// And this when it had to kill it (128 + SIGKILL).
const KILLED: i32 = 137;

impl Worker<'_> {
    /// Performs the part of a step that is due now.
    pub(super) async fn perform(
        &mut self,
        planned: &StepPlan,
        timing: Timing,
    ) -> Result<Done, Stop> {
        let rendered = self.rendered.clone();
        let mut steps = rendered.steps.iter();
        let Some(step) = steps.find(|step| step.number == planned.number) else {
            return Ok(Done::Nothing);
        };
        let mut plan = planned.clone();
        let mut tried = 0;
        loop {
            if tried > 0 || timing == Timing::AtEnd || self.is_provisional(step, &plan) {
                plan = self.look_again(step, planned).await?;
            }
            let due = due(&plan, timing);
            if due.is_empty() {
                return Ok(self.nothing(planned, timing));
            }
            self.guard_before(step, timing).await?;
            apply::tell_started(self.job, self.host.name.as_str(), &plan).await?;
            let act = self.act(step, &plan, &due);
            let ended = match self.attempt(step, &plan, &act).await {
                Ok(answers) => self.read_back(step, &plan, (act, &due), &answers),
                Err(stop) => {
                    self.tried(act, &stop).await;
                    Err(stop)
                }
            };
            match ended {
                Err(stop) if stop.fault == Fault::Failed && tried < step.retry.times => {
                    tried += 1;
                    let again = format!("trying again ({tried} of {})", step.retry.times);
                    self.progress(&plan, &format!("{}; {again}", stop.message));
                    self.rest(step.retry.every.get()).await?;
                    if self.job.stopped() {
                        return Err(stop.interrupted());
                    }
                }
                ended => return ended,
            }
        }
    }

    /// Whether this run itself changed what the plan of the step was made from: an earlier step that
    /// brings something, or one whose change left a mark for a pending reload.
    fn is_provisional(&self, step: &RenderedStep, plan: &StepPlan) -> bool {
        let resource = step.resource.as_deref();
        plan.expects.is_empty()
            || step.reload_on.iter().any(|id| self.known.will_change(id))
            || resource.is_some_and(Resource::moves_along)
    }

    /// Looks at a step right before it is performed. What was promised must still be what is due.
    async fn look_again(
        &mut self,
        step: &RenderedStep,
        promised: &StepPlan,
    ) -> Result<StepPlan, Stop> {
        let probes = step
            .resource
            .as_ref()
            .map(|resource| resource.probes())
            .unwrap_or_default();
        let answers = desk::ask(self.job, self.host, self.link.reader(), &probes).await?;
        let now = compare::plan_now(step, &answers, &self.known);
        self.tell_moved(&now);
        if let Some(obstacle) = now.obstacle() {
            let stop = Stop::new(
                Fault::of(&obstacle),
                format!("{}: {}", now.number, obstacle.why),
            );
            return Err(stop.hint(obstacle.hint.map(str::to_owned)));
        }
        if keeps_promise(promised, &now) {
            return Ok(now);
        }
        self.tell_replanned(&now);
        if is_agreed(promised, &now) {
            return Ok(now);
        }
        let message = format!(
            "{} turned out different from what was shown; nothing of it was done",
            now.number
        );
        Err(Stop::new(Fault::Stale, message)
            .hint(Some("run again to see and confirm the new plan".to_owned())))
    }

    async fn attempt(
        &mut self,
        step: &RenderedStep,
        plan: &StepPlan,
        act: &Act,
    ) -> Result<Answers, Stop> {
        let probes = step
            .resource
            .as_ref()
            .map(|resource| resource.probes())
            .unwrap_or_default();
        let due: Vec<&Change> = act.changes.iter().collect();
        if desk::is_for_here(&due) {
            let performed = desk::perform(self.job, self.host, plan, &due, &probes).await;
            return self.judge(plan, performed);
        }
        let folder = act.folder.as_str();
        let before = self.marks(step);
        let expected = plan.expects.iter().map(|expected| expected.probe.clone());
        self.touched.extend(expected);
        let script = StepScript {
            number: plan.number,
            name: &plan.name,
            subject: &plan.subject,
            folder,
            expects: &plan.expects,
            before: &before,
            changes: &due,
            seconds: self.time_limit(step, act.timing).as_secs(),
            guarded: act.guarded,
            ports: self.section.as_ref().and_then(Section::ports),
        };
        let (events, host, number) = (
            self.job.events.clone(),
            self.host.name.to_string(),
            plan.number,
        );
        let progress = move |text: &str| {
            events.tell(EventKind::StepProgress {
                host: host.clone(),
                number,
                text: text.to_owned(),
            });
        };
        let performed = match self.link.perform(&script, &probes, &progress).await {
            Err(TransportError::Lost { message } | TransportError::Garbled { message }) => {
                self.progress(plan, &recover::looking(&message));
                let limit = Duration::from_secs(script.seconds);
                let found =
                    recover::outcome(self.job, &self.ways().await, folder, &probes, limit).await;
                let (link, performed) = found.map_err(|why| self.unknown(plan, &message, &why))?;
                self.link = link;
                performed
            }
            other => other?,
        };
        self.judge(plan, performed)
    }

    pub(super) fn nothing(&self, plan: &StepPlan, timing: Timing) -> Done {
        if timing == Timing::InOrder
            && !plan
                .verdict()
                .is_some_and(|verdict| verdict.changes().iter().any(|c| c.timing == Timing::AtEnd))
        {
            self.tell(plan, StepResult::NothingToDo);
        }
        Done::Nothing
    }

    pub(super) fn judge(&self, plan: &StepPlan, performed: Performed) -> Result<Answers, Stop> {
        let Performed {
            status,
            output,
            answers,
        } = performed;
        let fault = match status {
            0 => return Ok(answers),
            MOVED => Fault::Stale,
            REVERTED => Fault::Reverted,
            _ => Fault::Failed,
        };
        let message = match status {
            MOVED => "the host is no longer as it was when the plan was made; nothing of this step was done".to_owned(),
            REVERTED => "the guard fired before it was done".to_owned(),
            recover::NEVER_STARTED => "the connection was lost before it started; nothing of it was done".to_owned(),
            OUT_OF_TIME | KILLED => "it took longer than its time limit and was ended".to_owned(),
            _ => format!("failed: {}", last_line(&output)),
        };
        self.tell_failed(plan, fault, &message, &output);
        let hint = match status {
            MOVED => Some("run again to see what moved".to_owned()),
            OUT_OF_TIME | KILLED if plan.guarded => Some(
                "a guarded step must end within four fifths of --guard-time, so that the rest is left for the proof".to_owned(),
            ),
            _ => None,
        };
        Err(Stop::new(
            fault,
            format!("{} ({}): {message}", plan.number, plan.subject),
        )
        .hint(hint))
    }

    /// The state after the change must be the desired one; exit codes are no proof.
    fn read_back(
        &mut self,
        step: &RenderedStep,
        plan: &StepPlan,
        (act, due): (Act, &[&Change]),
        answers: &Answers,
    ) -> Result<Done, Stop> {
        let after = compare::plan_step(step, answers, &Known::nothing());
        let left: Vec<&Change> = due_again(&after, due);
        let could_tell = !matches!(after.outcome, Outcome::CouldNotTell { .. });
        let refuted = step.resource.as_deref();
        let refuted = refuted.and_then(|resource| resource.refuted(answers));
        let problem = match left.first() {
            _ if !could_tell => Some("its state could not be read".to_owned()),
            Some(change) => Some(format!("still due: {}", change.summary)),
            None => refuted,
        };
        if let Some(what) = problem {
            let message = format!("it ran, but did not take effect: {what}");
            self.tell_failed(plan, Fault::Failed, &message, "");
            self.past.did(Act {
                failed: true,
                ..act
            });
            return Err(Stop::new(
                Fault::Failed,
                format!("{} ({}): {message}", plan.number, plan.subject),
            ));
        }
        let changes = act.count();
        self.changes += changes;
        self.known.learn(
            plan.number,
            plan.id.as_deref(),
            &Verdict::Change(act.changes.clone()),
        );
        self.known.forget_predictions();
        self.past.did(act);
        self.tell(plan, StepResult::Done { changes });
        Ok(Done::Changed)
    }
}

fn last_line(output: &str) -> String {
    let mut lines = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines
        .next_back()
        .unwrap_or("it said nothing")
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect()
}
