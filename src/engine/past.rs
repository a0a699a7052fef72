//! What a run has done and left on a host, in order: what "back" and "undo" go by.

use super::due::timing_of;
use super::new_login::Way;
use super::worker::Worker;
use super::{desk, restore};
use crate::change::{Change, Known, Shown, StepNumber, Timing, Verdict};
use crate::plan::{Expectation, StepPlan};
use crate::runbook::RenderedStep;

/// What was done and left so far.
#[derive(Debug, Default)]
pub(super) struct Past(Vec<Entry>);

/// One thing of it.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// Changes were made, or tried.
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
    fn made(&self) -> &[Change] {
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
    fn after(mut self, first: Act) -> Self {
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

    fn is(&self, other: &Act) -> bool {
        (&self.turn, &self.key, &self.folder) == (&other.turn, &other.key, &other.folder)
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
    /// Changes were made, or tried once more.
    pub(super) fn did(&mut self, act: Act) {
        let again = |entry: &mut Entry| {
            matches!(entry, Entry::Did(first)
                if first.failed && first.key == act.key && first.timing == act.timing)
        };
        let act = match self.0.pop_if(again) {
            Some(Entry::Did(first)) => act.after(*first),
            Some(Entry::Left { .. }) | None => act,
        };
        self.0.push(Entry::Did(Box::new(act)));
    }

    /// What failed tries left, in words; nothing when there are none.
    pub(super) fn tried(&self) -> Option<String> {
        let failed = self.0.iter().filter_map(|entry| match entry {
            Entry::Did(act) if act.failed => Some(act.step.number.to_string()),
            Entry::Did(_) | Entry::Left { .. } => None,
        });
        let steps: Vec<String> = failed.collect();
        (!steps.is_empty()).then(|| format!("what was tried of {} and failed", steps.join(", ")))
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

    /// The last turn that something was decided in: where its entries begin, and these in order.
    pub(super) fn last(&self) -> (usize, &[Entry]) {
        let chosen = |entry: &Entry| !matches!(entry, Entry::Left { skipped: false, .. });
        let Some(end) = self.0.iter().rposition(chosen) else {
            return (self.0.len(), &[]);
        };
        let turn = self.0[end].turn();
        let from = self.0[..end]
            .iter()
            .rposition(|entry| entry.turn() != turn)
            .map_or(0, |other| other + 1);
        (from, &self.0[from..=end])
    }

    /// Forgets all from there on.
    pub(super) fn forget_from(&mut self, from: usize) {
        self.0.truncate(from);
    }

    /// Forgets changes that were taken back.
    pub(super) fn forget(&mut self, act: &Act) {
        self.0
            .retain(|entry| !matches!(entry, Entry::Did(did) if did.is(act)));
    }

    /// Forgets what was done since so many things had been changed: the host took it back by itself.
    pub(super) fn forget_since(&mut self, changes: usize) {
        let is_back = |act: &Act| act.guarded && act.before >= changes;
        self.0
            .retain(|entry| !matches!(entry, Entry::Did(act) if is_back(act)));
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
        for act in self.acts().iter().rev().filter(|act| !act.failed) {
            let verdict = Verdict::Change(act.changes.clone());
            known.learn(act.step.number, act.step.id.as_deref(), &verdict);
        }
        known.forget_predictions();
        known
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

    /// A try failed: what the host has on record of it is a part of what this run did.
    pub(super) async fn tried(&mut self, act: Act) {
        // On this machine a change that fails was not made.
        if act.folder.is_empty() {
            return;
        }
        // From a host that does not answer nothing can be taken back either, and the run ends there.
        let begun = restore::begun(self.link.reader(), &self.job.card.run, &act.folder).await;
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

/// Whether all that the step would do is to run what was run already.
fn has_run(act: &Act, step: &StepPlan, timing: Timing) -> bool {
    let mut due = super::due::due(step, timing).into_iter().peekable();
    due.peek().is_some()
        && due.all(|change| {
            matches!(change.shown.as_slice(), [Shown::Run { .. }])
                && act.made().iter().any(|done| done.act == change.act)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Call, Undo};
    use crate::plan::Outcome;
    use crate::probe::{Digest, Probe};
    use crate::risk::Risk;
    use crate::transport::SshOptions;

    fn way() -> Way {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hosts:\n  web: {}\n").unwrap();
        let inventory = crate::inventory::load(file.path()).unwrap();
        let control = tempfile::tempdir().unwrap();
        Way {
            host: inventory.hosts()[0].clone(),
            ssh: SshOptions::prepare(control.path(), None, 1, std::time::Duration::ZERO).unwrap(),
        }
    }

    fn act(step: usize, folder: &str, seen: &[u8]) -> Act {
        let shown = vec![Shown::Run { argv: Vec::new() }];
        let call = || Call::new("hf_x", [folder]);
        let key = step.to_string();
        Act {
            turn: (key.clone(), Timing::InOrder),
            step: StepPlan {
                number: StepNumber(step),
                id: None,
                name: "x".to_owned(),
                subject: "x".to_owned(),
                risk: Risk::Low,
                guarded: false,
                outcome: Outcome::Seen(Verdict::Compliant),
                notes: Vec::new(),
                expects: Vec::new(),
            },
            key,
            timing: Timing::InOrder,
            folder: folder.to_owned(),
            changes: vec![Change::new("x", shown, call(), Undo::Call(call()))],
            failed: false,
            earlier: Vec::new(),
            expects: vec![Expectation {
                probe: Probe::new("hf_file", ["/x"]),
                digest: Digest::of(seen),
            }],
            before: 0,
            way: way(),
            guarded: false,
        }
    }

    fn failed(act: Act) -> Act {
        Act {
            failed: true,
            ..act
        }
    }

    #[test]
    fn tries_of_a_step_go_back_to_what_was_there_before_the_first() {
        let mut past = Past::default();
        past.did(failed(act(1, "1", b"as it was")));
        past.did(failed(act(1, "1-2", b"half")));
        assert_eq!(
            past.tried().as_deref(),
            Some("what was tried of step 1 and failed")
        );
        past.did(act(1, "1-3", b"half"));
        past.did(act(2, "2", b""));
        let acts = past.acts();
        assert_eq!(acts.len(), 2);
        let folders: Vec<&str> = acts[1].tries().map(|(folder, _)| folder).collect();
        assert_eq!(folders, ["1-3", "1-2", "1"]);
        assert_eq!(acts[1].expects[0].digest, Digest::of(b"as it was"));
        assert_eq!((acts[1].count(), past.tried()), (1, None));
    }

    #[test]
    fn what_was_taken_back_is_forgotten_and_the_rest_is_not() {
        let mut past = Past::default();
        past.did(act(1, "1", b""));
        past.did(failed(act(2, "2", b"")));
        past.did(Act {
            guarded: true,
            ..act(3, "3", b"")
        });
        // Nothing had been changed when the guard was armed, as far as it is counted.
        past.forget_since(0);
        let left = |past: &Past| -> Vec<String> {
            let acts = past.acts();
            acts.into_iter().map(|act| act.folder).collect()
        };
        assert_eq!(left(&past), ["2", "1"]);
        past.forget(&act(2, "2", b""));
        assert_eq!(left(&past), ["1"]);
        assert_eq!(past.last().0, 0);
    }
}
