//! Why a step is not what it was when its plan was saved, as a clause and as a diff from then to now.
//!
//! The plans themselves tell most of it: each shows what was there and what is to be there. What they do not
//! show stands in the host's answers, which are then compared line by line.

use super::{Outcome, StepPlan};
use crate::change::{Shown, Verdict};
use crate::probe::{Answers, Digest, Probe};

/// How a step is different, as a clause; `seen`: whether something on the host is.
pub(super) fn why(then: &StepPlan, now: &StepPlan, seen: bool) -> String {
    match (&then.outcome, &now.outcome) {
        (_, Outcome::Seen(Verdict::Blocked(blocked))) => {
            format!("it cannot be done any more: {}", blocked.why)
        }
        (_, Outcome::CouldNotTell { why }) => format!("it cannot be looked at any more: {why}"),
        (_, Outcome::Skipped { why }) => format!("it would be skipped now: {why}"),
        (_, Outcome::Seen(Verdict::NotApplicable { why })) => {
            format!("it makes no sense there any more: {why}")
        }
        (Outcome::Skipped { why }, _) => format!("it was skipped ({why}), and would not be now"),
        (Outcome::Seen(Verdict::Compliant), _) => {
            "it was as desired, and is not any more".to_owned()
        }
        (_, Outcome::Seen(Verdict::ChangeAfter { step, .. })) if !rests_on(then, *step) => {
            format!("it rests on {step} now")
        }
        (_, Outcome::Seen(Verdict::UnknownUntil { step, why })) if !rests_on(then, *step) => {
            format!("it cannot be known until {step} now: {why}")
        }
        _ if seen => "what is there is not what it was".to_owned(),
        _ => "the host is as it was, but it would be done in another way now".to_owned(),
    }
}

fn rests_on(plan: &StepPlan, step: crate::change::StepNumber) -> bool {
    match plan.verdict() {
        Some(Verdict::ChangeAfter { step: on, .. } | Verdict::UnknownUntil { step: on, .. }) => {
            *on == step
        }
        _ => false,
    }
}

/// What is different, from then to now.
pub(super) fn shown(
    then: &StepPlan,
    now: &StepPlan,
    probes: &[Probe],
    answers: (&Answers, &Answers),
) -> Vec<Shown> {
    let (Some(before), Some(after)) = (aspects(then), aspects(now)) else {
        return answer_lines(probes, answers);
    };
    let mut told = Vec::new();
    for one in &before {
        let other = after.iter().find(|other| is_about_same(one, other));
        told.extend(from_to(Some(one), other.copied()));
    }
    let come = after
        .iter()
        .filter(|one| !before.iter().any(|other| is_about_same(one, other)));
    told.extend(come.flat_map(|one| from_to(None, Some(one))));
    if told.is_empty() {
        return answer_lines(probes, answers);
    }
    told
}

/// What a plan shows of a step that can be looked at; `None` when it cannot.
fn aspects(step: &StepPlan) -> Option<Vec<&Shown>> {
    match step.verdict()? {
        Verdict::Blocked(_) | Verdict::NotApplicable { .. } | Verdict::UnknownUntil { .. } => None,
        verdict => {
            let changes = verdict.changes().iter();
            Some(changes.flat_map(|change| &change.shown).collect())
        }
    }
}

fn is_about_same(one: &Shown, other: &Shown) -> bool {
    match (one, other) {
        (Shown::Text { path: a, .. }, Shown::Text { path: b, .. })
        | (Shown::Lines { what: a, .. }, Shown::Lines { what: b, .. })
        | (Shown::Property { name: a, .. }, Shown::Property { name: b, .. }) => a == b,
        (Shown::Run { argv: a }, Shown::Run { argv: b }) => a == b,
        _ => false,
    }
}

/// What one aspect was and is. An aspect that a plan does not show is as desired there, which the other one
/// tells.
fn from_to(then: Option<&Shown>, now: Option<&Shown>) -> Vec<Shown> {
    match (then, now) {
        (Some(Shown::Text { .. }), _) | (None, Some(Shown::Text { .. })) => texts(then, now),
        (Some(Shown::Property { .. }), _) | (None, Some(Shown::Property { .. })) => {
            properties(then, now)
        }
        (Some(Shown::Lines { .. }), _) | (None, Some(Shown::Lines { .. })) => members(then, now),
        (Some(Shown::Run { .. }), _) | (None, Some(Shown::Run { .. }) | None) => Vec::new(),
    }
}

/// The two values of a pair of aspects: what was, what is; then what was wanted, what is wanted.
type Pair<T> = ((T, T), Option<(T, T)>);

fn pair<T: Clone>(then: Option<(T, T)>, now: Option<(T, T)>) -> Option<Pair<T>> {
    Some(match (then, now) {
        (Some((was, wanted)), Some((is, wants))) => ((was, is), Some((wanted, wants))),
        (Some((was, wanted)), None) => ((was, wanted), None),
        (None, Some((is, wants))) => ((wants, is), None),
        (None, None) => return None,
    })
}

fn texts(then: Option<&Shown>, now: Option<&Shown>) -> Vec<Shown> {
    let sides = |shown: Option<&Shown>| match shown {
        Some(Shown::Text { before, after, .. }) => Some((before.clone(), after.clone())),
        _ => None,
    };
    let Some(Shown::Text { path, .. }) = then.or(now) else {
        return Vec::new();
    };
    let Some((state, wanted)) = pair(sides(then), sides(now)) else {
        return Vec::new();
    };
    let named = |path: String, (before, after): (Option<String>, Option<String>)| Shown::Text {
        path,
        before,
        after,
    };
    let mut shown = Vec::new();
    if state.0 != state.1 {
        shown.push(named(path.clone(), state));
    }
    if let Some(wanted) = wanted.filter(|(a, b)| a != b) {
        shown.push(named(format!("{path} (as it is wanted)"), wanted));
    }
    shown
}

fn properties(then: Option<&Shown>, now: Option<&Shown>) -> Vec<Shown> {
    let sides = |shown: Option<&Shown>| match shown {
        Some(Shown::Property { before, after, .. }) => Some((before.clone(), after.clone())),
        _ => None,
    };
    let Some(Shown::Property { name, .. }) = then.or(now) else {
        return Vec::new();
    };
    let Some((state, wanted)) = pair(sides(then), sides(now)) else {
        return Vec::new();
    };
    let named = |name: String, (before, after): (String, String)| Shown::Property {
        name,
        before,
        after,
    };
    let mut shown = Vec::new();
    if state.0 != state.1 {
        shown.push(named(name.clone(), state));
    }
    if let Some(wanted) = wanted.filter(|(a, b)| a != b) {
        shown.push(named(format!("{name} (as it is wanted)"), wanted));
    }
    shown
}

/// What came to a set and what left it: a member that is to come now and was not then is gone, and so on.
fn members(then: Option<&Shown>, now: Option<&Shown>) -> Vec<Shown> {
    let sides = |shown: Option<&Shown>| match shown {
        Some(Shown::Lines { removed, added, .. }) => (removed.clone(), added.clone()),
        _ => (Vec::new(), Vec::new()),
    };
    let Some(Shown::Lines { what, .. }) = then.or(now) else {
        return Vec::new();
    };
    let ((to_go, to_come), (to_go_now, to_come_now)) = (sides(then), sides(now));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let only = these.iter().filter(|one| !those.contains(one));
        only.cloned().collect()
    };
    let removed = [only(&to_come_now, &to_come), only(&to_go, &to_go_now)].concat();
    let added = [only(&to_come, &to_come_now), only(&to_go_now, &to_go)].concat();
    if removed.is_empty() && added.is_empty() {
        return Vec::new();
    }
    vec![Shown::Lines {
        what: format!("{what}, since then"),
        removed,
        added,
    }]
}

/// The longest line of an answer that is shown whole. Longer ones are mostly contents of files, packed.
const LONGEST: usize = 200;

fn shortened(line: &str) -> String {
    let number = line.chars().count();
    if number <= LONGEST {
        return line.to_owned();
    }
    let first: String = line.chars().take(60).collect();
    let digest = Digest::of(line.as_bytes());
    let digest = &digest.as_str()[..16];
    format!("{first}… ({number} characters, sha256 {digest}…)")
}

/// The answers that are different, line by line.
fn answer_lines(probes: &[Probe], (then, now): (&Answers, &Answers)) -> Vec<Shown> {
    let text = |answers: &Answers, probe: &Probe| -> Option<String> {
        let answer = answers.get(probe).ok()?;
        let text = answer.text();
        Some(text.lines().map(|line| shortened(line) + "\n").collect())
    };
    let different = probes.iter().filter_map(|probe| {
        let (before, after) = (text(then, probe), text(now, probe));
        (before != after).then(|| Shown::Text {
            path: format!("what the host answers to {probe}"),
            before,
            after,
        })
    });
    different.collect()
}
