//! The typed reading of the steps of a runbook file that fit their shape.

use std::collections::BTreeSet;

use super::include::{Include, Shelf};
use super::interlude::Manual;
use super::step_shape::{GUARD, RETRY, STEP};
use super::{Act, Guard, Retry, Step, check};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource;
use crate::template::{self, Meaning, Names, Templates, Text};
use crate::value::{Duration, Name};
use crate::yaml::Node;

/// Reads the steps of a runbook.
pub(super) fn read_steps(
    nodes: &[Node],
    names: &Names,
    templates: &Templates,
    shelf: &Shelf<'_>,
    out: &mut Diagnostics,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut ids = BTreeSet::new();
    for node in nodes {
        if let Some(step) = read_step(node, &ids, names, shelf, out) {
            check_step_texts(&step, names, templates, out);
            if let Some(id) = step.label()
                && !ids.insert(id.clone())
            {
                let message = format!("another step has the id `{id}` already");
                let error = Diagnostic::error(message).at(&node.place);
                out.push(match step.act {
                    Act::Include(_) => error.hint("give each include an `id` of its own"),
                    Act::Resource { .. } | Act::Manual(_) | Act::Pause(_) => error,
                });
            }
            steps.push(step);
        } else {
            // Its resource is not known, but its texts are.
            check_texts(node, &names.clone().with_any("item"), out);
        }
    }
    steps
}

fn read_step(
    node: &Node,
    earlier: &BTreeSet<String>,
    names: &Names,
    shelf: &Shelf<'_>,
    out: &mut Diagnostics,
) -> Option<Step> {
    let act = read_act(node, names, shelf, out)?;
    let id = STEP.text(node, "id").and_then(|text| named(&text, out));
    let (after, reload_on) = (
        referred(node, "after", earlier, out),
        referred(node, "reload_on", earlier, out),
    );
    let tags = STEP.texts(node, "tags").unwrap_or_default();
    let is_service = matches!(&act, Act::Resource { kind, .. } if kind.key == "service");
    if !reload_on.is_empty() && !is_service {
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
        act,
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

fn read_act(node: &Node, names: &Names, shelf: &Shelf<'_>, out: &mut Diagnostics) -> Option<Act> {
    node.entries().iter().find_map(|(key, value)| {
        let key = key.text()?;
        if let Some(kind) = resource::kind(key) {
            (kind.check)(value, out);
            let body = value.clone();
            return Some(Act::Resource { kind, body });
        }
        match key {
            "include" => Include::read(value, names, shelf, out).map(Act::Include),
            "manual" => Manual::read(value).map(Act::Manual),
            "pause" => Text::from_node(value).map(Act::Pause),
            _ => None,
        }
    })
}

/// Ids of earlier steps in a field.
fn referred(
    node: &Node,
    field: &str,
    earlier: &BTreeSet<String>,
    out: &mut Diagnostics,
) -> Vec<String> {
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
    if let Some(Guard::On { port: Some(port) }) = &step.guard {
        template::check(port, Meaning::Template, &inside, out);
    }
    match &step.act {
        Act::Resource { body, .. } => {
            check_texts(body, &inside, out);
            if let Some(text) = body.get("template").and_then(Text::from_node)
                && text.is_constant()
            {
                check_template_file(&text, &inside, templates, out);
            }
        }
        Act::Include(include) => include.check_texts(&inside, out),
        Act::Manual(manual) => manual.check_texts(&inside, out),
        Act::Pause(time) => template::check(time, Meaning::Template, &inside, out),
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
pub(super) fn check_texts(node: &Node, names: &Names, out: &mut Diagnostics) {
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
