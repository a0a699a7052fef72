//! What becomes of runs that were cut off: this run goes on from them, or they are left as they are. It is written
//! down on the host, so that nobody is told of them again.

use super::worker::Worker;
use super::{Connected, Job, Stop};
use crate::event::{Decision, EventKind, Fault, HostResult, Unfinished};
use crate::inventory::Host;
use crate::transport::{ReadHost, TransportError};

impl Connected {
    /// The runs that were cut off there and of which nothing was decided yet, the oldest first.
    pub fn unfinished(&self) -> &[Unfinished] {
        &self.unfinished
    }

    /// This run goes on from one that was cut off: once it ended well, that is on record.
    pub fn resume(&mut self, run: &str) {
        self.unfinished.retain(|found| found.run != run);
        self.resumes.push(run.to_owned());
    }
}

impl Job {
    /// Whether this run, when it ends well, has done all that one which was cut off was to do.
    pub fn goes_on_from(&self, found: &Unfinished) -> bool {
        found.runbook == self.card.runbook
            && found.undoes == self.card.undoes.as_deref().unwrap_or_default()
            && self.is_whole()
    }

    /// Whether it is about every step there is.
    fn is_whole(&self) -> bool {
        let mut undoes = self.undoes.iter();
        self.tags.is_empty()
            && self.start_at.is_none()
            && undoes.all(|undoes| undoes.steps.is_empty())
    }

    /// Whether this run takes that one back; when all of it is, that is on record.
    pub fn takes_back(&self, found: &Unfinished) -> bool {
        self.card.undoes.as_deref() == Some(found.run.as_str())
    }

    /// What becomes of one that this run went on from, or took back.
    fn decision(&self, run: &str) -> (Decision, String) {
        let by = &self.card.run;
        if self.card.undoes.as_deref() == Some(run) {
            (Decision::Undone, format!("undone by {by}"))
        } else {
            (Decision::Resumed, format!("resumed by {by}"))
        }
    }

    /// Leaves a run that was cut off as it is, and notes that.
    ///
    /// # Errors
    /// When that cannot be noted, or somebody else is at work.
    pub async fn leave_unfinished(
        &self,
        connected: &mut Connected,
        run: &str,
    ) -> Result<(), TransportError> {
        let words = format!("left by {}", self.card.operator);
        connected.link.settle(run, &words).await?;
        connected.unfinished.retain(|found| found.run != run);
        tell(self, &connected.host, run, Decision::Left);
        Ok(())
    }

    /// Ends a host on which nothing is done because of a run that was cut off.
    pub async fn refuse(
        &self,
        connected: Connected,
        fault: Fault,
        message: &str,
        hint: Option<String>,
    ) {
        let stop = Stop::new(fault, message).hint(hint);
        self.finish(&connected.host, stop.into());
        connected.link.close().await;
    }

    /// Ends a host on which these runs are taken back next, each by a run of its own.
    pub async fn make_way(&self, connected: Connected, runs: &[&str]) {
        for run in runs {
            tell(self, &connected.host, run, Decision::Next);
        }
        self.decline(connected).await;
    }

    /// Ends a host because the operator wants nothing done.
    pub async fn decline(&self, connected: Connected) {
        self.finish(&connected.host, HostResult::Declined);
        connected.link.close().await;
    }
}

impl Worker<'_> {
    /// Notes that this run went on from others, if it ended well. What cannot be noted the next run tells again.
    pub(super) async fn resumed(&mut self, runs: &[String], result: &HostResult) {
        let well = matches!(result, HostResult::Changed { .. } | HostResult::NothingToDo);
        for run in runs.iter().filter(|_| well) {
            let (decision, words) = self.job.decision(run);
            if self.link.settle(run, &words).await.is_ok() {
                tell(self.job, self.host, run, decision);
            }
        }
    }
}

/// The same where nothing was left to do.
pub(super) async fn resumed_idly(job: &Job, host: &Host, link: &mut ReadHost, runs: &[String]) {
    for run in runs {
        let (decision, words) = job.decision(run);
        if link.settle(run, &words).await.is_ok() {
            tell(job, host, run, decision);
        }
    }
}

fn tell(job: &Job, host: &Host, run: &str, decision: Decision) {
    job.events.tell(EventKind::UnfinishedSettled {
        host: host.name.to_string(),
        run: run.to_owned(),
        decision,
    });
}
