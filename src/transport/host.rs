//! A host as the engine sees it: one that answers, and one that also performs.

use std::time::Duration;

use super::script::{self, RunCard, StepScript};
use super::wire::{Progress, Wire};
use super::{Connection, SshOptions, TransportError};
use crate::change::Call;
use crate::inventory::Host;
use crate::probe::{Answer, Answers, Probe};

/// A host that can only be asked. Everything it sends is made of the read functions.
#[derive(Debug)]
pub struct ReadHost {
    connection: Connection,
    wire: Wire,
    root: bool,
}

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

/// Exit status of a step that found the host no longer as planned (`EX_TEMPFAIL` of sysexits.h).
pub const MOVED: i32 = 75;

/// Time for questions: generous, a slow host under load answers in seconds.
const ASK_LIMIT: Duration = Duration::from_mins(2);

/// Time for the first answer: login scripts and a slow sudo (dead DNS) come before it.
const HELLO_LIMIT: Duration = Duration::from_mins(1);

impl ReadHost {
    /// Connects, starts the shell, becomes root and asks the first questions on the way. With
    /// `root_needed` false a login without a way to root is used as it is: a dry run then says what
    /// it could not read.
    ///
    /// # Errors
    /// The class of the fault; nothing was changed.
    pub async fn open(
        host: &Host,
        options: &SshOptions,
        root_needed: bool,
        first: &[Probe],
    ) -> Result<(Self, Answers), TransportError> {
        let connection = Connection::open(host, options).await?;
        let opened = Self::on(connection.clone(), root_needed, first).await;
        if opened.is_err() {
            connection.close().await;
        }
        opened
    }

    async fn on(
        connection: Connection,
        root_needed: bool,
        first: &[Probe],
    ) -> Result<(Self, Answers), TransportError> {
        let mut wire = Wire::new(connection.shell(&["/bin/sh", "-s"]).await?);
        let plain = match hello(&mut wire, None, first).await {
            Err(_) if shell_ended(&mut wire, &connection).await => {
                let words = wire.last_words().await;
                return Err(TransportError::from_shell(&words));
            }
            other => other?,
        };
        if plain.uid == "0" {
            return Ok((
                Self {
                    connection,
                    wire,
                    root: true,
                },
                plain.answers,
            ));
        }
        let mut raised = Wire::new(connection.shell(&["sudo", "-n", "/bin/sh", "-s"]).await?);
        match hello(&mut raised, Some(&plain.peer), first).await {
            Ok(hello) if hello.uid == "0" => Ok((
                Self {
                    connection,
                    wire: raised,
                    root: true,
                },
                hello.answers,
            )),
            // A lost connection or a time limit says nothing about sudo.
            Err(error) if !shell_ended(&mut raised, &connection).await => Err(error),
            _ if !root_needed => Ok((
                Self {
                    connection,
                    wire,
                    root: false,
                },
                plain.answers,
            )),
            Ok(_) => Err(TransportError::from_sudo("sudo did not make us root")),
            Err(_) => Err(TransportError::from_sudo(&raised.complaints().await)),
        }
    }

    /// Whether we are root there.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// Asks all probes in one request.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn ask(&mut self, probes: &[Probe]) -> Result<Answers, TransportError> {
        self.ask_for(probes, Duration::ZERO).await
    }

    /// The same with so much more time: for questions that make the host work.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn ask_for(
        &mut self,
        probes: &[Probe],
        more: Duration,
    ) -> Result<Answers, TransportError> {
        if probes.is_empty() {
            return Ok(Answers::new());
        }
        for probe in probes {
            tracing::debug!(%probe, "asks");
        }
        let request = |nonce: &str| script::ask(nonce, probes.iter());
        let (wire, count, limit) = (&mut self.wire, probes.len(), ASK_LIMIT + more);
        let raw = match wire.request(limit, count, &|_| {}, request).await {
            // A login script's background job printed into the answer. Questions can be repeated.
            Err(TransportError::Garbled { .. }) => {
                wire.request(limit, count, &|_| {}, request).await?
            }
            other => other?,
        };
        Ok(answers(raw, 0, probes))
    }

    /// Makes a trial: a call of a function of `src/host/*.trial.sh`, which changes something for a moment and
    /// puts it back by itself, and says what it saw.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn attempt(&mut self, call: &Call) -> Result<Answer, TransportError> {
        tracing::debug!(function = call.function, args = ?call.args, "tries");
        let request = |nonce: &str| script::trial(nonce, call);
        let raw = self.wire.request(ASK_LIMIT, 1, &|_| {}, request).await?;
        let first = raw.into_iter().find(|(index, _, _)| *index == 0);
        let (status, output) = first.map_or((-1, Vec::new()), |(_, status, body)| (status, body));
        Ok(Answer { status, output })
    }

    /// Takes the host's lock and opens the run's folder there.
    ///
    /// # Errors
    /// `Locked` with the holder's words; nothing was changed then. The host comes back with it.
    pub async fn lock(mut self, card: &RunCard) -> Result<WriteHost, (Box<Self>, TransportError)> {
        let raw = match self
            .wire
            .request(ASK_LIMIT, 1, &|_| {}, |nonce| script::open_run(nonce, card))
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
                TransportError::Unusable {
                    message: format!("the run's folder cannot be made: {text}"),
                },
            )),
        }
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Ends the connection.
    pub async fn close(self) {
        drop(self.wire);
        self.connection.close().await;
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
                script::perform(nonce, run, step, probes.iter())
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

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.host.wire
    }

    /// The same host for questions; the lock stays until it is closed.
    pub fn reader(&mut self) -> &mut ReadHost {
        &mut self.host
    }

    /// Ends the connection, which frees the lock.
    pub async fn close(self) {
        self.host.close().await;
    }
}

/// What a new shell says first.
struct Hello {
    uid: String,
    /// The connection as the host sees it, in the words of `SSH_CONNECTION`.
    peer: String,
    answers: Answers,
}

/// Whether the shell has ended although the connection is still there.
async fn shell_ended(wire: &mut Wire, connection: &Connection) -> bool {
    wire.has_ended() && connection.is_alive().await
}

/// Loads the read set, asks who we are and the first questions.
async fn hello(
    wire: &mut Wire,
    peer: Option<&str>,
    first: &[Probe],
) -> Result<Hello, TransportError> {
    let prelude = script::prelude(peer);
    let mut probes = vec![Probe::new::<String>("hf_hello", [])];
    probes.extend_from_slice(first);
    let request = |nonce: &str| format!("{prelude}{}", script::ask(nonce, probes.iter()));
    let count = probes.len();
    let raw = match wire.request(HELLO_LIMIT, count, &|_| {}, request).await {
        // A login script's background job printed into the answer. Questions can be repeated.
        Err(TransportError::Garbled { .. }) => {
            wire.request(HELLO_LIMIT, count, &|_| {}, request).await?
        }
        other => other?,
    };
    let answers = answers(raw, 0, &probes);
    let text = answers
        .get(&probes[0])
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Hello {
        uid: value("uid="),
        peer: value("connection="),
        answers,
    })
}

fn answers(raw: Vec<(usize, i32, Vec<u8>)>, first: usize, probes: &[Probe]) -> Answers {
    let placed = raw.into_iter().filter_map(|(index, status, output)| {
        let probe = probes.get(index.checked_sub(first)?)?;
        Some((probe.clone(), Answer { status, output }))
    });
    placed.collect()
}
