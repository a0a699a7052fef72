//! A host on which somebody else is at work: told at once, before anything is looked at.

use std::time::Duration;

use tokio::time::sleep;

use super::{Job, Stop};
use crate::change::Note;
use crate::event::Mode;
use crate::probe::{Answers, Probe};
use crate::transport::{ReadHost, TransportError};

/// The question that says who is at work.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_lock_state", [])
}

/// A shell whose controller was killed is gone a moment later: looks at a lock, and the time between them.
const LOOKS: usize = 3;
const LOOK: Duration = Duration::from_millis(200);

/// Who holds a host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    /// Who, since when, which runbook and run.
    words: String,
    run: String,
}

/// What came of looking at the lock.
pub(super) enum Lock {
    /// Nobody else is at work; what was asked first is true.
    Free,
    /// Somebody was a moment ago, so it was asked again.
    Freed(Answers),
    /// Somebody is: to be told by a run that changes nothing.
    Held(Note),
}

/// Whether somebody else is at work. A shell that was left over by a run of this machine which is over is ended.
///
/// # Errors
/// `Locked` for a run that wants to change something, with the holder's words.
pub(super) async fn look(
    job: &Job,
    link: &mut ReadHost,
    answers: &Answers,
    first: &[Probe],
) -> Result<Lock, Stop> {
    let Some(mut holder) = holder(answers) else {
        return Ok(Lock::Free);
    };
    if job.mode != Mode::Apply {
        let text = format!(
            "{} is at work on it now, so what is seen may not last",
            holder.words
        );
        return Ok(Lock::Held(Note::warning(text)));
    }
    for _ in 0..LOOKS {
        if (job.is_over)(&holder.run) {
            link.end_dead_run(&holder.run).await?;
        }
        sleep(LOOK).await;
        let again = link.ask(std::slice::from_ref(&probe())).await?;
        match self::holder(&again) {
            Some(still) => holder = still,
            None => return Ok(Lock::Freed(link.ask(first).await?)),
        }
    }
    let error = TransportError::Locked {
        holder: holder.words,
    };
    Err(error.into())
}

fn holder(answers: &Answers) -> Option<Holder> {
    let answer = answers.get(&probe()).ok()?;
    let text = answer.text();
    let value = |key: &str| {
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.map(str::to_owned)
    };
    let run = value("run")?;
    let words = value("holder").filter(|words| !words.is_empty());
    Some(Holder {
        words: words.unwrap_or_else(|| "another run that is just starting".to_owned()),
        run,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Answer;

    fn answered(text: &str) -> Option<Holder> {
        let answer = Answer {
            status: 0,
            output: text.as_bytes().to_vec(),
        };
        holder(&[(probe(), answer)].into_iter().collect())
    }

    #[test]
    fn who_is_at_work_is_read() {
        let words = "ada@desk since T, runbook web, run r-1";
        let held = answered(&format!("holder={words}\nrun=r-1\n")).unwrap();
        assert_eq!((held.words.as_str(), held.run.as_str()), (words, "r-1"));
        assert_eq!(answered(""), None);
        let starting = answered("holder=\nrun=\n").unwrap();
        assert_eq!(starting.words, "another run that is just starting");
    }
}
