//! Flags that several verbs share. Every flag is also an environment variable `HOLDFAST_<FLAG>`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Source};
use crate::engine::GuardTerms;
use crate::value::{Duration, ValueError};
use crate::yaml;

/// How things are told.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// In which form: a live view, plain lines, or JSON lines on standard output
    #[arg(
        long,
        value_enum,
        global = true,
        env = "HOLDFAST_FORMAT",
        value_name = "FORM"
    )]
    pub(super) format: Option<Format>,
    /// Whether to use colour
    #[arg(
        long,
        value_enum,
        global = true,
        env = "HOLDFAST_COLOR",
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub(super) color: ColorChoice,
    /// Say less: only problems and the summary
    #[arg(
        short,
        long,
        global = true,
        env = "HOLDFAST_QUIET",
        conflicts_with = "verbose"
    )]
    pub(super) quiet: bool,
    /// Say more: -v facts and steps that are as desired, -vv what hosts were asked
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "HOLDFAST_VERBOSE")]
    pub(super) verbose: u8,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A live view when there is a terminal, else plain lines
    Human,
    /// Plain lines, one for each thing that happens
    Plain,
    /// JSON lines on standard output, nothing else there
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// When there is a terminal that can, and `NO_COLOR` is not set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where runbooks and hosts come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(super) struct Files {
    /// The inventory: a file, an executable, or a folder of them
    #[arg(
        short,
        long,
        env = "HOLDFAST_INVENTORY",
        default_value = "inventory",
        value_name = "PATH"
    )]
    pub(super) inventory: PathBuf,
    /// The folder with your own runbooks; they win over shipped ones of the same name
    #[arg(
        long,
        env = "HOLDFAST_RUNBOOKS",
        default_value = "runbooks",
        value_name = "FOLDER"
    )]
    pub(super) runbooks: PathBuf,
}

/// Which hosts, and with what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts and inputs")]
pub(super) struct Selection {
    /// Only these hosts: names, globs, groups, tags, `!exclusions`, separated by commas
    #[arg(
        short,
        long,
        env = "HOLDFAST_LIMIT",
        value_name = "HOSTS",
        allow_hyphen_values = false
    )]
    pub(super) limit: Vec<String>,
    /// A value for an input: `name=value`, or `@file.yaml` with several
    #[arg(
        short = 'e',
        long = "input",
        env = "HOLDFAST_INPUT",
        value_name = "NAME=VALUE"
    )]
    pub(super) inputs: Vec<String>,
}

/// How hosts are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(super) struct Connections {
    /// Hosts worked on at the same time
    #[arg(short, long, env = "HOLDFAST_FORKS", default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(super) forks: u16,
    /// A file in the place of your ssh configuration and the system's
    #[arg(long, env = "HOLDFAST_SSH_CONFIG", value_name = "FILE")]
    pub(super) ssh_config: Option<PathBuf>,
    /// Seconds for connecting to a host
    #[arg(long, env = "HOLDFAST_CONNECT_TIMEOUT", default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(super) connect_timeout: u16,
}

/// Step by step, and from where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Steps")]
pub(super) struct Steps {
    /// Ask before each step, with its live diff: apply, skip, edit an input, back, shell, undo and more
    #[arg(long, visible_alias = "step", env = "HOLDFAST_GUIDED", conflicts_with_all = ["dry_run", "yes", "unattended", "rehearse"])]
    pub(super) guided: bool,
    /// Hosts of one batch, `N` or `all`: the next batch begins when the one before has ended
    #[arg(long, env = "HOLDFAST_SERIAL", value_name = "N|all", value_parser = serial)]
    pub(super) serial: Option<Serial>,
    /// Leave out all steps before this one: its id, its number or its name
    #[arg(long, env = "HOLDFAST_START_AT", value_name = "STEP")]
    pub(super) start_at: Option<String>,
    /// Go on from an earlier run that did not end well, with its runbook, inputs, hosts, tags, answers and skipped
    /// steps; without a name the last one
    #[arg(long, env = "HOLDFAST_RESUME", value_name = "RUN", num_args = 0..=1, default_missing_value = "last", conflicts_with_all = ["dry_run", "inputs", "limit", "tags", "rehearse"])]
    pub(super) resume: Option<String>,
}

/// Hosts of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serial {
    /// All at once.
    All,
    /// So many.
    Of(usize),
}

impl Serial {
    /// How many; none means all.
    pub(super) fn most(self) -> Option<usize> {
        match self {
            Serial::All => None,
            Serial::Of(most) => Some(most),
        }
    }
}

pub(super) fn serial(text: &str) -> Result<Serial, String> {
    match text.parse() {
        _ if text == "all" => Ok(Serial::All),
        Ok(0) | Err(_) => Err("it is `all` or a number of hosts from 1 on".to_owned()),
        Ok(most) => Ok(Serial::Of(most)),
    }
}

/// How changes that can cut us off are guarded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guard")]
pub(super) struct Guard {
    /// How long a host waits for a new login before it takes guarded changes back, from 10s to 1h
    #[arg(long = "guard-time", env = "HOLDFAST_GUARD_TIME", default_value = "2m", value_name = "TIME", value_parser = guard_time)]
    pub(super) time: Duration,
    /// Make changes that cannot be taken back in guarded steps too
    #[arg(
        long,
        env = "HOLDFAST_ACCEPT_IRREVERSIBLE",
        conflicts_with = "unattended"
    )]
    pub(super) accept_irreversible: bool,
    /// Perform no step: arm the guard, go away, and see the host restore itself
    #[arg(long = "rehearse-guard", env = "HOLDFAST_REHEARSE_GUARD", conflicts_with_all = ["dry_run", "unattended"])]
    pub(super) rehearse: bool,
}

impl Guard {
    /// The same for the engine.
    pub(super) fn terms(&self) -> GuardTerms {
        GuardTerms {
            time: self.time.get(),
            accept_irreversible: self.accept_irreversible,
        }
    }
}

/// Shorter than this no login can be made; longer than that nobody waits for a host that is cut off.
const GUARD_TIMES: [Duration; 2] = [Duration::seconds(10), Duration::seconds(3600)];

/// Reads the time of a guard.
///
/// # Errors
/// When it is no time span, or out of bounds.
pub(super) fn guard_time(text: &str) -> Result<Duration, String> {
    let time: Duration = text
        .parse()
        .map_err(|error: ValueError| error.to_string())?;
    let [least, most] = GUARD_TIMES;
    if (least..=most).contains(&time) {
        Ok(time)
    } else {
        Err(format!("it must be from {least} to {most}"))
    }
}

/// Reads `-e` values: later ones win.
///
/// # Errors
/// When one is neither `name=value` nor a readable file of a mapping.
pub(super) fn given_inputs(given: &[String]) -> Result<BTreeMap<String, Value>, Diagnostic> {
    let mut values = BTreeMap::new();
    for one in given {
        if let Some(path) = one.strip_prefix('@') {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Diagnostic::error(format!("cannot read the inputs in {path}: {error}"))
            })?;
            let node = yaml::parse(&Source::new(path, text))?;
            let Value::Object(map) = node.to_value() else {
                return Err(
                    Diagnostic::error(format!("{path} must be a mapping of inputs"))
                        .at(&node.place),
                );
            };
            values.extend(map);
            continue;
        }
        match one.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                values.insert(name.to_owned(), Value::from(value));
            }
            Some(_) | None => {
                let message = format!("`{one}` must be NAME=VALUE or @FILE");
                return Err(Diagnostic::error(message).hint("for example -e ports=443,8443"));
            }
        }
    }
    Ok(values)
}
