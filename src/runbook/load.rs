//! A runbook file, checked as a whole: every mistake with its place, before any host is asked.

use super::check::{self, Check};
use super::include::{self, Shelf};
use super::input::{self, InputSpec};
use super::interlude;
use super::other_ports;
use super::step::{self, check_texts};
use super::step_shape::{self, GUARD, RETRY, RISKS, STEP};
use super::{Act, Runbook, Step};
use crate::data;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::facts;
use crate::risk::Risk;
use crate::shape::{Field, Shape, Ty};
use crate::template::{self, Meaning, Names, Templates, Text};
use crate::value::Name;
use crate::yaml::{self, Kind as NodeKind, Node};

/// A whole runbook.
pub(super) const RUNBOOK: Shape = Shape {
    name: "a runbook",
    fields: &[
        Field::required(
            "name",
            Ty::Text,
            "The name of the runbook, which is the name of its file.",
        ),
        Field::required("summary", Ty::Text, "One line: what it does."),
        Field::optional("why", Ty::Text, "Why one wants that."),
        Field::optional(
            "risk",
            RISKS,
            "How much it can break; `high` is refused unattended.",
        ),
        Field::optional(
            "supports",
            Ty::Texts,
            "The systems it is made for, as `debian >= 11`.",
        ),
        Field::optional("inputs", Ty::Named(&input::SHAPE), "What it can be told."),
        Field::optional(
            "data",
            Ty::Named(&data::SHAPE),
            "External data, fetched once per run and guarded.",
        ),
        Field::optional(
            "also_try_ports",
            Ty::Texts,
            "Ports to try when a host's SSH server does not answer on the port it should.",
        ),
        Field::required(
            "steps",
            Ty::Any,
            "The steps, in order: a list; each a step with one resource.",
        ),
        Field::optional("verify", Ty::Many(&check::SHAPE), "Checks in effect."),
    ],
    shorthand: None,
};

/// Every shape of the runbook language, for the generated reference.
pub(super) const SHAPES: [&Shape; 16] = [
    &RUNBOOK,
    &input::SHAPE,
    &data::SHAPE,
    &data::SOURCE,
    &data::LIST,
    &data::CHANGE,
    &STEP,
    &GUARD,
    &RETRY,
    &include::SHAPE,
    &interlude::MANUAL,
    &check::SHAPE,
    &check::EXPECT,
    &check::CONNECT,
    &check::HTTP,
    &super::trial::BAN,
];

/// Reads a runbook named `name` that stands alone: there is nothing that it could include.
///
/// # Errors
/// All mistakes at once.
pub fn load(name: &str, source: &Source, templates: Templates) -> Result<Runbook, Diagnostics> {
    load_from(name, source, templates, &Shelf::empty())
}

/// Reads a runbook named `name`, with those that it includes.
pub(super) fn load_from(
    name: &str,
    source: &Source,
    templates: Templates,
    shelf: &Shelf<'_>,
) -> Result<Runbook, Diagnostics> {
    let node = yaml::parse(source)?;
    let mut out = Diagnostics::new();
    check_shape(&node, &mut out);
    let head = read_head(name, &node, &mut out);
    let inputs = read_inputs(&node, &mut out);
    let data = read_data(&node, &mut out);
    let names = known_names(&node, &data);
    let also_try_ports = other_ports::read(
        RUNBOOK.texts(&node, "also_try_ports"),
        input_names(&node),
        &mut out,
    );
    let nodes = RUNBOOK
        .get(&node, "steps")
        .map(Node::items)
        .unwrap_or_default();
    let inner = shelf.below(name, &templates);
    let steps = step::read_steps(nodes, &names, &templates, &inner, &mut out);
    check_risk(&head, &node, &steps, &mut out);
    let verify = read_checks(&node, &names, &mut out);
    out.sort();
    let runbook_name = name
        .parse::<Name>()
        .map_err(|error| Diagnostic::error(format!("runbook `{name}`: {error}")))?;
    if steps.is_empty() && !out.has_errors() {
        out.push(Diagnostic::error("a runbook needs at least one step").at(&node.place));
    }
    out.into_result(Runbook {
        name: runbook_name,
        summary: head.summary,
        why: head.why,
        risk: head.risk,
        supports: head.supports,
        inputs,
        data,
        also_try_ports,
        steps,
        verify,
        source: source.clone(),
        templates,
    })
}

fn check_shape(node: &Node, out: &mut Diagnostics) {
    RUNBOOK.check(node, out);
    // Steps have the keys of every kind, so the table alone cannot describe them.
    match RUNBOOK.get(node, "steps").map(|steps| (&steps.kind, steps)) {
        Some((NodeKind::List(steps), _)) => {
            for step in steps {
                step_shape::check_shape(step, out);
            }
        }
        Some((NodeKind::Null | NodeKind::Scalar { .. } | NodeKind::Map(_), steps)) => {
            out.push(Diagnostic::error("`steps` must be a list").at(&steps.place));
        }
        None => {}
    }
}

/// What a runbook includes must not be riskier than it calls itself: `high` is refused unattended.
fn check_risk(head: &Head, node: &Node, steps: &[Step], out: &mut Diagnostics) {
    let included = steps.iter().filter_map(|step| match &step.act {
        Act::Include(include) => Some(&include.runbook),
        Act::Resource { .. } | Act::Manual(_) | Act::Pause(_) => None,
    });
    if let Some(riskier) = included.max_by_key(|runbook| runbook.risk)
        && riskier.risk > head.risk
    {
        let message = format!(
            "it includes {}, whose risk is {}, and calls its own {}",
            riskier.name, riskier.risk, head.risk
        );
        let place = &RUNBOOK.get(node, "risk").unwrap_or(node).place;
        let hint = format!("write `risk: {}`", riskier.risk);
        out.push(Diagnostic::error(message).at(place).hint(hint));
    }
}

struct Head {
    summary: String,
    why: String,
    risk: Risk,
    supports: Vec<super::Supported>,
}

fn read_head(name: &str, node: &Node, out: &mut Diagnostics) -> Head {
    if let Some(text) = RUNBOOK.text(node, "name")
        && text.text != name
    {
        let message = format!(
            "the runbook calls itself `{}`, its file `{name}`",
            text.text
        );
        out.push(
            Diagnostic::error(message)
                .at(&text.place)
                .hint("give both the same name"),
        );
    }
    let mut supports = Vec::new();
    for text in RUNBOOK.texts(node, "supports").unwrap_or_default() {
        match text.text.parse() {
            Ok(one) => supports.push(one),
            Err(message) => out.push(Diagnostic::error(message).at(&text.place)),
        }
    }
    let plain = |field| {
        RUNBOOK
            .text(node, field)
            .map(|text| text.text.trim().to_owned())
            .unwrap_or_default()
    };
    Head {
        summary: plain("summary"),
        why: plain("why"),
        risk: RUNBOOK.parse(node, "risk").unwrap_or_default(),
        supports,
    }
}

fn read_inputs(node: &Node, out: &mut Diagnostics) -> Vec<InputSpec> {
    let entries = RUNBOOK
        .get(node, "inputs")
        .map(Node::entries)
        .unwrap_or_default();
    for (key, _) in entries {
        if let Err(error) = key.text().unwrap_or_default().parse::<Name>() {
            out.push(Diagnostic::error(format!("not a name: {error}")).at(&key.place));
        }
    }
    entries
        .iter()
        .filter_map(|(key, value)| InputSpec::from_node(key, value, out))
        .collect()
}

fn read_data(node: &Node, out: &mut Diagnostics) -> Vec<data::Spec> {
    let entries = RUNBOOK
        .get(node, "data")
        .map(Node::entries)
        .unwrap_or_default();
    let specs: Vec<data::Spec> = entries
        .iter()
        .filter_map(|(key, value)| data::Spec::from_node(key, value, out))
        .collect();
    // Data is fetched once for all hosts, so nothing of a single host can describe it.
    let names = Names::new().with("inputs", input_names(node));
    for text in specs.iter().flat_map(data::Spec::texts) {
        template::check(text, Meaning::Template, &names, out);
    }
    specs
}

/// The declared names, those with mistakes in their declaration included: one mistake, one message.
fn input_names(node: &Node) -> impl Iterator<Item = &str> {
    let entries = RUNBOOK
        .get(node, "inputs")
        .map(Node::entries)
        .unwrap_or_default();
    entries.iter().filter_map(|(key, _)| key.text())
}

/// The names every template may use, and those that this runbook declares.
fn known_names(node: &Node, data: &[data::Spec]) -> Names {
    Names::new()
        .with("inputs", input_names(node))
        .with("data", data.iter().map(data::Spec::name))
        .with_sample("facts", &facts::sample())
        .with(
            "host",
            [
                "name",
                "address",
                "port",
                "user",
                "connection",
                "groups",
                "tags",
            ],
        )
        .with("runbook", ["name"])
        .with_any("vars")
}

fn read_checks(node: &Node, names: &Names, out: &mut Diagnostics) -> Vec<Check> {
    let names = names.clone().with_any("nonce");
    let mut checks = Vec::new();
    for node in RUNBOOK
        .get(node, "verify")
        .map(Node::items)
        .unwrap_or_default()
    {
        for (key, value) in node.entries() {
            if key.text() == Some("when") {
                if let Some(text) = Text::from_node(value) {
                    template::check(&text, Meaning::Expression, &names, out);
                }
            } else {
                check_texts(value, &names, out);
            }
        }
        checks.extend(Check::from_node(node, out));
    }
    checks
}
