//! `holdfast rollback`: an earlier run is taken back, by a run of its own made of the records on its hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::past::Past;
use super::session::{self, Loaded, complain};
use super::setup::Intent;
use super::unfinished::Fate;
use super::{Exit, args, ask, drive, paths, which_run};
use crate::change::StepNumber;
use crate::diagnostic::{Diagnostic, Source};
use crate::engine::{Asks, Undoes};
use crate::event::Mode;
use crate::inventory::Host;
use crate::journal::{Recording, RunId};
use crate::risk::Risk;
use crate::runbook::{Inputs, Runbook};
use crate::template::{Templates, Text};
use crate::value::Port;

/// Flags of `rollback`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Args {
    /// The run: its id, enough of its beginning or end, or `last`; with --limit also one of another machine
    #[arg(value_name = "RUN")]
    run: String,
    /// Only this step of the run; may be given several times
    #[arg(long = "step", env = "HOLDFAST_STEP", value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    steps: Vec<u16>,
    /// Remove packages that the run installed, too
    #[arg(long, env = "HOLDFAST_PACKAGES")]
    packages: bool,
    /// Show what would be taken back and write nothing
    #[arg(short = 'n', long, visible_aliases = ["check"], visible_short_alias = 'C', env = "HOLDFAST_DRY_RUN", conflicts_with = "yes")]
    dry_run: bool,
    /// Answer the question with yes
    #[arg(short, long, env = "HOLDFAST_YES")]
    yes: bool,
    /// Ask before each step, with its live diff
    #[arg(long, env = "HOLDFAST_GUIDED", conflicts_with_all = ["dry_run", "yes"])]
    guided: bool,
    /// With --dry-run: exit 2 when something would be taken back
    #[arg(long, env = "HOLDFAST_DETAILED_EXITCODE", requires = "dry_run")]
    detailed_exitcode: bool,
    /// What becomes of another run that was cut off on a host: a rollback of the same run is gone on from (what --yes
    /// does, too), it is taken back before this can be asked for again, or it stays as it is
    #[arg(
        long,
        env = "HOLDFAST_UNFINISHED",
        value_name = "WHAT",
        conflicts_with = "dry_run"
    )]
    unfinished: Option<Fate>,
    #[command(flatten)]
    guard: args::GuardTime,
    #[command(flatten)]
    hosts: args::Hosts,
    #[command(flatten)]
    connections: args::Connections,
}

const HELP: &str = "\
The changes of the run are taken back in the opposite order, by a run of its own: shown, asked, guarded, proven and
on record like any other, and it can be taken back itself. What was changed since is never overwritten: such a host
stops before anything is touched (exit code 8) and shows what moved; --step takes back the others. The records lie on
the hosts, so any machine can do it; what the run changed on the machine that it came from (inventory, trusted host
keys) is taken back from there only.";

pub(super) fn rollback(args: &Args, output: &args::Output) -> Exit {
    let mode = if args.dry_run {
        Mode::DryRun
    } else {
        Mode::Apply
    };
    let ask = mode == Mode::Apply && !args.yes;
    if ask && !ask::can_ask() {
        return complain("there is no terminal to ask on\n  hint: use --yes or --dry-run");
    }
    let asks = Asks::of(ask, args.guided, Risk::Low);
    let intent = Intent {
        ask: ask && asks != Asks::Always,
        asks,
        due: if args.detailed_exitcode {
            Exit::ChangesDue
        } else {
            Exit::Done
        },
        guard: args.guard.terms(false),
        unfinished: args.unfinished,
        ..Intent::new(mode)
    };
    match load(args) {
        Ok(loaded) => drive::start(loaded, intent, &args.connections, output),
        Err(exit) => exit,
    }
}

/// The run, its hosts, and what this machine knows of it.
fn load(args: &Args) -> Result<Loaded, Exit> {
    let (run, past) = run(args).map_err(|mistake| complain(&mistake))?;
    let past = past.unwrap_or_default();
    if matches!(past.mode, Some(Mode::DryRun | Mode::Verify)) {
        return Err(complain(&format!(
            "run {run} changed nothing: it was a dry run or a verification"
        )));
    }
    let hosts = hosts(args, &run, &past)?;
    let numbers = args.steps.iter();
    let undoes = Undoes {
        run: run.to_string(),
        steps: numbers.map(|number| StepNumber((*number).into())).collect(),
        packages: args.packages,
        here: BTreeMap::new(),
    };
    prepared(&run, past, hosts, undoes)
}

/// A run that was cut off on hosts, all of it.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn of_unfinished(run: &str, hosts: Vec<Host>) -> Result<Loaded, Exit> {
    let run: RunId = run.parse().map_err(|error| complain(&format!("{error}")))?;
    let past = Recording::read(&paths::state(), &run).map(|record| Past::of(record.events));
    let undoes = Undoes {
        run: run.to_string(),
        ..Undoes::default()
    };
    // One of another machine lies on the hosts alone.
    prepared(&run, past.unwrap_or_default(), hosts, undoes)
}

fn prepared(run: &RunId, past: Past, hosts: Vec<Host>, undoes: Undoes) -> Result<Loaded, Exit> {
    let none = Inputs::gather(&[], &BTreeMap::new(), None).map_err(|found| complain(&found))?;
    let inputs = hosts
        .iter()
        .map(|host| (host.name.to_string(), none.clone()));
    Ok(Loaded {
        runbook: runbook(run, &past).map_err(|mistake| complain(&mistake))?,
        inputs: inputs.collect(),
        hosts,
        promise: None,
        undoes: Some(Undoes {
            here: past.here,
            ..undoes
        }),
    })
}

/// The run that is meant. One that this machine knows nothing of lies on the hosts alone, and must be named whole.
fn run(args: &Args) -> Result<(RunId, Option<Past>), Diagnostic> {
    let state = paths::state();
    match which_run::find(&state, &args.run) {
        Ok(run) => {
            let recording = Recording::read(&state, &run)
                .map_err(|error| Diagnostic::error(error.to_string()))?;
            Ok((run, Some(Past::of(recording.events))))
        }
        Err(unknown) => match args.run.parse::<RunId>() {
            Ok(run) if !args.hosts.limit.hosts.is_empty() && args.run != "last" => Ok((run, None)),
            Ok(_) | Err(_) => Err(unknown.hint(
                "for a run of another machine name its hosts with --limit; `holdfast restore-points` lists what they know",
            )),
        },
    }
}

fn hosts(args: &Args, run: &RunId, past: &Past) -> Result<Vec<Host>, Exit> {
    let inventory = session::inventory(&args.hosts.inventory)?;
    let named = &args.hosts.limit.hosts;
    if !named.is_empty() {
        return session::select(&inventory, named);
    }
    let all = inventory.hosts().iter();
    let chosen: Vec<Host> = all
        .filter(|host| past.hosts.contains(host.name.as_str()))
        .cloned()
        .collect();
    let known: BTreeSet<&str> = chosen.iter().map(|host| host.name.as_str()).collect();
    let gone: Vec<&str> = past
        .hosts
        .iter()
        .map(String::as_str)
        .filter(|host| !known.contains(host))
        .collect();
    if !gone.is_empty() {
        let mistake = format!(
            "run {run} was about hosts that the inventory has no more: {}",
            gone.join(", ")
        );
        let hint = "name those that are left with --limit";
        return Err(complain(&Diagnostic::error(mistake).hint(hint)));
    }
    if chosen.is_empty() {
        return Err(complain(&format!(
            "run {run} began no step on any host: there is nothing to take back"
        )));
    }
    Ok(chosen)
}

/// What stands in the place of a runbook: its steps come from the hosts.
fn runbook(run: &RunId, past: &Past) -> Result<Runbook, Diagnostic> {
    let about = if past.words.is_empty() {
        String::new()
    } else {
        format!(" ({})", past.words)
    };
    let source = |text: String| Source::new("rollback", text);
    let port = |port: &Port| Text::of_file(&source(port.to_string()));
    let name = "rollback".parse();
    Ok(Runbook {
        name: name.map_err(|error| Diagnostic::error(format!("{error}")))?,
        summary: format!("take back run {run}{about}"),
        why: String::new(),
        risk: Risk::Medium,
        supports: Vec::new(),
        inputs: Vec::new(),
        data: Vec::new(),
        also_try_ports: past.ports.iter().map(port).collect(),
        steps: Vec::new(),
        verify: Vec::new(),
        source: source(run.to_string()),
        templates: Templates::default(),
    })
}
