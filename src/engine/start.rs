//! Which steps of a runbook a run is about: those from `--start-at` on, with the tags of `--tags`.

use super::{Job, Stop};
use crate::event::Fault;
use crate::runbook::RenderedStep;
use crate::value::Name;

/// Why a step before the one to begin with is left out.
const BEFORE: &str = "before the step that --start-at names";

/// Why a step without the tags that are asked for is left out.
const OTHER_TAGS: &str = "not asked for by --tags";

impl Job {
    /// Why the step of this number and with these tags is left out; `first` is the place of the step to begin with.
    pub(super) fn left_out(
        &self,
        first: usize,
        number: usize,
        tags: &[Name],
    ) -> Option<&'static str> {
        if number <= first {
            Some(BEFORE)
        } else {
            (!self.wants(tags)).then_some(OTHER_TAGS)
        }
    }
}

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
