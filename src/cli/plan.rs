//! `holdfast plan`: a dry run whose result is saved, to be shown, reviewed and applied later.

use std::path::PathBuf;

use super::drive;
use super::out::Out;
use super::session;
use super::setup::Intent;
use super::{Exit, args};
use crate::engine::GuardTerms;
use crate::event::Mode;

/// Flags of `plan`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Args {
    /// The runbook: a name from `holdfast list`, or a file
    #[arg(value_name = "RUNBOOK")]
    runbook: String,
    /// The file to save it in; only you can read it
    #[arg(short, long, env = "HOLDFAST_OUT", value_name = "FILE")]
    out: PathBuf,
    /// Put it in the place of a file that is there; never in that of a link, a device or a folder
    #[arg(long, env = "HOLDFAST_FORCE")]
    force: bool,
    /// Exit 2 when changes are due
    #[arg(long, env = "HOLDFAST_DETAILED_EXITCODE")]
    detailed_exitcode: bool,
    /// Accept published data that changed more than its guard allows, after a look at the difference
    #[arg(long, env = "HOLDFAST_ACCEPT_CHANGE")]
    accept_change: bool,
    /// Plan changes that cannot be taken back in guarded steps too
    #[arg(long, env = "HOLDFAST_ACCEPT_IRREVERSIBLE")]
    accept_irreversible: bool,
    #[command(flatten)]
    tags: args::Tags,
    #[command(flatten)]
    selection: args::Selection,
    #[command(flatten)]
    files: args::Files,
    #[command(flatten)]
    connections: args::Connections,
}

pub(super) fn plan(args: &Args, output: &args::Output) -> Exit {
    let loaded = match session::load_selected(&args.files, &args.selection, &args.runbook) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let out = match Out::prepare(&args.out, args.force, output.quiet) {
        Ok(out) => out,
        Err(exit) => return exit,
    };
    let intent = Intent {
        due: if args.detailed_exitcode {
            Exit::ChangesDue
        } else {
            Exit::Done
        },
        accept_change: args.accept_change,
        tags: args.tags.wanted.clone(),
        guard: GuardTerms {
            accept_irreversible: args.accept_irreversible,
            ..GuardTerms::default()
        },
        out: Some(out),
        ..Intent::new(Mode::DryRun)
    };
    drive::start(loaded, intent, &args.connections, output)
}
