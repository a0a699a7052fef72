//! The kinds of things a step can describe, one kind per file; what they have in common is in `fields.rs`.
//!
//! A kind is its YAML shape plus pure functions: what to ask the host, and what to change given the
//! answers. There is no `apply` here: actions and their undo are data inside the changes.
//!
//! To add a kind: write `src/resource/<kind>.rs` after the nearest neighbour, add its `mod` line and
//! its row in [`KINDS`], put its shell functions in `src/host/<kind>.read.sh` and `.write.sh`, and
//! its cases in `tests/resources/<kind>/`.

use std::fmt::Debug;
use std::str::FromStr;

use crate::change::{Call, Diff, Known};
use crate::diagnostic::Diagnostics;
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::Shape;
use crate::template::Scope;
use crate::yaml::Node;

pub mod apt_conf;
pub mod authorized_keys;
pub mod command;
pub mod fail2ban_jail;
mod fields;
pub mod file;
pub mod inventory;
pub mod known_hosts;
pub mod login;
pub mod package;
pub mod service;
pub mod sshd_config;
pub mod sudoers;
pub mod sysctl;
pub mod systemd_unit;
#[cfg(test)]
mod testing;
pub mod ufw;
pub mod ufw_rules;
pub mod user;
pub mod wait_for;

pub use command::command_output;
pub(crate) use fields::{
    Fields, check_constant, check_content_or_absence, check_one_content, says_nothing,
};

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

    /// For a service: the call that marks on the host that it must reload. It is made before a
    /// change that asks for the reload, so that the reload survives an interrupted run.
    fn mark_reload(&self) -> Option<Call> {
        None
    }

    /// Whether other steps of the same run change what it looks at: then it is looked at again right before it is
    /// performed, and what it looks like then is what must still be so.
    fn moves_along(&self) -> bool {
        false
    }

    /// Why a change that was made right before these answers did not take effect, where [`Resource::diff`] cannot see
    /// that: it knows of the change by a mark of ours, or not at all.
    fn refuted(&self, _seen: &Answers) -> Option<String> {
        None
    }

    /// Whether it starts programs that read what earlier steps made, whatever the runbook says of that: a command, a
    /// service, the scripts of a package.
    fn runs_things(&self) -> bool {
        false
    }

    /// Whether it can cut our own access although its kind is mostly harmless.
    fn can_cut(&self) -> bool {
        false
    }
}

/// What a kind may know about the step around it.
#[derive(Debug, Clone)]
pub struct StepFrame<'a> {
    /// The runbook's name; part of the tags that mark what is ours.
    pub runbook: &'a str,
    /// Ids of the steps whose change asks for a reload (`reload_on`).
    pub reload_on: &'a [String],
}

/// Makes a resource from what stands below its key, for one host.
pub type Render = fn(&Node, &Scope, &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics>;

/// A row of the table of kinds.
#[derive(Debug)]
pub struct Kind {
    /// The key in a step.
    pub key: &'static str,
    /// One sentence for the reference.
    pub help: &'static str,
    /// What stands below the key.
    pub shape: &'static Shape,
    /// Whether its changes can cut our own access: then a step is guarded unless it says `guard: false`.
    pub guarded: bool,
    /// Says what is wrong beyond the shape and can be known without a host.
    pub check: fn(&Node, &mut Diagnostics),
    /// Makes the resource for one host.
    pub render: Render,
}

/// The table of kinds.
pub const KINDS: &[Kind] = &[
    apt_conf::KIND,
    authorized_keys::KIND,
    command::KIND,
    fail2ban_jail::KIND,
    file::KIND,
    inventory::KIND,
    known_hosts::KIND,
    login::KIND,
    package::KIND,
    service::KIND,
    sshd_config::KIND,
    sysctl::KIND,
    sudoers::KIND,
    systemd_unit::KIND,
    ufw_rules::KIND,
    ufw::KIND,
    user::KIND,
    wait_for::KIND,
];

/// The kind behind a key of a step.
pub fn kind(key: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.key == key)
}

/// Kinds about the operator's own files, which no guard of a host can take back.
const ON_THIS_MACHINE: [&str; 2] = [inventory::KIND.key, known_hosts::KIND.key];

impl Kind {
    /// Whether its changes are made on a host, where a guard can take them back.
    pub fn is_on_host(&self) -> bool {
        !ON_THIS_MACHINE.contains(&self.key)
    }
}

/// An answer of `key=value` lines. Of a key that stands twice the first counts.
pub(crate) struct Lines<'a> {
    probe: &'a Probe,
    text: String,
}

impl<'a> Lines<'a> {
    /// The lines that a host answered.
    pub(crate) fn of(seen: &Answers, probe: &'a Probe) -> Result<Self, ParseError> {
        let text = seen.get(probe)?.text().into_owned();
        Ok(Self { probe, text })
    }

    /// Every value of a key, in order.
    pub(crate) fn all<'k>(&'k self, key: &'k str) -> impl Iterator<Item = &'k str> {
        self.text
            .lines()
            .filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
    }

    /// Every line, in order.
    pub(crate) fn every(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The value of a key; empty when it is not there.
    pub(crate) fn get<'k>(&'k self, key: &'k str) -> &'k str {
        self.all(key).next().unwrap_or("")
    }

    /// Whether a key says yes.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.get(key) == "yes"
    }

    /// A value that must be there.
    pub(crate) fn need<T: FromStr>(&self, key: &str) -> Result<T, ParseError> {
        let value = self.get(key);
        value
            .trim()
            .parse()
            .map_err(|_| self.unreadable(format!("{key} is {value:?}")))
    }

    /// The error for an answer that makes no sense.
    pub(crate) fn unreadable(&self, why: impl Into<String>) -> ParseError {
        ParseError::new(self.probe, why)
    }
}
