//! Changes that are made together, or tried, and where their undo data lie.

use super::due::timing_of;
use super::new_login::Way;
use super::worker::Worker;
use super::{Stop, desk, restore};
use crate::change::{Change, Timing};
use crate::event::Fault;
use crate::plan::{Expectation, StepPlan};
use crate::runbook::RenderedStep;

/// Changes that were made together, or tried.
#[derive(Debug, Clone)]
pub(super) struct Act {
    /// The key of the step whose turn it was.
    pub(super) turn: (String, Timing),
    /// The step that they belong to.
    pub(super) step: StepPlan,
    /// Its key in the plan.
    pub(super) key: String,
    pub(super) timing: Timing,
    /// Their folder in the run's folder on the host; none for those on this machine.
    pub(super) folder: String,
    pub(super) changes: Vec<Change>,
    /// Whether the step did not come about: the changes are those that were begun.
    pub(super) failed: bool,
    /// Tries that failed before this one, in order: folders and the changes that were begun.
    pub(super) earlier: Vec<(String, Vec<Change>)>,
    /// What the host answered before the first try.
    pub(super) expects: Vec<Expectation>,
    /// How many things had been changed before them.
    pub(super) before: usize,
    /// How the host was reached before.
    pub(super) way: Way,
    /// Whether a guard was there for them.
    pub(super) guarded: bool,
}

impl Act {
    /// The changes that are in force. Of a try that failed nobody knows.
    pub(super) fn made(&self) -> &[Change] {
        if self.failed { &[] } else { &self.changes }
    }

    /// How many things were changed.
    pub(super) fn count(&self) -> usize {
        self.made().iter().map(Change::count).sum()
    }

    /// Its folders and their changes, the last first.
    pub(super) fn tries(&self) -> impl Iterator<Item = (&str, &[Change])> {
        let earlier = self.earlier.iter().rev();
        let earlier = earlier.map(|(folder, changes)| (folder.as_str(), changes.as_slice()));
        std::iter::once((self.folder.as_str(), self.changes.as_slice())).chain(earlier)
    }

    /// Another try of the same: what it is taken back to is what was there before the first.
    pub(super) fn after(mut self, first: Act) -> Self {
        let mut expects = first.expects;
        let is_new = |one: &Expectation| expects.iter().all(|known| known.probe != one.probe);
        let new: Vec<Expectation> = self.expects.drain(..).filter(is_new).collect();
        expects.extend(new);
        let mut earlier = first.earlier;
        earlier.push((first.folder, first.changes));
        Self {
            earlier,
            expects,
            before: first.before,
            way: first.way,
            ..self
        }
    }

    pub(super) fn is(&self, other: &Act) -> bool {
        (&self.turn, &self.key, &self.folder) == (&other.turn, &other.key, &other.folder)
    }
}

impl Worker<'_> {
    /// What performing these changes now would be. Every try has its own folder, with its own undo data.
    pub(super) fn act(&mut self, step: &RenderedStep, plan: &StepPlan, due: &[&Change]) -> Act {
        let timing = timing_of(due);
        let key = self.plan.key(plan.number);
        let folder = if desk::is_for_here(due) {
            String::new()
        } else {
            self.folder_named(&plan.number.0.to_string(), timing)
        };
        Act {
            turn: self.now.clone().unwrap_or((key.clone(), timing)),
            step: plan.clone(),
            key,
            timing,
            folder,
            changes: due.iter().map(|change| (*change).clone()).collect(),
            failed: false,
            earlier: Vec::new(),
            expects: plan.expects.clone(),
            before: self.changes,
            way: self.before.clone(),
            guarded: self.is_guarded(step, timing),
        }
    }

    /// A try failed: what the host has on record of it is a part of what this run did, if somebody may ask for the way
    /// back. On this machine a change that fails was not made.
    pub(super) async fn tried(&mut self, act: Act, stop: &Stop) {
        // Else the guard took it back, or the host does not answer and the run ends there.
        let answers = matches!(stop.fault, Fault::Failed | Fault::Stale);
        if !answers || self.seat.is_none() || act.folder.is_empty() {
            return;
        }
        let begun = restore::begun(self.link.reader(), &self.job.card.run, &act.folder).await;
        // Who cannot tell may have begun all of them: "as before" would be a guess, a way back that fails says so.
        let begun = begun.unwrap_or(act.changes.len());
        let changes: Vec<Change> = act.changes.iter().take(begun).cloned().collect();
        if !changes.is_empty() {
            self.past.did(Act {
                changes,
                failed: true,
                ..act
            });
        }
    }

    /// A folder that this run has not used yet.
    pub(super) fn folder_named(&mut self, name: &str, timing: Timing) -> String {
        let part = match timing {
            Timing::AtEnd => "-end",
            Timing::InOrder => "",
        };
        let first = format!("{name}{part}");
        let tries = self.tries.entry(first.clone()).or_default();
        *tries += 1;
        match tries {
            1 => first,
            again => format!("{first}-{again}"),
        }
    }
}
