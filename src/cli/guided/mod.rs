//! Guided runs: hosts that wait before the same step with the same changes are put to the person as one.
//!
//! A question is asked when every host of the batch waits or has ended, so that hosts stay side by side and none
//! is asked about twice; of those that wait, the ones that are furthest behind come first.

mod answer;
mod talk;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::answer::Scope;
use self::talk::Talk;
use super::batches::batches;
use super::results::not_begun;
use super::sinks::Teller;
use crate::change::StepNumber;
use crate::engine::{Asked, Decision, Job, Knock, Question, Surveyed};
use crate::event::{HostResult, Serial};
use crate::report::looks_alike;

/// Hears what hosts ask on their way.
pub(super) struct Ears {
    /// Questions of manual steps.
    questions: UnboundedReceiver<Question>,
    /// Hosts before a step.
    knocks: UnboundedReceiver<Knock>,
    /// Which hosts are worked on together.
    serial: Serial,
    /// What every host is told from now on.
    verdict: Option<Verdict>,
    /// Whether somebody chose to stop.
    stopped: bool,
    /// Whether nobody is there any more.
    gone: bool,
    /// Hosts where the run had ended, with changes, when all of it was to be taken back.
    beyond_undo: Vec<String>,
}

/// What every host is told without another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Finish,
    Undo,
    Keep,
}

/// The other ends of [`Ears`].
pub(super) type Mouths = (UnboundedSender<Question>, UnboundedSender<Knock>);

impl Ears {
    /// Ears, and what is spoken into.
    pub(super) fn new(serial: Serial) -> (Self, Mouths) {
        let (asked, questions) = unbounded_channel();
        let (knock, knocks) = unbounded_channel();
        let ears = Self {
            questions,
            knocks,
            serial,
            verdict: None,
            stopped: false,
            gone: false,
            beyond_undo: Vec::new(),
        };
        (ears, (asked, knock))
    }

    /// Performs the plans batch by batch, and asks the person what hosts ask on the way.
    pub(super) async fn apply(&mut self, job: &Arc<Job>, teller: &Teller, surveyed: Vec<Surveyed>) {
        let mut batches = batches(&self.serial, surveyed, Surveyed::host);
        while !self.stopped && !*job.stop.borrow() {
            let Some(batch) = batches.pop_front() else {
                return;
            };
            let hosts = batch.iter().map(|host| host.plan.host.clone()).collect();
            self.attend(job, teller, hosts, job.apply(batch)).await;
        }
        let rest = batches.into_iter().flatten().collect();
        job.leave(rest, not_begun).await;
    }

    /// What is left to say in the end.
    pub(super) fn last_word(&self, run: &str) -> Option<String> {
        let hosts = self.beyond_undo.join(",");
        (!hosts.is_empty()).then(|| {
            format!(
                "What this run did on {} stays, for it had ended there already: `holdfast rollback {run} --host {hosts}` takes it back.",
                self.beyond_undo.join(", ")
            )
        })
    }

    async fn attend(
        &mut self,
        job: &Arc<Job>,
        teller: &Teller,
        mut present: BTreeSet<String>,
        work: impl Future<Output = ()>,
    ) {
        let mut work = std::pin::pin!(work);
        let mut waiting: BTreeMap<String, Asked> = BTreeMap::new();
        let mut talk: Option<Pin<Box<dyn Future<Output = Talk> + '_>>> = None;
        loop {
            if talk.is_none() && !waiting.is_empty() && waiting.len() == present.len() {
                let group = next_group(&mut waiting, job);
                talk = Some(Box::pin(talk::talk(job, teller, group)));
            }
            tokio::select! {
                () = &mut work => return,
                Some(question) = self.questions.recv(), if talk.is_none() => {
                    talk = Some(Box::pin(talk::question(teller, question)));
                }
                Some(knock) = self.knocks.recv() => match knock {
                    Knock::Leaves(host) => {
                        present.remove(&host);
                        waiting.remove(&host);
                    }
                    // Dropped, it stops where it is.
                    Knock::Asks(_) if self.gone => {}
                    Knock::Asks(asked) => match self.verdict {
                        Some(verdict) => answer(*asked, verdict.into()),
                        None => {
                            waiting.insert(asked.host.clone(), *asked);
                        }
                    },
                },
                over = ended(&mut talk) => {
                    talk = None;
                    self.take(&over, job, &mut waiting);
                }
            }
        }
    }

    /// Passes on what came of a talk.
    fn take(&mut self, talk: &Talk, job: &Job, waiting: &mut BTreeMap<String, Asked>) {
        if let Some((verdict, scope)) = talk.verdict {
            self.stopped |= verdict != Verdict::Finish;
            if scope == Scope::All {
                self.verdict = Some(verdict);
                if verdict == Verdict::Undo {
                    self.beyond_undo = changed_before(job);
                }
                let all = std::mem::take(waiting);
                for asked in all.into_values() {
                    answer(asked, verdict.into());
                }
            }
        }
        if talk.gone {
            // Nobody can answer any more: every host stops where it is.
            (self.stopped, self.gone) = (true, true);
            waiting.clear();
        }
    }
}

impl From<Verdict> for Decision {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Finish => Decision::Finish,
            Verdict::Undo => Decision::Undo,
            Verdict::Keep => Decision::Keep,
        }
    }
}

/// Hosts that have ended and where something was changed.
fn changed_before(job: &Job) -> Vec<String> {
    let results = job.results().into_iter();
    let changed = results.filter(|(_, result)| match result {
        HostResult::Changed { changes } | HostResult::Stopped { changes, .. } => *changes > 0,
        HostResult::NothingToDo
        | HostResult::ChangesDue { .. }
        | HostResult::Verified
        | HostResult::Declined => false,
    });
    changed.map(|(host, _)| host).collect()
}

fn answer(asked: Asked, decision: Decision) {
    // The host may have ended meanwhile.
    let _ = asked.answer.send(decision);
}

/// What a talk came to, when there is one.
async fn ended(talk: &mut Option<Pin<Box<dyn Future<Output = Talk> + '_>>>) -> Talk {
    match talk {
        Some(talk) => talk.await,
        None => std::future::pending().await,
    }
}

/// The hosts that are asked about next: furthest behind, and in the same words.
fn next_group(waiting: &mut BTreeMap<String, Asked>, job: &Job) -> Vec<Asked> {
    let place = |asked: &Asked| -> (bool, StepNumber, usize) {
        let host = |host: &crate::inventory::Host| host.name.as_str() == asked.host;
        let order = job.hosts.iter().position(host).unwrap_or(usize::MAX);
        (asked.question.at_end, asked.question.step.number, order)
    };
    let first = waiting.values().min_by_key(|asked| place(asked));
    let Some(question) = first.map(|asked| asked.question.clone()) else {
        return Vec::new();
    };
    let alike = waiting.extract_if(.., |_, asked| looks_alike(&asked.question, &question));
    let mut group: Vec<Asked> = alike.map(|(_, asked)| asked).collect();
    group.sort_by_key(|asked| place(asked));
    group
}
