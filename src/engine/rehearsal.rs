//! A rehearsal of the guard: arm it, change one harmless thing, go away, and see the host take it back.

use std::sync::Arc;

use super::new_login::Logins;
use super::worker::Worker;
use super::{Connected, Job, Stop, take_back};
use crate::change::{Call, Change, Shown, StepNumber, Undo};
use crate::event::{EventKind, Fault, HostResult};
use crate::inventory::Host;
use crate::plan::HostPlan;
use crate::probe::Probe;
use crate::runbook::Rendered;
use crate::transport::{GuardPhase, ReadHost, StepScript, TransportError, WriteHost};

impl Job {
    /// Rehearses the guard on hosts, performs no step, and tells how each ended.
    pub async fn rehearse(self: &Arc<Self>, connected: Vec<Connected>) {
        let job = self.clone();
        self.each(connected, move |host| rehearse(job.clone(), host))
            .await;
    }
}

async fn rehearse(job: Arc<Job>, connected: Connected) -> Option<()> {
    let Connected {
        host, link, logins, ..
    } = connected;
    let result = match link.lock(&job.card).await {
        Ok(link) => match hold(&job, &host, (link, logins)).await {
            Ok(()) => HostResult::Verified,
            Err(stop) => stop.into(),
        },
        Err((link, error)) => {
            link.close().await;
            Stop::from(error).into()
        }
    };
    job.finish(&host, result);
    None
}

/// A page without steps.
fn nothing(host: &Host) -> (Arc<Rendered>, Arc<HostPlan>) {
    let rendered = Rendered {
        steps: Vec::new(),
        checks: Vec::new(),
    };
    let plan = HostPlan {
        host: host.name.to_string(),
        steps: Vec::new(),
        unprivileged: false,
    };
    (Arc::new(rendered), Arc::new(plan))
}

async fn hold(job: &Job, host: &Host, link: (WriteHost, Logins)) -> Result<(), Stop> {
    let mut worker = Worker::new(job, host, link, nothing(host));
    let begun = match worker.give_time(None, None).await {
        Ok(()) => change(&mut worker).await,
        Err(stop) => Err(stop),
    };
    if let Err(stop) = begun {
        let stop = worker.taken_back(stop).await;
        worker.end(&stop.clone().into()).await;
        return Err(stop);
    }
    let Worker {
        section, link, way, ..
    } = worker;
    // Nobody but the host itself is to do it.
    link.close().await;
    let section = section.ok_or_else(|| Stop::new(Fault::Failed, "no guard was armed"))?;
    let failed = |why: String| Stop::new(Fault::Failed, why);
    let state = take_back::await_guard(job, &way, &section)
        .await
        .map_err(|why| failed(format!("what the guard did could not be seen: {why}")))?;
    if state.phase != GuardPhase::Fired {
        return Err(failed("the guard did not fire".to_owned()));
    }
    job.events.tell(EventKind::GuardFired {
        host: host.name.to_string(),
        fired: Box::new(take_back::own(job, &state)),
    });
    let is_gone = marker_is_gone(job, host).await?;
    if state.changes == 1 && state.failed == 0 && is_gone {
        Ok(())
    } else {
        Err(failed(
            "the guard fired, but did not take the change back".to_owned(),
        ))
    }
}

async fn change(worker: &mut Worker<'_>) -> Result<(), Stop> {
    let shown = Shown::Property {
        name: "rehearsal".to_owned(),
        before: String::new(),
        after: "under way".to_owned(),
    };
    let undo = Undo::Call(Call::new::<String>("hf_undo_guard_rehearse", []));
    let act = Call::new::<String>("hf_guard_rehearse", []);
    let change = Change::new("rehearse the guard", vec![shown], act, undo);
    let script = StepScript {
        number: StepNumber(0),
        name: "The guard is rehearsed",
        subject: "",
        folder: "rehearsal",
        expects: &[],
        before: &[],
        changes: &[&change],
        seconds: worker.job.guard.step_limit().as_secs(),
        guarded: true,
        ports: None,
    };
    let performed = worker.link.perform(&script, &[], &|_| {}).await?;
    if performed.status == 0 {
        return Ok(());
    }
    let message = format!("the rehearsal could not begin: {}", performed.output.trim());
    Err(Stop::new(Fault::Failed, message))
}

async fn marker_is_gone(job: &Job, host: &Host) -> Result<bool, TransportError> {
    let run = &job.card.run;
    let marker = format!("/var/lib/holdfast/runs/{run}/guard/rehearsal");
    let exists = Probe::new("hf_exists", [marker]);
    let (link, answers) =
        ReadHost::open(host, &job.ssh, true, std::slice::from_ref(&exists)).await?;
    link.close().await;
    let answer = answers.get(&exists);
    Ok(answer.is_ok_and(|answer| answer.text().trim() == "exists=no"))
}
