//! A YAML tree with every text filled in.

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::template::{Scope, Text};
use crate::yaml::{Kind, Node};

/// What the author would have written without templates. A text that stands for a list becomes one.
pub(super) fn tree(node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
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
