//! A plan in a file: everything that is needed to show it later and to perform exactly it, and nothing that
//! lies elsewhere.
//!
//! The first line is the envelope (see [`envelope`]): magic, format, digest, length, seal. What follows is one
//! JSON document in ASCII: [`PlanFile`]. Its texts are as they were read (runbooks, templates), so that a file or
//! a published list that changed since does not matter; its events are those of the dry run, so that it is shown
//! by the renderers that showed that run; the answers of the hosts are there to tell what moved.
//!
//! Format 1 is read for ever (`tests/fixtures/plans`). Fields may be added to it; whatever an old reader could
//! misread makes a new format.
//!
//! How a host is reached is not in it: that may change without any step being another. Inputs, variables, groups
//! and tags are, because steps are made from them. There is no notion of a secret in runbooks yet; what the
//! inventory says in plain text is in the file in plain text, readable by its owner alone.

mod commands;
pub mod envelope;
mod host;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::Source;
use crate::event::{Event, EventKind, Fault, HostResult};
use crate::facts::Facts;
use crate::plan::HostPlan;
use crate::runbook::{LibraryError, Runbook, load_saved};
use crate::template::Templates;
use crate::value::Name;

use envelope::{Damage, Header, Key};

pub use commands::written_in;
pub use host::{Answered, SavedHost};

/// A saved plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Who made it, when and with what.
    pub made: Made,
    /// The runbook as it was.
    pub runbook: Texts,
    /// What else the plan was made under.
    pub terms: Terms,
    /// The external data, as templates see it.
    pub data: Value,
    /// The hosts that have a plan.
    pub hosts: Vec<SavedHost>,
    /// What the dry run told, the hosts' plans among it.
    pub told: Vec<Event>,
}

/// Who made a plan, when and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The run that made it.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// `user@machine`.
    pub operator: String,
    /// The version of Holdfast.
    pub version: String,
}

/// A runbook with everything it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// Its name.
    pub name: String,
    /// It and the runbooks that it includes.
    pub runbooks: Vec<Text>,
    /// The template files.
    pub templates: Vec<Text>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// What it is called in the runbook.
    pub name: String,
    /// Where it was.
    pub path: String,
    /// What it said.
    pub text: String,
}

/// What a plan was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Only steps with one of these tags; all when empty.
    pub tags: Vec<Name>,
    /// Changes that cannot be taken back were accepted in guarded steps.
    pub accept_irreversible: bool,
}

/// A plan file that was read, and what its envelope said.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The plan.
    pub plan: PlanFile,
    /// Its envelope.
    pub header: Header,
}

/// Why a file is no plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The envelope, or what is in it, is not as it was written.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// It is whole, but does not show what it would do.
    #[error("it does not tell of the dry run that made it, so nobody can see what it does")]
    Mute,
    /// It is whole, but holds something that this version does not know.
    #[error("it holds what this version of Holdfast cannot read ({why}){}", made_by(version.as_deref()))]
    Strange {
        /// What, as a clause.
        why: String,
        /// The version that made it, when that can be read.
        version: Option<String>,
    },
}

fn made_by(version: Option<&str>) -> String {
    version.map_or(String::new(), |version| {
        format!("; it was made by Holdfast {version}")
    })
}

impl PlanFile {
    /// The bytes of the file, sealed with the operator's key when there is one.
    ///
    /// # Errors
    /// When something in it is no JSON, which a float that is not a number would not be.
    pub fn to_bytes(&self, key: Option<&Key>) -> Result<Vec<u8>, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        let mut body = ascii(&json);
        body.push('\n');
        Ok(envelope::seal(body.as_bytes(), key))
    }

    /// Reads the bytes of a file: the digest is checked before anything is believed.
    ///
    /// # Errors
    /// When they are no plan, not whole, changed, or of a newer version.
    pub fn open(bytes: &[u8], key: Option<&Key>) -> Result<Opened, PlanFileError> {
        let (header, body) = envelope::open(bytes, key)?;
        match serde_json::from_slice::<Self>(body) {
            Ok(plan) if plan.shows_what_it_does() => Ok(Opened { plan, header }),
            Ok(_) => Err(PlanFileError::Mute),
            Err(error) => Err(PlanFileError::Strange {
                why: error.to_string(),
                version: version(body),
            }),
        }
    }

    /// Whether it tells of its dry run, from its beginning, and of the plan of each of its hosts: what is not told
    /// nobody can look at.
    fn shows_what_it_does(&self) -> bool {
        let first = self.told.first().map(|event| &event.kind);
        matches!(first, Some(EventKind::RunStarted { .. }))
            && self
                .hosts
                .iter()
                .all(|host| self.plan_of(&host.name).is_some())
    }

    /// A host's plan.
    pub fn plan_of(&self, host: &str) -> Option<&HostPlan> {
        self.told.iter().find_map(|event| match &event.kind {
            EventKind::HostPlanned { plan } if plan.host == host => Some(plan),
            _ => None,
        })
    }

    /// A host's facts when the plan was made.
    pub fn facts_of(&self, name: &str) -> Option<&Facts> {
        self.told.iter().find_map(|event| match &event.kind {
            EventKind::HostReached { host, facts, .. } if host == name => Some(facts.as_ref()),
            _ => None,
        })
    }

    /// The hosts that were selected and have no plan, with what was in the way.
    pub fn without_plan(&self) -> Vec<(&str, Option<Fault>)> {
        let ended = self.told.iter().filter_map(|event| match &event.kind {
            EventKind::HostFinished { host, result } => Some((host.as_str(), fault(result))),
            _ => None,
        });
        // Somebody without root sees too little to promise anything.
        let why = |host: &str, fault: Option<Fault>| {
            let unprivileged = self.plan_of(host).is_some_and(|plan| plan.unprivileged);
            fault.or(unprivileged.then_some(Fault::Sudo))
        };
        ended
            .map(|(host, fault)| (host, why(host, fault)))
            .filter(|(host, _)| !self.hosts.iter().any(|saved| saved.name == *host))
            .collect()
    }

    /// The runbook, checked anew by this version.
    ///
    /// # Errors
    /// When this version does not understand it any more.
    pub fn load_runbook(&self, file: &str) -> Result<Runbook, LibraryError> {
        let sources = |texts: &[Text]| -> BTreeMap<String, Source> {
            let named = texts.iter().map(|text| {
                let path = format!("{file} ({})", text.path);
                (text.name.clone(), Source::new(path, text.text.clone()))
            });
            named.collect()
        };
        let templates = Templates::new(sources(&self.runbook.templates));
        load_saved(
            &self.runbook.name,
            &sources(&self.runbook.runbooks),
            templates,
        )
    }
}

fn fault(result: &HostResult) -> Option<Fault> {
    match result {
        HostResult::Stopped { fault, .. } => Some(*fault),
        _ => None,
    }
}

/// The version in a document that cannot be read otherwise.
fn version(body: &[u8]) -> Option<String> {
    let tree: Value = serde_json::from_slice(body).ok()?;
    Some(tree.get("made")?.get("version")?.as_str()?.to_owned())
}

/// The same JSON without a character that a terminal or a mail program could act on.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
            continue;
        }
        // Only texts of JSON hold such characters, and there this is another way to write them.
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a text never fails.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

impl Texts {
    /// Everything that a runbook is made of.
    pub fn of(runbook: &Runbook) -> Self {
        let text = |name: &str, source: &Source| Text {
            name: name.to_owned(),
            path: source.path().display().to_string(),
            text: source.text().to_owned(),
        };
        let mut runbooks: Vec<Text> = Vec::new();
        for one in runbook.all() {
            if !runbooks.iter().any(|known| known.name == one.name.as_str()) {
                runbooks.push(text(one.name.as_str(), &one.source));
            }
        }
        let names = runbook.templates.names();
        let templates = names.filter_map(|name| Some(text(name, runbook.templates.get(name)?)));
        Self {
            name: runbook.name.to_string(),
            runbooks,
            templates: templates.collect(),
        }
    }
}
