//! Drift: which things that runs left on a host are no longer as they were left. The host's own records say what
//! was left; that is read back into resources, asked and compared, as a dry run does it. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::as_left::{Compared, compare, is_as_left};
use super::left_behind::{self, Later, LeftBehind};
use super::records::{self, Read, Record};
use super::{Connected, Job, Stop};
use crate::change::Note;
use crate::event::{EventKind, Fault, HostResult};
use crate::facts::Facts;
use crate::inventory::Host;
use crate::plan::{HostPlan, Outcome, StepPlan};
use crate::probe::Probe;
use crate::risk::Risk;
use crate::template::{Scope, Templates};
use crate::transport::ReadHost;

/// Looks for drift on one host, and tells how it ended.
pub(super) async fn drift(job: Arc<Job>, connected: Connected) -> Option<()> {
    let Connected {
        host,
        mut link,
        facts,
        ..
    } = connected;
    let result = match look(&host, &mut link, &facts).await {
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

async fn look(host: &Host, link: &mut ReadHost, facts: &Facts) -> Result<HostPlan, Stop> {
    let records = read_records(link).await?;
    let relevant = records::relevant(&records);
    let mut behind = Behind::default();
    behind
        .read(link, relevant.iter().map(|record| record.run.as_str()))
        .await?;
    let scope = Scope::new(&json!({ "facts": facts }), Templates::default());
    let mut read = Vec::new();
    for record in relevant {
        let of_run = behind.of(&record.run);
        read.push(Read {
            record,
            behind: of_run,
            steps: of_run.steps(&record.runbook, &scope),
        });
    }
    let standing = records::standing(read);
    if standing.is_empty() {
        return Ok(nothing_left(host));
    }
    let mut compared = compare(link, standing).await?;
    excuse(link, &records, &mut compared).await?;
    Ok(HostPlan {
        host: host.name.to_string(),
        steps: compared.into_iter().map(Compared::told).collect(),
        unprivileged: false,
    })
}

/// Passes over steps that another of the same run was about as well, and had the last word.
fn pass_over_overtaken(compared: &mut [Compared<'_>]) {
    let about = |one: &Compared<'_>| (one.record.run.clone(), one.plan.subject.clone());
    let held = compared.iter().filter(|one| one.was_so).map(about);
    let held: BTreeSet<(String, String)> = held.collect();
    for one in compared.iter_mut().filter(|one| !one.was_so) {
        if held.contains(&about(one)) {
            one.pass_over("another step of the run had the last word");
        }
    }
}

/// Passes over what is as the last run left it all the same. Later runs are asked only where there is something to
/// explain.
async fn excuse(
    link: &mut ReadHost,
    records: &[Record],
    compared: &mut [Compared<'_>],
) -> Result<(), Stop> {
    pass_over_overtaken(compared);
    let due = compared.iter().filter(|one| one.is_due());
    let Some(oldest) = due.map(|one| place(records, one.record)).min() else {
        return Ok(());
    };
    let mut after = Behind::default();
    let later = records[oldest + 1..].iter();
    after
        .read(link, later.map(|record| record.run.as_str()))
        .await?;
    let about: BTreeSet<(String, String)> = compared
        .iter()
        .map(|one| (one.plan.subject.clone(), one.record.run.clone()))
        .collect();
    for one in compared.iter_mut().filter(|one| one.is_due()) {
        let runs = records[place(records, one.record) + 1..].iter();
        let runs = runs.map(|record| Later {
            behind: after.of(&record.run),
            same: about.contains(&(one.plan.subject.clone(), record.run.clone())),
        });
        one.excuse(&runs.collect::<Vec<_>>());
    }
    // Of one thing the last run that was about it has the word.
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for one in compared.iter_mut().rev().filter(|one| one.is_due()) {
        let run = place(records, one.record);
        let last = *told.entry(one.plan.subject.clone()).or_insert(run);
        if last != run && !one.plan.subject.is_empty() {
            one.pass_over("a later run was about the same");
        }
    }
    Ok(())
}

/// Which of the runs it is, in their order.
fn place(records: &[Record], record: &Record) -> usize {
    let found = records.iter().position(|one| one.run == record.run);
    found.unwrap_or_default()
}

async fn read_records(link: &mut ReadHost) -> Result<Vec<Record>, Stop> {
    let probe = records::probe();
    let answers = link.ask(std::slice::from_ref(&probe)).await?;
    let answer = answers.get(&probe);
    let text = answer.map_err(|error| Stop::new(Fault::Failed, error.to_string()))?;
    Ok(records::parse(&text.text()))
}

/// What runs left on record, by run.
#[derive(Default)]
struct Behind {
    runs: BTreeMap<String, LeftBehind>,
    nothing: LeftBehind,
}

impl Behind {
    async fn read<'a>(
        &mut self,
        link: &mut ReadHost,
        runs: impl Iterator<Item = &'a str>,
    ) -> Result<(), Stop> {
        let runs: Vec<&str> = runs.collect();
        let probes: Vec<Probe> = runs.iter().map(|run| left_behind::probe(run)).collect();
        let answers = link.ask(&probes).await?;
        for (run, probe) in runs.into_iter().zip(&probes) {
            // One that was cleared away meanwhile left nothing.
            if let Ok(answer) = answers.get(probe) {
                let behind = LeftBehind::parse(&answer.output);
                self.runs.insert(run.to_owned(), behind);
            }
        }
        Ok(())
    }

    fn of(&self, run: &str) -> &LeftBehind {
        self.runs.get(run).unwrap_or(&self.nothing)
    }
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
