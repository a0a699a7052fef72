//! The kind `ufw_rules`: the set of firewall rules that let some sources reach some ports.
//!
//! The set is known by a tag, which stands in the comment of each rule: `holdfast:RUNBOOK:TAG`.
//! Rules with that tag that are not asked for go, missing ones come, everything else stays as it is,
//! byte for byte, and is told when it makes the goal untrue.
//!
//! ```yaml
//! ufw_rules:
//!   tag: cf
//!   allow: tcp
//!   ports: "{{ inputs.ports }}"
//!   from: "{{ data.cloudflare.ipv4 + data.cloudflare.ipv6 + inputs.extra }}"
//! ```
//!
//! From the facts it also knows who we are and where sshd listens: it refuses to touch a firewall
//! that would not let us in again.
//!
//! Read in this order: `tuple` (one rule), `rules_file`, `turnover` (what comes and goes), `judge`
//! (what speaks against it), `act` (how it is done), `report` (what else a person should know).

use std::fmt::Display;
use std::str::FromStr;

use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{Name, Port};
use crate::yaml::Node;

use super::{Fields, Kind, Resource, StepFrame, check_constant};

pub mod address;
pub mod ports;
pub mod comment;
pub mod tuple;
pub mod tuple_line;
pub mod expansion;
pub mod rules_file;
pub mod oddity;
pub mod simulate;
pub mod iptables_rule;
pub mod kernel;
pub mod wanted;
pub mod turnover;
pub mod exposure;
pub mod state;
pub mod look;
pub mod around;
pub mod act;
pub mod report;
pub mod obstacle;
mod judge;
#[cfg(test)]
mod testing;

use exposure::SshAccess;
use look::Look;
use ports::{PortRange, Ports};
use tuple::Protocol;
use wanted::{Source, Wanted};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "ufw_rules",
    help: "Lets a list of networks reach ports, as a set of ufw rules with a tag.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a set of ufw rules",
    fields: &[
        Field::required(
            "tag",
            Ty::Text,
            "The name of the set; part of the comment of its rules.",
        ),
        Field::required("allow", Ty::Word(&["tcp", "udp", "any"]), "The protocol."),
        Field::required(
            "ports",
            Ty::Texts,
            "Ports or ranges (6000:6007); at most fifteen.",
        ),
        Field::required(
            "from",
            Ty::Texts,
            "The networks that may come in, or `any`.",
        ),
        Field::optional(
            "backend",
            Ty::Word(&["auto", "batch", "cli"]),
            "Replace ufw's files in one go (batch), or use its commands (cli). Default auto: \
             batch where the files allow it.",
        ),
        Field::optional(
            "keep_ssh",
            Ty::Bool,
            "Refuse to touch a firewall that has no rule for our own SSH logins. Default true; \
             false where something else than ufw admits them.",
        ),
    ],
    shorthand: None,
};

/// A set of rules on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UfwRules {
    /// The rules.
    pub wanted: Wanted,
    /// How they get there.
    pub backend: Backend,
    /// Our own way in. `None` for a local connection.
    pub access: Option<SshAccess>,
    /// Whether a rule must admit us.
    pub keep_ssh: bool,
}

/// How rules get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Batch where the files allow it, else commands.
    Auto,
    /// The files, replaced in one go.
    Batch,
    /// ufw's commands.
    Cli,
}

impl Resource for UfwRules {
    fn subject(&self) -> String {
        format!("ufw rules {}", self.wanted.tag)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![
            look::files_probe(),
            look::kernel_probe(),
            look::around_probe(),
        ]
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        Ok(match Look::parse(seen, known)? {
            Some(look) => judge::judge(self, &look),
            None => Diff::blocked(
                "ufw is not installed",
                "put a step with `package: ufw` before this one",
            ),
        })
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Name>(&SHAPE, node, "tag", out);
    check_constant::<PortRange>(&SHAPE, node, "ports", out);
    check_constant::<Source>(&SHAPE, node, "from", out);
}

fn render(
    node: &Node,
    scope: &Scope,
    frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let backend = match fields.text("backend").as_deref() {
        Some("batch") => Backend::Batch,
        Some("cli") => Backend::Cli,
        Some(_) | None => Backend::Auto,
    };
    let keep_ssh = fields.value("keep_ssh").unwrap_or(true);
    let wanted = wanted(&mut fields, frame.runbook);
    let rules = wanted.map(|wanted| UfwRules {
        wanted,
        backend,
        access: access(scope),
        keep_ssh,
    });
    fields.finish(rules)
}

fn wanted(fields: &mut Fields<'_>, runbook: &str) -> Option<Wanted> {
    let tag: Option<Name> = fields.value("tag");
    let protocol = fields
        .text("allow")
        .and_then(|word| Protocol::from_word(word.trim()));
    let ports = list::<PortRange>(fields, "ports", "it must name at least one port");
    let ports = ports.map(Ports::sorted).and_then(|ports| {
        let place = fields.place("ports").clone();
        fields.keep(ports.map_err(|error| Diagnostic::error(error.to_string()).at(&place)))
    });
    // An empty list would close the ports for everybody: never by a look-up that failed.
    let sources = list::<Source>(fields, "from", "that would close the ports for everybody");
    Some(Wanted {
        tag: format!("holdfast:{runbook}:{}", tag?),
        protocol: protocol?,
        ports: ports?,
        sources: Source::networks(&sources?),
    })
}

/// The values of a list that must not be empty.
pub(super) fn list<T>(fields: &mut Fields<'_>, key: &str, why_not_empty: &str) -> Option<Vec<T>>
where
    T: FromStr,
    T::Err: Display,
{
    let items = fields.items(key)?;
    if items.is_empty() {
        let empty = Diagnostic::error(format!("the list `{key}` is empty"));
        fields.wrong(key, empty.hint(why_not_empty));
        return None;
    }
    let parsed = items.iter().map(|item| {
        let wrong = |error: T::Err| format!("`{}` is not valid: {error}", item.text.trim());
        let parsed = item.text.trim().parse();
        fields.keep(parsed.map_err(|error| Diagnostic::error(wrong(error)).at(&item.place)))
    });
    parsed.collect::<Vec<Option<T>>>().into_iter().collect()
}

/// Who we are and where sshd listens, by the facts; `None` when they do not say.
pub(super) fn access(scope: &Scope) -> Option<SshAccess> {
    let from = scope.text(&Text::fixed("{{ facts.controller_ip }}")).ok()?;
    let ports = scope.list(&[Text::fixed("{{ facts.sshd.ports }}")]).ok()?;
    let ports: Vec<Port> = ports
        .iter()
        .filter_map(|port| port.text.parse().ok())
        .collect();
    Some(SshAccess {
        from: from.parse().ok()?,
        ports,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Source as File;
    use crate::template::Templates;
    use crate::yaml;

    fn rendered(text: &str) -> Result<Box<dyn Resource>, Diagnostics> {
        let values = json!({
            "ports": [8443, 443],
            "v4": ["173.245.48.0/20"],
            "v6": ["2400:cb00::/32"],
            "nobody": [],
            "facts": {"controller_ip": "10.77.0.1", "sshd": {"ports": [22]}},
        });
        let node = yaml::parse(&File::new("t", text)).unwrap();
        let frame = StepFrame {
            runbook: "ufw-cf-refresh",
            reload_on: &[],
        };
        render(&node, &Scope::new(&values, Templates::default()), &frame)
    }

    fn said(text: &str) -> Vec<String> {
        let said = rendered(text).unwrap_err();
        said.iter()
            .map(|diagnostic| diagnostic.message.clone())
            .collect()
    }

    #[test]
    fn lists_come_from_expressions_and_ports_are_sorted() {
        let rules = rendered(
            "tag: cf\nallow: tcp\nports: '{{ ports }}'\nfrom: ['{{ v4 + v6 }}', 192.0.2.7, 192.0.2.7/32]",
        );
        let text = format!("{:?}", rules.unwrap());
        let wanted = Wanted {
            tag: "holdfast:ufw-cf-refresh:cf".to_owned(),
            protocol: Protocol::Tcp,
            ports: "443,8443".parse().unwrap(),
            sources: ["173.245.48.0/20", "2400:cb00::/32", "192.0.2.7/32"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
        };
        let rules = UfwRules {
            wanted,
            backend: Backend::Auto,
            access: Some(SshAccess {
                from: "10.77.0.1".parse().unwrap(),
                ports: vec!["22".parse().unwrap()],
            }),
            keep_ssh: true,
        };
        assert_eq!(text, format!("{rules:?}"));
        assert_eq!(rules.subject(), "ufw rules holdfast:ufw-cf-refresh:cf");
    }

    #[test]
    fn an_empty_list_of_networks_closes_nothing_by_accident() {
        let said = said("tag: cf\nallow: tcp\nports: 443\nfrom: '{{ nobody }}'");
        assert_eq!(said, ["the list `from` is empty"]);
    }

    #[test]
    fn every_mistake_is_said() {
        let said =
            said("tag: a b\nallow: tcp\nports: [443, 70000]\nfrom: [10.0.0.1/8, 10.0.0.0/8]");
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[2].contains("host bits are set; the network is 10.0.0.0/8"));
    }

    #[test]
    fn constants_are_checked_without_a_host() {
        let text = "tag: 9\nallow: tcp\nports: [ssh, 443]\nfrom: [any, 0.0.0.0]";
        let mut out = Diagnostics::new();
        check(&yaml::parse(&File::new("t", text)).unwrap(), &mut out);
        assert_eq!(out.iter().count(), 2);
    }
}
