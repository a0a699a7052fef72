//! Drift: which things that runs left on a host are no longer as they were left. The host's own records say what
//! was left; that is read back into resources, asked and compared, as a dry run does it. Nothing is written.

use std::sync::Arc;

use serde_json::json;

use super::records::{self, Record, Standing};
use super::survey::{planned, probes};
use super::{Connected, Job, Stop, unfinished};
use crate::change::{Note, Verdict};
use crate::event::{EventKind, Fault, HostResult};
use crate::facts::Facts;
use crate::inventory::Host;
use crate::plan::{HostPlan, Outcome, StepPlan};
use crate::probe::Probe;
use crate::risk::Risk;
use crate::runbook::{self, Left, RenderedStep, Retry, What};
use crate::template::{Scope, Templates};
use crate::transport::ReadHost;
use crate::value::Duration;

/// Looks for drift on one host, and tells how it ended.
pub(super) async fn drift(job: Arc<Job>, connected: Connected) -> Option<()> {
    let Connected {
        host,
        mut link,
        facts,
        ..
    } = connected;
    let result = match look(&job, &host, &mut link, &facts).await {
        Err(stop) => stop.into(),
        Ok(plan) => {
            let result = judged(&plan);
            job.events.tell(EventKind::HostPlanned { plan });
            result
        }
    };
    job.finish(&host, result);
    link.close().await;
    None
}

async fn look(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    facts: &Facts,
) -> Result<HostPlan, Stop> {
    let records = read_records(link).await?;
    let relevant = records::relevant(&records);
    let papers: Vec<Probe> = relevant
        .iter()
        .map(|record| records::steps_of(&record.run))
        .collect();
    let answers = link.ask(&papers).await?;
    let scope = Scope::new(&json!({ "facts": facts }), Templates::default());
    let mut read = Vec::new();
    for (record, paper) in relevant.into_iter().zip(&papers) {
        let text = answers.get(paper).map(|answer| answer.text().into_owned());
        let text = text.map_err(|error| Stop::new(Fault::Failed, error.to_string()))?;
        let steps = runbook::left(&record.runbook, &text, &scope).map_err(|said| {
            let message = format!(
                "the steps of run {} on record cannot be read: {said}",
                record.run
            );
            Stop::new(Fault::Failed, message)
        })?;
        read.push((record, steps));
    }
    let standing = records::standing(read);
    if standing.is_empty() {
        return Ok(nothing_left(host));
    }
    compare(job, host, link, standing).await
}

async fn read_records(link: &mut ReadHost) -> Result<Vec<Record>, Stop> {
    let probe = records::probe();
    let answers = link.ask(std::slice::from_ref(&probe)).await?;
    let answer = answers.get(&probe);
    let text = answer.map_err(|error| Stop::new(Fault::Failed, error.to_string()))?;
    Ok(records::parse(&text.text()))
}

/// A host on which no run left anything that could be compared.
fn nothing_left(host: &Host) -> HostPlan {
    let step = StepPlan {
        number: records::number(0),
        id: None,
        name: "What runs left here".to_owned(),
        subject: String::new(),
        risk: Risk::default(),
        guarded: false,
        outcome: Outcome::Skipped {
            why: "no run is on record on this host".to_owned(),
        },
        notes: vec![Note::info(
            "there is nothing to compare with: no run of Holdfast, or none of this version, left anything here",
        )],
        expects: Vec::new(),
    };
    HostPlan {
        host: host.name.to_string(),
        steps: vec![step],
        unprivileged: false,
    }
}

async fn compare(
    job: &Job,
    host: &Host,
    link: &mut ReadHost,
    standing: Vec<Standing<'_>>,
) -> Result<HostPlan, Stop> {
    let mut steps = Vec::new();
    let mut stories = Vec::new();
    for (index, Standing { record, left }) in standing.into_iter().enumerate() {
        stories.push(story(record));
        steps.push(step(index, left));
    }
    let rendered: Vec<RenderedStep> = steps.iter_mut().filter_map(|step| step.0.take()).collect();
    let answers = link.ask(&probes(&rendered)).await?;
    let mut plan = planned(job, host, &rendered, &answers, link.is_root());
    for (index, (_, unknown)) in steps.into_iter().enumerate() {
        if let Some(unknown) = unknown {
            plan.steps.insert(index, unknown);
        }
    }
    for (step, story) in plan.steps.iter_mut().zip(stories) {
        forget_blind(step);
        if is_as_left(&step.outcome) {
            // What a kind remarks about what is as it should be is no news here.
            step.notes.clear();
        } else {
            step.notes.insert(0, Note::info(story));
        }
    }
    Ok(plan)
}

/// The step to compare, or what is said of one that cannot be read.
fn step(index: usize, left: Left) -> (Option<RenderedStep>, Option<StepPlan>) {
    let Left { name, what, .. } = left;
    let number = records::number(index);
    match what {
        What::Resource(_, resource) => {
            let step = RenderedStep {
                number,
                id: None,
                name,
                why: None,
                risk: Risk::default(),
                resource: Some(resource),
                interlude: None,
                after: Vec::new(),
                reload_on: Vec::new(),
                guard: None,
                retry: Retry::NONE,
                timeout: Duration::seconds(0),
                tags: Vec::new(),
            };
            (Some(step), None)
        }
        What::Unknown { why } => {
            let step = StepPlan {
                number,
                id: None,
                name,
                subject: String::new(),
                risk: Risk::default(),
                guarded: false,
                outcome: Outcome::CouldNotTell { why },
                notes: Vec::new(),
                expects: Vec::new(),
            };
            (None, Some(step))
        }
    }
}

/// Who left it so.
fn story(record: &Record) -> String {
    let Record {
        run,
        runbook,
        operator,
        started,
        ..
    } = record;
    format!("left otherwise by {runbook}, run {run} of {operator} at {started}")
}

/// A program that somebody has run every time leaves nothing that could be compared.
fn forget_blind(step: &mut StepPlan) {
    let changes = step.verdict().map(Verdict::changes).unwrap_or_default();
    if !changes.is_empty() && changes.iter().all(unfinished::is_blind) {
        step.outcome = Outcome::Skipped {
            why: "it is run every time, and leaves nothing that could be compared".to_owned(),
        };
    }
}

/// Whether nothing is to be said about it.
fn is_as_left(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Seen(Verdict::Compliant | Verdict::NotApplicable { .. })
        | Outcome::Skipped { .. }
        | Outcome::Interlude(_) => true,
        Outcome::Seen(
            Verdict::Change(_)
            | Verdict::ChangeAfter { .. }
            | Verdict::UnknownUntil { .. }
            | Verdict::Blocked(_),
        )
        | Outcome::CouldNotTell { .. } => false,
    }
}

/// What the plan means: how many things are no longer as they were left. What cannot be put back is not as it was
/// left either; what could not be looked at is no result.
fn judged(plan: &HostPlan) -> HostResult {
    let unread = plan.steps.iter().find_map(|step| match &step.outcome {
        Outcome::CouldNotTell { why } => Some((step, why)),
        Outcome::Seen(_) | Outcome::Interlude(_) | Outcome::Skipped { .. } => None,
    });
    if let Some((step, why)) = unread {
        let message = format!(
            "{} ({}) could not be looked at: {why}",
            step.number, step.name
        );
        return Stop::new(Fault::Failed, message).into();
    }
    let steps = plan.steps.iter();
    match steps.filter(|step| !is_as_left(&step.outcome)).count() {
        0 => HostResult::NothingToDo,
        changes => HostResult::ChangesDue { changes },
    }
}

impl Job {
    /// Compares hosts with what runs of the past left on them, and tells how each ended.
    pub async fn drift(self: &Arc<Self>, connected: Vec<Connected>) {
        let job = self.clone();
        self.each(connected, move |host| drift(job.clone(), host))
            .await;
    }
}
