//! Included runbooks as parts of a run: what their templates see, and whose data is fetched.

use serde_json::Value;

use super::render::{World, scope};
use super::{Act, Include, Inputs, Runbook, Step};
use crate::diagnostic::Diagnostics;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::template::Scope;

/// What the templates of an included runbook may see on one host.
#[derive(Debug)]
pub(super) struct Inner<'a> {
    host: &'a Host,
    inputs: Inputs,
    facts: Option<&'a Facts>,
    data: Value,
}

impl Inner<'_> {
    pub(super) fn as_world(&self) -> World<'_> {
        World {
            host: self.host,
            inputs: &self.inputs,
            facts: self.facts,
            data: &self.data,
        }
    }
}

impl Include {
    /// The world of the included runbook, seen from the scope around it.
    pub(super) fn world<'a>(
        &self,
        step: &Step,
        scope: &Scope,
        outer: &World<'a>,
    ) -> Result<Inner<'a>, Diagnostics> {
        let key = data_key(&step.label().unwrap_or_default());
        Ok(Inner {
            host: outer.host,
            inputs: self.inputs(scope, outer.host)?,
            facts: outer.facts,
            data: outer.data.get(&key).cloned().unwrap_or(Value::Null),
        })
    }
}

/// Where the data of an included runbook stands among that of the runbook around it. No name of data
/// has a space in it.
fn data_key(label: &str) -> String {
    format!("include {label}")
}

/// A runbook whose data is to be fetched: the one of the run, or one that it includes.
#[derive(Debug)]
pub struct Part<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// What its data may be described with on one host: no facts.
    pub scope: Scope,
    /// The keys below which its data stands in the data of the run.
    pub path: Vec<String>,
}

/// The runbook and those that it includes, as far as they have data, for one host without its facts.
///
/// # Errors
/// When an input of an included runbook is refused.
pub fn parts<'a>(runbook: &'a Runbook, world: &World<'_>) -> Result<Vec<Part<'a>>, Diagnostics> {
    let mut parts = Vec::new();
    collect_parts(runbook, world, &[], &mut parts)?;
    Ok(parts)
}

fn collect_parts<'a>(
    runbook: &'a Runbook,
    world: &World<'_>,
    path: &[String],
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Diagnostics> {
    let scope = scope(runbook, world);
    if !runbook.data.is_empty() {
        parts.push(Part {
            runbook,
            scope: scope.clone(),
            path: path.to_vec(),
        });
    }
    for step in &runbook.steps {
        if let Act::Include(include) = &step.act
            && include.runbook.fetches()
        {
            let inner = include.world(step, &scope, world)?;
            let mut path = path.to_vec();
            path.push(data_key(&step.label().unwrap_or_default()));
            collect_parts(&include.runbook, &inner.as_world(), &path, parts)?;
        }
    }
    Ok(())
}
