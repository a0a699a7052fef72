//! The plan of one host: render, ask everything at once, compare step by step with what earlier
//! steps will make true. Plan, re-plan and read-back are this one comparison.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Connected, GuardTerms, Job, Stop, Surveyed, desk};
use crate::change::{Blocked, Diff, Known, Note, StepNumber, Undo, Verdict};
use crate::event::{EventKind, Fault};
use crate::inventory::Host;
use crate::plan::{Expectation, HostPlan, Outcome, StepPlan};
use crate::probe::{Answers, Probe};
use crate::runbook::{self, Rendered, RenderedStep, World};
use crate::transport::{ReadHost, TransportError};

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
    } = connected;
    let Some(inputs) = job.inputs.get(host.name.as_str()) else {
        job.finish(
            &host,
            Stop::new(Fault::Failed, "no inputs were prepared for this host").into(),
        );
        return None;
    };
    let world = World {
        host: &host,
        inputs,
        facts: Some(&facts),
        data: &data,
    };
    let rendered = runbook::render(&job.runbook, &world);
    let planned = match rendered.map(|rendered| on_terms(rendered, job.guard)) {
        Err(diagnostics) => Err(Stop::new(Fault::Failed, diagnostics.to_string())),
        Ok(rendered) => match look(&job, &host, &mut link, &rendered.steps).await {
            Err(error) => Err(error.into()),
            Ok(plan) => Ok((plan, rendered)),
        },
    };
    match planned {
        Ok((plan, rendered)) => {
            job.events
                .tell(EventKind::HostPlanned { plan: plan.clone() });
            Some(Surveyed {
                host,
                link,
                logins,
                rendered,
                data,
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

/// Asks everything at once and makes the plan.
pub(super) async fn look(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    steps: &[RenderedStep],
) -> Result<HostPlan, TransportError> {
    let answers = desk::ask(job, host, link, &probes(steps)).await?;
    let mut steps = plan(job, steps, &answers);
    if !link.is_root() {
        doubt_conditions(&mut steps);
    }
    Ok(HostPlan {
        host: host.name.to_string(),
        steps,
        unprivileged: !link.is_root(),
    })
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

/// Why a step is skipped whose `when` says no.
const NOT_WANTED: &str = "its condition does not hold";

/// Every question of the steps, each once.
fn probes(steps: &[RenderedStep]) -> Vec<Probe> {
    let resources = steps.iter().filter_map(|step| step.resource.as_ref());
    let unique: BTreeSet<Probe> = resources.flat_map(|resource| resource.probes()).collect();
    unique.into_iter().collect()
}

fn plan(job: &Job, steps: &[RenderedStep], answers: &Answers) -> Vec<StepPlan> {
    let mut known = Known::nothing();
    let mut planned = Vec::new();
    for step in steps {
        let step_plan = if job.wants(&step.tags) {
            plan_step(step, answers, &known)
        } else {
            skipped(step, "not asked for by --tags")
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
fn drop_idle_interludes(planned: &mut [StepPlan]) {
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

/// Compares one step with the answers, for the plan that is shown.
pub(super) fn plan_step(step: &RenderedStep, answers: &Answers, known: &Known) -> StepPlan {
    compare(step, answers, known, |verdict| {
        rests_on(step, known, verdict)
    })
}

/// Compares one step right before it is performed: what it rests on is done, so all of it is certain.
pub(super) fn plan_now(step: &RenderedStep, answers: &Answers, known: &Known) -> StepPlan {
    compare(step, answers, known, |verdict| match verdict {
        Verdict::ChangeAfter { changes, .. } => Verdict::Change(changes),
        Verdict::Compliant
        | Verdict::Change(_)
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict,
    })
}

fn compare(
    step: &RenderedStep,
    answers: &Answers,
    known: &Known,
    settle: impl Fn(Verdict) -> Verdict,
) -> StepPlan {
    let Some(resource) = &step.resource else {
        if let Some(interlude) = &step.interlude {
            let outcome = Outcome::Interlude(interlude.clone());
            return frame(step, String::new(), outcome, Vec::new(), Vec::new());
        }
        return skipped(step, NOT_WANTED);
    };
    match resource.diff(answers, known) {
        Ok(Diff { verdict, notes }) => {
            let verdict = reversible(step, settle(verdict));
            let expects = expectations(&verdict, answers);
            frame(
                step,
                resource.subject(),
                Outcome::Seen(verdict),
                notes,
                expects,
            )
        }
        Err(error) => {
            let outcome = Outcome::CouldNotTell {
                why: error.to_string(),
            };
            frame(step, resource.subject(), outcome, Vec::new(), Vec::new())
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

/// What a guard could not take back is not done under one: the promise would be a lie.
fn reversible(step: &RenderedStep, verdict: Verdict) -> Verdict {
    if step.guard.is_none_or(|guard| guard.irreversible) {
        return verdict;
    }
    let why = verdict
        .changes()
        .iter()
        .find_map(|change| match &change.undo {
            Undo::Impossible { why } => Some(format!("{}: {why}", change.summary)),
            Undo::Call(_) => None,
        });
    match why {
        None => verdict,
        Some(why) => Verdict::Blocked(Blocked {
            why: format!("it is guarded, and the guard could not take it back ({why})"),
            hint: Some("declare an undo, or accept it with --accept-irreversible".to_owned()),
            human: true,
        }),
    }
}

/// `after:`: once an earlier step changes something, this one is looked at again.
fn rests_on(step: &RenderedStep, known: &Known, verdict: Verdict) -> Verdict {
    let Some(earlier) = step
        .after
        .iter()
        .filter_map(|id| known.changing_step(id))
        .max()
    else {
        return verdict;
    };
    match verdict {
        Verdict::Change(changes) => Verdict::ChangeAfter {
            step: earlier,
            changes,
        },
        Verdict::Compliant => Verdict::UnknownUntil {
            step: earlier,
            why: "it is as desired now, and is looked at again then".to_owned(),
        },
        Verdict::ChangeAfter { .. }
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict,
    }
}

fn expectations(verdict: &Verdict, answers: &Answers) -> Vec<Expectation> {
    let Verdict::Change(changes) = verdict else {
        return Vec::new();
    };
    let probes: BTreeSet<&Probe> = changes.iter().flat_map(|change| &change.expects).collect();
    let digest = |probe: &Probe| answers.get(probe).ok().map(crate::probe::Answer::digest);
    probes
        .into_iter()
        .filter_map(|probe| {
            Some(Expectation {
                digest: digest(probe)?,
                probe: probe.clone(),
            })
        })
        .collect()
}

fn skipped(step: &RenderedStep, why: &str) -> StepPlan {
    let subject = step
        .resource
        .as_ref()
        .map(|resource| resource.subject())
        .unwrap_or_default();
    frame(
        step,
        subject,
        Outcome::Skipped {
            why: why.to_owned(),
        },
        Vec::new(),
        Vec::new(),
    )
}

fn frame(
    step: &RenderedStep,
    subject: String,
    outcome: Outcome,
    notes: Vec<Note>,
    expects: Vec<Expectation>,
) -> StepPlan {
    let number: StepNumber = step.number;
    StepPlan {
        number,
        id: step.id.clone(),
        name: step.name.clone(),
        subject,
        risk: step.risk,
        guarded: step.guard.is_some(),
        outcome,
        notes,
        expects,
    }
}
