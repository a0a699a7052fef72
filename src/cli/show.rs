//! `holdfast show`: what was planned.

use std::path::PathBuf;

use super::session::complain;
use super::{Exit, args, saved, show_plan};

/// Flags of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file that `holdfast plan` saved
    #[arg(value_name = "FILE")]
    what: PathBuf,
}

pub(super) fn show(args: &Args, output: &args::Output) -> Exit {
    let path = &args.what;
    if path.exists() && !saved::is_plan(path) {
        return complain(&format!("{} is no saved plan", path.display()));
    }
    show_plan::show(path, output)
}
