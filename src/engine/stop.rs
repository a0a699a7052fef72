//! Why nothing, or nothing more, is done on a host; and waiting for the operator to ask for that.

use std::time::Duration;

use tokio::sync::watch;

use super::Job;
use crate::event::{Fault, HostResult};

/// Why a host is out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) fault: Fault,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) changes: usize,
}

impl Stop {
    pub(super) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
            hint: None,
            changes: 0,
        }
    }

    pub(super) fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

impl Stop {
    /// The same end, reached because the operator asked to stop before another try.
    pub(super) fn interrupted(self) -> Self {
        let message = format!("{}; stopped before another try", self.message);
        Self {
            fault: Fault::Interrupted,
            message,
            ..self
        }
    }
}

impl From<crate::transport::TransportError> for Stop {
    fn from(error: crate::transport::TransportError) -> Self {
        Self::new(error.fault(), error.to_string()).hint(error.hint())
    }
}

impl From<Stop> for HostResult {
    fn from(stop: Stop) -> Self {
        let Stop {
            fault,
            message,
            hint,
            changes,
        } = stop;
        HostResult::Stopped {
            fault,
            message,
            hint,
            changes,
        }
    }
}

impl Job {
    /// How one goes on after a stop.
    pub(super) fn goes_on(&self) -> String {
        match (&self.promise, &self.undoes) {
            (Some(_), _) => "go on by applying the plan again: what is done of it stays".to_owned(),
            (None, Some(undoes)) => format!("go on with `holdfast rollback {}`", undoes.run),
            (None, None) => format!("go on with --resume {}", self.card.run),
        }
    }
}

/// Nothing was begun because the operator asked to stop.
pub(super) fn interrupted() -> Stop {
    Stop::new(Fault::Interrupted, "stopped before anything was done")
}

/// A pause that a stop ends early.
pub(super) async fn pause(job: &Job, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stopping(job.stop.clone()) => {}
    }
}

/// Waits until the operator asks to stop.
pub(super) async fn stopping(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the run; without it nobody can ask to stop.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
