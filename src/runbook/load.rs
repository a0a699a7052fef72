//! A runbook file, checked as a whole: every mistake with its place, before any host is asked.

use std::collections::BTreeSet;

use super::check::{self, Check};
use super::input::{self, InputSpec};
use super::{Guard, Retry, Runbook, Step};
use crate::data;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::facts;
use crate::resource::{self, KINDS};
use crate::risk::Risk;
use crate::shape::{Field, Shape, Ty};
use crate::template::{self, Meaning, Names, Templates, Text};
use crate::value::{Duration, Name};
use crate::yaml::{self, Kind as NodeKind, Node};

const RISKS: Ty = Ty::Word(&["low", "medium", "high"]);

/// A whole runbook.
const RUNBOOK: Shape = Shape {
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
        Field::required(
            "steps",
            Ty::Any,
            "The steps, in order: a list; each a step with one resource.",
        ),
        Field::optional("verify", Ty::Many(&check::SHAPE), "Checks in effect."),
    ],
    shorthand: None,
};

/// The keys of a step beside its resource.
const STEP: Shape = Shape {
    name: "a step",
    fields: &[
        Field::required("name", Ty::Text, "The desired state, in words."),
        Field::optional("id", Ty::Text, "A name for other steps to refer to."),
        Field::optional("why", Ty::Text, "Why it is needed; shown with the step."),
        Field::optional("risk", RISKS, "How much this step can break."),
        Field::optional(
            "when",
            Ty::Text,
            "An expression; the step counts only when it is true.",
        ),
        Field::optional(
            "for_each",
            Ty::Texts,
            "Once for each item of this list, as `item`.",
        ),
        Field::optional(
            "after",
            Ty::Texts,
            "Ids of earlier steps after whose changes this one is looked at again.",
        ),
        Field::optional(
            "reload_on",
            Ty::Texts,
            "Ids of earlier steps whose changes ask this service to reload.",
        ),
        Field::optional(
            "guard",
            Ty::One(&GUARD),
            "The host takes the step back by itself unless a new login proves that we still get in. When not \
             said: for kinds that can cut access, and for `risk: high`.",
        ),
        Field::optional("retry", Ty::One(&RETRY), "Try again when its changes fail."),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long its changes may take on the host; 10m when not said.",
        ),
        Field::optional("tags", Ty::Texts, "Words for `--tags`."),
    ],
    shorthand: None,
};

/// `retry: 3` or `retry: {times: 3, every: 10s}`.
pub(super) const RETRY: Shape = Shape {
    name: "a retry",
    fields: &[
        Field::required("times", Ty::Int(0, 100), "Tries after the first."),
        Field::optional("every", Ty::Duration, "Time before each; 2s when not said."),
    ],
    shorthand: Some("times"),
};

/// `guard: true`, `guard: false` or `guard: {port: 2222}`.
const GUARD: Shape = Shape {
    name: "a guard",
    fields: &[
        Field::optional(
            "on",
            Ty::Bool,
            "Whether the step is guarded; yes when not said.",
        ),
        Field::optional(
            "port",
            Ty::Text,
            "The port of sshd that the new login must come through; the host's own when not said.",
        ),
    ],
    shorthand: Some("on"),
};

/// Keys that later versions bring; named so that the message can say so.
const LATER: [&str; 2] = ["manual", "include"];

/// Every shape of the runbook language, for the generated reference.
pub(super) const SHAPES: [&Shape; 13] = [
    &RUNBOOK,
    &input::SHAPE,
    &data::SHAPE,
    &data::SOURCE,
    &data::LIST,
    &data::CHANGE,
    &STEP,
    &GUARD,
    &RETRY,
    &check::SHAPE,
    &check::EXPECT,
    &check::CONNECT,
    &check::HTTP,
];

/// Reads a runbook named `name`.
///
/// # Errors
/// All mistakes at once.
pub fn load(name: &str, source: &Source, templates: Templates) -> Result<Runbook, Diagnostics> {
    let node = yaml::parse(source)?;
    let mut out = Diagnostics::new();
    check_shape(&node, &mut out);
    let head = read_head(name, &node, &mut out);
    let inputs = read_inputs(&node, &mut out);
    let data = read_data(&node, &mut out);
    let names = known_names(&node, &data);
    let steps = read_steps(&node, &names, &templates, &mut out);
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
                check_step_shape(step, out);
            }
        }
        Some((NodeKind::Null | NodeKind::Scalar { .. } | NodeKind::Map(_), steps)) => {
            out.push(Diagnostic::error("`steps` must be a list").at(&steps.place));
        }
        None => {}
    }
}

fn check_step_shape(step: &Node, out: &mut Diagnostics) {
    if !matches!(step.kind, NodeKind::Map(_)) {
        let message = format!("a step must be a mapping, not {}", step.kind_name());
        out.push(Diagnostic::error(message).at(&step.place));
        return;
    }
    if let Some((key, _)) = step
        .entries()
        .iter()
        .find(|(key, _)| key.text().is_some_and(|k| LATER.contains(&k)))
    {
        let message = format!(
            "`{}` is not part of this version yet",
            key.text().unwrap_or_default()
        );
        out.push(Diagnostic::error(message).at(&key.place));
    }
    let kinds: Vec<Field> = KINDS
        .iter()
        .map(|kind| Field::optional(kind.key, Ty::One(kind.shape), kind.help))
        .collect();
    let before = out.errors();
    STEP.check_fields(step, &kinds, out);
    let used = step
        .entries()
        .iter()
        .filter(|(key, _)| key.text().is_some_and(|k| resource::kind(k).is_some()));
    let count = used.count();
    if count != 1 && (count > 1 || out.errors() == before) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.key).collect();
        let message = if count == 0 {
            "a step needs a resource"
        } else {
            "a step has exactly one resource"
        };
        out.push(
            Diagnostic::error(message)
                .at(&step.place)
                .hint(format!("one of {}", known.join(", "))),
        );
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

fn read_steps(
    node: &Node,
    names: &Names,
    templates: &Templates,
    out: &mut Diagnostics,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut ids = BTreeSet::new();
    for node in RUNBOOK
        .get(node, "steps")
        .map(Node::items)
        .unwrap_or_default()
    {
        if let Some(step) = read_step(node, &ids, out) {
            check_step_texts(&step, names, templates, out);
            if let Some(id) = &step.id
                && !ids.insert(id.to_string())
            {
                let message = format!("another step has the id `{id}` already");
                out.push(Diagnostic::error(message).at(&node.place));
            }
            steps.push(step);
        } else {
            // Its resource is not known, but its texts are.
            check_texts(node, &names.clone().with_any("item"), out);
        }
    }
    steps
}

fn read_step(node: &Node, earlier: &BTreeSet<String>, out: &mut Diagnostics) -> Option<Step> {
    let (kind, body) = node
        .entries()
        .iter()
        .find_map(|(key, value)| Some((resource::kind(key.text()?)?, value)))?;
    (kind.check)(body, out);
    let id = STEP.text(node, "id").and_then(|text| named(&text, out));
    let mut refer = |field: &str| -> Vec<String> {
        let texts = STEP.texts(node, field).unwrap_or_default();
        for text in texts.iter().filter(|text| !earlier.contains(&text.text)) {
            let message = format!(
                "`{field}` names `{}`, which is no id of an earlier step",
                text.text
            );
            let known = earlier.iter().map(String::as_str);
            out.push(
                Diagnostic::error(message)
                    .at(&text.place)
                    .nearest(&text.text, known),
            );
        }
        texts.into_iter().map(|text| text.text).collect()
    };
    let (after, reload_on) = (refer("after"), refer("reload_on"));
    let tags = STEP.texts(node, "tags").unwrap_or_default();
    if !reload_on.is_empty() && kind.key != "service" {
        let message = "`reload_on` belongs to a step with a service";
        out.push(Diagnostic::error(message).at(&node.place));
    }
    Some(Step {
        id,
        name: STEP.text(node, "name")?,
        why: STEP
            .text(node, "why")
            .map(|text| text.text.trim().to_owned()),
        risk: STEP.parse(node, "risk").unwrap_or_default(),
        kind,
        body: body.clone(),
        when: STEP.text(node, "when"),
        for_each: STEP.texts(node, "for_each"),
        after,
        reload_on,
        guard: STEP.get(node, "guard").map(guard),
        retry: retry(STEP.get(node, "retry")),
        timeout: STEP
            .parse(node, "timeout")
            .unwrap_or(Duration::seconds(600)),
        tags: tags.iter().filter_map(|text| named(text, out)).collect(),
    })
}

fn named(text: &Text, out: &mut Diagnostics) -> Option<Name> {
    let name = text.text.parse::<Name>();
    name.map_err(|error| {
        out.push(Diagnostic::error(format!("`{}`: {error}", text.text)).at(&text.place));
    })
    .ok()
}

/// Reads what fits [`GUARD`].
fn guard(node: &Node) -> Guard {
    match GUARD.parse(node, "on") {
        Some(false) => Guard::Off,
        Some(true) | None => Guard::On {
            port: GUARD.text(node, "port"),
        },
    }
}

/// Reads what fits [`RETRY`].
pub(super) fn retry(node: Option<&Node>) -> Retry {
    let Some(node) = node else { return Retry::NONE };
    Retry {
        times: RETRY.parse(node, "times").unwrap_or(0),
        every: RETRY
            .parse(node, "every")
            .unwrap_or_else(check::default_pause),
    }
}

fn check_step_texts(step: &Step, names: &Names, templates: &Templates, out: &mut Diagnostics) {
    let inside = if step.for_each.is_some() {
        names.clone().with_any("item")
    } else {
        names.clone()
    };
    template::check(&step.name, Meaning::Template, &inside, out);
    for text in step.for_each.iter().flatten() {
        template::check(text, Meaning::Template, names, out);
    }
    if let Some(when) = &step.when {
        template::check(when, Meaning::Expression, &inside, out);
    }
    check_texts(&step.body, &inside, out);
    if let Some(Guard::On { port: Some(port) }) = &step.guard {
        template::check(port, Meaning::Template, &inside, out);
    }
    if let Some(text) = step.body.get("template").and_then(Text::from_node)
        && text.is_constant()
    {
        check_template_file(&text, &inside, templates, out);
    }
}

fn check_template_file(name: &Text, names: &Names, templates: &Templates, out: &mut Diagnostics) {
    if let Some(source) = templates.get(&name.text) {
        template::check(&Text::of_file(source), Meaning::Template, names, out);
    } else {
        out.push(templates.missing(&name.text, name));
    }
}

/// Checks every text below a node as a template.
fn check_texts(node: &Node, names: &Names, out: &mut Diagnostics) {
    if let Some(text) = Text::from_node(node).filter(|text| !text.is_constant()) {
        template::check(&text, Meaning::Template, names, out);
    }
    node.items()
        .iter()
        .for_each(|item| check_texts(item, names, out));
    node.entries()
        .iter()
        .for_each(|(_, value)| check_texts(value, names, out));
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
