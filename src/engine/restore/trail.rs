//! The course of the host's answers through a run, from the run's own record: what each of its steps found and left.
//! From it follows what the host must answer now, when some of the steps were taken back and others were not. Any
//! other answer is somebody else's doing.

use std::collections::BTreeMap;

use super::record::{Point, RunRecord, State};
use crate::probe::{Digest, Probe};

/// Answers by their questions.
type Said = BTreeMap<Probe, Digest>;

/// A run as a course of answers.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Before anything was changed.
    start: Said,
    /// Its steps, in the order in which they were begun.
    steps: Vec<Step>,
    /// When it went; none when nobody asked then.
    end: Option<Said>,
}

/// A step of the run, or one try of it.
#[derive(Debug)]
struct Step {
    /// Its changes, by the places of their records.
    places: Vec<String>,
    /// What it asked, and was answered right before.
    found: Said,
    /// Right after; none when it was cut off.
    left: Option<Said>,
}

/// How far the answers can be followed.
#[derive(Debug)]
struct Follower {
    /// What is answered so far, as far as that is known.
    now: Option<Digest>,
    /// Whether all steps so far are in force: then it is as on record, whatever came in between.
    all_made: bool,
}

impl Trail {
    pub(super) fn of(record: &RunRecord) -> Self {
        let mut steps: Vec<(&str, Step)> = Vec::new();
        for point in &record.points {
            let place = point.place.clone();
            match steps
                .iter_mut()
                .find(|(folder, _)| *folder == point.folder())
            {
                Some((_, step)) => step.places.push(place),
                None => steps.push((point.folder(), step_of(record, point))),
            }
        }
        Self {
            start: record.start.clone(),
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            end: record.end.clone(),
        }
    }

    /// What the host must answer now, by how far the changes were taken back; none when that does not follow.
    pub(super) fn now(&self, probe: &Probe, states: &BTreeMap<String, State>) -> Option<Digest> {
        let mut follower = Follower {
            now: self.start.get(probe).cloned(),
            all_made: true,
        };
        let mut before = follower.now.clone();
        let mut others: Vec<Option<State>> = Vec::new();
        for step in &self.steps {
            let state = step.state(states);
            let Some(found) = step.found.get(probe) else {
                others.push(state);
                continue;
            };
            follower.pass(&others, before.as_ref(), Some(found));
            others.clear();
            let left = step.left.as_ref().and_then(|left| left.get(probe));
            follower.step(state, found, left);
            before = left.cloned();
        }
        let end = self.end.as_ref().and_then(|end| end.get(probe));
        follower.pass(&others, before.as_ref(), end);
        follower.now
    }

    /// Everything that was answered from the step of this change on: states that are the run's own doing.
    pub(super) fn since(&self, place: &str, probe: &Probe) -> Vec<Digest> {
        let is_it = |step: &Step| step.places.iter().any(|own| own == place);
        let Some(first) = self.steps.iter().position(is_it) else {
            return Vec::new();
        };
        let found = self.steps[first + 1..].iter().map(|step| &step.found);
        let left = self.steps[first..]
            .iter()
            .filter_map(|step| step.left.as_ref());
        let all = found.chain(left).chain(self.end.as_ref());
        all.filter_map(|said| said.get(probe).cloned()).collect()
    }
}

fn step_of(record: &RunRecord, point: &Point) -> Step {
    let found = point.record.before.iter();
    let found = found.map(|expected| (expected.probe.clone(), expected.digest.clone()));
    Step {
        places: vec![point.place.clone()],
        found: found.collect(),
        left: record.after.get(point.folder()).cloned(),
    }
}

impl Step {
    /// Whether all of it is in force, or taken back; none when it is neither.
    fn state(&self, states: &BTreeMap<String, State>) -> Option<State> {
        let mut all = self.places.iter().map(|place| states.get(place).copied());
        let first = all.next()??;
        let is_one = first != State::Taking && all.all(|state| state == Some(first));
        is_one.then_some(first)
    }
}

impl Follower {
    /// A step that asked this very question.
    fn step(&mut self, state: Option<State>, found: &Digest, left: Option<&Digest>) {
        match state {
            Some(State::Made) if self.all_made || self.now.as_ref() == Some(found) => {
                self.now = left.cloned();
            }
            Some(State::Taken) if self.all_made => self.now = Some(found.clone()),
            Some(State::Taken) => {}
            Some(State::Made | State::Taking) | None => self.now = None,
        }
        self.all_made &= state == Some(State::Made);
    }

    /// Steps that did not ask it, and may have changed the answer all the same: from what it was to what it came to.
    fn pass(&mut self, others: &[Option<State>], before: Option<&Digest>, after: Option<&Digest>) {
        let all_are = |wanted| others.iter().all(|state| *state == Some(wanted));
        let is_same = before.is_some() && before == after;
        if self.all_made && all_are(State::Made) {
            if after.is_some() || !others.is_empty() {
                self.now = after.cloned();
            }
        } else if !is_same && (others.is_empty() || !all_are(State::Taken)) {
            // At the end of a run that was cut off nothing more is on record, and nothing more happened.
            let is_over = others.is_empty() && after.is_none();
            self.now = self.now.take().filter(|_| is_over);
        }
        self.all_made &= all_are(State::Made);
    }
}

#[cfg(test)]
impl Trail {
    /// A run of so many steps of one change each: each asked these questions, found `old` and left `new`.
    pub(super) fn of_steps(steps: &[&[Probe]], ends: bool) -> Self {
        let said = |probes: &[Probe], text: &str| -> Said {
            let digest = || Digest::of(format!("0\n{text}").as_bytes());
            let all = probes.iter().map(|probe| (probe.clone(), digest()));
            all.collect()
        };
        let all = steps.concat();
        let step = |(index, probes): (usize, &&[Probe])| Step {
            places: vec![format!("{}/1", index + 1)],
            found: said(probes, "old\n"),
            left: Some(said(probes, "new\n")),
        };
        Self {
            start: said(&all, "old\n"),
            steps: steps.iter().enumerate().map(step).collect(),
            end: ends.then(|| said(&all, "new\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Probe {
        Probe::new("hf_service", ["x"])
    }

    fn said(text: &str) -> Said {
        let said = (!text.is_empty()).then(|| (probe(), Digest::of(text.as_bytes())));
        said.into_iter().collect()
    }

    /// `found>left` for a step that asks, nothing for one that does not.
    fn trail(start: &str, steps: &[&str], end: Option<&str>) -> Trail {
        let step = |(index, text): (usize, &&str)| {
            let (found, left) = text.split_once('>').unwrap_or_default();
            Step {
                places: vec![format!("{}/1", index + 1)],
                found: said(found),
                left: (left != "?").then(|| said(left)),
            }
        };
        Trail {
            start: said(start),
            steps: steps.iter().enumerate().map(step).collect(),
            end: end.map(said),
        }
    }

    /// The answer that must be there when the steps are: `m`ade, `t`aken, in the middle of that (`?`).
    fn now(trail: &Trail, states: &str) -> String {
        let states = states.chars().enumerate().map(|(index, state)| {
            let state = match state {
                'm' => State::Made,
                't' => State::Taken,
                _ => State::Taking,
            };
            (format!("{}/1", index + 1), state)
        });
        let digest = trail.now(&probe(), &states.collect());
        let all = ["a", "b", "c", "d"];
        let is_it = |text: &&&str| digest == Some(Digest::of(text.as_bytes()));
        all.iter().find(is_it).map_or("-", |text| text).to_owned()
    }

    #[test]
    fn what_no_other_step_changed_is_known_whatever_was_taken_back() {
        let trail = trail("a", &["", "a>b", "", "b>c", ""], Some("c"));
        for (states, answer) in [
            ("mmmmm", "c"),
            ("tmmmm", "c"),
            ("mmtmt", "c"),
            ("mmmtt", "b"),
            ("mmttt", "b"),
            ("tmttt", "b"),
            ("mtttt", "a"),
            ("mm?tt", "b"),
            ("mm?mm", "c"),
            ("mmm?m", "-"),
        ] {
            assert_eq!(now(&trail, states), answer, "{states}");
        }
    }

    #[test]
    fn what_another_step_changed_too_is_known_in_the_order_of_the_way_back() {
        let trail = trail("a", &["a>b", "", "c>d"], Some("d"));
        for (states, answer) in [
            ("mmm", "d"),
            ("mmt", "c"),
            ("mtt", "b"),
            ("ttt", "a"),
            // Out of that order nobody knows.
            ("mtm", "-"),
            ("m?t", "-"),
            ("tmt", "-"),
        ] {
            assert_eq!(now(&trail, states), answer, "{states}");
        }
    }

    #[test]
    fn of_a_run_that_was_cut_off_it_is_known_up_to_its_last_step() {
        let known = trail("a", &["", "a>b"], None);
        assert_eq!(now(&known, "mm"), "b");
        assert_eq!(now(&known, "tm"), "b");
        // The last one never came to its end.
        let cut = trail("a", &["a>b", "b>?"], None);
        assert_eq!(now(&cut, "mm"), "-");
        assert_eq!(now(&cut, "mt"), "b");
        // It may have changed the answer, unless it is taken back.
        let other = trail("a", &["a>b", ""], None);
        assert_eq!(now(&other, "mm"), "-");
        assert_eq!(now(&other, "mt"), "b");
    }

    #[test]
    fn what_moved_while_the_run_went_on_is_as_it_was_found() {
        let odd = trail("", &["b>c"], Some("d"));
        assert_eq!(now(&odd, "m"), "d");
        assert_eq!(now(&odd, "t"), "-");
        let all = trail("a", &["a>b", "c>d"], None).since("1/1", &probe());
        let text = |text: &str| Digest::of(text.as_bytes());
        assert_eq!(all, [text("c"), text("b"), text("d")]);
    }
}
