//! Events on disk: one folder per run, one JSON line per event, each line sealed to the one before.
//!
//! The writer is part of doing the job: a run whose journal cannot be written starts no step. The
//! reader gives the same events back, so that history needs no renderers of its own.

mod brief;
mod chain;
mod ending;
mod hidden;
mod reader;
mod run_id;
mod tail;
mod turn;
mod untouched;
mod writer;

pub use brief::{Brief, Ended, Head, Started};
pub use chain::{Chain, escaped};
pub use ending::{Ending, NoEnding};
pub use reader::{Integrity, Recording, is_over, runs};
pub use run_id::RunId;
pub use untouched::{Finding, Ledger, Proven};
pub use writer::Journal;

pub(crate) use hidden::is_hidden;

use std::io;
use std::path::PathBuf;

/// The format that this version writes; goes into `RunStarted`. It grows when an old reader could misread.
pub const FORMAT: u32 = 1;

/// The name of the file with the events in a run's folder.
pub const EVENTS: &str = "events.jsonl";

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The run's folder or file could not be made.
    #[error("cannot create the journal {path}")]
    Create {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An event could not be written.
    #[error("cannot write to the journal {path}")]
    Append {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An earlier event could not be written; the journal ends there.
    #[error("the journal {path} ended early: an event could not be written")]
    Ended {
        /// The file.
        path: PathBuf,
    },
    /// The journal could not be opened or read.
    #[error("cannot read the journal {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its first line is not the beginning of a run.
    #[error("the journal {path} has no beginning: {why}")]
    Headless {
        /// The file.
        path: PathBuf,
        /// What its first line is instead, as a clause.
        why: &'static str,
    },
    /// The journal was written by a version whose form this one could misread.
    #[error("the journal {path} has format {found}, this version reads up to {FORMAT}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}
