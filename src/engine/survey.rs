//! The plan of one host: render, ask everything at once, compare step by step with what earlier
//! steps will make true. Plan, re-plan and read-back are this one comparison.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::compare::{NOT_WANTED, plan_step, skipped};
use super::promise::{Agreed, kept};
use super::restore::{self, Returns, Undoes};
use super::{Connected, GuardTerms, Job, Stop, Surveyed, desk, start, whole};
use crate::change::Known;
use crate::event::{EventKind, Fault, Mode};
use crate::facts::Facts;
use crate::here::is_here;
use crate::inventory::Host;
use crate::plan::{Expectation, HostPlan, Outcome, StepPlan};
use crate::probe::{Answers, Probe};
use crate::runbook::{self, Rendered, RenderedStep, World};
use crate::transport::{ReadHost, TransportError};
use crate::value::Name;

pub(super) async fn survey(
    job: Arc<Job>,
    connected: Connected,
    data: Arc<Value>,
) -> Option<Surveyed> {
    let Connected {
        host,
        mut link,
        facts,
        logins,
        resumes,
        ..
    } = connected;
    let Some(inputs) = job.inputs.get(host.name.as_str()) else {
        let stop = Stop::new(Fault::Failed, "no inputs were prepared for this host");
        job.finish(&host, stop.into());
        return None;
    };
    let world = World {
        host: &host,
        inputs,
        facts: Some(&facts),
        data: &data,
    };
    let planned = match &job.undoes {
        Some(undoes) => back(&job, undoes, &host, &mut link).await,
        None => forward(&job, &world, &facts, &mut link).await,
    };
    match planned {
        Ok((Agreed { looked, stale }, rendered, returns)) => {
            let Looked { plan, answers } = looked;
            let start = start_of(&rendered.steps, &answers);
            job.events
                .tell(EventKind::HostPlanned { plan: plan.clone() });
            let concrete = papers(&job, &world, (&plan, &rendered.steps));
            Some(Surveyed {
                host,
                link,
                logins,
                inputs: inputs.clone(),
                facts,
                rendered,
                answers,
                stale,
                resumes,
                concrete,
                start,
                returns,
                data: data.clone(),
                plan,
            })
        }
        Err(stop) => {
            job.finish(&host, stop.into());
            link.close().await;
            None
        }
    }
}

/// A plan, and what it was made from.
pub(super) struct Looked {
    pub(super) plan: HostPlan,
    pub(super) answers: Answers,
}

type Planned = (Agreed, Rendered, Option<Returns>);

/// The plan of a runbook.
async fn forward(
    job: &Job,
    world: &World<'_>,
    facts: &Facts,
    link: &mut ReadHost,
) -> Result<Planned, Stop> {
    let rendered = runbook::render(&job.runbook, world);
    let rendered =
        rendered.map_err(|diagnostics| Stop::new(Fault::Failed, diagnostics.to_string()))?;
    let rendered = on_terms(rendered, job.guard);
    start::first(job, &rendered.steps)?;
    let looked = look(job, world.host, link, &rendered.steps).await?;
    let agreed = kept(job, looked, facts, &rendered.steps)?;
    Ok((agreed, rendered, None))
}

/// The plan that takes an earlier run back.
async fn back(
    job: &Job,
    undoes: &Undoes,
    host: &Host,
    link: &mut ReadHost,
) -> Result<Planned, Stop> {
    let (rendered, returns) = restore::rendered(undoes, host, link).await?;
    let rendered = on_terms(rendered, job.guard);
    let mut looked = look(job, host, link, &rendered.steps).await?;
    restore::name_later(undoes, link, &mut looked.plan, &rendered.steps).await;
    let agreed = Agreed {
        looked,
        stale: None,
    };
    Ok((agreed, rendered, Some(returns)))
}

/// What the host answered before anything was changed, as [`RunPapers`](crate::transport::RunPapers) keep it.
fn start_of(steps: &[RenderedStep], answers: &Answers) -> String {
    let there = probes(steps);
    let there = there.into_iter().filter(|probe| !is_here(&probe.function));
    let line = |probe: Probe| {
        let digest = answers.get(&probe).ok()?.digest();
        let line = serde_json::to_string(&Expectation { probe, digest }).ok()?;
        Some(line + "\n")
    };
    there.filter_map(line).collect()
}

/// The steps for the host's record, when something is done by a runbook.
fn papers(job: &Job, world: &World<'_>, (plan, steps): (&HostPlan, &[RenderedStep])) -> String {
    if job.mode == Mode::Apply && job.undoes.is_none() && plan.is_pending() {
        concrete(job, world, steps)
    } else {
        String::new()
    }
}

/// The steps as `render` prints them, without those that this run leaves out. What could be rendered is whole.
pub(super) fn concrete(job: &Job, world: &World<'_>, steps: &[RenderedStep]) -> String {
    let first = start::first(job, steps).unwrap_or(0);
    let left_out = |number, tags: &[Name]| job.left_out(first, number, tags);
    let steps = runbook::concrete_of(&job.runbook, world, &left_out).ok();
    let text = steps.and_then(|steps| serde_yaml::to_string(&steps).ok());
    text.map(|text| whole::sealed(&text)).unwrap_or_default()
}

/// Asks everything at once and makes the plan.
pub(super) async fn look(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    steps: &[RenderedStep],
) -> Result<Looked, TransportError> {
    let answers = desk::ask(job, host, link, &probes(steps)).await?;
    let plan = planned(job, host, steps, &answers, link.is_root());
    Ok(Looked { plan, answers })
}

/// The plan that these answers come to.
pub(super) fn planned(
    job: &Job,
    host: &Host,
    steps: &[RenderedStep],
    answers: &Answers,
    is_root: bool,
) -> HostPlan {
    let mut steps = plan(job, steps, answers);
    if !is_root {
        doubt_conditions(&mut steps);
    }
    HostPlan {
        host: host.name.to_string(),
        steps,
        unprivileged: !is_root,
    }
}

/// Conditions look at facts, and some of those only root can see.
fn doubt_conditions(steps: &mut [StepPlan]) {
    for step in steps {
        if let Outcome::Skipped { why } = &mut step.outcome
            && why == NOT_WANTED
        {
            *why = format!("{NOT_WANTED}, as far as can be seen without root");
        }
    }
}

/// Every question of the steps, each once.
pub(super) fn probes<'a>(steps: impl IntoIterator<Item = &'a RenderedStep>) -> Vec<Probe> {
    let resources = steps.into_iter().filter_map(|step| step.resource.as_ref());
    let unique: BTreeSet<Probe> = resources.flat_map(|resource| resource.probes()).collect();
    unique.into_iter().collect()
}

fn plan(job: &Job, steps: &[RenderedStep], answers: &Answers) -> Vec<StepPlan> {
    let mut known = Known::nothing();
    let mut planned = Vec::new();
    // Where the step is not there, the survey has said so.
    let first = start::first(job, steps).unwrap_or(0);
    for (index, step) in steps.iter().enumerate() {
        let step_plan = match job.left_out(first, index + 1, &step.tags) {
            Some(why) => skipped(step, why),
            None => plan_step(step, answers, &known),
        };
        if let Some(verdict) = step_plan.verdict() {
            known.learn(step.number, step.id.as_deref(), verdict);
        }
        planned.push(step_plan);
    }
    drop_idle_interludes(&mut planned);
    planned
}

/// Questions and pauses are only for what comes after them.
pub(super) fn drop_idle_interludes(planned: &mut [StepPlan]) {
    let last_due = planned.iter().rposition(StepPlan::is_pending);
    for (index, step) in planned.iter_mut().enumerate() {
        let is_idle = last_due.is_none_or(|last| index > last);
        if is_idle && matches!(step.outcome, Outcome::Interlude(_)) {
            step.outcome = Outcome::Skipped {
                why: "nothing after it is due".to_owned(),
            };
        }
    }
}

/// The rendered steps, with what the operator accepted.
pub(super) fn on_terms(mut rendered: Rendered, terms: GuardTerms) -> Rendered {
    let guards = rendered
        .steps
        .iter_mut()
        .filter_map(|step| step.guard.as_mut());
    guards.for_each(|guard| guard.irreversible = terms.accept_irreversible);
    rendered
}
