//! What plans come to: how much is due, is not yet known, stands in the way, cannot be undone.

use super::groups::Group;
use super::line::Line;
use super::style::{Sign, Style, Tone};
use super::words::{changes, counted, hosts};
use crate::change::{Undo, Verdict};
use crate::plan::{HostPlan, StepPlan};

/// What a plan comes to: `22 changes, 1 cannot be undone`.
pub(super) fn sum(plan: &HostPlan, style: &Style) -> (Tone, String) {
    let mut parts = Vec::new();
    let count = plan.count();
    if count > 0 {
        parts.push(changes(count));
    }
    let unknown = unknown(plan);
    if unknown > 0 {
        parts.push(counted(
            unknown,
            "step not yet known",
            "steps not yet known",
        ));
    }
    let stuck = plan.steps.iter().filter(|step| step.obstacle().is_some());
    let stuck = stuck.count();
    if stuck > 0 {
        parts.push(counted(stuck, "step in the way", "steps in the way"));
    }
    let for_ever = irreversible(plan);
    if for_ever > 0 {
        parts.push(format!("{for_ever} cannot be undone"));
    }
    let tone = match (stuck, count + unknown) {
        (1.., _) => Tone::Bad,
        (0, 1..) => Tone::Strong,
        (0, 0) => Tone::Good,
    };
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    (tone, parts.join(style.sign(Sign::Dot)))
}

/// How many steps cannot be known before an earlier one is done.
pub(super) fn unknown(plan: &HostPlan) -> usize {
    let verdicts = plan.steps.iter().filter_map(StepPlan::verdict);
    verdicts
        .filter(|verdict| matches!(verdict, Verdict::UnknownUntil { .. }))
        .count()
}

fn irreversible(plan: &HostPlan) -> usize {
    let verdicts = plan.steps.iter().filter_map(StepPlan::verdict);
    verdicts
        .flat_map(Verdict::changes)
        .filter(|change| matches!(change.undo, Undo::Impossible { .. }))
        .count()
}

/// The last line under the plans of several groups. `all`: all hosts of the run.
pub(super) fn total(groups: &[Group], all: usize) -> Line {
    let pending = groups.iter().filter(|group| group.plan.is_pending());
    let (mut number, mut on, mut for_ever) = (0, 0, 0);
    for group in pending {
        number += group.plan.count() * group.hosts.len();
        for_ever += irreversible(&group.plan) * group.hosts.len();
        on += group.hosts.len();
    }
    let mut text = format!("In all {} on {on} of {}", changes(number), hosts(all));
    if for_ever > 0 {
        text = format!("{text}; {for_ever} cannot be undone");
    }
    Line::of(Tone::Strong, format!("{text}."))
}
