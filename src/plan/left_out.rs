//! Which steps of a host are left out when some of them moved and the others are to go on.
//!
//! Left out is what moved, and everything that may rest on it:
//!
//! - what says so: `after`, `reload_on`, a change that was predicted from an earlier step's;
//! - the other way round for reloads: a file whose service is not reloaded would be half done, so it waits too;
//! - guarded and high-risk steps behind anything that is left out: what they need not to cut us off may be just
//!   that (the rule that lets SSH in, before the firewall is switched on);
//! - what starts programs (commands, services, packages, waiting) behind anything that is left out: nobody can say
//!   what a program reads, but for a service whose `reload_on` does;
//! - questions and pauses behind anything that is left out, and all that comes after them: they are about what
//!   was to be done before.

use std::collections::BTreeSet;

use super::{HostPlan, Outcome, StepPlan};
use crate::change::{StepNumber, Verdict};
use crate::risk::Risk;
use crate::runbook::RenderedStep;

/// The numbers of the steps to leave out, `moved` among them.
pub fn left_out(
    plan: &HostPlan,
    steps: &[RenderedStep],
    moved: &BTreeSet<StepNumber>,
) -> BTreeSet<StepNumber> {
    let mut out = moved.clone();
    loop {
        let more: Vec<StepNumber> = plan
            .steps
            .iter()
            .filter(|step| !out.contains(&step.number) && rests_on(step, plan, steps, &out))
            .map(|step| step.number)
            .collect();
        if more.is_empty() {
            return out;
        }
        out.extend(more);
    }
}

fn rests_on(
    step: &StepPlan,
    plan: &HostPlan,
    steps: &[RenderedStep],
    out: &BTreeSet<StepNumber>,
) -> bool {
    let is_behind = out.iter().any(|left| *left < step.number);
    let is_delicate = step.guarded
        || step.risk == Risk::High
        || matches!(step.outcome, Outcome::Interlude(_))
        || runs_things(step, steps);
    (is_behind && is_delicate)
        || is_behind_a_question(step, plan, out)
        || is_predicted_from(step, out)
        || is_tied(step, steps, out)
}

fn runs_things(step: &StepPlan, steps: &[RenderedStep]) -> bool {
    let rendered = steps.iter().find(|one| one.number == step.number);
    rendered
        .filter(|one| one.reload_on.is_empty())
        .and_then(|one| one.resource.as_ref())
        .is_some_and(|resource| resource.runs_things())
}

fn is_behind_a_question(step: &StepPlan, plan: &HostPlan, out: &BTreeSet<StepNumber>) -> bool {
    let questions = plan
        .steps
        .iter()
        .filter(|other| matches!(other.outcome, Outcome::Interlude(_)));
    let mut before = questions.filter(|other| other.number < step.number);
    before.any(|question| out.contains(&question.number))
}

fn is_predicted_from(step: &StepPlan, out: &BTreeSet<StepNumber>) -> bool {
    match step.verdict() {
        Some(
            Verdict::ChangeAfter { step: earlier, .. }
            | Verdict::UnknownUntil { step: earlier, .. },
        ) => out.contains(earlier),
        _ => false,
    }
}

/// Whether the runbook ties it to a step that is left out.
fn is_tied(step: &StepPlan, steps: &[RenderedStep], out: &BTreeSet<StepNumber>) -> bool {
    let is_out = |step: &RenderedStep| out.contains(&step.number);
    let id_is_out = |id: &String| {
        let mut named = steps.iter().filter(|step| step.id.as_ref() == Some(id));
        named.any(is_out)
    };
    let Some(rendered) = steps.iter().find(|one| one.number == step.number) else {
        return false;
    };
    let asks = rendered.after.iter().chain(&rendered.reload_on);
    let reloads = |other: &RenderedStep| {
        let mut ids = other.reload_on.iter();
        ids.any(|id| rendered.id.as_ref() == Some(id))
    };
    asks.into_iter().any(id_is_out) || steps.iter().any(|other| is_out(other) && reloads(other))
}

/// The plan with these steps left out, and with the reason.
#[must_use]
pub fn without(
    plan: &HostPlan,
    out: &BTreeSet<StepNumber>,
    moved: &BTreeSet<StepNumber>,
) -> HostPlan {
    let mut plan = plan.clone();
    for step in plan.steps.iter_mut().filter(|s| out.contains(&s.number)) {
        let why = if moved.contains(&step.number) {
            "it moved since the plan was made"
        } else if step.is_pending() || matches!(step.outcome, Outcome::Interlude(_)) {
            "it may rest on what moved since the plan was made"
        } else {
            continue;
        };
        step.outcome = Outcome::Skipped {
            why: why.to_owned(),
        };
        step.expects.clear();
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::change::{Call, Change, Shown, Undo};
    use crate::diagnostic::Source;
    use crate::runbook::{self, Inputs, Interlude, World};
    use crate::template::Templates;

    /// Every step is due; those named are predicted from an earlier one.
    fn plan_of(steps: &[RenderedStep], predicted: &[(usize, usize)]) -> HostPlan {
        let call = Call::new("hf_x", ["a"]);
        let shown = vec![Shown::Run { argv: Vec::new() }];
        let changes = vec![Change::new("x", shown, call.clone(), Undo::Call(call))];
        let outcome = |step: &RenderedStep| {
            if let Some(interlude) = &step.interlude {
                return Outcome::Interlude(interlude.clone());
            }
            let earlier = predicted
                .iter()
                .find(|(number, _)| *number == step.number.0);
            Outcome::Seen(match earlier {
                Some((_, earlier)) => Verdict::ChangeAfter {
                    step: StepNumber(*earlier),
                    changes: changes.clone(),
                },
                None => Verdict::Change(changes.clone()),
            })
        };
        let planned = |step: &RenderedStep| StepPlan {
            number: step.number,
            id: step.id.clone(),
            name: step.name.clone(),
            subject: String::new(),
            risk: step.risk,
            guarded: step.guard.is_some(),
            outcome: outcome(step),
            notes: Vec::new(),
            expects: Vec::new(),
        };
        HostPlan {
            host: "web".to_owned(),
            steps: steps.iter().map(planned).collect(),
            unprivileged: false,
        }
    }

    fn rendered(steps: &str) -> Vec<RenderedStep> {
        let text = format!("name: t\nsummary: x\nrisk: high\nsteps:\n{steps}");
        let runbook = runbook::load("t", &Source::new("t", text), Templates::default()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hosts:\n  web: {}\n").unwrap();
        let inventory = crate::inventory::load(file.path()).unwrap();
        let inputs = Inputs::gather(&runbook.inputs, &BTreeMap::new(), None).unwrap();
        let world = World {
            host: &inventory.hosts()[0],
            inputs: &inputs,
            facts: None,
            data: &json!({}),
        };
        runbook::render(&runbook, &world).unwrap().steps
    }

    fn out(steps: &str, moved: usize, predicted: &[(usize, usize)]) -> Vec<usize> {
        let steps = rendered(steps);
        let moved = BTreeSet::from([StepNumber(moved)]);
        let out = left_out(&plan_of(&steps, predicted), &steps, &moved);
        out.into_iter().map(|number| number.0).collect()
    }

    const FILES: &str = "\
        - { name: a, id: a, file: { path: /a, content: x } }\n\
        - { name: b, file: { path: /b, content: x } }\n\
        - { name: c, after: a, file: { path: /c, content: x } }\n\
        - { name: d, id: d, file: { path: /d, content: x } }\n";

    #[test]
    fn what_is_tied_to_a_moved_step_waits_with_it_and_the_rest_goes_on() {
        assert_eq!(out(FILES, 1, &[]), [1, 3]);
        assert_eq!(out(FILES, 2, &[]), [2]);
        assert_eq!(out(FILES, 1, &[(4, 3)]), [1, 3, 4], "by way of another");
    }

    #[test]
    fn a_service_and_what_it_reloads_for_wait_for_each_other() {
        let steps = format!(
            "{FILES}- {{ name: e, reload_on: [a, d], service: {{ name: cron, running: true }} }}\n"
        );
        assert_eq!(out(&steps, 1, &[]), [1, 3, 4, 5]);
        assert_eq!(out(&steps, 5, &[]), [1, 3, 4, 5]);
        assert_eq!(out(&steps, 2, &[]), [2]);
    }

    #[test]
    fn what_could_cut_us_off_waits_for_everything_before_it() {
        let steps = format!(
            "{FILES}- {{ name: e, guard: true, file: {{ path: /e, content: x }} }}\n- {{ name: f, risk: high, file: {{ path: /f, content: x }} }}\n"
        );
        assert_eq!(out(&steps, 2, &[]), [2, 5, 6]);
        assert_eq!(out(&steps, 6, &[]), [6], "what is before it goes on");
    }

    #[test]
    fn what_starts_programs_waits_for_everything_before_it() {
        for what in [
            "command: { argv: [app-migrate], always: true }",
            "service: { name: app, running: true }",
            "wait_for: { port: 8080 }",
            "package: [app]",
            "fail2ban_jail: { name: app, settings: { enabled: true } }",
        ] {
            let steps = format!("{FILES}- {{ name: e, {what} }}\n");
            assert_eq!(out(&steps, 2, &[]), [2, 5], "{what}");
            assert_eq!(
                out(&steps, 5, &[]),
                [5],
                "{what}: what is before it goes on"
            );
        }
    }

    #[test]
    fn a_question_is_about_what_was_to_be_done_before_it() {
        let steps = "\
            - { name: a, file: { path: /a, content: x } }\n\
            - { name: q, id: q, manual: { question: \"Done?\" } }\n\
            - { name: b, file: { path: /b, content: x } }\n";
        assert_eq!(out(steps, 1, &[]), [1, 2, 3]);
        assert_eq!(out(steps, 3, &[]), [3]);
        let steps = rendered(steps);
        let plan = plan_of(&steps, &[]);
        let moved = BTreeSet::from([StepNumber(1)]);
        let left = without(&plan, &left_out(&plan, &steps, &moved), &moved);
        assert!(!left.is_pending());
        let asks =
            |step: &StepPlan| matches!(step.outcome, Outcome::Interlude(Interlude::Ask { .. }));
        assert!(!left.steps.iter().any(asks));
    }
}
