//! What the plans and ends of hosts mean for the operator: the question, the results, the exit code.

use std::collections::BTreeMap;

use super::Exit;
use crate::engine::Job;
use crate::event::{Fault, HostResult};
use crate::plan::HostPlan;

pub(super) fn question(plans: &[&HostPlan]) -> String {
    let changes: usize = plans.iter().map(|plan| plan.count()).sum();
    let (s, h) = (
        if changes == 1 { "" } else { "s" },
        if plans.len() == 1 { "" } else { "s" },
    );
    format!("Make {changes} change{s} on {} host{h}?", plans.len())
}

pub(super) fn dry_result(plan: &HostPlan) -> HostResult {
    match plan.obstacle() {
        Some((step, obstacle)) if plan.unprivileged && !obstacle.human => HostResult::Stopped {
            fault: Fault::Sudo,
            message: format!(
                "{} ({}) could not be looked at: {}",
                step.number, step.subject, obstacle.why
            ),
            hint: Some(
                "log in as root, or allow sudo without a password; for this machine itself, run it with sudo"
                    .to_owned(),
            ),
            changes: 0,
        },
        Some((step, obstacle)) => HostResult::Stopped {
            fault: Fault::of(&obstacle),
            message: format!("{} ({}): {}", step.number, step.subject, obstacle.why),
            hint: obstacle.hint.map(str::to_owned),
            changes: 0,
        },
        None if plan.is_pending() => HostResult::ChangesDue {
            changes: plan.count(),
        },
        None => HostResult::NothingToDo,
    }
}

/// How a host ends whose batch was not begun.
pub(super) fn not_begun(plan: &HostPlan) -> HostResult {
    match dry_result(plan) {
        HostResult::ChangesDue { .. } => HostResult::Stopped {
            fault: Fault::Interrupted,
            message: "not begun: the run was stopped before its turn".to_owned(),
            hint: None,
            changes: 0,
        },
        other => other,
    }
}

pub(super) fn declined(plan: &HostPlan, interrupted: bool) -> HostResult {
    match dry_result(plan) {
        HostResult::ChangesDue { .. } if interrupted => HostResult::Stopped {
            fault: Fault::Interrupted,
            message: "stopped before anything was done".to_owned(),
            hint: None,
            changes: 0,
        },
        HostResult::ChangesDue { .. } => HostResult::Declined,
        other => other,
    }
}

pub(super) fn exit_of(job: &Job, due: Exit, refused: Option<Exit>) -> Exit {
    let results: BTreeMap<String, HostResult> = job.results();
    let hosts = job.hosts.iter();
    let ends = hosts.map(|host| results.get(host.name.as_str()));
    worst(ends, due, refused)
}

/// The most alarming end of all hosts and of the data that was refused.
fn worst<'a>(
    ends: impl Iterator<Item = Option<&'a HostResult>>,
    due: Exit,
    refused: Option<Exit>,
) -> Exit {
    let ends = ends.map(|end| match end {
        Some(result) => Exit::of(result, due),
        // Its task broke down: nobody knows what it did.
        None => Exit::OutcomeUnknown,
    });
    ends.fold(refused.unwrap_or(Exit::Done), Exit::worse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_data_does_not_hide_what_is_more_alarming() {
        let stopped = |fault| HostResult::Stopped {
            fault,
            message: String::new(),
            hint: None,
            changes: 0,
        };
        let refused = stopped(Fault::NeedsHuman);
        let away = stopped(Fault::Unreachable);
        let exit = |ends: &[&HostResult]| {
            let ends = ends.iter().map(|end| Some(*end));
            worst(ends, Exit::ChangesDue, Some(Exit::NeedsHuman))
        };
        assert_eq!(exit(&[&refused]), Exit::NeedsHuman);
        assert_eq!(exit(&[&refused, &away]), Exit::Unreachable);
    }
}
