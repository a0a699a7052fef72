//! The answer of `hf_service`: what systemd says of a unit.

use crate::probe::ParseError;
use crate::resource::Lines;
use crate::value::UnitName;

/// A unit as systemd knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of systemd's"
)]
pub(super) struct Unit {
    /// Its own name, when the one that was asked for is an alias.
    pub(super) id: UnitName,
    pub(super) load: Load,
    /// `UnitFileState`; of an old init script what systemctl's bridge says.
    pub(super) file_state: String,
    pub(super) active: Active,
    /// Why it ended last: `exit-code`, `signal` …
    pub(super) result: String,
    /// Runs once and is over: it can never be found running.
    pub(super) runs_once: bool,
    pub(super) can_reload: bool,
    /// Its files changed since systemd read them.
    pub(super) needs_daemon_reload: bool,
    pub(super) refuses_start: bool,
    pub(super) refuses_stop: bool,
    pub(super) transient: bool,
    /// Units that start it when something comes in or a time comes.
    pub(super) triggered_by: Vec<String>,
    /// Units that start it along with themselves.
    pub(super) wanted_by: Vec<String>,
    /// A run of ours changed its files and did not come to reload it.
    pub(super) pending: bool,
}

/// Whether systemd could read the unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Load {
    Loaded,
    NotFound,
    Masked,
    /// It could not; why.
    Bad(String),
}

/// What the unit does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Active {
    Running,
    /// On its way, or waiting to be restarted.
    Changing,
    Stopped,
    Failed,
}

impl Unit {
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        let words = |key: &'static str| lines.get(key).split_whitespace().map(str::to_owned);
        let file_state = match lines.get("sysv") {
            "" => lines.get("UnitFileState"),
            sysv => sysv,
        };
        Ok(Self {
            id: lines.need("Id")?,
            load: load(lines)?,
            file_state: file_state.to_owned(),
            active: active(lines)?,
            result: lines.get("Result").to_owned(),
            runs_once: lines.get("Type") == "oneshot" && lines.get("RemainAfterExit") == "no",
            can_reload: lines.is("CanReload"),
            needs_daemon_reload: lines.is("NeedDaemonReload"),
            refuses_start: lines.is("RefuseManualStart"),
            refuses_stop: lines.is("RefuseManualStop"),
            transient: lines.is("Transient"),
            triggered_by: words("TriggeredBy").collect(),
            wanted_by: words("WantedBy").chain(words("RequiredBy")).collect(),
            pending: lines.is("pending"),
        })
    }
}

fn load(lines: &Lines<'_>) -> Result<Load, ParseError> {
    Ok(match lines.get("LoadState") {
        "loaded" | "merged" => Load::Loaded,
        "not-found" => Load::NotFound,
        "masked" => Load::Masked,
        state @ ("bad-setting" | "error" | "stub") => {
            let error = lines.get("LoadError");
            Load::Bad(if error.is_empty() {
                state.to_owned()
            } else {
                format!("{state}: {error}")
            })
        }
        other => return Err(lines.unreadable(format!("LoadState is {other:?}"))),
    })
}

fn active(lines: &Lines<'_>) -> Result<Active, ParseError> {
    Ok(match lines.get("ActiveState") {
        "active" | "reloading" | "refreshing" => Active::Running,
        "activating" | "deactivating" => Active::Changing,
        "inactive" | "maintenance" => Active::Stopped,
        "failed" => Active::Failed,
        other => return Err(lines.unreadable(format!("ActiveState is {other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Answer, Answers, Probe};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "((Id|LoadState|ActiveState|UnitFileState|Type|sysv)=(loaded|active|failed|x\\.service|\\PC{0,8})\n){0,10}") {
            let probe = Probe::new("hf_service", ["x.service"]);
            let seen = Answers::from_iter([(probe.clone(), Answer { status: 0, output: answer.into_bytes() })]);
            if let Ok(lines) = Lines::of(&seen, &probe) {
                let _ = Unit::parse(&lines);
            }
        }
    }
}
