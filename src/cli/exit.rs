//! Exit codes: documented in `--help`, the same numbers for ever.

use std::process::ExitCode;

use crate::event::{Fault, HostResult};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Usage, runbook, inventory or another file is wrong; nothing was touched.
    Usage,
    /// Changes are due.
    ChangesDue,
    /// A step failed or cannot be done.
    Failed,
    /// A host could not be reached, or its identity, login or sudo was refused.
    Unreachable,
    /// Everything was done, but it is not so in effect.
    Verification,
    /// The guard took back what would have cut us off.
    Reverted,
    /// Another run holds a host.
    Locked,
    /// A host is no longer as it was when the plan was made.
    Stale,
    /// A person must decide.
    NeedsHuman,
    /// Something may have been done or not.
    OutcomeUnknown,
    /// Interrupted by the operator.
    Interrupted,
}

/// The end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    done, nothing to do, or a person said no
  1    usage, runbook, inventory or another file is wrong; nothing was touched
  2    changes are due (verify; drift; run --dry-run --detailed-exitcode)
  3    a step failed or cannot be done
  4    a host could not be reached, or its identity, login or sudo was refused
  5    everything was done, but it is not so in effect; or a record was changed (history --verify, show)
  6    reverted by the guard: no new login came about, and the host is as it was before
  7    locked by another run
  8    the host is no longer as it was when the plan was made
  9    a person must decide: refused data, a foreign rule, a high risk unattended
  10   the outcome is unknown: the connection was lost while something was under way
  130  interrupted, stopped by a person before a step, or a question that nobody answered (end of input)
When several apply, the most alarming wins: 10, 6, 130, 1, 3, 5, 4, 8, 7, 9, 2.";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Usage => 1,
            Exit::ChangesDue => 2,
            Exit::Failed => 3,
            Exit::Unreachable => 4,
            Exit::Verification => 5,
            Exit::Reverted => 6,
            Exit::Locked => 7,
            Exit::Stale => 8,
            Exit::NeedsHuman => 9,
            Exit::OutcomeUnknown => 10,
            Exit::Interrupted => 130,
        }
    }

    /// How alarming it is; the highest of a run is its exit code.
    fn alarm(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::ChangesDue => 1,
            Exit::NeedsHuman => 2,
            Exit::Locked => 3,
            Exit::Stale => 4,
            Exit::Unreachable => 5,
            Exit::Verification => 6,
            Exit::Failed => 7,
            Exit::Usage => 8,
            Exit::Interrupted => 9,
            Exit::Reverted => 10,
            Exit::OutcomeUnknown => 11,
        }
    }

    /// The more alarming of two.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if other.alarm() > self.alarm() {
            other
        } else {
            self
        }
    }

    /// What one host's end means; `due` is what pending changes mean.
    pub fn of(result: &HostResult, due: Self) -> Self {
        match result {
            HostResult::NothingToDo
            | HostResult::Changed { .. }
            | HostResult::Verified
            | HostResult::Declined => Exit::Done,
            HostResult::ChangesDue { .. } => due,
            HostResult::Stopped { fault, .. } => match fault {
                Fault::Unreachable | Fault::Identity | Fault::Authentication | Fault::Sudo => {
                    Exit::Unreachable
                }
                Fault::Locked => Exit::Locked,
                Fault::Unsupported | Fault::Failed | Fault::Journal => Exit::Failed,
                Fault::Stale => Exit::Stale,
                Fault::NeedsHuman => Exit::NeedsHuman,
                Fault::Verification => Exit::Verification,
                Fault::Reverted => Exit::Reverted,
                Fault::OutcomeUnknown => Exit::OutcomeUnknown,
                Fault::Interrupted => Exit::Interrupted,
                // Those that failed decide.
                Fault::NotBegun => Exit::Done,
            },
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// What clap had to say: help and version are no mistakes. Mistakes may be about variables, which nobody sees on the
/// command line.
pub(super) fn usage(error: &clap::Error, variables: &[String]) -> Exit {
    let printed = error.print();
    if error.use_stderr() {
        for variable in variables {
            super::session::note(&format!("  hint: the environment says {variable}"));
        }
        Exit::Usage
    } else {
        super::session::written(printed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alarming_wins() {
        let order = [
            Exit::OutcomeUnknown,
            Exit::Reverted,
            Exit::Interrupted,
            Exit::Usage,
            Exit::Failed,
            Exit::Verification,
            Exit::Unreachable,
            Exit::Stale,
            Exit::Locked,
            Exit::NeedsHuman,
            Exit::ChangesDue,
            Exit::Done,
        ];
        for pair in order.windows(2) {
            assert_eq!(pair[1].worse(pair[0]), pair[0]);
            assert_eq!(pair[0].worse(pair[1]), pair[0]);
        }
        let alarming = order.iter().filter(|exit| **exit != Exit::Done);
        let codes: Vec<String> = alarming.map(|exit| exit.code().to_string()).collect();
        let told = format!("the most alarming wins: {}.", codes.join(", "));
        assert!(HELP.ends_with(&told), "the help does not say {told:?}");
        let readme = include_str!("../../README.md").to_lowercase();
        assert!(readme.contains(&told), "the README does not say {told:?}");
    }

    #[test]
    fn every_code_is_in_the_help() {
        for exit in [
            Exit::Done,
            Exit::Usage,
            Exit::ChangesDue,
            Exit::Failed,
            Exit::Unreachable,
            Exit::Verification,
            Exit::Reverted,
            Exit::Locked,
            Exit::Stale,
            Exit::NeedsHuman,
            Exit::OutcomeUnknown,
            Exit::Interrupted,
        ] {
            assert!(HELP.contains(&format!("\n  {} ", exit.code())), "{exit:?}");
        }
    }
}
