//! A YAML tree with every text filled in.

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::template::{Scope, Text};
use crate::yaml::{Kind, Node};

/// What the author would have written without templates. A text that stands for a list becomes one; within a list
/// its items stand in its place.
pub(super) fn tree(node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
    match &node.kind {
        Kind::Null => Ok(Value::Null),
        Kind::Scalar { .. } => scalar(node, scope),
        Kind::List(list) => list_of(list, scope),
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

fn list_of(list: &[Node], scope: &Scope) -> Result<Value, Diagnostic> {
    let mut values = Vec::new();
    for item in list {
        match (&item.kind, tree(item, scope)?) {
            (Kind::Scalar { .. }, Value::Array(many)) => values.extend(many),
            (_, one) => values.push(one),
        }
    }
    Ok(Value::Array(values))
}

fn scalar(node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
    match Text::from_node(node).filter(|text| !text.is_constant()) {
        None => Ok(as_written(node)),
        Some(text) => {
            let items = scope.list(std::slice::from_ref(&text))?;
            match items.as_slice() {
                [one] => {
                    // Of a text the line break at its end counts; around an expression that comes to a list, which
                    // is no text, it says nothing.
                    let filled = scope.text(&text).ok();
                    let filled = filled.filter(|filled| filled.trim() == one.text.trim());
                    Ok(Value::from(filled.unwrap_or_else(|| one.text.clone())))
                }
                many => Ok(many
                    .iter()
                    .map(|item| Value::from(item.text.clone()))
                    .collect()),
            }
        }
    }
}

/// A number or a truth value only where it is written again as it was: `1.10` stays a text.
fn as_written(node: &Node) -> Value {
    let value = node.to_value();
    let again = value.to_string();
    match node.text() {
        Some(text) if !value.is_string() && again.as_str() != text => Value::from(text),
        Some(_) | None => value,
    }
}
