//! Guided runs: what a person is asked before a step, and what came of it.

use serde::{Deserialize, Serialize};

use crate::change::StepNumber;
use crate::plan::StepPlan;
use crate::risk::Risk;

/// Everything that a person is to know before a step begins on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepQuestion {
    /// The step as it was found a moment ago: its changes are what would be done.
    pub step: StepPlan,
    /// Whether this is the part of the step that waits for the end of the run (reloads).
    pub at_end: bool,
    /// How many steps the plan has.
    pub of: usize,
    /// Why the step, or else the runbook, is wanted.
    pub why: Option<String>,
    /// The step's risk; at least high when the runbook's is.
    pub risk: Risk,
    /// Whether the host is this machine.
    pub here: bool,
    /// How it is guarded, when it is.
    pub guard: Option<QuestionGuard>,
    /// The names of the checks that are made in the end.
    pub checks: Vec<String>,
    /// What became of the step since the plan was shown.
    pub since: Since,
    /// What went wrong the last time.
    pub failure: Option<Failure>,
    /// Later steps that rest on this one, and what becomes of them without it.
    pub rests: Vec<Rest>,
    /// The last step that was decided before this one.
    pub back: Option<Back>,
    /// How many changes this run has made on the host so far.
    pub done: usize,
}

/// What became of a step since the plan was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// It would do what was shown, or less.
    Same,
    /// It would do something else.
    Moved,
    /// The same, and a saved plan was agreed to, which is performed as it is: the step may be left out, not done.
    Beyond,
}

/// How a step that can cut us off is guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionGuard {
    /// How long the host waits for a new login.
    pub seconds: u64,
    /// The port that it must come by; none when it is the usual one.
    pub port: Option<u16>,
    /// Names of services that are reloaded with it, under the same guard.
    pub reloads: Vec<String>,
}

/// Why a step did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A sentence or clause.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether the step itself was tried.
    pub tried: bool,
}

/// A later step that rests on the one in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Its number.
    pub number: StepNumber,
    /// Its name.
    pub name: String,
    /// What becomes of it when the earlier one is skipped, as a clause.
    pub becomes: String,
}

/// Where "back" leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// The step.
    pub number: StepNumber,
    /// Its name.
    pub name: String,
    /// How many changes would be taken back; none when it was skipped, or `failed`.
    pub changes: usize,
    /// Whether it failed: what it left would be taken back.
    pub failed: bool,
}

/// What a person chose before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Do it.
    Apply,
    /// Leave it out.
    Skip {
        /// Later steps that rest on it.
        rests: Vec<Rest>,
    },
    /// Another value for an input; the plan is made anew with it.
    Edit {
        /// The input's name.
        input: String,
        /// Its new value.
        value: serde_json::Value,
    },
    /// Look at it, or try it, once more.
    Again,
    /// Take the last step back and decide about that one again.
    Back,
    /// A shell on the host.
    Shell,
    /// Do this and all later steps without asking.
    Finish,
    /// Take back everything that this run did on the host, and stop.
    Undo,
    /// Stop; what was done stays.
    Keep,
}

/// Something that a person had done in a guided run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// They chose.
    Chose {
        /// What.
        choice: Choice,
        /// Who: `user@machine`.
        by: String,
    },
    /// A step is passed over, because it was skipped in the run that this one resumes.
    PassedOver,
    /// A step was taken back.
    TakenBack {
        /// How many changes.
        changes: usize,
        /// What is not as it was before, as a clause; none when all of it is.
        problem: Option<String>,
        /// Whether it had failed: what was taken back is what there was of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
    },
}
