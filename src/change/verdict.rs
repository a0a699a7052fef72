//! What a resource says after looking at a host.

use serde::{Deserialize, Serialize};

use super::{Change, Shown, StepNumber};

/// Something the operator should know although it is no change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Whether it makes the goal of the step untrue or doubtful.
    pub warning: bool,
    /// A sentence.
    pub text: String,
}

impl Note {
    /// Good to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self {
            warning: false,
            text: text.into(),
        }
    }

    /// Makes the goal untrue or doubtful.
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            warning: true,
            text: text.into(),
        }
    }
}

/// What a resource says after looking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The result.
    pub verdict: Verdict,
    /// What else was seen.
    pub notes: Vec<Note>,
}

/// The result of comparing what is with what should be (`domain` §F).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Already so.
    Compliant,
    /// These changes, exactly.
    Change(Vec<Change>),
    /// These changes, exactly, if the earlier step does what it says.
    ChangeAfter {
        /// The earlier step.
        step: StepNumber,
        /// The changes.
        changes: Vec<Change>,
    },
    /// Cannot be known before the earlier step was done.
    UnknownUntil {
        /// The earlier step.
        step: StepNumber,
        /// What cannot be known, as a clause.
        why: String,
    },
    /// Cannot be done.
    Blocked(Blocked),
    /// Makes no sense on this host, and that is fine.
    NotApplicable {
        /// Why, as a clause.
        why: String,
    },
}

/// Why a step cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Why, as a clause.
    pub why: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether a person must look and decide (exit code 9) rather than mend something (3).
    pub human: bool,
    /// What is no longer as it was left (exit code 8), from that state to the one that was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Shown>,
}

impl Diff {
    /// Nothing to do.
    pub fn compliant() -> Self {
        Self {
            verdict: Verdict::Compliant,
            notes: Vec::new(),
        }
    }

    /// These changes; none means compliant.
    pub fn of(changes: Vec<Change>) -> Self {
        let verdict = if changes.is_empty() {
            Verdict::Compliant
        } else {
            Verdict::Change(changes)
        };
        Self {
            verdict,
            notes: Vec::new(),
        }
    }

    /// Cannot be done; `hint` may be empty.
    pub fn blocked(why: impl Into<String>, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let blocked = Blocked {
            why: why.into(),
            hint,
            human: false,
            moved: Vec::new(),
        };
        Self {
            verdict: Verdict::Blocked(blocked),
            notes: Vec::new(),
        }
    }

    /// Cannot be done without a person's decision.
    pub fn needs_human(why: impl Into<String>, hint: &str) -> Self {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        let blocked = Blocked {
            why: why.into(),
            hint,
            human: true,
            moved: Vec::new(),
        };
        Self {
            verdict: Verdict::Blocked(blocked),
            notes: Vec::new(),
        }
    }

    /// Cannot be done, for it is no longer as it was left: `moved` shows how, from that state to the one found.
    pub fn moved(why: impl Into<String>, hint: &str, moved: Vec<Shown>) -> Self {
        let blocked = Blocked {
            why: why.into(),
            hint: Some(hint.to_owned()),
            human: false,
            moved,
        };
        Self {
            verdict: Verdict::Blocked(blocked),
            notes: Vec::new(),
        }
    }

    /// The same with notes.
    #[must_use]
    pub fn with_notes(mut self, notes: Vec<Note>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// The same with each change put another way.
    #[must_use]
    pub fn map_changes(mut self, put: impl FnMut(Change) -> Change) -> Self {
        if let Verdict::Change(changes) | Verdict::ChangeAfter { changes, .. } = &mut self.verdict {
            *changes = std::mem::take(changes).into_iter().map(put).collect();
        }
        self
    }

    /// Changes become "after step" when they rest on an earlier step.
    #[must_use]
    pub fn after(mut self, step: Option<StepNumber>) -> Self {
        if let (Some(step), Verdict::Change(changes)) = (step, &self.verdict) {
            self.verdict = Verdict::ChangeAfter {
                step,
                changes: changes.clone(),
            };
        }
        self
    }
}

impl Verdict {
    /// The changes it promises.
    pub fn changes(&self) -> &[Change] {
        match self {
            Verdict::Change(changes) | Verdict::ChangeAfter { changes, .. } => changes,
            Verdict::Compliant
            | Verdict::UnknownUntil { .. }
            | Verdict::Blocked(_)
            | Verdict::NotApplicable { .. } => &[],
        }
    }
}
