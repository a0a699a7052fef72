//! What works through a plan on one host: its link, what it has done so far, and how it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::edit::Ground;
use super::guard::{ANSWER, Section};
use super::new_login::{Logins, Way};
use super::past::Past;
use super::seat::Seat;
use super::{Job, Stop, pause, recover};
use crate::change::{Call, Known, StepNumber, Timing, Verdict};
use crate::event::{EventKind, Fault, HostResult, StepResult};
use crate::here::is_here;
use crate::inventory::Host;
use crate::plan::{HostPlan, StepPlan};
use crate::probe::Probe;
use crate::runbook::{Rendered, RenderedStep};
use crate::transport::WriteHost;

/// What works through a plan on one host.
pub(super) struct Worker<'a> {
    pub(super) job: &'a Job,
    pub(super) host: &'a Host,
    pub(super) link: WriteHost,
    /// The steps and checks of the host.
    pub(super) rendered: Arc<Rendered>,
    /// What was planned for them.
    pub(super) plan: Arc<HostPlan>,
    /// What they were filled in with; none in a rehearsal, which fills in nothing.
    pub(super) ground: Option<Ground>,
    /// Its place at the gate, when somebody is asked.
    pub(super) seat: Option<Seat>,
    /// What is passed over without asking, as [`Gate::passes`](super::Gate::passes) has it.
    pub(super) passes: BTreeSet<String>,
    /// The step whose turn it is.
    pub(super) now: Option<(String, Timing)>,
    /// How the host was reached when that turn began.
    pub(super) before: Way,
    /// What was done and left so far.
    pub(super) past: Past,
    /// Steps that were no longer what the saved plan says, by their keys, when somebody left them out.
    pub(super) beyond: BTreeMap<String, Stop>,
    /// How often a step's folder was used, by its name.
    pub(super) tries: BTreeMap<String, u32>,
    /// Whether the guard of this run has fired, and was not armed since.
    pub(super) fired: bool,
    /// Steps whose reload was made before its time, and how many things had been changed by then.
    pub(super) reloaded: BTreeMap<StepNumber, usize>,
    /// What the changes that were made looked at: how it is in the end is kept on the host.
    pub(super) touched: BTreeSet<Probe>,
    /// Which steps did change something.
    pub(super) known: Known,
    /// How many things were changed so far.
    pub(super) changes: usize,
    /// How the host is reached now.
    pub(super) way: Way,
    /// The new connections that were made to it.
    pub(super) logins: Logins,
    /// How many things had been changed when a new login came about last.
    pub(super) proven: Option<usize>,
    /// What the host would take back.
    pub(super) section: Option<Section>,
    /// Whether the end of the run is on record there already.
    pub(super) closed: bool,
}

impl<'a> Worker<'a> {
    /// Nothing is done yet.
    pub(super) fn new(
        job: &'a Job,
        host: &'a Host,
        (link, logins): (WriteHost, Logins),
        (rendered, plan): (Arc<Rendered>, Arc<HostPlan>),
    ) -> Self {
        Self {
            job,
            host,
            link,
            rendered,
            plan,
            ground: None,
            seat: None,
            passes: job.gate.passes_of(host.name.as_str()),
            now: None,
            before: Way {
                host: host.clone(),
                ssh: job.ssh.clone(),
            },
            past: Past::default(),
            beyond: BTreeMap::new(),
            tries: BTreeMap::new(),
            fired: false,
            reloaded: BTreeMap::new(),
            touched: BTreeSet::new(),
            known: Known::nothing(),
            changes: 0,
            way: Way {
                host: host.clone(),
                ssh: job.ssh.clone(),
            },
            logins,
            proven: None,
            section: None,
            closed: false,
        }
    }
}

/// The last word of a run on a host; none when nobody knows what that is.
fn closing(result: &HostResult) -> Option<&'static str> {
    match result {
        HostResult::Stopped { fault, .. } => match fault {
            Fault::OutcomeUnknown | Fault::Unreachable => None,
            Fault::Reverted => Some("reverted"),
            Fault::Interrupted | Fault::NotBegun => Some("stopped"),
            Fault::Identity
            | Fault::Authentication
            | Fault::Sudo
            | Fault::Locked
            | Fault::Unsupported
            | Fault::Failed
            | Fault::Stale
            | Fault::NeedsHuman
            | Fault::Verification
            | Fault::Journal => Some("failed"),
        },
        HostResult::NothingToDo
        | HostResult::ChangesDue { .. }
        | HostResult::Changed { .. }
        | HostResult::Verified
        | HostResult::Declined => Some("done"),
    }
}

impl Worker<'_> {
    /// A pause between tries, during which the host keeps its lock for us.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.job.stopped() {
            let left = end.saturating_duration_since(Instant::now());
            pause(self.job, left.min(self.patience())).await;
            self.stay().await?;
        }
        Ok(())
    }

    /// Reaches the host again after its link broke: all is done, and only the lock and the proof are wanted.
    ///
    /// # Errors
    /// Why that is not possible, as a clause.
    pub(super) async fn come_back(&mut self) -> Result<(), String> {
        let fresh = recover::come_back(self.job, std::slice::from_ref(&self.way)).await?;
        match fresh.lock(&self.job.card).await {
            Ok(link) => {
                self.link = link;
                Ok(())
            }
            Err((link, error)) => {
                link.close().await;
                Err(error.to_string())
            }
        }
    }

    /// After a failure: the host keeps how what was touched is now, so that it can be told what is changed later.
    pub(super) async fn keep_touched(&mut self) {
        let touched: Vec<Probe> = self.touched.iter().cloned().collect();
        if touched.is_empty() || self.closed || !self.link.answers_within(ANSWER).await {
            return;
        }
        let there = touched
            .into_iter()
            .filter(|probe| !is_here(&probe.function));
        // What cannot be kept is not known later, and said so then.
        let _ = self.link.ask_and_keep(&there.collect::<Vec<_>>()).await;
    }

    /// The end of the run on this host: on record there, unless nobody knows how it ended or the host restored
    /// itself meanwhile and knows. The lock is free afterwards.
    pub(super) async fn end(mut self, result: &HostResult) {
        if let Some(outcome) = closing(result).filter(|_| !self.closed) {
            self.link.close_run(outcome).await;
        }
        self.link.close().await;
    }

    /// Services whose reload this step's change asks for: marked on the host before the change, so
    /// that the reload is not forgotten when the run ends in between.
    pub(super) fn marks(&self, step: &RenderedStep) -> Vec<Call> {
        let Some(id) = &step.id else {
            return Vec::new();
        };
        let listeners = self
            .rendered
            .steps
            .iter()
            .filter(|other| other.reload_on.contains(id));
        listeners
            .filter_map(|other| other.resource.as_ref()?.mark_reload())
            .collect()
    }

    pub(super) fn unknown(&self, plan: &StepPlan, lost: &str, why: &str) -> Stop {
        let message = format!("{lost}; {why}: it may have been done or not");
        self.tell_failed(plan, Fault::OutcomeUnknown, &message, "");
        let hint = format!(
            "the host's own record is /var/lib/holdfast/runs/{}/journal; run again to see its state",
            self.job.card.run
        );
        Stop::new(
            Fault::OutcomeUnknown,
            format!("{} ({}): {message}", plan.number, plan.subject),
        )
        .hint(Some(hint))
    }

    pub(super) fn tell(&self, plan: &StepPlan, result: StepResult) {
        let host = self.host.name.to_string();
        self.job.events.tell(EventKind::StepFinished {
            host,
            number: plan.number,
            name: plan.name.clone(),
            result,
        });
    }

    pub(super) fn tell_failed(&self, plan: &StepPlan, fault: Fault, message: &str, output: &str) {
        self.tell(
            plan,
            StepResult::Failed {
                fault,
                message: message.to_owned(),
                output: output.to_owned(),
            },
        );
    }

    /// What somebody changed meanwhile is shown.
    pub(super) fn tell_moved(&self, now: &StepPlan) {
        if matches!(now.verdict(), Some(Verdict::Blocked(blocked)) if !blocked.moved.is_empty()) {
            self.tell_replanned(now);
        }
    }

    /// A step that turned out otherwise than it was shown.
    pub(super) fn tell_replanned(&self, now: &StepPlan) {
        self.job.events.tell(EventKind::StepReplanned {
            host: self.host.name.to_string(),
            step: Box::new(now.clone()),
        });
    }

    pub(super) fn progress(&self, plan: &StepPlan, text: &str) {
        let host = self.host.name.to_string();
        self.job.events.tell(EventKind::StepProgress {
            host,
            number: plan.number,
            text: text.to_owned(),
        });
    }
}
