//! `holdfast drift`: what is no longer as runs left it, by the hosts' own records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::session::{Loaded, complain};
use super::setup::Intent;
use super::{Exit, args, drive};
use crate::event::Mode;
use crate::inventory::{self, Host};
use crate::runbook::Runbook;
use crate::value::{Name, ValueError};

/// Flags of `drift`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(super) struct Args {
    /// Only these hosts: names, globs, groups, tags, `!exclusions`, separated by commas
    #[arg(short, long, env = "HOLDFAST_LIMIT", value_name = "HOSTS")]
    limit: Vec<String>,
    /// The inventory: a file, an executable, or a folder of them
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

const HELP: &str = "\
Each host keeps the steps of the runs that changed something there. What they described is asked and
compared as in a dry run, with the values of then: the last run of each runbook counts, of the same
thing in two runbooks the later run, and what was rolled back no more. What a later run made of a
thing is no drift. The differences show what would put it back; nothing is written. Not compared:
commands that are run every time, what is on this machine (inventory, trusted host keys), and what a
run found as desired without changing anything on the host.

Exit codes: 0 all is as it was left; 2 something is not; 3 something could not be looked at; 4 a host
could not be reached.";

pub(super) fn drift(args: &Args, output: &args::Output) -> Exit {
    let hosts = match hosts(args) {
        Ok(hosts) => hosts,
        Err(exit) => return exit,
    };
    let name = match "drift".parse() {
        Ok(name) => name,
        Err::<Name, ValueError>(error) => return complain(&error),
    };
    let loaded = Loaded {
        runbook: Runbook::nothing(name, "what is no longer as runs left it"),
        hosts,
        inputs: BTreeMap::new(),
        promise: None,
        undoes: None,
    };
    let intent = Intent {
        due: Exit::ChangesDue,
        ..Intent::new(Mode::Drift)
    };
    drive::start(loaded, intent, &args.connections, output)
}

fn hosts(args: &Args) -> Result<Vec<Host>, Exit> {
    let inventory = inventory::load(&args.inventory).map_err(|error| complain(&error))?;
    if !inventory.warnings().is_empty() {
        complain(inventory.warnings());
    }
    let chosen = inventory::select(&inventory, &args.limit).map_err(|error| complain(&error))?;
    Ok(chosen.into_iter().cloned().collect())
}
