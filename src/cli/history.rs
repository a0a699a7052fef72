//! `holdfast history`: the runs that began on this machine, oldest first, so that the newest stand above the
//! prompt; and `--verify`, whether their records are untouched.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Zoned;
use serde_json::json;

use super::args::{Format, Output};
use super::moment::{Moment, moment};
use super::session::{complain, note, print};
use super::{Exit, again, paths, which_run};
use crate::diagnostic::Diagnostic;
use crate::event::Mode;
use crate::journal::{self, Brief, Ending, Finding, Head, JournalError, Ledger, Proven, RunId};
use crate::report::{History, Listed};

/// Flags of `history`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(super) struct Args {
    /// Only these runs: ids, or enough of their beginning or end
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Only runs on this host
    #[arg(long, env = "HOLDFAST_HOST", value_name = "HOST")]
    host: Option<String>,
    /// Only runs of this runbook
    #[arg(long, env = "HOLDFAST_RUNBOOK", value_name = "RUNBOOK")]
    runbook: Option<String>,
    /// Only runs that began then or later: 2h, 3d, today, yesterday, 2026-11-21, 2026-11-21T19:05, RFC 3339
    #[arg(long, env = "HOLDFAST_SINCE", value_name = "TIME", value_parser = read_moment)]
    since: Option<Moment>,
    /// Only runs that began then or earlier; a date means that whole day
    #[arg(long, env = "HOLDFAST_UNTIL", value_name = "TIME", value_parser = read_moment)]
    until: Option<Moment>,
    /// Only runs that ended like this
    #[arg(long, env = "HOLDFAST_OUTCOME", value_name = "WORD", value_parser = read_ending)]
    outcome: Option<Ending>,
    /// The newest so many; 0 means all. Without it 25, or all with --since or --format json
    #[arg(long, env = "HOLDFAST_LAST", value_name = "N")]
    last: Option<usize>,
    /// Dry runs and looks for drift as well
    #[arg(short, long, env = "HOLDFAST_ALL")]
    all: bool,
    /// Prove that the records of the runs are untouched; exit 5 when one is not
    #[arg(long, env = "HOLDFAST_VERIFY", conflicts_with_all = ["host", "runbook", "since", "until", "outcome", "last", "all"])]
    verify: bool,
}

const HELP: &str = "\
--verify proves, by digests, that nobody changed, added, removed or cut a line of a run, took a run
away or wrote one anew, as far as a later run has seen it. It cannot prove that the newest runs were
not taken away with all traces of them, nor that somebody who may write to the folder did not write
everything anew: keep a copy elsewhere against that.";

/// Runs that are shown when nothing is said about it.
const USUAL: usize = 25;

fn read_moment(text: &str) -> Result<Moment, String> {
    moment(text, &Zoned::now())
}

fn read_ending(text: &str) -> Result<Ending, String> {
    text.parse()
        .map_err(|error: journal::NoEnding| error.to_string())
}

pub(super) fn history(args: &Args, output: &Output) -> Exit {
    let state = paths::state();
    let named = match named(&state, &args.runs) {
        Ok(named) => named,
        Err(exit) => return exit,
    };
    if args.verify {
        return verify(&state, &named, output);
    }
    let runs = match journal::runs(&state) {
        Ok(runs) if args.runs.is_empty() => runs,
        Ok(_) => named,
        Err(error) => return unreadable(&error),
    };
    let limit = args.limit(output.format);
    let (listed, more) = newest(&state, runs, args, limit);
    let told = told(&listed, &again::history(output), output.format);
    let exit = print(&told);
    if more {
        note(&format!(
            "Only the newest {limit} are shown; --last 0 shows all."
        ));
    } else if listed.is_empty() {
        note("No run on record here is like that.");
    }
    exit
}

fn unreadable(error: &JournalError) -> Exit {
    complain(&Diagnostic::error(with_source(error)));
    Exit::Failed
}

pub(super) fn with_source(error: &JournalError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The runs that the operator names.
fn named(state: &Path, texts: &[String]) -> Result<Vec<RunId>, Exit> {
    let found = texts.iter().map(|text| which_run::find(state, text));
    let found: Result<Vec<RunId>, _> = found.collect();
    found.map_err(|mistake| complain(&mistake))
}

/// The newest runs that are asked for, oldest first, and whether there are more.
fn newest(state: &Path, runs: Vec<RunId>, args: &Args, limit: usize) -> (Vec<Listed>, bool) {
    let mut listed = Vec::new();
    for run in runs.into_iter().rev() {
        let one = match Head::read(state, &run) {
            Ok(head) if !args.wants(&head) => continue,
            Ok(head) => head.brief(),
            Err(error) => Err(error),
        };
        let one = match one {
            Ok(brief)
                if args
                    .outcome
                    .is_some_and(|wanted| Ending::of(&brief) != wanted) =>
            {
                continue;
            }
            Ok(brief) => Listed::Run(Box::new(brief)),
            // What it was cannot be told, so it may be the one that is looked for.
            Err(error) => Listed::Unreadable {
                run,
                why: with_source(&error),
            },
        };
        if limit > 0 && listed.len() == limit {
            listed.reverse();
            return (listed, true);
        }
        listed.push(one);
    }
    listed.reverse();
    (listed, false)
}

impl Args {
    fn limit(&self, format: Option<Format>) -> usize {
        let unlimited =
            self.since.is_some() || format == Some(Format::Json) || !self.runs.is_empty();
        self.last.unwrap_or(if unlimited { 0 } else { USUAL })
    }

    /// Whether a run is asked for, as far as its beginning tells.
    fn wants(&self, head: &Head) -> bool {
        let started = &head.started;
        let shown = match started.mode {
            Mode::DryRun | Mode::Drift => self.all || !self.runs.is_empty(),
            Mode::Apply | Mode::Verify => true,
        };
        shown
            && self
                .host
                .as_ref()
                .is_none_or(|host| started.hosts.contains(host))
            && self
                .runbook
                .as_ref()
                .is_none_or(|name| started.runbook == *name)
            && self.since.is_none_or(|since| since.begins <= started.at)
            && self.until.is_none_or(|until| started.at <= until.ends)
    }
}

fn told(listed: &[Listed], history: &History, format: Option<Format>) -> String {
    let mut text = String::new();
    for one in listed {
        if format == Some(Format::Json) {
            // Writing to a text never fails.
            let _ = writeln!(text, "{}", journal::escaped(&as_json(one).to_string()));
        } else {
            text.push_str(&history.entry(one));
        }
    }
    text
}

fn as_json(listed: &Listed) -> serde_json::Value {
    match listed {
        Listed::Unreadable { run, why } => json!({ "run": run.as_str(), "error": why }),
        Listed::Run(brief) => {
            let Brief {
                run,
                started,
                ended,
                changes,
                ..
            } = brief.as_ref();
            json!({
                "run": run.as_str(),
                "at": started.at,
                "runbook": started.runbook,
                "mode": started.mode,
                "unattended": started.unattended,
                "operator": started.operator,
                "from": started.from,
                "version": started.version,
                "digest": started.digest,
                "hosts": started.hosts,
                "changes": changes,
                "outcome": Ending::of(brief).as_str(),
                "exit": ended.map(|ended| ended.exit),
                "millis": ended.map(|ended| ended.millis),
            })
        }
    }
}

fn verify(state: &Path, only: &[RunId], output: &Output) -> Exit {
    let ledger = match Ledger::read(state) {
        Ok(ledger) => ledger,
        Err(error) => return unreadable(&error),
    };
    let findings = ledger.findings(only);
    let history = again::history(output);
    let mut text = String::new();
    for finding in &findings {
        if output.format == Some(Format::Json) {
            let _ = writeln!(
                text,
                "{}",
                journal::escaped(&finding_as_json(finding).to_string())
            );
        } else {
            text.extend(history.finding(finding));
        }
    }
    let bad = findings
        .iter()
        .filter(|finding| !finding.proven.is_good())
        .count();
    if output.format != Some(Format::Json) {
        text.push_str(&verdict(&findings, bad));
    }
    print(&text).worse(if bad == 0 {
        Exit::Done
    } else {
        Exit::Verification
    })
}

fn verdict(findings: &[Finding], bad: usize) -> String {
    let mut runs: Vec<&str> = findings
        .iter()
        .map(|finding| finding.run.as_str())
        .collect();
    runs.dedup();
    let unlinked = findings
        .iter()
        .filter(|finding| finding.proven == Proven::Unlinked);
    let note = match unlinked.count() {
        0 => "",
        1 => " 1 of them does not say which run was before it, as runs of older versions do not.",
        _ => {
            " Some of them do not say which run was before them, as runs of older versions do not."
        }
    };
    let said = match (runs.len(), bad) {
        (0, _) => "No run is on record here.".to_owned(),
        (1, 0) => "The record of 1 run is untouched.".to_owned(),
        (all, 0) => format!("The records of {all} runs are untouched."),
        (all, bad) => format!("{bad} of {all} runs are not as they were written."),
    };
    format!("{said}{note}\n")
}

fn finding_as_json(Finding { run, proven }: &Finding) -> serde_json::Value {
    let (word, line, why) = match proven {
        Proven::Untouched => ("untouched", None, None),
        Proven::Alive => ("under-way", None, None),
        Proven::Endless => ("unfinished", None, None),
        Proven::Unlinked => ("unlinked", None, None),
        Proven::Oldest { gone } => ("oldest", None, Some(format!("{gone} before it is gone"))),
        Proven::Touched { line, why } => ("tampered", *line, Some(why.clone())),
        Proven::Unreadable { why } => ("unreadable", None, Some(why.clone())),
    };
    json!({ "run": run, "found": word, "line": line, "why": why })
}
