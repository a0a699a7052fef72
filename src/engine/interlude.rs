//! Steps that change nothing: a question to the operator, a pause.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::worker::Worker;
use super::{Stop, apply};
use crate::event::{EventKind, Fault, StepResult};
use crate::plan::{HostPlan, StepPlan};
use crate::runbook::Interlude;

/// A question to the operator.
#[derive(Debug)]
pub struct Question {
    /// What is asked, with what to do before, in lines.
    pub text: String,
    /// Whether the answer is yes. Dropping it is no answer: then the host's work stops.
    pub answer: oneshot::Sender<bool>,
}

/// Who answers the questions of manual steps.
#[derive(Debug, Default)]
pub struct Answerer {
    /// Answers that were given before the run, by the step's id.
    pub given: BTreeMap<String, bool>,
    /// The same, but given to the run that this one goes on from: they count where nothing was changed since.
    pub earlier: BTreeMap<String, bool>,
    /// Where questions go; `None` when nobody is there.
    pub asked: Option<mpsc::UnboundedSender<Question>>,
}

impl Answerer {
    /// The question that nobody will answer, if there is one: then nothing may be begun.
    pub(super) fn lacks<'p>(&self, plan: &'p HostPlan) -> Option<&'p StepPlan> {
        if self.asked.is_some() {
            return None;
        }
        let mut is_as_left = true;
        plan.steps.iter().find(|step| {
            is_as_left &= !step.is_pending();
            step.is_question() && self.given_to(step, is_as_left).is_none()
        })
    }

    /// `is_as_left`: whether nothing was changed since the run that this one goes on from.
    fn given_to(&self, step: &StepPlan, is_as_left: bool) -> Option<bool> {
        let id = step.id.as_deref()?;
        let earlier = || self.earlier.get(id).filter(|_| is_as_left);
        self.given.get(id).or_else(earlier).copied()
    }
}

/// The end for a host whose plan holds a question that nobody can answer.
pub(super) fn unanswered(step: &StepPlan) -> Stop {
    let message = format!("{} asks a person: {}", step.number, step.name);
    let id = step.id.as_deref().unwrap_or_default();
    let hint = format!("run it in a terminal, or give the answer with --answer {id}=yes");
    Stop::new(Fault::NeedsHuman, message).hint(Some(hint))
}

impl Worker<'_> {
    /// Makes a step that changes nothing.
    pub(super) async fn interlude(
        &mut self,
        step: &StepPlan,
        interlude: &Interlude,
    ) -> Result<(), Stop> {
        if matches!(interlude, Interlude::Pause(time) if time.get().is_zero()) {
            return Ok(());
        }
        apply::tell_started(self.job, self.host.name.as_str(), step).await?;
        match interlude {
            Interlude::Ask { question, how } => self.ask(step, question, how.as_deref()).await?,
            Interlude::Pause(time) => self.wait(step, time.get()).await?,
        }
        self.tell(step, StepResult::Passed);
        Ok(())
    }

    async fn ask(
        &mut self,
        step: &StepPlan,
        question: &str,
        how: Option<&str>,
    ) -> Result<(), Stop> {
        let answerer = &self.job.answerer;
        let given = answerer.given_to(step, self.is_as_left());
        let (yes, by) = match given {
            Some(yes) => (yes, "--answer".to_owned()),
            None => (
                self.ask_operator(step, question, how).await?,
                self.job.card.operator.clone(),
            ),
        };
        self.job.events.tell(EventKind::Answered {
            host: self.host.name.to_string(),
            number: step.number,
            question: question.to_owned(),
            yes,
            by,
        });
        if yes {
            return Ok(());
        }
        let message = format!("the answer to \"{question}\" is no; nothing after it was done");
        self.tell_failed(step, Fault::NeedsHuman, &message, "");
        Err(Stop::new(
            Fault::NeedsHuman,
            format!("{}: {message}", step.number),
        ))
    }

    /// A question that was answered with yes in the run that this one resumes.
    pub(super) fn answered_before(&self, step: &StepPlan, interlude: &Interlude) {
        if let Interlude::Ask { question, .. } = interlude {
            self.job.events.tell(EventKind::Answered {
                host: self.host.name.to_string(),
                number: step.number,
                question: question.clone(),
                yes: true,
                by: "the run before".to_owned(),
            });
        }
    }

    /// Asks, and keeps the host's lock for as long as the operator thinks. Only they say yes or no: a stop, or a
    /// terminal that is gone, is neither.
    async fn ask_operator(
        &mut self,
        step: &StepPlan,
        question: &str,
        how: Option<&str>,
    ) -> Result<bool, Stop> {
        let (answer, answered) = oneshot::channel();
        let how = how.map(|how| format!("{how}\n")).unwrap_or_default();
        let text = format!("{}, {}: {how}{question}", self.host.name, step.number);
        let sent = match &self.job.answerer.asked {
            Some(asked) => asked.send(Question { text, answer }).is_ok(),
            None => false,
        };
        if !sent {
            return Err(unanswered(step));
        }
        self.step_aside();
        let yes = self.unless_gone(answered).await?.ok();
        let Some(yes) = yes.filter(|yes| *yes || !self.job.stopped()) else {
            let message = format!("stopped at the question of {}", step.number);
            return Err(Stop::new(Fault::Interrupted, message).hint(Some(self.job.goes_on())));
        };
        self.step_in().await?;
        Ok(yes)
    }

    async fn wait(&mut self, step: &StepPlan, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        // Said once, and true as long as it can be read.
        self.progress(step, &until(time, Timestamp::now()));
        self.step_aside();
        while Instant::now() < end {
            self.rest(end.saturating_duration_since(Instant::now()))
                .await?;
            if self.job.stopped() {
                let message = format!("stopped in the pause of {}", step.number);
                return Err(Stop::new(Fault::Interrupted, message));
            }
        }
        self.step_in().await
    }
}

fn until(time: Duration, now: Timestamp) -> String {
    let words = crate::value::Duration::seconds(time.as_secs());
    let end = i64::try_from(time.as_secs()).map(|seconds| now.as_second() + seconds);
    match end.map(Timestamp::from_second) {
        Ok(Ok(end)) => format!("waits {words}, until {}", end.strftime("%F %T UTC")),
        _ => format!("waits {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Call, Change, StepNumber, Undo, Verdict};
    use crate::plan::Outcome;
    use crate::risk::Risk;

    fn step(number: usize, outcome: Outcome) -> StepPlan {
        StepPlan {
            number: StepNumber(number),
            id: Some("tried".to_owned()),
            name: "x".to_owned(),
            subject: "x".to_owned(),
            risk: Risk::Low,
            guarded: false,
            outcome,
            notes: Vec::new(),
            expects: Vec::new(),
        }
    }

    #[test]
    fn an_answer_to_the_run_before_counts_unless_something_is_changed_before_the_question() {
        let call = || Call::new::<String>("hf_x", []);
        let change = Change::new("x", Vec::new(), call(), Undo::Call(call()));
        let ask = Interlude::Ask {
            question: "Does it work?".to_owned(),
            how: None,
        };
        let plan = |verdict: Verdict| HostPlan {
            host: "web".to_owned(),
            steps: vec![
                step(1, Outcome::Seen(verdict)),
                step(2, Outcome::Interlude(ask.clone())),
            ],
            unprivileged: false,
        };
        let (left, due) = (
            plan(Verdict::Compliant),
            plan(Verdict::Change(vec![change])),
        );
        let yes = BTreeMap::from([("tried".to_owned(), true)]);
        let mut answerer = Answerer {
            earlier: yes.clone(),
            ..Answerer::default()
        };
        assert_eq!(answerer.lacks(&left), None);
        assert_eq!(answerer.lacks(&due).map(|step| step.number.0), Some(2));
        answerer.given = yes;
        assert_eq!(answerer.lacks(&due), None);
    }

    #[test]
    fn the_end_of_a_pause_is_told_as_a_time() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        assert_eq!(
            until(Duration::from_hours(1), now),
            "waits 1h, until 2026-11-18 12:06:40 UTC"
        );
    }
}
