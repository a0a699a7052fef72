//! A saved plan is shown as the dry run was that made it: its events go through the same renderers.

use std::path::Path;

use super::{Exit, args, saved, session, sinks};
use crate::event::{Event, EventKind};
use crate::report::Report;

/// Shows the plan in this file.
pub(super) fn show(path: &Path, output: &args::Output) -> Exit {
    let opened = match saved::open(path) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let told = EventKind::PlanOpened(saved::told(path, &opened));
    let report = sinks::report(output, false);
    session::written(replay(report, &opened.plan.told, told))
}

/// Tells the events, and after the first of them whose plan it is; numbers stay without gaps.
fn replay(mut report: Report, events: &[Event], opened: EventKind) -> std::io::Result<()> {
    let Some((first, rest)) = events.split_first() else {
        return report.close();
    };
    report.tell(first)?;
    report.tell(&Event {
        seq: first.seq + 1,
        at: first.at,
        kind: opened,
    })?;
    for event in rest {
        report.tell(&Event {
            seq: event.seq + 1,
            ..event.clone()
        })?;
    }
    report.close()
}
