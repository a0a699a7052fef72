//! `holdfast apply`: a saved plan is performed, exactly it. Every host is looked at again; where its plan is no
//! longer the same, what moved is shown and nothing is done.

use std::path::PathBuf;

use super::session::complain;
use super::setup::Intent;
use super::unfinished::Fate;
use super::{Exit, args, ask, drive, run, saved};
use crate::engine::{Asks, GuardTerms};
use crate::event::Mode;
use crate::value::Duration;

/// Flags of `apply`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Args {
    /// The file that `holdfast plan` saved
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Answer the question with yes
    #[arg(short, long, env = "HOLDFAST_YES")]
    yes: bool,
    /// Ask before each step, with its live diff
    #[arg(long, visible_alias = "step", env = "HOLDFAST_GUIDED", conflicts_with_all = ["yes", "unattended"])]
    guided: bool,
    /// For cron and timers: no question, silent when nothing changed, refuses what needs a person
    #[arg(long, env = "HOLDFAST_UNATTENDED")]
    unattended: bool,
    /// Perform it only if this is its digest, as `holdfast show` tells it
    #[arg(long, env = "HOLDFAST_SHA256", value_name = "HEX")]
    sha256: Option<String>,
    /// On a host that moved, make the steps that neither moved nor may rest on one that did
    #[arg(long, env = "HOLDFAST_KEEP_GOING")]
    keep_going: bool,
    /// Hosts of one batch, `N` or `all`: the next batch begins when the one before has ended
    #[arg(long, env = "HOLDFAST_SERIAL", value_name = "N|all", value_parser = args::serial)]
    serial: Option<args::Serial>,
    /// Begin no further host once N have failed; those that moved or cannot be reached count
    #[arg(long, env = "HOLDFAST_MAX_FAIL", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_fail: Option<u16>,
    /// The answer to the question of a manual step, by the step's id: `ID=yes` or `ID=no`
    #[arg(
        long = "answer",
        env = "HOLDFAST_ANSWER",
        value_delimiter = ',',
        value_name = "ID=ANSWER",
        value_parser = run::answer
    )]
    answers: Vec<(String, bool)>,
    /// What becomes of an earlier run that was cut off on a host: this run goes on from it (what --yes and
    /// --unattended do where nothing is done again blindly), it is taken back, or it stays as it is
    #[arg(long, env = "HOLDFAST_UNFINISHED", value_name = "WHAT")]
    unfinished: Option<Fate>,
    /// How long a host waits for a new login before it takes guarded changes back, from 10s to 1h
    #[arg(long, env = "HOLDFAST_GUARD_TIME", default_value = "2m", value_name = "TIME", value_parser = args::guard_time)]
    guard_time: Duration,
    /// Only these of its hosts: names, globs, groups, tags, `!exclusions`, separated by commas
    #[arg(short, long, env = "HOLDFAST_LIMIT", value_name = "HOSTS")]
    limit: Vec<String>,
    /// The inventory, which says how the hosts are reached now
    #[arg(
        short,
        long,
        env = "HOLDFAST_INVENTORY",
        default_value = "inventory",
        value_name = "PATH"
    )]
    inventory: PathBuf,
    #[command(flatten)]
    connections: args::Connections,
}

pub(super) fn apply(args: &Args, output: &args::Output) -> Exit {
    let ask = !args.yes && !args.unattended;
    if ask && !ask::can_ask() {
        return complain(
            "there is no terminal to ask on\n  hint: use --yes or --unattended, or look at it with `holdfast show`",
        );
    }
    prepared(args, ask).map_or_else(
        |exit| exit,
        |(loaded, intent)| drive::start(loaded, intent, &args.connections, output),
    )
}

fn prepared(args: &Args, ask: bool) -> Result<(super::session::Loaded, Intent), Exit> {
    let opened = saved::open(&args.file)?;
    saved::trusted(&opened, args.sha256.as_deref(), !ask)?;
    let wanted = saved::Wanted {
        inventory: &args.inventory,
        limit: &args.limit,
        keep_going: args.keep_going,
    };
    let loaded = saved::load(&args.file, &opened, &wanted)?;
    let terms = &opened.plan.terms;
    let asks = Asks::of(ask, args.guided, loaded.runbook.risk);
    let intent = Intent {
        unattended: args.unattended,
        ask: ask && asks != Asks::Always,
        asks,
        tags: terms.tags.clone(),
        guard: GuardTerms {
            time: args.guard_time.get(),
            accept_irreversible: terms.accept_irreversible,
        },
        answers: args.answers.iter().cloned().collect(),
        max_fail: args.max_fail.map(usize::from),
        serial: args.serial.and_then(args::Serial::most),
        unfinished: args.unfinished,
        ..Intent::new(Mode::Apply)
    };
    match run::unasked(&loaded.runbook, &intent) {
        Some(mistake) => Err(complain(&mistake)),
        None => Ok((loaded, intent)),
    }
}
