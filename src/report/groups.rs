//! Plans of many hosts brought together: hosts that would be shown the same are shown once.

use crate::change::{Call, Change, Undo, Verdict};
use crate::event::Fault;
use crate::plan::{HostPlan, Outcome, StepPlan};

/// Plans that wait to be shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    without: Vec<(String, Fault)>,
}

/// Hosts with one plan.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The plan as far as it is shown.
    pub(super) plan: HostPlan,
    /// The hosts, in the order of the selection.
    pub(super) hosts: Vec<String>,
}

impl Groups {
    /// Adds a host's plan.
    pub(super) fn add(&mut self, plan: &HostPlan) {
        let steps: Vec<StepPlan> = plan.steps.iter().map(visible).collect();
        let host = plan.host.clone();
        let unprivileged = plan.unprivileged;
        let same = |g: &&mut Group| g.plan.steps == steps && g.plan.unprivileged == unprivileged;
        match self.groups.iter_mut().find(same) {
            Some(group) => group.hosts.push(host),
            None => self.groups.push(Group {
                hosts: vec![host.clone()],
                plan: HostPlan {
                    host,
                    steps,
                    unprivileged,
                },
            }),
        }
    }

    /// Adds a host that got no plan.
    pub(super) fn add_without(&mut self, host: &str, fault: Fault) {
        self.without.push((host.to_owned(), fault));
    }

    /// Whether a plan of this host waits here.
    pub(super) fn holds(&self, host: &str) -> bool {
        self.groups
            .iter()
            .any(|group| group.hosts.iter().any(|name| name == host))
    }

    /// Whether there is no plan to show.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether no plan here has anything to look at.
    pub(super) fn is_calm(&self) -> bool {
        self.groups.iter().all(Group::is_calm)
    }

    /// How many hosts have a plan here, and how many have none.
    pub(super) fn counts(&self) -> (usize, usize) {
        let planned = self.groups.iter().map(|group| group.hosts.len()).sum();
        (planned, self.without.len())
    }

    /// The groups, what most hosts have first; `order` is the order of the selection.
    pub(super) fn sorted(mut self, order: &[String]) -> (Vec<Group>, Vec<(String, Fault)>) {
        let place = |host: &str| order.iter().position(|name| name == host);
        for group in &mut self.groups {
            group.hosts.sort_by_key(|host| place(host));
        }
        // Changes before none: what nobody has to look at comes last.
        self.groups.sort_by_key(|group| {
            let first = group.hosts.first().and_then(|host| place(host));
            (group.is_calm(), std::cmp::Reverse(group.hosts.len()), first)
        });
        self.without.sort_by_key(|(host, _)| place(host));
        (self.groups, self.without)
    }
}

impl Group {
    /// Whether its plan has nothing to look at: no changes, nothing in the way, no notes.
    pub(super) fn is_calm(&self) -> bool {
        let notes = self.plan.steps.iter().any(|step| !step.notes.is_empty());
        !notes && !self.plan.is_pending() && self.plan.obstacle().is_none()
    }
}

/// The step without what is not shown: preconditions, calls, contents. It compares equal to another
/// host's when both look the same.
pub(super) fn visible(step: &StepPlan) -> StepPlan {
    StepPlan {
        number: step.number,
        id: step.id.clone(),
        name: step.name.clone(),
        subject: step.subject.clone(),
        risk: step.risk,
        guarded: step.guarded,
        outcome: match &step.outcome {
            Outcome::Seen(verdict) => Outcome::Seen(visible_verdict(verdict)),
            Outcome::Interlude(interlude) => Outcome::Interlude(interlude.clone()),
            Outcome::Skipped { why } => Outcome::Skipped { why: why.clone() },
            Outcome::CouldNotTell { why } => Outcome::CouldNotTell { why: why.clone() },
        },
        notes: step.notes.clone(),
        expects: Vec::new(),
    }
}

fn visible_verdict(verdict: &Verdict) -> Verdict {
    let visible = |changes: &[Change]| changes.iter().map(visible_change).collect();
    match verdict {
        Verdict::Change(changes) => Verdict::Change(visible(changes)),
        Verdict::ChangeAfter { step, changes } => Verdict::ChangeAfter {
            step: *step,
            changes: visible(changes),
        },
        Verdict::Compliant
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict.clone(),
    }
}

fn visible_change(change: &Change) -> Change {
    let nothing = Call {
        function: String::new(),
        args: Vec::new(),
        input: None,
    };
    let undo = match &change.undo {
        Undo::Call(_) => Undo::Call(nothing.clone()),
        Undo::Impossible { why } => Undo::Impossible { why: why.clone() },
    };
    let mut visible = Change::new(&change.summary, change.shown.clone(), nothing, undo);
    visible.timing = change.timing;
    visible
}
