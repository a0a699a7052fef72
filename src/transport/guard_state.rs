//! What a host says of a guard (`src/host/guard.read.sh`).

use crate::probe::Probe;

/// What became of a guard (`hf_guard_state`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardState {
    /// Where it is.
    pub phase: GuardPhase,
    /// What it was when it was asked to fire.
    pub was: GuardPhase,
    /// Seconds until it fires; negative when its time is up.
    pub left: i64,
    /// Changes that it took back, or tried to.
    pub changes: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that cannot be taken back, which was accepted before.
    pub kept: usize,
    /// Seconds between the time it was set to and its firing; none after a restart, or when it was told to fire.
    pub late: Option<i64>,
    /// Whether it fired at boot.
    pub at_boot: bool,
    /// Whether nobody goes on with what it was at when it was ended in the middle.
    pub idle: bool,
}

/// Where a guard is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GuardPhase {
    /// There is none.
    #[default]
    None,
    /// The host restores itself when the time is up.
    Armed,
    /// It does so now.
    Firing,
    /// It did.
    Fired,
    /// A new login proved that it need not.
    Disarmed,
}

impl GuardState {
    /// The question that [`GuardState::parse`] reads the answer of.
    pub fn probe(run: &str) -> Probe {
        Probe::new("hf_guard_state", [run])
    }

    /// Reads `key=value` lines; what is missing or odd counts as nothing.
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let lines = text.lines();
            lines
                .filter_map(|line| line.split_once('='))
                .find_map(|(name, value)| (name == key).then_some(value))
                .unwrap_or_default()
        };
        let number = |key: &str| value(key).parse().unwrap_or_default();
        Self {
            phase: GuardPhase::parse(value("state")),
            was: GuardPhase::parse(value("was")),
            left: value("left").parse().unwrap_or_default(),
            changes: number("changes"),
            failed: number("failed"),
            kept: number("kept"),
            late: value("late").parse().ok(),
            at_boot: value("boot") == "1",
            idle: value("idle") == "yes",
        }
    }
}

impl GuardPhase {
    fn parse(word: &str) -> Self {
        match word {
            "armed" => Self::Armed,
            "firing" => Self::Firing,
            "fired" => Self::Fired,
            "disarmed" => Self::Disarmed,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_says_of_a_guard_is_read() {
        let text = "was=armed\nstate=fired\nchanges=3\nfailed=1\nkept=0\nlate=\nat=5\nboot=1\n";
        let state = GuardState::parse(text);
        assert_eq!(
            (state.phase, state.was),
            (GuardPhase::Fired, GuardPhase::Armed)
        );
        assert_eq!((state.changes, state.failed, state.late), (3, 1, None));
        assert!(state.at_boot);
        let armed = GuardState::parse("state=armed\nleft=-3\n");
        assert_eq!((armed.phase, armed.left), (GuardPhase::Armed, -3));
        assert!(GuardState::parse("state=firing\nidle=yes\n").idle);
        assert_eq!(GuardState::parse("garbage").phase, GuardPhase::None);
    }
}
