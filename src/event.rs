//! What happens during a run, as data. Engine and data loading send these; the journal keeps them;
//! every renderer and the history read nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::change::{Note, StepNumber};
use crate::facts::Facts;
use crate::plan::{HostPlan, Moved, StepPlan};

mod channel;
mod guided;
mod invocation;
mod outcome;
mod saved_plan;
mod previous;
mod unfinished;

pub use channel::{Events, Receipt, Told};
pub use guided::{Back, Choice, Deed, Failure, QuestionGuard, Rest, Since, StepQuestion};
pub use invocation::{Invocation, Serial};
pub use outcome::{Fault, Fired, HostResult, Proof, StepResult};
pub use previous::Previous;
pub use saved_plan::{SavedCommand, SavedPlan};
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

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The first event.
    RunStarted {
        /// Format of the journal; grows when old readers could misread.
        format: u32,
        /// The run's id.
        run: String,
        /// The version of Holdfast.
        version: String,
        /// The runbook's name.
        runbook: String,
        /// Its one-line summary.
        summary: String,
        /// Digest of the runbook's text.
        digest: String,
        /// What it is for.
        mode: Mode,
        /// Started without a person (`--unattended`).
        unattended: bool,
        /// Who started it: `user@machine`.
        operator: String,
        /// The address that the operator's own login came from, when they were logged in over SSH.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The hosts that were selected.
        hosts: Vec<String>,
        /// The run before on this machine; none for the first, and for runs of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<Previous>,
    },
    /// What it was asked to do; right after the first event.
    Invoked {
        /// The words of the command line.
        invocation: Box<Invocation>,
    },
    /// External data is there.
    DataReady {
        /// Its name in the runbook.
        name: String,
        /// Where it comes from, as a clause: "fetched from https://…", "built-in list of 2025-01-01".
        origin: String,
        /// How many entries.
        entries: usize,
        /// What the operator should know.
        notes: Vec<Note>,
    },
    /// External data was refused by one of its guards: no host is touched because of it.
    DataRefused {
        /// Its name in the runbook.
        name: String,
        /// Where it came from, as a clause.
        origin: String,
        /// Which guard, and what it saw: a sentence.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The operator asked to stop: what is under way ends, nothing new begins.
    Interrupting,
    /// A host's connection is being made.
    HostConnecting {
        /// The host.
        host: String,
    },
    /// A host answered.
    HostReached {
        /// The host.
        host: String,
        /// Its facts.
        facts: Box<Facts>,
        /// What the operator should know.
        notes: Vec<Note>,
    },
    /// An earlier run was cut off on a host.
    UnfinishedFound {
        /// The host.
        host: String,
        /// What it left on record.
        found: Box<Unfinished>,
    },
    /// It was decided what becomes of a run that was cut off, and that is on record there.
    UnfinishedSettled {
        /// The host.
        host: String,
        /// The run that was cut off.
        run: String,
        /// What was decided.
        decision: Decision,
    },
    /// A host's plan is made.
    HostPlanned {
        /// The plan.
        plan: HostPlan,
    },
    /// The run shows or performs a plan that was saved.
    PlanOpened(SavedPlan),
    /// On a host, a step is not what it was when the plan was saved.
    StepMoved {
        /// The host.
        host: String,
        /// The step, and how it moved.
        moved: Moved,
    },
    /// A step turned out different from its prediction, before it is performed.
    StepReplanned {
        /// The host.
        host: String,
        /// The new plan of the step.
        step: Box<StepPlan>,
    },
    /// After its changes the host was planned again.
    PlannedAgain {
        /// The host.
        host: String,
        /// What its steps say now. Warnings that are no longer among this were about what lay ahead.
        notes: Vec<Note>,
    },
    /// A step's changes begin.
    StepStarted {
        /// The host.
        host: String,
        /// The step.
        number: StepNumber,
        /// Its name.
        name: String,
    },
    /// Something to tell while a step takes its time: "waiting for the dpkg lock held by apt (812)".
    StepProgress {
        /// The host.
        host: String,
        /// The step.
        number: StepNumber,
        /// What.
        text: String,
    },
    /// A step ended.
    StepFinished {
        /// The host.
        host: String,
        /// The step.
        number: StepNumber,
        /// Its name.
        name: String,
        /// How.
        result: StepResult,
    },
    /// The host takes back by itself what the coming steps change, unless a new login succeeds in time.
    GuardArmed {
        /// The host.
        host: String,
        /// In so many seconds from now.
        seconds: u64,
        /// Whether it was armed before and has more time now.
        again: bool,
        /// Whether it is only a process, which a restart of the host would lose.
        weaker: bool,
        /// Whether it is this machine, where no login proves anything: the run itself must come to its end.
        #[serde(default)]
        here: bool,
    },
    /// A brand-new login succeeded.
    GuardProven {
        /// The host.
        host: String,
        /// The port of sshd that it came through; none where no login can be made (this machine).
        port: Option<u16>,
    },
    /// What was changed stays.
    GuardDisarmed {
        /// The host.
        host: String,
        /// What is left of the guard although it should not be: a sentence.
        left: Option<String>,
    },
    /// No new login came about.
    GuardRefuted {
        /// The host.
        host: String,
        /// Why, and what was seen on the host itself: a sentence.
        why: String,
    },
    /// A guard is waited for: the host restores itself by its own clock.
    GuardAwaited {
        /// The host.
        host: String,
        /// Whose guard.
        run: String,
        /// In so many seconds from now, at most.
        seconds: u64,
        /// In so many seconds from now it is given up, when the host is not back until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        give_up: Option<u64>,
    },
    /// The host has taken back what was changed.
    GuardFired {
        /// The host.
        host: String,
        /// What is known of it.
        fired: Box<Fired>,
    },
    /// A person answered the question of a manual step.
    Answered {
        /// The host.
        host: String,
        /// The step.
        number: StepNumber,
        /// What was asked.
        question: String,
        /// Whether the answer was yes.
        yes: bool,
        /// Who answered: `user@machine`, or `--answer` when it was given before the run.
        by: String,
    },
    /// A person decided about a step in a guided run, or had something done.
    Guided {
        /// The host.
        host: String,
        /// The step.
        number: StepNumber,
        /// Its id, when it has one.
        id: Option<String>,
        /// Its name.
        name: String,
        /// What.
        deed: Box<Deed>,
    },
    /// A check of the runbook's `verify` part was made.
    Checked {
        /// The host.
        host: String,
        /// The check's name.
        name: String,
        /// How it came out.
        proof: Proof,
    },
    /// Nothing more happens on this host.
    HostFinished {
        /// The host.
        host: String,
        /// How it ended.
        result: HostResult,
    },
    /// The last event.
    RunFinished {
        /// The exit code.
        exit: u8,
        /// Milliseconds since the start.
        millis: u64,
    },
    /// An event of a newer version.
    #[serde(other)]
    Unknown,
}

impl EventKind {
    /// The host it is about.
    pub fn host(&self) -> Option<&str> {
        match self {
            EventKind::HostConnecting { host }
            | EventKind::HostReached { host, .. }
            | EventKind::StepMoved { host, .. }
            | EventKind::UnfinishedFound { host, .. }
            | EventKind::UnfinishedSettled { host, .. }
            | EventKind::StepReplanned { host, .. }
            | EventKind::PlannedAgain { host, .. }
            | EventKind::StepStarted { host, .. }
            | EventKind::StepProgress { host, .. }
            | EventKind::StepFinished { host, .. }
            | EventKind::GuardArmed { host, .. }
            | EventKind::GuardProven { host, .. }
            | EventKind::GuardDisarmed { host, .. }
            | EventKind::GuardRefuted { host, .. }
            | EventKind::GuardAwaited { host, .. }
            | EventKind::GuardFired { host, .. }
            | EventKind::Answered { host, .. }
            | EventKind::Guided { host, .. }
            | EventKind::Checked { host, .. }
            | EventKind::HostFinished { host, .. } => Some(host),
            EventKind::HostPlanned { plan } => Some(&plan.host),
            EventKind::RunStarted { .. }
            | EventKind::Invoked { .. }
            | EventKind::DataReady { .. }
            | EventKind::DataRefused { .. }
            | EventKind::PlanOpened(_)
            | EventKind::Interrupting
            | EventKind::RunFinished { .. }
            | EventKind::Unknown => None,
        }
    }
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
