//! A change on the operator's own machine, to be taken back in its place: its calls stand in the run's journal there.

use crate::change::{Call, Change, Diff, Known, Shown, StepNumber, Undo, Verdict};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Resource;

/// A change that a run made on this machine for a host.
#[derive(Debug, Clone)]
pub struct HereChange {
    /// The step that made it.
    pub step: StepNumber,
    /// The step's name.
    pub name: String,
    /// What it was about.
    pub subject: String,
    /// The change, with the bytes of its calls.
    pub change: Change,
}

impl HereChange {
    /// The call that takes it back.
    fn back(&self) -> Option<&Call> {
        match &self.change.undo {
            Undo::Call(call) => Some(call),
            Undo::Impossible { .. } => None,
        }
    }

    /// The question whether that can be done (`src/here`): `state=due|done|moved`, and `why=`.
    fn probe(&self) -> Probe {
        let words = self.back().into_iter().flat_map(|call| {
            let input = call.input.as_deref().unwrap_or_default();
            let input = String::from_utf8_lossy(input).into_owned();
            [call.function.clone(), input]
                .into_iter()
                .chain(call.args.clone())
        });
        Probe::new("here_can", words)
    }
}

impl Resource for HereChange {
    fn subject(&self) -> String {
        self.subject.clone()
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn diff(&self, seen: &Answers, _known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let text = seen.get(&probe)?.text().into_owned();
        let value = |key: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        let Some(back) = self.back() else {
            return Ok(Diff {
                verdict: Verdict::NotApplicable {
                    why: "it cannot be taken back".to_owned(),
                },
                notes: Vec::new(),
            });
        };
        match value("state").as_str() {
            "done" => Ok(Diff::compliant()),
            "due" => {
                let shown = self.change.shown.iter();
                let change = Change::new(
                    format!("take back: {}", self.change.summary),
                    shown.map(|shown| shown.turned(&self.change.undo)).collect(),
                    back.clone(),
                    Undo::Call(self.change.act.clone()),
                );
                Ok(Diff::of(vec![change.expecting([probe])]))
            }
            _ => Ok(Diff::moved(
                "it was changed since on this machine",
                "put it back by hand, and take back the others alone with --step",
                vec![Shown::Property {
                    name: back.args.first().cloned().unwrap_or_default(),
                    before: "as the run left it".to_owned(),
                    after: value("why"),
                }],
            )),
        }
    }

    fn moves_along(&self) -> bool {
        true
    }
}
