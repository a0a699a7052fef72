//! A plan is performed on one host: lock, the way through the plan (`walk.rs`), checks in effect.

use std::sync::Arc;

use super::edit::Ground;
use super::last_look::LastLook;
use super::outside::Outside;
use super::restore::{self, Returns};
use super::seat::Seat;
use super::walk::perform_all;
use super::worker::Worker;
use super::{Job, Stop, Surveyed, interlude, interrupted, settle, unfinished, verify};
use crate::event::{EventKind, Fault, HostResult};
use crate::plan::{HostPlan, StepPlan};
use crate::probe::Probe;
use crate::transport::RunPapers;

pub(super) async fn apply(job: Arc<Job>, surveyed: Surveyed) -> Option<()> {
    let Surveyed {
        host,
        mut link,
        logins,
        facts,
        inputs,
        rendered,
        data,
        resumes,
        concrete,
        start,
        returns,
        plan,
        stale,
        ..
    } = surveyed;
    // Its end is heard of at the gate, whatever it is.
    let seat = if job.gate.is_manned() {
        Some(Seat::take(&job, host.name.as_str()).await)
    } else {
        None
    };
    if let Some(result) = early_end(&job, &plan) {
        if result == HostResult::NothingToDo {
            settle::resumed_idly(&job, &host, &mut link, &resumes).await;
        }
        job.finish(&host, result);
        link.close().await;
        return None;
    }
    let papers = RunPapers {
        due: &unfinished::due_lines(&plan),
        steps: &concrete,
        start: &start,
    };
    let link = match link.begin(&job.card, papers).await {
        Ok(link) => link,
        Err((link, error)) => {
            job.finish(&host, Stop::from(error).into());
            link.close().await;
            return None;
        }
    };
    let ground = Ground {
        inputs,
        facts,
        data,
    };
    let page = (Arc::new(rendered), Arc::new(plan));
    let mut worker = Worker::new(&job, &host, (link, logins), page);
    (worker.ground, worker.seat) = (Some(ground), seat);
    let result = carry_out(&mut worker, stale, returns.as_ref()).await;
    worker.resumed(&resumes, &result).await;
    worker.end(&result).await;
    job.finish(&host, result);
    None
}

/// Performs the plan and proves it. Of a plan that is only a part of the agreed one, `stale` says so at the end:
/// the checks are about the whole of it, so none is made.
async fn carry_out(
    worker: &mut Worker<'_>,
    stale: Option<Stop>,
    returns: Option<&Returns>,
) -> HostResult {
    let performed = perform_all(worker).await;
    let stop = match (performed, stale.or(worker.left_beyond())) {
        (Ok(()), None) => return prove(worker, returns).await,
        (Ok(()), Some(stale)) => stale,
        (Err(stop), _) => worker.taken_back(stop).await,
    };
    worker.keep_touched().await;
    Stop {
        changes: worker.changes,
        ..stop
    }
    .into()
}

/// How a host ends on which nothing is begun.
fn early_end(job: &Job, plan: &HostPlan) -> Option<HostResult> {
    if let Some(stop) = obstacle(plan) {
        return Some(stop.into());
    }
    if !plan.is_pending() {
        return Some(HostResult::NothingToDo);
    }
    let unanswered = job.answerer.lacks(plan).map(interlude::unanswered);
    let stopped = || job.stopped().then(interrupted);
    let stop = unanswered
        .or_else(stopped)
        .or_else(|| job.too_many_failed())?;
    Some(stop.into())
}

/// The first step that must not be passed over: nothing at all is done on such a host.
fn obstacle(plan: &HostPlan) -> Option<Stop> {
    let (step, obstacle) = plan.obstacle()?;
    let fault = Fault::of(&obstacle);
    let message = format!("{} ({}): {}", step.number, step.subject, obstacle.why);
    Some(Stop::new(fault, message).hint(obstacle.hint.map(str::to_owned)))
}

/// Proves in effect what was done. A connection that breaks before that is made anew once: it may be
/// our own change that cut it, and then that must be known. `returns` is the state that taking a run back comes to.
async fn prove(worker: &mut Worker<'_>, returns: Option<&Returns>) -> HostResult {
    let (job, host, changes) = (worker.job, worker.host, worker.changes);
    let (rendered, ground) = (worker.rendered.clone(), worker.ground.clone());
    let refuted = |message: String| {
        let stop = Stop::new(Fault::Verification, message);
        HostResult::from(Stop { changes, ..stop })
    };
    if worker.link.alive().await.is_err()
        && let Err(why) = worker.come_back().await
    {
        return refuted(format!("all was done, but nothing could be proved: {why}"));
    }
    let mut proofs = Vec::new();
    if let Some(returns) = returns {
        proofs.push(restore::proof(worker, &rendered.steps, returns).await);
    } else if let Some(ground) = &ground {
        let touched: Vec<Probe> = worker.touched.iter().cloned().collect();
        let except =
            |plan: &HostPlan, step: &StepPlan| worker.past.is_skipped(&plan.key(step.number));
        let last = LastLook {
            link: &mut worker.link,
            touched: &touched,
        };
        proofs.push(verify::planned_again(job, host, last, (ground, &except)).await);
    }
    let link = worker.link.reader();
    let way = Outside {
        host: &worker.way.host,
        proven: worker.proven == Some(changes),
        logins: &mut worker.logins,
    };
    proofs.extend(verify::checks(job, way, link, &rendered.checks).await);
    match verify::failed(&proofs) {
        Some(message) => refuted(message),
        None if changes == 0 && worker.past.skips() => HostResult::Declined,
        None if changes == 0 => HostResult::NothingToDo,
        None => HostResult::Changed { changes },
    }
}

/// Tells that a step begins, and waits until that is on record.
///
/// # Errors
/// When it cannot be recorded: then the step must not begin.
pub(super) async fn tell_started(job: &Job, host: &str, step: &StepPlan) -> Result<(), Stop> {
    let started = EventKind::StepStarted {
        host: host.to_owned(),
        number: step.number,
        name: step.name.clone(),
    };
    if job.events.tell_and_wait(started).await {
        Ok(())
    } else {
        Err(Stop::new(
            Fault::Journal,
            "the journal on this machine cannot be written; nothing more was started",
        ))
    }
}
