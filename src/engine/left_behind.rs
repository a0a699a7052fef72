//! What a run left on record on a host (`hf_left_of` in `src/host/drift.read.sh`), read: its steps, and the answers
//! before and after it. And whether a difference is what a later run made of it.

use std::collections::BTreeMap;

use super::whole;
use crate::change::{Known, Verdict};
use crate::plan::Expectation;
use crate::probe::{Answer, Answers, Digest, Probe};
use crate::resource::Resource;
use crate::runbook::{self, Left};
use crate::template::Scope;

/// The question that [`LeftBehind::parse`] reads the answer of.
pub(super) fn probe(run: &str) -> Probe {
    Probe::new("hf_left_of", [run])
}

/// What a run left on record.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// Its steps, as YAML; empty when there are none.
    steps: String,
    /// What the host answered before anything was changed.
    start: BTreeMap<Probe, Digest>,
    /// What it answered when the run went, as far as that is known.
    left: Answers,
}

impl LeftBehind {
    /// Reads the sizes of files, and behind an empty line the files. What is odd in it is left out.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") else {
            return found;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut rest = &bytes[end + 2..];
        let begun: Vec<&str> = head
            .lines()
            .filter_map(|line| line.strip_prefix("begun="))
            .collect();
        let mut answers: Vec<(Moment, (Probe, Answer))> = Vec::new();
        for line in head.lines() {
            let Some((size, name)) = line
                .strip_prefix("file=")
                .and_then(|line| line.split_once(' '))
            else {
                continue;
            };
            let Some(body) = size.parse().ok().and_then(|size: usize| rest.get(..size)) else {
                break;
            };
            rest = &rest[body.len()..];
            match name {
                "steps.yaml" => found.steps = String::from_utf8_lossy(body).into_owned(),
                "start" => found.start = expectations(body),
                _ => answers.extend(answer(body).map(|answer| (moment(name, &begun), answer))),
            }
        }
        // Later answers to the same question replace earlier ones.
        answers.sort_by_key(|(moment, _)| *moment);
        found.left = answers.into_iter().map(|(_, answer)| answer).collect();
        found
    }

    /// What its steps described, or why that cannot be read, as a clause.
    pub(super) fn steps(&self, runbook: &str, scope: &Scope) -> Result<Vec<Left>, String> {
        if self.steps.is_empty() {
            return Err("its steps are not on record".to_owned());
        }
        if !whole::is_whole(&self.steps) {
            return Err("only a part of its steps is on record".to_owned());
        }
        runbook::left(runbook, &self.steps, scope)
            .map_err(|said| format!("its steps on record cannot be read: {said}"))
    }

    /// What comparing with the state that the run left comes to; none when that is not known.
    pub(super) fn verdict(&self, resource: &dyn Resource) -> Option<Verdict> {
        verdict(resource, &self.left)
    }

    /// Whether it began with what the other had left, as far as these questions tell.
    fn began_with(&self, other: &Self, probes: &[Probe]) -> bool {
        probes.iter().all(|probe| {
            let before = other.left.get(probe).ok().map(Answer::digest);
            before.is_some() && before.as_ref() == self.start.get(probe)
        })
    }
}

/// What comparing with these answers comes to, whatever else will be changed.
pub(super) fn verdict(resource: &dyn Resource, answers: &Answers) -> Option<Verdict> {
    let diff = resource.diff(answers, &Known::nothing()).ok()?;
    Some(diff.verdict)
}

/// Whether nothing is to be changed.
pub(super) fn is_calm(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Compliant | Verdict::NotApplicable { .. } => true,
        Verdict::Change(_)
        | Verdict::ChangeAfter { .. }
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_) => false,
    }
}

/// A run that came later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later<'a> {
    pub(super) behind: &'a LeftBehind,
    /// Whether it was about the very same thing.
    pub(super) same: bool,
}

/// The difference to `resource` that runs left, which is therefore no drift. The run that was about it may have
/// left one itself: a later step of it may have overtaken this one, somebody may have left it out, or it is judged
/// otherwise now (by where sshd listens). A later run did it when it ended with the difference, and was about the
/// same thing or began with what was left before; one that found it different already did not.
pub(super) fn difference_left(
    resource: &dyn Resource,
    left: &LeftBehind,
    later: &[Later<'_>],
) -> Option<Verdict> {
    let probes = resource.probes();
    let own = left.verdict(resource).filter(|verdict| !is_calm(verdict));
    let (mut before, mut base) = (left, own);
    // Once somebody else made it otherwise, no run that only finds it so makes that good.
    let mut foreign = false;
    for Later { behind: run, same } in later {
        let Some(verdict) = run.verdict(resource) else {
            continue;
        };
        if is_calm(&verdict) {
            (base, foreign) = (None, false);
        } else if *same {
            (base, foreign) = (Some(verdict), false);
        } else if base.as_ref() != Some(&verdict) {
            foreign |= !run.began_with(before, &probes);
            base = (!foreign).then_some(verdict);
        }
        before = run;
    }
    base
}

/// When an answer was given. A step may be tried more than once, and taken back in between (`3`, `3-back`, `3-2`), so
/// the order is that of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// The journal says nothing of the step, so its number must do.
    Numbered(usize),
    /// After a step, by its place in the journal.
    After(usize),
    /// At the end of the run.
    Last,
}

fn moment(name: &str, begun: &[&str]) -> Moment {
    let folder = name.split('/').next().unwrap_or_default();
    let number = folder.split('-').next().and_then(|word| word.parse().ok());
    match (begun.iter().rposition(|one| *one == folder), number) {
        (Some(place), _) => Moment::After(place),
        (None, Some(number)) => Moment::Numbered(number),
        (None, None) => Moment::Last,
    }
}

fn expectations(body: &[u8]) -> BTreeMap<Probe, Digest> {
    let lines = body.split(|byte| *byte == b'\n');
    let read = lines.filter_map(|line| serde_json::from_slice::<Expectation>(line).ok());
    read.map(|expected| (expected.probe, expected.digest))
        .collect()
}

/// The question as JSON, the status, and what was said.
fn answer(body: &[u8]) -> Option<(Probe, Answer)> {
    let mut parts = body.splitn(3, |byte| *byte == b'\n');
    let probe = serde_json::from_slice(parts.next()?).ok()?;
    let status = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let output = parts.next()?.to_vec();
    Some((probe, Answer { status, output }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Call, Change, Diff, Shown, Undo};
    use crate::probe::ParseError;

    /// Wants one of two lines of an answer to be `a`.
    #[derive(Debug)]
    struct First;

    fn question() -> Probe {
        Probe::new("hf_x", ["a"])
    }

    impl Resource for First {
        fn subject(&self) -> String {
            "x".to_owned()
        }
        fn probes(&self) -> Vec<Probe> {
            vec![question()]
        }
        fn diff(&self, seen: &Answers, _: &Known) -> Result<Diff, ParseError> {
            let text = seen.get(&question())?.text().into_owned();
            let first = text.split(',').next().unwrap_or_default().to_owned();
            let call = Call::new("hf_y", [first.clone()]);
            let undo = Undo::Impossible { why: "test".into() };
            let shown = vec![Shown::Run {
                argv: vec![first.clone()],
            }];
            let due = (first != "a").then(|| Change::new("x", shown, call, undo));
            Ok(Diff::of(due.into_iter().collect()))
        }
    }

    fn run(start: &str, left: &str) -> LeftBehind {
        let answer = |text: &str| Answer {
            status: 0,
            output: text.as_bytes().to_vec(),
        };
        LeftBehind {
            steps: String::new(),
            start: [(question(), answer(start).digest())].into(),
            left: [(question(), answer(left))].into_iter().collect(),
        }
    }

    fn is_made(later: &[LeftBehind], now: &str) -> bool {
        is_made_by(later, false, now)
    }

    fn is_made_by(later: &[LeftBehind], same: bool, now: &str) -> bool {
        let later = later.iter().map(|behind| Later { behind, same });
        let later: Vec<Later<'_>> = later.collect();
        let made = difference_left(&First, &run("z", "a,1"), &later);
        made.is_some() && made == run("", now).verdict(&First)
    }

    #[test]
    fn what_a_later_run_made_of_it_is_no_drift() {
        assert!(is_made(&[run("a,1", "b,1")], "b,1"));
        assert!(is_made(
            &[run("a,1", "a,2"), run("a,2", "b,2"), run("b,2", "b,3")],
            "b,4"
        ));
        assert!(!is_made(&[], "b,1"));
    }

    #[test]
    fn what_a_later_run_only_found_is_drift() {
        // It was made otherwise before the run began.
        assert!(!is_made(&[run("b,1", "b,1")], "b,1"));
        assert!(!is_made(&[run("b,1", "b,2"), run("b,2", "b,3")], "b,3"));
    }

    #[test]
    fn a_run_about_the_same_thing_has_the_last_word_whatever_it_found() {
        assert!(is_made_by(&[run("b,1", "c,1")], true, "c,1"));
        assert!(!is_made_by(&[run("b,1", "c,1")], true, "d,1"));
        let (foreign, same) = (run("b,1", "b,2"), run("b,2", "c,1"));
        let later = [(&foreign, false), (&same, true)];
        let later = later.map(|(behind, same)| Later { behind, same });
        let left = difference_left(&First, &run("z", "a,1"), &later);
        assert_eq!(left, run("", "c,1").verdict(&First));
    }

    #[test]
    fn what_the_run_itself_left_otherwise_is_no_drift_until_it_is_changed() {
        let left = run("a,1", "b,1");
        let now = |text: &str| difference_left(&First, &left, &[]) == run("", text).verdict(&First);
        assert!(now("b,2"));
        assert!(!now("c,1"));
    }

    #[test]
    fn what_was_changed_after_the_later_run_is_drift() {
        assert!(!is_made(&[run("a,1", "b,1")], "c,1"));
        assert!(!is_made(&[run("a,1", "b,1"), run("b,1", "a,1")], "b,1"));
    }

    #[test]
    fn files_are_read_by_their_sizes_and_later_answers_count() {
        let probe = serde_json::to_string(&question()).unwrap();
        let digest = Digest::of(b"x");
        let start = format!("{{\"probe\":{probe},\"digest\":\"{digest}\"}}\n");
        let first = format!("{probe}\n0\nb\n\nwith an empty line\n");
        let last = format!("{probe}\n0\na");
        let files = [
            ("steps.yaml", "- a\n\n"),
            ("start", start.as_str()),
            ("kept/1", last.as_str()),
            ("10/after/1", first.as_str()),
            ("9/after/1", "odd"),
        ];
        let head = files.map(|(name, text)| format!("file={} {name}\n", text.len()));
        let bytes = format!(
            "{}\n{}",
            head.concat(),
            files.map(|(_, text)| text).concat()
        );
        let found = LeftBehind::parse(bytes.as_bytes());
        assert_eq!(found.steps, "- a\n\n");
        assert_eq!(found.start.get(&question()), Some(&digest));
        assert_eq!(found.left.get(&question()).unwrap().output, b"a");
        assert_eq!(found.verdict(&First), Some(Verdict::Compliant));
        assert_eq!(LeftBehind::parse(b"").verdict(&First), None);
    }

    #[test]
    fn of_several_tries_of_a_step_the_last_says_how_it_was_left() {
        let probe = serde_json::to_string(&question()).unwrap();
        let left = |begun: &[&str], kept: &[&str]| {
            let begun = begun
                .iter()
                .fold(String::new(), |all, step| all + "begun=" + step + "\n");
            let body = |step: &str| format!("{probe}\n0\n{step}");
            let head = |step: &&str| format!("file={} {step}/after/1\n", body(step).len());
            let heads: String = kept.iter().map(head).collect();
            let bodies: String = kept.iter().map(|step| body(step)).collect();
            let found = LeftBehind::parse(format!("{begun}{heads}\n{bodies}").as_bytes());
            found.left.get(&question()).unwrap().text().into_owned()
        };
        // As `ls` sorts the folders.
        let kept = ["10", "3", "3-2", "3-back"];
        assert_eq!(left(&["3", "3-back", "3-2"], &kept[1..]), "3-2");
        assert_eq!(left(&["3", "3-2", "3-back"], &kept[1..]), "3-back");
        assert_eq!(left(&["3", "3-2", "3-back", "10"], &kept), "10");
        assert_eq!(
            left(&["10", "3", "3-2", "3-back"], &["3-2", "3", "10"]),
            "3-2"
        );
        assert_eq!(left(&[], &["10", "3"]), "10");
    }
}
