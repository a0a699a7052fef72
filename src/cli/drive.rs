//! A run from its first event to the exit code: its journal, its report, its signals. What it is for is in
//! `perform`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::guided::Ears;
use super::perform::{Performed, perform};
use super::results::exit_of;
use super::session::{Loaded, complain, note};
use super::setup::{self, Intent, Wires};
use super::sinks::{Teller, Telling};
use super::{Exit, args, ask, form, rollback, signals};
use crate::engine::{Answerer, Gate, Job};
use crate::event::{EventKind, Events, Mode, Previous};
use crate::journal;
use crate::probe::Digest;
use crate::risk::Risk;
use crate::runbook::Runbook;

/// Runs what was loaded, and tells it.
pub(super) fn start(
    loaded: Loaded,
    intent: Intent,
    connections: &args::Connections,
    output: &args::Output,
) -> Exit {
    if intent.unattended && loaded.runbook.risk == Risk::High {
        complain(&format!(
            "{} has a high risk: it is not run unattended",
            loaded.runbook.name
        ));
        return Exit::NeedsHuman;
    }
    let (undos, after) = (intent.undos.clone(), intent.of_undo());
    let mut exit = begin(loaded, intent, connections, output).unwrap_or_else(|exit| exit);
    let mut undos = VecDeque::from(undos.take());
    while let Some(undo) = undos.pop_front() {
        if exit == Exit::Interrupted {
            break;
        }
        let next = undos.iter().map(|undo| undo.run.clone()).collect();
        let undone = rollback::of_unfinished(&undo.run, undo.hosts);
        let ended = undone.map_or_else(
            |exit| exit,
            |loaded| start(loaded, after(next), connections, output),
        );
        exit = exit.worse(ended);
    }
    exit
}

fn begin(
    loaded: Loaded,
    intent: Intent,
    connections: &args::Connections,
    output: &args::Output,
) -> Result<Exit, Exit> {
    let run = setup::run_id();
    let journal = setup::journal(&run, intent.mode).map_err(|message| {
        complain(&message);
        Exit::Failed
    })?;
    let links = setup::links(connections)?;
    let (mut report, style) = form::report(output, intent.unattended);
    if let Some(journal) = &journal {
        report = report.with_more(format!("the whole record is {}", journal.dir().display()));
    }
    let (events, receiver) = Events::channel();
    let (stop, stopped) = watch::channel(false);
    let telling = Telling {
        report,
        style,
        journal,
        events: receiver,
        stop: stopped.clone(),
        kept: intent.out.as_ref().map(|out| out.told.clone()),
    };
    let teller =
        Teller::start(telling).map_err(|error| complain(&format!("cannot start: {error}")))?;
    let (ears, (asked, knock)) = Ears::new(intent.serial.clone());
    let wires = Wires {
        events,
        stop: stopped,
        answerer: Answerer {
            given: intent.answers.clone(),
            earlier: intent.earlier.clone(),
            // Nobody is asked anything when nobody may be there.
            asked: (!intent.unattended && ask::can_ask()).then_some(asked),
        },
        gate: Gate {
            asks: intent.asks,
            asked: Some(knock),
            passes: intent.passes.clone(),
        },
    };
    let job = setup::job(loaded, &intent, &links.ssh, &run, connections.forks, wires);
    let runtime = setup::runtime()?;
    let exit = runtime.block_on(drive(Arc::new(job), intent, (teller, ears), stop));
    // A thread that still waits for a refused server must not keep us.
    runtime.shutdown_background();
    Ok(exit)
}

/// The run itself.
async fn drive(
    job: Arc<Job>,
    intent: Intent,
    (teller, mut ears): (Teller, Ears),
    stop: watch::Sender<bool>,
) -> Exit {
    let begun = Instant::now();
    let control = job.ssh.control.clone();
    let signals = tokio::spawn(signals::listen(stop, job.events.clone(), control));
    job.events.tell(started(&job, &intent, teller.previous()));
    if let Some(promise) = &job.promise {
        let opened = EventKind::PlanOpened(promise.told.clone());
        job.events.tell(opened);
    }
    if let Some(invocation) = &intent.invocation {
        let mut invocation = Box::new(invocation.clone());
        invocation.hosts = job.hosts.iter().map(|host| host.name.to_string()).collect();
        job.events.tell(EventKind::Invoked { invocation });
    }
    let Performed { refused, plan } = if intent.rehearse {
        let connected = job.connect().await;
        job.rehearse(connected).await;
        Performed::default()
    } else if intent.mode == Mode::Drift {
        let connected = job.connect().await;
        job.drift(connected).await;
        Performed::default()
    } else {
        perform(&job, &intent, (&teller, &mut ears)).await
    };
    let exit = exit_of(&job, intent.due, refused);
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    job.events.tell(EventKind::RunFinished {
        exit: exit.code(),
        millis,
    });
    let last_word = ears.last_word(&job.card.run);
    drop(job);
    // Signals are still heard: a report that nobody reads must not keep the operator here.
    let told = tokio::task::spawn_blocking(move || teller.finish()).await;
    signals.abort();
    if let Some(word) = last_word {
        note(&word);
    }
    let saved = intent.out.zip(plan).map(|(out, plan)| out.save(plan, exit));
    let exit = saved.map_or(exit, |saved| exit.worse(saved));
    match told {
        Ok(None) => exit,
        Ok(Some(broken)) => {
            complain(&format!("the journal of this run is not whole: {broken}"));
            exit.worse(Exit::Failed)
        }
        Err(_) => exit.worse(Exit::Failed),
    }
}

fn started(job: &Job, intent: &Intent, previous: Option<Previous>) -> EventKind {
    EventKind::RunStarted {
        format: journal::FORMAT,
        run: job.card.run.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: job.runbook.name.to_string(),
        summary: if intent.rehearse {
            "a rehearsal of the guard; none of its steps is performed".to_owned()
        } else {
            job.runbook.summary.clone()
        },
        digest: digest(&job.runbook),
        mode: intent.mode,
        unattended: intent.unattended,
        operator: job.card.operator.clone(),
        from: setup::login_from(),
        hosts: job.hosts.iter().map(|host| host.name.to_string()).collect(),
        previous,
    }
}

/// Of the texts of the runbook and of those that it includes.
pub(super) fn digest(runbook: &Runbook) -> String {
    let texts: Vec<&str> = runbook
        .all()
        .iter()
        .map(|runbook| runbook.source.text())
        .collect();
    Digest::of(texts.concat().as_bytes()).to_string()
}
