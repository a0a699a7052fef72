//! What every verb that works on hosts needs: the runbook, the hosts, the inputs of each.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write as _};

use super::resume::Resumed;
use super::{Exit, args};
use crate::diagnostic::Diagnostics;
use crate::engine::{Promise, Undoes};
use crate::event::Invocation;
use crate::inventory::{self, Host, Inventory};
use crate::report::harmless_lines;
use crate::runbook::{Inputs, Library, LibraryError, Runbook};

/// Everything that was read before the first connection.
pub(super) struct Loaded {
    pub(super) runbook: Runbook,
    pub(super) hosts: Vec<Host>,
    pub(super) inputs: BTreeMap<String, Inputs>,
    /// The saved plan that is to be performed.
    pub(super) promise: Option<Promise>,
    /// The run that is taken back, instead of a runbook.
    pub(super) undoes: Option<Undoes>,
}

/// Reads and checks it all for the hosts that these words name.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn load(
    files: &args::Files,
    limit: &[String],
    inputs: &args::Inputs,
    name: &str,
) -> Result<Loaded, Exit> {
    let inputs = inputs.values().map_err(|error| complain(&error))?;
    let invocation = Invocation {
        runbook: name.to_owned(),
        hosts: limit.to_vec(),
        inputs,
        ..Invocation::default()
    };
    load_as(
        files,
        &Resumed {
            invocation,
            ..Resumed::default()
        },
    )
}

/// The same for the hosts that are selected.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn load_selected(
    files: &args::Files,
    selection: &args::Selection,
    name: &str,
) -> Result<Loaded, Exit> {
    load(files, &selection.limit.hosts, &selection.inputs, name)
}

/// The same for what an earlier run was asked to do, with what was edited on its way.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn load_as(files: &args::Files, resumed: &Resumed) -> Result<Loaded, Exit> {
    let asked = &resumed.invocation;
    let library = Library::open(&files.runbooks.folder).map_err(|error| complain_about(&error))?;
    let runbook = library
        .load(&asked.runbook)
        .map_err(|error| complain_about(&error))?;
    let hosts = select(&inventory(&files.inventory)?, &asked.hosts)?;
    let mut inputs = BTreeMap::new();
    let mut mistakes: Vec<Diagnostics> = Vec::new();
    for host in &hosts {
        let mut given = asked.inputs.clone();
        given.extend(
            resumed
                .edits
                .get(host.name.as_str())
                .cloned()
                .unwrap_or_default(),
        );
        match Inputs::gather(
            &runbook.inputs,
            &given,
            host.inputs.get(runbook.name.as_str()),
        ) {
            Ok(values) => {
                inputs.insert(host.name.to_string(), values);
            }
            Err(found) if mistakes.contains(&found) => {}
            Err(found) => mistakes.push(found),
        }
    }
    if mistakes.is_empty() {
        return Ok(Loaded {
            runbook,
            hosts,
            inputs,
            promise: None,
            undoes: None,
        });
    }
    for found in &mistakes {
        complain(found);
    }
    Err(Exit::Usage)
}

/// Reads the inventory, and tells what is odd in it.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn inventory(args: &args::Inventory) -> Result<Inventory, Exit> {
    let inventory = inventory::load(&args.path).map_err(|error| complain(&error))?;
    if !inventory.warnings().is_empty() {
        complain(inventory.warnings());
    }
    Ok(inventory)
}

/// The hosts of the inventory that these words name; all of them without any.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn select(inventory: &Inventory, words: &[String]) -> Result<Vec<Host>, Exit> {
    let chosen = inventory::select(inventory, words).map_err(|error| complain(&error))?;
    Ok(chosen.into_iter().cloned().collect())
}

/// The hosts that are meant.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn hosts(args: &args::Hosts) -> Result<Vec<Host>, Exit> {
    select(&inventory(&args.inventory)?, &args.limit.hosts)
}

/// Reads only the runbook.
///
/// # Errors
/// Already told; the exit code.
pub(super) fn runbook(files: &args::Files, name: &str) -> Result<Runbook, Exit> {
    let library = Library::open(&files.runbooks.folder).map_err(|error| complain_about(&error))?;
    library.load(name).map_err(|error| complain_about(&error))
}

/// Says why the library or a runbook of it cannot be used; the exit code for mistakes.
pub(super) fn complain_about(error: &LibraryError) -> Exit {
    match error {
        LibraryError::Unreadable { source, .. } => complain(&format!("error: {error}: {source}")),
        LibraryError::Unknown(_) | LibraryError::Mistakes(_) => complain(error),
    }
}

/// Says on standard error what is no mistake.
pub(super) fn note(text: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{}", harmless_lines(text));
}

/// Says a mistake on standard error; the exit code for mistakes.
pub(super) fn complain(error: &(impl Display + ?Sized)) -> Exit {
    // Names of hosts, and words of files that others made, may stand in it.
    let text = harmless_lines(&error.to_string());
    let headed = text.starts_with("error:") || text.starts_with("warning:");
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(
        io::stderr(),
        "{}{text}",
        if headed { "" } else { "error: " }
    );
    Exit::Usage
}

/// Writes data to standard output, to the last byte.
pub(super) fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What writing to standard output came to: a reader may leave early, but data that a full device
/// did not take is lost.
pub(super) fn written(result: io::Result<()>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            complain(&format!("cannot write to standard output: {error}"));
            Exit::Failed
        }
    }
}
