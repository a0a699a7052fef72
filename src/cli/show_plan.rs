//! A saved plan is shown as the dry run was that made it: its events go through the same renderers.

use std::path::Path;

use super::session::complain;
use super::show::about;
use super::{Exit, again, args, saved, session};
use crate::diagnostic::Diagnostic;
use crate::event::{Event, EventKind};
use crate::report::Report;

/// Shows the plan in this file; only that of one host when one is named.
pub(super) fn show(path: &Path, host: Option<&str>, output: &args::Output) -> Exit {
    let opened = saved::open(path);
    let opened = opened.and_then(|opened| Ok((saved::runbook(path, &opened)?, opened)));
    let (runbook, opened) = match opened {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let mut told = saved::told(path, &opened, &runbook);
    let known = || opened.plan.hosts.iter().map(|saved| saved.name.as_str());
    if let Some(host) = host.filter(|host| !known().any(|known| known == *host)) {
        let mistake = Diagnostic::error(format!("{} has no plan for `{host}`", path.display()));
        return complain(&mistake.nearest(host, known()));
    }
    if let Some(host) = host {
        for command in &mut told.commands {
            command.hosts.retain(|one| one == host);
        }
        told.commands.retain(|command| !command.hosts.is_empty());
    }
    let events = about(opened.plan.told.clone(), host);
    let report = again::replay(output);
    session::written(replay(report, events, EventKind::PlanOpened(told)))
}

/// Tells the events, and after the first of them whose plan it is; numbers are without gaps.
fn replay(
    mut report: Report,
    events: impl Iterator<Item = Event>,
    opened: EventKind,
) -> std::io::Result<()> {
    let mut opened = Some(opened);
    let mut seq = 0;
    let mut tell = |report: &mut Report, event: Event| {
        seq += 1;
        report.tell(&Event { seq, ..event })
    };
    for event in events {
        let at = event.at;
        tell(&mut report, event)?;
        if let Some(kind) = opened.take() {
            tell(&mut report, Event { seq: 0, at, kind })?;
        }
    }
    report.close()
}
