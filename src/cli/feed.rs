//! The external data of a run: fetched once on this machine, guarded, told.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::paths;
use crate::data;
use crate::diagnostic::Diagnostic;
use crate::engine::Job;
use crate::event::{EventKind, Fault};
use crate::runbook::{self, World};
use crate::template::Scope;

/// What loading data must know.
#[derive(Clone)]
pub(super) struct LoadIntent {
    /// Nobody is there to accept anything.
    pub(super) unattended: bool,
    /// Who accepts a change that is larger than the guard allows.
    pub(super) accept_change: Option<String>,
}

/// The data of a run.
pub(super) struct Feed {
    /// `data` as templates see it.
    pub(super) value: Value,
    loaded: Vec<data::Data>,
    store: PathBuf,
}

/// Fetches and guards every entry of `data:`, once for all hosts.
///
/// # Errors
/// Already told as an event; the class of the fault.
pub(super) fn load(job: &Job, intent: &LoadIntent) -> Result<Feed, Fault> {
    let store: PathBuf = paths::cache().join("data").join(job.runbook.name.as_str());
    let mut feed = Feed {
        value: Value::Null,
        loaded: Vec::new(),
        store,
    };
    let mut values = serde_json::Map::new();
    for spec in &job.runbook.data {
        let options = data::LoadOptions {
            store: feed.store.clone(),
            unattended: intent.unattended,
            accept_change: intent.accept_change.clone(),
            now: Timestamp::now(),
        };
        let loaded = scope_of_all(job, spec).and_then(|scope| data::load(spec, &scope, &options));
        let data = loaded.map_err(|error| tell_refused(job, spec.name(), error))?;
        job.events.tell(EventKind::DataReady {
            name: spec.name().to_owned(),
            origin: data.origin.to_string(),
            entries: data.entries,
            notes: data.notes.clone(),
        });
        values.insert(spec.name().to_owned(), data.value.clone());
        feed.loaded.push(data);
    }
    feed.value = Value::Object(values);
    Ok(feed)
}

impl Feed {
    /// Makes what was fetched the last good copy: what later runs are measured by.
    ///
    /// # Errors
    /// When it cannot be written; the next run compares with an older copy.
    pub(super) fn keep(&self) -> Result<(), data::StoreError> {
        self.loaded
            .iter()
            .try_for_each(|data| data.keep(&self.store))
    }
}

/// The scope that describes data. It is fetched once, so it must mean the same on every host.
fn scope_of_all(job: &Job, spec: &data::Spec) -> Result<Scope, data::DataError> {
    let mut scopes = job.hosts.iter().filter_map(|host| {
        let inputs = job.inputs.get(host.name.as_str())?;
        let world = World {
            host,
            inputs,
            facts: None,
            data: &Value::Null,
        };
        Some((host, runbook::scope(&job.runbook, &world)))
    });
    let Some((first, scope)) = scopes.next() else {
        return Err(Diagnostic::error("there is no host to fetch data for").into());
    };
    for (host, other) in scopes {
        if !spec.means_the_same(&scope, &other)? {
            let message = format!(
                "data `{}` is fetched once per run, but {} and {} describe it differently",
                spec.name(),
                first.name,
                host.name
            );
            return Err(Diagnostic::error(message)
                .hint("run them apart with --limit")
                .into());
        }
    }
    Ok(scope)
}

fn tell_refused(job: &Job, name: &str, error: data::DataError) -> Fault {
    let (origin, why, hint, fault) = match error {
        data::DataError::Refused {
            origin, why, hint, ..
        } => (origin, why, hint, Fault::NeedsHuman),
        data::DataError::Spec(diagnostics) => {
            (String::new(), diagnostics.to_string(), None, Fault::Failed)
        }
    };
    job.events.tell(EventKind::DataRefused {
        name: name.to_owned(),
        origin,
        why,
        hint,
    });
    fault
}
