//! Runs that were cut off: what was decided about them is written down on the host, and what is left of their
//! controllers there is ended. The functions are in `src/host/unfinished.write.sh`.

use std::time::Duration;

use super::{ReadHost, TransportError, WriteHost, script};
use crate::change::Call;

/// Time for either.
const LIMIT: Duration = Duration::from_secs(30);

/// What the host says when somebody else is at work.
const LOCKED: i32 = 73;

impl ReadHost {
    /// Writes down what was decided about a run that was cut off, unless somebody is at work.
    ///
    /// # Errors
    /// `Locked`, `Unusable` with the host's reason, or when it does not answer.
    pub async fn settle(&mut self, run: &str, words: &str) -> Result<(), TransportError> {
        let call = Call::new("hf_settle_alone", [run, words]);
        settled(self.call_alone(&call).await?)
    }

    /// Ends what is left of a run whose controller is known to be gone; whether the lock is free now.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn end_dead_run(&mut self, run: &str) -> Result<bool, TransportError> {
        let call = Call::new("hf_end_dead_run", [run]);
        self.call_alone(&call).await.map(|(status, _)| status == 0)
    }

    async fn call_alone(&mut self, call: &Call) -> Result<(i32, String), TransportError> {
        let request = |nonce: &str| script::call_alone(nonce, call);
        let raw = self.wire().request(LIMIT, 1, &|_| {}, request).await?;
        Ok(said(raw))
    }
}

impl WriteHost {
    /// The same for a host whose lock we hold.
    ///
    /// # Errors
    /// `Unusable` with the host's reason, or when it does not answer.
    pub async fn settle(&mut self, run: &str, words: &str) -> Result<(), TransportError> {
        let call = Call::new("hf_settle", [run, words]);
        let request = |nonce: &str| script::call(nonce, &call);
        let raw = self.wire().request(LIMIT, 1, &|_| {}, request).await?;
        settled(said(raw))
    }
}

fn said(raw: Vec<(usize, i32, Vec<u8>)>) -> (i32, String) {
    let first = raw.into_iter().find(|(index, _, _)| *index == 0);
    first.map_or((-1, String::new()), |(_, status, body)| {
        (status, String::from_utf8_lossy(&body).trim().to_owned())
    })
}

fn settled((status, text): (i32, String)) -> Result<(), TransportError> {
    match status {
        0 => Ok(()),
        LOCKED => Err(TransportError::Locked { holder: text }),
        _ => Err(TransportError::Unusable { message: text }),
    }
}
