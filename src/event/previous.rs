//! What a run knows of the one before: the link by which runs that were taken away are missed.

use serde::{Deserialize, Serialize};

/// The last line of the journal of the run before on the same machine, as it was when this run began. The
/// other run may have been under way and have written more since, so the line is given by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its id.
    pub run: String,
    /// The number of the line, which is the number of its event; 0 when it had none yet.
    pub line: u64,
    /// The sha256 of that line without its line break, in hex; empty when it had none yet.
    pub digest: String,
}
