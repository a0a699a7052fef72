//! Guards of earlier runs that were cut off: an armed one is waited for before anything is looked at, for what
//! would be seen does not last; what one did is told once.

use super::{Job, Stop, interrupted, take_back};
use crate::change::Note;
use crate::event::{EventKind, Fired, Mode};
use crate::inventory::Host;
use crate::probe::{Answers, Probe};
use crate::transport::{GuardPhase, GuardState, ReadHost, TransportError};

/// The question that [`parse`] reads the answer of.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_guards", [])
}

/// A guard that is armed, at work, or fired and was not told of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Earlier {
    run: String,
    state: GuardState,
    runbook: String,
    operator: String,
    started: String,
    /// Whether its run is alive and holds the host.
    alive: bool,
}

/// What came of the guards of earlier runs.
pub(super) enum Settled {
    /// What was seen of the host lasts; this is to be told.
    Seen(Vec<Note>),
    /// A guard was waited for: the host must be looked at anew.
    Restored,
    /// The connection broke while one was waited for. It was perhaps made by what is taken back.
    Lost(TransportError),
}

/// Sees to the guards of earlier runs: armed ones are waited for.
///
/// # Errors
/// When the operator asked to stop.
pub(super) async fn settle(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    answers: &Answers,
) -> Result<Settled, Stop> {
    let guards = parse(&text(answers, &probe()));
    if job.mode != Mode::Apply {
        return Ok(Settled::Seen(guards.iter().map(note).collect()));
    }
    let mut settled = Settled::Seen(Vec::new());
    for guard in guards.into_iter().filter(|guard| !guard.alive) {
        let run = guard.run.clone();
        let fired = if guard.state.phase == GuardPhase::Fired {
            guard
        } else {
            match wait(job, host, link, guard).await? {
                Ok(fired) => {
                    settled = Settled::Restored;
                    fired
                }
                Err(error) => return Ok(Settled::Lost(error)),
            }
        };
        if fired.state.phase == GuardPhase::Fired {
            job.events.tell(EventKind::GuardFired {
                host: host.name.to_string(),
                fired: Box::new(fired.told()),
            });
            // Told twice is better than not at all.
            let _ = link.mark_guard_told(&run).await;
        }
    }
    Ok(settled)
}

/// Waits until the host has restored itself.
///
/// # Errors
/// When the operator asked to stop; inside, why the host no longer answers.
async fn wait(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    guard: Earlier,
) -> Result<Result<Earlier, TransportError>, Stop> {
    job.events.tell(EventKind::GuardAwaited {
        host: host.name.to_string(),
        run: guard.run.clone(),
        seconds: guard.state.left.max(0).unsigned_abs(),
        give_up: None,
    });
    let mut stop = job.stop.clone();
    tokio::select! {
        state = take_back::settled(link, &guard.run) => Ok(state.map(|state| Earlier { state, ..guard })),
        Ok(_) = stop.wait_for(|stop| *stop) => Err(interrupted()),
    }
}

impl Earlier {
    fn told(&self) -> Fired {
        Fired {
            run: self.run.clone(),
            own: false,
            operator: self.operator.clone(),
            started: self.started.clone(),
            runbook: self.runbook.clone(),
            changes: self.state.changes,
            failed: self.state.failed,
            kept: self.state.kept,
            late: self.state.late,
            at_boot: self.state.at_boot,
        }
    }
}

/// What a run that changes nothing says about it.
fn note(guard: &Earlier) -> Note {
    let Earlier { run, state, .. } = guard;
    let whose = format!(
        "the guard of run {run} ({}, {})",
        guard.operator, guard.runbook
    );
    Note::warning(match state.phase {
        _ if guard.alive => format!("{whose} is armed, and that run is under way"),
        GuardPhase::Armed => format!(
            "{whose} is armed: the host restores itself in {} s, so what is seen now does not last",
            state.left.max(0)
        ),
        GuardPhase::Firing => {
            format!("{whose} restores the host now, so what is seen now does not last")
        }
        GuardPhase::Fired | GuardPhase::Disarmed | GuardPhase::None => format!(
            "{whose} has restored the host: {} of {} changes were taken back",
            state.changes - (state.failed + state.kept).min(state.changes),
            state.changes
        ),
    })
}

/// Reads lines `key=value`, a guard from each `run=` on.
fn parse(text: &str) -> Vec<Earlier> {
    let mut guards: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("run=") {
            guards.push(Vec::new());
        }
        if let Some(guard) = guards.last_mut() {
            guard.push(line);
        }
    }
    let read = |lines: Vec<&str>| {
        let value = |key: &str| {
            let found = lines
                .iter()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        let run = value("run");
        Earlier {
            alive: !run.is_empty() && value("holder").ends_with(&run),
            state: GuardState::parse(&lines.join("\n")),
            runbook: value("runbook"),
            operator: value("operator"),
            started: value("started"),
            run,
        }
    };
    guards.into_iter().map(read).collect()
}

fn text(answers: &Answers, probe: &Probe) -> String {
    let answer = answers.get(probe);
    answer
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "run=r-1\nstate=armed\nleft=43\noperator=ops@a\nrunbook=x\nholder=ops@a since T, runbook x, run r-1\n\
        run=r-2\nstate=fired\nchanges=2\nfailed=0\nkept=0\nlate=1\nboot=0\noperator=ops@b\nrunbook=y\nholder=\n";

    #[test]
    fn each_guard_is_read_and_whether_its_run_is_alive() {
        let guards = parse(TWO);
        assert_eq!(guards.len(), 2);
        assert!(guards[0].alive && !guards[1].alive);
        assert_eq!(guards[0].state.left, 43);
        assert_eq!(guards[1].told().changes, 2);
        assert_eq!(parse(""), Vec::new());
    }

    #[test]
    fn a_dry_run_says_what_it_sees() {
        let notes: Vec<String> = parse(TWO).iter().map(|guard| note(guard).text).collect();
        assert_eq!(
            notes,
            [
                "the guard of run r-1 (ops@a, x) is armed, and that run is under way",
                "the guard of run r-2 (ops@b, y) has restored the host: 2 of 2 changes were taken back",
            ]
        );
    }
}
