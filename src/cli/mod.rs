//! The command line: one file per verb. Verbs load, wire the parts together and choose the exit
//! code; they decide nothing about hosts.

mod apply;
mod again;
mod args;
mod ask;
mod asking;
mod batches;
mod concrete;
mod drift;
mod drive;
mod environment;
mod exit;
mod feed;
mod guided;
mod history;
mod lint;
mod list;
mod out;
mod moment;
mod past;
mod paths;
mod perform;
mod plan;
mod render;
mod results;
mod resume;
mod restore_points;
mod rollback;
mod run;
mod saved;
mod seal_key;
mod screen;
mod session;
mod setup;
mod show;
mod show_plan;
mod signals;
mod sinks;
mod start_at;
mod trace;
mod unfinished;
mod which_run;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// Hardens Linux hosts over SSH: exact dry runs, proof in effect, exact undo.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100, after_long_help = exit::HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    output: args::Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what a runbook would change, and change it after a question
    Run(run::Args),
    /// Save what a runbook would change, to be shown, reviewed and applied later
    Plan(plan::Args),
    /// Perform a saved plan: exactly it, or nothing where a host moved since
    Apply(apply::Args),
    /// Ask whether everything a runbook wants is so, in effect; change nothing
    Verify(run::VerifyArgs),
    /// List the runbooks at hand: summary, risk, and where they come from
    List(list::Args),
    /// Check runbooks and the inventory without asking any host
    Lint(lint::Args),
    /// Show a runbook's concrete steps for one host
    Render(render::Args),
    /// Ask whether things are still as runs of the past left them; change nothing
    Drift(drift::Args),
    /// List the runs of the past, or prove that their records are untouched
    History(history::Args),
    /// Tell a run of the past again, or a saved plan
    Show(show::Args),
    /// Take a run of the past back, by the records that lie on its hosts
    Rollback(rollback::Args),
    /// List what hosts can still take back, or remove what is too old
    RestorePoints(restore_points::Args),
}

/// Most open files that we ask for: enough for 5000 hosts. Children inherit the limit, and where the
/// hard one is a thousand million (containers), apt and others that close all files one by one hang.
const OPEN_FILES: u64 = 65_536;

/// A host takes about ten open files, and the usual limit of 1024 is for programs that use `select`.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if current.is_some_and(|current| current < wanted) {
        let limit = Rlimit {
            current: Some(wanted),
            maximum,
        };
        // Where it is forbidden, the transport tells when files run out.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Parses the command line, does what it says and returns the exit code.
pub fn main() -> std::process::ExitCode {
    raise_open_files();
    let cli = match environment::parse() {
        Ok(cli) => cli,
        Err((error, variables)) => return exit::usage(&error, &variables).into(),
    };
    trace::start(&cli.output);
    let exit = match &cli.verb {
        Verb::Run(args) => run::run(args, &cli.output),
        Verb::Plan(args) => plan::plan(args, &cli.output),
        Verb::Apply(args) => apply::apply(args, &cli.output),
        Verb::Verify(args) => run::verify(args, &cli.output),
        Verb::List(args) => list::list(args, &cli.output),
        Verb::Lint(args) => lint::lint(args, &cli.output),
        Verb::Render(args) => render::render(args, &cli.output),
        Verb::Drift(args) => drift::drift(args, &cli.output),
        Verb::History(args) => history::history(args, &cli.output),
        Verb::Show(args) => show::show(args, &cli.output),
        Verb::Rollback(args) => rollback::rollback(args, &cli.output),
        Verb::RestorePoints(args) => restore_points::restore_points(args, &cli.output),
    };
    exit.into()
}
