//! A host whose lock we hold: it also performs.

use std::time::Duration;

use super::card::{RunCard, RunPapers};
use super::host::{ASK_LIMIT, answers};
use super::points::Keep;
use super::script;
use super::step_script::{self, StepScript};
use super::wire::{Progress, Wire};
use super::{ReadHost, TransportError};
use crate::change::Call;
use crate::probe::{Answers, Probe};

/// A host whose lock we hold: it also performs steps.
#[derive(Debug)]
pub struct WriteHost {
    host: ReadHost,
    run: String,
}

/// How a step went on the host.
#[derive(Debug, Clone)]
pub struct Performed {
    /// 0 done, 75 moved since the plan, 124 out of time, else failed.
    pub status: i32,
    /// The end of what it printed.
    pub output: String,
    /// The answers after it.
    pub answers: Answers,
}

/// Time for the last line of the journal: over a cut link nothing comes at all.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// Exit status of a step that found the host no longer as planned (`EX_TEMPFAIL` of sysexits.h).
pub const MOVED: i32 = 75;

impl ReadHost {
    /// Takes the host's lock for a run that has it already, or that has no steps.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn lock(self, card: &RunCard) -> Result<WriteHost, (Box<Self>, TransportError)> {
        self.begin(card, RunPapers::default()).await
    }

    /// Takes the host's lock and opens the run's folder there.
    ///
    /// # Errors
    /// `Locked` with the holder's words; nothing was changed then. The host comes back with it.
    pub async fn begin(
        mut self,
        card: &RunCard,
        papers: RunPapers<'_>,
    ) -> Result<WriteHost, (Box<Self>, TransportError)> {
        let raw = match self
            .wire
            .request(ASK_LIMIT, 1, &|_| {}, |nonce| {
                script::open_run(nonce, card, papers)
            })
            .await
        {
            Ok(raw) => raw,
            Err(error) => return Err((Box::new(self), error)),
        };
        let first = raw.into_iter().find(|(index, _, _)| *index == 0);
        let (status, text) = first.map_or((-1, String::new()), |(_, status, body)| {
            (status, String::from_utf8_lossy(&body).into_owned())
        });
        match status {
            0 => Ok(WriteHost {
                host: self,
                run: card.run.clone(),
            }),
            73 if text.is_empty() => Err((
                Box::new(self),
                TransportError::Locked {
                    holder: "another run that is just starting".to_owned(),
                },
            )),
            73 => Err((Box::new(self), TransportError::Locked { holder: text })),
            _ => Err((
                Box::new(self),
                TransportError::Unwritable {
                    message: text.trim().to_owned(),
                },
            )),
        }
    }
}

impl WriteHost {
    /// Performs a step to its end and asks `probes` afterwards, in one request.
    ///
    /// # Errors
    /// `Lost`: the outcome is unknown, and the host's journal tells it.
    pub async fn perform(
        &mut self,
        step: &StepScript<'_>,
        probes: &[Probe],
        progress: Progress<'_>,
    ) -> Result<Performed, TransportError> {
        let limit = Duration::from_secs(step.seconds) + ASK_LIMIT;
        let run = &self.run;
        let wire = &mut self.host.wire;
        let raw = wire
            .request(limit, 1 + probes.len(), progress, |nonce| {
                step_script::perform(nonce, run, step, probes.iter())
            })
            .await?;
        let (status, output) = raw
            .iter()
            .find(|(index, _, _)| *index == 0)
            .map_or((-1, String::new()), |(_, status, body)| {
                (*status, String::from_utf8_lossy(body).into_owned())
            });
        Ok(Performed {
            status,
            output,
            answers: answers(raw, 1, probes),
        })
    }

    /// Asks, and the host keeps the answers as the state that the run left.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn ask_and_keep(&mut self, probes: &[Probe]) -> Result<Answers, TransportError> {
        let request = |nonce: &str| script::ask_and_keep(nonce, probes.iter());
        let wire = &mut self.host.wire;
        let raw = wire
            .request(ASK_LIMIT, probes.len(), &|_| {}, request)
            .await?;
        Ok(answers(raw, 0, probes))
    }

    /// Tells the host that we are still there, so that it keeps the lock for us over a long pause.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn alive(&mut self) -> Result<(), TransportError> {
        let wire = &mut self.host.wire;
        wire.request(ASK_LIMIT, 0, &|_| {}, script::alive)
            .await
            .map(|_| ())
    }

    /// Replaces the record of the run's steps on the host: they were filled in anew.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn keep_steps(&mut self, steps: &str) -> Result<(), TransportError> {
        let wire = &mut self.host.wire;
        wire.request(ASK_LIMIT, 0, &|_| {}, |nonce| {
            script::keep_steps(nonce, steps)
        })
        .await
        .map(|_| ())
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.host.wire
    }

    /// The same host for questions; the lock stays until it is closed.
    pub fn reader(&mut self) -> &mut ReadHost {
        &mut self.host
    }

    /// Writes down that the run came to its end here: `done`, `failed`, `stopped` or `reverted`. When that cannot
    /// be written, the next run finds this one unfinished, which is true. Old restore points go.
    pub async fn close_run(&mut self, outcome: &str) {
        let words = Call::new("hf_close_run", [outcome]);
        let request =
            |nonce: &str| script::close_run(nonce, &words, &Keep::default().call("hf_prune"));
        let wire = &mut self.host.wire;
        if let Err(error) = wire.request(CLOSE_LIMIT, 1, &|_| {}, request).await {
            tracing::debug!(%error, "the end of the run is not on record there");
        }
    }

    /// Ends the connection, which frees the lock.
    pub async fn close(self) {
        self.host.close().await;
    }
}
