//! What a run was asked to do, in the words of its command line: what `--resume` goes on from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The words that a run was started with. Values of inputs are those of `-e`; secrets are none of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Invocation {
    /// The runbook, as it was named.
    pub runbook: String,
    /// The hosts that the run was for.
    pub hosts: Vec<String>,
    /// The inputs of the command line.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// `--tags`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `--answer`.
    #[serde(default)]
    pub answers: BTreeMap<String, bool>,
    /// `--guided`.
    #[serde(default)]
    pub guided: bool,
    /// `--serial`; none means all at once.
    #[serde(default)]
    pub serial: Option<usize>,
    /// `--start-at`.
    #[serde(default)]
    pub start_at: Option<String>,
    /// The run that this one goes on from.
    #[serde(default)]
    pub resumes: Option<String>,
}
