//! How steps, checks, hosts and guards end.

use serde::{Deserialize, Serialize};

use crate::plan::Obstacle;

/// Why nothing, or nothing more, could be done on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No connection came about.
    Unreachable,
    /// The host key is unknown or has changed.
    Identity,
    /// The login was refused.
    Authentication,
    /// The login works, root does not.
    Sudo,
    /// Another run holds the host.
    Locked,
    /// The host is none of those that the runbook supports, or lacks something we need.
    Unsupported,
    /// A step cannot be done, or failed.
    Failed,
    /// The host is no longer as it was when the plan was made.
    Stale,
    /// A person must decide.
    NeedsHuman,
    /// Everything was done, but it is not so in effect.
    Verification,
    /// The host restored itself, because no new login came about after a change that can cut access.
    Reverted,
    /// The connection was lost while something was under way: it may have been done or not.
    OutcomeUnknown,
    /// The operator interrupted the run.
    Interrupted,
    /// So many other hosts had failed by then that no further one was begun (`--max-fail`).
    NotBegun,
    /// The journal on the controller cannot be written: without a record nothing more is started.
    Journal,
}

impl Fault {
    /// What it means that a step cannot be done.
    pub fn of(obstacle: &Obstacle<'_>) -> Self {
        match (obstacle.human, obstacle.moved) {
            (true, _) => Self::NeedsHuman,
            (false, []) => Self::Failed,
            (false, _) => Self::Stale,
        }
    }
}

/// How a check came out. Three outcomes, never two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It is so.
    Yes {
        /// What was seen.
        seen: String,
    },
    /// It is not so.
    No {
        /// What was seen instead.
        seen: String,
    },
    /// The check could not have failed, or could not be made.
    CouldNotTell {
        /// Why.
        why: String,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// Done and read back: it is as desired.
    Done {
        /// How many things changed.
        changes: usize,
    },
    /// When its turn came, there was nothing to do.
    NothingToDo,
    /// Its question was answered with yes, or its pause is over.
    Passed,
    /// Not done, or not with the desired effect.
    Failed {
        /// Which kind of failure.
        fault: Fault,
        /// What happened, a sentence.
        message: String,
        /// The end of what the host printed, cleaned of control characters.
        output: String,
    },
}

/// How a host ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostResult {
    /// Nothing had to be changed.
    NothingToDo,
    /// Changes are due; nothing was done, as asked.
    ChangesDue {
        /// How many.
        changes: usize,
    },
    /// All changes were made.
    Changed {
        /// How many.
        changes: usize,
    },
    /// Everything that was asked is so, in effect.
    Verified,
    /// Changes are due, but the operator said no.
    Declined,
    /// Nothing, or not everything, was done.
    Stopped {
        /// Why.
        fault: Fault,
        /// What happened, a sentence.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// How many changes had been made by then.
        changes: usize,
    },
}

impl HostResult {
    /// Whether something went wrong on the host, or may have.
    pub fn is_failure(&self) -> bool {
        match self {
            // A person wanted no more of it, or it was never begun.
            HostResult::Stopped { fault, .. } => {
                !matches!(fault, Fault::Interrupted | Fault::NotBegun)
            }
            HostResult::NothingToDo
            | HostResult::ChangesDue { .. }
            | HostResult::Changed { .. }
            | HostResult::Verified
            | HostResult::Declined => false,
        }
    }
}

/// What a guard did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// The run whose changes it took back.
    pub run: String,
    /// Whether that is this very run; else an earlier one, which was cut off.
    pub own: bool,
    /// `user@machine` that had started it; may be empty.
    pub operator: String,
    /// When it had started, RFC 3339; may be empty.
    pub started: String,
    /// Its runbook; may be empty.
    pub runbook: String,
    /// Changes that were to be taken back.
    pub changes: usize,
    /// Those of them that could not be, although they should.
    pub failed: usize,
    /// Those that cannot be, which the operator had accepted.
    pub kept: usize,
    /// Seconds after the time it was set to; none when it was told to, or after a restart.
    pub late: Option<i64>,
    /// Whether a restart of the host set it off.
    pub at_boot: bool,
}
