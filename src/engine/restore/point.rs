//! One change of an earlier run, to be taken back: a resource that no YAML can describe. Desired is the state that
//! the change found; it is only touched when the host is as the run left it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::readable;
use super::record::{State, points_probe, states};
use super::trail::Trail;
use crate::change::{Call, Change, Diff, Known, Note, Shown, Timing, Undo, Verdict};
use crate::probe::{Answer, Answers, Digest, ParseError, Probe};
use crate::resource::Resource;

/// A change of an earlier run.
#[derive(Debug)]
pub(super) struct Restore {
    /// That run.
    pub(super) run: String,
    /// `STEP/CHANGE`, where its record lies.
    pub(super) place: String,
    /// What its step was about.
    pub(super) subject: String,
    /// The change as it was made.
    pub(super) change: Change,
    /// What it was made from.
    pub(super) looks: Vec<Look>,
    /// How the run went, for what must be there now.
    pub(super) trail: Arc<Trail>,
    /// Why it stays, when it does.
    pub(super) stays: Option<String>,
    /// Whether it came to a good end. Of one that did not nobody knows how much of it there is.
    pub(super) done: bool,
    /// Whether all of its step is taken back with it: then what the step found must be there again.
    pub(super) is_first: bool,
    /// When it is taken back: packages go last, after everything that needs them.
    pub(super) timing: Timing,
}

/// A question that a change was made from.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) probe: Probe,
    /// The answer right before the change.
    pub(super) before: Digest,
    /// How the run left it, as far as that is known.
    pub(super) left: Option<Answer>,
}

/// Questions about one file and nothing else: what other changes do never shows in the answer.
const OF_ITSELF: [&str; 2] = ["hf_file", "hf_exists"];

/// Questions about what most undos put back in one go: in the middle of that there is no third state.
const IN_ONE_GO: [&str; 3] = ["hf_file", "hf_exists", "hf_authorized_keys"];

/// What is answered about a file whose folder is not there either.
const NO_FOLDER: &[u8] = b"0\ntype=absent\nparent=missing\n";

/// Whether a question is about one file and nothing else.
pub(super) fn is_of_itself(probe: &Probe) -> bool {
    OF_ITSELF.contains(&probe.function.as_str())
}

/// Whether the host is as it was answered before. A file that is not there is as little there when its folder came
/// meanwhile: somebody else's file may lie in it now, or it belongs to a package.
pub(super) fn is_as_before(probe: &Probe, before: &Digest, now: &Answer) -> bool {
    let is_absent = || now.text().lines().any(|line| line == "type=absent");
    now.digest() == *before
        || (probe.function == "hf_file" && *before == Digest::of(NO_FOLDER) && is_absent())
}

/// Whether that is so for the undo of a change, and it is no row of small ones, such as an overwriting in place, an
/// owner and then a mode, or a file of keys and then its folder. Of a drop-in and its folder see [`is_as_before`].
fn is_one_rename(change: &Change) -> bool {
    let Undo::Call(undo) = &change.undo else {
        return false;
    };
    let word = |call: &Call, index: usize| call.args.get(index).cloned().unwrap_or_default();
    match undo.function.as_str() {
        "hf_undo_file_attributes" | "hf_give_again" => false,
        "hf_undo_file" => word(undo, 1) != "in-place",
        "hf_undo_keys" => word(&change.act, 4) == "keep",
        _ => true,
    }
}

/// What an answer means.
enum Meaning {
    /// It is as the change found it, and the run had left it otherwise.
    Back,
    /// It is as the run left it, or as the way back leaves it on its course.
    Ours,
    /// Somebody changed it since.
    Moved(Shown),
    /// Perhaps, and it does not follow from what is on record: why, and what differs.
    Unsure(String),
}

impl Resource for Restore {
    fn subject(&self) -> String {
        self.subject.clone()
    }

    fn probes(&self) -> Vec<Probe> {
        let looks = self.looks.iter().map(|look| look.probe.clone());
        looks.chain([points_probe(&self.run)]).collect()
    }

    fn diff(&self, seen: &Answers, _known: &Known) -> Result<Diff, ParseError> {
        let states = states(&seen.get(&points_probe(&self.run))?.text());
        if let Some(why) = &self.stays {
            return Ok(stays(why));
        }
        match states.get(&self.place) {
            Some(State::Taken) => Ok(Diff::compliant()),
            Some(State::Taking | State::Made) => self.compare(seen, &states),
            None => Ok(Diff::blocked(
                format!(
                    "the host no longer knows how to take back {} of run {}",
                    self.place, self.run
                ),
                "restore points are kept by count and age, see `holdfast restore-points`",
            )),
        }
    }

    fn moves_along(&self) -> bool {
        true
    }

    fn refuted(&self, seen: &Answers) -> Option<String> {
        let mut looks = self.looks.iter();
        let other = looks.find(|look| {
            let now = seen.get(&look.probe);
            self.is_first
                && is_of_itself(&look.probe)
                && now.is_ok_and(|now| !is_as_before(&look.probe, &look.before, now))
        });
        other.map(|look| format!("{} is not as it was before", readable::about(&look.probe)))
    }
}

fn stays(why: &str) -> Diff {
    Diff {
        verdict: Verdict::NotApplicable {
            why: why.to_owned(),
        },
        notes: Vec::new(),
    }
}

impl Restore {
    fn compare(
        &self,
        seen: &Answers,
        states: &BTreeMap<String, State>,
    ) -> Result<Diff, ParseError> {
        let (mut moved, mut unsure) = (Vec::new(), Vec::new());
        let (mut is_back, mut is_as_before) = (false, true);
        for look in &self.looks {
            let now = seen.get(&look.probe)?;
            is_as_before &= now.digest() == look.before;
            match self.meaning(look, now, states) {
                Meaning::Back => is_back = true,
                Meaning::Ours => {}
                Meaning::Moved(shown) => moved.push(shown),
                Meaning::Unsure(why) => unsure.push(Note::warning(why)),
            }
        }
        if !moved.is_empty() {
            return Ok(Diff::moved(
                format!("it was changed since run {}", self.run),
                "take back the others alone with --step, or put this back by hand first",
                moved,
            ));
        }
        let is_made = states.get(&self.place) == Some(&State::Made);
        if is_made && self.done && is_back && is_as_before {
            return Ok(Diff::compliant());
        }
        Ok(Diff::of(vec![self.reversed()]).with_notes(unsure))
    }

    fn meaning(&self, look: &Look, now: &Answer, states: &BTreeMap<String, State>) -> Meaning {
        let digest = now.digest();
        let expected = self.trail.now(&look.probe, states);
        let is_ours = expected.as_ref() == Some(&digest)
            || self.trail.since(&self.place, &look.probe).contains(&digest);
        if is_ours {
            return Meaning::Ours;
        }
        if is_as_before(&look.probe, &look.before, now) {
            return Meaning::Back;
        }
        let is_begun = states.get(&self.place) == Some(&State::Taking);
        let left = look.left.as_ref();
        let is_known = if is_begun {
            left.is_some()
                && IN_ONE_GO.contains(&look.probe.function.as_str())
                && is_one_rename(&self.change)
        } else {
            expected.is_some() || (left.is_some() && is_of_itself(&look.probe))
        };
        if is_known {
            return Meaning::Moved(readable::moved(&look.probe, left, now));
        }
        let differs = left.map(|left| readable::differences(left, now));
        Meaning::Unsure(self.doubt(&look.probe, is_begun, differs.as_deref()))
    }

    /// Why nobody knows whether somebody changed it.
    fn doubt(&self, probe: &Probe, is_begun: bool, differs: Option<&str>) -> String {
        let (run, about) = (&self.run, readable::about(probe));
        match differs {
            None => format!(
                "how run {run} left {about} is not known, for it was cut off: what was changed since is taken back with it"
            ),
            Some(differs) if is_begun => format!(
                "{about} was begun to be taken back, and is in between: what was changed since is taken back with it ({differs})"
            ),
            Some(differs) => format!(
                "{about} is not as run {run} left it, which may be because other changes of it were taken back: what was changed since is taken back with it ({differs})"
            ),
        }
    }

    /// The change that takes the change back.
    fn reversed(&self) -> Change {
        let call = |function: &str| Call::new(function, [self.run.as_str(), self.place.as_str()]);
        let shown = self
            .change
            .shown
            .iter()
            .map(|shown| shown.turned(&self.change.undo));
        let change = Change::new(
            format!("take back: {}", self.change.summary),
            shown.collect(),
            call("hf_take_back"),
            Undo::Call(call("hf_give_again")),
        )
        .expecting(self.looks.iter().map(|look| look.probe.clone()));
        Change {
            timing: self.timing,
            ..change
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "r-1";

    fn file() -> Probe {
        Probe::new("hf_file", ["/x", "nofollow"])
    }

    fn keys() -> Probe {
        Probe::new("hf_authorized_keys", ["ops"])
    }

    fn service() -> Probe {
        Probe::new("hf_service", ["x"])
    }

    fn answer(text: &str) -> Answer {
        Answer {
            status: 0,
            output: text.as_bytes().to_vec(),
        }
    }

    /// The last of these steps, each of which asked its questions, found `old` and left `new`.
    fn restore(steps: &[&[Probe]], ends: bool) -> Restore {
        let property = |before: &str, after: &str| Shown::Property {
            name: "mode".to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let undo = Undo::Call(Call::new("hf_undo", ["a"]));
        let look = |probe: &Probe| Look {
            probe: probe.clone(),
            before: answer("old\n").digest(),
            left: Some(answer("new\n")),
        };
        Restore {
            run: RUN.to_owned(),
            place: format!("{}/1", steps.len()),
            subject: "file /x".to_owned(),
            change: Change::new(
                "write /x",
                vec![property("600", "644")],
                Call::new("hf_x", ["a"]),
                undo,
            ),
            looks: steps.last().unwrap().iter().map(look).collect(),
            trail: Arc::new(Trail::of_steps(steps, ends)),
            stays: None,
            done: true,
            is_first: true,
            timing: Timing::InOrder,
        }
    }

    /// What is said of it when all its questions are answered like this, and the points are in these states.
    fn diff(restore: &Restore, now: &str, states: &[&str]) -> Diff {
        let points = states.iter().enumerate();
        let points = points.map(|(index, state)| format!("point={}/1 {state}\n", index + 1));
        let looks = restore.looks.iter();
        let answers = looks.map(|look| (look.probe.clone(), answer(now)));
        let points = (points_probe(RUN), answer(&points.collect::<String>()));
        let seen: Answers = answers.chain([points]).collect();
        restore.diff(&seen, &Known::nothing()).unwrap()
    }

    fn word(diff: &Diff) -> &'static str {
        let is_warned = diff.notes.iter().any(|note| note.warning);
        match &diff.verdict {
            Verdict::Compliant => "compliant",
            Verdict::Change(_) if is_warned => "change, with a warning",
            Verdict::Change(_) => "change",
            Verdict::Blocked(blocked) if blocked.moved.len() == 1 => "moved",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_run_left_is_taken_back_and_what_is_back_is_left_alone() {
        let restore = restore(&[&[file()]], true);
        let change = diff(&restore, "new\n", &["made"]);
        let [change] = change.verdict.changes() else {
            panic!("{change:?}")
        };
        assert_eq!(change.act.args, ["r-1", "1/1"]);
        let turned = Shown::Property {
            name: "mode".to_owned(),
            before: "644".to_owned(),
            after: "600".to_owned(),
        };
        assert_eq!(change.shown, [turned]);
        for (now, state) in [("new\n", "taken"), ("old\n", "made")] {
            assert_eq!(word(&diff(&restore, now, &[state])), "compliant");
        }
    }

    #[test]
    fn what_was_changed_since_is_shown_and_not_touched_whatever_was_taken_back_already() {
        for probe in [file(), keys(), service()] {
            let first = vec![probe];
            let other: &[Probe] = &[Probe::new("hf_file", ["/y", "nofollow"])];
            let second = restore(&[other, &first], true);
            for state in ["made", "taken"] {
                assert_eq!(word(&diff(&second, "edited\n", &[state, "made"])), "moved");
                assert_eq!(word(&diff(&second, "new\n", &[state, "made"])), "change");
            }
        }
    }

    #[test]
    fn one_that_was_begun_is_finished_unless_somebody_put_in_something_else() {
        for (probe, word_then) in [
            (file(), "moved"),
            (keys(), "moved"),
            (service(), "change, with a warning"),
        ] {
            let one = restore(&[&[probe]], true);
            assert_eq!(word(&diff(&one, "edited\n", &["taking"])), word_then);
            for now in ["old\n", "new\n"] {
                assert_eq!(word(&diff(&one, now, &["taking"])), "change");
            }
        }
    }

    #[test]
    fn a_row_of_small_ones_that_was_cut_off_is_finished_and_said_to_be_in_between() {
        let keys = |how| Call::new("hf_put_keys", ["ops", "/k", "600", "user", how]);
        let put = || Call::new("hf_put_file", ["/x", "644"]);
        for (act, undo, expected) in [
            (put(), vec!["hf_undo_file", "/x", "rename"], "moved"),
            (put(), vec!["hf_undo_unit", "x.service", "/x"], "moved"),
            (keys("keep"), vec!["hf_undo_keys", "/k"], "moved"),
            (put(), vec!["hf_undo_file", "/x", "in-place"], "doubt"),
            (put(), vec!["hf_undo_file_attributes", "/x"], "doubt"),
            (keys("make"), vec!["hf_undo_keys", "/k"], "doubt"),
            (keys("mend"), vec!["hf_undo_keys", "/k"], "doubt"),
            (put(), vec!["hf_give_again", "r-0", "1/1"], "doubt"),
        ] {
            let mut one = restore(&[&[file()]], true);
            one.change.act = act;
            one.change.undo = Undo::Call(Call::new(undo[0], undo[1..].iter().copied()));
            let begun = word(&diff(&one, "half\n", &["taking"]));
            let expected = expected.replace("doubt", "change, with a warning");
            assert_eq!(begun, expected, "{undo:?}");
            // One that was not begun has no middle.
            assert_eq!(word(&diff(&one, "half\n", &["made"])), "moved", "{undo:?}");
        }
    }

    #[test]
    fn of_a_run_that_was_cut_off_it_is_said_what_is_not_known() {
        let mut cut = restore(&[&[file()]], false);
        cut.trail = Arc::default();
        cut.looks[0].left = None;
        let told = diff(&cut, "half\n", &["made"]);
        assert_eq!(word(&told), "change, with a warning");
        // What looks as before may still have left something else.
        cut.done = false;
        assert_eq!(word(&diff(&cut, "old\n", &["made"])), "change");
        // A later step, which asked something else, may have changed the answer too.
        let first = restore(&[&[service()]], false);
        let later = Trail::of_steps(&[&[service()], &[file()]], false);
        let swayed = Restore {
            trail: Arc::new(later),
            ..first
        };
        let told = diff(&swayed, "other\n", &["made", "made"]);
        assert_eq!(word(&told), "change, with a warning");
        assert!(told.notes[0].text.contains("-new, +other"), "{told:?}");
    }

    #[test]
    fn a_file_that_is_not_as_before_after_the_way_back_refutes_it() {
        let one = restore(&[&[file(), service()]], true);
        let seen = |text: &str| Answers::from_iter([(file(), answer(text))]);
        assert_eq!(one.refuted(&seen("old\n")), None);
        let why = one.refuted(&seen("new\n"));
        assert_eq!(why.as_deref(), Some("/x is not as it was before"));
    }

    #[test]
    fn a_file_that_is_not_there_is_as_little_there_when_its_folder_is() {
        let no_folder = answer("type=absent\nparent=missing\n");
        let absent = "parent=folder\nreal=/x\ntype=absent\nabove=1000 755 /home\n";
        let mut one = restore(&[&[file()]], true);
        one.looks[0].before = no_folder.digest();
        let refuted =
            |one: &Restore, text: &str| one.refuted(&Answers::from_iter([(file(), answer(text))]));
        assert_eq!(refuted(&one, absent), None);
        assert!(refuted(&one, "parent=folder\nreal=/x\ntype=folder\n").is_some());
        // Begun and cut off in between; and when only the folder is left, that goes too.
        for state in ["taking", "made"] {
            assert_eq!(word(&diff(&one, absent, &[state])), "change");
        }
        one.looks[0].before = answer("parent=folder\ntype=file\n").digest();
        assert!(refuted(&one, absent).is_some());
    }
}
