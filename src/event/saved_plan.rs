//! Which saved plan a run shows or performs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Fault;

/// A saved plan as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The file, as the operator named it.
    pub file: String,
    /// The digest of what is in it.
    pub sha256: String,
    /// The run that made it.
    pub made_by_run: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// How old it is, in seconds; negative when the clocks of two machines differ.
    pub age: i64,
    /// Who made it: `user@machine`.
    pub operator: String,
    /// The version of Holdfast that made it.
    pub version: String,
    /// Whether its seal was made with our own key. Otherwise nobody here can tell that it was not forged.
    pub sealed_by_us: bool,
    /// The hosts that have no plan in it, and what was in the way when that is known.
    pub without_plan: Vec<(String, Option<Fault>)>,
    /// The commands by which hosts are verified at the end; unlike those of steps they stand in no plan of a host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<SavedCommand>,
    /// Every program that stands in its runbooks, when it is not sealed by us: what it says of hosts, from which the
    /// rest is made, may be forged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<WrittenCommand>,
}

/// A command of a saved plan that a host is verified by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCommand {
    /// What is so when it says what it should.
    pub name: String,
    /// Its words.
    pub argv: Vec<String>,
    /// The hosts that it runs on.
    pub hosts: Vec<String>,
}

/// A program in the texts of a saved plan, templates still, whatever any `when` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenCommand {
    /// The runbook.
    pub runbook: String,
    /// The name of the step or check.
    pub name: String,
    /// The key that it stands behind, such as `unless`.
    pub key: String,
    /// Its words.
    pub argv: Vec<String>,
    /// What `item` stands for in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
}
