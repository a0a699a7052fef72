//! What happens during a run, as data. Engine and data loading send these; the journal keeps them;
//! every renderer and the history read nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod channel;
mod guided;
mod invocation;
mod kind;
mod outcome;
mod saved_plan;
mod previous;
mod unfinished;

pub use channel::{Events, Receipt, Told};
pub use guided::{Back, Choice, Deed, Failure, QuestionGuard, Rest, Since, StepQuestion};
pub use invocation::{Invocation, Serial};
pub use kind::EventKind;
pub use outcome::{Fault, Fired, HostResult, Proof, StepResult};
pub use previous::Previous;
pub use saved_plan::{SavedCommand, SavedPlan, WrittenCommand};
pub use unfinished::{Decision, StepState, Unfinished, UnfinishedStep};

/// One event. Numbers are gap-free from 1 within a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub seq: u64,
    /// When, by the controller's clock.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Show the changes, write nothing.
    DryRun,
    /// Make the changes.
    Apply,
    /// Only ask whether it is so, in effect.
    Verify,
    /// Only ask whether things are as runs of the past left them.
    Drift,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_when_the_event_is_on_record_or_cannot_be() {
        let (events, mut receiver) = Events::channel();
        let recorder = async {
            let (_, receipt) = receiver.recv().await.unwrap().open();
            receipt.sign();
            let (_, receipt) = receiver.recv().await.unwrap().open();
            drop(receipt);
            receiver.close();
        };
        let teller = async {
            let mut said = Vec::new();
            for _ in 0..3 {
                said.push(events.tell_and_wait(EventKind::Interrupting).await);
            }
            said
        };
        let ((), said) = tokio::join!(recorder, teller);
        assert_eq!(said, [true, false, false]);
    }
}
