//! Whether the runs on this machine are all there and as they were written.
//!
//! Within a run every line carries the digest of the one before; between runs each first line carries the
//! digest of the last line of the run before ([`Previous`]). So what is noticed: a changed, removed, added or
//! swapped line; an end that was cut off after a later run had seen it; a run that was taken out; a run that
//! was written anew, with a new chain, when a later run had seen the old one.
//!
//! What is not: whoever can write to the folder can write it *all* anew from some run on, or take away the
//! newest runs with all traces of them. Against that only a copy elsewhere helps, of the journals or of the
//! last digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{EVENTS, Head, Integrity, JournalError, RunId, brief, reader, turn};
use crate::event::Previous;

/// All runs on a machine: what each says of the one before it, and how each was found.
#[derive(Debug)]
pub struct Ledger {
    heads: BTreeMap<RunId, Result<Head, JournalError>>,
    /// The run that began first of those that are there.
    first: Option<RunId>,
    /// The run that began last, when the machine knows.
    last: Option<RunId>,
    state: PathBuf,
}

/// What runs that began later saw of a run: by whom, and what.
type Witnesses<'a> = Vec<(&'a RunId, &'a Previous)>;

/// What was found out about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The run; perhaps one that is gone.
    pub run: String,
    /// What is to be said of it.
    pub proven: Proven,
}

/// Whether a run is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// It is, to its end.
    Untouched,
    /// It is, and it is under way.
    Alive,
    /// What is there is; its end is not: the run was killed, or its end was cut off before any other run began.
    Endless,
    /// It does not say which run was before it: an older version wrote it, or somebody else.
    Unlinked,
    /// It is the oldest that is there, and it names one before it: older ones were taken away.
    Oldest {
        /// The run before it.
        gone: String,
    },
    /// It is not as it was written.
    Touched {
        /// The 1-based line, when one is to blame.
        line: Option<usize>,
        /// What is wrong, as a clause.
        why: String,
    },
    /// It could not be read, so nothing is proven.
    Unreadable {
        /// Why, as a clause.
        why: String,
    },
}

impl Proven {
    /// Whether it is proven that nobody touched what is there.
    pub fn is_good(&self) -> bool {
        match self {
            Proven::Untouched
            | Proven::Alive
            | Proven::Endless
            | Proven::Unlinked
            | Proven::Oldest { .. } => true,
            Proven::Touched { .. } | Proven::Unreadable { .. } => false,
        }
    }
}

impl Ledger {
    /// Reads how every run below a state folder began.
    ///
    /// # Errors
    /// When the folder is there but cannot be read.
    pub fn read(state: &Path) -> Result<Self, JournalError> {
        let head = |run: RunId| {
            let head = Head::read(state, &run);
            (run, head)
        };
        let heads: BTreeMap<_, _> = reader::runs(state)?.into_iter().map(head).collect();
        let first = first_of(&heads);
        Ok(Self {
            first,
            heads,
            last: turn::last_begun(state),
            state: state.to_owned(),
        })
    }

    /// What there is to say of each run, in the order of their ids, gone ones included; of these alone when
    /// some are named.
    pub fn findings(&self, only: &[RunId]) -> Vec<Finding> {
        let witnesses = self.witnesses();
        let asked = |run: &str| only.is_empty() || only.iter().any(|one| one.as_str() == run);
        let mut findings = Vec::new();
        for (run, head) in self.heads.iter().filter(|(run, _)| asked(run.as_str())) {
            let witnesses = witnesses.get(run.as_str()).map_or(&[][..], Vec::as_slice);
            let said = match head {
                Ok(head) => self.of(run, head, witnesses),
                Err(error) => vec![unreadable(error)],
            };
            findings.extend(said.into_iter().map(|proven| Finding {
                run: run.to_string(),
                proven,
            }));
        }
        findings.extend(self.gone().into_iter().filter(|gone| asked(&gone.run)));
        findings.sort_by(|a, b| a.run.cmp(&b.run));
        findings
    }

    /// What runs say of the run before them, by that run.
    fn witnesses(&self) -> BTreeMap<&str, Witnesses<'_>> {
        let mut seen: BTreeMap<&str, Witnesses<'_>> = BTreeMap::new();
        for (run, previous) in self.links() {
            seen.entry(&previous.run).or_default().push((run, previous));
        }
        seen
    }

    fn links(&self) -> impl Iterator<Item = (&RunId, &Previous)> {
        let heads = self.heads.iter();
        heads.filter_map(|(run, head)| {
            let started = &head.as_ref().ok()?.started;
            Some((run, started.previous.as_ref()?))
        })
    }

    fn of(&self, run: &RunId, head: &Head, witnesses: &[(&RunId, &Previous)]) -> Vec<Proven> {
        let path = self.state.join("runs").join(run.as_str()).join(EVENTS);
        let alive = brief::is_alive(&path);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return vec![unreadable(&JournalError::Read { path, source })],
        };
        let mut seen = Seen::new(witnesses);
        let integrity = brief::look_through(&bytes, |line, _, digest| seen.line(line, digest));
        let mut said = Vec::new();
        if let Integrity::Broken { line, why } = &integrity {
            said.push(Proven::Touched {
                line: Some(*line),
                why: why.clone(),
            });
        }
        said.extend(seen.contradictions());
        if said.is_empty() {
            said.push(match integrity {
                Integrity::Complete => Proven::Untouched,
                _ if alive => Proven::Alive,
                _ => Proven::Endless,
            });
        }
        if head.started.previous.is_none() && self.first.as_ref() != Some(run) {
            said.push(Proven::Unlinked);
        }
        said
    }

    /// Runs that others name and that are not there.
    fn gone(&self) -> Vec<Finding> {
        let missing = self
            .links()
            .filter(|(_, previous)| !self.has(&previous.run));
        let mut gone: BTreeMap<&str, Option<&RunId>> = missing
            .map(|(run, previous)| (previous.run.as_str(), Some(run)))
            .collect();
        if let Some(last) = self.last.as_ref().filter(|last| !self.has(last.as_str())) {
            gone.entry(last.as_str()).or_insert(None);
        }
        let finding = |(run, named_by): (&str, Option<&RunId>)| match named_by {
            Some(by) if Some(by) == self.first.as_ref() => Finding {
                run: by.to_string(),
                proven: Proven::Oldest {
                    gone: run.to_owned(),
                },
            },
            by => Finding {
                run: run.to_owned(),
                proven: Proven::Touched {
                    line: None,
                    why: match by {
                        Some(by) => format!("it is gone, and was there when {by} began"),
                        None => "it is gone, and was the last that began here".to_owned(),
                    },
                },
            },
        };
        gone.into_iter().map(finding).collect()
    }

    fn has(&self, run: &str) -> bool {
        self.heads.keys().any(|known| known.as_str() == run)
    }
}

/// What later runs saw of a run, held against its lines as they come.
struct Seen<'a> {
    witnesses: &'a [(&'a RunId, &'a Previous)],
    lines: usize,
    wrong: Vec<Proven>,
}

impl<'a> Seen<'a> {
    fn new(witnesses: &'a [(&'a RunId, &'a Previous)]) -> Self {
        Self {
            witnesses,
            lines: 0,
            wrong: Vec::new(),
        }
    }

    fn line(&mut self, number: usize, digest: &str) {
        self.lines = number;
        for (later, seen) in self.witnesses {
            if usize::try_from(seen.line) == Ok(number) && seen.digest != digest {
                self.wrong.push(Proven::Touched {
                    line: Some(number),
                    why: format!("it is not the line that was there when {later} began"),
                });
            }
        }
    }

    fn contradictions(mut self) -> Vec<Proven> {
        for (later, seen) in self.witnesses {
            if usize::try_from(seen.line).is_ok_and(|line| line > self.lines) {
                self.wrong.push(Proven::Touched {
                    line: Some(self.lines),
                    why: format!(
                        "it ends here, and had {} lines when {later} began",
                        seen.line
                    ),
                });
            }
        }
        self.wrong
    }
}

/// The run that began first. Ids of one second do not say which it is, and of runs that began at once the
/// first one may have come to write its first line last: then the others name it.
fn first_of(heads: &BTreeMap<RunId, Result<Head, JournalError>>) -> Option<RunId> {
    let begun = heads.values().filter_map(|head| head.as_ref().ok());
    let mut first = begun.min_by_key(|head| (head.started.at, &head.run))?;
    // A chain that leads round in a circle was forged; it is left where it was entered.
    for _ in heads {
        let before = first.started.previous.as_ref();
        let named = before.and_then(|before| before.run.parse::<RunId>().ok());
        match named.and_then(|run| heads.get(&run)) {
            Some(Ok(before)) => first = before,
            Some(Err(_)) | None => break,
        }
    }
    Some(first.run.clone())
}

fn unreadable(error: &JournalError) -> Proven {
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Proven::Unreadable { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind, Mode};
    use crate::journal::{Chain, FORMAT, Journal};
    use jiff::Timestamp;

    fn begin(state: &Path, run: &str) -> (Journal, Vec<EventKind>) {
        let journal = Journal::create(state, &run.parse().unwrap()).unwrap();
        let started = EventKind::RunStarted {
            format: FORMAT,
            run: run.to_owned(),
            version: "0.1.0".to_owned(),
            runbook: "motd".to_owned(),
            summary: String::new(),
            digest: "d".to_owned(),
            mode: Mode::Apply,
            unattended: false,
            operator: "ada@desk".to_owned(),
            from: None,
            hosts: Vec::new(),
            previous: journal.previous().cloned(),
        };
        let last = EventKind::RunFinished { exit: 0, millis: 1 };
        (journal, vec![started, EventKind::Interrupting, last])
    }

    fn append(journal: &mut Journal, kinds: &[EventKind], from: u64) {
        for (kind, seq) in kinds.iter().zip(from..) {
            let at = Timestamp::UNIX_EPOCH;
            let kind = kind.clone();
            journal.append(&Event { seq, at, kind }).unwrap();
        }
    }

    fn run(state: &Path, run: &str) {
        let (mut journal, kinds) = begin(state, run);
        append(&mut journal, &kinds, 1);
    }

    fn three() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            run(state.path(), name);
        }
        state
    }

    fn file(state: &Path, run: &str) -> PathBuf {
        state.join("runs").join(run).join(EVENTS)
    }

    /// What is said of runs that are not simply untouched.
    fn said(state: &Path) -> Vec<String> {
        let findings = Ledger::read(state).unwrap().findings(&[]);
        let strange = findings
            .into_iter()
            .filter(|f| f.proven != Proven::Untouched);
        strange
            .map(|Finding { run, proven }| match proven {
                Proven::Touched { line, why } => format!("{run} {}: {why}", line.unwrap_or(0)),
                other => format!("{run} {other:?}"),
            })
            .collect()
    }

    fn cut_to(state: &Path, run: &str, lines: usize) {
        let path = file(state, run);
        let text = fs::read_to_string(&path).unwrap();
        let kept: String = text.split_inclusive('\n').take(lines).collect();
        fs::write(path, kept).unwrap();
    }

    #[test]
    fn untouched_runs_are_proven() {
        assert_eq!(said(three().path()), Vec::<String>::new());
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(said(empty.path()), Vec::<String>::new());
    }

    #[test]
    fn a_run_that_was_taken_out_is_missed() {
        let state = three();
        fs::remove_dir_all(state.path().join("runs/b")).unwrap();
        assert_eq!(
            said(state.path()),
            ["b 0: it is gone, and was there when c began"]
        );
        let state = three();
        fs::remove_dir_all(state.path().join("runs/c")).unwrap();
        assert_eq!(
            said(state.path()),
            ["c 0: it is gone, and was the last that began here"]
        );
    }

    #[test]
    fn old_runs_that_were_cleared_away_are_no_crime_but_told() {
        let state = three();
        fs::remove_dir_all(state.path().join("runs/a")).unwrap();
        assert_eq!(said(state.path()), [r#"b Oldest { gone: "a" }"#]);
    }

    #[test]
    fn an_end_that_was_cut_off_is_missed_by_the_next_run() {
        let state = three();
        cut_to(state.path(), "b", 2);
        assert_eq!(
            said(state.path()),
            ["b 2: it ends here, and had 3 lines when c began"]
        );
        // Nobody had seen the end of the newest run.
        cut_to(state.path(), "c", 1);
        assert_eq!(said(state.path())[1], "c Endless");
    }

    #[test]
    fn a_run_written_anew_with_a_chain_of_its_own_is_noticed() {
        let state = three();
        let text = fs::read_to_string(file(state.path(), "b")).unwrap();
        let mut chain = Chain::new();
        let forged: String = text
            .lines()
            .map(|line| {
                let mut event: Event = serde_json::from_str(line).unwrap();
                if let EventKind::RunStarted { operator, .. } = &mut event.kind {
                    *operator = "eve@desk".to_owned();
                }
                chain.seal(&event).unwrap()
            })
            .collect();
        fs::write(file(state.path(), "b"), forged).unwrap();
        assert_eq!(
            said(state.path()),
            ["b 3: it is not the line that was there when c began"]
        );
    }

    #[test]
    fn a_changed_line_is_named() {
        let state = three();
        let text = fs::read_to_string(file(state.path(), "a")).unwrap();
        fs::write(file(state.path(), "a"), text.replace("ada@", "eve@")).unwrap();
        assert!(said(state.path())[0].starts_with("a 2: it does not follow"));
    }

    #[test]
    fn runs_at_the_same_time_prove_each_other_as_far_as_they_saw() {
        let state = tempfile::tempdir().unwrap();
        let (mut first, kinds) = begin(state.path(), "a");
        append(&mut first, &kinds[..2], 1);
        let (mut second, others) = begin(state.path(), "b");
        append(&mut second, &others, 1);
        assert_eq!(said(state.path()), ["a Alive"]);
        append(&mut first, &kinds[2..], 3);
        drop((first, second));
        assert_eq!(said(state.path()), Vec::<String>::new());
        cut_to(state.path(), "a", 1);
        assert_eq!(
            said(state.path()),
            ["a 1: it ends here, and had 2 lines when b began"]
        );
    }

    #[test]
    fn many_runs_that_begin_at_once_make_one_chain() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path();
        std::thread::scope(|scope| {
            for name in 'a'..='j' {
                scope.spawn(move || run(path, &name.to_string()));
            }
        });
        // A process that another test starts at this moment holds our files, and so their locks, until it is there.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !said(path).is_empty() && std::time::Instant::now() < end {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(said(path), Vec::<String>::new());
        let ledger = Ledger::read(path).unwrap();
        let named: std::collections::BTreeSet<&str> = ledger
            .links()
            .map(|(_, previous)| previous.run.as_str())
            .collect();
        assert_eq!(named.len(), 9, "each but the last is named once");
    }

    #[test]
    fn a_run_of_an_older_version_is_told_to_be_unlinked() {
        let state = three();
        let text = fs::read_to_string(file(state.path(), "b")).unwrap();
        let mut chain = Chain::new();
        let old: String = text
            .lines()
            .map(|line| {
                let mut event: Event = serde_json::from_str(line).unwrap();
                if let EventKind::RunStarted { previous, .. } = &mut event.kind {
                    *previous = None;
                }
                chain.seal(&event).unwrap()
            })
            .collect();
        fs::write(file(state.path(), "b"), old).unwrap();
        assert!(said(state.path()).contains(&"b Unlinked".to_owned()));
    }
}
