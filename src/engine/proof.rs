//! The end of a guarded section: a brand-new login proves that we still get in, and it is that login that disarms.

use tokio::time::Instant;

use super::guard::ANSWER;
use super::new_login::{Goal, Refusal, Way};
use super::worker::Worker;
use super::{Stop, pause};
use crate::event::{EventKind, Fault};
use crate::inventory::Connection;
use crate::probe::Probe;
use crate::transport::{Disarmed, GuardPhase, GuardState, NewLogin, TransportError};
use crate::value::Port;

impl Worker<'_> {
    /// Ends a section, if there is one: a new login, and that disarms.
    ///
    /// # Errors
    /// When no new login came about. The section is still there, to be taken back.
    pub(super) async fn end_section(&mut self) -> Result<(), Stop> {
        self.reload_now().await?;
        if self.section.is_none() {
            return Ok(());
        }
        if self.host.connection == Connection::Local {
            self.unless_stopped()?;
            return self.end_local_section().await;
        }
        self.await_room().await?;
        self.unless_stopped()?;
        let (mut login, way) = self.prove().await?;
        self.tell_proven(login.port);
        let ended = login.disarm().await;
        if let Ok(Disarmed::Yes(left)) = ended {
            self.way = way;
            return self.disarmed(login, left).await;
        }
        login.close().await;
        // The word may have arrived where its answer did not.
        if ended.is_err() && self.is_disarmed().await {
            self.way = way;
            self.tell_disarmed(None);
            return Ok(());
        }
        Err(not_disarmed(ended))
    }

    fn unless_stopped(&self) -> Result<(), Stop> {
        if self.job.stopped() {
            let message = "stopped before a new login proved the guarded changes";
            return Err(Stop::new(Fault::Interrupted, message));
        }
        Ok(())
    }

    /// Waits until a proof is not one connection too many, and has the host wait as long.
    async fn await_room(&mut self) -> Result<(), Stop> {
        let ready = Instant::now() + self.logins.wait(Instant::now());
        let mut answers = true;
        loop {
            let Some(section) = &self.section else {
                return Ok(());
            };
            let (port, usual, time) = (section.port, section.usual, self.job.guard.time);
            let wait = ready.saturating_duration_since(Instant::now());
            let next = wait.min(self.patience());
            if answers && section.left() < time / 2 + next {
                answers = self.link.answers_within(ANSWER).await;
                if answers {
                    self.give_time(port, usual).await?;
                }
            }
            if wait.is_zero() || self.job.stopped() {
                return Ok(());
            }
            pause(self.job, next).await;
        }
    }

    /// Whether the host says over the old link that its guard is disarmed.
    async fn is_disarmed(&mut self) -> bool {
        if !self.link.answers_within(ANSWER).await {
            return false;
        }
        let probe = GuardState::probe(&self.job.card.run);
        let asked = self.link.reader().ask(std::slice::from_ref(&probe)).await;
        asked.is_ok_and(|answers| {
            let answer = answers.get(&probe);
            answer
                .is_ok_and(|answer| GuardState::parse(&answer.text()).phase == GuardPhase::Disarmed)
        })
    }

    /// This machine: no login is possible that would prove more than the shell that still answers.
    async fn end_local_section(&mut self) -> Result<(), Stop> {
        let left = match self.link.disarm_guard().await? {
            Disarmed::Yes(left) => left,
            Disarmed::Fired => return Err(Stop::new(Fault::Reverted, "it took too long")),
            Disarmed::No(why) => return Err(stays_armed(&why)),
        };
        self.tell_proven(None);
        self.tell_disarmed(left);
        Ok(())
    }

    async fn prove(&mut self) -> Result<(NewLogin, Way), Stop> {
        let Some(section) = &self.section else {
            return Err(Stop::new(Fault::Failed, "no guard is armed"));
        };
        let goal = Goal {
            named: section.port,
            wanted: section.port(),
            until: section.until,
        };
        let found = self.logins.prove(self.job, &self.way, &goal).await;
        let refusal = match found {
            Ok(proven) => return Ok(proven),
            Err(refusal) => refusal,
        };
        let why = self.explained(&refusal, goal.wanted).await;
        self.job.events.tell(EventKind::GuardRefuted {
            host: self.host.name.to_string(),
            why: why.clone(),
        });
        Err(Stop::new(Fault::Reverted, why))
    }

    /// Why there was no new login, with what the host itself says over the link that still works.
    async fn explained(&mut self, refusal: &Refusal, wanted: Option<Port>) -> String {
        let Some(port) = wanted.filter(|_| refusal.is_silence()) else {
            return refusal.to_string();
        };
        if !self.link.answers_within(ANSWER).await {
            return refusal.to_string();
        }
        let probe = Probe::new("hf_listens", [port.get().to_string()]);
        let asked = self.link.reader().ask(std::slice::from_ref(&probe)).await;
        let text = asked.ok().and_then(|answers| {
            let answer = answers.get(&probe).ok()?;
            Some(answer.text().into_owned())
        });
        match text {
            Some(text) => refusal.located(port, &text),
            None => refusal.to_string(),
        }
    }

    /// The proof is made and the guard is gone. The old link goes on if it still answers, else the new one.
    async fn disarmed(&mut self, login: NewLogin, left: Option<String>) -> Result<(), Stop> {
        self.tell_disarmed(left);
        if self.link.answers_within(ANSWER).await {
            login.close().await;
            return Ok(());
        }
        match login.into_host().lock(&self.job.card).await {
            Ok(link) => {
                let old = std::mem::replace(&mut self.link, link);
                drop(old);
                Ok(())
            }
            Err((host, error)) => {
                host.close().await;
                Err(Stop::from(error))
            }
        }
    }

    fn tell_proven(&self, port: Option<Port>) {
        self.job.events.tell(EventKind::GuardProven {
            host: self.host.name.to_string(),
            port: port.map(Port::get),
        });
    }

    fn tell_disarmed(&mut self, left: Option<String>) {
        self.section = None;
        let host = self.host.name.to_string();
        self.job
            .events
            .tell(EventKind::GuardDisarmed { host, left });
    }
}

/// A new login succeeded, and the guard takes back all the same.
fn not_disarmed(ended: Result<Disarmed, TransportError>) -> Stop {
    match ended {
        Ok(Disarmed::No(why)) => stays_armed(&why),
        Ok(Disarmed::Fired | Disarmed::Yes(_)) => {
            Stop::new(Fault::Reverted, "the new login succeeded, but too late")
        }
        Err(error) => Stop::new(
            Fault::Unreachable,
            format!("the new login succeeded, but broke before it disarmed the guard: {error}"),
        ),
    }
}

fn stays_armed(why: &str) -> Stop {
    Stop::new(
        Fault::Failed,
        format!("the guard could not be disarmed: {why}"),
    )
}
