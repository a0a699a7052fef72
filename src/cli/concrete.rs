//! A runbook's concrete steps for one host: its facts are asked, nothing else is.

use std::sync::Arc;

use tokio::sync::watch;

use super::session::{Loaded, complain};
use super::setup::{self, Intent, Wires};
use super::{Exit, args, feed};
use crate::diagnostic::Diagnostic;
use crate::engine::{Answerer, Gate, Job};
use crate::event::{EventKind, Events, HostResult, Mode, Told};
use crate::runbook;

/// Asks the facts of the one host, loads the data and fills in the runbook, without any event.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn concrete(
    loaded: Loaded,
    connections: &args::Connections,
) -> Result<serde_json::Value, Exit> {
    let intent = Intent::new(Mode::DryRun);
    let links = setup::links(connections)?;
    let runtime = setup::runtime()?;
    let (events, mut told) = Events::channel();
    let (_stop, stop) = watch::channel(false);
    let wires = Wires {
        events,
        stop,
        answerer: Answerer::default(),
        gate: Gate::default(),
    };
    let job = Arc::new(setup::job(
        loaded,
        &intent,
        &links.ssh,
        &setup::run_id(),
        1,
        wires,
    ));
    let result = runtime.block_on(async {
        let mut connected = job.connect().await;
        let host = connected.pop().ok_or_else(|| not_reached(&job))?;
        let (loader, loading) = (job.clone(), intent.loading());
        let data = tokio::task::spawn_blocking(move || feed::load(&loader, &loading)).await;
        let data = match data {
            Ok(Ok(feed)) => feed.value,
            Ok(Err(_)) | Err(_) => return Err(refused(&mut told)),
        };
        let name = host.host().name.to_string();
        let Some(inputs) = job.inputs.get(&name) else {
            return Err(Exit::Usage);
        };
        let world = runbook::World {
            host: host.host(),
            inputs,
            facts: Some(host.facts()),
            data: &data,
        };
        let steps = runbook::concrete(&job.runbook, &world).map_err(|mistakes| complain(&mistakes));
        job.release(host).await;
        steps
    });
    runtime.shutdown_background();
    result
}

fn not_reached(job: &Job) -> Exit {
    if let Some((host, result)) = job.results().into_iter().next() {
        if let HostResult::Stopped { message, hint, .. } = &result {
            let mistake = Diagnostic::error(format!("{host}: {message}"));
            complain(&mistake.hint(hint.as_deref().unwrap_or_default()));
        }
        return Exit::of(&result, Exit::Done);
    }
    Exit::Unreachable
}

fn refused(told: &mut tokio::sync::mpsc::UnboundedReceiver<Told>) -> Exit {
    while let Ok(told) = told.try_recv() {
        if let EventKind::DataRefused { name, why, .. } = told.kind {
            complain(&Diagnostic::error(format!(
                "data `{name}` is refused: {why}"
            )));
        }
    }
    Exit::NeedsHuman
}
