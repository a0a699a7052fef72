//! A step that a person decides about: looked at right before the question, performed as it was shown.

use super::due::{due, is_agreed};
use super::gate::Decision;
use super::question::find;
use super::walk::Next;
use super::worker::Worker;
use super::{Stop, compare, desk};
use crate::change::{StepNumber, Timing};
use crate::event::{Choice, Fault};
use crate::plan::StepPlan;
use crate::transport::GuardPhase;

/// How it goes on after a decision.
enum After {
    /// With another turn.
    Goes(Next),
    /// With the same question, and what went wrong; whether the step itself was tried.
    Asks(Option<(Stop, bool)>),
}

impl Worker<'_> {
    /// Asks about a step until somebody decides how it goes on.
    ///
    /// # Errors
    /// When the run ends on this host: stopped by the person, or broken.
    pub(super) async fn ask_about(
        &mut self,
        planned: &StepPlan,
        timing: Timing,
    ) -> Result<Next, Stop> {
        self.end_section_early(planned.number).await?;
        let mut failed: Option<(Stop, bool)> = None;
        loop {
            let live = self.look_live(planned).await?;
            if failed.is_none() && live.obstacle().is_none() && due(&live, timing).is_empty() {
                self.nothing(planned, timing);
                return Ok(Next::Forward);
            }
            let beyond = self.beyond(planned, &live);
            if let (None, Some(stop)) = (&failed, &beyond) {
                failed = Some((stop.clone(), false));
            }
            let question = self.question(planned, &live, timing, failed.as_ref());
            let rests = question.rests.clone();
            let decision = self.ask_person(question).await?;
            if decision == Decision::Skip {
                self.tell_choice(&live, Choice::Skip { rests });
                let key = self.plan.key(planned.number);
                self.past.leave(key.clone(), planned, timing, true);
                self.beyond.extend(beyond.map(|stop| (key, stop)));
                return Ok(Next::Forward);
            }
            let failure = failed.take().map(|(stop, _)| stop);
            match (&decision, beyond) {
                (Decision::Apply, Some(_)) => continue,
                // Nobody is asked any more.
                (Decision::Finish, Some(stop)) => {
                    self.tell_decision(&decision, &live);
                    return Err(stop);
                }
                _ => {}
            }
            match self.obey(decision, (&live, timing), failure).await? {
                After::Goes(next) => return Ok(next),
                After::Asks(again) => failed = again,
            }
        }
    }

    /// Does what was decided about a step that is not skipped.
    async fn obey(
        &mut self,
        decision: Decision,
        (live, timing): (&StepPlan, Timing),
        failed: Option<Stop>,
    ) -> Result<After, Stop> {
        self.tell_decision(&decision, live);
        match decision {
            Decision::Apply => match self.perform_agreed(live, timing).await {
                Ok(()) => Ok(After::Goes(Next::Forward)),
                Err(stop) => Ok(After::Asks(Some((self.survived(stop).await?, true)))),
            },
            Decision::Finish => {
                self.finish();
                self.perform(live, timing).await?;
                Ok(After::Goes(Next::Forward))
            }
            Decision::Skip | Decision::Again | Decision::Shell => Ok(After::Asks(None)),
            Decision::Edit(inputs, input, value) => match self.replan(*inputs).await {
                Ok(()) => {
                    self.tell_choice(live, Choice::Edit { input, value });
                    Ok(After::Goes(Next::Anew))
                }
                Err(stop) => Ok(After::Asks(Some((stop, false)))),
            },
            Decision::Back => match self.go_back().await {
                Ok(next) => Ok(After::Goes(next)),
                Err(stop) => Ok(After::Asks(Some((self.survived(stop).await?, false)))),
            },
            Decision::Keep => Err(self.kept(live.number, failed)),
            Decision::Undo => Err(self.undone(live.number, failed).await),
        }
    }

    /// Tells a decision that is one whatever comes of it.
    fn tell_decision(&self, decision: &Decision, live: &StepPlan) {
        let choice = match decision {
            Decision::Apply => Choice::Apply,
            Decision::Finish => Choice::Finish,
            Decision::Again => Choice::Again,
            Decision::Shell => Choice::Shell,
            Decision::Back => Choice::Back,
            Decision::Keep => Choice::Keep,
            Decision::Undo => Choice::Undo,
            Decision::Skip | Decision::Edit(..) => return,
        };
        self.tell_choice(live, choice);
    }

    /// Why a step may not be done though somebody may want it: a saved plan is performed as it is or not at all.
    pub(super) fn beyond(&self, planned: &StepPlan, live: &StepPlan) -> Option<Stop> {
        if self.job.promise.is_none() || is_agreed(planned, live) {
            return None;
        }
        let message = format!(
            "{} ({}) moved since the plan was made; nothing of it was done",
            planned.number, planned.subject
        );
        let hint = "leave it out or stop; then make a new plan with `holdfast plan`";
        Some(Stop::new(Fault::Stale, message).hint(Some(hint.to_owned())))
    }

    /// How the host ends when all is done, but for steps that were left out because they had moved.
    pub(super) fn left_beyond(&self) -> Option<Stop> {
        let mut left = self.beyond.iter();
        let (_, stop) = left.find(|(key, _)| self.past.is_skipped(key))?;
        let message = format!("{}, and nothing was proved in effect", stop.message);
        let hint = "make a new plan with `holdfast plan`".to_owned();
        Some(Stop::new(stop.fault, message).hint(Some(hint)))
    }

    /// Looks at a step right now.
    async fn look_live(&mut self, planned: &StepPlan) -> Result<StepPlan, Stop> {
        let rendered = self.rendered.clone();
        let Some(step) = find(&rendered.steps, planned.number) else {
            return Ok(planned.clone());
        };
        let probes = step.resource.as_ref().map(|resource| resource.probes());
        let probes = probes.unwrap_or_default();
        let answers = desk::ask(self.job, self.host, self.link.reader(), &probes).await?;
        Ok(compare::plan_now(step, &answers, &self.known))
    }

    /// Performs what was agreed to; its guard is proven before anything else is asked.
    async fn perform_agreed(&mut self, live: &StepPlan, timing: Timing) -> Result<(), Stop> {
        self.perform(live, timing).await?;
        self.end_section_early(live.number).await
    }

    /// A failure that can be asked about: the host still answers, and whatever was guarded is as before.
    ///
    /// # Errors
    /// When it cannot be gone on from.
    async fn survived(&mut self, stop: Stop) -> Result<Stop, Stop> {
        let guarded = self.section.as_ref().map(|section| section.before);
        let asks = match stop.fault {
            Fault::Failed | Fault::Stale | Fault::NeedsHuman => true,
            // No new login: the guard takes it back, and the old connection may still be there.
            Fault::Reverted => guarded.is_some(),
            Fault::Unreachable
            | Fault::Identity
            | Fault::Authentication
            | Fault::Sudo
            | Fault::Locked
            | Fault::Unsupported
            | Fault::Verification
            | Fault::OutcomeUnknown
            | Fault::Interrupted
            | Fault::NotBegun
            | Fault::Journal => false,
        };
        if !asks {
            return Err(stop);
        }
        let Some(before) = guarded else {
            return Ok(stop);
        };
        let stop = self.taken_back(stop).await;
        if self.guard_phase().await == Some(GuardPhase::Fired)
            && stop.fault != Fault::OutcomeUnknown
        {
            self.past.forget_since(before);
            self.known = self.past.known();
            Ok(stop)
        } else {
            Err(stop)
        }
    }

    /// What the run comes to when the person stops it and keeps what was done.
    fn kept(&self, number: StepNumber, failed: Option<Stop>) -> Stop {
        let made = match self.changes {
            0 => None,
            1 => Some("the change made before".to_owned()),
            many => Some(format!("the {many} changes made before")),
        };
        let all: Vec<String> = made.into_iter().chain(self.past.tried()).collect();
        let kept = match all.as_slice() {
            [] => "nothing had been done".to_owned(),
            [_] if self.changes < 2 => format!("{} stays", all.join("")),
            _ => format!("{} stay", all.join(" and ")),
        };
        let stopped = format!(
            "stopped before {number} by {}; {kept}",
            self.job.card.operator
        );
        let Some(stop) = failed else {
            return Stop::new(Fault::Interrupted, stopped).hint(Some(self.job.goes_on()));
        };
        Stop {
            message: format!("{}; {stopped}", stop.message),
            ..stop
        }
    }
}
