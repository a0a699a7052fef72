//! The way back in the middle of a run: the last step, or all that this run did on the host.
//!
//! What is taken back is performed like a step, with a folder of its own: the host's journal knows of it, and what
//! was guarded is guarded on its way back too, by a login as it was possible before.

use super::act::Act;
use super::due::timing_of;
use super::past::Entry;
use super::walk::Next;
use super::worker::Worker;
use super::{Stop, desk};
use crate::change::{Call, Change, StepNumber, Timing, Undo};
use crate::event::{Deed, Fault};
use crate::plan::StepPlan;
use crate::probe::{Answers, Probe};
use crate::transport::StepScript;

/// How long taking back the changes of one step may take, in seconds; a guard gives each change 120.
const LIMIT: u64 = 300;

impl Worker<'_> {
    /// Takes back what was decided last.
    ///
    /// # Errors
    /// When it cannot be taken back, or not all of it was.
    pub(super) async fn go_back(&mut self) -> Result<Next, Stop> {
        let (from, last) = self.past.last();
        let last = last.to_vec();
        let Some((key, timing)) = last.first().map(|entry| match entry {
            Entry::Did(act) => act.turn.clone(),
            Entry::Left { key, timing, .. } => (key.clone(), *timing),
        }) else {
            return Err(Stop::new(Fault::Failed, "nothing was decided before"));
        };
        let acts = last.iter().rev().filter_map(|entry| match entry {
            Entry::Did(act) => Some(act.as_ref().clone()),
            Entry::Left { .. } => None,
        });
        let acts = in_order_of_return(acts.collect());
        if let Some(why) = acts.iter().find_map(irreversible) {
            return Err(Stop::new(Fault::Failed, why));
        }
        for act in &acts {
            self.take_back(act).await?;
        }
        if acts.is_empty() {
            self.tell_undecided(&key);
        }
        self.past.forget_from(from);
        self.decide_anew(&key);
        self.known = self.past.known();
        self.reloaded.clear();
        self.proven = None;
        Ok(Next::BackTo(key, timing))
    }

    /// What the run comes to when the person has all of it taken back.
    pub(super) async fn undone(&mut self, number: StepNumber, failed: Option<Stop>) -> Stop {
        let (all, tried) = (in_order_of_return(self.past.acts()), self.past.tried());
        let (mut back, mut problems) = (0, Vec::new());
        for act in &all {
            match self.take_back(act).await {
                Ok(()) => back += act.count(),
                Err(stop) if stop.fault == Fault::OutcomeUnknown => return stop,
                Err(stop) => problems.push(stop.message),
            }
        }
        let by = &self.job.card.operator;
        let stopped = match failed {
            Some(stop) => format!("{}; stopped before {number} by {by}", stop.message),
            None => format!("stopped before {number} by {by}"),
        };
        if problems.is_empty() {
            let made = match back {
                0 => None,
                1 => Some("the change of this run".to_owned()),
                many => Some(format!("the {many} changes of this run")),
            };
            let all: Vec<String> = made.into_iter().chain(tried).collect();
            let end = match all.as_slice() {
                [] => "nothing had been done".to_owned(),
                [_] if back < 2 => format!("{} was taken back, and it is as before", all.join("")),
                _ => format!("{} were taken back, and it is as before", all.join(" and ")),
            };
            return Stop::new(Fault::Interrupted, format!("{stopped}; {end}"));
        }
        let message = format!(
            "{stopped}; not everything could be taken back: {}",
            problems.join("; ")
        );
        Stop::new(Fault::Failed, message)
    }

    /// Takes one step's changes back, and looks whether it is as before.
    async fn take_back(&mut self, act: &Act) -> Result<(), Stop> {
        let result = match irreversible(act) {
            Some(why) => Err(Stop::new(Fault::Failed, why)),
            None => self.reverse(act).await,
        };
        let problem = result.as_ref().err().map(|stop| stop.message.clone());
        let changes = act.count();
        if result.is_ok() {
            self.changes = self.changes.saturating_sub(changes);
            self.past.forget(act);
        }
        let failed = act.failed;
        let deed = Deed::TakenBack {
            changes,
            problem,
            failed,
        };
        self.tell_deed(&act.step, deed);
        result
    }

    async fn reverse(&mut self, act: &Act) -> Result<(), Stop> {
        let changes = reversed(&self.job.card.run, act);
        let due: Vec<&Change> = changes.iter().collect();
        let probes: Vec<Probe> = act.expects.iter().map(|one| one.probe.clone()).collect();
        if desk::is_for_here(&due) {
            let plan = StepPlan {
                expects: Vec::new(),
                ..act.step.clone()
            };
            let performed = desk::perform(self.job, self.host, &plan, &due, &probes).await;
            let answers = self.judge(&plan, performed)?;
            return as_before(act, &answers);
        }
        let forward = self.way.clone();
        if act.guarded {
            // A login as it was possible before.
            self.way = act.way.clone();
            self.give_time(None, None).await?;
        }
        match self.reverse_there(act, (&due, &probes)).await {
            Ok(answers) => as_before(act, &answers),
            Err(stop) => {
                let stop = self.taken_back(stop).await;
                self.way = forward;
                Err(stop)
            }
        }
    }

    async fn reverse_there(
        &mut self,
        act: &Act,
        (due, probes): (&[&Change], &[Probe]),
    ) -> Result<Answers, Stop> {
        let folder = self.folder_named(&format!("{}-back", act.step.number.0), timing_of(due));
        let limit = if act.guarded {
            self.job.guard.step_limit().as_secs().min(LIMIT)
        } else {
            LIMIT
        };
        let script = StepScript {
            number: act.step.number,
            name: &act.step.name,
            subject: &act.step.subject,
            folder: &folder,
            expects: &[],
            before: &[],
            changes: due,
            seconds: limit,
            guarded: act.guarded,
            ports: None,
        };
        let performed = self.link.perform(&script, probes, &|_| {}).await;
        let performed = performed.map_err(|error| {
            self.unknown(&act.step, &error.to_string(), "it was being taken back")
        })?;
        let answers = self.judge(&act.step, performed)?;
        self.end_section().await?;
        Ok(answers)
    }

    /// A step that was skipped is decided about anew.
    fn tell_undecided(&self, key: &str) {
        let is_it = |step: &&StepPlan| self.plan.key(step.number) == key;
        let step = self.plan.steps.iter().find(is_it);
        if let Some(step) = step {
            let deed = Deed::TakenBack {
                changes: 0,
                problem: None,
                failed: false,
            };
            self.tell_deed(step, deed);
        }
    }
}

/// Of the last first: reloads come when the files are back.
fn in_order_of_return(mut acts: Vec<Act>) -> Vec<Act> {
    acts.sort_by_key(|act| (act.timing == Timing::AtEnd, std::cmp::Reverse(act.before)));
    acts
}

fn irreversible(act: &Act) -> Option<String> {
    let mut changes = act.tries().flat_map(|(_, changes)| changes);
    changes.find_map(|change| match &change.undo {
        Undo::Impossible { why } => Some(format!(
            "{}: {} cannot be undone: {why}",
            act.step.number, change.summary
        )),
        Undo::Call(_) => None,
    })
}

/// The changes of an act the other way round, those of its last try first.
fn reversed(run: &str, act: &Act) -> Vec<Change> {
    let tries = act.tries().flat_map(|(folder, changes)| {
        let numbered = changes.iter().enumerate().rev();
        numbered.map(move |(index, change)| (format!("{folder}/{}", index + 1), change))
    });
    let back = tries.map(|(place, change)| {
        let summary = format!("take back: {}", change.summary);
        let shown = change
            .shown
            .iter()
            .map(|one| one.turned(&change.undo))
            .collect();
        if act.folder.is_empty() {
            let Undo::Call(undo) = change.undo.clone() else {
                return change.clone();
            };
            return Change::new(summary, shown, undo, Undo::Call(change.act.clone()));
        }
        let point = [run.to_owned(), place];
        let (take, give) = (
            Call::new("hf_take_back", point.clone()),
            Call::new("hf_give_again", point),
        );
        Change {
            timing: act.timing,
            ..Change::new(summary, shown, take, Undo::Call(give))
        }
    });
    back.collect()
}

/// Whether the host answers as it did before the act.
fn as_before(act: &Act, answers: &Answers) -> Result<(), Stop> {
    // A program that was run, and a reload, are not seen in any answer.
    let is_same = act.expects.iter().all(|expected| {
        let answer = answers.get(&expected.probe);
        answer.is_ok_and(|answer| answer.digest() == expected.digest)
    });
    if is_same {
        return Ok(());
    }
    let message = format!(
        "{} was taken back, but it is not as it was before",
        act.step.number
    );
    Err(Stop::new(Fault::Failed, message))
}
