//! Writes a run's events to its folder, line by line.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::turn::Turn;
use super::{Chain, EVENTS, JournalError, RunId};
use crate::event::{Event, EventKind, HostResult, Previous, StepResult};

/// The journal of a run under way.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    chain: Chain,
    previous: Option<Previous>,
    ended: bool,
}

impl Journal {
    /// Makes the folder `<state>/runs/<run>` (0700) with an empty journal (0600). It must be new.
    ///
    /// # Errors
    /// When that is not possible; then no step may start.
    pub fn create(state: &Path, run: &RunId) -> Result<Self, JournalError> {
        let runs = state.join("runs");
        let dir = runs.join(run.as_str());
        let path = dir.join(EVENTS);
        let made = || {
            make_private(&runs)?;
            let mut turn = Turn::take(state)?;
            let previous = turn.previous(run);
            let file = make(&dir, &path)?;
            turn.pass_on(run)?;
            Ok((file, previous))
        };
        let (file, previous) = made().map_err(|source| JournalError::Create {
            path: path.clone(),
            source,
        })?;
        // Held for as long as the run lives: whoever reads the journal can tell. Some file systems cannot.
        let _ = file.try_lock();
        Ok(Self {
            previous,
            ..Self::over(dir, path, file)
        })
    }

    fn over(dir: PathBuf, path: PathBuf, file: File) -> Self {
        Self {
            dir,
            path,
            file,
            chain: Chain::new(),
            previous: None,
            ended: false,
        }
    }

    /// A journal that cannot be written.
    #[cfg(test)]
    pub(crate) fn on_full_disk() -> Self {
        let full = OpenOptions::new().append(true).open("/dev/full");
        Self::over("/dev".into(), "/dev/full".into(), full.unwrap())
    }

    /// The run before on this machine, for the first event.
    pub fn previous(&self) -> Option<&Previous> {
        self.previous.as_ref()
    }

    /// The run's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes an event. When this returns, it survives the end of this process; when the event says
    /// that something was done on a host, also the end of this machine's power.
    ///
    /// # Errors
    /// When it could not be written; then, and ever after, no further step may start: a journal
    /// with a hole would be worse than one that ends.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let path = self.path.clone();
        if self.ended {
            return Err(JournalError::Ended { path });
        }
        self.write(event).map_err(|source| {
            self.ended = true;
            JournalError::Append { path, source }
        })
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let line = self.chain.seal(event)?;
        self.file.write_all(line.as_bytes())?;
        // What is written to a file without a name is lost.
        if self.file.metadata()?.nlink() == 0 {
            let gone = "it was removed while the run was under way";
            return Err(io::Error::new(io::ErrorKind::NotFound, gone));
        }
        if tells_of_a_deed(&event.kind) {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// Makes a folder that only its owner can look into, and those above it.
fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(dir)
}

fn make(dir: &Path, path: &Path) -> io::Result<File> {
    let runs = dir.parent().unwrap_or(dir);
    DirBuilder::new().mode(0o700).create(dir)?;
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    // The names are on disk before the first deed is.
    File::open(dir)?.sync_all()?;
    File::open(runs)?.sync_all()?;
    Ok(file)
}

/// Whether the event says that something was done on a host, or how the run ended.
fn tells_of_a_deed(kind: &EventKind) -> bool {
    match kind {
        EventKind::StepFinished { result, .. } => match result {
            StepResult::Done { .. } | StepResult::Failed { .. } => true,
            StepResult::NothingToDo | StepResult::Passed => false,
        },
        EventKind::HostFinished { result, .. } => match result {
            HostResult::Changed { .. } | HostResult::Stopped { .. } => true,
            HostResult::NothingToDo
            | HostResult::ChangesDue { .. }
            | HostResult::Verified
            | HostResult::Declined => false,
        },
        EventKind::Answered { .. }
        | EventKind::Guided { .. }
        | EventKind::UnfinishedSettled { .. }
        | EventKind::GuardArmed { .. }
        | EventKind::GuardDisarmed { .. }
        | EventKind::GuardFired { .. }
        | EventKind::RunFinished { .. } => true,
        EventKind::RunStarted { .. }
        | EventKind::Invoked { .. }
        | EventKind::DataReady { .. }
        | EventKind::DataRefused { .. }
        | EventKind::Interrupting
        | EventKind::HostConnecting { .. }
        | EventKind::HostReached { .. }
        | EventKind::UnfinishedFound { .. }
        | EventKind::HostPlanned { .. }
        | EventKind::PlanOpened(_)
        | EventKind::StepMoved { .. }
        | EventKind::StepReplanned { .. }
        | EventKind::PlannedAgain { .. }
        | EventKind::StepStarted { .. }
        | EventKind::StepProgress { .. }
        | EventKind::GuardProven { .. }
        | EventKind::GuardRefuted { .. }
        | EventKind::GuardAwaited { .. }
        | EventKind::Checked { .. }
        | EventKind::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    fn event(seq: u64) -> Event {
        let host = "web-1".to_owned();
        Event {
            seq,
            at: Timestamp::UNIX_EPOCH,
            kind: EventKind::HostConnecting { host },
        }
    }

    fn run() -> RunId {
        "019a-1".parse().unwrap()
    }

    #[test]
    fn only_the_owner_can_look_into_a_run() {
        let state = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(state.path(), &run()).unwrap();
        journal.append(&event(1)).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(journal.dir()), 0o700);
        assert_eq!(mode(&journal.dir().join(EVENTS)), 0o600);
    }

    #[test]
    fn a_run_is_never_written_over() {
        let state = tempfile::tempdir().unwrap();
        Journal::create(state.path(), &run()).unwrap();
        let again = Journal::create(state.path(), &run()).unwrap_err();
        assert!(again.to_string().starts_with("cannot create the journal"));
    }

    #[test]
    fn a_state_folder_that_cannot_be_made_is_an_error() {
        let state = tempfile::NamedTempFile::new().unwrap();
        let error = Journal::create(state.path(), &run()).unwrap_err();
        assert!(matches!(error, JournalError::Create { .. }));
    }

    #[test]
    fn a_journal_that_was_removed_is_not_written_on() {
        let state = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(state.path(), &run()).unwrap();
        journal.append(&event(1)).unwrap();
        std::fs::remove_dir_all(journal.dir()).unwrap();
        let error = journal.append(&event(2)).unwrap_err();
        assert!(matches!(error, JournalError::Append { .. }));
        assert!(journal.append(&event(3)).is_err());
    }

    #[test]
    fn each_run_names_the_last_line_of_the_one_before() {
        let state = tempfile::tempdir().unwrap();
        let id = |text: &str| text.parse::<RunId>().unwrap();
        let mut first = Journal::create(state.path(), &id("b")).unwrap();
        assert_eq!(first.previous(), None);
        first.append(&event(1)).unwrap();
        first.append(&event(2)).unwrap();
        // Neither ids nor clocks decide which run was before.
        let second = Journal::create(state.path(), &id("a")).unwrap();
        let text = std::fs::read_to_string(first.dir().join(EVENTS)).unwrap();
        let last = text.lines().last().unwrap();
        let previous = Previous {
            run: "b".to_owned(),
            line: 2,
            digest: crate::probe::Digest::of(last.as_bytes()).to_string(),
        };
        assert_eq!(second.previous(), Some(&previous));
        let third = Journal::create(state.path(), &id("c")).unwrap();
        let nothing_yet = Previous {
            run: "a".to_owned(),
            line: 0,
            digest: String::new(),
        };
        assert_eq!(third.previous(), Some(&nothing_yet));
        std::fs::remove_dir_all(third.dir()).unwrap();
        let fourth = Journal::create(state.path(), &id("d")).unwrap();
        assert_eq!(fourth.previous().unwrap().run, "c", "it is missed already");
    }

    #[test]
    fn after_a_full_disk_nothing_more_is_written() {
        let mut journal = Journal::on_full_disk();
        let first = journal.append(&event(1)).unwrap_err();
        assert_eq!(first.to_string(), "cannot write to the journal /dev/full");
        let second = journal.append(&event(2)).unwrap_err();
        assert!(matches!(second, JournalError::Ended { .. }));
    }
}
