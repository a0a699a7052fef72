//! Reads a run's events back, and says whether they are all there and untouched.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::chain::Misfit;
use super::{Chain, EVENTS, FORMAT, JournalError, RunId};
use crate::event::{Event, EventKind};

/// What a run's journal holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its readable events in order.
    pub events: Vec<Event>,
    /// Whether they can be trusted to be all of them.
    pub integrity: Integrity,
}

/// Whether a journal is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// From the first event to the last, unchanged.
    Complete,
    /// Unchanged, but the run's end is not in it: it is under way, or was killed.
    Unfinished,
    /// Unchanged up to its last line, which was cut while it was written.
    Cut,
    /// Somebody changed it, or the disk did. The first place is given.
    Broken {
        /// The 1-based line.
        line: usize,
        /// What is wrong with it, as a clause.
        why: String,
    },
}

impl Recording {
    /// Reads the journal of a run.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or a newer version wrote it in another form.
    pub fn read(state: &Path, run: &RunId) -> Result<Self, JournalError> {
        Self::load(&state.join("runs").join(run.as_str()).join(EVENTS))
    }

    /// Reads a journal wherever it lies.
    ///
    /// # Errors
    /// See [`Recording::read`].
    pub fn load(path: &Path) -> Result<Self, JournalError> {
        let bytes = fs::read(path).map_err(|source| JournalError::Read {
            path: path.to_owned(),
            source,
        })?;
        match format(&bytes) {
            Some(found) if found > FORMAT => Err(JournalError::TooNew {
                path: path.to_owned(),
                found,
            }),
            Some(_) | None => Ok(Self::parse(&bytes)),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut chain = Chain::new();
        let mut events = Vec::new();
        let mut broken = None;
        let mut cut = false;
        for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let whole = line.strip_suffix(b"\n");
            match chain.open(whole.unwrap_or(line)) {
                Ok(event) => events.push(event),
                Err(Misfit::Unreadable) if whole.is_none() => cut = true,
                Err(misfit) => {
                    broken.get_or_insert(Integrity::Broken {
                        line: index + 1,
                        why: misfit.to_string(),
                    });
                }
            }
        }
        let finished = matches!(
            events.last().map(|event| &event.kind),
            Some(EventKind::RunFinished { .. })
        );
        let integrity = broken.unwrap_or(match (cut, finished) {
            (true, _) => Integrity::Cut,
            (false, true) => Integrity::Complete,
            (false, false) => Integrity::Unfinished,
        });
        Self { events, integrity }
    }
}

/// The format that the first line names, read apart so that it is found whatever else is new there.
pub(super) fn format(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    struct First {
        kind: Started,
    }
    #[derive(Deserialize)]
    struct Started {
        format: u32,
    }
    let line = bytes.split(|b| *b == b'\n').next()?;
    Some(serde_json::from_slice::<First>(line).ok()?.kind.format)
}

/// Whether a run of this machine is over: its journal is here, and the process that wrote it is gone.
pub fn is_over(state: &Path, run: &RunId) -> bool {
    let path = state.join("runs").join(run.as_str()).join(EVENTS);
    fs::File::open(path).is_ok_and(|journal| journal.try_lock_shared().is_ok())
}

/// The runs below a state folder, oldest first. None when nothing ever ran.
///
/// # Errors
/// When the folder is there but cannot be read.
pub fn runs(state: &Path) -> Result<Vec<RunId>, JournalError> {
    let dir = state.join("runs");
    let read = |source| JournalError::Read {
        path: dir.clone(),
        source,
    };
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let name = entry.map_err(read)?.file_name();
        // Other names are not ours.
        runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
    }
    runs.sort();
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;
    use jiff::Timestamp;

    fn events() -> Vec<Event> {
        let hosts = ["web-1", "web-2", "web-3"].map(str::to_owned);
        let mut kinds: Vec<EventKind> = hosts.map(|host| EventKind::HostConnecting { host }).into();
        kinds.push(EventKind::RunFinished {
            exit: 0,
            millis: 12,
        });
        let numbered = kinds.into_iter().zip(1..).map(|(kind, seq)| Event {
            seq,
            at: Timestamp::UNIX_EPOCH,
            kind,
        });
        numbered.collect()
    }

    fn text() -> String {
        let mut chain = Chain::new();
        let lines = events().into_iter().map(|e| chain.seal(&e).unwrap());
        lines.collect()
    }

    fn broken_at(text: &str) -> Option<usize> {
        match Recording::parse(text.as_bytes()).integrity {
            Integrity::Broken { line, .. } => Some(line),
            Integrity::Complete | Integrity::Unfinished | Integrity::Cut => None,
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let state = tempfile::tempdir().unwrap();
        let run: RunId = "019a-1".parse().unwrap();
        let mut journal = Journal::create(state.path(), &run).unwrap();
        for event in events() {
            journal.append(&event).unwrap();
        }
        let recording = Recording::read(state.path(), &run).unwrap();
        assert_eq!(recording.events, events());
        assert_eq!(recording.integrity, Integrity::Complete);
        assert_eq!(runs(state.path()).unwrap(), [run]);
    }

    #[test]
    fn a_changed_line_is_noticed_at_the_line_behind_it() {
        assert_eq!(broken_at(&text()), None);
        assert_eq!(broken_at(&text().replace("web-2", "web-9")), Some(3));
    }

    #[test]
    fn a_removed_swapped_or_doubled_line_is_noticed() {
        let text = text();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let pick = |order: &[usize]| order.iter().map(|i| lines[*i]).collect::<String>();
        assert_eq!(broken_at(&pick(&[0, 2, 3])), Some(2));
        assert_eq!(broken_at(&pick(&[1, 2, 3])), Some(1));
        assert_eq!(broken_at(&pick(&[0, 2, 1, 3])), Some(2));
        assert_eq!(broken_at(&pick(&[0, 0, 1, 2, 3])), Some(2));
    }

    #[test]
    fn a_removed_end_leaves_an_unfinished_run() {
        let text = text();
        let without_last = &text[..=text.trim_end().rfind('\n').unwrap()];
        let recording = Recording::parse(without_last.as_bytes());
        assert_eq!(recording.integrity, Integrity::Unfinished);
        assert_eq!(recording.events.len(), 3);
        assert_eq!(Recording::parse(b"").integrity, Integrity::Unfinished);
    }

    #[test]
    fn a_journal_cut_anywhere_in_its_last_line_gives_all_other_events() {
        let text = text();
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        for end in last + 1..text.len() - 1 {
            let recording = Recording::parse(&text.as_bytes()[..end]);
            assert_eq!(recording.integrity, Integrity::Cut, "cut at {end}");
            assert_eq!(recording.events, events()[..3]);
        }
        let unbroken = Recording::parse(text.trim_end().as_bytes());
        assert_eq!(unbroken.integrity, Integrity::Complete);
    }

    #[test]
    fn garbage_in_the_middle_is_named_and_the_rest_still_shown() {
        let text = text().replacen('\n', "\n\u{0}garbage\n", 1);
        let recording = Recording::parse(text.as_bytes());
        assert_eq!(recording.events, events());
        let why = "it is no event".to_owned();
        assert_eq!(recording.integrity, Integrity::Broken { line: 2, why });
    }

    #[test]
    fn a_journal_of_a_newer_format_is_not_misread() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"seq":1,"at":[1],"kind":{"event":"run_started","format":2},"prev":""}"#;
        fs::write(file.path(), line).unwrap();
        let error = Recording::load(file.path()).unwrap_err();
        assert!(matches!(error, JournalError::TooNew { found: 2, .. }));
    }

    #[test]
    fn nothing_ran_yet_is_no_error() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(runs(state.path()).unwrap(), []);
        let run: RunId = "a".parse().unwrap();
        assert!(Recording::read(state.path(), &run).is_err());
    }
}
