//! How changes that can cut us off are guarded.

use clap::Args;

use crate::engine::GuardTerms;
use crate::value::{Duration, ValueError};

/// How long a guard waits.
#[derive(Debug, Args)]
pub(in crate::cli) struct GuardTime {
    /// How long a host waits for a new login before it undoes guarded changes by itself, from 10s to 1h
    #[arg(long = "guard-time", id = "guard_time", env = "HOLDFAST_GUARD_TIME", default_value = "2m", value_name = "TIME", value_parser = guard_time)]
    time: Duration,
}

impl GuardTime {
    /// The same for the engine.
    pub(in crate::cli) fn terms(&self, accept_irreversible: bool) -> GuardTerms {
        GuardTerms {
            time: self.time.get(),
            accept_irreversible,
        }
    }
}

/// How changes that can cut us off are guarded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guard")]
pub(in crate::cli) struct Guard {
    #[command(flatten)]
    time: GuardTime,
    /// Make changes that cannot be taken back in guarded steps too
    #[arg(
        long,
        env = "HOLDFAST_ACCEPT_IRREVERSIBLE",
        conflicts_with = "unattended"
    )]
    accept_irreversible: bool,
    /// Perform no step: arm the guard, go away, and see the host restore itself
    #[arg(long = "rehearse-guard", env = "HOLDFAST_REHEARSE_GUARD", conflicts_with_all = ["dry_run", "unattended"])]
    pub(in crate::cli) rehearse: bool,
}

impl Guard {
    /// The same for the engine.
    pub(in crate::cli) fn terms(&self) -> GuardTerms {
        self.time.terms(self.accept_irreversible)
    }
}

/// Shorter than this no login can be made; longer than that nobody waits for a host that is cut off.
const GUARD_TIMES: [Duration; 2] = [Duration::seconds(10), Duration::seconds(3600)];

/// Reads the time of a guard.
///
/// # Errors
/// When it is no time span, or out of bounds.
fn guard_time(text: &str) -> Result<Duration, String> {
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
