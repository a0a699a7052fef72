//! Steps about the operator's own files: asked and performed on this machine, for the host they are about.

use super::Job;
use crate::change::Change;
use crate::here::{Desk, is_here};
use crate::inventory::Host;
use crate::plan::StepPlan;
use crate::probe::{Answers, Probe};
use crate::transport::{MOVED, Performed, ReadHost, TransportError};

/// The host as this machine knows it.
fn desk<'a>(job: &'a Job, host: &'a Host) -> Desk<'a> {
    let listed = job.hosts.iter().find(|listed| listed.name == host.name);
    Desk {
        listed: listed.unwrap_or(host),
        used: host,
        ssh: &job.ssh,
    }
}

/// Asks every probe where it belongs: the host, or this machine.
pub(super) async fn ask(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    probes: &[Probe],
) -> Result<Answers, TransportError> {
    let (here, there): (Vec<Probe>, Vec<Probe>) = probes
        .iter()
        .cloned()
        .partition(|probe| is_here(&probe.function));
    let mut answers = link.ask(&there).await?;
    answers.update(ask_here(job, host, &here).await);
    Ok(answers)
}

/// Asks this machine.
pub(super) async fn ask_here(job: &Job, host: &Host, probes: &[Probe]) -> Answers {
    desk(job, host).ask(probes).await
}

/// Whether changes are made on this machine. A step is made of one resource, so it is all of them.
pub(super) fn is_for_here(due: &[&Change]) -> bool {
    due.iter().any(|change| is_here(&change.act.function))
}

/// Performs changes on this machine: what was planned from must still be so.
pub(super) async fn perform(
    job: &Job,
    host: &Host,
    plan: &StepPlan,
    due: &[&Change],
    probes: &[Probe],
) -> Performed {
    let desk = desk(job, host);
    let expected: Vec<Probe> = plan.expects.iter().map(|e| e.probe.clone()).collect();
    let seen = desk.ask(&expected).await;
    let is_same = plan.expects.iter().all(|expectation| {
        let answer = seen.get(&expectation.probe);
        answer.is_ok_and(|answer| answer.digest() == expectation.digest)
    });
    let mut performed = Performed {
        status: if is_same { 0 } else { MOVED },
        output: String::new(),
        answers: Answers::new(),
    };
    for change in due {
        if performed.status != 0 {
            break;
        }
        if let Err(why) = desk.perform(&change.act).await {
            performed.status = 1;
            performed.output = why;
        }
    }
    performed.answers = desk.ask(probes).await;
    performed
}
