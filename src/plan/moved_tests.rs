//! Plans then and now.

use super::*;
use crate::change::{Blocked, Call};
use crate::plan::Expectation;
use crate::probe::{Answer, Digest};
use crate::risk::Risk;
use crate::runbook::Interlude;

fn text(before: Option<&str>, after: &str) -> Shown {
    Shown::Text {
        path: "/etc/x".to_owned(),
        before: before.map(str::to_owned),
        after: Some(after.to_owned()),
    }
}

fn change(shown: Shown) -> Change {
    let call = Call::new("hf_x", ["a"]);
    Change::new("write /etc/x", vec![shown], call.clone(), Undo::Call(call))
}

fn probe() -> Probe {
    Probe::new("hf_file", ["/etc/x"])
}

fn step(number: usize, verdict: Verdict) -> StepPlan {
    let expects = match &verdict {
        Verdict::Change(_) => vec![Expectation {
            probe: probe(),
            digest: Digest::of(b"then"),
        }],
        _ => Vec::new(),
    };
    StepPlan {
        number: StepNumber(number),
        id: None,
        name: format!("step {number}"),
        subject: "file /etc/x".to_owned(),
        risk: Risk::Low,
        guarded: false,
        outcome: Outcome::Seen(verdict),
        notes: Vec::new(),
        expects,
    }
}

fn host(steps: Vec<StepPlan>) -> HostPlan {
    HostPlan {
        host: "web".to_owned(),
        steps,
        unprivileged: false,
    }
}

fn says(line: &str) -> Answers {
    let answer = Answer {
        status: 0,
        output: format!("type=file\nacl={line}\n").into_bytes(),
    };
    [(probe(), answer)].into_iter().collect()
}

fn compared(then: &[StepPlan], now: &[StepPlan], measure: Measure) -> Moves {
    let (then, now) = (host(then.to_vec()), host(now.to_vec()));
    let (before, after) = (says("none"), says("more"));
    let look = |plan, answers| Look {
        plan,
        answers,
        facts: None,
    };
    moves(look(&then, &before), look(&now, &after), measure, &|_| {
        vec![probe()]
    })
}

fn moved(then: Verdict, now: Verdict) -> Vec<Moved> {
    compared(&[step(1, then)], &[step(1, now)], Measure::Exact).steps
}

fn new_text(before: Option<&str>, after: &str) -> Verdict {
    Verdict::Change(vec![change(text(before, after))])
}

#[test]
fn the_same_plan_has_not_moved_whatever_was_noted() {
    let then = step(1, new_text(Some("a\n"), "b\n"));
    let mut now = then.clone();
    now.notes.push(crate::change::Note::info("something else"));
    assert!(compared(&[then], &[now], Measure::Exact).is_empty());
}

#[test]
fn a_text_that_somebody_changed_is_a_diff_from_then_to_now() {
    let moved = moved(new_text(Some("a\n"), "b\n"), new_text(Some("c\n"), "b\n"));
    assert_eq!(moved[0].shown, [text(Some("a\n"), "c\n")]);
    assert_eq!(moved[0].why, "what is there is not what it was");
}

#[test]
fn what_was_as_desired_and_is_not_any_more_is_shown_too() {
    let moved = moved(Verdict::Compliant, new_text(Some("c\n"), "b\n"));
    assert_eq!(moved[0].shown, [text(Some("b\n"), "c\n")]);
    assert!(moved[0].why.starts_with("it was as desired"));
}

#[test]
fn what_somebody_has_made_so_has_not_moved() {
    assert!(moved(new_text(Some("a\n"), "b\n"), Verdict::Compliant).is_empty());
}

#[test]
fn members_that_came_and_went_since_then_are_named() {
    let rules = |removed: &[&str], added: &[&str]| {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Verdict::Change(vec![change(Shown::Lines {
            what: "rules".to_owned(),
            removed: texts(removed),
            added: texts(added),
        })])
    };
    // Wanted: k, n. Then there were k and o; now there are n, o, and p.
    let moved = moved(rules(&["o"], &["n"]), rules(&["o", "p"], &["k"]));
    let expected = Shown::Lines {
        what: "rules, since then".to_owned(),
        removed: vec!["k".to_owned()],
        added: vec!["n".to_owned(), "p".to_owned()],
    };
    assert_eq!(moved[0].shown, [expected]);
}

#[test]
fn what_no_plan_shows_stands_in_the_answers() {
    let (then, mut now) = (
        step(1, new_text(Some("a\n"), "b\n")),
        step(1, new_text(Some("a\n"), "b\n")),
    );
    now.expects[0].digest = Digest::of(b"now");
    let moves = compared(
        std::slice::from_ref(&then),
        std::slice::from_ref(&now),
        Measure::Exact,
    );
    let [
        Shown::Text {
            path,
            before,
            after,
        },
    ] = &moves.steps[0].shown[..]
    else {
        panic!("{moves:?}");
    };
    assert!(path.contains("hf_file \"/etc/x\""), "{path}");
    assert_eq!(before.as_deref(), Some("type=file\nacl=none\n"));
    assert_eq!(after.as_deref(), Some("type=file\nacl=more\n"));
    assert!(!compared(&[then], &[now], Measure::Shown).is_empty());
}

#[test]
fn another_call_for_the_same_is_a_difference_only_to_the_same_version() {
    let then = step(1, new_text(None, "b\n"));
    let mut now = then.clone();
    if let Outcome::Seen(Verdict::Change(changes)) = &mut now.outcome {
        changes[0].act = Call::new("hf_y", ["a"]);
    }
    let (then, now) = (&[then][..], &[now][..]);
    assert!(!compared(then, now, Measure::Exact).is_empty());
    let same_answers = |plan: &[StepPlan]| {
        let plan = host(plan.to_vec());
        let answers = says("none");
        let look = Look {
            plan: &plan,
            answers: &answers,
            facts: None,
        };
        let then = host(then.to_vec());
        let before = Look {
            plan: &then,
            ..look
        };
        moves(before, look, Measure::Exact, &|_| vec![probe()])
    };
    assert!(same_answers(now).steps[0].why.contains("in another way"));
    assert!(compared(then, now, Measure::Shown).is_empty());
}

#[test]
fn what_rested_on_a_step_that_is_done_is_certain_now_and_the_same() {
    let after = |step, changes| Verdict::ChangeAfter {
        step: StepNumber(step),
        changes,
    };
    let second = vec![change(text(None, "second\n"))];
    let first = step(1, new_text(None, "first\n"));
    let then = [first.clone(), step(2, after(1, second.clone()))];
    let done = [
        step(1, Verdict::Compliant),
        step(2, Verdict::Change(second.clone())),
    ];
    assert!(compared(&then, &done, Measure::Exact).is_empty());
    let not_done = [first, step(2, Verdict::Change(second))];
    let moves = compared(&then, &not_done, Measure::Exact);
    assert_eq!(moves.steps[0].number, StepNumber(2));
}

#[test]
fn what_could_not_be_known_may_turn_out_as_anything_once_it_can() {
    let unknown = Verdict::UnknownUntil {
        step: StepNumber(1),
        why: "it comes with a package".to_owned(),
    };
    let then = [step(1, new_text(None, "first\n")), step(2, unknown.clone())];
    let blocked = Verdict::Blocked(Blocked {
        why: "no".to_owned(),
        hint: None,
        human: false,
        moved: Vec::new(),
    });
    let now = |verdict| [step(1, Verdict::Compliant), step(2, verdict)];
    let second = new_text(None, "second\n");
    assert!(compared(&then, &now(second.clone()), Measure::Exact).is_empty());
    assert!(!compared(&then, &now(blocked), Measure::Exact).is_empty());
    let too_early = [then[0].clone(), step(2, second)];
    assert!(!compared(&then, &too_early, Measure::Exact).is_empty());
    assert!(compared(&then, &then, Measure::Exact).is_empty());
}

#[test]
fn a_question_that_would_be_left_out_before_what_is_due_has_moved() {
    let instead = |number, outcome| StepPlan {
        subject: String::new(),
        outcome,
        ..step(number, Verdict::Compliant)
    };
    let ask = |number| {
        let question = "Is the app off?".to_owned();
        instead(
            number,
            Outcome::Interlude(Interlude::Ask {
                question,
                how: None,
            }),
        )
    };
    let out = |number, why: &str| {
        instead(
            number,
            Outcome::Skipped {
                why: why.to_owned(),
            },
        )
    };
    let due = |number| step(number, new_text(Some("a\n"), "b\n"));
    let then = [ask(1), due(2), ask(3), due(4)];
    let now = [
        out(1, "its condition does not hold"),
        due(2),
        out(3, "nothing after it is due"),
        step(4, Verdict::Compliant),
    ];
    let moves = compared(&then, &now, Measure::Exact);
    let numbers: Vec<usize> = moves.steps.iter().map(|moved| moved.number.0).collect();
    assert_eq!(numbers, [1]);
    assert_eq!(
        moves.steps[0].why,
        "it would be skipped now: its condition does not hold"
    );
    // All of it is done, and so is what its condition asked for.
    let so = |number| step(number, Verdict::Compliant);
    let now = [
        out(1, "its condition does not hold"),
        so(2),
        out(3, "nothing after it is due"),
        so(4),
    ];
    assert!(compared(&then, &now, Measure::Exact).is_empty());
}

#[test]
fn other_steps_cannot_be_told_from_each_other() {
    let then = [step(1, Verdict::Compliant), step(2, Verdict::Compliant)];
    let mut now = then.clone();
    now[1].subject = "file /etc/y".to_owned();
    let moves = compared(&then, &now, Measure::Exact);
    assert!(moves.other_steps);
    assert_eq!(moves.steps[0].number, StepNumber(2));
    let fewer = compared(&then, &then[..1], Measure::Exact);
    assert!(fewer.other_steps && fewer.steps[0].why.contains("no step"));
}

#[test]
fn a_guard_that_is_gone_is_a_difference() {
    let mut then = step(1, new_text(None, "b\n"));
    let now = [then.clone()];
    then.guarded = true;
    assert!(!compared(&[then], &now, Measure::Shown).is_empty());
}

#[test]
fn facts_that_are_different_stand_beside_what_moved() {
    let facts = |ports: &str, boot: &str| -> Facts {
        let mut sample = crate::facts::sample();
        sample["sshd"]["ports"] = serde_json::from_str(ports).unwrap();
        sample["boot_id"] = boot.into();
        serde_json::from_value(sample).unwrap()
    };
    let (before, after) = (facts("[22]", "a"), facts("[22, 2222]", "b"));
    let (then, now) = (
        host(vec![step(1, new_text(Some("a\n"), "port 22\n"))]),
        host(vec![step(1, new_text(Some("a\n"), "port 2222\n"))]),
    );
    let answers = says("none");
    let look = |plan, facts| Look {
        plan,
        answers: &answers,
        facts: Some(facts),
    };
    let moves = moves(
        look(&then, &before),
        look(&now, &after),
        Measure::Exact,
        &|_| Vec::new(),
    );
    let [wanted, fact] = &moves.steps[0].shown[..] else {
        panic!("{moves:?}");
    };
    assert!(matches!(wanted, Shown::Text { path, .. } if path == "/etc/x (as it is wanted)"));
    assert!(
        matches!(fact, Shown::Property { name, after, .. } if name == "facts.sshd.ports" && after == "[22,2222]")
    );
}
