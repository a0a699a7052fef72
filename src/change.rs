//! What will be different on a host: how it is shown, the action that does it, and its undo.
//!
//! These are the values that a dry run shows, that a plan stores and that apply performs: the same
//! ones, so they cannot disagree.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::probe::{Probe, lossless};

mod known;
mod turned;
mod verdict;

pub use known::Known;
pub use verdict::{Blocked, Diff, Note, Verdict};

/// A step of a runbook as a host sees it, 1-based: "step 2".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepNumber(pub usize);

impl fmt::Display for StepNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.0)
    }
}

/// A call of a shell function of `src/host/*.write.sh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The shell function, `hf_…`; what is done on this machine instead of the host begins with `here_`.
    pub function: String,
    /// Its arguments; each arrives as one word.
    pub args: Vec<String>,
    /// Bytes that the function finds in the file `$HF_INPUT` (0600; it stays in the run's folder).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_bytes"
    )]
    pub input: Option<Vec<u8>>,
}

impl Call {
    /// Calls `function` with `args` and no input.
    pub fn new<A: Into<String>>(function: &str, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            function: function.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            input: None,
        }
    }

    /// The same call with bytes for `$HF_INPUT`.
    #[must_use]
    pub fn with_input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }
}

mod optional_bytes {
    use super::lossless;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wrapped(#[serde(with = "lossless")] Vec<u8>);

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Wrapped).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(deserializer)?.map(|wrapped| wrapped.0))
    }
}

/// How a change is taken back. The act saved what this needs in the same `$HF_SAVE` folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// By this call.
    Call(Call),
    /// Not at all; the reason is shown before anything is applied.
    Impossible {
        /// Why, as a clause: "the command declares no undo".
        why: String,
    },
}

/// How one aspect of a change is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// The text of a file; shown as a unified diff. `None`: the file is absent.
    Text {
        /// The file.
        path: String,
        /// Its text now.
        before: Option<String>,
        /// Its text afterwards.
        after: Option<String>,
    },
    /// Members of a set that go and come.
    Lines {
        /// What the members are, in the plural: "firewall rules".
        what: String,
        /// Those that go.
        removed: Vec<String>,
        /// Those that come.
        added: Vec<String>,
    },
    /// A property with its values: mode, owner, "enabled", the digest of a binary file.
    Property {
        /// Its name.
        name: String,
        /// Its value now; empty when there is none.
        before: String,
        /// Its value afterwards.
        after: String,
    },
    /// Something that will be run.
    Run {
        /// The words of the command.
        argv: Vec<String>,
    },
}

impl Shown {
    /// How many things change: every member of a set counts.
    pub fn count(&self) -> usize {
        match self {
            Shown::Lines { removed, added, .. } => removed.len() + added.len(),
            Shown::Text { .. } | Shown::Property { .. } | Shown::Run { .. } => 1,
        }
    }
}

/// When a change is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// In its step.
    InOrder,
    /// Once after all steps, however many steps ask for it (reloads and restarts).
    AtEnd,
}

/// What a change makes known to the steps behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// A package will be installed, with its units, folders and programs.
    Package(String),
    /// A file will exist with this content.
    File {
        /// Its path.
        path: String,
        /// Its content; `None` when the change only touches mode or owner.
        #[serde(default, with = "optional_bytes")]
        content: Option<Vec<u8>>,
    },
    /// A file will be gone.
    Gone {
        /// Its path.
        path: String,
    },
    /// A user will exist, with a group of the same name.
    User {
        /// Its name.
        name: String,
        /// Its home.
        home: String,
    },
}

/// One thing that will be different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it does, as a clause without a full stop: "write /etc/motd".
    pub summary: String,
    /// How it is shown; at least one.
    pub shown: Vec<Shown>,
    /// What the host must still answer as it did when this was planned.
    pub expects: Vec<Probe>,
    /// What is done.
    pub act: Call,
    /// How it is taken back.
    pub undo: Undo,
    /// When it is done.
    pub timing: Timing,
    /// What it makes known.
    pub gives: Vec<Gives>,
}

impl Change {
    /// A change in its step that makes nothing known.
    pub fn new(summary: impl Into<String>, shown: Vec<Shown>, act: Call, undo: Undo) -> Self {
        Self {
            summary: summary.into(),
            shown,
            expects: Vec::new(),
            act,
            undo,
            timing: Timing::InOrder,
            gives: Vec::new(),
        }
    }

    /// With the preconditions.
    #[must_use]
    pub fn expecting(mut self, probes: impl IntoIterator<Item = Probe>) -> Self {
        self.expects.extend(probes);
        self
    }

    /// With what it makes known.
    #[must_use]
    pub fn giving(mut self, gives: impl IntoIterator<Item = Gives>) -> Self {
        self.gives.extend(gives);
        self
    }

    /// How many things change.
    pub fn count(&self) -> usize {
        self.shown.iter().map(Shown::count).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_survive_json_with_bytes_that_are_no_text() {
        let call = Call::new("hf_put", ["/x"]).with_input(vec![0xff, 0x00, b'a']);
        let json = serde_json::to_string(&call).unwrap();
        assert_eq!(serde_json::from_str::<Call>(&json).unwrap(), call);
    }
}
