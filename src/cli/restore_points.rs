//! `holdfast restore-points`: what hosts can still take back, and the removal of what is too old.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::sync::watch;

use super::args::Format;
use super::session::{self, Loaded, complain, print};
use super::setup::{self, Intent, Wires};
use super::{Exit, args};
use crate::diagnostic::Diagnostic;
use crate::engine::{Answerer, Gate, Job};
use crate::event::{Events, HostResult, Mode};
use crate::record::RestorePoint;
use crate::report::harmless;
use crate::runbook::Runbook;
use crate::transport::Keep;
use crate::value::{Duration, Name, ValueError};

/// Flags of `restore-points`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(super) struct Args {
    /// Remove restore points beyond those that --keep and --older-than spare
    #[arg(long, env = "HOLDFAST_PRUNE")]
    prune: bool,
    /// Spare the newest so many of each host; alone, whatever their age
    #[arg(long, env = "HOLDFAST_KEEP", value_name = "N", requires = "prune")]
    keep: Option<u32>,
    /// Spare those younger than this, in whole days (`30d`); alone, however many there are
    #[arg(
        long,
        env = "HOLDFAST_OLDER_THAN",
        value_name = "TIME",
        requires = "prune"
    )]
    older_than: Option<Duration>,
    #[command(flatten)]
    hosts: args::Hosts,
    #[command(flatten)]
    connections: args::Connections,
}

const HELP: &str = "\
Every run that changes a host leaves there, readable for root alone, what takes each change back. At its end a
run removes records beyond the newest 20 that are older than 90 days. Never removed: a run that was cut off, one
whose guard may still fire, one that was taken back by a run that stays, and the last of each runbook that came
to a good end and still stands, by which drift is found: so more may stay than --keep says.";

/// Seconds of a day.
const DAY: u64 = 86_400;

pub(super) fn restore_points(args: &Args, output: &args::Output) -> Exit {
    run(args, output).unwrap_or_else(|exit| exit)
}

fn run(args: &Args, output: &args::Output) -> Result<Exit, Exit> {
    let keep = keep(args);
    let loaded = loaded(args)?;
    let links = setup::links(&args.connections)?;
    let runtime = setup::runtime()?;
    let (events, _told) = Events::channel();
    let (_stop, stop) = watch::channel(false);
    let wires = Wires {
        events,
        stop,
        answerer: Answerer::default(),
        gate: Gate::default(),
    };
    // The records are root's alone, so there is no way around it as in a dry run: without root there would seem to be none.
    let (intent, id) = (Intent::new(Mode::Verify), setup::run_id());
    let forks = args.connections.forks;
    let job = Arc::new(setup::job(loaded, &intent, &links.ssh, &id, forks, wires));
    let text = runtime.block_on(async {
        let connected = job.connect().await;
        if args.prune {
            let pruned = job.prune(connected, keep).await;
            let lines = pruned.iter().flat_map(|host| {
                host.runs
                    .iter()
                    .map(|run| format!("{}: removed {run}\n", host.host))
            });
            lines.collect()
        } else {
            let points = job.restore_points(connected).await;
            if output.format == Some(Format::Json) {
                json(&points)
            } else {
                table(&points)
            }
        }
    });
    runtime.shutdown_background();
    Ok(print(&text).worse(ends(&job)))
}

fn keep(args: &Args) -> Keep {
    let days =
        |time: Duration| u32::try_from(time.get().as_secs().div_ceil(DAY)).unwrap_or(u32::MAX);
    match (args.keep, args.older_than) {
        (None, None) => Keep::default(),
        (runs, age) => Keep {
            runs: runs.unwrap_or(0),
            days: age.map_or(0, days),
        },
    }
}

fn loaded(args: &Args) -> Result<Loaded, Exit> {
    let hosts = session::hosts(&args.hosts)?;
    let name: Result<Name, ValueError> = "restore-points".parse();
    let name = name.map_err(|error| complain(&error))?;
    Ok(Loaded {
        runbook: Runbook::nothing(name, "what hosts can still take back"),
        hosts,
        inputs: BTreeMap::new(),
        promise: None,
        undoes: None,
    })
}

/// Hosts that could not be asked are said on standard error.
fn ends(job: &Job) -> Exit {
    let mut exit = Exit::Done;
    for (host, result) in job.results() {
        if let HostResult::Stopped { message, hint, .. } = &result {
            let mistake = Diagnostic::error(format!("{host}: {message}"));
            complain(&mistake.hint(hint.as_deref().unwrap_or_default()));
        }
        exit = exit.worse(Exit::of(&result, Exit::Done));
    }
    exit
}

fn json(points: &[RestorePoint]) -> String {
    let lines = points
        .iter()
        .filter_map(|point| serde_json::to_string(point).ok());
    lines.map(|line| line + "\n").collect()
}

const HEADINGS: [&str; 8] = [
    "HOST",
    "RUN",
    "RUNBOOK",
    "STARTED",
    "BY",
    "CHANGES",
    "SIZE",
    "LEFT TO TAKE BACK",
];

fn table(points: &[RestorePoint]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 8]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(points.iter().map(row))
        .collect();
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a text never fails.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(point: &RestorePoint) -> [String; 8] {
    let runbook = if point.undoes.is_empty() {
        point.runbook.clone()
    } else {
        format!("{} of {}", point.runbook, point.undoes)
    };
    let mut left = match point.left {
        0 => "nothing".to_owned(),
        left => left.to_string(),
    };
    if point.armed {
        left.push_str(", and its guard is armed");
    } else if point.end.is_empty() {
        left.push_str(", not at its end");
    }
    [
        &point.host,
        &point.run,
        &runbook,
        &point.started,
        &point.operator,
        &point.changes.to_string(),
        &format!("{} KiB", point.size),
        &left,
    ]
    .map(|cell| harmless(cell).replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_left() {
        let point = |left, end: &str| RestorePoint {
            host: "web-1".to_owned(),
            run: "r-1".to_owned(),
            runbook: "web".to_owned(),
            changes: 3,
            left,
            size: 12,
            end: end.to_owned(),
            ..RestorePoint::default()
        };
        let text = table(&[
            point(2, "closed done"),
            point(0, "closed done"),
            point(3, ""),
        ]);
        let ends: Vec<&str> = text
            .lines()
            .map(|line| line.rsplit("  ").next().unwrap())
            .collect();
        assert_eq!(
            ends,
            ["LEFT TO TAKE BACK", "2", "nothing", "3, not at its end"]
        );
        assert_eq!(table(&[]), "");
    }
}
