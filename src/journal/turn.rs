//! The order in which runs began on this machine: each names the last line of the one before, so that a run
//! that was taken away later is missed. Runs that begin at the same moment take turns.
//!
//! `<state>/last-run` holds the id of the run that began last, and its lock is the turn. Ids alone do not
//! tell: two runs may begin in the same second, and a clock may be set back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::tail::last_line;
use super::{EVENTS, RunId, reader};
use crate::event::Previous;
use crate::probe::Digest;

/// The name of the file, beside the folder of runs.
const LAST: &str = "last-run";

/// The turn takes milliseconds, on a busy disk more; a process that was stopped while it had it must not stop all
/// others for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// The turn of a run that begins. It ends with this.
#[derive(Debug)]
pub(super) struct Turn {
    state: PathBuf,
    last: File,
}

impl Turn {
    /// Waits for the turn.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(super) fn take(state: &Path) -> io::Result<Self> {
        let last = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(state.join(LAST))?;
        let end = Instant::now() + PATIENCE;
        while let Err(TryLockError::WouldBlock) = last.try_lock() {
            if Instant::now() > end {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let state = state.to_owned();
        Ok(Self { state, last })
    }

    /// The last line of the run before, as it is now.
    pub(super) fn previous(&mut self, run: &RunId) -> Option<Previous> {
        let before = last_begun(&self.state).or_else(|| self.newest(run))?;
        let line = last_line(&self.state.join("runs").join(before.as_str()).join(EVENTS));
        // A run that is gone already, or cannot be read, is named all the same.
        let line = line.ok().flatten();
        let (number, digest) = line.map_or((0, String::new()), |line| {
            (line.number, Digest::of(&line.text).to_string())
        });
        Some(Previous {
            run: before.to_string(),
            line: number,
            digest,
        })
    }

    /// Where no run has left its name yet: those of older versions did not.
    fn newest(&self, run: &RunId) -> Option<RunId> {
        let runs = reader::runs(&self.state).ok()?;
        runs.into_iter().rev().find(|other| other != run)
    }

    /// The next run is to name this one.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn pass_on(&mut self, run: &RunId) -> io::Result<()> {
        self.last.seek(SeekFrom::Start(0))?;
        let line = format!("{run}\n");
        self.last.write_all(line.as_bytes())?;
        self.last.set_len(line.len().try_into().unwrap_or(u64::MAX))
    }
}

/// The run that began last on this machine, as the state folder tells.
pub(super) fn last_begun(state: &Path) -> Option<RunId> {
    let mut text = String::new();
    let file = fs::File::open(state.join(LAST)).ok()?;
    file.take(128).read_to_string(&mut text).ok()?;
    text.lines().next()?.parse().ok()
}
