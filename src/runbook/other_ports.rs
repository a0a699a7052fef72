//! `also_try_ports`: where a host may answer when it does not on the port it should.

use serde_json::Value;

use super::render::{World, scope};
use super::{Inputs, Runbook};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::inventory::Host;
use crate::template::{self, Meaning, Names, Text};
use crate::value::Port;

/// Checks the texts. They are filled in before anything is known of the host.
pub(super) fn read<'a>(
    texts: Option<Vec<Text>>,
    inputs: impl IntoIterator<Item = &'a str>,
    out: &mut Diagnostics,
) -> Vec<Text> {
    let names = Names::new()
        .with("inputs", inputs)
        .with("host", ["name", "address", "port", "user", "connection"])
        .with_any("vars");
    let texts = texts.unwrap_or_default();
    for text in &texts {
        template::check(text, Meaning::Template, &names, out);
    }
    texts
}

/// The ports to try when a host does not answer on its own, in order, each once. `0` stands for none.
///
/// # Errors
/// When a text cannot be rendered, or is no port then.
pub fn other_ports(
    runbook: &Runbook,
    host: &Host,
    inputs: &Inputs,
) -> Result<Vec<Port>, Diagnostic> {
    let world = World {
        host,
        inputs,
        facts: None,
        data: &Value::Null,
    };
    let scope = scope(runbook, &world);
    let mut ports = Vec::new();
    for text in scope.list(&runbook.also_try_ports)? {
        if text.text.trim() == "0" {
            continue;
        }
        let port = scope.parse(&text)?;
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    Ok(ports)
}
