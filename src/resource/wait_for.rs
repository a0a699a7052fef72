//! The kind `wait_for`: goes on once something is so on the host: a port answers, a file is there, a command
//! succeeds.
//!
//! ```yaml
//! wait_for: { port: 443, timeout: 30s }
//! wait_for: { file: /run/app/ready }
//! wait_for: { command: [systemctl, is-active, app] }
//! ```
//!
//! What is so already needs no waiting. Otherwise it is looked at anew in its step, and again and again until
//! it is so or the time is over. It changes nothing. Never for the port of sshd: `guard: { port: … }` proves that
//! by a real login, and empty connections there count against us.

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Call, Change, Diff, Known, Shown, Undo};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text, shell_quoted};
use crate::value::{AbsolutePath, Address, Duration, Port};
use crate::yaml::Node;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "wait_for",
    help: "Waits until a port answers, a file is there, or a command succeeds.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "something to wait for",
    fields: &[
        Field::optional(
            "port",
            Ty::Int(1, 65535),
            "A TCP port that takes connections from the host itself. Never sshd's.",
        ),
        Field::optional(
            "address",
            Ty::Text,
            "Where that port is; 127.0.0.1 when not said.",
        ),
        Field::optional("file", Ty::Text, "A path at which something is."),
        Field::optional(
            "command",
            Ty::Argv,
            "A program that only reads and succeeds; a dry run asks it, too.",
        ),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long to wait; 60s when not said, at most 1h. Below the `timeout` of the step.",
        ),
        Field::optional(
            "every",
            Ty::Duration,
            "How long to rest between two looks; 2s when not said.",
        ),
    ],
    shorthand: None,
};

const KINDS: [&str; 3] = ["port", "file", "command"];

/// Something to wait for on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitFor {
    what: What,
    timeout: Duration,
    every: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Port { address: Address, port: Port },
    File(AbsolutePath),
    Command(Vec<String>),
}

impl What {
    fn probe(&self) -> Probe {
        match self {
            What::Port { address, port } => {
                Probe::new("hf_wait_port", [address.to_string(), port.to_string()])
            }
            What::File(path) => Probe::new("hf_exists", [path.as_str()]),
            What::Command(argv) => Probe::new("hf_guard", argv.iter().cloned()),
        }
    }

    fn words(&self) -> Vec<String> {
        match self {
            What::Port { address, port } => {
                vec!["port".to_owned(), address.to_string(), port.to_string()]
            }
            What::File(path) => vec!["file".to_owned(), path.to_string()],
            What::Command(argv) => {
                let words = ["command".to_owned()].into_iter();
                words.chain(argv.iter().cloned()).collect()
            }
        }
    }

    /// As a clause, and as a property with what it is now and then.
    fn describe(&self) -> (String, [&'static str; 2]) {
        match self {
            What::Port { address, port } => {
                (format!("port {port} of {address}"), ["closed", "open"])
            }
            What::File(path) => (path.to_string(), ["not there", "there"]),
            What::Command(argv) => {
                let words: Vec<String> = argv.iter().map(|word| shell_quoted(word)).collect();
                let line: String = words
                    .join(" ")
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(100)
                    .collect();
                (format!("`{line}`"), ["fails", "succeeds"])
            }
        }
    }
}

impl Resource for WaitFor {
    fn subject(&self) -> String {
        self.what.describe().0
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.what.probe()]
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.what.probe();
        let lines = Lines::of(seen, &probe)?;
        let is_so = match &self.what {
            What::Command(_) => seen.get(&probe)?.status == 0,
            What::File(_) => lines.is("exists"),
            What::Port { .. } if lines.get("ready") == "cannot" => {
                return Ok(Diff::blocked(
                    "there is neither bash nor nc on the host to try a port with",
                    "wait for a file or a command instead",
                ));
            }
            What::Port { .. } => lines.is("ready"),
        };
        if is_so {
            return Ok(Diff::compliant());
        }
        Ok(Diff::of(vec![self.change()]).after(known.any_package()))
    }

    fn runs_things(&self) -> bool {
        true
    }
}

impl WaitFor {
    /// Without a precondition: it is looked at anew when its turn comes, and may be so by then.
    fn change(&self) -> Change {
        let (subject, [before, after]) = self.what.describe();
        let [limit, every] = [self.timeout, self.every].map(|span| span.get().as_secs());
        let shown = Shown::Property {
            name: subject.clone(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let words = [limit.to_string(), every.max(1).to_string()];
        let act = Call::new("hf_wait_for", words.into_iter().chain(self.what.words()));
        let undo = Undo::Call(Call::new::<String>("hf_undo_wait", []));
        let summary = format!("wait until {subject} is {after} (at most {limit} s)");
        Change::new(
            summary.replace("is succeeds", "succeeds"),
            vec![shown],
            act,
            undo,
        )
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Address>(&SHAPE, node, "address", out);
    check_constant::<AbsolutePath>(&SHAPE, node, "file", out);
    let named = KINDS
        .iter()
        .filter(|key| SHAPE.get(node, key).is_some())
        .count();
    if named != 1 {
        let error =
            Diagnostic::error("a step waits for one thing: a `port`, a `file` or a `command`");
        out.push(error.at(&node.place));
    }
    if let (Some(address), None) = (SHAPE.get(node, "address"), SHAPE.get(node, "port")) {
        out.push(Diagnostic::error("`address` goes with `port`").at(&address.place));
    }
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let timeout = fields.value("timeout").unwrap_or(Duration::seconds(60));
    let every = fields.value("every").unwrap_or(Duration::seconds(2));
    if timeout > Duration::seconds(3600) {
        fields.wrong(
            "timeout",
            Diagnostic::error("nobody waits longer than an hour"),
        );
    }
    let port = fields.value::<Port>("port");
    if let Some(port) = port.filter(|port| is_ssh(*port, scope)) {
        let error = Diagnostic::error(format!(
            "port {port} is sshd's: it is not to be tried without a login"
        ));
        fields.wrong(
            "port",
            error.hint("`guard: { port: … }` proves it by a real login"),
        );
    }
    let local = "127.0.0.1".parse::<Address>().ok();
    let address = fields.value("address").or(local);
    let file = fields.value("file").map(What::File);
    let command = fields
        .items("command")
        .map(|words| words.into_iter().map(|word| word.text).collect::<Vec<_>>());
    if command.as_ref().is_some_and(Vec::is_empty) {
        fields.wrong("command", Diagnostic::error("`command` is empty"));
    }
    let port = port
        .zip(address)
        .map(|(port, address)| What::Port { address, port });
    let what = port.or(file).or(command.map(What::Command));
    fields.finish(what.map(|what| WaitFor {
        what,
        timeout,
        every,
    }))
}

fn is_ssh(port: Port, scope: &Scope) -> bool {
    let ports = scope
        .list(&[Text::fixed("{{ facts.sshd.ports }}")])
        .unwrap_or_default();
    port.get() == 22
        || ports
            .iter()
            .any(|text| text.text.trim() == port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes;

    fn said(text: &str) -> Vec<String> {
        mistakes(
            &KIND,
            text,
            &serde_json::json!({"facts": {"sshd": {"ports": [2222]}}}),
        )
    }

    #[test]
    fn a_step_waits_for_one_thing() {
        assert!(said("{port: 443, address: '::1'}").is_empty());
        assert!(said("{file: /run/x, timeout: 5s, every: 1s}").is_empty());
        assert!(said("{command: [true]}").is_empty());
        for bad in [
            "{timeout: 5s}",
            "{port: 443, file: /x}",
            "{file: /x, address: ::1}",
            "{file: x}",
            "{port: 443, timeout: 2h}",
            "{command: []}",
            "{port: 443, address: '-x'}",
        ] {
            assert!(!said(bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn the_ports_of_sshd_are_not_for_it() {
        assert!(said("{port: 2222}")[0].contains("sshd's"));
        assert!(said("{port: 22, address: 10.0.0.1}")[0].contains("sshd's"));
    }
}
