//! Which steps, in which order over the hosts, and who says yes to them.

use std::collections::BTreeMap;

use clap::Args;

use crate::event::Serial;
use crate::value::Name;

/// Step by step, and from where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Steps")]
pub(in crate::cli) struct Steps {
    /// Ask before each step, with its live diff: apply, skip, edit an input, back, shell, undo and more
    #[arg(long, visible_alias = "step", env = "HOLDFAST_GUIDED", conflicts_with_all = ["dry_run", "yes", "unattended", "rehearse"])]
    pub(in crate::cli) guided: bool,
    /// Leave out all steps before this one: its id, its number or its name. A host where none is called so fails
    #[arg(long, env = "HOLDFAST_START_AT", value_name = "STEP")]
    pub(in crate::cli) start_at: Option<String>,
    /// Go on from an earlier run that did not end well, with its runbook, inputs, hosts, tags, answers and skipped
    /// steps: its id, enough of its beginning or end; without a name the last one that is left to go on from
    #[arg(long, env = "HOLDFAST_RESUME", value_name = "RUN", num_args = 0..=1, default_missing_value = "last", conflicts_with_all = ["dry_run", "inputs", "limit", "tags", "rehearse"])]
    pub(in crate::cli) resume: Option<String>,
}

fn serial(text: &str) -> Result<Serial, String> {
    let words = || text.split(',').map(|word| word.trim().to_owned());
    match text.parse() {
        _ if text == "all" => Ok(Serial::All),
        Ok(0) => Err("a batch has at least one host".to_owned()),
        Ok(most) => Ok(Serial::Of(most)),
        Err(_) if words().any(|word| word.is_empty()) => {
            Err("it is `all`, a number of hosts, or groups with commas between".to_owned())
        }
        Err(_) => Ok(Serial::Groups(words().collect())),
    }
}

/// In which portions hosts are worked on, and when that ends early.
#[derive(Debug, Args)]
pub(in crate::cli) struct Batches {
    /// Hosts of one batch: `N`, `all`, or those of each of these groups in turn and then the others. The next batch
    /// begins when the one before has ended
    #[arg(long, env = "HOLDFAST_SERIAL", value_name = "N|all|GROUP,…", value_parser = serial)]
    pub(in crate::cli) serial: Option<Serial>,
    /// Begin no further host once N have failed; those that moved or cannot be reached count. Without it every host is tried
    #[arg(long, env = "HOLDFAST_MAX_FAIL", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_fail: Option<u16>,
}

impl Batches {
    /// So many may fail.
    pub(in crate::cli) fn max_fail(&self) -> Option<usize> {
        self.max_fail.map(usize::from)
    }
}

/// Which steps, by their tags.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tags {
    /// Only steps with one of these tags, and only checks of includes with one
    #[arg(
        short = 't',
        long = "tags",
        id = "tags",
        env = "HOLDFAST_TAGS",
        value_delimiter = ',',
        value_name = "TAG"
    )]
    pub(in crate::cli) wanted: Vec<Name>,
}

/// Who says yes when nobody is asked.
#[derive(Debug, Args)]
pub(in crate::cli) struct Consent {
    /// Answer the question with yes
    #[arg(short, long, env = "HOLDFAST_YES")]
    pub(in crate::cli) yes: bool,
    /// For cron and timers: no question, silent when nothing changed, refuses what needs a person
    #[arg(long, env = "HOLDFAST_UNATTENDED")]
    pub(in crate::cli) unattended: bool,
}

/// Answers that are known beforehand.
#[derive(Debug, Args)]
pub(in crate::cli) struct Answers {
    /// The answer to the question of a manual step, by the step's id: `ID=yes` or `ID=no`
    #[arg(
        long = "answer",
        id = "answers",
        env = "HOLDFAST_ANSWER",
        value_delimiter = ',',
        value_name = "ID=yes|no",
        value_parser = answer
    )]
    given: Vec<(String, bool)>,
}

impl Answers {
    /// By the ids of their steps; later ones win.
    pub(in crate::cli) fn by_id(&self) -> BTreeMap<String, bool> {
        self.given.iter().cloned().collect()
    }
}

fn answer(text: &str) -> Result<(String, bool), String> {
    match text.split_once('=') {
        Some((id, "yes")) => Ok((id.to_owned(), true)),
        Some((id, "no")) => Ok((id.to_owned(), false)),
        Some(_) | None => Err("an answer is ID=yes or ID=no".to_owned()),
    }
}
