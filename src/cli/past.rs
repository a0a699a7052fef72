//! What the journal on this machine knows of a run that is to be taken back: its hosts, what it changed here, the
//! ports that its hosts were reached by.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{StepNumber, Verdict};
use crate::engine::HereChange;
use crate::event::{Event, EventKind, Mode, StepResult};
use crate::here::is_here;
use crate::plan::StepPlan;
use crate::value::Port;

/// A run of the past.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// What it was for.
    pub(super) mode: Option<Mode>,
    /// Runbook, operator and time, in words.
    pub(super) words: String,
    /// Hosts on which it began a step.
    pub(super) hosts: BTreeSet<String>,
    /// What it changed on this machine, by host, in order.
    pub(super) here: BTreeMap<String, Vec<HereChange>>,
    /// Ports of sshd that its hosts listened on.
    pub(super) ports: BTreeSet<Port>,
}

impl Past {
    /// Reads it from the events of the run.
    pub(super) fn of(events: Vec<Event>) -> Self {
        let mut past = Self::default();
        let mut plans: BTreeMap<(String, StepNumber), StepPlan> = BTreeMap::new();
        for event in events {
            match event.kind {
                EventKind::RunStarted {
                    runbook,
                    operator,
                    mode,
                    ..
                } => {
                    past.mode = Some(mode);
                    let at = event.at.strftime("%F %T UTC");
                    past.words = format!("{runbook}, {operator}, {at}");
                }
                EventKind::HostReached { facts, .. } => past.ports.extend(facts.sshd.ports),
                EventKind::GuardProven { port, .. } => {
                    past.ports
                        .extend(port.and_then(|port| Port::try_from(port).ok()));
                }
                EventKind::HostPlanned { plan } => {
                    for step in plan.steps {
                        plans.insert((plan.host.clone(), step.number), step);
                    }
                }
                EventKind::StepReplanned { host, step } => {
                    plans.insert((host, step.number), *step);
                }
                EventKind::StepStarted { host, .. } => {
                    past.hosts.insert(host);
                }
                EventKind::StepFinished {
                    host,
                    number,
                    result: StepResult::Done { .. },
                    ..
                } => {
                    let step = plans.get(&(host.clone(), number));
                    let changes = step.map(here_changes).unwrap_or_default();
                    past.here.entry(host).or_default().extend(changes);
                }
                _ => {}
            }
        }
        past
    }
}

/// Those of a step that were made on this machine.
fn here_changes(step: &StepPlan) -> Vec<HereChange> {
    let changes = step.verdict().map(Verdict::changes).unwrap_or_default();
    let here = changes
        .iter()
        .filter(|change| is_here(&change.act.function));
    let change = |change: &crate::change::Change| HereChange {
        step: step.number,
        name: step.name.clone(),
        subject: step.subject.clone(),
        change: change.clone(),
    };
    here.map(change).collect()
}
