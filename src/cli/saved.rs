//! A saved plan, opened: checked first, then made ready to be shown or performed.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use jiff::Timestamp;

use super::session::{self, Loaded, complain, complain_about};
use super::{Exit, args, seal_key};
use crate::diagnostic::Diagnostic;
use crate::engine::{Promise, Promised};
use crate::event::SavedPlan;
use crate::inventory::{Host, Inventory};
use crate::plan::Measure;
use crate::plan_file::envelope::{self, Key, Seal};
use crate::plan_file::{self, Opened, PlanFile, SavedHost};
use crate::runbook::Runbook;

/// More than any plan is long: some MB for each of 500 hosts.
const LONGEST: u64 = 2 * 1024 * 1024 * 1024;

/// Whether there is a plan in this file, by how it begins.
pub(super) fn is_plan(path: &Path) -> bool {
    let mut first = [0; envelope::MAGIC.len()];
    let read = file(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && envelope::is_plan(&first)
}

/// Opens a file that has an end: reading a pipe or a device may never come to one.
fn file(path: &Path) -> io::Result<io::Take<File>> {
    let odd = |why| Err(io::Error::new(ErrorKind::InvalidInput, why));
    let meta = path.metadata()?;
    if !meta.is_file() {
        return odd("it is no regular file");
    }
    if meta.len() > LONGEST {
        return odd("it is longer than any plan");
    }
    Ok(File::open(path)?.take(LONGEST))
}

/// Our key, to tell whether a plan is ours. What is wrong with one that is there is said: all plans are those of
/// somebody else without it.
fn key() -> Option<Key> {
    seal_key::ours().unwrap_or_else(|error| {
        complain(&format!(
            "warning: your key for plans cannot be used, so nobody can tell whether this one is yours: {error}"
        ));
        None
    })
}

/// Reads a plan file. Nothing of it is believed before its digest is right.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn open(path: &Path) -> Result<Opened, Exit> {
    let refused = |why: &dyn std::fmt::Display| {
        let mistake = Diagnostic::error(format!("{} is refused: {why}", path.display()));
        complain(&mistake.hint("nothing was touched; make the plan anew with `holdfast plan`"))
    };
    let mut bytes = Vec::new();
    file(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| complain(&format!("cannot read {}: {error}", path.display())))?;
    PlanFile::open(&bytes, key().as_ref()).map_err(|error| refused(&error))
}

/// Its runbook, checked anew.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn runbook(path: &Path, opened: &Opened) -> Result<Runbook, Exit> {
    let loaded = opened.plan.load_runbook(&path.display().to_string());
    loaded.map_err(|error| complain_about(&error))
}

/// What is told of a plan.
pub(super) fn told(path: &Path, opened: &Opened, runbook: &Runbook) -> SavedPlan {
    let Opened { plan, header } = opened;
    let without = plan.without_plan().into_iter();
    let sealed_by_us = is_ours(opened);
    SavedPlan {
        file: path.display().to_string(),
        sha256: header.digest.to_string(),
        made_by_run: plan.made.run.clone(),
        made_at: plan.made.at,
        age: Timestamp::now().as_second() - plan.made.at.as_second(),
        operator: plan.made.operator.clone(),
        version: plan.made.version.clone(),
        sealed_by_us,
        without_plan: without.map(|(host, why)| (host.to_owned(), why)).collect(),
        commands: plan.commands(runbook, &path.display().to_string()),
        written: if sealed_by_us {
            Vec::new()
        } else {
            plan_file::written_in(runbook)
        },
    }
}

/// Which of its hosts, and where the inventory is that says how they are reached now.
pub(super) struct Wanted<'a> {
    pub(super) hosts: &'a args::Hosts,
    pub(super) keep_going: bool,
}

/// Makes a plan ready to be performed.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn load(path: &Path, opened: &Opened, wanted: &Wanted<'_>) -> Result<Loaded, Exit> {
    let file = path.display().to_string();
    let plan = &opened.plan;
    let runbook = runbook(path, opened)?;
    let inventory = session::inventory(&wanted.hosts.inventory)?;
    let chosen = chosen(plan, &inventory, &wanted.hosts.limit.hosts, &file)?;
    let hosts: Result<Vec<Host>, Diagnostic> = chosen
        .iter()
        .map(|saved| saved.in_inventory(&inventory, &file))
        .collect();
    let hosts = hosts.map_err(|error| complain(&error))?;
    let inputs = chosen
        .iter()
        .map(|saved| (saved.name.clone(), saved.inputs.clone()));
    let told = told(path, opened, &runbook);
    Ok(Loaded {
        runbook,
        undoes: None,
        hosts,
        inputs: inputs.collect(),
        promise: Some(Promise {
            told,
            data: plan.data.clone(),
            hosts: chosen.iter().filter_map(|s| promised(plan, s)).collect(),
            measure: if plan.made.version == env!("CARGO_PKG_VERSION") {
                Measure::Exact
            } else {
                Measure::Shown
            },
            keep_going: wanted.keep_going,
        }),
    })
}

fn promised(plan: &PlanFile, saved: &SavedHost) -> Option<(String, Promised)> {
    let promised = Promised {
        plan: plan.plan_of(&saved.name)?.clone(),
        answers: saved.answers(),
        facts: plan.facts_of(&saved.name).cloned(),
    };
    Some((saved.name.clone(), promised))
}

/// The hosts of the plan that `--limit` names; all of them without it.
fn chosen<'a>(
    plan: &'a PlanFile,
    inventory: &Inventory,
    limit: &[String],
    file: &str,
) -> Result<Vec<&'a SavedHost>, Exit> {
    if limit.is_empty() {
        return Ok(plan.hosts.iter().collect());
    }
    let named = session::select(inventory, limit)?;
    let is_named = |saved: &&SavedHost| named.iter().any(|host| host.name.as_str() == saved.name);
    let chosen: Vec<&SavedHost> = plan.hosts.iter().filter(is_named).collect();
    let is_planned = |host: &&Host| {
        plan.hosts
            .iter()
            .any(|saved| saved.name == host.name.as_str())
    };
    let others: Vec<&str> = named
        .iter()
        .filter(|host| !is_planned(host))
        .map(|host| host.name.as_str())
        .collect();
    if chosen.is_empty() {
        let error = Diagnostic::error(format!("{file} has no plan for what --limit names"));
        let names: Vec<&str> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
        return Err(complain(
            &error.hint(format!("it has one for {}", names.join(", "))),
        ));
    }
    if !others.is_empty() {
        let none = format!("{file} has no plan for {}", others.join(", "));
        complain(&format!("warning: {none}: nothing is done there"));
    }
    Ok(chosen)
}

/// Whether its seal was made with our own key.
pub(super) fn is_ours(opened: &Opened) -> bool {
    opened.header.seal == Seal::Ours
}

/// What somebody who cannot look must know of a plan that is not sealed with our key: its digest.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn trusted(
    opened: &Opened,
    digest: Option<&str>,
    nobody_looks: bool,
) -> Result<(), Exit> {
    let found = opened.header.digest.as_str();
    match digest {
        Some(given) if given.eq_ignore_ascii_case(found) => Ok(()),
        Some(given) => Err(complain(&format!(
            "this is not the plan with the sha256 {given}: its own is {found}"
        ))),
        None if opened.header.seal == Seal::Unknown && nobody_looks => {
            complain(
                "this plan is not sealed with your key, and with --yes or --unattended nobody looks at it\n  hint: say which one it is with --sha256, as `holdfast show` told the one who reviewed it",
            );
            Err(Exit::NeedsHuman)
        }
        None => Ok(()),
    }
}
