//! The kind `known_hosts`: the keys of this host that the operator trusts already are trusted on
//! another of its ports, too. `ssh` calls a host on another port than 22 by another name, so without
//! this its first connection there would ask, or refuse.
//!
//! ```yaml
//! known_hosts: { port: 2222 }
//! ```
//!
//! Nothing is fetched from the host and nobody is asked: the lines are copied under the other name,
//! on this machine (`src/here` answers `here_known_hosts PORT`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Call, Change, Diff, Known, Note, Shown, Undo, Verdict};
use crate::diagnostic::Diagnostics;
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::Port;
use crate::yaml::Node;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "known_hosts",
    help: "Trusted keys of the host, on this machine, also trusted for another of its ports.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "trusted keys",
    fields: &[Field::required(
        "port",
        Ty::Text,
        "The other port of the host's SSH server.",
    )],
    shorthand: None,
};

/// The keys of one host on one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    port: Port,
}

impl KnownHosts {
    fn probe(&self) -> Probe {
        Probe::new("here_known_hosts", [self.port.to_string()])
    }
}

impl Resource for KnownHosts {
    fn subject(&self) -> String {
        format!("trusted keys for port {} on this machine", self.port)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn diff(&self, seen: &Answers, _known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        let name = lines.get("name");
        let warned =
            |why: &str, note: String| Ok(not_applicable(why).with_notes(vec![Note::warning(note)]));
        if lines.get("way") == "local" {
            return Ok(not_applicable("this machine is reached without SSH"));
        }
        if !lines.get("cannot").is_empty() {
            return Err(lines.unreadable(lines.get("cannot")));
        }
        if !lines.get("alias").is_empty() {
            // HostKeyAlias is the name on every port.
            return Ok(Diff::compliant());
        }
        let needed: Vec<&str> = lines.all("need").collect();
        if needed.is_empty() {
            return match lines.get("known") {
                "yes" => Ok(Diff::compliant()),
                _ => warned(
                    "no file has a key of it",
                    format!("ssh trusts the host without a line for it; {name} may need one"),
                ),
            };
        }
        match lines.get("file") {
            "" => warned(
                "ssh is told to keep no file of trusted keys",
                format!("the keys of the host must be trusted as {name} by hand"),
            ),
            file => Ok(Diff::of(vec![
                trust(file, lines.get("hashed") == "yes", &needed).expecting(self.probes()),
            ])),
        }
    }
}

fn not_applicable(why: &str) -> Diff {
    Diff {
        verdict: Verdict::NotApplicable {
            why: why.to_owned(),
        },
        notes: Vec::new(),
    }
}

fn trust(file: &str, hashed: bool, needed: &[&str]) -> Change {
    let text = format!("{}\n", needed.join("\n"));
    let names = if hashed { "hashed" } else { "plain" };
    let act = Call::new("here_trust", [file, names]).with_input(text.as_str());
    let undo = Call::new("here_distrust", [file]).with_input(text.as_str());
    let shown = Shown::Lines {
        what: "trusted keys on this machine".to_owned(),
        removed: Vec::new(),
        added: needed.iter().map(|line| fingerprinted(line)).collect(),
    };
    let summary = format!("add the trusted keys under the host's other name to {file}");
    Change::new(summary, vec![shown], act, Undo::Call(undo))
}

/// The line with the key's fingerprint, as `ssh-keygen -l` prints it, instead of the key.
fn fingerprinted(line: &str) -> String {
    let (rest, key) = line.rsplit_once(' ').unwrap_or(("", line));
    match STANDARD.decode(key) {
        Ok(bytes) => {
            let print = STANDARD_NO_PAD.encode(Sha256::digest(bytes));
            format!("{rest} SHA256:{print}")
        }
        Err(_) => line.to_owned(),
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Port>(&SHAPE, node, "port", out);
}

fn render(
    node: &Node,
    scope: &Scope,
    _frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let port = fields.value("port");
    fields.finish(port.map(|port| KnownHosts { port }))
}
