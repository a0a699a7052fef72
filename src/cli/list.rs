//! `holdfast list`: the runbooks at hand.

use super::{Exit, args, session};
use crate::runbook::Library;

/// Flags of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    runbooks: args::Runbooks,
}

pub(super) fn list(args: &Args, output: &args::Output) -> Exit {
    let library = match Library::open(&args.runbooks.folder) {
        Ok(library) => library,
        Err(error) => return session::complain_about(&error),
    };
    let mut exit = Exit::Done;
    let mut lines = String::new();
    for entry in library.entries() {
        let line = match library.load(&entry.name) {
            Ok(runbook) if output.format == Some(args::Format::Json) => serde_json::json!({
                "name": entry.name,
                "summary": runbook.summary,
                "risk": runbook.risk,
                "origin": entry.origin.to_string(),
            })
            .to_string(),
            Ok(runbook) => format!(
                "{:<20} {:<7} {}\n{:<28} {}",
                entry.name,
                runbook.risk.to_string(),
                runbook.summary,
                "",
                entry.origin
            ),
            Err(_) => {
                exit = Exit::Usage;
                format!(
                    "{:<20} {:<7} has mistakes: see `holdfast lint {0}`\n{:<28} {}",
                    entry.name, "?", "", entry.origin
                )
            }
        };
        lines.push_str(&line);
        lines.push('\n');
    }
    session::print(&lines).worse(exit)
}
