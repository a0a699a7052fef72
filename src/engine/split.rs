//! Guarded sections where a person is asked: each of their steps becomes a section of its own, which is proven
//! before the next question.
//!
//! A step may name the port that the new login must come by. Until the last step of its row nothing may listen
//! there yet (the firewall opens it, then sshd does): up to then the login must come by the usual one.

use super::Stop;
use super::guard::ANSWER;
use super::worker::Worker;
use crate::change::StepNumber;
use crate::plan::{Outcome, StepPlan};
use crate::probe::Probe;
use crate::transport::{GuardPhase, GuardState};
use crate::value::Port;

impl Worker<'_> {
    /// Ends the section before its row of steps is over, because somebody is asked. `at` is the step that was
    /// made last, or the one that comes next.
    ///
    /// # Errors
    /// When no new login came about. The section is still there, to be taken back.
    pub(super) async fn end_section_early(&mut self, at: StepNumber) -> Result<(), Stop> {
        let named = self.section.as_ref().and_then(|section| section.port);
        if let Some(port) = named
            && self.way.host.port != Some(port)
            && self.is_later(at, named)
            && !self.listens(port).await
            && let Some(section) = &mut self.section
        {
            section.port = None;
        }
        let is_proof = self.section.is_some();
        self.end_section().await?;
        if is_proof {
            self.proven = Some(self.changes);
        }
        Ok(())
    }

    /// Whether a step behind this one, in the same row of guarded steps, names the same port.
    pub(super) fn is_later(&self, at: StepNumber, port: Option<Port>) -> bool {
        let behind = self.plan.steps.iter().filter(|step| step.number > at);
        let mut row = behind.take_while(|step| is_in_row(step));
        row.any(|step| {
            let mut rendered = self.rendered.steps.iter();
            let rendered = rendered.find(|one| one.number == step.number);
            let guard = rendered.and_then(|one| one.guard.as_ref());
            step.is_pending() && guard.is_some_and(|guard| guard.port == port)
        })
    }

    /// Whether something listens on a port of the host, as the host sees it.
    async fn listens(&mut self, port: Port) -> bool {
        if !self.link.answers_within(ANSWER).await {
            return false;
        }
        let probe = Probe::new("hf_listens", [port.get().to_string()]);
        let asked = self.link.reader().ask(std::slice::from_ref(&probe)).await;
        asked.is_ok_and(|answers| {
            let answer = answers.get(&probe);
            answer.is_ok_and(|answer| {
                answer
                    .text()
                    .lines()
                    .any(|line| line.starts_with("listens="))
            })
        })
    }

    /// What the guard of this run is at, when the host says it.
    pub(super) async fn guard_phase(&mut self) -> Option<GuardPhase> {
        if !self.link.answers_within(ANSWER).await {
            return None;
        }
        let probe = GuardState::probe(&self.job.card.run);
        let answers = self.link.reader().ask(std::slice::from_ref(&probe)).await;
        let text = answers.ok()?.get(&probe).ok()?.text().into_owned();
        Some(GuardState::parse(&text).phase)
    }
}

/// Whether a step leaves a row of guarded steps whole.
fn is_in_row(step: &StepPlan) -> bool {
    match &step.outcome {
        Outcome::Interlude(_) => false,
        Outcome::Seen(_) | Outcome::Skipped { .. } | Outcome::CouldNotTell { .. } => {
            step.guarded || !step.is_pending()
        }
    }
}
