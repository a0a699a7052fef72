//! What a run has done and left on a host, in order: what "back" and "undo" go by.

use super::due::timing_of;
use super::new_login::Way;
use super::worker::Worker;
use crate::change::{Change, Known, Shown, StepNumber, Timing, Verdict};
use crate::plan::{Expectation, StepPlan};

/// What was done and left so far.
#[derive(Debug, Default)]
pub(super) struct Past(Vec<Entry>);

/// One thing of it.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// Changes were made.
    Did(Box<Act>),
    /// A step was not performed, or it changes nothing.
    Left {
        key: String,
        number: StepNumber,
        name: String,
        timing: Timing,
        /// Whether a person chose so.
        skipped: bool,
    },
}

/// Changes that were made together.
#[derive(Debug, Clone)]
pub(super) struct Act {
    /// The key of the step whose turn it was.
    pub(super) turn: (String, Timing),
    /// The step that they belong to.
    pub(super) step: StepPlan,
    /// Its key in the plan.
    pub(super) key: String,
    pub(super) timing: Timing,
    /// Their folder in the run's folder on the host.
    pub(super) folder: String,
    pub(super) changes: Vec<Change>,
    /// What the host answered before.
    pub(super) expects: Vec<Expectation>,
    /// How many things had been changed before them.
    pub(super) before: usize,
    /// How the host was reached before.
    pub(super) way: Way,
    /// Whether a guard was there for them.
    pub(super) guarded: bool,
}

impl Act {
    /// How many things were changed.
    pub(super) fn count(&self) -> usize {
        self.changes.iter().map(Change::count).sum()
    }
}

impl Entry {
    fn turn(&self) -> (&str, Timing) {
        match self {
            Entry::Did(act) => (&act.turn.0, act.turn.1),
            Entry::Left { key, timing, .. } => (key, *timing),
        }
    }
}

impl Past {
    /// Changes were made.
    pub(super) fn did(&mut self, act: Act) {
        self.0.push(Entry::Did(Box::new(act)));
    }

    /// A step was left out (`skipped`), or it was an interlude.
    pub(super) fn leave(&mut self, key: String, step: &StepPlan, timing: Timing, skipped: bool) {
        self.0.push(Entry::Left {
            key,
            number: step.number,
            name: step.name.clone(),
            timing,
            skipped,
        });
    }

    /// Whether the step has had its turn: it was left, or it ran a command that is due for ever.
    pub(super) fn is_over(&self, key: &str, step: &StepPlan, timing: Timing) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Left {
                key: left,
                timing: when,
                ..
            } => *left == key && *when == timing,
            Entry::Did(act) => act.timing == timing && act.key == key && has_run(act, step, timing),
        })
    }

    /// Whether a person left the step out.
    pub(super) fn is_skipped(&self, key: &str) -> bool {
        self.0.iter().any(
            |entry| matches!(entry, Entry::Left { key: left, skipped: true, .. } if left == key),
        )
    }

    /// Whether a person left anything out.
    pub(super) fn skips(&self) -> bool {
        self.0
            .iter()
            .any(|entry| matches!(entry, Entry::Left { skipped: true, .. }))
    }

    /// The last turn that something was decided in: its entries in order.
    pub(super) fn last(&self) -> &[Entry] {
        let chosen = |entry: &Entry| !matches!(entry, Entry::Left { skipped: false, .. });
        let Some(end) = self.0.iter().rposition(chosen) else {
            return &[];
        };
        let turn = self.0[end].turn();
        let from = self.0[..end]
            .iter()
            .rposition(|entry| entry.turn() != turn)
            .map_or(0, |other| other + 1);
        &self.0[from..=end]
    }

    /// Forgets the last turn of a step, and what came after it.
    pub(super) fn forget_turn(&mut self, key: &str, timing: Timing) {
        let other = |entry: &Entry| entry.turn() != (key, timing);
        if let Some(end) = self.0.iter().rposition(|entry| !other(entry)) {
            let from = self.0[..end].iter().rposition(other);
            self.0.truncate(from.map_or(0, |from| from + 1));
        }
    }

    /// Forgets what was done since so many things had been changed: the host took it back by itself.
    pub(super) fn forget_since(&mut self, changes: usize) {
        self.0
            .retain(|entry| !matches!(entry, Entry::Did(act) if act.before >= changes));
    }

    /// What was done, the last first.
    pub(super) fn acts(&self) -> Vec<Act> {
        let acts = self.0.iter().rev().filter_map(|entry| match entry {
            Entry::Did(act) => Some(act.as_ref().clone()),
            Entry::Left { .. } => None,
        });
        acts.collect()
    }

    /// Which steps did change something.
    pub(super) fn known(&self) -> Known {
        let mut known = Known::nothing();
        for act in self.acts().iter().rev() {
            let verdict = Verdict::Change(act.changes.clone());
            known.learn(act.step.number, act.step.id.as_deref(), &verdict);
        }
        known.forget_predictions();
        known
    }
}

impl Worker<'_> {
    /// The step's folder on the host: every try has its own, with its own undo data.
    pub(super) fn folder(&mut self, plan: &StepPlan, due: &[&Change]) -> String {
        self.folder_named(&plan.number.0.to_string(), timing_of(due))
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

/// Whether all that the step would do is to run what was run already.
fn has_run(act: &Act, step: &StepPlan, timing: Timing) -> bool {
    let mut due = super::due::due(step, timing).into_iter().peekable();
    due.peek().is_some()
        && due.all(|change| {
            matches!(change.shown.as_slice(), [Shown::Run { .. }])
                && act.changes.iter().any(|done| done.act == change.act)
        })
}
