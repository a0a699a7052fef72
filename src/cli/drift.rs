//! `holdfast drift`: what is no longer as runs left it, by the hosts' own records.

use std::collections::BTreeMap;

use super::session::{self, Loaded, complain};
use super::setup::Intent;
use super::{Exit, args, drive};
use crate::event::Mode;
use crate::runbook::Runbook;
use crate::value::{Name, ValueError};

/// Flags of `drift`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    hosts: args::Hosts,
    #[command(flatten)]
    connections: args::Connections,
}

const HELP: &str = "\
Each host keeps the steps of the runs that changed something there. What they described is asked and
compared as in a dry run, with the values of then: the last run of the whole of each runbook counts,
and those of parts of it (--tags, --start-at) since; of the same thing in two runbooks the later run,
by the host's clock, and what was rolled back no more. What a later run made of a thing is no drift. The differences show what would put it back; nothing is written. Not compared:
commands that are run every time, what is on this machine (inventory, trusted host keys), and what a
run found as desired without changing anything on the host. Where the record of a run is gone or cut
short, that is said (exit code 3), and the rest compared.

Exit codes: 0 all is as it was left; 2 something is not; 3 something could not be looked at; 4 a host
could not be reached.";

pub(super) fn drift(args: &Args, output: &args::Output) -> Exit {
    let hosts = match session::hosts(&args.hosts) {
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
