//! A run from the first connection to the exit code: load, survey, show, ask, apply, prove.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinError;

use super::results::{declined, dry_result, exit_of, question};
use super::session::{Loaded, complain};
use super::setup::{self, Intent, Wires};
use super::sinks::{Teller, Telling};
use super::{Exit, args, ask, feed, signals, sinks, unfinished};
use crate::engine::{Answerer, Job, Question, Surveyed};
use crate::event::{EventKind, Events, Fault, Mode};
use crate::plan::HostPlan;
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
    begin(loaded, intent, connections, output).unwrap_or_else(|exit| exit)
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
    let mut report = sinks::report(output, intent.unattended);
    if let Some(journal) = &journal {
        report = report.with_more(format!("the whole record is {}", journal.dir().display()));
    }
    let (events, receiver) = Events::channel();
    let (stop, stopped) = watch::channel(false);
    let telling = Telling {
        report,
        journal,
        events: receiver,
        stop: stopped.clone(),
    };
    let teller =
        Teller::start(telling).map_err(|error| complain(&format!("cannot start: {error}")))?;
    let (asked, questions) = unbounded_channel();
    let wires = Wires {
        events,
        stop: stopped,
        answerer: Answerer {
            given: intent.answers.clone(),
            // Nobody is asked anything when nobody may be there.
            asked: (!intent.unattended && ask::can_ask()).then_some(asked),
        },
    };
    let job = setup::job(loaded, &intent, &links.ssh, &run, connections.forks, wires);
    let runtime = setup::runtime()?;
    let exit = runtime.block_on(drive(Arc::new(job), intent, (teller, questions), stop));
    // A thread that still waits for a refused server must not keep us.
    runtime.shutdown_background();
    Ok(exit)
}

/// The run itself.
async fn drive(
    job: Arc<Job>,
    intent: Intent,
    (teller, mut questions): (Teller, UnboundedReceiver<Question>),
    stop: watch::Sender<bool>,
) -> Exit {
    let begun = Instant::now();
    let control = job.ssh.control.clone();
    let signals = tokio::spawn(signals::listen(stop, job.events.clone(), control));
    job.events.tell(started(&job, &intent));
    let refused = if intent.rehearse {
        let connected = job.connect().await;
        job.rehearse(connected).await;
        None
    } else {
        perform(&job, &intent, (&teller, &mut questions)).await
    };
    let exit = exit_of(&job, intent.due, refused);
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    job.events.tell(EventKind::RunFinished {
        exit: exit.code(),
        millis,
    });
    drop(job);
    // Signals are still heard: a report that nobody reads must not keep the operator here.
    let told = tokio::task::spawn_blocking(move || teller.finish()).await;
    signals.abort();
    match told {
        Ok(None) => exit,
        Ok(Some(broken)) => {
            complain(&format!("the journal of this run is not whole: {broken}"));
            exit.worse(Exit::Failed)
        }
        Err(_) => exit.worse(Exit::Failed),
    }
}

/// Survey, question, steps and proof; the exit code that refused data asks for.
async fn perform(
    job: &Arc<Job>,
    intent: &Intent,
    (teller, questions): (&Teller, &mut UnboundedReceiver<Question>),
) -> Option<Exit> {
    let loading = {
        let (job, intent) = (job.clone(), intent.loading());
        tokio::task::spawn_blocking(move || feed::load(&job, &intent))
    };
    let loading = unless_stopped(job.stop.clone(), loading);
    let (data, connected) = tokio::join!(loading, job.connect());
    match usable(data) {
        Ok(feed) => {
            let connected = unfinished::decide(job, intent, teller, connected).await;
            let surveyed = job.survey(connected, feed.value.clone()).await;
            let agreed = carry_out(job, intent, (teller, questions), surveyed).await;
            // A list that a person said no to is not what the next one is measured by.
            if agreed && let Err(error) = feed.keep() {
                complain(&format!("warning: {error}"));
            }
            None
        }
        Err(Without { fault, why, exit }) => {
            job.abandon(connected, fault, &why).await;
            Some(exit)
        }
    }
}

/// Why there is no data: what it means for the hosts and for the run.
struct Without {
    fault: Fault,
    why: String,
    exit: Exit,
}

/// The data, if its loading was neither stopped nor refused.
fn usable(
    data: Option<Result<Result<feed::Feed, Fault>, JoinError>>,
) -> Result<feed::Feed, Without> {
    let (fault, why, exit) = match data {
        Some(Ok(Ok(feed))) => return Ok(feed),
        None => (
            Fault::Interrupted,
            "stopped before anything was done".to_owned(),
            Exit::Interrupted,
        ),
        Some(Ok(Err(fault))) => {
            let exit = match fault {
                Fault::NeedsHuman => Exit::NeedsHuman,
                _ => Exit::Usage,
            };
            let why = "the data was refused, so nothing was done here";
            (fault, why.to_owned(), exit)
        }
        Some(Err(error)) => (
            Fault::Failed,
            format!("loading the data broke: {error}"),
            Exit::Failed,
        ),
    };
    Err(Without { fault, why, exit })
}

/// What `work` comes to, unless the operator stops first: then it is left behind.
async fn unless_stopped<T>(
    mut stop: watch::Receiver<bool>,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        Ok(_) = stop.wait_for(|stop| *stop) => None,
    }
}

fn started(job: &Job, intent: &Intent) -> EventKind {
    EventKind::RunStarted {
        format: 1,
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
        hosts: job.hosts.iter().map(|host| host.name.to_string()).collect(),
    }
}

/// Of the texts of the runbook and of those that it includes.
fn digest(runbook: &Runbook) -> String {
    let texts: Vec<&str> = runbook
        .all()
        .iter()
        .map(|runbook| runbook.source.text())
        .collect();
    Digest::of(texts.concat().as_bytes()).to_string()
}

/// Does what the run is for; whether the plan was carried out, which a dry run's never is.
async fn carry_out(
    job: &Arc<Job>,
    intent: &Intent,
    (teller, questions): (&Teller, &mut UnboundedReceiver<Question>),
    surveyed: Vec<Surveyed>,
) -> bool {
    match intent.mode {
        Mode::DryRun => {
            job.leave(surveyed, dry_result).await;
            false
        }
        Mode::Verify => {
            job.verify(surveyed).await;
            false
        }
        Mode::Apply => {
            let plans: Vec<&HostPlan> = surveyed
                .iter()
                .map(|host| &host.plan)
                .filter(|plan| plan.obstacle().is_none() && plan.is_pending())
                .collect();
            let question = (intent.ask && !plans.is_empty()).then(|| question(&plans));
            let agreed = match question {
                Some(question) => teller.confirm(question).await,
                None => true,
            };
            if agreed {
                answering(teller, questions, job.apply(surveyed)).await;
            } else {
                let interrupted = *job.stop.borrow();
                job.leave(surveyed, |plan| declined(plan, interrupted))
                    .await;
            }
            agreed
        }
    }
}

/// Does `work`, and asks the operator what it asks on the way, one question at a time.
async fn answering(
    teller: &Teller,
    questions: &mut UnboundedReceiver<Question>,
    work: impl Future<Output = ()>,
) {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => return,
            Some(Question { text, answer }) = questions.recv() => {
                let asked = teller.confirm(text);
                tokio::select! {
                    () = &mut work => return,
                    yes = asked => {
                        // Whoever asked may have been stopped meanwhile.
                        let _ = answer.send(yes);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_ends_the_wait_for_data() {
        let (stop, stopped) = watch::channel(false);
        assert_eq!(unless_stopped(stopped.clone(), async { 1 }).await, Some(1));
        stop.send_replace(true);
        let never = std::future::pending::<()>();
        assert_eq!(unless_stopped(stopped, never).await, None);
    }

    #[test]
    fn stopped_loading_is_an_interruption() {
        let without = usable(None).err().unwrap();
        assert_eq!(
            (without.fault, without.exit),
            (Fault::Interrupted, Exit::Interrupted)
        );
    }
}
