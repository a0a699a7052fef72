//! Which hosts there are, how each is reached, and what each is given.
//!
//! An inventory is a file or a folder of files: YAML, or programs that print the same structure (or
//! Ansible's) as JSON. What a host says itself wins over its groups, a group over the groups that
//! contain it, and all of them over `all:`. Values are replaced as a whole, never merged into each
//! other; tags add up. Two groups, neither inside the other, that give one host different values
//! are told as a warning: the alphabetical order that then decides is nobody's intention.
//!
//! In the order of the flow: `load` finds the files, `script` and `ansible` turn what a program
//! prints into one, `file` and `settings` read one, `merge` joins them, `groups` and `resolve` find
//! out what holds for a host, `select` is `--limit`. `edit` changes a port in the text of a file.

mod ansible;
mod edit;
mod file;
mod groups;
mod load;
mod merge;
mod resolve;
mod script;
mod select;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Diagnostics, Place, Source};
use crate::value::{Address, HostName, Name, Port, UserName};

pub use edit::{Hunk, own_port, replaced, with_port};
pub use file::{ALL, FILE, GROUP, HOST};
pub use load::load;
pub use select::select;

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// By OpenSSH, with all that `~/.ssh/config` says.
    Ssh,
    /// It is this machine: a shell is started here.
    Local,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Connection::Ssh => "ssh",
            Connection::Local => "local",
        })
    }
}

/// Values for the inputs of runbooks: runbook, then input, then the value and where it stands.
///
/// The runbook's loader checks their types, because only it knows them.
pub type Inputs = BTreeMap<String, BTreeMap<String, (Value, Place)>>;

/// One host with everything that its groups and `all:` say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name: what it is called on the screen and in `--limit`.
    pub name: HostName,
    /// What `ssh` connects to; the name when nothing else is said.
    pub address: Address,
    /// Only when the inventory says one: otherwise `~/.ssh/config` decides.
    pub port: Option<Port>,
    /// Only when the inventory says one: otherwise `~/.ssh/config` decides.
    pub user: Option<UserName>,
    /// How it is reached.
    pub connection: Connection,
    /// Every group it is in, the groups that contain those included.
    pub groups: BTreeSet<Name>,
    /// Its own tags and those of its groups.
    pub tags: BTreeSet<Name>,
    /// `vars` of templates.
    pub vars: serde_json::Map<String, Value>,
    /// Values for the inputs of runbooks.
    pub inputs: Inputs,
    /// The name under which its host key is trusted, when a run found it on another port than the one
    /// written here; otherwise `ssh` decides.
    pub key_name: Option<String>,
    /// Where it is defined.
    pub place: Place,
    /// Where the same definition stands once more: what is edited here must be edited there too.
    pub again: Option<Place>,
}

/// All hosts, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    hosts: Vec<Host>,
    groups: BTreeSet<Name>,
    warnings: Diagnostics,
}

impl Inventory {
    /// The inventory of somebody who has none: this machine.
    ///
    /// # Panics
    /// Never: the file is embedded, and a test reads it.
    pub fn shipped() -> Self {
        let source = Source::new(
            "inventory/hosts.yaml (embedded)",
            include_str!("../../inventory/hosts.yaml"),
        );
        load::read(vec![source], Diagnostics::new()).expect("the embedded inventory is valid")
    }

    /// The hosts, in the order of the files.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name.as_str() == name)
    }

    /// The names of all groups, those without hosts included.
    pub fn groups(&self) -> impl Iterator<Item = &Name> {
        self.groups.iter()
    }

    /// Every tag that some host has.
    pub fn tags(&self) -> BTreeSet<&Name> {
        self.hosts.iter().flat_map(|host| &host.tags).collect()
    }

    /// What does not stop a run, but probably is not meant as it is written.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_inventory_is_this_machine_without_ssh() {
        let inventory = Inventory::shipped();
        assert!(inventory.warnings().is_empty(), "{}", inventory.warnings());
        let [host] = inventory.hosts() else {
            panic!("{:?}", inventory.hosts());
        };
        assert_eq!(host.name.as_str(), "localhost");
        assert_eq!(host.connection, Connection::Local);
    }

    #[test]
    fn the_examples_in_the_shipped_file_are_valid_once_uncommented() {
        let shipped = include_str!("../../inventory/hosts.yaml");
        let (head, body) = shipped.split_once("hosts:\n").unwrap();
        assert!(
            head.lines()
                .all(|line| line.is_empty() || line.starts_with('#'))
        );
        let uncommented = |line: &str| match line.trim_start().strip_prefix('#') {
            Some("") => "\n".to_owned(),
            Some(_) => line.replacen("# ", "", 1) + "\n",
            None => line.to_owned() + "\n",
        };
        let body: String = body.lines().map(uncommented).collect();
        let source = Source::new("hosts.yaml", format!("hosts:\n{body}"));
        let inventory = load::read(vec![source], Diagnostics::new()).unwrap();
        assert!(inventory.warnings().is_empty(), "{}", inventory.warnings());
        assert_eq!(inventory.hosts().len(), 3);
        let web = inventory.host("web-2").unwrap();
        assert_eq!(web.user.as_ref().unwrap().as_str(), "admin");
        assert_eq!(
            web.inputs["ufw-cf-refresh"]["ports"].0.to_string(),
            "[443,8443]"
        );
    }
}
