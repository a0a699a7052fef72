//! The external data of a run: fetched once on this machine, guarded, told.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::paths;
use crate::data;
use crate::diagnostic::Diagnostic;
use crate::engine::Job;
use crate::event::{EventKind, Fault};
use crate::runbook::{self, Part, World};

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
    /// What was loaded, and the folder of the last good copies of its runbook.
    loaded: Vec<(data::Data, PathBuf)>,
}

/// Fetches and guards every entry of `data:`, once for all hosts; those of included runbooks as well.
///
/// # Errors
/// Already told as an event; the class of the fault.
pub(super) fn load(job: &Job, intent: &LoadIntent) -> Result<Feed, Fault> {
    if let Some(promise) = &job.promise {
        return Ok(Feed::saved(promise.data.clone()));
    }
    let mut feed = Feed {
        value: Value::Object(serde_json::Map::new()),
        loaded: Vec::new(),
    };
    if !job.runbook.fetches() {
        return Ok(feed);
    }
    let hosts = parts_of_all(job).map_err(|error| tell_refused(job, "", error))?;
    let Some(((_, first), others)) = hosts.split_first() else {
        return Ok(feed);
    };
    for (index, part) in first.iter().enumerate() {
        let store = paths::cache().join("data").join(part.runbook.name.as_str());
        for spec in &part.runbook.data {
            let options = data::LoadOptions {
                store: store.clone(),
                unattended: intent.unattended,
                accept_change: intent.accept_change.clone(),
                now: Timestamp::now(),
            };
            let loaded = same_for_all(spec, part, index, others)
                .and_then(|()| data::load(spec, &part.scope, &options));
            let data = loaded.map_err(|error| tell_refused(job, spec.name(), error))?;
            job.events.tell(EventKind::DataReady {
                name: spec.name().to_owned(),
                origin: data.origin.to_string(),
                entries: data.entries,
                notes: data.notes.clone(),
            });
            put(&mut feed.value, &part.path, spec.name(), data.value.clone());
            feed.loaded.push((data, store.clone()));
        }
    }
    Ok(feed)
}

/// Puts a value where the runbook that declares it will look.
fn put(value: &mut Value, path: &[String], name: &str, data: Value) {
    let mut at = value;
    for key in path {
        at = &mut at[key.as_str()];
    }
    at[name] = data;
}

impl Feed {
    /// Data that was fetched when a plan was saved. It is no measure for later lists: that was not asked.
    pub(super) fn saved(value: Value) -> Self {
        Self {
            value,
            loaded: Vec::new(),
        }
    }

    /// Makes what was fetched the last good copy: what later runs are measured by.
    ///
    /// # Errors
    /// When it cannot be written; the next run compares with an older copy.
    pub(super) fn keep(&self) -> Result<(), data::StoreError> {
        self.loaded
            .iter()
            .try_for_each(|(data, store)| data.keep(store))
    }
}

/// The runbooks with data, as each host describes them.
fn parts_of_all(job: &Job) -> Result<Vec<(&str, Vec<Part<'_>>)>, data::DataError> {
    let mut all = Vec::new();
    for host in &job.hosts {
        if let Some(inputs) = job.inputs.get(host.name.as_str()) {
            let world = World {
                host,
                inputs,
                facts: None,
                data: &Value::Null,
            };
            all.push((host.name.as_str(), runbook::parts(&job.runbook, &world)?));
        }
    }
    Ok(all)
}

/// Data is fetched once, so it must mean the same on every host.
fn same_for_all(
    spec: &data::Spec,
    part: &Part<'_>,
    index: usize,
    others: &[(&str, Vec<Part<'_>>)],
) -> Result<(), data::DataError> {
    for (host, parts) in others {
        let Some(other) = parts.get(index) else {
            continue;
        };
        if !spec.means_the_same(&part.scope, &other.scope)? {
            let message = format!(
                "data `{}` is fetched once per run, but {host} describes it differently than others",
                spec.name(),
            );
            return Err(Diagnostic::error(message)
                .hint("run them apart with --limit")
                .into());
        }
    }
    Ok(())
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
