//! What a run does with its hosts: load, survey, show, ask, apply, prove.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinError;

use super::guided::Ears;
use super::results::{declined, dry_result, question};
use super::session::complain;
use super::setup::Intent;
use super::sinks::Teller;
use super::{Exit, feed, unfinished};
use crate::engine::{Job, Surveyed};
use crate::event::{Fault, Mode};
use crate::plan::HostPlan;
use crate::plan_file::{Made, PlanFile, SavedHost, Terms, Texts};

/// What came of it.
#[derive(Default)]
pub(super) struct Performed {
    /// The exit code that refused data asks for.
    pub(super) refused: Option<Exit>,
    /// The plan to save, without what was told.
    pub(super) plan: Option<PlanFile>,
}

/// The guards of steps are programs of the plan, and looking at a host runs them as root.
const FIRST: &str = "This plan is not sealed with your key, and looking at its hosts runs programs of it as root. Is it what was reviewed?";

/// Survey, question, steps and proof.
pub(super) async fn perform(
    job: &Arc<Job>,
    intent: &Intent,
    (teller, ears): (&Teller, &mut Ears),
) -> Performed {
    if intent.ask_first {
        let said = teller.confirm(FIRST.to_owned()).await;
        if said != Some(true) {
            job.decline_all(said.is_none());
            return Performed::default();
        }
    }
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
            let plan = intent.out.as_ref().map(|_| {
                let data = feed.value.clone();
                to_save(job, intent, data, &surveyed)
            });
            let agreed = carry_out(job, intent, (teller, ears), surveyed).await;
            // A list that a person said no to is not what the next one is measured by.
            if agreed && let Err(error) = feed.keep() {
                complain(&format!("warning: {error}"));
            }
            Performed {
                refused: None,
                plan,
            }
        }
        Err(Without { fault, why, exit }) => {
            job.abandon(connected, fault, &why).await;
            Performed {
                refused: Some(exit),
                plan: None,
            }
        }
    }
}

/// The plans of all hosts that could be looked at as root: what others hide from us cannot be promised.
fn to_save(job: &Job, intent: &Intent, data: Value, surveyed: &[Surveyed]) -> PlanFile {
    let seen = surveyed.iter().filter(|host| !host.plan.unprivileged);
    let hosts = seen.filter_map(|host| {
        let inputs = job.inputs.get(host.plan.host.as_str())?;
        let saved = SavedHost::of(host.host(), inputs, &job.runbook, &host.answers);
        Some(saved)
    });
    PlanFile {
        made: Made {
            run: job.card.run.clone(),
            at: Timestamp::now(),
            operator: job.card.operator.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        runbook: Texts::of(&job.runbook),
        terms: Terms {
            tags: intent.tags.clone(),
            accept_irreversible: intent.guard.accept_irreversible,
        },
        data,
        hosts: hosts.collect(),
        told: Vec::new(),
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

/// Does what the run is for; whether the plan was carried out, which a dry run's never is.
async fn carry_out(
    job: &Arc<Job>,
    intent: &Intent,
    (teller, ears): (&Teller, &mut Ears),
    surveyed: Vec<Surveyed>,
) -> bool {
    match intent.mode {
        Mode::DryRun | Mode::Drift => {
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
            let said = match question {
                Some(question) => teller.confirm(question).await,
                None => Some(true),
            };
            if said == Some(true) {
                ears.apply(job, teller, surveyed).await;
            } else {
                // The end of input, like a stop, is no answer.
                let interrupted = said.is_none();
                job.leave(surveyed, |plan| declined(plan, interrupted))
                    .await;
            }
            said == Some(true)
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
