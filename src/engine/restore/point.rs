//! One change of an earlier run, to be taken back: a resource that no YAML can describe. Desired is the state that
//! the change found; it is only touched when the host is as the run left it.

use super::readable;
use super::record::{State, points_probe, states};
use crate::change::{Call, Change, Diff, Known, Note, Timing, Undo, Verdict};
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
    /// Why it stays, when it does.
    pub(super) stays: Option<String>,
    /// Whether it is known how the run left the host when it went.
    pub(super) whole: bool,
    /// Whether it came to a good end. Of one that did not nobody knows how much of it there is.
    pub(super) done: bool,
    /// When it is taken back: packages go last, after everything that needs them.
    pub(super) timing: Timing,
}

/// A question that a change was made from.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) probe: Probe,
    /// The answer right before the change.
    pub(super) before: Digest,
    /// Answers that are the run's own doing: how it left the host, and what later changes of the same run found,
    /// which are taken back first. Empty when none is known.
    pub(super) ours: Vec<Digest>,
    /// How the run left it.
    pub(super) left: Option<Answer>,
}

/// Questions about one file and nothing else: what other changes do never shows in the answer.
const OF_ITSELF: [&str; 1] = ["hf_file"];

impl Look {
    fn is_of_itself(&self) -> bool {
        OF_ITSELF.contains(&self.probe.function.as_str())
    }
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
            Some(State::Taken) => return Ok(Diff::compliant()),
            Some(State::Taking) => return Ok(Diff::of(vec![self.reversed()])),
            Some(State::Made) => {}
            None => {
                return Ok(Diff::blocked(
                    format!(
                        "the host no longer knows how to take back {} of run {}",
                        self.place, self.run
                    ),
                    "restore points are kept by count and age, see `holdfast restore-points`",
                ));
            }
        }
        // What was taken back already shows in answers that are about more than the change itself.
        let is_first = self.whole && states.values().all(|state| *state == State::Made);
        self.compare(seen, is_first)
    }

    fn moves_along(&self) -> bool {
        true
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
    fn compare(&self, seen: &Answers, is_first: bool) -> Result<Diff, ParseError> {
        let (mut moved, mut unsure, mut as_before) = (Vec::new(), false, 0);
        for look in &self.looks {
            let now = seen.get(&look.probe)?;
            let digest = now.digest();
            as_before += usize::from(digest == look.before);
            if look.ours.contains(&digest) || digest == look.before {
                continue;
            }
            if !look.ours.is_empty() && (is_first || look.is_of_itself()) {
                moved.push(readable::moved(&look.probe, look.left.as_ref(), now));
            } else {
                unsure |= look.ours.is_empty() || look.is_of_itself();
            }
        }
        let is_ours = |look: &Look| {
            seen.get(&look.probe)
                .is_ok_and(|now| look.ours.contains(&now.digest()))
        };
        if !moved.is_empty() {
            return Ok(Diff::moved(
                format!("it was changed since run {}", self.run),
                "take back the others alone with --step, or put this back by hand first",
                moved,
            ));
        }
        let is_back = self.done && !self.looks.is_empty() && as_before == self.looks.len();
        if is_back && !self.looks.iter().all(is_ours) {
            return Ok(Diff::compliant());
        }
        let note = unsure.then(|| {
            Note::warning(format!(
                "how run {} left this is not known, for it was cut off: what was changed since is taken back with it",
                self.run
            ))
        });
        Ok(Diff::of(vec![self.reversed()]).with_notes(note.into_iter().collect()))
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
    use crate::change::Shown;

    const RUN: &str = "r-1";

    fn probe() -> Probe {
        Probe::new("hf_file", ["/x", "nofollow"])
    }

    fn answer(text: &str) -> Answer {
        Answer {
            status: 0,
            output: text.as_bytes().to_vec(),
        }
    }

    fn restore() -> Restore {
        let shown = vec![Shown::Property {
            name: "mode".to_owned(),
            before: "600".to_owned(),
            after: "644".to_owned(),
        }];
        let undo = Undo::Call(Call::new("hf_undo", ["a"]));
        Restore {
            run: RUN.to_owned(),
            place: "1/1".to_owned(),
            subject: "file /x".to_owned(),
            change: Change::new("write /x", shown, Call::new("hf_x", ["a"]), undo),
            looks: vec![Look {
                probe: probe(),
                before: answer("old\n").digest(),
                ours: vec![answer("new\n").digest()],
                left: Some(answer("new\n")),
            }],
            stays: None,
            whole: true,
            done: true,
            timing: Timing::InOrder,
        }
    }

    fn verdict(restore: &Restore, now: &str, points: &str) -> Diff {
        let answers = [(probe(), answer(now)), (points_probe(RUN), answer(points))];
        let seen: Answers = answers.into_iter().collect();
        restore.diff(&seen, &Known::nothing()).unwrap()
    }

    #[test]
    fn what_the_run_left_is_taken_back_and_what_is_back_is_left_alone() {
        let restore = restore();
        let diff = verdict(&restore, "new\n", "point=1/1 made\n");
        let [change] = diff.verdict.changes() else {
            panic!("{diff:?}")
        };
        assert_eq!(change.act.args, ["r-1", "1/1"]);
        let turned = Shown::Property {
            name: "mode".to_owned(),
            before: "644".to_owned(),
            after: "600".to_owned(),
        };
        assert_eq!(change.shown, [turned]);
        for (now, points) in [
            ("new\n", "point=1/1 taken\n"),
            ("old\n", "point=1/1 made\n"),
        ] {
            assert_eq!(verdict(&restore, now, points).verdict, Verdict::Compliant);
        }
        // One that was begun is finished whatever it looks like.
        let begun = verdict(&restore, "other\n", "point=1/1 taking\n");
        assert_eq!(begun.verdict.changes().len(), 1);
    }

    #[test]
    fn what_was_changed_since_is_shown_and_not_touched() {
        let restore = restore();
        // Of a file that holds even when other changes were taken back already.
        for points in ["point=1/1 made\n", "point=1/1 made\npoint=2/1 taken\n"] {
            let diff = verdict(&restore, "edited\n", points);
            let Verdict::Blocked(blocked) = diff.verdict else {
                panic!("{diff:?}")
            };
            assert_eq!(blocked.moved.len(), 1);
        }
    }

    #[test]
    fn of_a_run_that_was_cut_off_it_is_said_what_is_not_known() {
        let mut restore = restore();
        restore.whole = false;
        restore.looks[0].ours.clear();
        let diff = verdict(&restore, "half\n", "point=1/1 made\n");
        assert_eq!(diff.verdict.changes().len(), 1);
        assert!(diff.notes[0].warning);
        // What looks as before may still have left something else.
        restore.done = false;
        let diff = verdict(&restore, "old\n", "point=1/1 made\n");
        assert_eq!(diff.verdict.changes().len(), 1);
    }
}
