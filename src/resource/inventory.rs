//! The kind `inventory`: what the operator's inventory says about this host. Its file is edited in
//! place, on this machine; comments, order and quoting stay.
//!
//! ```yaml
//! inventory: { port: 2222 }
//! ```
//!
//! The answer to `here_inventory PORT` comes from this machine, not from the host (`src/here`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Call, Change, Diff, Known, Note, Shown, Undo, Verdict};
use crate::diagnostic::Diagnostics;
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::Port;
use crate::yaml::Node;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "inventory",
    help: "What the inventory on this machine says about the host; its file is edited in place.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "an inventory entry",
    fields: &[Field::required(
        "port",
        Ty::Text,
        "The port of the host's SSH server.",
    )],
    shorthand: None,
};

/// The port of one host in the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryPort {
    port: Port,
}

impl InventoryPort {
    fn probe(&self) -> Probe {
        Probe::new("here_inventory", [self.port.to_string()])
    }
}

impl Resource for InventoryPort {
    fn subject(&self) -> String {
        "inventory on this machine".to_owned()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn diff(&self, seen: &Answers, _known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        if lines.get("way") == "local" {
            return Ok(not_applicable("this machine is reached without SSH"));
        }
        let port = self.port;
        if lines.get("port").parse() == Ok(port) {
            return Ok(Diff::compliant().with_notes(plain_ssh(&lines, port)));
        }
        match (text(&lines, "before")?, text(&lines, "after")?) {
            (Some(before), Some(after)) => {
                let change = edit(&lines, port, &before, &after).expecting(self.probes());
                let notes = plain_ssh(&lines, port);
                Ok(Diff::of(vec![change]).with_notes(notes))
            }
            _ => match lines.get("cannot") {
                "" => Err(lines.unreadable("it says neither what to change nor why not")),
                why => Ok(by_hand(&lines, port, why)),
            },
        }
    }
}

fn not_applicable(why: &str) -> Diff {
    Diff {
        verdict: Verdict::NotApplicable {
            why: why.to_owned(),
        },
        notes: Vec::new(),
    }
}

fn text(lines: &Lines<'_>, key: &str) -> Result<Option<String>, ParseError> {
    let Some(encoded) = lines.all(key).next() else {
        return Ok(None);
    };
    let bytes = BASE64.decode(encoded).ok();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => Ok(Some(text)),
        None => Err(lines.unreadable(format!("{key} is no base64 text"))),
    }
}

fn edit(lines: &Lines<'_>, port: Port, before: &str, after: &str) -> Change {
    let file = lines.get("file");
    let call = |before: &str, after: &str| {
        let input = json!({ "before": before, "after": after }).to_string();
        Call::new("here_edit_inventory", [file]).with_input(input)
    };
    let shown = Shown::Text {
        path: format!("{file} (on this machine)"),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
    };
    let summary = format!("write port {port} of {} into {file}", lines.get("host"));
    let undo = Undo::Call(call(after, before));
    Change::new(summary, vec![shown], call(before, after), undo)
}

/// The run goes on without the edit: later runs find the host on its new port by themselves.
fn by_hand(lines: &Lines<'_>, port: Port, why: &str) -> Diff {
    let (file, host) = (lines.get("file"), lines.get("host"));
    let note = format!("{file} is not edited: {why}; give {host} `port: {port}` there yourself");
    not_applicable("it must be written by hand").with_notes(vec![Note::warning(note)])
}

/// The inventory is ours alone: what `ssh` does without it stands in the operator's own file.
fn plain_ssh(lines: &Lines<'_>, port: Port) -> Vec<Note> {
    let client = lines.get("client");
    if client.is_empty() || client.parse() == Ok(port) {
        return Vec::new();
    }
    let host = lines.get("host");
    vec![Note::info(format!(
        "a plain `ssh` to {host} still goes to port {client}: write `Port {port}` below its `Host` in ~/.ssh/config"
    ))]
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Port>(&SHAPE, node, "port", out);
}

fn render(
    node: &Node,
    scope: &Scope,
    _frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let port = fields.value("port");
    fields.finish(port.map(|port| InventoryPort { port }))
}
