//! A run in numbers: how many hosts ended how, and what was done on them. The headline puts it into words.

use super::tally::{CheckTally, HostTally, Tally};
use super::words::{counted, hosts};
use crate::event::{Fault, HostResult, Mode};

/// The run in numbers.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Hosts in all.
    pub(super) all: usize,
    /// Hosts that were changed, and the changes on them.
    pub(super) changed: (usize, usize),
    /// Hosts where changes are due.
    pub(super) due: Vec<String>,
    /// The changes that are due there.
    pub(super) due_changes: usize,
    /// Steps that cannot be known yet, on hosts where changes are due.
    pub(super) unknown: usize,
    /// Hosts where the operator said no, and the changes that were planned there.
    pub(super) declined: (usize, usize),
    /// Hosts with nothing to do.
    pub(super) nothing: usize,
    /// Hosts that restored themselves in a rehearsal.
    pub(super) rehearsed: usize,
    /// Hosts that are not done, or could not be looked at.
    pub(super) not_done: Vec<String>,
    /// The changes that were made on those all the same.
    pub(super) made_before: usize,
    /// Hosts that may or may not be done.
    pub(super) doubtful: Vec<String>,
    /// Hosts that were done but are not so in effect.
    pub(super) not_so: Vec<String>,
    /// The checks of the hosts that went well.
    checks: CheckTally,
}

impl Count {
    /// What a run comes to by now.
    pub(super) fn of(tally: &Tally) -> Self {
        let mut count = Self {
            all: tally.hosts.len(),
            ..Self::default()
        };
        for host in &tally.hosts {
            count.add(host, tally.mode());
        }
        count
    }

    fn add(&mut self, host: &HostTally, mode: Mode) {
        let planned = host.plan.map_or(0, |plan| plan.changes);
        match &host.result {
            Some(HostResult::Changed { changes }) => {
                add(&mut self.changed, *changes);
                self.checks.add(host.checks);
            }
            Some(HostResult::ChangesDue { changes }) => {
                self.due.push(host.name.clone());
                self.due_changes += changes;
                self.unknown += host.plan.map_or(0, |plan| plan.unknown);
            }
            Some(HostResult::Declined) => add(&mut self.declined, planned),
            // Nothing else that may change hosts ends like this.
            Some(HostResult::Verified) if mode == Mode::Apply => self.rehearsed += 1,
            Some(HostResult::NothingToDo | HostResult::Verified) => {
                self.nothing += 1;
                self.checks.add(host.checks);
            }
            Some(HostResult::Stopped { fault, changes, .. }) => {
                self.stopped(*fault, &host.name, *changes);
            }
            None => self.not_done.push(host.name.clone()),
        }
    }

    /// Hosts where something did not go as it should.
    pub(super) fn troubled(&self) -> usize {
        self.not_done.len() + self.doubtful.len() + self.not_so.len()
    }

    fn stopped(&mut self, fault: Fault, host: &str, changes: usize) {
        let list = match fault {
            Fault::OutcomeUnknown => &mut self.doubtful,
            Fault::Verification => &mut self.not_so,
            Fault::Unreachable
            | Fault::Identity
            | Fault::Authentication
            | Fault::Sudo
            | Fault::Locked
            | Fault::Unsupported
            | Fault::Failed
            | Fault::Stale
            | Fault::NeedsHuman
            | Fault::Reverted
            | Fault::Interrupted
            | Fault::NotBegun
            | Fault::Journal => {
                self.made_before += changes;
                &mut self.not_done
            }
        };
        list.push(host.to_owned());
    }

    /// `web-1` when it is the only host of the run, else `2 of 8 hosts`.
    pub(super) fn part(&self, some: &[String]) -> String {
        match some {
            [only] if self.all == 1 => only.clone(),
            some => format!("{} of {}", some.len(), hosts(self.all)),
        }
    }

    /// How a sentence about hosts that went well ends.
    pub(super) fn verified(&self) -> String {
        let CheckTally { yes, no, unsure } = self.checks;
        match (yes, no, unsure) {
            (1.., 0, 0) => ", verified.".to_owned(),
            (_, _, 1..) => format!(". {} could not tell.", counted(unsure, "check", "checks")),
            (_, _, 0) => ".".to_owned(),
        }
    }
}

fn add(pair: &mut (usize, usize), changes: usize) {
    pair.0 += 1;
    pair.1 += changes;
}
