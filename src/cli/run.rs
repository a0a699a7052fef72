//! `holdfast run` and `holdfast verify`: what the operator wants.

use clap::CommandFactory as _;
use serde_json::Value;

use super::resume::{self, Resumed};
use super::session::{self, Loaded, complain};
use super::setup::Intent;
use super::unfinished::Fate;
use super::{Cli, Exit, args, ask, batches, drive, start_at};
use crate::diagnostic::Diagnostic;
use crate::engine::Asks;
use crate::event::{Invocation, Mode};
use crate::risk::Risk;
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
    #[arg(value_name = "RUNBOOK", required_unless_present_any = ["help", "resume"])]
    runbook: Option<String>,
    /// Show the changes and write nothing
    #[arg(short = 'n', long, visible_aliases = ["check"], visible_short_alias = 'C', env = "HOLDFAST_DRY_RUN", conflicts_with_all = ["yes", "unattended"])]
    dry_run: bool,
    #[command(flatten)]
    consent: args::Consent,
    /// With --dry-run: exit 2 when changes are due
    #[arg(long, env = "HOLDFAST_DETAILED_EXITCODE", requires = "dry_run")]
    detailed_exitcode: bool,
    /// Accept published data that changed more than its guard allows, after a look at the difference
    #[arg(long, env = "HOLDFAST_ACCEPT_CHANGE", conflicts_with = "unattended")]
    accept_change: bool,
    #[command(flatten)]
    tags: args::Tags,
    #[command(flatten)]
    answers: args::Answers,
    #[command(flatten)]
    batches: args::Batches,
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
    steps: args::Steps,
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

pub(super) fn run(args: &Args, output: &args::Output) -> Exit {
    if args.help {
        return help(args);
    }
    wanted(args).map_or_else(
        |exit| exit,
        |(loaded, intent)| drive::start(loaded, intent, &args.connections, output),
    )
}

/// What is to be done with which hosts.
fn wanted(args: &Args) -> Result<(Loaded, Intent), Exit> {
    let interactive =
        !args.dry_run && !args.consent.yes && !args.consent.unattended && !args.guard.rehearse;
    if interactive && !ask::can_ask() {
        let hint = if args.steps.guided {
            "--guided asks before each step; without a terminal use --yes, --unattended or --dry-run"
        } else {
            "use --yes, --unattended or --dry-run"
        };
        return Err(complain(&format!(
            "there is no terminal to ask on\n  hint: {hint}"
        )));
    }
    let resumed = match &args.steps.resume {
        Some(run) => resume::find(run, args.runbook.as_deref())?,
        None => asked(args)?,
    };
    let loaded = session::load_as(&args.files, &resumed)?;
    resumed.tell(&loaded.runbook);
    let intent = intent(args, &resumed, (interactive, loaded.runbook.risk));
    let mistake = unasked(&loaded.runbook, &intent)
        .or_else(|| start_at::mistake(&loaded.runbook, intent.start_at.as_deref()?))
        .or_else(|| batches::mistake(args.batches.serial.as_ref()?, &loaded.hosts));
    match mistake {
        Some(mistake) => Err(complain(&mistake)),
        None => Ok((loaded, intent)),
    }
}

/// What the command line asks for.
fn asked(args: &Args) -> Result<Resumed, Exit> {
    let Some(name) = &args.runbook else {
        return Err(complain("which runbook? see `holdfast list`"));
    };
    let inputs = args
        .selection
        .inputs
        .values()
        .map_err(|error| complain(&error))?;
    Ok(Resumed {
        invocation: Invocation {
            runbook: name.clone(),
            hosts: args.selection.limit.hosts.clone(),
            inputs,
            tags: args.tags.wanted.iter().map(Name::to_string).collect(),
            answers: args.answers.by_id(),
            guided: args.steps.guided,
            serial: args.batches.serial.clone().unwrap_or_default(),
            start_at: args.steps.start_at.clone(),
            resumes: None,
        },
        ..Resumed::default()
    })
}

fn intent(args: &Args, resumed: &Resumed, (interactive, risk): (bool, Risk)) -> Intent {
    let before = &resumed.invocation;
    let asks = Asks::of(interactive, before.guided || args.steps.guided, risk);
    let answers = args.answers.by_id();
    let mut all_answers = before.answers.clone();
    all_answers.extend(answers.clone());
    let earlier = before.resumes.as_ref().map(|_| before.answers.clone());
    let serial = args.batches.serial.clone();
    let serial = serial.unwrap_or(before.serial.clone());
    let start_at = args.steps.start_at.clone().or(before.start_at.clone());
    Intent {
        unattended: args.consent.unattended,
        // Whoever is asked about each step is not asked about all of them as well.
        ask: interactive && asks != Asks::Always,
        due: if args.detailed_exitcode {
            Exit::ChangesDue
        } else {
            Exit::Done
        },
        accept_change: args.accept_change,
        tags: before
            .tags
            .iter()
            .filter_map(|tag| tag.parse().ok())
            .collect(),
        guard: args.guard.terms(),
        rehearse: args.guard.rehearse,
        max_fail: args.batches.max_fail(),
        // What is gone on from may have been cut off.
        unfinished: args
            .unfinished
            .or(before.resumes.as_ref().map(|_| Fate::Resume)),
        asks,
        passes: resumed.passes.clone(),
        invocation: Some(Invocation {
            answers: all_answers,
            guided: before.guided || args.steps.guided,
            serial: serial.clone(),
            start_at: start_at.clone(),
            ..before.clone()
        }),
        answers,
        earlier: earlier.unwrap_or_default(),
        serial,
        start_at,
        ..Intent::new(if args.dry_run {
            Mode::DryRun
        } else {
            Mode::Apply
        })
    }
}

/// The answer to a question that the runbook does not ask.
pub(super) fn unasked(runbook: &runbook::Runbook, intent: &Intent) -> Option<Diagnostic> {
    let questions = runbook.questions();
    let mut ids = intent.answers.keys().chain(intent.earlier.keys());
    let id = ids.find(|id| !questions.contains(id))?;
    let message = format!("{} asks no question with the id `{id}`", runbook.name);
    let known = questions.iter().map(String::as_str);
    Some(Diagnostic::error(message).nearest(id, known))
}

pub(super) fn verify(args: &VerifyArgs, output: &args::Output) -> Exit {
    let intent = Intent {
        due: Exit::ChangesDue,
        ..Intent::new(Mode::Verify)
    };
    match session::load_selected(&args.files, &args.selection, &args.runbook) {
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
