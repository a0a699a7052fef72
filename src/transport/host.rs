//! A host that answers. Its other half, which also performs, is in `write_host.rs`.

use std::time::Duration;

use super::wire::Wire;
use super::{Connection, SshOptions, TransportError, hello, script};
use crate::change::Call;
use crate::inventory::Host;
use crate::probe::{Answer, Answers, Probe};

/// A host that can only be asked. Everything it sends is made of the read functions.
#[derive(Debug)]
pub struct ReadHost {
    pub(super) connection: Connection,
    pub(super) wire: Wire,
    pub(super) root: bool,
}

/// Time for questions: generous, a slow host under load answers in seconds.
pub(super) const ASK_LIMIT: Duration = Duration::from_mins(2);

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
        let opened = hello::shell(connection.clone(), root_needed, first).await;
        if opened.is_err() {
            connection.close().await;
        }
        opened
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

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Ends the connection.
    pub async fn close(self) {
        drop(self.wire);
        self.connection.close().await;
    }
}

/// The answers of a request, of which the first `first` parts are no answers.
pub(super) fn answers(raw: Vec<(usize, i32, Vec<u8>)>, first: usize, probes: &[Probe]) -> Answers {
    let placed = raw.into_iter().filter_map(|(index, status, output)| {
        let probe = probes.get(index.checked_sub(first)?)?;
        Some((probe.clone(), Answer { status, output }))
    });
    placed.collect()
}
