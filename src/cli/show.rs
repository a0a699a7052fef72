//! `holdfast show`: a run told again as it was told then, from its journal, through the same renderers; or a saved
//! plan.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::{Format, Output};
use super::history::with_source;
use super::session::{complain, print, written};
use super::{Exit, again, paths, saved, show_plan, which_run};
use crate::diagnostic::Diagnostic;
use crate::event::{Event, EventKind};
use crate::journal::{self, Brief, EVENTS, Head, Integrity, JournalError, Recording, RunId};

/// Flags of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run: its id, enough of its beginning or end, or `last`; or a file that `holdfast plan` saved
    #[arg(value_name = "RUN|FILE")]
    run: String,
    /// Only what happened on this host
    #[arg(long, env = "HOLDFAST_HOST", value_name = "HOST")]
    host: Option<String>,
}

pub(super) fn show(args: &Args, output: &Output) -> Exit {
    let path = Path::new(&args.run);
    if saved::is_plan(path) {
        return show_plan::show(path, args.host.as_deref(), output);
    }
    match run(args, output) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run(args: &Args, output: &Output) -> Result<Exit, Exit> {
    let state = paths::state();
    let run = which_run::find(&state, &args.run).map_err(|mistake| {
        let path = Path::new(&args.run);
        if path.exists() {
            complain(&format!("{} is no saved plan, nor a run", path.display()))
        } else {
            complain(&mistake)
        }
    })?;
    let unreadable = |error: JournalError| {
        complain(&Diagnostic::error(with_source(&error)));
        Exit::Failed
    };
    let brief = Head::read(&state, &run)
        .and_then(Head::brief)
        .map_err(unreadable)?;
    let hosts = &brief.started.hosts;
    if let Some(host) = args.host.as_ref().filter(|host| !hosts.contains(host)) {
        let mistake = Diagnostic::error(format!("the run {run} was not about a host `{host}`"));
        let known = hosts.iter().map(String::as_str);
        return Err(complain(&mistake.nearest(host, known)));
    }
    let host = args.host.as_deref();
    let told = if output.format == Some(Format::Json) {
        raw(&file(&state, &run), host).map_err(unreadable)?
    } else {
        let recording = Recording::read(&state, &run).map_err(unreadable)?;
        replay(&brief, recording, host, output)
    };
    Ok(told.worse(integrity(&brief)))
}

fn file(state: &Path, run: &RunId) -> PathBuf {
    state.join("runs").join(run.as_str()).join(EVENTS)
}

/// A record that was changed is shown, and yet nobody may take it for the truth.
fn integrity(brief: &Brief) -> Exit {
    match &brief.integrity {
        Integrity::Broken { line, why } => {
            complain(&Diagnostic::error(format!(
                "the record of this run was changed: line {line}: {why}"
            )));
            Exit::Verification
        }
        Integrity::Complete | Integrity::Unfinished | Integrity::Cut => Exit::Done,
    }
}

/// The head, then the events through the renderer of runs.
fn replay(brief: &Brief, recording: Recording, host: Option<&str>, output: &Output) -> Exit {
    let head = print(&again::history(output).head(brief));
    let mut report = again::replay(output);
    let mut last = None;
    for event in about(recording.events, host) {
        if let Err(error) = report.tell(&event) {
            return written(Err(error));
        }
        last = Some(event.kind);
    }
    let ended = matches!(last, Some(EventKind::RunFinished { .. }));
    let end = if ended { Ok(()) } else { report.end_early() };
    head.worse(written(end.and_then(|()| report.close())))
}

/// What is about this host, or about the whole run; all of it when no host is named.
pub(super) fn about(events: Vec<Event>, host: Option<&str>) -> impl Iterator<Item = Event> {
    let host = host.map(str::to_owned);
    events.into_iter().filter_map(move |mut event| {
        let Some(host) = &host else {
            return Some(event);
        };
        if let EventKind::RunStarted { hosts, .. } = &mut event.kind {
            hosts.retain(|one| one == host);
        }
        let about = event.kind.host().is_none_or(|one| one == host);
        about.then_some(event)
    })
}

/// The very lines of the journal, for programs.
fn raw(path: &Path, host: Option<&str>) -> Result<Exit, JournalError> {
    let bytes = fs::read(path).map_err(|source| JournalError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let is_about = |line: &&str| {
        let event = serde_json::from_str::<Event>(line);
        let about = event
            .ok()
            .and_then(|event| event.kind.host().map(str::to_owned));
        host.is_none() || about.is_none() || about.as_deref() == host
    };
    let lines = text.lines().filter(is_about);
    // What was changed may hold anything; lines of ours are not altered by this.
    let lines = lines.map(|line| journal::escaped(line) + "\n");
    Ok(print(&lines.collect::<String>()))
}
