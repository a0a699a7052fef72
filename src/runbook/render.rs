//! A runbook for one host: every text filled in, every condition decided, every value checked.

use serde_json::{Value, json};

use super::check::RenderedCheck;
use super::interlude::Interlude;
use super::{Act, Guard, Inputs, Retry, Runbook, Step};
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
    /// Why; none when the author does not say.
    pub why: Option<String>,
    /// Its risk.
    pub risk: Risk,
    /// What it describes; `None` when `when` does not hold, or when it describes nothing.
    pub resource: Option<Box<dyn Resource>>,
    /// What happens in its place that changes nothing; `None` for a resource, and when `when` does not hold.
    pub interlude: Option<Interlude>,
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

/// Renders all steps and checks, those of included runbooks in their places.
///
/// # Errors
/// Every mistake at once, each with its place in the runbook or template.
pub fn render(runbook: &Runbook, world: &World<'_>) -> Result<Rendered, Diagnostics> {
    let mut page = Page::default();
    page.take(runbook, world, &Around::default());
    page.said.into_result(Rendered {
        steps: page.steps,
        checks: page.checks,
    })
}

/// What has been rendered so far.
#[derive(Default)]
struct Page {
    steps: Vec<RenderedStep>,
    checks: Vec<RenderedCheck>,
    said: Diagnostics,
}

/// What the includes around a runbook add to its steps.
#[derive(Default)]
struct Around {
    /// Stands before ids, so that included runbooks keep theirs apart.
    prefix: String,
    /// The tags of the includes.
    tags: Vec<Name>,
}

impl Around {
    fn prefixed(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }
}

impl Page {
    fn take(&mut self, runbook: &Runbook, world: &World<'_>, around: &Around) {
        let scope = scope(runbook, world);
        for step in &runbook.steps {
            match (&step.act, step.wanted(&scope)) {
                (Act::Include(include), Ok(true)) => match include.world(step, &scope, world) {
                    Ok(inner) => {
                        let label = step.label().unwrap_or_default();
                        let around = Around {
                            prefix: around.prefixed(&format!("{label}/")),
                            tags: [around.tags.as_slice(), &step.tags].concat(),
                        };
                        self.take(&include.runbook, &inner.as_world(), &around);
                    }
                    Err(found) => self.said.append(found),
                },
                (_, Err(diagnostic)) if step.for_each.is_none() => self.said.push(diagnostic),
                (_, Ok(_) | Err(_)) => self.take_step(runbook, step, &scope, around),
            }
        }
        for check in &runbook.verify {
            match check.render(&scope, &around.tags) {
                Ok(check) => self.checks.extend(check),
                Err(diagnostic) => self.said.push(diagnostic),
            }
        }
    }

    fn take_step(&mut self, runbook: &Runbook, step: &Step, scope: &Scope, around: &Around) {
        let scopes = match items(step, scope) {
            Ok(scopes) => scopes,
            Err(diagnostic) => return self.said.push(diagnostic),
        };
        for scope in scopes {
            let number = StepNumber(self.steps.len() + 1);
            match render_step((runbook, step), &scope, number, around) {
                Ok(step) => self.steps.push(step),
                Err(diagnostics) => self.said.append(diagnostics),
            }
        }
    }
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

impl Step {
    /// Whether it is guarded without saying so, whatever it describes on a host.
    fn is_dangerous(&self) -> bool {
        match &self.act {
            Act::Resource { kind, .. } => {
                kind.guarded || (self.risk == Risk::High && kind.is_on_host())
            }
            Act::Include(_) | Act::Manual(_) | Act::Pause(_) => false,
        }
    }

    /// Whether its condition holds.
    pub(super) fn wanted(&self, scope: &Scope) -> Result<bool, Diagnostic> {
        let when = self.when.as_ref();
        when.map_or(Ok(true), |when| scope.condition(when))
    }
}

fn render_step(
    (runbook, step): (&Runbook, &Step),
    scope: &Scope,
    number: StepNumber,
    around: &Around,
) -> Result<RenderedStep, Diagnostics> {
    let prefixed =
        |ids: &[String]| -> Vec<String> { ids.iter().map(|id| around.prefixed(id)).collect() };
    let reload_on = prefixed(&step.reload_on);
    let frame = StepFrame {
        runbook: runbook.name.as_str(),
        reload_on: &reload_on,
    };
    let (mut resource, mut interlude) = (None, None);
    if step.wanted(scope)? {
        match &step.act {
            Act::Resource { kind, body } => resource = Some((kind.render)(body, scope, &frame)?),
            Act::Manual(manual) => interlude = Some(manual.render(scope)?),
            Act::Pause(time) => interlude = Some(Interlude::Pause(scope.parse(time)?)),
            Act::Include(_) => {}
        }
    }
    let can_cut = resource.as_ref().is_some_and(|resource| resource.can_cut());
    Ok(RenderedStep {
        number,
        id: step.id.as_ref().map(|id| around.prefixed(id.as_str())),
        name: scope.text(&step.name)?,
        why: step.why.clone(),
        risk: step.risk,
        resource,
        interlude,
        after: prefixed(&step.after),
        reload_on,
        guard: guard(step, can_cut, scope)?,
        retry: step.retry,
        timeout: step.timeout,
        tags: [step.tags.as_slice(), &around.tags].concat(),
    })
}

fn guard(step: &Step, can_cut: bool, scope: &Scope) -> Result<Option<RenderedGuard>, Diagnostic> {
    match &step.guard {
        Some(Guard::Off) => Ok(None),
        Some(Guard::On { port }) => {
            let port = port.as_ref().map(|text| scope.parse(text)).transpose()?;
            Ok(Some(RenderedGuard {
                port,
                irreversible: false,
            }))
        }
        None => Ok((can_cut || step.is_dangerous()).then_some(RenderedGuard {
            port: None,
            irreversible: false,
        })),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::diagnostic::Source;
    use crate::runbook::load;
    use crate::template::Templates;

    /// Which of the steps are guarded.
    fn guarded(steps: &str) -> Vec<bool> {
        let text = format!("name: t\nsummary: x\nrisk: high\nsteps:\n{steps}");
        let runbook = load("t", &Source::new("t", text), Templates::default()).unwrap();
        let inventory = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(inventory.path(), "hosts:\n  web: {}\n").unwrap();
        let inventory = crate::inventory::load(inventory.path()).unwrap();
        let inputs = Inputs::gather(&runbook.inputs, &BTreeMap::new(), None).unwrap();
        let world = World {
            host: &inventory.hosts()[0],
            inputs: &inputs,
            facts: None,
            data: &json!({}),
        };
        let rendered = render(&runbook, &world).unwrap();
        let steps = rendered.steps.iter();
        steps.map(|step| step.guard.is_some()).collect()
    }

    #[test]
    fn what_logins_rest_on_is_guarded_without_saying_so() {
        let steps = "\
            - { name: a, file: { path: /etc/motd, content: x } }\n\
            - { name: b, file: { path: /etc/ssh/sshd_config.d/x.conf, content: x } }\n\
            - { name: c, guard: false, file: { path: /etc/sudoers, content: x } }\n\
            - { name: d, service: { name: ssh, running: false } }\n\
            - { name: e, service: { name: cron, running: false } }\n";
        assert_eq!(guarded(steps), [false, true, false, true, false]);
    }

    #[test]
    fn no_guard_is_promised_for_what_lies_on_this_machine() {
        let steps = "\
            - { name: a, risk: high, inventory: { port: 22 } }\n\
            - { name: b, risk: high, file: { path: /etc/motd, content: x } }\n";
        assert_eq!(guarded(steps), [false, true]);
    }
}
