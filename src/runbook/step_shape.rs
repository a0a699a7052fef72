//! The shape of a step: its own keys, and exactly one of the kinds of resources, `include:`, `manual:`
//! or `pause:`.

use super::include;
use super::interlude;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::{self, KINDS};
use crate::shape::{Field, Shape, Ty};
use crate::yaml::{Kind as NodeKind, Node};

/// How much a step or runbook can break.
pub(super) const RISKS: Ty = Ty::Word(&["low", "medium", "high"]);

/// The keys of a step beside its resource.
pub(super) const STEP: Shape = Shape {
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
             said: for kinds that can cut access, for files and services that logins rest on (sshd, PAM, sudo, \
             accounts, keys, network), and for `risk: high`.",
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
pub(super) const GUARD: Shape = Shape {
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

/// What a step can hold in place of a resource.
pub(super) fn acts() -> [Field; 3] {
    [
        Field::optional("include", Ty::One(&include::SHAPE), include::HELP),
        Field::optional(
            "manual",
            Ty::One(&interlude::MANUAL),
            interlude::MANUAL_HELP,
        ),
        Field::optional("pause", Ty::Duration, interlude::PAUSE_HELP),
    ]
}

/// Keys of a step that say something about changes; other acts make none.
const ABOUT_CHANGES: [&str; 6] = ["risk", "for_each", "after", "reload_on", "guard", "retry"];

/// Says everything about one step that does not fit its shape.
pub(super) fn check_shape(step: &Node, out: &mut Diagnostics) {
    if !matches!(step.kind, NodeKind::Map(_)) {
        let message = format!("a step must be a mapping, not {}", step.kind_name());
        out.push(Diagnostic::error(message).at(&step.place));
        return;
    }
    let mut all: Vec<Field> = KINDS
        .iter()
        .map(|kind| Field::optional(kind.key, Ty::One(kind.shape), kind.help))
        .collect();
    all.extend(acts());
    let before = out.errors();
    STEP.check_fields(step, &all, out);
    let used: Vec<&str> = step
        .entries()
        .iter()
        .filter_map(|(key, _)| key.text())
        .filter(|key| all.iter().any(|field| field.name == *key))
        .collect();
    if used.len() != 1 && (used.len() > 1 || out.errors() == before) {
        let known: Vec<&str> = all.iter().map(|field| field.name).collect();
        let message = if used.is_empty() {
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
    if let [act] = used.as_slice() {
        match resource::kind(act) {
            None => check_keys_of_act(act, step, out),
            Some(kind) if !kind.is_on_host() => check_unguarded(act, step, out),
            Some(_) => {}
        }
    }
}

/// What is changed on this machine would stay when a host takes its guarded steps back.
fn check_unguarded(act: &str, step: &Node, out: &mut Diagnostics) {
    let guard = step.get("guard");
    let is_off = |guard: &Node| GUARD.parse(guard, "on") == Some(false);
    if let Some(guard) = guard.filter(|guard| !is_off(guard)) {
        let message =
            format!("`{act}` changes this machine, and no host's guard can take that back");
        let error = Diagnostic::error(message).at(&guard.place);
        out.push(error.hint("put it behind the guarded steps, without `guard`"));
    }
}

fn check_keys_of_act(act: &str, step: &Node, out: &mut Diagnostics) {
    let misplaced = step.entries().iter().filter(|(key, _)| {
        key.text()
            .is_some_and(|key| ABOUT_CHANGES.contains(&key) || key == "timeout")
    });
    for (key, _) in misplaced {
        let message = format!(
            "`{}` makes no sense beside `{act}`, which changes nothing by itself",
            key.text().unwrap_or_default()
        );
        out.push(Diagnostic::error(message).at(&key.place));
    }
    if act == "manual" && step.get("id").is_none() {
        out.push(
            Diagnostic::error("a step with `manual` needs an `id`")
                .at(&step.place)
                .hint("without a terminal it is answered by `--answer ID=yes`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;

    fn mistakes(step: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t", step)).unwrap();
        let mut out = Diagnostics::new();
        check_shape(&node, &mut out);
        out.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn a_guard_promises_nothing_about_this_machine() {
        for guard in ["true", "{ port: 2222 }"] {
            for kind in ["inventory", "known_hosts"] {
                let step = format!("{{ name: x, guard: {guard}, {kind}: {{ port: 2222 }} }}");
                let said = mistakes(&step);
                assert!(said[0].contains("changes this machine"), "{said:?}");
            }
        }
        let off = "{ name: x, guard: false, inventory: { port: 2222 } }";
        assert!(mistakes(off).is_empty());
        assert!(mistakes("{ name: x, guard: true, package: ufw }").is_empty());
    }
}
