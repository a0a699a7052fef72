//! A runbook for one host: every text filled in, every condition decided, every value checked.

use serde_json::{Value, json};

use super::check::RenderedCheck;
use super::{Guard, Inputs, Retry, Runbook, Step};
use crate::change::StepNumber;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::inventory::{Connection, Host};
use crate::resource::{Resource, StepFrame};
use crate::risk::Risk;
use crate::template::Scope;
use crate::value::{Duration, Name, Port};

/// Everything a template of a run may see on one host.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The host in the inventory.
    pub host: &'a Host,
    /// The inputs' values for it.
    pub inputs: &'a Inputs,
    /// Its facts; `None` before it was asked (`render` without a connection).
    pub facts: Option<&'a Facts>,
    /// The data of the run, by name.
    pub data: &'a Value,
}

/// A runbook for one host.
#[derive(Debug)]
pub struct Rendered {
    /// The steps; those of `for_each` stand once per item.
    pub steps: Vec<RenderedStep>,
    /// The checks whose `when` holds.
    pub checks: Vec<RenderedCheck>,
}

/// A step for one host.
#[derive(Debug)]
pub struct RenderedStep {
    /// Its number.
    pub number: StepNumber,
    /// Its id.
    pub id: Option<String>,
    /// The desired state in words.
    pub name: String,
    /// Its risk.
    pub risk: Risk,
    /// What it describes; `None` when `when` does not hold.
    pub resource: Option<Box<dyn Resource>>,
    /// Ids of steps after whose changes it is looked at again.
    pub after: Vec<String>,
    /// Ids of steps whose changes ask this service to reload.
    pub reload_on: Vec<String>,
    /// How its changes are guarded; `None`: they are not.
    pub guard: Option<RenderedGuard>,
    /// What to do when it fails.
    pub retry: Retry,
    /// How long its changes may take.
    pub timeout: Duration,
    /// For `--tags`.
    pub tags: Vec<Name>,
}

/// The host takes a step back by itself unless a new login proves that we still get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderedGuard {
    /// The port of sshd that the new login must come through; the one we use when not said.
    pub port: Option<Port>,
    /// Whether a change that cannot be taken back is accepted all the same.
    pub irreversible: bool,
}

/// The scope of a host: `inputs`, `vars`, `host`, `facts`, `data`, `runbook`.
pub fn scope(runbook: &Runbook, world: &World<'_>) -> Scope {
    let host = world.host;
    let values = json!({
        "inputs": world.inputs.to_value(),
        "vars": Value::Object(host.vars.clone()),
        "host": {
            "name": host.name,
            "address": host.address,
            "port": host.port,
            "user": host.user,
            "connection": match host.connection {
                Connection::Ssh => "ssh",
                Connection::Local => "local",
            },
            "groups": host.groups,
            "tags": host.tags,
        },
        "facts": world.facts,
        "data": world.data,
        "runbook": { "name": runbook.name },
    });
    Scope::new(&values, runbook.templates.clone())
}

/// Renders all steps and checks.
///
/// # Errors
/// Every mistake at once, each with its place in the runbook or template.
pub fn render(runbook: &Runbook, world: &World<'_>) -> Result<Rendered, Diagnostics> {
    let scope = scope(runbook, world);
    let mut out = Diagnostics::new();
    let mut steps: Vec<RenderedStep> = Vec::new();
    for step in &runbook.steps {
        match items(step, &scope) {
            Err(diagnostic) => out.push(diagnostic),
            Ok(scopes) => {
                for scope in scopes {
                    let number = StepNumber(steps.len() + 1);
                    match render_step(runbook, step, &scope, number) {
                        Ok(step) => steps.push(step),
                        Err(diagnostics) => out.append(diagnostics),
                    }
                }
            }
        }
    }
    let mut checks = Vec::new();
    for check in &runbook.verify {
        match check.render(&scope) {
            Ok(check) => checks.extend(check),
            Err(diagnostic) => out.push(diagnostic),
        }
    }
    out.into_result(Rendered { steps, checks })
}

/// The scope once per item of `for_each`, or just once.
pub(super) fn items(step: &Step, scope: &Scope) -> Result<Vec<Scope>, Diagnostic> {
    match &step.for_each {
        None => Ok(vec![scope.clone()]),
        Some(list) => Ok(scope
            .values(list)?
            .into_iter()
            .map(|item| scope.with("item", item))
            .collect()),
    }
}

fn render_step(
    runbook: &Runbook,
    step: &Step,
    scope: &Scope,
    number: StepNumber,
) -> Result<RenderedStep, Diagnostics> {
    let wanted = step
        .when
        .as_ref()
        .map_or(Ok(true), |when| scope.condition(when))?;
    let frame = StepFrame {
        runbook: runbook.name.as_str(),
        reload_on: &step.reload_on,
    };
    let resource = if wanted {
        Some((step.kind.render)(&step.body, scope, &frame)?)
    } else {
        None
    };
    Ok(RenderedStep {
        number,
        id: step.id.as_ref().map(Name::to_string),
        name: scope.text(&step.name)?,
        risk: step.risk,
        resource,
        after: step.after.clone(),
        reload_on: step.reload_on.clone(),
        guard: guard(step, scope)?,
        retry: step.retry,
        timeout: step.timeout,
        tags: step.tags.clone(),
    })
}

fn guard(step: &Step, scope: &Scope) -> Result<Option<RenderedGuard>, Diagnostic> {
    match &step.guard {
        Some(Guard::Off) => Ok(None),
        Some(Guard::On { port }) => {
            let port = port.as_ref().map(|text| scope.parse(text)).transpose()?;
            Ok(Some(RenderedGuard {
                port,
                irreversible: false,
            }))
        }
        None if step.kind.guarded || step.risk == Risk::High => Ok(Some(RenderedGuard {
            port: None,
            irreversible: false,
        })),
        None => Ok(None),
    }
}
