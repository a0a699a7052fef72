//! One running shell: its standard input and output, and the end of what it said on standard error.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// A running shell. Dropping it closes its standard input, which ends it.
pub(super) struct Channel {
    pub(super) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) stdout: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) stderr: Tail,
    /// Keeps the process, or the session that carries it, alive.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(super) keep: Box<dyn std::any::Any + Send>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// The end of a stream that is read in the background.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<u8>>>);

/// How much of a shell's standard error is kept.
const KEPT: usize = 8192;

impl Tail {
    /// Reads `stream` to its end in the background.
    pub(super) fn follow(mut stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let tail = Self::default();
        let sink = tail.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                let mut kept = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..count]);
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
        });
        tail
    }

    /// What it ended with so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}
