//! A run in brief, for lists: its first line, its end, and how its hosts ended. Of ten thousand runs the first
//! lines are read, and the whole journals only of those that are shown.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;

use super::chain::{Chain, Misfit};
use super::tail::last_line;
use super::{EVENTS, FORMAT, Integrity, JournalError, RunId, reader};
use crate::event::{Event, EventKind, HostResult, Mode, Previous};

/// How a run began: what [`EventKind::RunStarted`] says, as far as lists need it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Started {
    /// When; said beside the others.
    #[serde(skip)]
    pub at: Timestamp,
    /// The version of Holdfast.
    pub version: String,
    /// The runbook's name.
    pub runbook: String,
    /// Digest of the runbook's text.
    pub digest: String,
    /// What it was for.
    pub mode: Mode,
    /// Without a person.
    pub unattended: bool,
    /// Who started it: `user@machine`.
    pub operator: String,
    /// The address that the operator's own login came from.
    #[serde(default)]
    pub from: Option<String>,
    /// The hosts that were selected.
    pub hosts: Vec<String>,
    /// The run before on that machine.
    #[serde(default)]
    pub previous: Option<Previous>,
}

/// A first line.
#[derive(Deserialize)]
struct First {
    at: Timestamp,
    kind: FirstKind,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum FirstKind {
    RunStarted(Box<Started>),
    #[serde(other)]
    Another,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub exit: u8,
    /// Milliseconds since the start.
    pub millis: u64,
}

/// A run of which only the first line was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id: the name of its folder.
    pub run: RunId,
    /// How it began.
    pub started: Started,
    path: PathBuf,
}

/// A run in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its id.
    pub run: RunId,
    /// How it began.
    pub started: Started,
    /// How it ended; none when its journal does not say.
    pub ended: Option<Ended>,
    /// The changes that were made.
    pub changes: usize,
    /// The hosts on which changes were due, and a person said no.
    pub declined: usize,
    /// Whether its journal is whole.
    pub integrity: Integrity,
    /// Whether it is under way now.
    pub alive: bool,
}

/// More than any first line of ours is long: 5000 hosts with long names.
const LONGEST: u64 = 4 * 1024 * 1024;

impl Head {
    /// Reads the first line of a run.
    ///
    /// # Errors
    /// When there is none, or a newer version wrote it in another form.
    pub fn read(state: &Path, run: &RunId) -> Result<Self, JournalError> {
        let path = state.join("runs").join(run.as_str()).join(EVENTS);
        let line = first_line(&path).map_err(|source| unreadable(&path, source))?;
        let started = began(&path, &line)?;
        let run = run.clone();
        Ok(Self { run, started, path })
    }

    /// How the run ended, by the last line of its journal.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ended(&self) -> Result<Option<Ended>, JournalError> {
        let last = last_line(&self.path).map_err(|source| unreadable(&self.path, source))?;
        Ok(last.and_then(|line| end_of(&line.text)))
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn brief(self) -> Result<Brief, JournalError> {
        let bytes = fs::read(&self.path).map_err(|source| unreadable(&self.path, source))?;
        let Scanned {
            ended,
            changes,
            declined,
            integrity,
        } = scan(&bytes);
        let alive = integrity_is_open(&integrity) && is_alive(&self.path);
        let Self { run, started, .. } = self;
        Ok(Brief {
            run,
            started,
            ended,
            changes,
            declined,
            integrity,
            alive,
        })
    }
}

fn unreadable(path: &Path, source: io::Error) -> JournalError {
    JournalError::Read {
        path: path.to_owned(),
        source,
    }
}

fn first_line(path: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let file = File::open(path)?.take(LONGEST);
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok(line)
}

fn began(path: &Path, line: &[u8]) -> Result<Started, JournalError> {
    if let Some(found) = reader::format(line).filter(|found| *found > FORMAT) {
        let path = path.to_owned();
        return Err(JournalError::TooNew { path, found });
    }
    let headless = |why| JournalError::Headless {
        path: path.to_owned(),
        why,
    };
    if line.is_empty() {
        return Err(headless("nothing was written"));
    }
    let first: First = serde_json::from_slice(line).map_err(|_| headless("it is no event"))?;
    match first.kind {
        FirstKind::RunStarted(started) => Ok(Started {
            at: first.at,
            ..*started
        }),
        FirstKind::Another => Err(headless("it is another event")),
    }
}

/// The end that a line tells, if it is the last one of a run.
fn end_of(line: &[u8]) -> Option<Ended> {
    if !has(line, br#""event":"run_finished""#) {
        return None;
    }
    match serde_json::from_slice::<Event>(line).ok()?.kind {
        EventKind::RunFinished { exit, millis } => Some(Ended { exit, millis }),
        _ => None,
    }
}

/// How a host ended, if the line says so.
fn result_of(line: &[u8]) -> Option<HostResult> {
    if !has(line, br#""event":"host_finished""#) {
        return None;
    }
    match serde_json::from_slice::<Event>(line).ok()?.kind {
        EventKind::HostFinished { result, .. } => Some(result),
        _ => None,
    }
}

/// The changes that were made on a host, by its end.
pub(super) fn made(result: &HostResult) -> usize {
    match result {
        HostResult::Changed { changes } | HostResult::Stopped { changes, .. } => *changes,
        HostResult::NothingToDo
        | HostResult::ChangesDue { .. }
        | HostResult::Verified
        | HostResult::Declined => 0,
    }
}

/// Whether the event of this kind may stand in the line; its name stands near the beginning.
fn has(line: &[u8], name: &[u8]) -> bool {
    let beginning = &line[..line.len().min(200)];
    beginning.windows(name.len()).any(|piece| piece == name)
}

/// What the lines of a journal come to.
struct Scanned {
    ended: Option<Ended>,
    changes: usize,
    declined: usize,
    integrity: Integrity,
}

fn scan(bytes: &[u8]) -> Scanned {
    let (mut ended, mut changes, mut declined) = (None, 0, 0);
    let integrity = look_through(bytes, |_, text, _| {
        ended = end_of(text);
        if let Some(result) = result_of(text) {
            changes += made(&result);
            declined += usize::from(result == HostResult::Declined);
        }
    });
    Scanned {
        ended,
        changes,
        declined,
        integrity,
    }
}

/// Goes through a journal line by line, handing each line's number, text and digest on.
pub(super) fn look_through(bytes: &[u8], mut each: impl FnMut(usize, &[u8], &str)) -> Integrity {
    let mut chain = Chain::new();
    let (mut finished, mut broken, mut cut) = (false, None, false);
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let whole = line.strip_suffix(b"\n");
        let text = whole.unwrap_or(line);
        match chain.follow(text) {
            Ok(()) => {}
            Err(Misfit::Unreadable) if whole.is_none() => {
                cut = true;
                continue;
            }
            Err(misfit) => {
                broken.get_or_insert(Integrity::Broken {
                    line: index + 1,
                    why: misfit.to_string(),
                });
            }
        }
        finished = end_of(text).is_some();
        each(index + 1, text, chain.last());
    }
    broken.unwrap_or(match (cut, finished) {
        (true, _) => Integrity::Cut,
        (false, true) => Integrity::Complete,
        (false, false) => Integrity::Unfinished,
    })
}

/// Whether more may come.
fn integrity_is_open(integrity: &Integrity) -> bool {
    match integrity {
        Integrity::Unfinished | Integrity::Cut => true,
        Integrity::Complete | Integrity::Broken { .. } => false,
    }
}

/// Whether the run that writes this journal lives: it holds the file locked.
pub(super) fn is_alive(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| {
        let locked = file.try_lock_shared();
        matches!(locked, Err(fs::TryLockError::WouldBlock))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Fault;
    use crate::journal::{Journal, Recording};

    fn started() -> EventKind {
        EventKind::RunStarted {
            format: FORMAT,
            run: "a".to_owned(),
            version: "0.1.0".to_owned(),
            runbook: "motd".to_owned(),
            summary: String::new(),
            digest: "d".to_owned(),
            mode: Mode::Apply,
            unattended: false,
            operator: "ada@desk".to_owned(),
            from: Some("192.0.2.1".to_owned()),
            hosts: vec!["web-1".to_owned()],
            previous: None,
        }
    }

    fn kinds() -> Vec<EventKind> {
        let host = "web-1".to_owned();
        let stopped = HostResult::Stopped {
            fault: Fault::Failed,
            message: r#"it says "event":"run_finished" and ","prev":"0"}"#.to_owned(),
            hint: None,
            changes: 3,
        };
        vec![
            started(),
            EventKind::HostConnecting { host: host.clone() },
            EventKind::HostFinished {
                host,
                result: stopped,
            },
            EventKind::RunFinished { exit: 3, millis: 9 },
        ]
    }

    fn written(state: &Path, kinds: Vec<EventKind>) -> Journal {
        let mut journal = Journal::create(state, &"a".parse().unwrap()).unwrap();
        for (kind, seq) in kinds.into_iter().zip(1..) {
            let at = Timestamp::UNIX_EPOCH;
            journal.append(&Event { seq, at, kind }).unwrap();
        }
        journal
    }

    fn brief(state: &Path) -> Brief {
        Head::read(state, &"a".parse().unwrap())
            .unwrap()
            .brief()
            .unwrap()
    }

    #[test]
    fn a_run_in_brief_is_what_its_journal_says() {
        let state = tempfile::tempdir().unwrap();
        drop(written(state.path(), kinds()));
        let brief = brief(state.path());
        assert_eq!(brief.ended, Some(Ended { exit: 3, millis: 9 }));
        assert_eq!(brief.changes, 3);
        assert_eq!(brief.integrity, Integrity::Complete);
        assert_eq!(brief.started.from.as_deref(), Some("192.0.2.1"));
        assert!(!brief.alive);
    }

    #[test]
    fn a_run_under_way_is_told_from_one_that_was_killed() {
        let state = tempfile::tempdir().unwrap();
        let journal = written(state.path(), vec![started()]);
        assert!(brief(state.path()).alive);
        drop(journal);
        let killed = brief(state.path());
        assert_eq!(
            (killed.alive, killed.integrity),
            (false, Integrity::Unfinished)
        );
    }

    #[test]
    fn the_quick_look_judges_as_the_whole_reader_does() {
        let state = tempfile::tempdir().unwrap();
        let path = written(state.path(), kinds()).dir().join(EVENTS);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let without = |gone: usize| {
            let kept = lines.iter().enumerate().filter(|(index, _)| *index != gone);
            kept.map(|(_, line)| *line).collect::<String>()
        };
        let mut cases = vec![
            text.clone(),
            text.replace("web-1", "web-9"),
            text.replacen('\n', "\ngarbage\n", 1),
            text.replacen("\"prev\"", "\"prev\" ", 2),
        ];
        cases.extend((0..lines.len()).map(without));
        cases.extend((1..text.len()).step_by(7).map(|end| text[..end].to_owned()));
        for case in cases {
            fs::write(&path, &case).unwrap();
            let whole = Recording::load(&path).unwrap().integrity;
            assert_eq!(scan(case.as_bytes()).integrity, whole, "{case}");
        }
    }

    #[test]
    fn what_is_no_run_says_why() {
        let state = tempfile::tempdir().unwrap();
        let path = written(state.path(), Vec::new()).dir().join(EVENTS);
        let why = |text: &str| {
            fs::write(&path, text).unwrap();
            let error = Head::read(state.path(), &"a".parse().unwrap()).unwrap_err();
            let error = error.to_string();
            error.rsplit(": ").next().unwrap().to_owned()
        };
        assert_eq!(why(""), "nothing was written");
        assert_eq!(why("x"), "it is no event");
        let other =
            r#"{"seq":1,"at":"2026-08-22T10:00:00Z","kind":{"event":"interrupting"},"prev":""}"#;
        assert_eq!(why(other), "it is another event");
    }
}
