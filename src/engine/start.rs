//! `--start-at`: the step to begin with, on each host.

use super::{Job, Stop};
use crate::event::Fault;
use crate::runbook::RenderedStep;

/// Why a step before it is left out.
pub(super) const BEFORE: &str = "before the step that --start-at names";

/// The place of the step to begin with; the first without `--start-at`.
///
/// # Errors
/// When no step is called so on this host.
pub(super) fn first(job: &Job, steps: &[RenderedStep]) -> Result<usize, Stop> {
    let Some(wanted) = &job.start_at else {
        return Ok(0);
    };
    let by_number = wanted.parse().ok();
    let is_it = |step: &&RenderedStep| {
        by_number == Some(step.number.0) || step.id.as_ref() == Some(wanted) || step.name == *wanted
    };
    let found = steps.iter().position(|step| is_it(&step));
    found.ok_or_else(|| {
        let message = format!(
            "there is no step `{wanted}` to start at, of {}",
            steps.len()
        );
        Stop::new(Fault::Failed, message)
    })
}
