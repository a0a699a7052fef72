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
    /// `--serial`.
    #[serde(default)]
    pub serial: Serial,
    /// `--start-at`.
    #[serde(default)]
    pub start_at: Option<String>,
    /// The run that this one goes on from.
    #[serde(default)]
    pub resumes: Option<String>,
}

/// Which hosts are worked on together: the next batch begins when the one before has ended. Written as nothing, a number
/// or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(untagged)]
pub enum Serial {
    /// All of them.
    #[default]
    All,
    /// So many.
    Of(usize),
    /// Those of each of these groups of the inventory in turn, and last those of none.
    Groups(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_written_as_versions_wrote_them_that_knew_numbers_only() {
        let groups = Serial::Groups(vec!["canary".to_owned()]);
        for (text, serial) in [
            ("null", Serial::All),
            ("3", Serial::Of(3)),
            ("[\"canary\"]", groups),
        ] {
            assert_eq!(serde_json::from_str::<Serial>(text).unwrap(), serial);
            assert_eq!(serde_json::to_string(&serial).unwrap(), text);
        }
    }
}
