//! A host of a saved plan: what its steps were made from, and what it answered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Place, Source};
use crate::inventory::{self, Connection, Host, Inventory};
use crate::probe::{Answer, Answers, Probe};
use crate::runbook::{Inputs, Runbook};
use crate::value::{Name, ValueError};

/// A host with a plan. The plan itself is among the events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedHost {
    /// Its name in the inventory.
    pub name: String,
    /// The values of the runbook's inputs.
    pub inputs: Inputs,
    /// Values for the inputs of included runbooks, by runbook.
    pub included: BTreeMap<String, BTreeMap<String, Value>>,
    /// Its groups.
    pub groups: BTreeSet<Name>,
    /// Its tags.
    pub tags: BTreeSet<Name>,
    /// Its variables.
    pub vars: Map<String, Value>,
    /// What it answered to the questions of its steps.
    pub answers: Vec<Answered>,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The question.
    pub probe: Probe,
    /// The answer.
    pub answer: Answer,
}

impl SavedHost {
    /// A host with what its steps are made from.
    pub fn of(host: &Host, inputs: &Inputs, runbook: &Runbook, answers: &Answers) -> Self {
        let included = runbook.all().into_iter().skip(1).filter_map(|inner| {
            let values = host.inputs.get(inner.name.as_str())?;
            let values = values
                .iter()
                .map(|(name, (value, _))| (name.clone(), value.clone()));
            Some((inner.name.to_string(), values.collect()))
        });
        let answers = answers.iter().map(|(probe, answer)| Answered {
            probe: probe.clone(),
            answer: answer.clone(),
        });
        Self {
            name: host.name.to_string(),
            inputs: inputs.clone(),
            included: included.collect(),
            groups: host.groups.clone(),
            tags: host.tags.clone(),
            vars: host.vars.clone(),
            answers: answers.collect(),
        }
    }

    /// What it answered.
    pub fn answers(&self) -> Answers {
        let answers = self.answers.iter();
        answers
            .map(|one| (one.probe.clone(), one.answer.clone()))
            .collect()
    }

    /// The host without a way to it, which is not in the plan: its address is its name.
    ///
    /// # Errors
    /// When its name is none.
    pub fn unreached(&self, file: &str) -> Result<Host, ValueError> {
        let place = place(file);
        Ok(Host {
            name: self.name.parse()?,
            address: self.name.parse()?,
            port: None,
            user: None,
            connection: Connection::Ssh,
            groups: self.groups.clone(),
            tags: self.tags.clone(),
            vars: self.vars.clone(),
            inputs: self.included(&place),
            key_name: None,
            place,
            again: None,
        })
    }

    /// The host as the inventory has it now, with what its plan was made from.
    ///
    /// # Errors
    /// When the inventory does not have it.
    pub fn in_inventory(&self, inventory: &Inventory, file: &str) -> Result<Host, Diagnostic> {
        let Some(now) = inventory.host(&self.name) else {
            let message = format!("{} has a plan but is no longer in the inventory", self.name);
            let hint = "put it back, or name the others with --limit";
            return Err(Diagnostic::error(message).hint(hint));
        };
        Ok(Host {
            groups: self.groups.clone(),
            tags: self.tags.clone(),
            vars: self.vars.clone(),
            inputs: self.included(&place(file)),
            ..now.clone()
        })
    }

    /// Values for the inputs of included runbooks, as an inventory has them.
    fn included(&self, place: &Place) -> inventory::Inputs {
        let included = self.included.iter().map(|(runbook, values)| {
            let values = values
                .iter()
                .map(|(name, value)| (name.clone(), (value.clone(), place.clone())));
            (runbook.clone(), values.collect())
        });
        included.collect()
    }
}

/// Whatever is in a plan is from its one line.
fn place(file: &str) -> Place {
    Place {
        source: Source::new(file, ""),
        line: 1,
        column: 1,
        width: 1,
    }
}
