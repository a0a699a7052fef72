//! The way back in the middle of a run: the last step, or all that this run did on the host.

use super::past::{Act, Entry};
use super::walk::Next;
use super::worker::Worker;
use super::Stop;
use crate::change::StepNumber;
use crate::event::Fault;

impl Worker<'_> {
    /// Takes back what was decided last.
    ///
    /// # Errors
    /// When it cannot be taken back, or not all of it was.
    pub(super) async fn go_back(&mut self) -> Result<Next, Stop> {
        let last = self.past.last().to_vec();
        let Some(turn) = last.first().map(|entry| match entry {
            Entry::Did(act) => act.turn.clone(),
            Entry::Left { key, timing, .. } => (key.clone(), *timing),
        }) else {
            return Err(Stop::new(Fault::Failed, "nothing was decided before"));
        };
        for entry in last.iter().rev() {
            if let Entry::Did(act) = entry {
                self.take_back(act).await?;
            }
            self.past.forget_last();
        }
        self.known = self.past.known();
        self.reloaded.clear();
        self.proven = None;
        Ok(Next::BackTo(turn.0, turn.1))
    }

    /// What the run comes to when the person has all of it taken back.
    pub(super) async fn undone(&mut self, number: StepNumber, failed: Option<Stop>) -> Stop {
        let _ = (number, failed);
        Stop::new(Fault::Failed, "taking back is not built yet")
    }

    async fn take_back(&mut self, act: &Act) -> Result<(), Stop> {
        let message = format!("{} cannot be taken back yet", act.step.number);
        Err(Stop::new(Fault::Failed, message))
    }
}
