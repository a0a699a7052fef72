//! `holdfast lint`: every mistake of runbooks and inventory, without asking any host.

use std::io::Write as _;

use super::session::{complain_about, print};
use super::{Exit, args};
use crate::diagnostic::Diagnostics;
use crate::inventory;
use crate::runbook::{Library, LibraryError};

/// Flags of `lint`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    files: args::Files,
    /// Runbooks by name or file; all of them, and the inventory, when none is named
    #[arg(value_name = "RUNBOOK")]
    names: Vec<String>,
}

pub(super) fn lint(args: &Args, _: &args::Output) -> Exit {
    let library = match Library::open(&args.files.runbooks.folder) {
        Ok(library) => library,
        Err(error) => return complain_about(&error),
    };
    let all = args.names.is_empty();
    let names: Vec<String> = if all {
        library.entries().map(|entry| entry.name.clone()).collect()
    } else {
        args.names.clone()
    };
    let mut mistakes = 0;
    for name in &names {
        match library.load(name) {
            Ok(_) => {}
            Err(LibraryError::Mistakes(found)) => mistakes += show(&found),
            Err(error) => {
                complain_about(&error);
                mistakes += 1;
            }
        }
    }
    let mut checked = format!("{} checked", plural(names.len(), "runbook"));
    if all && args.files.inventory.path.exists() {
        match inventory::load(&args.files.inventory.path) {
            Ok(inventory) => {
                show(inventory.warnings());
                checked = format!(
                    "{checked}, {} in the inventory",
                    plural(inventory.hosts().len(), "host")
                );
            }
            Err(found) => mistakes += show(&found),
        }
    }
    let end = if mistakes == 0 {
        "no mistakes".to_owned()
    } else {
        plural(mistakes, "mistake")
    };
    let told = print(&format!("{checked}: {end}\n"));
    told.worse(if mistakes == 0 {
        Exit::Done
    } else {
        Exit::Usage
    })
}

fn show(found: &Diagnostics) -> usize {
    if !found.is_empty() {
        let _ = writeln!(std::io::stderr(), "{found}\n");
    }
    found.errors()
}

fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
