//! What the tests of kinds have in common.

use serde_json::Value;

use super::{Kind, StepFrame};
use crate::diagnostic::{Diagnostics, Source};
use crate::template::{Scope, Templates};
use crate::yaml::{self, Node};

/// The mistakes in a step that are known before any host is.
pub(super) fn mistakes_at_load(kind: &Kind, text: &str) -> Vec<String> {
    messages(&checked(kind, &node(text)))
}

/// The mistakes in a step on a host with these values: all that can be known without its answers.
pub(super) fn mistakes(kind: &Kind, text: &str, values: &Value) -> Vec<String> {
    let node = node(text);
    let mut out = checked(kind, &node);
    let scope = Scope::new(values, Templates::default());
    let frame = StepFrame {
        runbook: "t",
        reload_on: &[],
    };
    if out.is_empty()
        && let Err(said) = (kind.render)(&node, &scope, &frame)
    {
        out.append(said);
    }
    messages(&out)
}

fn node(text: &str) -> Node {
    yaml::parse(&Source::new("t.yaml", text)).unwrap()
}

fn checked(kind: &Kind, node: &Node) -> Diagnostics {
    let mut out = Diagnostics::new();
    kind.shape.check(node, &mut out);
    (kind.check)(node, &mut out);
    out
}

fn messages(said: &Diagnostics) -> Vec<String> {
    said.iter().map(|one| one.message.clone()).collect()
}
