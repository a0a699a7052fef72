//! What a run has done and left on a host, in order: what "back" and "undo" go by.

use std::collections::{BTreeMap, BTreeSet};

use super::act::Act;
use crate::change::{Known, Shown, StepNumber, Timing, Verdict};
use crate::plan::StepPlan;

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
        /// Whether it is a question, which was answered.
        answered: bool,
    },
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
            answered: step.is_question(),
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

    /// Whether anything was done, tried or left out that was not in the run before (`passes`).
    pub(super) fn is_news(&self, passes: &BTreeSet<String>) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::Did(_) => true,
            Entry::Left { key, skipped, .. } => *skipped && !passes.contains(key),
        })
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

    /// Forgets the answers to questions: what they were about may be something else now.
    pub(super) fn forget_answers(&mut self) {
        self.0
            .retain(|entry| !matches!(entry, Entry::Left { answered: true, .. }));
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

    /// Steps that were done are called something else from now on. One that was left out and is called something
    /// else may be something else: it is decided about anew.
    pub(super) fn rename(&mut self, names: &BTreeMap<String, String>) {
        for entry in &mut self.0 {
            let Entry::Did(act) = entry else { continue };
            for key in [&mut act.key, &mut act.turn.0] {
                if let Some(name) = names.get(key) {
                    key.clone_from(name);
                }
            }
        }
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
    use crate::change::{Call, Change, Undo};
    use crate::engine::new_login::Way;
    use crate::plan::{Expectation, Outcome};
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
    fn what_was_done_or_left_out_anew_is_news_and_what_was_in_the_run_before_is_not() {
        let (step, passes) = (act(1, "1", b"").step, BTreeSet::from(["1".to_owned()]));
        let mut past = Past::default();
        past.leave("1".to_owned(), &step, Timing::InOrder, true);
        past.leave("2".to_owned(), &step, Timing::InOrder, false);
        assert!(!past.is_news(&passes));
        assert!(past.is_news(&BTreeSet::new()));
        past.did(failed(act(3, "3", b"")));
        assert!(past.is_news(&passes));
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
