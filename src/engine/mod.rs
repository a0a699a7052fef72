//! A run over many hosts: connect, survey, apply, verify. Tells events, prints nothing.

mod act;
mod apply;
mod as_left;
mod back;
mod compare;
mod connect;
mod desk;
mod drift;
mod due;
mod each;
mod elsewhere;
mod earlier;
mod edit;
mod gate;
mod guard;
mod guided;
mod interlude;
mod max_fail;
mod last_look;
mod left_behind;
mod new_login;
mod occupied;
mod outside;
mod past;
mod promise;
mod proof;
mod question;
mod records;
mod recover;
mod rehearsal;
mod restore;
mod seat;
mod settle;
mod split;
mod start;
mod step;
mod stop;
mod survey;
mod take_back;
mod unfinished;
mod verify;
mod walk;
mod whole;
mod worker;

pub use gate::{Asked, Asks, Decision, Gate, Knock, answer_key};
pub use guard::GuardTerms;
pub use promise::{Promise, Promised};
pub use restore::{HereChange, Pruned, Undoes};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use self::new_login::Logins;
use crate::event::{EventKind, Events, Fault, HostResult, Mode, Unfinished};
use crate::facts::Facts;
use crate::inventory::Host;
use crate::plan::HostPlan;
use crate::probe::Answers;
use crate::runbook::{Inputs, Rendered, Runbook};
use crate::transport::{ReadHost, RunCard, SshOptions};
use crate::value::Name;

pub use interlude::{Answerer, Question};
pub(crate) use stop::Stop;
use stop::{interrupted, pause, stopping};

/// What a run is to do, the same for all hosts.
#[derive(Debug)]
pub struct Job {
    /// The runbook.
    pub runbook: Runbook,
    /// The hosts, in the order of the inventory.
    pub hosts: Vec<Host>,
    /// The inputs' values by host name.
    pub inputs: BTreeMap<String, Inputs>,
    /// The run that it takes back; then the steps come from the hosts' own records.
    pub undoes: Option<Undoes>,
    /// What it is for.
    pub mode: Mode,
    /// Only steps with one of these tags; all when empty.
    pub tags: Vec<Name>,
    /// The step to begin with: a number, an id or a name; those before it are left out.
    pub start_at: Option<String>,
    /// Hosts that are worked on at the same time.
    pub forks: usize,
    /// The places of those that work at the same time, where hosts that wait for a person take none.
    pub places: Arc<Semaphore>,
    /// Who is asked before steps.
    pub gate: Gate,
    /// How guarded steps are guarded.
    pub guard: GuardTerms,
    /// The saved plans that are to be performed; none: whatever the hosts need.
    pub promise: Option<Promise>,
    /// Once so many hosts have failed, no further one is begun; none: whatever happens.
    pub max_fail: Option<usize>,
    /// How connections are made.
    pub ssh: SshOptions,
    /// Who runs what, for the hosts' own records.
    pub card: RunCard,
    /// Where events go.
    pub events: Events,
    /// Who answers the questions of manual steps.
    pub answerer: Answerer,
    /// Whether a run of this machine is over, by its id: then nobody here holds a host for it any more.
    pub is_over: fn(&str) -> bool,
    /// True once the operator asked to stop: the running step ends, nothing more starts.
    pub stop: watch::Receiver<bool>,
    /// How each host ended; starts empty.
    pub results: Mutex<BTreeMap<String, HostResult>>,
}

/// A host that answered.
#[derive(Debug)]
pub struct Connected {
    host: Host,
    link: ReadHost,
    facts: Facts,
    /// The connections that were made to it.
    logins: Logins,
    /// Runs that were cut off there and of which nothing was decided yet.
    unfinished: Vec<Unfinished>,
    /// Those that this run goes on from.
    resumes: Vec<String>,
}

impl Connected {
    /// The host in the inventory.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its facts.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// A host whose plan is made.
#[derive(Debug)]
pub struct Surveyed {
    host: Host,
    link: ReadHost,
    logins: Logins,
    facts: Facts,
    inputs: Inputs,
    rendered: Rendered,
    /// The run's data, for another look with fresh facts.
    data: Arc<Value>,
    /// What the plan was made from.
    pub answers: Answers,
    /// How the host ends whatever is done: a part of the saved plan was left out.
    stale: Option<Stop>,
    /// Runs that were cut off there and that this one goes on from.
    resumes: Vec<String>,
    /// The steps as they are for this host, as YAML; empty when nothing is due.
    concrete: String,
    /// What it answered to all that was asked: an expectation in JSON a line.
    start: String,
    /// What taking a run back comes to.
    returns: Option<restore::Returns>,
    /// The plan.
    pub plan: HostPlan,
}

impl Surveyed {
    /// The host in the inventory.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl Job {
    /// Whether `--tags` asks for what has these tags.
    fn wants(&self, tags: &[Name]) -> bool {
        self.tags.is_empty() || tags.iter().any(|tag| self.tags.contains(tag))
    }

    /// How each host ended so far. A host without a result has a task that broke down.
    pub fn results(&self) -> BTreeMap<String, HostResult> {
        self.results
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn finish(&self, host: &Host, result: HostResult) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.insert(host.name.to_string(), result.clone());
        drop(results);
        self.events.tell(EventKind::HostFinished {
            host: host.name.to_string(),
            result,
        });
    }

    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Connects to all hosts and reads their facts. Hosts that cannot be worked with are told as
    /// finished; the others come back in order.
    pub async fn connect(self: &Arc<Self>) -> Vec<Connected> {
        let job = self.clone();
        self.each(self.hosts.clone(), move |host| {
            connect::connect(job.clone(), host)
        })
        .await
    }

    /// Makes each host's plan. Hosts whose plan cannot be made are told as finished.
    pub async fn survey(self: &Arc<Self>, connected: Vec<Connected>, data: Value) -> Vec<Surveyed> {
        let (job, data) = (self.clone(), Arc::new(data));
        self.each(connected, move |host| {
            survey::survey(job.clone(), host, data.clone())
        })
        .await
    }

    /// Performs the plans and verifies, and tells how each host ended.
    pub async fn apply(self: &Arc<Self>, surveyed: Vec<Surveyed>) {
        let job = self.clone();
        // Hosts that wait for a person all wait together; their places are counted at the gate.
        let at_once = if self.gate.is_manned() {
            surveyed.len()
        } else {
            self.forks
        };
        self.each_of(at_once, surveyed, move |host| {
            apply::apply(job.clone(), host)
        })
        .await;
    }

    /// Makes the runbook's checks on hosts without changing them, and tells how each host ended.
    pub async fn verify(self: &Arc<Self>, surveyed: Vec<Surveyed>) {
        let job = self.clone();
        self.each(surveyed, move |host| verify::verify_only(job.clone(), host))
            .await;
    }

    /// Ends hosts on which nothing is done, with one result for each.
    pub async fn leave(
        self: &Arc<Self>,
        surveyed: Vec<Surveyed>,
        result: impl Fn(&HostPlan) -> HostResult,
    ) {
        for host in surveyed {
            self.finish(&host.host, result(&host.plan));
            host.link.close().await;
        }
    }

    /// Ends hosts before their plan was made, because of `message`.
    pub async fn abandon(self: &Arc<Self>, connected: Vec<Connected>, fault: Fault, message: &str) {
        for host in connected {
            self.finish(&host.host, Stop::new(fault, message).into());
            host.link.close().await;
        }
    }

    /// Ends all hosts before any was asked anything: the operator said no, or, when `interrupted`, nothing.
    pub fn decline_all(&self, interrupted: bool) {
        for host in &self.hosts {
            let result = if interrupted {
                Stop::new(Fault::Interrupted, "stopped before anything was done").into()
            } else {
                HostResult::Declined
            };
            self.finish(host, result);
        }
    }

    /// Ends a connection without a result.
    pub async fn release(&self, connected: Connected) {
        connected.link.close().await;
    }
}
