//! A runbook's steps for one host as a tree, for `holdfast render`: what the author would have
//! written without templates.

use serde_json::{Map, Value, json};

use super::render::items;
use super::{Runbook, Step, World, scope};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::{Scope, Text};
use crate::yaml::{Kind, Node};

/// Each step with its number, its name and its resource, everything filled in.
///
/// # Errors
/// Every mistake at once.
pub fn concrete(runbook: &Runbook, world: &World<'_>) -> Result<Value, Diagnostics> {
    let scope = scope(runbook, world);
    let mut out = Diagnostics::new();
    let mut steps = Vec::new();
    for step in &runbook.steps {
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
    out.into_result(Value::Array(steps))
}

fn concrete_step(step: &Step, scope: &Scope, number: usize) -> Result<Value, Diagnostic> {
    let mut map = Map::new();
    map.insert("step".to_owned(), json!(number));
    map.insert("name".to_owned(), json!(scope.text(&step.name)?));
    let wanted = step
        .when
        .as_ref()
        .map_or(Ok(true), |when| scope.condition(when))?;
    if wanted {
        let mut body = tree(&step.body, scope)?;
        if let Some(name) = step.body.get("template").and_then(Text::from_node) {
            let content = scope.file(&scope.text(&name)?, &name)?;
            if let Value::Object(fields) = &mut body {
                fields.insert("content".to_owned(), Value::from(content));
            }
        }
        map.insert(step.kind.key.to_owned(), body);
    } else {
        map.insert("skipped".to_owned(), json!("its condition does not hold"));
    }
    Ok(Value::Object(map))
}

fn tree(node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
    match &node.kind {
        Kind::Null => Ok(Value::Null),
        Kind::Scalar { .. } => scalar(node, scope),
        Kind::List(list) => list.iter().map(|item| tree(item, scope)).collect(),
        Kind::Map(entries) => {
            let fields = entries.iter().map(|(key, value)| {
                Ok((
                    key.text().unwrap_or_default().to_owned(),
                    tree(value, scope)?,
                ))
            });
            Ok(Value::Object(
                fields.collect::<Result<Map<_, _>, Diagnostic>>()?,
            ))
        }
    }
}

fn scalar(node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
    match Text::from_node(node).filter(|text| !text.is_constant()) {
        None => Ok(node.to_value()),
        Some(text) => {
            let items = scope.list(std::slice::from_ref(&text))?;
            match items.as_slice() {
                [one] => Ok(Value::from(one.text.clone())),
                many => Ok(many
                    .iter()
                    .map(|item| Value::from(item.text.clone()))
                    .collect()),
            }
        }
    }
}
