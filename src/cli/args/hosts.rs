//! Which hosts, where they and the runbooks come from, and values for inputs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Source};
use crate::yaml;

/// Which hosts of the inventory.
#[derive(Debug, Args)]
pub(in crate::cli) struct Limit {
    /// Only these hosts: names, globs, groups, tags, `!exclusions`, separated by commas
    #[arg(
        short = 'l',
        long = "limit",
        visible_alias = "host",
        id = "limit",
        env = "HOLDFAST_LIMIT",
        value_name = "HOSTS",
        allow_hyphen_values = false
    )]
    pub(in crate::cli) hosts: Vec<String>,
}

/// Where hosts come from.
#[derive(Debug, Args)]
pub(in crate::cli) struct Inventory {
    /// The inventory: a file, an executable, or a folder of them
    #[arg(
        short = 'i',
        long = "inventory",
        id = "inventory",
        env = "HOLDFAST_INVENTORY",
        default_value = "inventory",
        value_name = "PATH"
    )]
    pub(in crate::cli) path: PathBuf,
}

/// Where runbooks come from.
#[derive(Debug, Args)]
pub(in crate::cli) struct Runbooks {
    /// The folder with your own runbooks; they win over shipped ones of the same name
    #[arg(
        long = "runbooks",
        id = "runbooks",
        env = "HOLDFAST_RUNBOOKS",
        default_value = "runbooks",
        value_name = "FOLDER"
    )]
    pub(in crate::cli) folder: PathBuf,
}

/// The hosts of a verb that is about no runbook.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts")]
pub(in crate::cli) struct Hosts {
    #[command(flatten)]
    pub(in crate::cli) limit: Limit,
    #[command(flatten)]
    pub(in crate::cli) inventory: Inventory,
}

/// Where runbooks and hosts come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(in crate::cli) struct Files {
    #[command(flatten)]
    pub(in crate::cli) inventory: Inventory,
    #[command(flatten)]
    pub(in crate::cli) runbooks: Runbooks,
}

/// Values for the inputs of a runbook.
#[derive(Debug, Args)]
pub(in crate::cli) struct Inputs {
    /// A value for an input: `name=value`, or `@file.yaml` with several
    #[arg(
        short = 'e',
        long = "input",
        id = "inputs",
        env = "HOLDFAST_INPUT",
        value_name = "NAME=VALUE"
    )]
    given: Vec<String>,
}

impl Inputs {
    /// Reads them: later ones win.
    ///
    /// # Errors
    /// When one is neither `name=value` nor a readable file of a mapping.
    pub(in crate::cli) fn values(&self) -> Result<BTreeMap<String, Value>, Diagnostic> {
        let mut values = BTreeMap::new();
        for one in &self.given {
            if let Some(path) = one.strip_prefix('@') {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Diagnostic::error(format!("cannot read the inputs in {path}: {error}"))
                })?;
                let node = yaml::parse(&Source::new(path, text))?;
                let Value::Object(map) = node.to_value() else {
                    return Err(
                        Diagnostic::error(format!("{path} must be a mapping of inputs"))
                            .at(&node.place),
                    );
                };
                values.extend(map);
                continue;
            }
            match one.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    values.insert(name.to_owned(), Value::from(value));
                }
                Some(_) | None => {
                    let message = format!("`{one}` must be NAME=VALUE or @FILE");
                    return Err(Diagnostic::error(message).hint("for example -e ports=443,8443"));
                }
            }
        }
        Ok(values)
    }
}

/// Which hosts, and with what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hosts and inputs")]
pub(in crate::cli) struct Selection {
    #[command(flatten)]
    pub(in crate::cli) limit: Limit,
    #[command(flatten)]
    pub(in crate::cli) inputs: Inputs,
}
