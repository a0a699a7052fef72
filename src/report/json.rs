//! JSON lines on the data stream: the very lines of the journal, and nothing else.

use std::io;

use super::streams::{Stream, Streams};
use crate::event::Event;
use crate::journal::Chain;

/// Tells a run in JSON lines.
#[derive(Debug)]
pub struct Json {
    chain: Chain,
    streams: Streams,
}

impl Json {
    /// Tells to these streams.
    pub fn new(streams: Streams) -> Self {
        Self {
            chain: Chain::new(),
            streams,
        }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// When the stream cannot be written to.
    pub fn tell(&mut self, event: &Event) -> io::Result<()> {
        let line = self.chain.seal(event)?;
        self.streams.write(Stream::Data, &line)
    }
}
