//! `--max-fail`: once so many hosts have failed, no further one is begun. Those that are under way end theirs.

use super::{Job, Stop};
use crate::event::Fault;

impl Job {
    /// Why no further host is begun, if so many have failed.
    pub(super) fn too_many_failed(&self) -> Option<Stop> {
        let limit = self.max_fail?;
        let results = self.results();
        let failed = results
            .values()
            .filter(|result| result.is_failure())
            .count();
        (failed >= limit).then(|| {
            let s = if failed == 1 { "" } else { "s" };
            let message = format!("{failed} host{s} had failed by then (--max-fail {limit})");
            Stop::new(Fault::NotBegun, message)
        })
    }
}
