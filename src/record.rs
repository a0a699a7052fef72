//! What a run leaves on a host about each of its changes: `change.json` beside the scripts that take it back and
//! make it again. Plain data in JSON, read by later versions as well: fields are only ever added, with defaults.

use serde::{Deserialize, Serialize};

use crate::change::{Call, Change, StepNumber, Undo};
use crate::plan::Expectation;
use crate::value::Port;

/// One change as it was planned, right before it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The step it belongs to.
    pub step: StepNumber,
    /// The step's name.
    pub name: String,
    /// What the step is about: "file /etc/motd".
    #[serde(default)]
    pub subject: String,
    /// The change. The bytes of its input lie in files beside this one, and what it makes known is left out.
    pub change: Change,
    /// What the host answered right before.
    pub before: Vec<Expectation>,
    /// Whether the guard would have taken it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guarded: bool,
    /// The port of sshd that logins came by before, for a change whose new login had to come by another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_before: Option<Port>,
    /// That other port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_after: Option<Port>,
    /// Calls that marked, before the step, which services read what it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Call>,
}

impl ChangeRecord {
    /// One line of JSON without bytes of inputs.
    pub fn to_line(&self) -> String {
        let mut slim = self.clone();
        slim.change.act.input = None;
        if let Undo::Call(call) = &mut slim.change.undo {
            call.input = None;
        }
        slim.change.gives = Vec::new();
        // Maps with keys that are texts: this cannot fail.
        serde_json::to_string(&slim).unwrap_or_default()
    }
}

/// A run on record on a host, that can be taken back as far as it was not yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePoint {
    /// The host.
    pub host: String,
    /// The run.
    pub run: String,
    /// Its runbook.
    pub runbook: String,
    /// `user@machine` that started it.
    pub operator: String,
    /// When, RFC 3339, by that machine's clock.
    pub started: String,
    /// The run that it took back; empty when it had a runbook.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub undoes: String,
    /// How many changes it made, or began.
    pub changes: usize,
    /// How many of them were taken back.
    pub taken: usize,
    /// How many still can be.
    pub left: usize,
    /// What its record takes on the disk, in KiB.
    pub size: u64,
    /// How it ended, in the words of its journal (`closed done`, `settled undone by …`); empty when it did not.
    pub end: String,
    /// Whether its guard may take changes back by itself.
    pub armed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Shown;

    #[test]
    fn a_record_is_one_line_without_input() {
        let act = Call::new("hf_x", ["a\nb"]).with_input("secret");
        let undo = Undo::Call(Call::new("hf_y", ["a"]).with_input("secret"));
        let shown = vec![Shown::Run {
            argv: vec!["x".into()],
        }];
        let record = ChangeRecord {
            step: StepNumber(2),
            name: "A step".into(),
            subject: "x".into(),
            change: Change::new("x", shown, act, undo),
            before: Vec::new(),
            guarded: false,
            port_before: None,
            port_after: None,
            marks: Vec::new(),
        };
        let line = record.to_line();
        assert!(!line.contains('\n') && !line.contains("secret"));
        let read: ChangeRecord = serde_json::from_str(&line).unwrap();
        assert_eq!(read.step, record.step);
        assert_eq!(read.change.act.args, record.change.act.args);
    }
}
