//! External data: published lists of networks, fetched once per run on the controller and guarded.
//!
//! What is fetched becomes firewall rules, so it is believed only when everything about it is as the
//! runbook expects: the connection, the form, every entry, the size, the distance from what was good
//! before. One doubt refuses the whole, and nothing is touched. A publisher that cannot be reached at
//! all is another case: then the last good copy or the list that comes with the runbook is used, and
//! it is said which.
//!
//! ```yaml
//! data:
//!   edge:
//!     help: Example's published ranges
//!     sources:                   # the first is the list; the others must agree with it
//!       - { url: "{{ inputs.api }}", json: { ipv4: /result/v4, ipv6: /result/v6 }, require: { /success: true } }
//!       - { url: "{{ inputs.text }}", lines: ipv4 }         # an empty url: not asked
//!     ca_file: "{{ inputs.ca_file }}"                       # empty: the machine's own authorities
//!     lists:
//!       ipv4: { family: ipv4, count: 10-40, prefix: 11-24, addresses: 800000-3000000 }
//!       ipv6: { family: ipv6, count: 4-24, prefix: 24-48 }
//!     change: { removed: 25%, lost: 20%, added: 30% }       # against the last good copy
//!     canary: 60%                                           # of `built_in` must still be there
//!     built_in: { date: 2026-11-20, ipv4: [173.245.48.0/20, …], ipv6: [2400:cb00::/32, …] }
//! ```
//!
//! Templates then have `data.edge.ipv4`, a list of texts. In the order of the flow: `shape`, `read`,
//! `built_in` and `spec` are the YAML, `agent` and `fetch` the connection, `parse` the form, `guards` and `drift` the judgement on
//! `lists`, `store` the last good copy, and `load` puts them together.

mod agent;
mod built_in;
mod check_url;
mod drift;
mod fetch;
mod guards;
mod lists;
mod load;
mod parse;
mod read;
mod shape;
mod special;
mod spec;
mod store;
#[cfg(test)]
mod testing;

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::change::Note;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::Name;

pub use check_url::check_url;
pub use lists::Lists;
pub use load::load;
pub use shape::{CHANGE, LIST, SHAPE, SOURCE};
pub use spec::Spec;
pub use store::StoreError;

use store::Copy;

/// One entry below `data:`, ready for templates.
#[derive(Debug, Clone)]
pub struct Data {
    /// Its name in the runbook.
    pub name: Name,
    /// `{"list": ["192.0.2.0/24", …], …}`: canonical texts, ascending.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
    /// How many networks, over all lists.
    pub entries: usize,
    /// What the operator should know.
    pub notes: Vec<Note>,
    /// What [`Data::keep`] writes; only for what was fetched.
    fetched: Option<Copy>,
}

/// Where data comes from. Displayed as a clause: "fetched from …".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From its first source, in this run.
    Fetched {
        /// The address.
        url: String,
    },
    /// From the controller's last good copy.
    LastGood {
        /// The address it was fetched from.
        url: String,
        /// When that was.
        at: Timestamp,
        /// How long ago, in whole days.
        days: i64,
    },
    /// From the runbook itself.
    BuiltIn {
        /// The day its author looked.
        date: Date,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Fetched { url } => write!(f, "fetched from {url}"),
            Origin::LastGood { url, at, days } => {
                let day = at.strftime("%Y-%m-%d");
                let ago = match days {
                    0 => "today".to_owned(),
                    1 => "1 day ago".to_owned(),
                    _ => format!("{days} days ago"),
                };
                write!(f, "last good copy, fetched {ago} ({day}) from {url}")
            }
            Origin::BuiltIn { date } => write!(f, "built-in list of {date}"),
        }
    }
}

/// What a run brings to the loading of data.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The folder of the last good copies of this runbook:
    /// `$XDG_CACHE_HOME/holdfast/data/RUNBOOK`. It need not exist.
    pub store: PathBuf,
    /// Nobody watches: a list that is not fetched must be a fresh copy.
    pub unattended: bool,
    /// Who accepts a change beyond the bounds (`--accept-change`); has no effect unattended.
    pub accept_change: Option<String>,
    /// The time of the run.
    pub now: Timestamp,
}

/// Why there is no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A guard refused it, or it cannot be had: no host may be touched because of it.
    #[error("data `{name}` is refused: {why}")]
    Refused {
        /// Its name in the runbook.
        name: Name,
        /// Where it came from, as a clause.
        origin: String,
        /// Which guard, and what it saw: a sentence.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The runbook or an input is wrong.
    #[error("{0}")]
    Spec(Diagnostics),
}

impl From<Diagnostic> for DataError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Spec(diagnostic.into())
    }
}

impl From<Diagnostics> for DataError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Spec(diagnostics)
    }
}

/// A judgement against what was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    /// The source that it is about.
    url: String,
    /// A sentence.
    why: String,
    /// What to do.
    hint: Option<String>,
}

impl Data {
    /// Makes what was fetched the last good copy: what later runs are measured by and fall back on.
    /// Nothing happens when it was not fetched. `folder` is that of [`LoadOptions::store`].
    ///
    /// # Errors
    /// When it cannot be written. The run may go on; the next one compares with an older copy.
    pub fn keep(&self, folder: &Path) -> Result<(), StoreError> {
        match &self.fetched {
            Some(copy) => store::write(folder, &self.name, copy),
            None => Ok(()),
        }
    }
}
