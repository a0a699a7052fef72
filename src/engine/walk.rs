//! The way through a plan: step by step in order, then what waits for the end. Where a person is asked, their
//! answer decides whether it goes forward, back, or on with a plan made anew.

use super::Stop;
use super::gate::answer_key;
use super::worker::Worker;
use crate::change::{Change, Timing, Verdict};
use crate::event::{Deed, Fault};
use crate::plan::{HostPlan, Outcome, StepPlan};
use crate::runbook::Interlude;

/// When a step has its turn; one with a reload for the end may have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    index: usize,
    pub(super) timing: Timing,
}

/// Where it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// With the next turn.
    Forward,
    /// With an earlier one, by its key: it was taken back.
    BackTo(String, Timing),
    /// From the start of a new plan, of which much is done.
    Anew,
}

/// Performs the worker's plan.
///
/// # Errors
/// Why it was not performed to its end.
pub(super) async fn perform_all(worker: &mut Worker<'_>) -> Result<(), Stop> {
    let (mut turns, mut at) = (turns(&worker.plan), 0);
    let mut before = Timing::InOrder;
    while let Some(turn) = turns.get(at).copied() {
        if turn.timing == Timing::AtEnd && before == Timing::InOrder {
            end_section(worker).await?;
        }
        before = turn.timing;
        match worker.turn(turn).await? {
            Next::Forward => at += 1,
            Next::Anew => (turns, at) = (self::turns(&worker.plan), 0),
            Next::BackTo(key, timing) => {
                let plan = &worker.plan;
                let is_it = |turn: &Turn| {
                    turn.timing == timing && plan.key(plan.steps[turn.index].number) == key
                };
                // Of a plan made anew, what was done last may lie ahead: nothing before it is passed over.
                at = turns.iter().position(is_it).unwrap_or(0).min(at);
            }
        }
    }
    end_section(worker).await
}

fn turns(plan: &HostPlan) -> Vec<Turn> {
    let turn = |timing| move |index| Turn { index, timing };
    let at_end = (0..plan.steps.len()).filter(|index| waits_for_end(&plan.steps[*index]));
    let in_order = (0..plan.steps.len()).map(turn(Timing::InOrder));
    in_order.chain(at_end.map(turn(Timing::AtEnd))).collect()
}

/// Ends a section after which nothing is changed, as far as anybody can tell.
async fn end_section(worker: &mut Worker<'_>) -> Result<(), Stop> {
    let is_proof = worker.section.is_some();
    worker.end_section().await?;
    if is_proof {
        worker.proven = Some(worker.changes);
    }
    Ok(())
}

fn waits_for_end(step: &StepPlan) -> bool {
    let Some(verdict) = step.verdict() else {
        return false;
    };
    let reloads = |change: &Change| change.timing == Timing::AtEnd;
    // Of a step that could not be known, it is only known at the end.
    matches!(verdict, Verdict::UnknownUntil { .. }) || verdict.changes().iter().any(reloads)
}

impl Worker<'_> {
    /// What the run before said of a step counts no more, nor do answers that may have been about it.
    pub(super) fn decide_anew(&mut self, key: &str) {
        self.passes.remove(key);
        for step in &self.plan.steps {
            if let Outcome::Interlude(Interlude::Ask { question, .. }) = &step.outcome {
                let answer = answer_key(&self.plan.key(step.number), question);
                self.passes.remove(&answer);
            }
        }
    }

    /// Whether the host is as the run before left it, as far as this one goes: answers that were given there are
    /// about what was there then.
    pub(super) fn is_as_left(&self) -> bool {
        self.changes == 0 && !self.past.is_news(&self.passes)
    }

    async fn turn(&mut self, turn: Turn) -> Result<Next, Stop> {
        let plan = self.plan.clone();
        let step = &plan.steps[turn.index];
        let key = plan.key(step.number);
        self.now = Some((key.clone(), turn.timing));
        self.before = self.way.clone();
        if self.past.is_over(&key, step, turn.timing) {
            return Ok(Next::Forward);
        }
        if let Outcome::Interlude(interlude) = &step.outcome {
            // A person may take longer than any guard waits.
            self.end_section().await?;
            let passed = match interlude {
                Interlude::Ask { question, .. } => answer_key(&key, question),
                Interlude::Pause(_) => key.clone(),
            };
            let is_passed = self.passes.contains(&passed);
            if is_passed && (!step.is_question() || self.is_as_left()) {
                self.answered_before(step, interlude);
            } else {
                self.interlude(step, interlude).await?;
            }
            // It is not made again when a new plan begins from the start.
            self.past.leave(key, step, turn.timing, false);
            return Ok(Next::Forward);
        }
        if !step.is_pending() {
            return Ok(Next::Forward);
        }
        let reloaded = self.reloaded.get(&step.number) == Some(&self.changes);
        // Made in its guarded section already, and nothing was changed since.
        if turn.timing == Timing::AtEnd && reloaded {
            return Ok(Next::Forward);
        }
        if turn.timing == Timing::InOrder && self.job.stopped() {
            let message = format!("stopped before {}", step.number);
            return Err(Stop::new(Fault::Interrupted, message));
        }
        if self.passes.contains(&key) {
            self.past.leave(key, step, turn.timing, true);
            self.tell_deed(step, Deed::PassedOver);
            return Ok(Next::Forward);
        }
        if self.asks(step) {
            return self.ask_about(step, turn.timing).await;
        }
        self.perform(step, turn.timing).await?;
        Ok(Next::Forward)
    }
}
