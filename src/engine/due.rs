//! Which changes of a step are due, and when.

use crate::change::{Change, Shown, Timing, Verdict};
use crate::plan::StepPlan;

/// When changes that are performed together are.
pub(super) fn timing_of(due: &[&Change]) -> Timing {
    due.first().map_or(Timing::InOrder, |change| change.timing)
}

/// The changes of a step that belong to this moment.
pub(super) fn due(plan: &StepPlan, timing: Timing) -> Vec<&Change> {
    let changes = plan.verdict().map(Verdict::changes).unwrap_or_default();
    changes
        .iter()
        .filter(|change| change.timing == timing)
        .collect()
}

/// What is still due of what was just done. Changes that wait for the end are not.
pub(super) fn due_again<'a>(after: &'a StepPlan, done: &[&Change]) -> Vec<&'a Change> {
    let timing = timing_of(done);
    let left = due(after, timing);
    // A command without a guard is always due; having run is all that can be said of it.
    left.into_iter()
        .filter(|change| {
            !matches!(change.shown.as_slice(), [Shown::Run { .. }])
                || !done.iter().any(|d| d.act == change.act)
        })
        .collect()
}

/// Whether what is due now is nothing, or exactly what was shown.
pub(super) fn keeps_promise(promised: &StepPlan, now: &StepPlan) -> bool {
    let shown = |plan: &StepPlan| -> Vec<Shown> {
        let changes = plan.verdict().map(Verdict::changes).unwrap_or_default();
        changes
            .iter()
            .flat_map(|change| change.shown.clone())
            .collect()
    };
    let now = shown(now);
    let promised = shown(promised);
    now.iter().all(|one| promised.contains(one))
}

/// Whether a step may be performed as it is now when no more than what was promised may be. Of what could not be
/// known nothing was promised, so it may turn out as anything.
pub(super) fn is_agreed(promised: &StepPlan, now: &StepPlan) -> bool {
    keeps_promise(promised, now) || matches!(promised.verdict(), Some(Verdict::UnknownUntil { .. }))
}
