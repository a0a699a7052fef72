//! What the runs of the past left on a host: read from its own records (`src/host/drift.read.sh`), and put together
//! to what should still be so.
//!
//! A later run of the whole of a runbook replaces the earlier ones of it. Of a run that did not end well only the
//! steps count that it did; a step of which something was taken back counts no more, and what was there before counts
//! again.

use std::collections::BTreeSet;

use super::left_behind::LeftBehind;
use super::unfinished;
use crate::change::StepNumber;
use crate::event::StepState;
use crate::probe::Probe;
use crate::runbook::{Left, What};

/// The question that [`parse`] reads the answer of.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_records", [])
}

/// A run on record on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the run that may be so or not"
)]
pub(super) struct Record {
    /// Its id.
    pub(super) run: String,
    /// Its runbook.
    pub(super) runbook: String,
    /// `user@machine` that started it.
    pub(super) operator: String,
    /// When, RFC 3339, by the controller's clock.
    pub(super) started: String,
    /// Whether it left its steps on record.
    has_steps: bool,
    /// Whether it took another run back.
    undoes: bool,
    /// Whether it was about some steps of its runbook alone.
    part: bool,
    /// Whether all of it was done.
    whole: bool,
    /// The steps that it did, when not all of it was done.
    done: BTreeSet<usize>,
    /// The steps of which something was taken back, and that were not made again in the same run.
    taken: BTreeSet<usize>,
}

impl Record {
    /// Whether what a step described was so when the run ended, and nobody took it back.
    fn counts(&self, step: usize) -> bool {
        !self.taken.contains(&step) && (self.whole || self.done.contains(&step))
    }

    /// Whether it says all there is to say about its runbook.
    fn replaces(&self) -> bool {
        self.has_steps && self.whole && !self.part && self.taken.is_empty()
    }

    /// Whether it left something that may still be there.
    fn stands(&self) -> bool {
        let is_standing = |step: &usize| !self.taken.contains(step);
        !self.undoes && (self.has_steps || self.done.iter().any(is_standing))
    }
}

/// Reads lines `key=value`, a run from each `run=` on; the oldest first, as the host tells them.
pub(super) fn parse(text: &str) -> Vec<Record> {
    let mut runs: Vec<Vec<(&str, &str)>> = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key == "run" {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut() {
            run.push((key, value));
        }
    }
    runs.iter().map(|lines| read(lines)).collect()
}

fn read(lines: &[(&str, &str)]) -> Record {
    let values = |key: &'static str| {
        let of_key = lines.iter().filter(move |(name, _)| *name == key);
        of_key.map(|(_, value)| *value)
    };
    let value = |key| values(key).next().unwrap_or_default().to_owned();
    let whole = values("closed").next_back() == Some("done");
    let states = unfinished::states(values("journal"));
    let with = |wanted: StepState| {
        let found = states.iter().filter(move |(_, _, state)| *state == wanted);
        found.map(|(number, _, _)| number.0)
    };
    let folder = |folder: &str| folder.split('-').next()?.parse().ok();
    Record {
        run: value("run"),
        runbook: value("runbook"),
        operator: value("operator"),
        started: value("started"),
        has_steps: !value("steps").is_empty(),
        undoes: !value("undoes").is_empty(),
        part: !value("part").is_empty(),
        whole,
        done: with(StepState::Done).collect(),
        taken: values("taken")
            .filter_map(folder)
            .chain(with(StepState::TakenBack))
            .collect(),
    }
}

/// The records whose steps may still count.
pub(super) fn relevant(records: &[Record]) -> Vec<&Record> {
    let mut replaced: BTreeSet<&str> = BTreeSet::new();
    let mut relevant = Vec::new();
    for record in records.iter().rev().filter(|record| record.stands()) {
        if replaced.contains(record.runbook.as_str()) {
            continue;
        }
        if record.replaces() {
            replaced.insert(&record.runbook);
        }
        relevant.push(record);
    }
    relevant.reverse();
    relevant
}

/// A run that counts, and what it left on record.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) record: &'a Record,
    pub(super) behind: &'a LeftBehind,
    /// Its steps, or why they cannot be read, as a clause.
    pub(super) steps: Result<Vec<Left>, String>,
}

/// A step that still counts, and the run that left it.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    pub(super) record: &'a Record,
    /// What else the run left on record.
    pub(super) behind: &'a LeftBehind,
    pub(super) left: Left,
}

/// What should still be so, the oldest first. Of a run whose steps cannot be read it stands in their place that
/// nobody knows.
pub(super) fn standing(read: Vec<Read<'_>>) -> Vec<Standing<'_>> {
    let mut standing = Vec::new();
    for Read {
        record,
        behind,
        steps,
    } in read
    {
        let steps = match steps {
            Ok(steps) => steps
                .into_iter()
                .filter(|left| record.counts(left.number) && is_lasting(left))
                .collect(),
            Err(why) => vec![unreadable(record, why)],
        };
        standing.extend(steps.into_iter().map(|left| Standing {
            record,
            behind,
            left,
        }));
    }
    standing
}

fn unreadable(record: &Record, why: String) -> Left {
    Left {
        number: 0,
        name: format!("What run {} of {} left", record.run, record.runbook),
        what: What::Unknown { why },
    }
}

/// Kinds that look and wait, and never leave anything.
const PASSING: [&str; 2] = ["wait_for", "login"];

/// Whether it left something on the host that can be found changed.
fn is_lasting(left: &Left) -> bool {
    match &left.what {
        What::Resource(kind, _) => kind.is_on_host() && !PASSING.contains(&kind.key),
        What::Unknown { .. } => true,
    }
}

/// The number of a step among all that are looked at.
pub(super) fn number(index: usize) -> StepNumber {
    StepNumber(index + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runbook::left;
    use crate::template::{Scope, Templates};

    fn record(run: &str, runbook: &str, more: &str) -> Record {
        let text = format!("run={run}\nrunbook={runbook}\nsteps=yes\n{more}");
        parse(&text).remove(0)
    }

    const DONE: &str = "closed=done\n";

    /// What stands, as `RUN STEP` each; `steps` are the files that the steps of a run describe.
    fn stands(runs: &[(Record, &[&str])]) -> String {
        let records: Vec<Record> = runs.iter().map(|(record, _)| record.clone()).collect();
        let (scope, nothing) = (
            Scope::new(&json!({}), Templates::default()),
            LeftBehind::default(),
        );
        let read = relevant(&records).into_iter().map(|record| {
            let (_, files) = runs.iter().find(|(one, _)| one == record).unwrap();
            let steps: Vec<_> = files
                .iter()
                .zip(1..)
                .map(|(file, step)| {
                    if file.starts_with('/') {
                        json!({"step": step, "name": "x", "file": {"path": file, "content": "x"}})
                    } else {
                        json!({"step": step, "name": "x", "wait_for": {"port": 80}})
                    }
                })
                .collect();
            let steps = left("t", &json!(steps).to_string(), &scope).unwrap();
            Read {
                record,
                behind: &nothing,
                steps: Ok(steps),
            }
        });
        let standing = standing(read.collect());
        let told = standing
            .iter()
            .map(|one| format!("{} {}", one.record.run, one.left.number));
        told.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_later_run_of_a_runbook_replaces_the_earlier_one_also_where_it_says_less() {
        let first = record("r-1", "web", DONE);
        let second = record("r-2", "web", DONE);
        assert_eq!(
            stands(&[(first, &["/a", "/b"]), (second, &["/a"])]),
            "r-2 1"
        );
    }

    #[test]
    fn what_was_taken_back_counts_no_more_and_what_was_before_counts_again() {
        let first = record("r-1", "web", DONE);
        let second = record("r-2", "web", "closed=done\ntaken=1\n");
        assert_eq!(
            stands(&[(first, &["/a", "/b"]), (second, &["/a", "/b"])]),
            "r-1 1, r-1 2, r-2 2"
        );
        let alone = record("r-1", "web", "closed=done\ntaken=1\ntaken=2-end\n");
        assert_eq!(stands(&[(alone, &["/a", "/b"])]), "");
    }

    #[test]
    fn of_a_run_that_did_not_end_well_only_what_it_did_counts() {
        let first = record("r-1", "web", DONE);
        let journal = "closed=failed\njournal=step 1 started\njournal=step 1 change 1 started\n\
            journal=step 1 change 1 rc 0\njournal=step 1 done\njournal=step 2 started\njournal=step 2 failed\n";
        let second = record("r-2", "web", journal);
        assert_eq!(
            stands(&[
                (first.clone(), &["/a", "/b"]),
                (second, &["/a", "/b", "/c"])
            ]),
            "r-1 1, r-1 2, r-2 1"
        );
        let reverted =
            format!("{journal}journal=guard undo 1/1 rc 0\n").replace("failed\n", "reverted\n");
        let second = record("r-2", "web", &reverted);
        assert_eq!(stands(&[(first, &["/a"]), (second, &["/a"])]), "r-1 1");
    }

    #[test]
    fn a_run_of_a_part_of_its_runbook_replaces_nothing() {
        let first = record("r-1", "web", DONE);
        let part = record("r-2", "web", "part=yes\nclosed=done\n");
        assert_eq!(
            stands(&[(first, &["/a", "/b"]), (part.clone(), &["/b"])]),
            "r-1 1, r-1 2, r-2 1"
        );
        let last = record("r-3", "web", DONE);
        assert_eq!(
            stands(&[(part, &["/b"]), (last, &["/a", "/b"])]),
            "r-3 1, r-3 2"
        );
    }

    #[test]
    fn passing_things_are_left_out() {
        let run = record("r-1", "web", DONE);
        assert_eq!(stands(&[(run, &["/a", "port"])]), "r-1 1");
    }

    #[test]
    fn of_a_run_whose_steps_cannot_be_read_one_thing_stands_that_says_so() {
        let done = "journal=step 1 started\njournal=step 1 done\n";
        let text = |more: &str| format!("run=r-1\nrunbook=web\n{more}");
        let without = parse(&text(&format!("closed=done\n{done}"))).remove(0);
        let all = [record("r-0", "web", DONE), without];
        let relevant = relevant(&all);
        assert_eq!(relevant, [&all[0], &all[1]], "it replaces nothing");
        let behind = LeftBehind::default();
        let read = relevant[1..].iter().map(|record| Read {
            record,
            behind: &behind,
            steps: Err("cut".to_owned()),
        });
        let standing = standing(read.collect());
        let [one] = &standing[..] else {
            panic!("{standing:?}")
        };
        assert_eq!(one.left.name, "What run r-1 of web left");
        // Nothing was done, all of it was taken back, or it was a way back itself.
        for more in [
            "closed=done\n".to_owned(),
            format!("{done}taken=1\n"),
            format!("undoes=r-0\n{done}"),
        ] {
            assert_eq!(
                super::relevant(&parse(&text(&more))),
                Vec::<&Record>::new(),
                "{more}"
            );
        }
    }
}
