//! Runs that were cut off on a host, as the next run tells them.

use serde::{Deserialize, Serialize};

use crate::change::StepNumber;

/// A run that began a step on a host and was never brought to its end there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Its id.
    pub run: String,
    /// Its runbook; may be empty.
    pub runbook: String,
    /// `user@machine` that had started it; may be empty.
    pub operator: String,
    /// When it had started, RFC 3339; may be empty.
    pub started: String,
    /// The version of Holdfast that it ran with; may be empty.
    pub version: String,
    /// The run that it was taking back; empty when it had a runbook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub undoes: String,
    /// When it was last heard of, in seconds since 1970 by the host's clock.
    pub last: Option<i64>,
    /// Whether the host was restarted since it began.
    pub restarted: bool,
    /// The steps that were to be performed, in the order in which they would have been.
    pub steps: Vec<UnfinishedStep>,
}

/// A step of a run that was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedStep {
    /// Its number.
    pub number: StepNumber,
    /// Its name; empty when the host has none on record.
    pub name: String,
    /// Whether it is the part that waits for the end of all steps.
    pub at_end: bool,
    /// Whether nothing on the host tells that it was done, so that doing it again is no way to find out.
    pub once: bool,
    /// How far it came.
    pub state: StepState,
}

/// How far a step of a run came that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn never came.
    NotBegun,
    /// It was begun, but the host did nothing of it, or had moved since the plan.
    Untouched,
    /// All of it was done.
    Done,
    /// It failed.
    Failed {
        /// How many of its changes had been made.
        made: usize,
    },
    /// It was ended between two of its changes.
    Partly {
        /// How many of its changes had been made.
        made: usize,
    },
    /// A change was begun whose end is not on record: it was made, or not, or in part.
    Unknown {
        /// How many of its changes had been made before that one.
        made: usize,
    },
    /// The guard has taken it back.
    TakenBack,
}

/// What was decided about a run that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// This run goes on from what is there.
    Resumed,
    /// What it had done was taken back.
    Undone,
    /// It is left as it is.
    Left,
    /// It is taken back right after this run, by a run of its own.
    Next,
}

impl Unfinished {
    /// The steps of which nobody knows whether they were done, and that must not be done again to find out.
    pub fn unrepeatable(&self) -> impl Iterator<Item = &UnfinishedStep> {
        let unknown = |step: &&UnfinishedStep| matches!(step.state, StepState::Unknown { .. });
        self.steps.iter().filter(|step| step.once).filter(unknown)
    }
}
