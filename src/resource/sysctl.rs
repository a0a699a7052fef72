//! The kind `sysctl`: values of the kernel, now and after a reboot.
//!
//! ```yaml
//! sysctl:
//!   file: 90-holdfast.conf
//!   values: { net.ipv4.conf.all.rp_filter: 2, kernel.dmesg_restrict: 1 }
//! ```
//!
//! Each value is compared as the kernel has it, in the file of ours, and in every file that is read after
//! it: who overrides a value is named and never changed. ufw has such a file of its own and applies it at
//! each of its starts.

use super::file::File;
use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::AbsolutePath;
use crate::yaml::Node;

mod key;
mod look;
mod danger;
mod judge;

use key::{FileName, Key, Value};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "sysctl",
    help: "Values of the kernel (/proc/sys), now and after a reboot.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "kernel values",
    fields: &[
        Field::optional(
            "file",
            Ty::Text,
            "The name below /etc/sysctl.d; 90-holdfast.conf when not said. Later names win.",
        ),
        Field::required(
            "values",
            Ty::Values,
            "Keys and their values. `net.ipv4.conf.eth0/10.rp_filter` is about the interface eth0.10.",
        ),
        Field::optional(
            "when_present",
            Ty::Bool,
            "Keys that the kernel does not have now are written for later instead of being refused.",
        ),
        Field::optional(
            "accept",
            Ty::Texts,
            "Keys whose dangerous value somebody has thought about.",
        ),
    ],
    shorthand: None,
};

/// Kernel values on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    name: FileName,
    values: Vec<(Key, Value)>,
    when_present: bool,
    accept: Vec<Key>,
    file: File,
}

impl Sysctl {
    fn probe(&self) -> Probe {
        let keys = self.values.iter().map(|(key, _)| key.path());
        Probe::new("hf_sysctl", [self.name.as_str()].into_iter().chain(keys))
    }
}

/// What passes by itself, so that it is no precondition.
fn around_probe() -> Probe {
    Probe::new::<String>("hf_sysctl_around", [])
}

impl Resource for Sysctl {
    fn subject(&self) -> String {
        format!("kernel values {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = self.file.probes();
        probes.extend([self.probe(), around_probe()]);
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let found = look::parse(&Lines::of(seen, &probe)?)?;
        let around_probe = around_probe();
        let around = danger::Around::parse(&Lines::of(seen, &around_probe)?);
        let file = self.file.diff(seen, known)?;
        Ok(judge::judge(self, &found, &around, file, known))
    }
}

/// Our file. A value for a key that may not be there must not be a failure at boot.
fn file_text(values: &[(Key, Value)], when_present: bool, runbook: &str) -> String {
    let mark = if when_present { "-" } else { "" };
    let head = format!(
        "# Written by Holdfast for the runbook {runbook}, which replaces any other text.\n"
    );
    values.iter().fold(head, |text, (key, value)| {
        format!("{text}{mark}{key} = {}\n", value.as_str())
    })
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<FileName>(&SHAPE, node, "file", out);
    check_constant::<Key>(&SHAPE, node, "accept", out);
    let mut paths = Vec::new();
    for (key, value) in node.get("values").map(Node::entries).unwrap_or_default() {
        match key::word::<Key>(key) {
            Ok(key) if paths.contains(&key) => {
                let message = format!("the key `{key}` stands here twice");
                out.push(Diagnostic::error(message).at(&value.place));
            }
            Ok(key) => paths.push(key),
            Err(diagnostic) => out.push(diagnostic),
        }
        match Text::from_node(value) {
            Some(text) if !text.is_constant() => {}
            Some(_) => {
                if let Err(diagnostic) = key::word::<Value>(value) {
                    out.push(diagnostic);
                }
            }
            None => {
                let message = format!(
                    "the value must be a text or a number, not {}",
                    value.kind_name()
                );
                out.push(Diagnostic::error(message).at(&value.place));
            }
        }
    }
}

fn render(
    node: &Node,
    scope: &Scope,
    frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name = match SHAPE.get(node, "file") {
        Some(_) => fields.value("file"),
        None => "90-holdfast.conf".parse().ok(),
    };
    let values = values(&mut fields);
    let when_present = fields.flag("when_present");
    let accept = accepted(&mut fields);
    if values.is_empty() && !fields.said.has_errors() {
        fields.wrong("values", Diagnostic::error("the step sets nothing"));
    }
    let path = name.as_ref().and_then(|name: &FileName| {
        let path: Result<AbsolutePath, _> = format!("/etc/sysctl.d/{name}").parse();
        path.ok()
    });
    let made = name.zip(path).map(|(name, path)| Sysctl {
        name,
        file: File::of_text(path, file_text(&values, when_present, frame.runbook)),
        values,
        when_present,
        accept,
    });
    fields.finish(made)
}

fn values(fields: &mut Fields<'_>) -> Vec<(Key, Value)> {
    let mut values = Vec::new();
    for (key, value) in fields
        .node
        .get("values")
        .map(Node::entries)
        .unwrap_or_default()
    {
        let key = fields.keep(key::word::<Key>(key));
        let value = Text::from_node(value).and_then(|text| {
            let value = fields.scope.parse::<Value>(&text);
            fields.keep(value)
        });
        values.extend(key.zip(value));
    }
    values
}

fn accepted(fields: &mut Fields<'_>) -> Vec<Key> {
    let texts = fields.items("accept").unwrap_or_default();
    let keys = texts.iter().map(|text| fields.scope.parse::<Key>(text));
    let keys: Vec<_> = keys.collect();
    keys.into_iter()
        .filter_map(|key| fields.keep(key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes_at_load;

    fn said(text: &str) -> Vec<String> {
        mistakes_at_load(&KIND, text)
    }

    #[test]
    fn keys_values_and_names_that_mean_something_else_are_mistakes() {
        for good in [
            "a.b: 1",
            "a/b.c/d: 1",
            "a.b/1.c: '1 2\\t3'",
            "a.b: -1",
            "a.b: '{{ x }}'",
        ] {
            assert!(
                said(&format!("{{ values: {{ {good} }} }}")).is_empty(),
                "{good}"
            );
        }
        for bad in [
            "a: 1",
            "a..b: 1",
            "a/../b: 1",
            "'a b': 1",
            "'a.*.b': 1",
            "-a.b: 1",
            "a.b: ''",
            "a.b: [1]",
            "\"a.b\": \"1\\n2\"",
            "a.b: ~",
            "/a/b: 1",
        ] {
            assert_eq!(
                said(&format!("{{ values: {{ {bad} }} }}")).len(),
                1,
                "{bad}"
            );
        }
        assert_eq!(said("{ values: { a.b: 1, a/b: 2 } }").len(), 1);
        for name in ["90-x", "../x.conf", "a b.conf", ".conf"] {
            assert_eq!(
                said(&format!("{{ file: '{name}', values: {{ a.b: 1 }} }}")).len(),
                1,
                "{name}"
            );
        }
    }

    #[test]
    fn a_name_with_a_dot_in_it_keeps_it_in_the_file() {
        let pair = |key: &str| {
            (
                key.parse::<Key>().unwrap(),
                "1\t 2 ".parse::<Value>().unwrap(),
            )
        };
        let text = file_text(
            &[
                pair("net.ipv4.conf.eth0/10.rp_filter"),
                pair("net/core/rmem"),
            ],
            true,
            "t",
        );
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "-net/ipv4/conf/eth0.10/rp_filter = 1 2",
                "-net.core.rmem = 1 2"
            ]
        );
    }
}
