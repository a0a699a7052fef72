//! The events of a run folded into what is known by now: the summary and the live view read this.

pub(super) use super::check_tally::CheckTally;
use super::plan_sum::unknown;
use super::warnings::Warnings;
use crate::change::Note;
use crate::event::{Event, EventKind, Fault, Fired, HostResult, Mode, StepResult, Unfinished};
use crate::plan::HostPlan;

/// What is known by now.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// From the first event.
    pub(super) run: Option<Run>,
    /// The selected hosts in order.
    pub(super) hosts: Vec<HostTally>,
    /// Data that a guard refused.
    pub(super) refused: Vec<Refused>,
    /// What was warned of, with the hosts that it is about.
    pub(super) warnings: Warnings,
    /// A host has restored itself.
    pub(super) restored: bool,
    /// A run had been cut off on a host.
    pub(super) cut_off: bool,
    /// The operator asked to stop.
    pub(super) interrupted: bool,
    /// From the last event.
    pub(super) end: Option<End>,
}

/// What the first event says.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The run's id.
    pub(super) id: String,
    /// The runbook's name.
    pub(super) runbook: String,
    /// What the run is for.
    pub(super) mode: Mode,
}

/// What the last event says.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// The exit code.
    pub(super) exit: u8,
    /// Milliseconds since the start.
    pub(super) millis: u64,
}

/// Data that a guard refused.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// Its name.
    pub(super) name: String,
    /// Which guard, and what it saw.
    pub(super) why: String,
    /// What to do.
    pub(super) hint: Option<String>,
}

/// What is known of a host.
#[derive(Debug, Clone, Default)]
pub(super) struct HostTally {
    /// Its name.
    pub(super) name: String,
    /// What its plan comes to.
    pub(super) plan: Option<PlanTally>,
    /// Whether a step failed, and was told.
    pub(super) failed: bool,
    /// How it ended.
    pub(super) result: Option<HostResult>,
    /// How its checks came out.
    pub(super) checks: CheckTally,
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlanTally {
    /// How many steps it has.
    pub(super) steps: usize,
    /// How many changes are known.
    pub(super) changes: usize,
    /// How many steps cannot be known yet.
    pub(super) unknown: usize,
    /// Whether a step keeps apply from starting.
    pub(super) blocked: bool,
}

impl Tally {
    /// Takes in an event.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted {
                run,
                runbook,
                mode,
                hosts,
                ..
            } => self.start(run, runbook, *mode, hosts),
            EventKind::DataRefused {
                name, why, hint, ..
            } => self.refused.push(Refused {
                name: name.clone(),
                why: why.clone(),
                hint: hint.clone(),
            }),
            EventKind::Interrupting => self.interrupted = true,
            EventKind::HostPlanned { plan } => self.planned(plan),
            EventKind::StepReplanned { host, step } => self.warnings.of_steps(host, &step.notes),
            EventKind::HostReached { host, notes, .. } => self.warnings.of_host(host, notes),
            EventKind::PlannedAgain { host, notes } => self.warnings.planned_again(host, notes),
            EventKind::StepFinished { host, result, .. } => {
                self.of(host).failed |= matches!(result, StepResult::Failed { .. });
            }
            EventKind::GuardFired { host, fired } => self.fired(host, fired),
            EventKind::UnfinishedFound { host, found } => self.cut_off(host, found),
            EventKind::Checked { host, proof, .. } => self.of(host).checks.count(proof),
            EventKind::HostFinished { host, result } => {
                self.of(host).result = Some(result.clone());
            }
            EventKind::RunFinished { exit, millis } => {
                self.end = Some(End {
                    exit: *exit,
                    millis: *millis,
                });
            }
            EventKind::DataReady { .. }
            | EventKind::PlanOpened(_)
            | EventKind::StepMoved { .. }
            | EventKind::HostConnecting { .. }
            | EventKind::UnfinishedSettled { .. }
            | EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::GuardArmed { .. }
            | EventKind::GuardProven { .. }
            | EventKind::GuardDisarmed { .. }
            | EventKind::GuardRefuted { .. }
            | EventKind::GuardAwaited { .. }
            | EventKind::Answered { .. }
            | EventKind::Guided { .. }
            | EventKind::Invoked { .. }
            | EventKind::Unknown => {}
        }
    }

    fn start(&mut self, id: &str, runbook: &str, mode: Mode, hosts: &[String]) {
        self.run = Some(Run {
            id: id.to_owned(),
            runbook: runbook.to_owned(),
            mode,
        });
        for host in hosts {
            self.of(host);
        }
    }

    fn planned(&mut self, plan: &HostPlan) {
        self.of(&plan.host).plan = Some(plan_tally(plan));
        for step in &plan.steps {
            self.warnings.of_steps(&plan.host, &step.notes);
        }
    }

    /// That an earlier run was cut off is news for everybody who reads only the summary.
    fn fired(&mut self, host: &str, fired: &Fired) {
        self.restored = true;
        if !fired.own {
            let text = format!("the guard of run {} had to restore it", fired.run);
            self.warnings.of_host(host, &[Note::warning(text)]);
        }
    }

    fn cut_off(&mut self, host: &str, found: &Unfinished) {
        self.cut_off = true;
        let text = format!("run {} was cut off there", found.run);
        self.warnings.of_host(host, &[Note::warning(text)]);
    }

    /// The tally of a host; one that was not announced is added.
    fn of(&mut self, host: &str) -> &mut HostTally {
        let at = self.hosts.iter().position(|known| known.name == host);
        let at = at.unwrap_or_else(|| {
            self.hosts.push(HostTally {
                name: host.to_owned(),
                ..HostTally::default()
            });
            self.hosts.len() - 1
        });
        &mut self.hosts[at]
    }

    /// The host's tally.
    pub(super) fn host(&self, name: &str) -> Option<&HostTally> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// What the run is for.
    pub(super) fn mode(&self) -> Mode {
        self.run.as_ref().map_or(Mode::Apply, |run| run.mode)
    }

    /// Whether every host has a plan or has ended.
    pub(super) fn is_surveyed(&self) -> bool {
        self.hosts
            .iter()
            .all(|host| host.plan.is_some() || host.result.is_some())
    }

    /// Whether the run ended, and well.
    pub(super) fn is_fine(&self) -> bool {
        self.end.is_some_and(|end| end.exit == 0)
    }

    /// Whether something was done on a host, or may have been.
    pub(super) fn touched(&self) -> bool {
        self.hosts.iter().any(|host| match &host.result {
            Some(HostResult::Changed { .. }) => true,
            Some(HostResult::Stopped { fault, changes, .. }) => {
                *changes > 0 || *fault == Fault::OutcomeUnknown
            }
            Some(
                HostResult::NothingToDo
                | HostResult::ChangesDue { .. }
                | HostResult::Verified
                | HostResult::Declined,
            )
            | None => false,
        })
    }

    /// Whether there is news: something changed, would change, or is not known to be as it was.
    pub(super) fn has_news(&self) -> bool {
        self.restored
            || self.cut_off
            || self.hosts.iter().any(|host| match &host.result {
                Some(HostResult::NothingToDo | HostResult::Verified) => false,
                Some(
                    HostResult::Changed { .. }
                    | HostResult::ChangesDue { .. }
                    | HostResult::Declined
                    | HostResult::Stopped { .. },
                )
                | None => true,
            })
    }

    /// The names of the hosts in order.
    pub(super) fn order(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.name.clone()).collect()
    }
}

impl HostTally {
    /// Whether this host is out because of refused data, which is told once for all.
    pub(super) fn lacks_data(&self, refused: &[Refused]) -> bool {
        match self.result {
            Some(HostResult::Stopped { fault, .. }) => {
                self.plan.is_none() && fault == Fault::NeedsHuman && !refused.is_empty()
            }
            None => !refused.is_empty(),
            Some(
                HostResult::NothingToDo
                | HostResult::ChangesDue { .. }
                | HostResult::Changed { .. }
                | HostResult::Verified
                | HostResult::Declined,
            ) => false,
        }
    }
}

fn plan_tally(plan: &HostPlan) -> PlanTally {
    PlanTally {
        steps: plan.steps.len(),
        changes: plan.count(),
        unknown: unknown(plan),
        blocked: plan.obstacle().is_some(),
    }
}

/// Whether one of the notes is a warning.
pub(super) fn warns(notes: &[Note]) -> bool {
    notes.iter().any(|note| note.warning)
}
