//! Runs that were cut off on a host: what they left on record (`src/host/unfinished.read.sh`), read.

use std::collections::BTreeMap;

use crate::change::{Change, Shown, StepNumber, Timing, Verdict};
use crate::event::{StepState, Unfinished, UnfinishedStep};
use crate::plan::HostPlan;
use crate::probe::{Answers, Probe};

/// The question that [`found`] reads the answer of.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_unfinished", [])
}

/// What runs the program of a `command` (`src/host/command.write.sh`).
const RUN_COMMAND: &str = "hf_run_command";

/// The longest name of a step that is kept.
const NAME: usize = 200;

/// The steps that are due, a line each for the run's folder on the host: `NUMBER PART WORD NAME`. PART is `in`
/// or `end`; WORD is `once` for what must not be done again blindly, else `again`.
pub(super) fn due_lines(plan: &HostPlan) -> String {
    let steps = plan.steps.iter().filter(|step| step.is_pending());
    let line = |(number, name): (StepNumber, &str), part: &str, once: bool| {
        let name: String = name
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(NAME)
            .collect();
        let word = if once { "once" } else { "again" };
        format!("{} {part} {word} {name}\n", number.0)
    };
    let (mut now, mut later) = (String::new(), String::new());
    for step in steps {
        let changes = step.verdict().map(Verdict::changes).unwrap_or_default();
        let id = (step.number, step.name.as_str());
        let waits = |change: &&Change| change.timing == Timing::AtEnd;
        let (at_end, in_order): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(waits);
        let once = |changes: &[&Change]| changes.iter().any(|change| is_blind(change));
        if !in_order.is_empty() || at_end.is_empty() {
            now.push_str(&line(id, "in", once(&in_order)));
        }
        if !at_end.is_empty() {
            later.push_str(&line(id, "end", once(&at_end)));
        }
    }
    now + &later
}

/// Whether nothing on the host tells that a change was made: a program that somebody has run every time. Whoever
/// does not know whether it ran cannot find out by running it again. Reloads can be repeated.
pub(super) fn is_blind(change: &Change) -> bool {
    change.act.function == RUN_COMMAND && matches!(change.shown.as_slice(), [Shown::Run { .. }])
}

/// The runs that were cut off, the oldest first.
pub(super) fn found(answers: &Answers) -> Vec<Unfinished> {
    let answer = answers.get(&probe());
    let text = answer
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default();
    parse(&text)
}

/// Reads lines `key=value`, a run from each `run=` on. What is odd in them is left out.
fn parse(text: &str) -> Vec<Unfinished> {
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

fn read(lines: &[(&str, &str)]) -> Unfinished {
    let values = |key: &'static str| {
        let of_key =
            move |(name, value): &(&str, &str)| (*name == key).then(|| (*value).to_owned());
        lines.iter().filter_map(of_key)
    };
    let value = |key| values(key).next().unwrap_or_default();
    let mut steps: Vec<UnfinishedStep> = values("due").filter_map(|line| due_step(&line)).collect();
    let mut journal = Journal::default();
    for line in values("journal") {
        journal.take(&line);
    }
    for (part, state) in journal.states() {
        let known = steps
            .iter_mut()
            .find(|step| (step.number, step.at_end) == part);
        match known {
            Some(step) => step.state = state,
            None => steps.push(UnfinishedStep {
                number: part.0,
                name: String::new(),
                at_end: part.1,
                // Nothing is known of it.
                once: true,
                state,
            }),
        }
    }
    Unfinished {
        run: value("run"),
        runbook: value("runbook"),
        operator: value("operator"),
        started: value("started"),
        version: value("version"),
        undoes: value("undoes"),
        last: value("last").parse().ok(),
        restarted: value("restarted") == "yes",
        steps,
    }
}

fn due_step(line: &str) -> Option<UnfinishedStep> {
    let mut words = line.splitn(4, ' ');
    let number = words.next()?.parse().ok()?;
    let (part, word) = (words.next()?, words.next()?);
    Some(UnfinishedStep {
        number: StepNumber(number),
        name: words.next().unwrap_or_default().to_owned(),
        at_end: part == "end",
        once: word == "once",
        state: StepState::NotBegun,
    })
}

/// How far each step came, by its number and whether it is its part at the end; from lines of a journal.
pub(super) fn states<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> Vec<(StepNumber, bool, StepState)> {
    let mut journal = Journal::default();
    lines.for_each(|line| journal.take(line));
    let states = journal.states().into_iter();
    states
        .map(|((number, at_end), state)| (number, at_end, state))
        .collect()
}

/// A step, and whether it is its part at the end.
type Part = (StepNumber, bool);

/// A journal of a run by folders of steps: every try of a step has its own.
#[derive(Debug, Default)]
struct Journal {
    /// In the order in which they were begun.
    folders: Vec<(String, Folder)>,
}

#[derive(Debug, Default)]
struct Folder {
    /// Changes by number: how each ended, as far as that is on record.
    changes: BTreeMap<usize, Ended>,
    /// The last word on the step itself.
    end: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Unknown,
    Well,
    Badly,
    TakenBack,
}

impl Journal {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["step", folder, "started"] => {
                self.folders.push(((*folder).to_owned(), Folder::default()));
            }
            ["step", folder, "change", number, "started"] => {
                self.change(folder, number, Ended::Unknown);
            }
            ["step", folder, "change", number, "rc", rc] => {
                let ended = if *rc == "0" {
                    Ended::Well
                } else {
                    Ended::Badly
                };
                self.change(folder, number, ended);
            }
            ["guard", "undo", change, "rc", "0"] => {
                if let Some((folder, number)) = change.split_once('/') {
                    self.change(folder, number, Ended::TakenBack);
                }
            }
            ["step", folder, end] => {
                if let Some(found) = self.folder(folder) {
                    found.end = Some((*end).to_owned());
                }
            }
            _ => {}
        }
    }

    fn folder(&mut self, name: &str) -> Option<&mut Folder> {
        let mut folders = self.folders.iter_mut().rev();
        let found = folders.find(|(known, _)| known == name);
        found.map(|(_, folder)| folder)
    }

    fn change(&mut self, folder: &str, number: &str, ended: Ended) {
        let number = number.parse();
        if let (Some(folder), Ok(number)) = (self.folder(folder), number) {
            folder.changes.insert(number, ended);
        }
    }

    /// How far each step came by its last try.
    fn states(&self) -> Vec<(Part, StepState)> {
        let mut states: Vec<(Part, StepState)> = Vec::new();
        for (name, folder) in &self.folders {
            let Some(part) = part(name) else { continue };
            let state = match folder.state() {
                StepState::Done if is_way_back(name) => StepState::TakenBack,
                StepState::Untouched if is_way_back(name) => continue,
                state => state,
            };
            match states.iter_mut().find(|(known, _)| *known == part) {
                Some((_, known)) => *known = state,
                None => states.push((part, state)),
            }
        }
        states
    }
}

/// The step of a folder: `3`, `3-end`, `3-2` (its second try), `3-end-2`, `3-back` (it was taken back), `3-back-end`.
fn part(folder: &str) -> Option<Part> {
    let mut words = folder.split('-');
    let number = words.next()?.parse().ok()?;
    Some((StepNumber(number), words.any(|word| word == "end")))
}

/// Whether a step was taken back in this folder.
fn is_way_back(folder: &str) -> bool {
    folder.split('-').any(|word| word == "back")
}

impl Folder {
    fn state(&self) -> StepState {
        let with = |ended: Ended| self.changes.values().filter(|one| **one == ended).count();
        let made = with(Ended::Well);
        if with(Ended::TakenBack) > 0 && with(Ended::TakenBack) == self.changes.len() {
            return StepState::TakenBack;
        }
        match self.end.as_deref() {
            Some("done") => StepState::Done,
            Some("moved") => StepState::Untouched,
            // One that was killed when its time was up has `failed` on record, its change no end.
            Some(_) | None if with(Ended::Unknown) > 0 => StepState::Unknown { made },
            Some("failed") => StepState::Failed { made },
            Some(_) | None if self.changes.is_empty() => StepState::Untouched,
            Some(_) | None => StepState::Partly { made },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: &str = "run=r-1\nrunbook=web\noperator=ada@desk\nstarted=2026-01-02T03:04:05Z\nversion=0.3.0\n\
        restarted=yes\nlast=1790000000\n\
        due=1 in again A file is there\ndue=2 in once Something runs\ndue=3 in again Another = file\ndue=4 end again It is reloaded\n\
        journal=step 1 started\njournal=step 1 change 1 started\njournal=step 1 change 1 rc 0\njournal=step 1 done\n\
        journal=step 2 started\njournal=step 2 change 1 started\nrun=r-2\n";

    fn state_of(lines: &[&str]) -> StepState {
        let mut journal = Journal::default();
        for line in lines {
            journal.take(line);
        }
        journal.states()[0].1
    }

    #[test]
    fn a_run_that_was_cut_off_is_read_with_what_was_done_and_what_not() {
        let found = parse(CUT);
        assert_eq!(found.len(), 2);
        let run = &found[0];
        assert_eq!(
            (run.run.as_str(), run.operator.as_str()),
            ("r-1", "ada@desk")
        );
        assert!(run.restarted && !found[1].restarted);
        assert_eq!(run.last, Some(1_790_000_000));
        let states: Vec<StepState> = run.steps.iter().map(|step| step.state).collect();
        assert_eq!(
            states,
            [
                StepState::Done,
                StepState::Unknown { made: 0 },
                StepState::NotBegun,
                StepState::NotBegun
            ]
        );
        assert_eq!(run.steps[2].name, "Another = file");
        assert!(run.steps[3].at_end);
        let unrepeatable: Vec<usize> = run.unrepeatable().map(|step| step.number.0).collect();
        assert_eq!(unrepeatable, [2]);
    }

    #[test]
    fn a_step_is_where_its_journal_left_it() {
        let begun = "step 1 started";
        let change = ["step 1 change 1 started", "step 1 change 1 rc 0"];
        assert_eq!(state_of(&[begun]), StepState::Untouched);
        assert_eq!(
            state_of(&[begun, change[0]]),
            StepState::Unknown { made: 0 }
        );
        assert_eq!(
            state_of(&[begun, change[0], change[1]]),
            StepState::Partly { made: 1 }
        );
        assert_eq!(
            state_of(&[begun, change[0], change[1], "step 1 change 2 started"]),
            StepState::Unknown { made: 1 }
        );
        assert_eq!(
            state_of(&[begun, change[0], change[1], "step 1 done"]),
            StepState::Done
        );
        assert_eq!(state_of(&[begun, "step 1 moved"]), StepState::Untouched);
        assert_eq!(
            state_of(&[begun, change[0], "step 1 change 1 rc 1", "step 1 failed"]),
            StepState::Failed { made: 0 }
        );
        assert_eq!(
            state_of(&[
                begun,
                change[0],
                change[1],
                "step 1 done",
                "guard undo 1/1 rc 0"
            ]),
            StepState::TakenBack
        );
    }

    #[test]
    fn the_last_try_of_a_step_counts() {
        let lines = [
            "step 1 started",
            "step 1 failed",
            "step 1-2 started",
            "step 1-2 done",
        ];
        assert_eq!(state_of(&lines), StepState::Done);
        assert_eq!(part("12-end-3"), Some((StepNumber(12), true)));
        assert_eq!(part("rehearsal"), None);
    }
}
