//! The kinds of things a step can describe, one kind per file.
//!
//! A kind is its YAML shape plus pure functions: what to ask the host, and what to change given the
//! answers. There is no `apply` here: actions and their undo are data inside the changes.
//!
//! To add a kind: write `src/resource/<kind>.rs` after the nearest neighbour, add its `mod` line and
//! its row in [`KINDS`], put its shell functions in `src/host/<kind>.read.sh` and `.write.sh`, and
//! its cases in `tests/resources/<kind>/`.

use std::fmt::Debug;

use crate::change::{Diff, Known};
use crate::diagnostic::Diagnostics;
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::Shape;
use crate::template::Scope;
use crate::yaml::Node;

/// One desired thing on one host, fully rendered.
pub trait Resource: Debug + Send + Sync {
    /// What it is about: "file /etc/motd".
    fn subject(&self) -> String;

    /// What must be asked to compare it with the host.
    fn probes(&self) -> Vec<Probe>;

    /// Compares: what the host answered, and what earlier steps will make true, against what
    /// should be.
    ///
    /// # Errors
    /// When an answer cannot be read: the step is *could not tell*.
    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError>;
}

/// What a kind may know about the step around it.
#[derive(Debug, Clone)]
pub struct StepFrame<'a> {
    /// The runbook's name; part of the tags that mark what is ours.
    pub runbook: &'a str,
    /// Ids of the steps whose change asks for a reload (`reload_on`).
    pub reload_on: &'a [String],
}

/// A row of the table of kinds.
#[derive(Debug)]
pub struct Kind {
    /// The key in a step.
    pub key: &'static str,
    /// One sentence for the reference.
    pub help: &'static str,
    /// What stands below the key.
    pub shape: &'static Shape,
    /// Says what is wrong beyond the shape and can be known without a host.
    pub check: fn(&Node, &mut Diagnostics),
    /// Makes the resource for one host.
    pub render: fn(&Node, &Scope, &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics>,
}

/// The table of kinds.
pub const KINDS: &[Kind] = &[];

/// The kind behind a key of a step.
pub fn kind(key: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.key == key)
}
