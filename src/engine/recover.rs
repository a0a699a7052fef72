//! After a lost connection: what became of the step that was under way? The host's journal knows.

use std::time::Duration;

use tokio::time::Instant;

use super::new_login::Way;
use super::{Job, pause};
use crate::event::Fault;
use crate::probe::{Answers, Probe};
use crate::transport::{Performed, ReadHost, SILENCE, TransportError, WriteHost};

/// How long a host may be away before we give up asking; the first part of the wait is for a
/// network that comes back, the rest is the step's own time limit.
const AWAY: Duration = Duration::from_mins(1);

/// How often a step that had not begun may turn out to have begun after all.
const TURNS: usize = 3;

/// What the operator is told when a connection is lost: how long it takes at most until more is known.
pub(super) fn looking(lost: &str) -> String {
    format!(
        "{lost}; looking what became of it: unknown if the host is not back within {} s ({} s after the line was cut)",
        AWAY.as_secs(),
        (SILENCE + AWAY).as_secs()
    )
}

/// The status of a step that the lost connection never reached.
pub(super) const NEVER_STARTED: i32 = -2;

/// Reconnects and reads how the step in `folder` ended.
///
/// # Errors
/// Why it stays unknown, as a clause.
pub(super) async fn outcome(
    job: &Job,
    ways: &[Way],
    folder: &str,
    probes: &[Probe],
    limit: Duration,
) -> Result<(WriteHost, Performed), String> {
    let link = come_back(job, ways).await?;
    let (mut link, status) = take_again(job, link, folder, limit).await?;
    let said = Probe::new("hf_run_output", [job.card.run.as_str(), folder]);
    let mut questions = probes.to_vec();
    questions.push(said.clone());
    let answers: Answers = link
        .reader()
        .ask(&questions)
        .await
        .map_err(|error| error.to_string())?;
    let output = answers
        .get(&said)
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default();
    Ok((
        link,
        Performed {
            status,
            output,
            answers,
        },
    ))
}

/// Takes the host again when the step is at its end. What the lost connection sent may arrive there until the lock is
/// ours, so only then it is true that a step never began.
async fn take_again(
    job: &Job,
    mut link: ReadHost,
    folder: &str,
    limit: Duration,
) -> Result<(WriteHost, i32), String> {
    let mut turns = 0;
    loop {
        turns += 1;
        let ended = end_of_step(job, &mut link, folder, limit).await?;
        match link.lock(&job.card).await {
            Ok(mut link) => {
                let text = journal(link.reader(), &job.card.run).await?;
                return match ending(&text, folder) {
                    Ending::With(status) => Ok((link, status)),
                    Ending::NeverStarted => Ok((link, NEVER_STARTED)),
                    Ending::Running => Err(IN_THE_MIDDLE.to_owned()),
                };
            }
            // It did begin, and holds the lock until its end.
            Err((back, TransportError::Locked { .. }))
                if ended == NEVER_STARTED && turns < TURNS =>
            {
                link = *back;
            }
            Err((link, error)) => {
                link.close().await;
                return Err(error.to_string());
            }
        }
    }
}

/// What became of a step that runs no more and has no end on record.
const IN_THE_MIDDLE: &str = "the step was ended in the middle, perhaps by a restart";

async fn journal(link: &mut ReadHost, run: &str) -> Result<String, String> {
    let question = Probe::new("hf_run_journal", [run]);
    let answers = link.ask(std::slice::from_ref(&question)).await;
    let answers = answers.map_err(|error| error.to_string())?;
    let answer = answers.get(&question);
    Ok(answer
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default())
}

/// Connects again, one way or another, for as long as the network may be away. A refused login is never
/// tried again.
pub(super) async fn come_back(job: &Job, ways: &[Way]) -> Result<ReadHost, String> {
    let give_up = Instant::now() + AWAY;
    for way in ways.iter().cycle() {
        let opened = ReadHost::open(&way.host, &way.ssh, true, &[]);
        match tokio::time::timeout_at(give_up, opened).await {
            Ok(Ok((link, _))) => return Ok(link),
            Err(_) => return Err("the host did not come back".to_owned()),
            Ok(Err(error)) => {
                let refused = matches!(
                    error.fault(),
                    Fault::Authentication | Fault::Identity | Fault::Sudo
                );
                if refused || Instant::now() >= give_up || job.stopped() {
                    return Err(format!("the host did not come back ({error})"));
                }
                pause(job, Duration::from_secs(10)).await;
            }
        }
    }
    Err("there is no way to it".to_owned())
}

/// Waits for the step's last line in the host's journal. A step that runs holds the host's lock, so
/// one without a last line while the lock is free was ended in the middle: killed, or by a restart.
async fn end_of_step(
    job: &Job,
    link: &mut ReadHost,
    folder: &str,
    limit: Duration,
) -> Result<i32, String> {
    let holder = Probe::new::<String>("hf_lock_holder", []);
    let journal = Probe::new("hf_run_journal", [job.card.run.as_str()]);
    let questions = [holder.clone(), journal.clone()];
    let end = Instant::now() + limit;
    let mut was_free = false;
    loop {
        let answers = link
            .ask(&questions)
            .await
            .map_err(|error| error.to_string())?;
        let text = answers
            .get(&journal)
            .map(|answer| answer.text().into_owned())
            .unwrap_or_default();
        let is_free = answers.get(&holder).is_ok_and(|answer| answer.status == 0);
        match ending(&text, folder) {
            Ending::With(status) => return Ok(status),
            Ending::NeverStarted => return Ok(NEVER_STARTED),
            // Asked twice: the journal may have been read just before the last line, the lock after it.
            Ending::Running if is_free && was_free => {
                return Err(IN_THE_MIDDLE.to_owned());
            }
            Ending::Running if Instant::now() >= end => {
                return Err("the step still runs".to_owned());
            }
            Ending::Running if job.stopped() => {
                return Err("the step still runs, and it was not waited for".to_owned());
            }
            Ending::Running => pause(job, Duration::from_secs(2)).await,
        }
        was_free = is_free;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    NeverStarted,
    Running,
    With(i32),
}

/// Reads the journal of a run: lines `TIME step FOLDER started|done|failed|moved|reverted`.
fn ending(journal: &str, folder: &str) -> Ending {
    let mut found = Ending::NeverStarted;
    for line in journal.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [_, "step", step, state] if *step == folder => {
                found = match *state {
                    "started" => Ending::Running,
                    "done" => Ending::With(0),
                    "moved" => Ending::With(crate::transport::MOVED),
                    "failed" => Ending::With(70),
                    "reverted" => Ending::With(crate::transport::REVERTED),
                    // Half a word, on a disk that was full: a step that cannot write that it starts does not.
                    _ => found,
                };
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_tells_how_a_step_ended() {
        let journal = "1 step 1 started\n1 step 1 change 1 started\n2 step 1 change 1 rc 0\n2 step 1 done\n3 step 2 started\n";
        assert_eq!(ending(journal, "1"), Ending::With(0));
        assert_eq!(ending(journal, "2"), Ending::Running);
        assert_eq!(ending(journal, "3"), Ending::NeverStarted);
        assert_eq!(
            ending("1 step 1 started\n1 step 1 moved\n", "1"),
            Ending::With(75)
        );
        assert_eq!(ending("1 step 1 star\n", "1"), Ending::NeverStarted);
        assert_eq!(
            ending("1 step 1 started\n2 step 1 don\n3 closed failed\n", "1"),
            Ending::Running
        );
    }
}
