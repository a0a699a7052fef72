//! Checks in effect, from inside and from outside. A check that could not have failed is not passed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::edit::Ground;
use super::last_look::LastLook;
use super::outside::{self, Outside};
use super::{Job, Stop, Surveyed, pause, survey};
use crate::change::{Call, Shown, Verdict};
use crate::event::{EventKind, Fault, HostResult, Proof};
use crate::facts;
use crate::inventory::Host;
use crate::plan::{HostPlan, StepPlan};
use crate::probe::Probe;
use crate::runbook::{self, Ban, Expect, RenderedCheck, RenderedProbe, World};
use crate::transport::ReadHost;
use crate::value::Port;

/// `timeout(1)` says this when it ended a command.
const OUT_OF_TIME: i32 = 124;

/// A check and how it came out.
pub(super) struct Proven {
    pub(super) name: String,
    pub(super) proof: Proof,
    /// Asked of the host itself: there it can always be told. From outside, a jump host or this very
    /// machine may be in the way, which is no fault of the host; nor is what keeps a trial from being made.
    pub(super) inside: bool,
}

/// `verify`: the plan must be empty, and every check must hold.
pub(super) async fn verify_only(job: Arc<Job>, surveyed: Surveyed) -> Option<()> {
    let Surveyed {
        host,
        mut link,
        mut logins,
        rendered,
        plan,
        ..
    } = surveyed;
    let way = Outside {
        host: &host,
        // Nothing was changed since the login.
        proven: true,
        logins: &mut logins,
    };
    let proofs = checks(&job, way, &mut link, &rendered.checks).await;
    let result = match (plan.obstacle(), plan.is_pending(), failed(&proofs)) {
        (Some((step, obstacle)), _, _) => Stop::new(
            Fault::of(&obstacle),
            format!("{}: {}", step.number, obstacle.why),
        )
        .into(),
        (None, true, _) => HostResult::ChangesDue {
            changes: plan.count(),
        },
        (None, false, Some(message)) => Stop::new(Fault::Verification, message).into(),
        (None, false, None) => HostResult::Verified,
    };
    job.finish(&host, result);
    link.close().await;
    None
}

/// The first proof after a change: planning again, as the next run will (with the host's facts as they
/// are now), finds nothing left to do.
pub(super) async fn planned_again(
    job: &Job,
    host: &Host,
    link: LastLook<'_>,
    (ground, except): (&Ground, &Except<'_>),
) -> Proven {
    let name = "Planned again, and nothing is left to do".to_owned();
    let proof = match again(job, host, link, ground).await {
        Err(why) => Proof::CouldNotTell { why },
        Ok(plan) => {
            job.events.tell(EventKind::PlannedAgain {
                host: host.name.to_string(),
                notes: plan
                    .steps
                    .iter()
                    .flat_map(|step| step.notes.clone())
                    .collect(),
            });
            nothing_left(&plan, except)
        }
    };
    tell(job, host, &name, &proof);
    Proven {
        name,
        proof,
        inside: true,
    }
}

async fn again(
    job: &Job,
    host: &Host,
    mut link: LastLook<'_>,
    ground: &Ground,
) -> Result<HostPlan, String> {
    let answers = link.link.reader().ask(&facts::probes()).await;
    let answers = answers.map_err(|error| error.to_string())?;
    let now = jiff::Timestamp::now().as_second();
    let facts = facts::parse(&answers, now).map_err(|error| error.to_string())?;
    let world = World {
        host,
        inputs: &ground.inputs,
        facts: Some(&facts),
        data: &ground.data,
    };
    let rendered = runbook::render(&job.runbook, &world).map_err(|said| said.to_string())?;
    let rendered = survey::on_terms(rendered, job.guard);
    let answers = link.ask(job, host, &survey::probes(&rendered.steps)).await;
    let answers = answers.map_err(|error| error.to_string())?;
    Ok(survey::planned(job, host, &rendered.steps, &answers, true))
}

/// Steps of a plan that a person left out.
type Except<'a> = dyn Fn(&HostPlan, &StepPlan) -> bool + Sync + 'a;

fn nothing_left(plan: &HostPlan, except: &Except<'_>) -> Proof {
    let mut steps = plan.steps.iter().filter(|step| !except(plan, step));
    match steps.find(|step| leaves_something(step)) {
        Some(step) => Proof::No {
            seen: format!("{} ({}) is still due", step.number, step.subject),
        },
        None => Proof::Yes {
            seen: format!("{} steps are as desired", plan.steps.len()),
        },
    }
}

/// Commands without a guard are always due; they prove nothing either way.
fn leaves_something(step: &StepPlan) -> bool {
    let changes = step.verdict().map(Verdict::changes).unwrap_or_default();
    let states = changes
        .iter()
        .filter(|change| !matches!(change.shown.as_slice(), [Shown::Run { .. }]));
    states.count() > 0 || step.obstacle().is_some()
}

fn tell(job: &Job, host: &Host, name: &str, proof: &Proof) {
    let told = EventKind::Checked {
        host: host.name.to_string(),
        name: name.to_owned(),
        proof: proof.clone(),
    };
    job.events.tell(told);
}

/// Makes all checks of a host and tells how each came out.
pub(super) async fn checks(
    job: &Job,
    mut way: Outside<'_>,
    link: &mut ReadHost,
    checks: &[RenderedCheck],
) -> Vec<Proven> {
    let mut proofs = Vec::new();
    // A runbook's own checks are about all of its steps.
    let asked = |check: &&RenderedCheck| job.wants(&check.tags);
    for check in checks.iter().filter(asked) {
        let mut tries = check.retry.times;
        let proof = loop {
            match make(job, &mut way, link, &check.probe).await {
                Proof::No { .. } if tries > 0 && !job.stopped() => {
                    tries -= 1;
                    pause(job, check.retry.every.get()).await;
                }
                proof => break proof,
            }
        };
        tell(job, way.host, &check.name, &proof);
        proofs.push(Proven {
            name: check.name.clone(),
            proof,
            inside: matches!(check.probe, RenderedProbe::Command { .. }),
        });
    }
    proofs
}

/// The first check that says no, or that should have been able to tell and was not.
pub(super) fn failed(proofs: &[Proven]) -> Option<String> {
    proofs.iter().find_map(|proven| match &proven.proof {
        Proof::No { seen } => Some(format!("{} ({seen})", proven.name)),
        Proof::CouldNotTell { why } if proven.inside => {
            Some(format!("{} (could not tell: {why})", proven.name))
        }
        Proof::Yes { .. } | Proof::CouldNotTell { .. } => None,
    })
}

async fn make(
    job: &Job,
    way: &mut Outside<'_>,
    link: &mut ReadHost,
    probe: &RenderedProbe,
) -> Proof {
    match probe {
        RenderedProbe::Command {
            argv,
            expect,
            limit,
        } => command(link, argv, expect, limit.get()).await,
        RenderedProbe::Connect { ports, reach } => way.connect(job, link, ports, *reach).await,
        RenderedProbe::Http {
            url,
            header,
            not_status,
        } => outside::http(url.clone(), header.clone(), not_status.clone()).await,
        RenderedProbe::PasswordLogin => way.password_login(job).await,
        RenderedProbe::Ban(ban) => trial(link, ban).await,
    }
}

/// A ban that is made for real and lifted by the host itself.
async fn trial(link: &mut ReadHost, ban: &Ban) -> Proof {
    let ports: Vec<String> = ban.ports.iter().map(Port::to_string).collect();
    let words = [ban.jail.clone(), ports.join(",")].into_iter();
    let addresses = ban.addresses.iter().map(IpAddr::to_string);
    let call = Call::new("hf_trial_ban", words.chain(addresses));
    let text = match link.attempt(&call).await {
        Ok(answer) => answer.text().into_owned(),
        Err(error) => {
            return Proof::CouldNotTell {
                why: error.to_string(),
            };
        }
    };
    match text.trim().split_once('=') {
        Some(("yes", seen)) => Proof::Yes {
            seen: seen.to_owned(),
        },
        Some(("no", seen)) => Proof::No {
            seen: seen.to_owned(),
        },
        Some(("cannot", why)) => Proof::CouldNotTell {
            why: why.to_owned(),
        },
        _ => Proof::CouldNotTell {
            why: format!("the trial ended with {text:?}"),
        },
    }
}

async fn command(link: &mut ReadHost, argv: &[String], expect: &Expect, limit: Duration) -> Proof {
    let seconds = limit.as_secs().max(1);
    let words = [seconds.to_string()]
        .into_iter()
        .chain(argv.iter().cloned());
    let probe = Probe::new("hf_run_for", words);
    let answers = match link.ask_for(std::slice::from_ref(&probe), limit).await {
        Ok(answers) => answers,
        Err(error) => {
            return Proof::CouldNotTell {
                why: error.to_string(),
            };
        }
    };
    match answers
        .get(&probe)
        .and_then(|answer| crate::resource::command_output(&probe, answer))
    {
        Err(error) => Proof::CouldNotTell {
            why: error.to_string(),
        },
        Ok((status @ 126..=127, _)) if expect.status != status => Proof::CouldNotTell {
            why: format!(
                "{} cannot be run there",
                argv.first().map_or("", String::as_str)
            ),
        },
        Ok((OUT_OF_TIME, _)) if expect.status != OUT_OF_TIME => Proof::CouldNotTell {
            why: format!("it was ended after {seconds} s"),
        },
        Ok((status, stdout)) => match expect.problem(status, &stdout) {
            Some(seen) => Proof::No { seen },
            None => Proof::Yes {
                seen: format!("exit status {status}"),
            },
        },
    }
}
