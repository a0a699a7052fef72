//! What will happen: the plan of a run, per host and step. Plain data that can be stored.

mod explain;
mod left_out;
mod moved;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::change::{Note, Shown, StepNumber, Verdict};
use crate::probe::{Digest, Probe};
use crate::risk::Risk;
use crate::runbook::Interlude;

pub use left_out::{left_out, without};
pub use moved::{Look, Measure, Moved, Moves, moves};

/// The plan for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPlan {
    /// The host's name in the inventory.
    pub host: String,
    /// Its steps in order.
    pub steps: Vec<StepPlan>,
    /// Made without root: what only root may read could not be looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unprivileged: bool,
}

/// The plan for one step on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Its number.
    pub number: StepNumber,
    /// Its id in the runbook, when it has one.
    pub id: Option<String>,
    /// The desired state in the author's words.
    pub name: String,
    /// What it is about: "file /etc/motd".
    pub subject: String,
    /// Its risk.
    pub risk: Risk,
    /// Whether the host takes it back by itself unless a new login proves that we still get in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guarded: bool,
    /// What was found.
    pub outcome: Outcome,
    /// What else was seen.
    pub notes: Vec<Note>,
    /// What the host must still answer right before the changes are made. Empty for provisional
    /// steps: those are looked at again.
    pub expects: Vec<Expectation>,
}

/// What planning a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The resource looked.
    Seen(Verdict),
    /// A question or a pause before later steps that are due.
    Interlude(Interlude),
    /// `when:` does not hold, or a tag was not asked for.
    Skipped {
        /// Why, as a clause.
        why: String,
    },
    /// The host's answer could not be read.
    CouldNotTell {
        /// Why, as a clause.
        why: String,
    },
}

/// An answer that must not have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The question.
    pub probe: Probe,
    /// The digest of the answer when the plan was made.
    pub digest: Digest,
}

impl StepPlan {
    /// The verdict, when the resource could look.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.outcome {
            Outcome::Seen(verdict) => Some(verdict),
            Outcome::Interlude(_) | Outcome::Skipped { .. } | Outcome::CouldNotTell { .. } => None,
        }
    }

    /// How many things change.
    pub fn count(&self) -> usize {
        let changes = self.verdict().map(Verdict::changes).unwrap_or_default();
        changes.iter().map(crate::change::Change::count).sum()
    }

    /// Whether apply has something to do here, known or not yet known.
    pub fn is_pending(&self) -> bool {
        match &self.outcome {
            Outcome::Seen(verdict) => {
                !verdict.changes().is_empty() || matches!(verdict, Verdict::UnknownUntil { .. })
            }
            Outcome::Interlude(_) | Outcome::Skipped { .. } | Outcome::CouldNotTell { .. } => false,
        }
    }

    /// Whether a person is asked for a yes or no.
    pub fn is_question(&self) -> bool {
        matches!(self.outcome, Outcome::Interlude(Interlude::Ask { .. }))
    }

    /// Why apply must not start on this host because of this step.
    pub fn obstacle(&self) -> Option<Obstacle<'_>> {
        match &self.outcome {
            Outcome::Seen(Verdict::Blocked(blocked)) => Some(Obstacle {
                why: &blocked.why,
                hint: blocked.hint.as_deref(),
                human: blocked.human,
                moved: &blocked.moved,
            }),
            Outcome::CouldNotTell { why } => Some(Obstacle {
                why,
                hint: None,
                human: false,
                moved: &[],
            }),
            Outcome::Seen(_) | Outcome::Interlude(_) | Outcome::Skipped { .. } => None,
        }
    }
}

/// See [`StepPlan::obstacle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacle<'a> {
    /// Why, as a clause.
    pub why: &'a str,
    /// What to do.
    pub hint: Option<&'a str>,
    /// Whether a person must decide (exit code 9).
    pub human: bool,
    /// What is no longer as it was left (exit code 8).
    pub moved: &'a [Shown],
}

impl HostPlan {
    /// What the step of this number is called by when numbers may change: its id, its name, what it is about, and how
    /// many before it are alike in all of that (two restarts of one service). The items of a `for_each` may have one
    /// name, and the list may become another one.
    pub fn key(&self, number: StepNumber) -> String {
        let Some(step) = self.steps.iter().find(|step| step.number == number) else {
            return number.to_string();
        };
        let alike = |other: &&StepPlan| {
            let is_same =
                (&other.id, &other.name, &other.subject) == (&step.id, &step.name, &step.subject);
            other.number < number && is_same
        };
        let before = self.steps.iter().filter(alike).count();
        let id = step.id.as_deref().unwrap_or_default();
        format!("{before} {id}\n{}\n{}", step.name, step.subject)
    }

    /// What steps are called by in a plan of the same runbook made anew, where that is something else than here: the
    /// name of a step may say the value of an input.
    pub fn called_anew(&self, anew: &HostPlan) -> BTreeMap<String, String> {
        let keys = |plan: &HostPlan| -> Vec<String> {
            let steps = plan.steps.iter();
            steps.map(|step| plan.key(step.number)).collect()
        };
        let (old, new) = (keys(self), keys(anew));
        if old.len() != new.len() {
            return BTreeMap::new();
        }
        let pairs = old.iter().zip(&new);
        let moved = pairs.filter(|(was, is)| !new.contains(was) && !old.contains(is));
        moved.map(|(was, is)| (was.clone(), is.clone())).collect()
    }

    /// How many things change.
    pub fn count(&self) -> usize {
        self.steps.iter().map(StepPlan::count).sum()
    }

    /// Whether apply has something to do.
    pub fn is_pending(&self) -> bool {
        self.steps.iter().any(StepPlan::is_pending)
    }

    /// The first step that keeps apply from starting.
    pub fn obstacle(&self) -> Option<(&StepPlan, Obstacle<'_>)> {
        self.steps
            .iter()
            .find_map(|step| step.obstacle().map(|o| (step, o)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(steps: &[(&str, &str)]) -> HostPlan {
        let step = |(index, (name, subject)): (usize, &(&str, &str))| StepPlan {
            number: StepNumber(index + 1),
            id: None,
            name: (*name).to_owned(),
            subject: (*subject).to_owned(),
            risk: Risk::Low,
            guarded: false,
            outcome: Outcome::Seen(Verdict::Compliant),
            notes: Vec::new(),
            expects: Vec::new(),
        };
        HostPlan {
            host: "web".to_owned(),
            steps: steps.iter().enumerate().map(step).collect(),
            unprivileged: false,
        }
    }

    #[test]
    fn an_item_of_a_list_is_called_the_same_when_the_list_is_another() {
        let name = "Everybody has an account";
        let three = plan(&[(name, "user ann"), (name, "user bob"), (name, "user carol")]);
        let two = plan(&[(name, "user bob"), (name, "user carol")]);
        let key = |plan: &HostPlan, number| plan.key(StepNumber(number));
        assert_eq!(key(&three, 2), key(&two, 1));
        assert_eq!(key(&three, 3), key(&two, 2));
        let twice = plan(&[
            ("It is restarted", "command x"),
            ("It is restarted", "command x"),
        ]);
        assert_ne!(key(&twice, 1), key(&twice, 2));
        let renamed = plan(&[("It is run for two", "command two")]);
        let called = plan(&[("It is run for one", "command one")]).called_anew(&renamed);
        assert_eq!(called.values().collect::<Vec<_>>(), [&key(&renamed, 1)]);
    }
}
