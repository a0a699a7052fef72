//! A runbook's steps for one host as a tree, for `holdfast render`: what the author would have
//! written without templates.

use serde_json::{Map, Value, json};

use super::fill::tree;
use super::render::items;
use super::{Act, Runbook, Step, World, scope};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::{Scope, Text};

/// Each step with its number, its name and its resource, everything filled in.
///
/// # Errors
/// Every mistake at once.
pub fn concrete(runbook: &Runbook, world: &World<'_>) -> Result<Value, Diagnostics> {
    let mut out = Diagnostics::new();
    let mut steps = Vec::new();
    collect(runbook, world, &mut steps, &mut out);
    out.into_result(Value::Array(steps))
}

fn collect(runbook: &Runbook, world: &World<'_>, steps: &mut Vec<Value>, out: &mut Diagnostics) {
    let scope = scope(runbook, world);
    for step in &runbook.steps {
        if let Act::Include(include) = &step.act
            && step.wanted(&scope).unwrap_or(true)
        {
            match include.world(step, &scope, world) {
                Ok(inner) => collect(&include.runbook, &inner.as_world(), steps, out),
                Err(found) => out.append(found),
            }
            continue;
        }
        let scopes = items(step, &scope).unwrap_or_else(|diagnostic| {
            out.push(diagnostic);
            Vec::new()
        });
        for scope in scopes {
            match concrete_step(step, &scope, steps.len() + 1) {
                Ok(step) => steps.push(step),
                Err(diagnostic) => out.push(diagnostic),
            }
        }
    }
}

fn concrete_step(step: &Step, scope: &Scope, number: usize) -> Result<Value, Diagnostic> {
    let mut map = Map::new();
    map.insert("step".to_owned(), json!(number));
    map.insert("name".to_owned(), json!(scope.text(&step.name)?));
    let (key, value) = if step.wanted(scope)? {
        concrete_act(&step.act, scope)?
    } else {
        ("skipped", json!("its condition does not hold"))
    };
    map.insert(key.to_owned(), value);
    Ok(Value::Object(map))
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
