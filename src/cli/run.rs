//! `holdfast run` and `holdfast verify`: what the operator wants.

use clap::CommandFactory as _;
use serde_json::Value;

use super::drive;
use super::session::{self, complain};
use super::setup::Intent;
use super::unfinished::Fate;
use super::{Cli, Exit, args, ask};
use crate::diagnostic::Diagnostic;
use crate::event::Mode;
use crate::runbook;
use crate::value::Name;

/// Flags of `run`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Args {
    /// The runbook: a name from `holdfast list`, or a file
    #[arg(value_name = "RUNBOOK", required_unless_present = "help")]
    runbook: Option<String>,
    /// Show the changes and write nothing
    #[arg(short = 'n', long, visible_aliases = ["check"], visible_short_alias = 'C', env = "HOLDFAST_DRY_RUN", conflicts_with_all = ["yes", "unattended"])]
    dry_run: bool,
    /// Answer the question with yes
    #[arg(short, long, env = "HOLDFAST_YES")]
    yes: bool,
    /// For cron and timers: no question, silent when nothing changed, refuses what needs a person
    #[arg(long, env = "HOLDFAST_UNATTENDED")]
    unattended: bool,
    /// With --dry-run: exit 2 when changes are due
    #[arg(long, env = "HOLDFAST_DETAILED_EXITCODE", requires = "dry_run")]
    detailed_exitcode: bool,
    /// Accept published data that changed more than its guard allows, after a look at the difference
    #[arg(long, env = "HOLDFAST_ACCEPT_CHANGE", conflicts_with = "unattended")]
    accept_change: bool,
    /// Only steps with one of these tags, and only checks of includes with one
    #[arg(
        short,
        long,
        env = "HOLDFAST_TAGS",
        value_delimiter = ',',
        value_name = "TAG"
    )]
    tags: Vec<Name>,
    /// The answer to the question of a manual step, by the step's id: `ID=yes` or `ID=no`
    #[arg(
        long = "answer",
        env = "HOLDFAST_ANSWER",
        value_delimiter = ',',
        value_name = "ID=yes|no",
        value_parser = answer
    )]
    answers: Vec<(String, bool)>,
    /// Begin no further host once N have failed (unreachable ones count); without it every host is tried
    #[arg(long, env = "HOLDFAST_MAX_FAIL", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_fail: Option<u16>,
    /// What becomes of an earlier run that was cut off on a host: this run goes on from it (what --yes and
    /// --unattended do where nothing is done again blindly), it is taken back, or it stays as it is
    #[arg(
        long,
        env = "HOLDFAST_UNFINISHED",
        value_name = "WHAT",
        conflicts_with = "dry_run"
    )]
    unfinished: Option<Fate>,
    #[command(flatten)]
    guard: args::Guard,
    #[command(flatten)]
    selection: args::Selection,
    #[command(flatten)]
    files: args::Files,
    #[command(flatten)]
    connections: args::Connections,
    /// Show this help, and the inputs of the runbook when one is named
    #[arg(short, long, action = clap::ArgAction::SetTrue)]
    help: bool,
}

/// Flags of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The runbook: a name from `holdfast list`, or a file
    #[arg(value_name = "RUNBOOK")]
    runbook: String,
    #[command(flatten)]
    selection: args::Selection,
    #[command(flatten)]
    files: args::Files,
    #[command(flatten)]
    connections: args::Connections,
}

pub(super) fn answer(text: &str) -> Result<(String, bool), String> {
    match text.split_once('=') {
        Some((id, "yes")) => Ok((id.to_owned(), true)),
        Some((id, "no")) => Ok((id.to_owned(), false)),
        Some(_) | None => Err("an answer is ID=yes or ID=no".to_owned()),
    }
}

pub(super) fn run(args: &Args, output: &args::Output) -> Exit {
    if args.help {
        return help(args);
    }
    let Some(name) = &args.runbook else {
        return complain("which runbook? see `holdfast list`");
    };
    let mode = if args.dry_run {
        Mode::DryRun
    } else {
        Mode::Apply
    };
    let ask = mode == Mode::Apply && !args.yes && !args.unattended && !args.guard.rehearse;
    if ask && !ask::can_ask() {
        return complain(
            "there is no terminal to ask on\n  hint: use --yes, --unattended or --dry-run",
        );
    }
    let intent = Intent {
        mode,
        unattended: args.unattended,
        ask,
        due: if args.detailed_exitcode {
            Exit::ChangesDue
        } else {
            Exit::Done
        },
        accept_change: args.accept_change,
        tags: args.tags.clone(),
        guard: args.guard.terms(),
        rehearse: args.guard.rehearse,
        answers: args.answers.iter().cloned().collect(),
        max_fail: args.max_fail.map(usize::from),
        unfinished: args.unfinished,
        ..Intent::new(mode)
    };
    match session::load(&args.files, &args.selection, name) {
        Ok(loaded) => match unasked(&loaded.runbook, &intent) {
            Some(mistake) => complain(&mistake),
            None => drive::start(loaded, intent, &args.connections, output),
        },
        Err(exit) => exit,
    }
}

/// The answer to a question that the runbook does not ask.
pub(super) fn unasked(runbook: &runbook::Runbook, intent: &Intent) -> Option<Diagnostic> {
    let questions = runbook.questions();
    let id = intent.answers.keys().find(|id| !questions.contains(id))?;
    let message = format!("{} asks no question with the id `{id}`", runbook.name);
    let known = questions.iter().map(String::as_str);
    Some(Diagnostic::error(message).nearest(id, known))
}

pub(super) fn verify(args: &VerifyArgs, output: &args::Output) -> Exit {
    let intent = Intent {
        due: Exit::ChangesDue,
        ..Intent::new(Mode::Verify)
    };
    match session::load(&args.files, &args.selection, &args.runbook) {
        Ok(loaded) => drive::start(loaded, intent, &args.connections, output),
        Err(exit) => exit,
    }
}

fn help(args: &Args) -> Exit {
    use std::io::Write as _;
    let mut command = Cli::command();
    command.build();
    let mut text = command
        .find_subcommand_mut("run")
        .map(|run| run.render_long_help().to_string())
        .unwrap_or_default();
    if let Some(name) = &args.runbook {
        match session::runbook(&args.files, name) {
            Ok(runbook) => text.push_str(&inputs_help(&runbook)),
            Err(exit) => return exit,
        }
    }
    // A closed pipe leaves nobody to tell.
    let _ = write!(std::io::stdout(), "{text}");
    Exit::Done
}

fn inputs_help(runbook: &runbook::Runbook) -> String {
    use std::fmt::Write as _;
    let mut text = format!("\n{}: {}\n", runbook.name, runbook.summary);
    if runbook.inputs.is_empty() {
        text.push_str("It takes no inputs.\n");
        return text;
    }
    text.push_str("Inputs of this runbook (-e NAME=VALUE):\n");
    for input in &runbook.inputs {
        let default = match &input.default {
            None => "must be given".to_owned(),
            Some(Value::String(text)) if text.is_empty() => "default: empty".to_owned(),
            Some(Value::String(text)) => format!("default: {text}"),
            Some(value) => format!("default: {value}"),
        };
        let _ = writeln!(text, "  {:<12} {} ({default})", input.name, input.ty);
        if !input.help.is_empty() {
            let _ = writeln!(text, "  {:<12} {}", "", input.help);
        }
    }
    text
}
