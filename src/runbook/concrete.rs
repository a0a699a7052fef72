//! A runbook's steps for one host as a tree: what the author would have written without templates. `holdfast
//! render` prints it, and a run leaves it on the host, where `left.rs` reads it back.
//!
//! Each step has its number as `step`, its `name`, and the key of its kind, or `skipped` with the reason. What
//! stands in an included runbook names that as `runbook`; `reload_on` is kept, because a service may say nothing
//! else.

use serde_json::{Map, Value, json};

use super::fill::tree;
use super::render::items;
use super::{Act, Runbook, Step, World, scope};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::{Scope, Text};
use crate::value::Name;

/// Why the step of this number and with these tags is left out, if it is.
type LeftOut<'a> = &'a dyn Fn(usize, &[Name]) -> Option<&'static str>;

/// Each step with its number, its name and its resource, everything filled in.
///
/// # Errors
/// Every mistake at once.
pub fn concrete(runbook: &Runbook, world: &World<'_>) -> Result<Value, Diagnostics> {
    concrete_of(runbook, world, &|_, _| None)
}

/// The same, where some steps are left out and say so as `skipped`.
///
/// # Errors
/// Every mistake at once.
pub fn concrete_of(
    runbook: &Runbook,
    world: &World<'_>,
    left_out: LeftOut<'_>,
) -> Result<Value, Diagnostics> {
    let mut page = Page {
        left_out,
        steps: Vec::new(),
        said: Diagnostics::new(),
    };
    page.collect(runbook, world, &Around::default());
    page.said.into_result(Value::Array(page.steps))
}

/// What has been filled in so far.
struct Page<'a> {
    left_out: LeftOut<'a>,
    steps: Vec<Value>,
    said: Diagnostics,
}

/// What the includes around a runbook add to its steps.
#[derive(Default)]
struct Around {
    prefix: String,
    tags: Vec<Name>,
    /// The included runbook; none at the top.
    runbook: Option<String>,
}

impl Page<'_> {
    fn collect(&mut self, runbook: &Runbook, world: &World<'_>, around: &Around) {
        let scope = scope(runbook, world);
        for step in &runbook.steps {
            if let Act::Include(include) = &step.act
                && step.wanted(&scope).unwrap_or(true)
            {
                match include.world(step, &scope, world) {
                    Ok(inner) => {
                        let label = step.label().unwrap_or_default();
                        let within = Around {
                            prefix: format!("{}{label}/", around.prefix),
                            tags: [around.tags.as_slice(), &step.tags].concat(),
                            runbook: Some(include.runbook.name.to_string()),
                        };
                        self.collect(&include.runbook, &inner.as_world(), &within);
                    }
                    Err(found) => self.said.append(found),
                }
                continue;
            }
            let scopes = items(step, &scope).unwrap_or_else(|diagnostic| {
                self.said.push(diagnostic);
                Vec::new()
            });
            for scope in scopes {
                match self.step(step, &scope, around) {
                    Ok(step) => self.steps.push(step),
                    Err(diagnostic) => self.said.push(diagnostic),
                }
            }
        }
    }

    fn step(&self, step: &Step, scope: &Scope, around: &Around) -> Result<Value, Diagnostic> {
        let mut map = Map::new();
        let number = self.steps.len() + 1;
        map.insert("step".to_owned(), json!(number));
        map.insert("name".to_owned(), json!(scope.text(&step.name)?));
        let why = if step.wanted(scope)? {
            let tags = [around.tags.as_slice(), &step.tags].concat();
            (self.left_out)(number, &tags)
        } else {
            Some("its condition does not hold")
        };
        let (key, value) = match why {
            None => concrete_act(&step.act, scope)?,
            Some(why) => ("skipped", json!(why)),
        };
        map.insert(key.to_owned(), value);
        if let Some(runbook) = &around.runbook {
            map.insert("runbook".to_owned(), json!(runbook));
        }
        if !step.reload_on.is_empty() {
            let ids = step.reload_on.iter();
            let ids: Vec<String> = ids.map(|id| format!("{}{id}", around.prefix)).collect();
            map.insert("reload_on".to_owned(), json!(ids));
        }
        Ok(Value::Object(map))
    }
}

fn concrete_act(act: &Act, scope: &Scope) -> Result<(&'static str, Value), Diagnostic> {
    match act {
        Act::Resource { kind, body } => {
            let mut filled = tree(body, scope)?;
            if let Some(name) = body.get("template").and_then(Text::from_node) {
                let content = scope.file(&scope.text(&name)?, &name)?;
                if let Value::Object(fields) = &mut filled {
                    fields.insert("content".to_owned(), Value::from(content));
                }
            }
            Ok((kind.key, filled))
        }
        Act::Include(include) => Ok(("include", json!(include.runbook.name))),
        Act::Manual(manual) => Ok(("manual", json!(manual.render(scope)?))),
        Act::Pause(time) => Ok(("pause", json!(scope.text(time)?))),
    }
}
