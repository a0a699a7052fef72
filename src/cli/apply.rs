//! `holdfast apply`: a saved plan is performed, exactly it. Every host is looked at again; where its plan is no
//! longer the same, what moved is shown and nothing is done.

use std::path::PathBuf;

use super::session::complain;
use super::setup::Intent;
use super::unfinished::Fate;
use super::{Exit, args, ask, batches, drive, run, saved};
use crate::engine::Asks;
use crate::event::Mode;

/// Flags of `apply`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file that `holdfast plan` saved
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    consent: args::Consent,
    /// Ask before each step, with its live diff
    #[arg(long, visible_alias = "step", env = "HOLDFAST_GUIDED", conflicts_with_all = ["yes", "unattended"])]
    guided: bool,
    /// Perform it only if this is its digest, as `holdfast show` tells it
    #[arg(long, env = "HOLDFAST_SHA256", value_name = "HEX")]
    sha256: Option<String>,
    /// On a host that moved, make the steps that neither moved nor may rest on one that did
    #[arg(long, env = "HOLDFAST_KEEP_GOING")]
    keep_going: bool,
    #[command(flatten)]
    batches: args::Batches,
    #[command(flatten)]
    answers: args::Answers,
    /// What becomes of an earlier run that was cut off on a host: this run goes on from it (what --yes and
    /// --unattended do where nothing is done again blindly), it is taken back, or it stays as it is
    #[arg(long, env = "HOLDFAST_UNFINISHED", value_name = "WHAT")]
    unfinished: Option<Fate>,
    #[command(flatten)]
    guard: args::GuardTime,
    #[command(flatten)]
    hosts: args::Hosts,
    #[command(flatten)]
    connections: args::Connections,
}

pub(super) fn apply(args: &Args, output: &args::Output) -> Exit {
    let ask = !args.consent.yes && !args.consent.unattended;
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
        hosts: &args.hosts,
        keep_going: args.keep_going,
    };
    let loaded = saved::load(&args.file, &opened, &wanted)?;
    let terms = &opened.plan.terms;
    let asks = Asks::of(ask, args.guided, loaded.runbook.risk);
    let intent = Intent {
        unattended: args.consent.unattended,
        ask: ask && asks != Asks::Always,
        ask_first: ask && args.sha256.is_none() && !saved::is_ours(&opened),
        asks,
        tags: terms.tags.clone(),
        guard: args.guard.terms(terms.accept_irreversible),
        answers: args.answers.by_id(),
        max_fail: args.batches.max_fail(),
        serial: args.batches.serial.clone().unwrap_or_default(),
        unfinished: args.unfinished,
        ..Intent::new(Mode::Apply)
    };
    let mistake = run::unasked(&loaded.runbook, &intent)
        .or_else(|| batches::mistake(&intent.serial, &loaded.hosts));
    match mistake {
        Some(mistake) => Err(complain(&mistake)),
        None => Ok((loaded, intent)),
    }
}
