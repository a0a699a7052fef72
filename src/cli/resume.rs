//! `--resume`: an earlier run that did not end well is gone on from, with what it was asked to do and what a person
//! decided on the way. What is done is seen on the hosts, not remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde_json::Value;

use super::drive::digest;
use super::session::{complain, note};
use super::{Exit, paths, which_run};
use crate::diagnostic::Diagnostic;
use crate::engine::answer_key;
use crate::event::{Choice, Deed, Event, EventKind, HostResult, Invocation, Mode};
use crate::journal::{Integrity, Recording, RunId, runs};
use crate::plan::HostPlan;
use crate::report::clean;
use crate::runbook::Runbook;

/// What is gone on with.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    /// What the run was asked to do; its hosts are those that did not end well.
    pub(super) invocation: Invocation,
    /// Hosts that ended well, and are left out.
    pub(super) well: Vec<String>,
    /// Steps that are passed over, and answers that still count, by host.
    pub(super) passes: BTreeMap<String, BTreeSet<String>>,
    /// Values that inputs were given on the way, by host.
    pub(super) edits: BTreeMap<String, BTreeMap<String, Value>>,
    /// The digest of the runbook's text then.
    pub(super) digest: String,
}

/// Finds the run and reads what is needed of it. `wanted` is a run's id, enough of its beginning or end, or `last`;
/// with a runbook, only its runs count.
///
/// # Errors
/// Already told; the exit code, which is no mistake when there is nothing left to do.
pub(super) fn find(wanted: &str, runbook: Option<&str>) -> Result<Resumed, Exit> {
    if wanted == "last" {
        return last(runbook);
    }
    let state = paths::state();
    let id = which_run::find(&state, wanted).map_err(|mistake| complain(&mistake))?;
    let recording = Recording::read(&state, &id).map_err(|error| complain(&error))?;
    believed(&id, &recording)?;
    let Some(resumed) = read(&id, &recording.events) else {
        return Err(complain(&format!(
            "run {id} cannot be gone on from: it does not say what it was asked to do, or it was to change nothing"
        )));
    };
    if let Some(runbook) = runbook.filter(|runbook| *runbook != resumed.invocation.runbook) {
        let message = format!(
            "run {id} is one of {}, not of {runbook}",
            resumed.invocation.runbook
        );
        return Err(complain(&Diagnostic::error(message)));
    }
    if resumed.invocation.hosts.is_empty() {
        note(&format!(
            "Every host of run {id} ended well; there is nothing to go on with."
        ));
        return Err(Exit::Done);
    }
    Ok(resumed)
}

/// Answers to questions of safety are in the record, and the steps that are passed over: nobody else may write there.
fn believed(id: &RunId, recording: &Recording) -> Result<(), Exit> {
    match &recording.integrity {
        Integrity::Complete | Integrity::Unfinished | Integrity::Cut => Ok(()),
        Integrity::Broken { line, why } => {
            let mistake = format!(
                "run {id} cannot be gone on from: its record was changed: line {line}: {why}"
            );
            let hint = "run the runbook anew; what is done stays done";
            Err(complain(&Diagnostic::error(mistake).hint(hint)))
        }
    }
}

fn last(runbook: Option<&str>) -> Result<Resumed, Exit> {
    let state = paths::state();
    let all = runs(&state).map_err(|error| complain(&error))?;
    // A run that was gone on from counts no more: what came of it is in the one that did.
    let gone_on: BTreeSet<String> = all.iter().filter_map(|id| resumes(&state, id)).collect();
    for id in all.iter().rev().filter(|id| !gone_on.contains(id.as_str())) {
        // A journal that cannot be read is no run to go on from; `history` shows it.
        let Ok(recording) = Recording::read(&state, id) else {
            continue;
        };
        let found = read(id, &recording.events).filter(|resumed| {
            let is_asked = runbook.is_none_or(|runbook| runbook == resumed.invocation.runbook);
            is_asked && !resumed.invocation.hosts.is_empty()
        });
        if let Some(resumed) = found {
            believed(id, &recording)?;
            return Ok(resumed);
        }
    }
    let of = runbook.map_or(String::new(), |runbook| format!(" of {runbook}"));
    Err(complain(&format!("no run{of} is left to go on from")))
}

/// The run that this one goes on from: it stands in one of the first lines, so not all of it is read.
fn resumes(state: &Path, id: &RunId) -> Option<String> {
    let journal = File::open(state.join("runs").join(id.as_str()).join("events.jsonl")).ok()?;
    let lines = BufReader::new(journal).lines().take(FIRST_LINES);
    lines.map_while(Result::ok).find_map(|line| {
        let event: Value = serde_json::from_str(&line).ok()?;
        let resumes = event.pointer("/kind/invocation/resumes")?;
        resumes.as_str().map(str::to_owned)
    })
}

/// What a run was asked to do is told within so many events.
const FIRST_LINES: usize = 4;

/// Reads a run; nothing when it was not to change anything, or is of a version that did not say what it was asked.
fn read(id: &RunId, events: &[Event]) -> Option<Resumed> {
    let mut resumed = Resumed::default();
    let (mut mode, mut invocation, mut well) = (None, None, BTreeSet::new());
    let mut plans: BTreeMap<&str, &HostPlan> = BTreeMap::new();
    // Until something that they may have been about is taken back.
    let mut answers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::RunStarted {
                mode: is, digest, ..
            } => {
                mode = Some(*is);
                resumed.digest.clone_from(digest);
            }
            EventKind::Invoked { invocation: is } => invocation = Some(is),
            EventKind::HostPlanned { plan } => {
                plans.insert(&plan.host, plan);
            }
            EventKind::Answered {
                host,
                number,
                question,
                yes: true,
                ..
            } => {
                let plan = plans.get(host.as_str());
                let key = plan.map(|plan| answer_key(&plan.key(*number), question));
                answers.entry(host.clone()).or_default().extend(key);
            }
            // What the answer was about is no longer so.
            EventKind::GuardFired { host, .. } => {
                answers.remove(host);
            }
            EventKind::Guided {
                host, number, deed, ..
            } => {
                if takes_back(deed) {
                    answers.remove(host);
                }
                if let Some(plan) = plans.get(host.as_str()) {
                    resumed.take(host, plan.key(*number), deed);
                }
            }
            EventKind::HostFinished { host, result } => {
                // All that was left was left out by a person.
                let declined = *result == HostResult::Declined && resumed.passes.contains_key(host);
                if declined || is_well(result) {
                    well.insert(host.clone());
                }
            }
            _ => {}
        }
    }
    for (host, answers) in answers {
        resumed.passes.entry(host).or_default().extend(answers);
    }
    let invocation = invocation.filter(|_| mode == Some(Mode::Apply))?;
    Some(resumed.with(id, invocation.as_ref().clone(), &well))
}

impl Resumed {
    /// What is left to do of it.
    fn with(mut self, id: &RunId, mut invocation: Invocation, well: &BTreeSet<String>) -> Self {
        let hosts = std::mem::take(&mut invocation.hosts).into_iter();
        (self.well, invocation.hosts) = hosts.partition(|host| well.contains(host));
        invocation.resumes = Some(id.to_string());
        self.invocation = invocation;
        self
    }

    /// Tells what is gone on from, and what is left out.
    pub(super) fn tell(&self, runbook: &Runbook) {
        let Some(run) = &self.invocation.resumes else {
            return;
        };
        let run = clean(run);
        note(&format!("Goes on from run {run}."));
        if !self.well.is_empty() {
            let are = if self.well.len() == 1 { "is" } else { "are" };
            note(&format!(
                "{} ended well and {are} left out",
                clean(&self.well.join(", "))
            ));
        }
        if !self.digest.is_empty() && self.digest != digest(runbook) {
            note(&format!(
                "The text of {} is not what it was in run {run}.",
                runbook.name
            ));
        }
    }

    fn take(&mut self, host: &str, key: String, deed: &Deed) {
        let passes = self.passes.entry(host.to_owned()).or_default();
        match deed {
            Deed::PassedOver
            | Deed::Chose {
                choice: Choice::Skip { .. },
                ..
            } => {
                passes.insert(key);
            }
            // It is decided about anew.
            Deed::TakenBack { .. } => {
                passes.remove(&key);
            }
            Deed::Chose {
                choice: Choice::Edit { input, value },
                ..
            } => {
                let edits = self.edits.entry(host.to_owned()).or_default();
                edits.insert(input.clone(), value.clone());
            }
            Deed::Chose { .. } => {}
        }
    }
}

/// Whether something is taken back, or is to be: who chose so may have been cut off before it was done.
fn takes_back(deed: &Deed) -> bool {
    matches!(
        deed,
        Deed::TakenBack { .. }
            | Deed::Chose {
                choice: Choice::Undo | Choice::Back,
                ..
            }
    )
}

fn is_well(result: &HostResult) -> bool {
    match result {
        HostResult::NothingToDo | HostResult::Changed { .. } | HostResult::Verified => true,
        HostResult::ChangesDue { .. } | HostResult::Declined | HostResult::Stopped { .. } => false,
    }
}
