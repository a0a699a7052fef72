//! Flags that several verbs share. Every flag is also an environment variable `HOLDFAST_<FLAG>`.

mod guard;
mod hosts;
mod steps;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) use guard::{Guard, GuardTime};
pub(super) use hosts::{Files, Hosts, Inputs, Inventory, Runbooks, Selection};
pub(super) use steps::{Answers, Batches, Consent, Steps, Tags};

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
