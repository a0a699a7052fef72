//! Guards of a command: what says whether it still has something to do.

use crate::change::{Diff, Known, Shown, Verdict};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;
use crate::value::AbsolutePath;

/// One guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    /// A program that fails as long as the command is needed.
    Unless(Vec<String>),
    /// A program that succeeds as long as the command is needed.
    OnlyIf(Vec<String>),
    /// A path at which nothing is as long as the command is needed.
    Creates(AbsolutePath),
}

/// What a guard says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The command is needed.
    Run,
    /// It is not.
    Nothing,
    /// The guard's program is not there.
    Missing { why: String },
    /// The guard did not come to an answer.
    Broken { why: String },
}

/// `timeout(1)` ends a guard with this.
const OUT_OF_TIME: i32 = 124;
/// The shell's words for a program that is there but cannot be run, and for none.
const NOT_RUNNABLE: std::ops::RangeInclusive<i32> = 126..=127;
/// A status from here on means death by a signal.
const SIGNAL: i32 = 128;

impl Guard {
    pub(super) fn probe(&self) -> Probe {
        match self {
            Guard::Unless(argv) | Guard::OnlyIf(argv) => {
                Probe::new("hf_guard", argv.iter().cloned())
            }
            Guard::Creates(path) => Probe::new("hf_exists", [path.as_str()]),
        }
    }

    /// The guard as it is while the command is needed, and afterwards.
    pub(super) fn shown(&self) -> Shown {
        let (name, before, after) = match self {
            Guard::Unless(argv) => (format!("`{}` holds", super::line(argv)), "no", "yes"),
            Guard::OnlyIf(argv) => (format!("`{}` holds", super::line(argv)), "yes", "no"),
            Guard::Creates(path) => (format!("{path} exists"), "no", "yes"),
        };
        Shown::Property {
            name,
            before: before.to_owned(),
            after: after.to_owned(),
        }
    }

    /// What it says about the host.
    pub(super) fn asks(&self, seen: &Answers) -> Result<Need, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        let (argv, needed_when) = match self {
            Guard::Creates(_) => {
                return match lines.get("exists") {
                    "yes" => Ok(Need::Nothing),
                    "no" => Ok(Need::Run),
                    other => Err(lines.unreadable(format!("exists is {other:?}"))),
                };
            }
            Guard::Unless(argv) => (argv, false),
            Guard::OnlyIf(argv) => (argv, true),
        };
        let name = argv.first().map_or("", String::as_str);
        Ok(match seen.get(&probe)?.status {
            status if NOT_RUNNABLE.contains(&status) => Need::Missing {
                why: format!("its guard `{name}` cannot be run on the host"),
            },
            OUT_OF_TIME => Need::Broken {
                why: format!(
                    "its guard `{}` did not end within a minute",
                    super::line(argv)
                ),
            },
            status if status >= SIGNAL => Need::Broken {
                why: format!(
                    "its guard `{}` died of signal {}",
                    super::line(argv),
                    status - SIGNAL
                ),
            },
            status if (status == 0) == needed_when => Need::Run,
            _ => Need::Nothing,
        })
    }
}

/// The program of a guard is missing: a package that is still to come may bring it.
pub(super) fn missing(known: &Known, why: String) -> Diff {
    match known.any_package() {
        Some(step) => Diff {
            verdict: Verdict::UnknownUntil { step, why },
            notes: Vec::new(),
        },
        None => Diff::blocked(why, "install the package that brings it in an earlier step"),
    }
}

/// A guard that comes to no answer.
pub(super) fn broken(why: String) -> Diff {
    Diff::blocked(
        why,
        "a guard must be a program that only reads and ends by itself",
    )
}
