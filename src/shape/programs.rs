//! The programs that a mapping names, found by the types of its fields, so that no kind can forget one of its own.

use super::{Shape, Ty};
use crate::template::Text;
use crate::yaml::{Kind, Node};

/// The words of a program as they are written, templates still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The key that they stand behind, such as `unless`.
    pub key: &'static str,
    /// The words.
    pub argv: Vec<String>,
}

impl Shape {
    /// Every program in a mapping of this shape, at any depth, in the order of the table.
    pub fn programs(&self, node: &Node) -> Vec<Program> {
        let fields = self.fields.iter();
        let found = fields.filter_map(|field| {
            let value = self.get(node, field.name)?;
            Some(field.ty.programs(field.name, value))
        });
        found.flatten().collect()
    }
}

impl Ty {
    /// Every program in what stands behind a key of this type.
    pub fn programs(self, key: &'static str, value: &Node) -> Vec<Program> {
        match self {
            Ty::Argv => vec![Program {
                key,
                argv: words(value),
            }],
            Ty::One(shape) => shape.programs(value),
            Ty::Many(shape) => {
                let items = value.items().iter();
                items.flat_map(|item| shape.programs(item)).collect()
            }
            Ty::Named(shape) => {
                let entries = value.entries().iter();
                entries.flat_map(|(_, one)| shape.programs(one)).collect()
            }
            Ty::Text
            | Ty::Texts
            | Ty::Bool
            | Ty::Int(..)
            | Ty::Duration
            | Ty::Word(_)
            | Ty::Any
            | Ty::Values => Vec::new(),
        }
    }
}

/// One word, or each of a list.
fn words(value: &Node) -> Vec<String> {
    let texts: Vec<Text> = match &value.kind {
        Kind::List(items) => items.iter().filter_map(Text::from_node).collect(),
        Kind::Null | Kind::Scalar { .. } | Kind::Map(_) => {
            Text::from_node(value).into_iter().collect()
        }
    };
    texts.into_iter().map(|text| text.text).collect()
}
