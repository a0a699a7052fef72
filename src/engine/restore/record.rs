//! The record of a run as its host tells it (`src/host/record.read.sh`), read.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Call;
use crate::plan::Expectation;
use crate::probe::{Answer, Digest, Probe};
use crate::record::ChangeRecord;

/// What a run left on a host.
#[derive(Debug, Default)]
pub(super) struct RunRecord {
    /// The lines of its card: `runbook`, `operator`, `started` …
    pub(super) card: BTreeMap<String, String>,
    /// Its changes that were begun, in that order.
    pub(super) points: Vec<Point>,
    /// What it answered before anything was changed.
    pub(super) start: BTreeMap<Probe, Digest>,
    /// What the host answered when the run went, as far as that is known.
    pub(super) left: BTreeMap<Probe, Answer>,
    /// What it answered after each step, by the folder of the step, as far as that is known.
    pub(super) after: BTreeMap<String, BTreeMap<Probe, Digest>>,
    /// What it answered at the end of the run. Without that `left` is what its steps left, each of them.
    pub(super) end: Option<BTreeMap<Probe, Digest>>,
}

/// A change that was begun.
#[derive(Debug)]
pub(super) struct Point {
    /// `STEP/CHANGE`, its folder.
    pub(super) place: String,
    pub(super) record: ChangeRecord,
    pub(super) state: State,
    /// Whether it came to a good end.
    pub(super) done: bool,
}

/// How far a change was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is in force.
    Made,
    /// That was begun.
    Taking,
    /// It was.
    Taken,
}

impl Point {
    /// The folder of its step.
    pub(super) fn folder(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    /// Whether it is a reload that was put off to the end.
    pub(super) fn is_at_end(&self) -> bool {
        self.record.change.timing == crate::change::Timing::AtEnd
    }

    /// Calls that marked which services read what it changed.
    pub(super) fn marks(&self) -> &[Call] {
        &self.record.marks
    }
}

/// The question that [`RunRecord::parse`] reads the answer of.
pub(super) fn probe(run: &str) -> Probe {
    Probe::new("hf_run_record", [run])
}

/// The question how far the changes of a run were taken back.
pub(super) fn points_probe(run: &str) -> Probe {
    Probe::new("hf_points", [run])
}

/// Reads `point=STEP/CHANGE STATE` lines.
pub(super) fn states(text: &str) -> BTreeMap<String, State> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("point="));
    let state = |line: &str| {
        let (place, word) = line.split_once(' ')?;
        let state = match word {
            "made" => State::Made,
            "taking" => State::Taking,
            "taken" => State::Taken,
            _ => return None,
        };
        Some((place.to_owned(), state))
    };
    lines.filter_map(state).collect()
}

impl RunRecord {
    /// Reads what [`probe`] asked; `None` when the host knows no such run. What is odd in it is left out.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let (mut begun, mut done) = (Vec::new(), BTreeSet::new());
        let mut kept = BTreeMap::new();
        let mut changes: BTreeMap<String, ChangeRecord> = BTreeMap::new();
        let mut lines = String::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let line = take_line(&mut rest);
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            match key {
                "card" => found.card.extend(
                    value
                        .split_once('=')
                        .map(|(k, v)| (k.to_owned(), v.to_owned())),
                ),
                "journal" => {
                    begun.extend(change_that(value, &["started"]));
                    done.extend(change_that(value, &["rc", "0"]));
                }
                "point" => lines.extend([line.as_str(), "\n"]),
                "start" => {
                    let read = serde_json::from_str::<Expectation>(value).ok();
                    found
                        .start
                        .extend(read.map(|expected| (expected.probe, expected.digest)));
                }
                "change" => changes.extend(change(value)),
                "kept" => {
                    let (place, answers) = take_kept(value, &mut rest)?;
                    kept.entry(place).or_insert_with(Vec::new).extend(answers);
                }
                _ => {}
            }
        }
        if found.card.is_empty() {
            return None;
        }
        let states = states(&lines);
        for place in begun {
            if let Some(record) = changes.remove(&place) {
                let state = states.get(&place).copied().unwrap_or(State::Made);
                found.points.push(Point {
                    done: done.contains(&place),
                    place,
                    record,
                    state,
                });
            }
        }
        found.settle(kept);
        Some(found)
    }

    /// What is known of the state that the run left: asked at its end, or else after each step, the later ones first.
    fn settle(&mut self, mut kept: BTreeMap<String, Vec<(Probe, Answer)>>) {
        let end = kept.remove("kept");
        let mut seen = BTreeSet::new();
        for point in &self.points {
            let folder = point.folder();
            if !seen.insert(folder.to_owned()) {
                continue;
            }
            match kept.remove(&format!("{folder}/after")) {
                Some(answers) => {
                    self.after.insert(folder.to_owned(), digests(&answers));
                    self.left.extend(answers);
                }
                // It was ended in the middle: nobody knows how it left what it touched.
                None => {
                    for expected in &point.record.before {
                        self.left.remove(&expected.probe);
                    }
                }
            }
        }
        self.end = end.as_deref().map(digests);
        self.left.extend(end.unwrap_or_default());
    }
}

fn digests(answers: &[(Probe, Answer)]) -> BTreeMap<Probe, Digest> {
    let digest = |(probe, answer): &(Probe, Answer)| (probe.clone(), answer.digest());
    answers.iter().map(digest).collect()
}

fn take_line(rest: &mut &[u8]) -> String {
    let end = rest.iter().position(|byte| *byte == b'\n');
    let (line, behind) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (*rest, &rest[rest.len()..]),
    };
    *rest = behind;
    String::from_utf8_lossy(line).into_owned()
}

/// The place of the change that such a line is about: `step 3 change 1 started`, `step 3 change 1 rc 0`.
fn change_that(line: &str, words: &[&str]) -> Option<String> {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["step", folder, "change", number, rest @ ..] if *rest == *words => {
            Some(format!("{folder}/{number}"))
        }
        _ => None,
    }
}

fn change(value: &str) -> Option<(String, ChangeRecord)> {
    let (place, json) = value.split_once(' ')?;
    let record: ChangeRecord = serde_json::from_str(json).ok()?;
    let mut before = record.before.iter();
    let asks_host = before.all(|expected| is_for_host(&expected.probe));
    asks_host.then(|| (place.to_owned(), record))
}

/// Whether it is a question to a host. What a host has on record never makes us ask this machine anything.
fn is_for_host(probe: &Probe) -> bool {
    let name = probe.function.strip_prefix("hf_");
    name.is_some_and(|name| {
        let mut letters = name.bytes();
        letters.all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    })
}

/// The bytes below `kept=PLACE LENGTH`: a question as JSON, the status, and what was said. An answer that says
/// nothing readable is left out; `None` when the frame itself is no frame.
fn take_kept(value: &str, rest: &mut &[u8]) -> Option<(String, Option<(Probe, Answer)>)> {
    let (place, length) = value.rsplit_once(' ')?;
    let length: usize = length.parse().ok()?;
    let body = rest.get(..length)?;
    *rest = rest.get(length + 1..).unwrap_or_default();
    Some((place.to_owned(), kept_answer(body)))
}

fn kept_answer(mut body: &[u8]) -> Option<(Probe, Answer)> {
    let probe = serde_json::from_str(&take_line(&mut body)).ok()?;
    let status = take_line(&mut body).parse().ok()?;
    let output = body.to_vec();
    Some((probe, Answer { status, output }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, Shown, StepNumber, Undo};

    fn record(step: usize, probe: &Probe) -> String {
        let call = || Call::new("hf_x", ["a"]);
        let shown = vec![Shown::Run {
            argv: vec!["x".into()],
        }];
        let digest = crate::probe::Digest::of(b"0\nold\n");
        ChangeRecord {
            step: StepNumber(step),
            name: "a step".into(),
            subject: "x".into(),
            change: Change::new("x", shown, call(), Undo::Call(call())),
            before: vec![crate::plan::Expectation {
                probe: probe.clone(),
                digest,
            }],
            guarded: false,
            port_before: None,
            port_after: None,
            marks: Vec::new(),
        }
        .to_line()
    }

    #[test]
    fn a_record_is_read_with_what_was_begun_and_what_was_left() {
        let probe = Probe::new("hf_file", ["/x\ny"]);
        let json = serde_json::to_string(&probe).unwrap();
        let kept = format!("{json}\n0\nnew\nwithout end");
        let change = record(3, &probe);
        let text = format!(
            "card=run=r-1\ncard=runbook=web\njournal=step 3 started\njournal=step 3 change 1 started\n\
             point=3/1 taking\npoint=4/1 made\nchange=3/1 {change}\nchange=4/1 {change}\n\
             kept=kept {}\n{kept}\nkept=3/after 3\nodd\n",
            kept.len()
        );
        let found = RunRecord::parse(text.as_bytes()).unwrap();
        assert_eq!(found.card["runbook"], "web");
        // The fourth step was recorded, and never begun.
        assert_eq!(found.points.len(), 1);
        assert_eq!(found.points[0].state, State::Taking);
        assert!(found.end.is_some());
        let left = &found.left[&probe];
        assert_eq!(
            (left.status, left.output.as_slice()),
            (0, b"new\nwithout end".as_slice())
        );
        assert!(RunRecord::parse(b"").is_none());
        assert!(RunRecord::parse(b"card=a=b\nkept=kept 900\nx\n").is_none());
    }

    #[test]
    fn a_record_never_asks_this_machine_anything() {
        for function in ["here_can", "hf_file;id", "id"] {
            let mut probe = Probe::new("hf_file", ["/dev/zero"]);
            function.clone_into(&mut probe.function);
            let text = format!(
                "card=a=b\njournal=step 1 change 1 started\nchange=1/1 {}\n",
                record(1, &probe)
            );
            assert!(RunRecord::parse(text.as_bytes()).unwrap().points.is_empty());
        }
    }

    #[test]
    fn how_a_step_that_was_cut_left_things_is_not_known() {
        let probe = Probe::new("hf_file", ["/x"]);
        let json = serde_json::to_string(&probe).unwrap();
        let kept = format!("{json}\n0\nfirst\n");
        let change = record(1, &probe);
        let text = format!(
            "card=run=r\njournal=step 1 change 1 started\njournal=step 2 change 1 started\n\
             change=1/1 {change}\nchange=2/1 {change}\nkept=1/after {}\n{kept}\n",
            kept.len()
        );
        let found = RunRecord::parse(text.as_bytes()).unwrap();
        assert!(found.end.is_none() && found.left.is_empty());
        assert_eq!(found.after.keys().collect::<Vec<_>>(), ["1"]);
    }
}
