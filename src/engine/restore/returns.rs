//! The proof of a way back: at its end the host answers as it did before the run that was taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::point;
use super::record::{Point, State};
use super::steps::is_about_us;
use crate::engine::worker::Worker;
use crate::engine::{last_look, survey, verify};
use crate::event::{EventKind, Proof};
use crate::probe::{Answer, Answers, Digest, Probe};
use crate::runbook::RenderedStep;

/// The state that taking back comes to.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct Returns {
    /// What the host answered before the run, about what is taken back.
    before: BTreeMap<Probe, Digest>,
    /// What the first change that is taken back found, about one file each: what came before it may stay.
    found: BTreeMap<Probe, Digest>,
    /// Of that, what is not on record.
    unknown: BTreeSet<Probe>,
    /// What changes asked that stay, or were taken back earlier already: they may make a difference there.
    others: BTreeSet<Probe>,
    /// Whether something of the run stays.
    left_out: bool,
}

impl Returns {
    /// A change stays.
    pub(super) fn stay(&mut self, point: &Point) {
        self.left_out = true;
        self.excuse(point);
    }

    /// A change is taken back, or was: the host answers as at the start of its run.
    pub(super) fn come_back(&mut self, point: &Point, start: &BTreeMap<Probe, Digest>) {
        if point.state == State::Taken {
            // Whatever came later may have changed it again.
            self.excuse(point);
        }
        for expected in &point.record.before {
            let probe = expected.probe.clone();
            if point::is_of_itself(&probe) {
                // The later changes come first here.
                self.found.insert(probe.clone(), expected.digest.clone());
            }
            match start.get(&probe) {
                _ if is_about_us(&probe) => {}
                Some(digest) => {
                    self.before.insert(probe, digest.clone());
                }
                None => {
                    self.unknown.insert(probe);
                }
            }
        }
    }

    /// The same when a person left out what asks these.
    fn without(&self, skipped: &[Probe]) -> Self {
        let mut returns = self.clone();
        returns.left_out |= !skipped.is_empty();
        returns.others.extend(skipped.iter().cloned());
        returns
    }

    fn excuse(&mut self, point: &Point) {
        let before = point.record.before.iter();
        self.others
            .extend(before.map(|expected| expected.probe.clone()));
    }

    /// Whether a difference there may come of something else than the way back. Of one file nothing else decides.
    fn is_excused(&self, probe: &Probe) -> bool {
        self.others.contains(probe) || (self.left_out && !point::is_of_itself(probe))
    }

    /// Whether a question is answered as before: as at the start of the run, or as the way back comes to.
    fn is_back(&self, probe: &Probe, start: &Digest, now: &Answer) -> bool {
        let mut all = [Some(start), self.found.get(probe)].into_iter().flatten();
        all.any(|before| point::is_as_before(probe, before, now))
    }

    /// What the answers prove, and whether they should have been able to.
    fn compared(&self, answers: &Answers) -> (Proof, bool) {
        let (mut silent, mut other, mut excused) = (Vec::new(), Vec::new(), Vec::new());
        for (probe, digest) in &self.before {
            match answers.get(probe) {
                Err(_) => silent.push(probe.to_string()),
                Ok(now) if self.is_back(probe, digest, now) => {}
                Ok(_) if self.is_excused(probe) => excused.push(probe.to_string()),
                Ok(_) => other.push(probe.to_string()),
            }
        }
        let unsure = |why: String| Proof::CouldNotTell { why };
        let unknown: Vec<String> = self.unknown.iter().map(Probe::to_string).collect();
        if !other.is_empty() {
            let seen = format!("another answer to {}", other.join(", "));
            (Proof::No { seen }, true)
        } else if self.before.is_empty() {
            let why = "nothing is on record of how the host was before";
            (unsure(why.to_owned()), false)
        } else if !silent.is_empty() {
            (unsure(format!("no answer to {}", silent.join(", "))), true)
        } else if !excused.is_empty() {
            let what = "what was not taken back now makes a difference to";
            (unsure(format!("{what} {}", excused.join(", "))), false)
        } else if !unknown.is_empty() {
            let what = "nothing is on record of the answer before to";
            (unsure(format!("{what} {}", unknown.join(", "))), false)
        } else {
            let seen = format!("{} answers are the same", self.before.len());
            (Proof::Yes { seen }, true)
        }
    }
}

/// Asks the host, which keeps what it answers, and tells what that proves.
pub(in crate::engine) async fn proof(
    worker: &mut Worker<'_>,
    steps: &[RenderedStep],
    returns: &Returns,
) -> verify::Proven {
    let name = "The host answers as before that run".to_owned();
    let skipped = |step: &&RenderedStep| worker.past.is_skipped(&worker.plan.key(step.number));
    let returns = returns.without(&survey::probes(steps.iter().filter(skipped)));
    let mut probes: Vec<Probe> = survey::probes(steps);
    probes.extend(returns.before.keys().cloned());
    let touched: Vec<Probe> = worker.touched.iter().cloned().collect();
    let mut last = last_look::LastLook {
        link: &mut worker.link,
        touched: &touched,
    };
    let (proof, inside) = match last.ask(worker.job, worker.host, &probes).await {
        Err(error) => {
            let why = error.to_string();
            (Proof::CouldNotTell { why }, true)
        }
        Ok(answers) => returns.compared(&answers),
    };
    worker.job.events.tell(EventKind::Checked {
        host: worker.host.name.to_string(),
        name: name.clone(),
        proof: proof.clone(),
    });
    verify::Proven {
        name,
        proof,
        inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Probe {
        Probe::new("hf_file", ["/x"])
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

    fn returns() -> Returns {
        let before = [file(), service()].map(|probe| (probe, answer("old").digest()));
        Returns {
            before: before.into(),
            ..Returns::default()
        }
    }

    /// `Yes`, `No` or `CouldNotTell`, with a `!` when it fails the run.
    fn word(returns: &Returns, file_now: Option<&str>, service_now: &str) -> &'static str {
        let answers = [(file(), file_now), (service(), Some(service_now))];
        let answers = answers.into_iter();
        let answers = answers.filter_map(|(probe, text)| Some((probe, answer(text?))));
        match returns.compared(&answers.collect()) {
            (Proof::Yes { .. }, _) => "yes",
            (Proof::No { .. }, _) => "no",
            (Proof::CouldNotTell { .. }, true) => "silent",
            (Proof::CouldNotTell { .. }, false) => "excused",
        }
    }

    #[test]
    fn every_answer_must_be_there_and_the_same() {
        let all = returns();
        assert_eq!(word(&all, Some("old"), "old"), "yes");
        assert_eq!(word(&all, Some("old"), "new"), "no");
        assert_eq!(word(&all, None, "old"), "silent");
        assert_eq!(word(&Returns::default(), None, "old"), "excused");
        let mut short = returns();
        short.unknown.insert(Probe::new("hf_file", ["/y"]));
        assert_eq!(word(&short, Some("old"), "old"), "excused");
        assert_eq!(word(&short, Some("old"), "new"), "no");
    }

    #[test]
    fn a_file_may_also_be_as_the_first_change_that_is_taken_back_found_it() {
        let mut some = returns();
        // A package that stays made its folder, or brought it.
        some.before
            .insert(file(), answer("type=absent\nparent=missing\n").digest());
        let absent = "parent=folder\nreal=/x\ntype=absent\n";
        assert_eq!(word(&some, Some(absent), "old"), "yes");
        assert_eq!(word(&some, Some("packaged"), "old"), "no");
        some.found.insert(file(), answer("packaged").digest());
        assert_eq!(word(&some, Some("packaged"), "old"), "yes");
        assert_eq!(word(&some, Some(absent), "old"), "yes");
        assert_eq!(word(&some, Some("new"), "old"), "no");
    }

    #[test]
    fn what_stays_excuses_no_file_that_it_has_nothing_to_do_with() {
        let mut some = returns();
        some.left_out = true;
        assert_eq!(word(&some, Some("old"), "new"), "excused");
        assert_eq!(word(&some, Some("new"), "old"), "no");
        some.others.insert(file());
        assert_eq!(word(&some, Some("new"), "old"), "excused");
        let skipped = returns().without(&[file()]);
        assert_eq!(word(&skipped, Some("new"), "old"), "excused");
        assert_eq!(word(&returns().without(&[]), Some("new"), "old"), "no");
    }
}
