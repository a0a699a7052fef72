//! What a host, a group and `all:` may all say: how to connect, variables, inputs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::Connection;
use super::file::{raw_entries, value};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::value::{Port, UserName};
use crate::yaml::{Kind, Node};

/// Everything that a host, a group and `all:` may all say.
pub(super) type Settings = BTreeMap<Key, (Setting, Place)>;

/// What a [`Setting`] is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Port,
    User,
    Connection,
    Var(String),
    /// Runbook and input.
    Input(String, String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Port => f.write_str("`port`"),
            Key::User => f.write_str("`user`"),
            Key::Connection => f.write_str("`connection`"),
            Key::Var(name) => write!(f, "the variable `{name}`"),
            Key::Input(runbook, input) => write!(f, "the input `{input}` of {runbook}"),
        }
    }
}

/// A value under a [`Key`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Port(Port),
    User(UserName),
    Connection(Connection),
    Value(Value),
}

/// Reads the settings of one mapping.
pub(super) fn settings(node: &Node, out: &mut Diagnostics) -> Settings {
    let mut settings = Settings::new();
    let mut put = |key, setting, place: &Place| settings.insert(key, (setting, place.clone()));
    // A number out of bounds or an unknown word was said by the shape.
    if let Some(port) = node.get("port")
        && let Some(number) = value(port, &mut Diagnostics::new())
    {
        put(Key::Port, Setting::Port(number), &port.place);
    }
    if let Some(user) = node.get("user")
        && let Some(name) = value(user, out)
    {
        put(Key::User, Setting::User(name), &user.place);
    }
    if let Some(word) = node.get("connection")
        && let Some(connection) = connection(word)
    {
        put(
            Key::Connection,
            Setting::Connection(connection),
            &word.place,
        );
    }
    for (name, var) in raw_entries(node, "vars") {
        warn_of_surprises(name, var, out);
        let name = name.text().unwrap_or_default().to_owned();
        put(Key::Var(name), Setting::Value(var.to_value()), &var.place);
    }
    for (runbook, inputs) in raw_entries(node, "inputs") {
        inputs_of(runbook, inputs, out, &mut put);
    }
    settings
}

fn connection(node: &Node) -> Option<Connection> {
    match node.text()? {
        "ssh" => Some(Connection::Ssh),
        "local" => Some(Connection::Local),
        _ => None,
    }
}

fn inputs_of<R>(
    runbook: &Node,
    inputs: &Node,
    out: &mut Diagnostics,
    put: &mut impl FnMut(Key, Setting, &Place) -> R,
) {
    let runbook = runbook.text().unwrap_or_default();
    if !matches!(inputs.kind, Kind::Map(_) | Kind::Null) {
        let message = format!(
            "below `{runbook}` stand its inputs, not {}",
            inputs.kind_name()
        );
        let hint = "write inputs: { RUNBOOK: { INPUT: value } }";
        out.push(Diagnostic::error(message).at(&inputs.place).hint(hint));
    }
    for (input, value) in inputs.entries() {
        let name = input.text().unwrap_or_default().to_owned();
        let key = Key::Input(runbook.to_owned(), name);
        put(key, Setting::Value(value.to_value()), &value.place);
    }
}

/// Warns of unquoted values that YAML 1.1, Ansible or the eye take for something else than a text.
fn warn_of_surprises(name: &Node, node: &Node, out: &mut Diagnostics) {
    let below = node.entries().iter().map(|(_, value)| value);
    below
        .chain(node.items())
        .for_each(|item| warn_of_surprises(name, item, out));
    let Kind::Scalar { text, plain } = &node.kind else {
        return;
    };
    let name = name.text().unwrap_or_default();
    let digits = text.trim_start_matches(['-', '+']);
    let leading_zero = digits.len() > 1
        && digits.starts_with('0')
        && digits.chars().all(|c| c.is_ascii_digit() || c == '_');
    let switch = ["yes", "no", "on", "off", "true", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word) && text != "true" && text != "false");
    let (message, hint) = if *plain && leading_zero {
        let message =
            format!("`{name}`: {text} is kept as a text, because numbers do not start with 0");
        (message, format!("write \"{text}\" in quotes"))
    } else if *plain && switch {
        let message = format!("`{name}`: {text} is kept as a text, not as true or false");
        (
            message,
            format!("write true or false, or \"{text}\" in quotes"),
        )
    } else if text.contains("{{") {
        let message =
            format!("`{name}`: braces in a variable stay as they are; only runbooks are templates");
        (message, "write the value itself".to_owned())
    } else {
        return;
    };
    out.push(Diagnostic::warning(message).at(&node.place).hint(hint));
}
