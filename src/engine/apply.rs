//! A plan is performed on one host: lock, step by step, what waits for the end, checks in effect.

use std::sync::Arc;

use serde_json::Value;

use super::last_look::LastLook;
use super::outside::Outside;
use super::restore::{self, Returns};
use super::step::Done;
use super::worker::Worker;
use super::{Job, Stop, Surveyed, interlude, interrupted, settle, unfinished, verify};
use crate::change::{Change, Timing, Verdict};
use crate::event::{EventKind, Fault, HostResult};
use crate::plan::{HostPlan, Outcome, StepPlan};
use crate::probe::Probe;
use crate::runbook::Rendered;
use crate::transport::RunPapers;

pub(super) async fn apply(job: Arc<Job>, surveyed: Surveyed) -> Option<()> {
    let Surveyed {
        host,
        mut link,
        logins,
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
    let mut worker = Worker::new(&job, &host, (link, logins), (&rendered.steps, &plan.steps));
    let result = match perform_all(&mut worker, &plan).await {
        Err(stop) => {
            let stop = worker.taken_back(stop).await;
            worker.keep_touched().await;
            Stop {
                changes: worker.changes,
                ..stop
            }
            .into()
        }
        // The checks are about the whole of it.
        Ok(()) if let Some(stale) = stale => Stop {
            changes: worker.changes,
            ..stale
        }
        .into(),
        Ok(()) => {
            let goal = Goal {
                rendered: &rendered,
                data: &data,
                returns: returns.as_ref(),
            };
            prove(&mut worker, &goal).await
        }
    };
    worker.resumed(&resumes, &result).await;
    worker.end(&result).await;
    job.finish(&host, result);
    None
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

async fn perform_all(worker: &mut Worker<'_>, plan: &HostPlan) -> Result<(), Stop> {
    for step in &plan.steps {
        if let Outcome::Interlude(interlude) = &step.outcome {
            // A person may take longer than any guard waits.
            worker.end_section().await?;
            worker.interlude(step, interlude).await?;
            continue;
        }
        if !step.is_pending() {
            continue;
        }
        if worker.job.stopped() {
            return Err(Stop::new(
                Fault::Interrupted,
                format!("stopped before {}", step.number),
            ));
        }
        match worker.perform(step, Timing::InOrder).await? {
            Done::Changed(_) | Done::Nothing => {}
        }
    }
    end_section(worker).await?;
    for step in plan.steps.iter().filter(|step| waits_for_end(step)) {
        // Made in its guarded section already, and nothing was changed since.
        if worker.reloaded.get(&step.number) == Some(&worker.changes) {
            continue;
        }
        worker.perform(step, Timing::AtEnd).await?;
    }
    end_section(worker).await
}

/// Ends a section after which nothing is changed, as far as anybody can tell.
async fn end_section(worker: &mut Worker<'_>) -> Result<(), Stop> {
    let is_proof = worker.section.is_some();
    worker.end_section().await?;
    if is_proof {
        worker.proven = Some(worker.changes);
    }
    Ok(())
}

fn waits_for_end(step: &StepPlan) -> bool {
    let Some(verdict) = step.verdict() else {
        return false;
    };
    let reloads = |change: &Change| change.timing == Timing::AtEnd;
    // Of a step that could not be known, it is only known at the end.
    matches!(verdict, Verdict::UnknownUntil { .. }) || verdict.changes().iter().any(reloads)
}

/// What must be so in the end.
struct Goal<'a> {
    rendered: &'a Rendered,
    data: &'a Value,
    /// The state that taking a run back comes to.
    returns: Option<&'a Returns>,
}

/// Proves in effect what was done. A connection that breaks before that is made anew once: it may be
/// our own change that cut it, and then that must be known.
async fn prove(worker: &mut Worker<'_>, goal: &Goal<'_>) -> HostResult {
    let (job, host, changes) = (worker.job, worker.host, worker.changes);
    let refuted = |message: String| {
        let stop = Stop::new(Fault::Verification, message);
        HostResult::from(Stop { changes, ..stop })
    };
    if worker.link.alive().await.is_err()
        && let Err(why) = worker.come_back().await
    {
        return refuted(format!("all was done, but nothing could be proved: {why}"));
    }
    let first = match goal.returns {
        Some(returns) => restore::proof(worker, &goal.rendered.steps, returns).await,
        None => {
            let touched: Vec<Probe> = worker.touched.iter().cloned().collect();
            let last = LastLook {
                link: &mut worker.link,
                touched: &touched,
            };
            verify::planned_again(job, host, last, goal.data).await
        }
    };
    let mut proofs = vec![first];
    let link = worker.link.reader();
    let way = Outside {
        host: &worker.way.host,
        proven: worker.proven == Some(changes),
        logins: &mut worker.logins,
    };
    proofs.extend(verify::checks(job, way, link, &goal.rendered.checks).await);
    match verify::failed(&proofs) {
        Some(message) => refuted(message),
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
