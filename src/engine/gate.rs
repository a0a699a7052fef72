//! The gate before a step: a person is asked, and their answer decides how it goes on.
//!
//! Questions cross on a channel, nothing is printed here. While a person thinks the host's lock is kept, but no
//! guard is left armed: a person may take longer than any guard waits, so a guarded section is ended before
//! each question.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{mpsc, oneshot};

use super::worker::Worker;
use super::{Job, Stop, stopping};
use crate::event::{Choice, Deed, EventKind, Fault, StepQuestion};
use crate::plan::StepPlan;
use crate::risk::Risk;
use crate::runbook::Inputs;
use crate::transport::ShellWay;

/// Before which steps a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asks {
    /// Before none.
    #[default]
    Never,
    /// Before those of a high risk.
    Risky,
    /// Before every one.
    Always,
}

impl Asks {
    /// What is asked with a person there (`interactive`), who wants to be or not. All of a runbook with a high risk
    /// is asked about in any case.
    pub fn of(interactive: bool, wanted: bool, risk: Risk) -> Self {
        match (interactive, wanted || risk == Risk::High) {
            (false, _) => Asks::Never,
            (true, false) => Asks::Risky,
            (true, true) => Asks::Always,
        }
    }
}

/// Who is asked before steps.
#[derive(Debug, Default)]
pub struct Gate {
    /// Before which steps.
    pub asks: Asks,
    /// Where questions go.
    pub asked: Option<mpsc::UnboundedSender<Knock>>,
    /// Steps that are passed over without asking, by host, as [`HostPlan::key`](crate::plan::HostPlan::key) names them.
    pub passes: BTreeMap<String, BTreeSet<String>>,
}

/// What hosts tell the one who answers.
#[derive(Debug)]
pub enum Knock {
    /// A host asks.
    Asks(Box<Asked>),
    /// Nothing more is asked by this host.
    Leaves(String),
}

/// A host waits before a step.
#[derive(Debug)]
pub struct Asked {
    /// The host.
    pub host: String,
    /// What it waits with.
    pub question: StepQuestion,
    /// The inputs as they are there now; none where nothing was filled in.
    pub inputs: Option<Inputs>,
    /// How a person gets a shell there.
    pub shell: ShellWay,
    /// Where the answer goes. Dropping it stops the host's work; what was done stays.
    pub answer: oneshot::Sender<Decision>,
}

/// How it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Do it.
    Apply,
    /// Leave it out.
    Skip,
    /// Make the plan anew with these inputs; the one that was edited, and its value.
    Edit(Box<Inputs>, String, serde_json::Value),
    /// Look at it once more and ask again.
    Again,
    /// The same, after a shell on the host.
    Shell,
    /// Take the last step back and ask about that one.
    Back,
    /// Do this and all later steps without asking.
    Finish,
    /// Take back everything that was done here, and stop.
    Undo,
    /// Stop; what was done stays.
    Keep,
}

/// What an answer is kept by: it is an answer to this text alone.
pub fn answer_key(key: &str, question: &str) -> String {
    format!("{key}\n{question}")
}

impl Gate {
    /// Whether a host may come to a question.
    pub(super) fn is_manned(&self) -> bool {
        self.asks != Asks::Never && self.asked.is_some()
    }

    /// What is passed over on this host.
    pub(super) fn passes_of(&self, host: &str) -> BTreeSet<String> {
        self.passes.get(host).cloned().unwrap_or_default()
    }

    fn wants(&self, job: &Job, step: &StepPlan) -> bool {
        match self.asks {
            Asks::Never => false,
            Asks::Always => true,
            Asks::Risky => step.risk == Risk::High || job.runbook.risk == Risk::High,
        }
    }
}

impl Worker<'_> {
    /// Whether a person is asked before this step.
    pub(super) fn asks(&self, step: &StepPlan) -> bool {
        let gate = &self.job.gate;
        gate.is_manned() && !self.finishes() && gate.wants(self.job, step)
    }

    fn finishes(&self) -> bool {
        self.seat.as_ref().is_none_or(|seat| seat.finishes)
    }

    /// From here on nobody is asked.
    pub(super) fn finish(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.finishes = true;
        }
    }

    /// Asks, and keeps the host's lock for as long as the person thinks.
    ///
    /// # Errors
    /// When the operator asked to stop, nobody is there any more, or the host no longer answers.
    pub(super) async fn ask_person(&mut self, question: StepQuestion) -> Result<Decision, Stop> {
        let (job, number) = (self.job, question.step.number);
        let stopped = move || {
            let stop = Stop::new(Fault::Interrupted, format!("stopped before {number}"));
            stop.hint(Some(job.goes_on()))
        };
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            host: self.host.name.to_string(),
            question,
            inputs: self.ground.as_ref().map(|ground| ground.inputs.clone()),
            shell: ShellWay {
                host: self.way.host.clone(),
                ssh: self.way.ssh.clone(),
                socket: self.link.reader().socket(),
            },
            answer,
        };
        let to = self.seat.as_ref().and_then(|seat| seat.asked.as_ref());
        let sent = to.map(|to| to.send(Knock::Asks(Box::new(asked))));
        if !matches!(sent, Some(Ok(()))) {
            return Err(stopped());
        }
        self.step_aside();
        let stop = self.job.stop.clone();
        let decision = self.unless_gone(async {
            tokio::select! {
                biased;
                () = stopping(stop) => None,
                decision = answered => decision.ok(),
            }
        });
        let decision = decision.await?.ok_or_else(stopped)?;
        self.step_in().await?;
        if self.job.stopped() {
            return Err(stopped());
        }
        Ok(decision)
    }

    /// Tells what was chosen about a step.
    pub(super) fn tell_choice(&self, step: &StepPlan, choice: Choice) {
        let by = self.job.card.operator.clone();
        self.tell_deed(step, Deed::Chose { choice, by });
    }

    /// Tells what was done about a step because a person wanted it.
    pub(super) fn tell_deed(&self, step: &StepPlan, deed: Deed) {
        self.job.events.tell(EventKind::Guided {
            host: self.host.name.to_string(),
            number: step.number,
            id: step.id.clone(),
            name: step.name.clone(),
            deed: Box::new(deed),
        });
    }
}
