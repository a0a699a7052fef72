//! Guarded sections: the host takes their changes back by itself unless a new login disarms it in time.
//!
//! A section is a row of guarded steps that really change something. It is armed before the first of them, has
//! its full time again before each further one, and ends before the next unguarded change, or with the steps:
//! then a brand-new login must succeed, and it is that login that disarms. Whatever else ends a section, a
//! failed step or a stop included, makes the host take back all of it (`take_back.rs`). The proof is in `proof.rs`.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::Stop;
use super::new_login::Way;
use super::step::Done;
use super::worker::Worker;
use crate::change::{StepNumber, Timing};
use crate::event::{EventKind, Fault};
use crate::inventory::Connection;
use crate::plan::StepPlan;
use crate::probe::Probe;
use crate::runbook::{RenderedGuard, RenderedStep};
use crate::transport::{TransportError, server_port};
use crate::value::Port;

/// How steps are guarded, the same for all hosts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardTerms {
    /// How long the host waits for a new login, from the start of the last guarded step on.
    pub time: Duration,
    /// Whether changes that cannot be taken back are made in guarded steps all the same.
    pub accept_irreversible: bool,
}

impl Default for GuardTerms {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(2),
            accept_irreversible: false,
        }
    }
}

impl GuardTerms {
    /// How long a guarded step may take: the rest is for the proof, or for taking it back.
    pub(super) fn step_limit(&self) -> Duration {
        self.time * 4 / 5
    }
}

/// What the host would take back now.
#[derive(Debug)]
pub(super) struct Section {
    /// The port that a step wants the new login to come through.
    pub(super) port: Option<Port>,
    /// The one that was in use when it was armed, as the host sees it.
    pub(super) usual: Option<Port>,
    /// When it fires by our clock, which began before the host's.
    pub(super) until: Instant,
    /// How many things had been changed before it.
    pub(super) before: usize,
    /// The ids of its steps.
    ids: Vec<String>,
}

impl Section {
    /// The port of sshd that the new login must come through.
    pub(super) fn port(&self) -> Option<Port> {
        self.port.or(self.usual)
    }

    /// When the new login must come by another port: the one that is in use, and that one.
    pub(super) fn ports(&self) -> Option<(Port, Port)> {
        let ports = self.usual.zip(self.port);
        ports.filter(|(before, after)| before != after)
    }

    /// What is left of its time.
    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Worker<'_> {
    /// Before something is changed: arms for a guarded step, and ends the section before an unguarded one.
    pub(super) async fn guard_before(
        &mut self,
        step: &RenderedStep,
        timing: Timing,
    ) -> Result<(), Stop> {
        match (&step.guard, timing) {
            (Some(guard), _) => {
                self.arm(guard).await?;
                if let Some(section) = &mut self.section {
                    section.ids.extend(step.id.clone());
                }
                Ok(())
            }
            // What a section puts off to its end belongs to it.
            (None, Timing::AtEnd) => match &self.section {
                Some(section) => self.give_time(section.port, section.usual).await,
                None => Ok(()),
            },
            (None, Timing::InOrder) => self.end_section().await,
        }
    }

    /// Whether the guard takes back what a step does now.
    pub(super) fn is_guarded(&self, step: &RenderedStep, timing: Timing) -> bool {
        step.guard.is_some() || (timing == Timing::AtEnd && self.section.is_some())
    }

    /// Reloads that the section's changes ask for: until they are made, a login proves nothing about them, and
    /// made afterwards, nothing would take them back.
    pub(super) async fn reload_now(&mut self) -> Result<(), Stop> {
        let ids = match &mut self.section {
            Some(section) => std::mem::take(&mut section.ids),
            None => return Ok(()),
        };
        let asked = |step: &RenderedStep| {
            let mut asks = step.reload_on.iter();
            asks.any(|id| ids.contains(id) && self.known.will_change(id))
        };
        let steps = self.rendered.steps.iter().filter(|step| asked(step));
        let numbers: Vec<StepNumber> = steps.map(|step| step.number).collect();
        let plan = self.plan.clone();
        let plans = plan.steps.iter();
        for plan in plans.filter(|plan| numbers.contains(&plan.number)) {
            self.perform_at_once(plan).await?;
        }
        let changes = self.changes;
        self.reloaded
            .extend(numbers.into_iter().map(|number| (number, changes)));
        Ok(())
    }

    /// Boxed, for performing a step is what ends a section.
    fn perform_at_once<'s>(
        &'s mut self,
        plan: &'s StepPlan,
    ) -> Pin<Box<dyn Future<Output = Result<Done, Stop>> + Send + 's>> {
        Box::pin(self.perform(plan, Timing::AtEnd))
    }

    async fn arm(&mut self, guard: &RenderedGuard) -> Result<(), Stop> {
        let usual = match &self.section {
            Some(section) => section.usual,
            None => self.port_in_use().await?,
        };
        let port = guard
            .port
            .or(self.section.as_ref().and_then(|section| section.port));
        self.give_time(port, usual).await
    }

    /// Arms, or gives an armed guard its full time again.
    pub(super) async fn give_time(
        &mut self,
        port: Option<Port>,
        usual: Option<Port>,
    ) -> Result<(), Stop> {
        let (again, time) = (self.section.is_some(), self.job.guard.time);
        if self.fired {
            // What it did was told, and a person goes on.
            self.link.renew_guard().await?;
            self.fired = false;
        }
        let armed_at = Instant::now();
        let weaker = match self.link.arm_guard(time.as_secs()).await {
            Ok(weaker) => weaker,
            Err(TransportError::Unusable { message }) => {
                let message = format!("the guard cannot be armed: {message}; nothing was begun");
                return Err(Stop::new(Fault::Failed, message));
            }
            Err(other) => return Err(other.into()),
        };
        let before = self
            .section
            .as_ref()
            .map_or(self.changes, |section| section.before);
        self.section = Some(Section {
            port,
            usual,
            until: armed_at + time,
            before,
            ids: self
                .section
                .take()
                .map_or_else(Vec::new, |section| section.ids),
        });
        let told = EventKind::GuardArmed {
            host: self.host.name.to_string(),
            seconds: time.as_secs(),
            again,
            weaker,
            here: self.host.connection == Connection::Local,
        };
        if self.job.events.tell_and_wait(told).await {
            return Ok(());
        }
        let message = "the journal on this machine cannot be written; nothing more was started";
        Err(Stop::new(Fault::Journal, message))
    }

    /// Tells the host that we are still there: an armed guard has its full time again.
    pub(super) async fn stay(&mut self) -> Result<(), Stop> {
        match &self.section {
            Some(section) => self.give_time(section.port, section.usual).await,
            None => Ok(self.link.alive().await?),
        }
    }

    /// How often [`Worker::stay`] has to be said.
    pub(super) fn patience(&self) -> Duration {
        let usual = Duration::from_mins(1);
        match &self.section {
            Some(_) => usual.min(self.job.guard.time / 3),
            None => usual,
        }
    }

    /// How the host may be reached in the middle of a section: as before, or already as the section will have it.
    pub(super) async fn ways(&mut self) -> Vec<Way> {
        let port = self.section.as_ref().and_then(|section| section.port);
        let mut ways = vec![self.way.clone()];
        if port.is_some_and(|port| self.way.host.port != Some(port)) {
            ways.push(self.way.on_port(port).await);
        }
        ways
    }

    /// How long a step's changes may take.
    pub(super) fn time_limit(&self, step: &RenderedStep, timing: Timing) -> Duration {
        let own = step.timeout.get();
        if self.is_guarded(step, timing) {
            own.min(self.job.guard.step_limit())
        } else {
            own
        }
    }

    async fn port_in_use(&mut self) -> Result<Option<Port>, Stop> {
        let hello = Probe::new::<String>("hf_hello", []);
        let answers = self.link.reader().ask(std::slice::from_ref(&hello)).await?;
        let text = answers.get(&hello).map(|answer| answer.text().into_owned());
        Ok(server_port(&text.unwrap_or_default()))
    }
}

/// How long an old link may take to show that it is alive: over a cut one nothing comes at all.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
