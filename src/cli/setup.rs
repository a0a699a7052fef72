//! What a run is made of before its first connection: its id, its journal, its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

use super::feed::LoadIntent;
use super::out::Out;
use super::session::{Loaded, complain};
use super::unfinished::{Fate, Undos};
use super::{Exit, args, paths};
use crate::engine::{Answerer, Asks, Gate, GuardTerms, Job};
use crate::event::{Events, Invocation, Mode, Serial};
use crate::journal::{self, Journal, RunId};
use crate::transport::{RunCard, SshOptions};
use crate::value::Name;

/// What a run is to do, in the words of the command line.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Intent {
    pub(super) mode: Mode,
    /// Nobody is there: refuse what needs a person.
    pub(super) unattended: bool,
    /// Ask before anything is changed.
    pub(super) ask: bool,
    /// Ask before any host is asked anything: the plan is not sealed by us, and nobody vouched for its digest.
    pub(super) ask_first: bool,
    /// What due changes mean for the exit code.
    pub(super) due: Exit,
    pub(super) accept_change: bool,
    pub(super) tags: Vec<Name>,
    /// How guarded steps are guarded.
    pub(super) guard: GuardTerms,
    /// Rehearse the guard and do nothing else.
    pub(super) rehearse: bool,
    /// Answers to manual steps, by id.
    pub(super) answers: BTreeMap<String, bool>,
    /// Those that were given to the run that this one goes on from.
    pub(super) earlier: BTreeMap<String, bool>,
    /// Once so many hosts have failed, no further one is begun.
    pub(super) max_fail: Option<usize>,
    /// Where the plan goes that a dry run makes.
    pub(super) out: Option<Out>,
    /// What becomes of runs that were cut off.
    pub(super) unfinished: Option<Fate>,
    /// Before which steps a person is asked.
    pub(super) asks: Asks,
    /// Steps that are passed over without asking, by host.
    pub(super) passes: BTreeMap<String, BTreeSet<String>>,
    /// Which hosts are worked on together.
    pub(super) serial: Serial,
    /// The step to begin with.
    pub(super) start_at: Option<String>,
    /// What the run was asked to do, for one that goes on from it.
    pub(super) invocation: Option<Invocation>,
    /// Runs that are to be taken back when this one is over.
    pub(super) undos: Undos,
    /// Runs that were cut off and are taken back right after this one.
    pub(super) comes_next: Vec<String>,
}

impl Intent {
    /// Nobody is asked, and nothing is unusual.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            unattended: false,
            ask: false,
            ask_first: false,
            due: Exit::Done,
            accept_change: false,
            tags: Vec::new(),
            guard: GuardTerms::default(),
            rehearse: false,
            answers: BTreeMap::new(),
            earlier: BTreeMap::new(),
            asks: Asks::Never,
            passes: BTreeMap::new(),
            serial: Serial::All,
            start_at: None,
            invocation: None,
            max_fail: None,
            out: None,
            unfinished: None,
            undos: Undos::default(),
            comes_next: Vec::new(),
        }
    }

    /// The intent of taking something back after this run, as often as one likes; with what comes after that.
    pub(super) fn of_undo(&self) -> impl Fn(Vec<String>) -> Self + use<> {
        let (unattended, ask, guard) = (self.unattended, self.ask, self.guard);
        move |comes_next| Self {
            unattended,
            ask,
            guard,
            comes_next,
            ..Self::new(Mode::Apply)
        }
    }

    /// Whether a person has named a run that this one goes on from, and is asked about its steps.
    pub(super) fn is_resumption(&self) -> bool {
        let named = |invocation: &Invocation| invocation.resumes.is_some();
        self.asks == Asks::Always && self.invocation.as_ref().is_some_and(named)
    }

    /// Which steps of its runbook it is about, in words; none when about all of them.
    fn part(&self) -> Option<String> {
        let tags = self.tags.iter().map(|tag| format!("--tags {tag}"));
        let start = self.start_at.iter();
        let words: Vec<String> = tags
            .chain(start.map(|step| format!("--start-at {step}")))
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// What loading its data must know.
    pub(super) fn loading(&self) -> LoadIntent {
        LoadIntent {
            unattended: self.unattended,
            accept_change: self.accept_change.then(operator),
        }
    }
}

/// Connections of a run; their sockets go with it.
pub(super) struct Links {
    pub(super) ssh: SshOptions,
    _control: paths::Control,
}

/// Prepares connections.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn links(connections: &args::Connections) -> Result<Links, Exit> {
    let unusable =
        |error: std::io::Error| complain(&format!("cannot prepare connections: {error}"));
    let control = paths::control().map_err(unusable)?;
    let limit = Duration::from_secs(connections.connect_timeout.into());
    let config = connections.ssh_config.as_deref();
    let ssh = SshOptions::prepare(control.path(), config, connections.forks.into(), limit)
        .map_err(unusable)?;
    Ok(Links {
        ssh,
        _control: control,
    })
}

/// The threads that hosts are worked on with.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn runtime() -> Result<Runtime, Exit> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.worker_threads(2).enable_all().build();
    built.map_err(|error| complain(&format!("cannot start: {error}")))
}

/// Where a job tells and listens.
pub(super) struct Wires {
    pub(super) events: Events,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) answerer: Answerer,
    pub(super) gate: Gate,
}

/// Puts the parts of a run together.
#[expect(
    clippy::too_many_arguments,
    reason = "the one place where the parts of a run meet"
)]
pub(super) fn job(
    loaded: Loaded,
    intent: &Intent,
    ssh: &SshOptions,
    run: &RunId,
    forks: u16,
    wires: Wires,
) -> Job {
    let card = RunCard {
        run: run.to_string(),
        runbook: loaded.runbook.name.to_string(),
        operator: operator(),
        started: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        undoes: loaded.undoes.as_ref().map(|undoes| undoes.run.clone()),
        part: intent.part(),
    };
    Job {
        runbook: loaded.runbook,
        hosts: loaded.hosts,
        inputs: loaded.inputs,
        undoes: loaded.undoes,
        promise: loaded.promise,
        max_fail: intent.max_fail,
        mode: intent.mode,
        tags: intent.tags.clone(),
        forks: forks.into(),
        places: Arc::new(Semaphore::new(usize::from(forks).max(1))),
        gate: wires.gate,
        start_at: intent.start_at.clone(),
        guard: intent.guard,
        ssh: ssh.clone(),
        card,
        events: wires.events,
        answerer: wires.answerer,
        is_over,
        stop: wires.stop,
        results: std::sync::Mutex::default(),
    }
}

/// Whether a run of this machine is over.
fn is_over(run: &str) -> bool {
    let run: Result<RunId, _> = run.parse();
    run.is_ok_and(|run| journal::is_over(&paths::state(), &run))
}

/// Sorts by time, to the millisecond: the first three of the six digits behind the second. The others are random.
pub(super) fn run_id() -> RunId {
    let now = Timestamp::now();
    let time = now.strftime("%Y%m%d-%H%M%S");
    let millisecond = now.subsec_millisecond();
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("{time}-{millisecond:03x}{}", &id[id.len() - 3..])
        .parse()
        .expect("digits, hyphens and hex are a run id")
}

pub(super) fn operator() -> String {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!(
        "{}@{}",
        user.unwrap_or_else(|| "root".to_owned()),
        machine.trim()
    )
}

/// The address that the operator's login on this machine came from; none at its own keyboard, and where sudo
/// took the variables away.
pub(super) fn login_from() -> Option<String> {
    let told = ["SSH_CONNECTION", "SSH_CLIENT"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    let address: IpAddr = told.split(' ').next()?.parse().ok()?;
    Some(address.to_string())
}

/// The journal of the run. A dry run also goes without: it changes nothing that must be on record.
pub(super) fn journal(run: &RunId, mode: Mode) -> Result<Option<Journal>, String> {
    match (Journal::create(&paths::state(), run), mode) {
        (Ok(journal), _) => Ok(Some(journal)),
        (Err(_), Mode::DryRun | Mode::Verify | Mode::Drift) => Ok(None),
        (Err(error), Mode::Apply) => Err(format!(
            "{error}\n  hint: without a journal nothing is changed"
        )),
    }
}
