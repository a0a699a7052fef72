//! The end of a guarded section that was not proven: the host takes its changes back, now if it can be told
//! to, else by its own clock. What became of it is read from the host, never guessed.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::guard::{ANSWER, Section};
use super::new_login::Way;
use super::worker::Worker;
use super::{Job, Stop};
use crate::event::{EventKind, Fault, Fired};
use crate::transport::{GuardPhase, GuardState, ReadHost, TransportError};

/// How long after its time a guard may take to start: the timer's accuracy, a busy machine.
const GRACE: Duration = Duration::from_secs(10);
/// How long a restored host may take to be reachable, and how long restoring may take.
const RETURN: Duration = Duration::from_mins(3);
/// Time between looks at a host that restores itself.
const LOOK: Duration = Duration::from_secs(2);
/// Tries to connect to a host that is restoring itself, for those who have no time limit of their own.
pub(super) const RETRIES: usize = 8;
/// How often a guard that does not do its work is told to.
const TELLINGS: usize = 3;
/// Time between tries to connect.
pub(super) const AGAIN: Duration = Duration::from_secs(8);

impl Worker<'_> {
    /// What a stop means while a section was open. Without one it stays as it is.
    pub(super) async fn taken_back(&mut self, stop: Stop) -> Stop {
        let Some(section) = self.section.take() else {
            return stop;
        };
        let state = if let Some(state) = self.fire().await {
            Ok(state)
        } else {
            let state = await_guard(self.job, &self.way, &section).await;
            self.closed = state.is_ok();
            state
        };
        match state {
            Ok(state) => {
                if state.phase == GuardPhase::Fired {
                    self.changes = section.before;
                    self.fired = true;
                    self.job.events.tell(EventKind::GuardFired {
                        host: self.host.name.to_string(),
                        fired: Box::new(own(self.job, &state)),
                    });
                }
                concluded(stop, &state)
            }
            Err(why) => unknown(&stop, &why, &section),
        }
    }

    /// Over the old link, if it still answers.
    async fn fire(&mut self) -> Option<GuardState> {
        if !self.link.answers_within(ANSWER).await {
            return None;
        }
        let state = self.link.fire_guard().await.ok()?;
        // It is told now. When that cannot be noted, the next run tells it again.
        let _ = self.link.mark_guard_told().await;
        matches!(state.phase, GuardPhase::Fired | GuardPhase::Disarmed).then_some(state)
    }
}

/// Waits for the host to restore itself, connects again and reads what it did.
///
/// # Errors
/// Why that stays unknown, as a clause.
pub(super) async fn await_guard(
    job: &Job,
    way: &Way,
    section: &Section,
) -> Result<GuardState, String> {
    let fires = section.left() + Duration::from_secs(1);
    let give_up = Instant::now() + fires + RETURN;
    job.events.tell(EventKind::GuardAwaited {
        host: way.host.name.to_string(),
        run: job.card.run.clone(),
        seconds: section.left().as_secs(),
        give_up: Some((fires + RETURN).as_secs()),
    });
    sleep(fires).await;
    loop {
        let why = match look(job, way, give_up).await {
            Ok(state) => return Ok(state),
            Err(error) if is_refused(&error) && Instant::now() > section.until + GRACE => {
                return Err(error.to_string());
            }
            Err(error) => error.to_string(),
        };
        if Instant::now() >= give_up {
            return Err(why);
        }
        sleep(AGAIN).await;
    }
}

fn is_refused(error: &TransportError) -> bool {
    matches!(
        error.fault(),
        Fault::Authentication | Fault::Identity | Fault::Sudo
    )
}

async fn look(job: &Job, way: &Way, give_up: Instant) -> Result<GuardState, TransportError> {
    let opened = ReadHost::open(&way.host, &way.ssh, true, &[]);
    let Ok(opened) = timeout_at(give_up, opened).await else {
        return Err(TransportError::Unreachable {
            message: "it does not come back".to_owned(),
        });
    };
    let (mut link, _) = opened?;
    let state = settled(&mut link, &job.card.run).await;
    if let Ok(state) = &state {
        // It is told now. When that cannot be noted, the next run tells it again.
        let _ = link.mark_guard_told(&job.card.run).await;
        if state.phase == GuardPhase::Fired {
            // The same holds for the end of the run.
            let _ = link.close_run_of(&job.card.run, "reverted").await;
        }
    }
    link.close().await;
    state
}

/// The state of a run's guard once it has done its work. One that is overdue, or that was ended in the middle,
/// is told to; but one that does not come to an end is not told for ever.
pub(super) async fn settled(link: &mut ReadHost, run: &str) -> Result<GuardState, TransportError> {
    let probe = GuardState::probe(run);
    let mut told = 0;
    loop {
        let answers = link.ask(std::slice::from_ref(&probe)).await?;
        let text = answers.get(&probe).map(|answer| answer.text().into_owned());
        let state = GuardState::parse(&text.unwrap_or_default());
        match state.phase {
            GuardPhase::Fired | GuardPhase::Disarmed | GuardPhase::None => return Ok(state),
            GuardPhase::Armed | GuardPhase::Firing if is_stuck(&state) && told == TELLINGS => {
                return Ok(state);
            }
            GuardPhase::Armed | GuardPhase::Firing if is_stuck(&state) => {
                told += 1;
                link.fire_guard_of(run).await?;
            }
            GuardPhase::Armed | GuardPhase::Firing => sleep(LOOK).await,
        }
    }
}

fn is_stuck(state: &GuardState) -> bool {
    match state.phase {
        GuardPhase::Armed => state.left < -GRACE.as_secs().cast_signed(),
        GuardPhase::Firing => state.idle,
        GuardPhase::None | GuardPhase::Fired | GuardPhase::Disarmed => false,
    }
}

/// What a guard of this very run did.
pub(super) fn own(job: &Job, state: &GuardState) -> Fired {
    Fired {
        run: job.card.run.clone(),
        own: true,
        operator: job.card.operator.clone(),
        started: job.card.started.clone(),
        runbook: job.card.runbook.clone(),
        changes: state.changes,
        failed: state.failed,
        kept: state.kept,
        late: state.late,
        at_boot: state.at_boot,
    }
}

/// What the run comes to, now that the host has said what it did.
fn concluded(stop: Stop, state: &GuardState) -> Stop {
    if state.phase != GuardPhase::Fired {
        return not_fired(stop, state.phase);
    }
    let by_itself = state.was != GuardPhase::Armed;
    let lost = matches!(stop.fault, Fault::Unreachable | Fault::OutcomeUnknown);
    let fault = if by_itself || lost {
        Fault::Reverted
    } else {
        stop.fault
    };
    let bad = state.failed > 0 || state.kept > 0;
    let end = match (state.changes, bad) {
        (_, true) => format!(
            "the host took back {} of {} guarded changes, the others not",
            state.changes.saturating_sub(state.failed + state.kept),
            state.changes
        ),
        (0, false) => "no guarded change had been made".to_owned(),
        (_, false) => "the host has taken the guarded changes back and is as before".to_owned(),
    };
    let hint = bad.then(|| "look at `guard` lines in the host's record of this run".to_owned());
    Stop {
        fault,
        message: format!("{}; {end}", stop.message),
        hint: hint.or(stop.hint),
        ..stop
    }
}

fn not_fired(stop: Stop, phase: GuardPhase) -> Stop {
    let (fault, end) = match phase {
        GuardPhase::Disarmed => (
            stop.fault,
            "the guard was disarmed before, so what was changed stays",
        ),
        GuardPhase::Armed | GuardPhase::Firing => (
            Fault::OutcomeUnknown,
            "the host does not come to an end with taking back the guarded changes",
        ),
        GuardPhase::None | GuardPhase::Fired => {
            (Fault::OutcomeUnknown, "no guard was armed any more")
        }
    };
    let message = format!("{}; {end}", stop.message);
    Stop {
        fault,
        message,
        ..stop
    }
}

fn unknown(stop: &Stop, why: &str, section: &Section) -> Stop {
    let left = section.left().as_secs();
    let when = if left > 0 {
        format!("the host restores itself in {left} s")
    } else {
        "its time is up, so the host should have restored itself".to_owned()
    };
    let message = format!(
        "{}; {when}, but that could not be seen: {why}",
        stop.message
    );
    Stop {
        hint: Some("run again: it tells what the guard did".to_owned()),
        ..Stop::new(Fault::OutcomeUnknown, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(was: GuardPhase) -> GuardState {
        GuardState {
            phase: GuardPhase::Fired,
            was,
            changes: 2,
            ..GuardState::default()
        }
    }

    #[test]
    fn a_failed_step_stays_a_failure_unless_the_guard_was_faster() {
        let stop = || Stop::new(Fault::Failed, "step 2 failed");
        let told = concluded(stop(), &fired(GuardPhase::Armed));
        assert_eq!(told.fault, Fault::Failed);
        assert_eq!(
            told.message,
            "step 2 failed; the host has taken the guarded changes back and is as before"
        );
        assert_eq!(
            concluded(stop(), &fired(GuardPhase::Fired)).fault,
            Fault::Reverted
        );
    }

    #[test]
    fn a_lost_link_is_no_unknown_outcome_once_the_host_said_that_it_restored_itself() {
        let stop = Stop::new(Fault::OutcomeUnknown, "the connection broke");
        assert_eq!(
            concluded(stop, &fired(GuardPhase::Armed)).fault,
            Fault::Reverted
        );
    }

    #[test]
    fn what_could_not_be_taken_back_is_not_called_as_before() {
        let state = GuardState {
            failed: 1,
            ..fired(GuardPhase::Armed)
        };
        let told = concluded(Stop::new(Fault::Reverted, "no login"), &state);
        assert!(
            told.message
                .ends_with("took back 1 of 2 guarded changes, the others not")
        );
    }
}
