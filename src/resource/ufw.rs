//! The kind `ufw`: the firewall as a whole, single rules, and the rules of a port that moves.
//!
//! ```yaml
//! ufw: { enabled: true, incoming: deny, outgoing: allow, routed: deny, logging: low }
//! ufw: { rules: [ { tag: ssh, action: limit, ports: 22, protocol: tcp, from: [203.0.113.0/24] } ] }
//! ufw: { mirror: { from: 22, to: 2222 } }
//! ufw: { close: 22, kept: 2222 }
//! ```
//!
//! The *firewall as a whole* is switched on, off, or given other policies; what counts is the kernel,
//! never what ufw says of itself. It is switched on only with a rule that lets us in again.
//!
//! *Rules* are known by a tag in their comment, as those of `ufw_rules` are; the same tag holds them
//! all, and rules of ours that are no longer asked for go. *Mirror* gives one port the rules that
//! another has: each rule of anybody that decides about the one gets its like right behind it. *Close*
//! is the way back: our rules of the old port go, and those rules of others whose like for the kept
//! port is there.
//!
//! Rules go the way of `ufw_rules`: both files replaced and loaded in one transaction.

use crate::change::{Diff, Known, Verdict};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::Port;
use crate::yaml::Node;

use super::ufw_rules::access;
use super::ufw_rules::exposure::SshAccess;
use super::ufw_rules::look::{self, Look};
use super::{Fields, Kind, Resource, StepFrame, check_constant};

mod policy;
mod surroundings;
mod closing;
mod safety;
mod settings;
mod switch;
mod rule;
mod mirror;
mod close;
mod listener;
mod reach;
mod edit;
mod judge;

use edit::Edit;
use policy::{Level, Policy};
use settings::{Firewall, Settings};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "ufw",
    help: "Single firewall rules of ufw, and the rules of a port that moves.",
    shape: &SHAPE,
    guarded: true,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a ufw firewall",
    fields: &[
        Field::optional(
            "enabled",
            Ty::Bool,
            "Whether ufw is on, now and after a reboot.",
        ),
        Field::optional(
            "incoming",
            Ty::Word(&Policy::WORDS),
            "What becomes of packets to this host that no rule names.",
        ),
        Field::optional(
            "outgoing",
            Ty::Word(&Policy::WORDS),
            "The same for packets from this host.",
        ),
        Field::optional(
            "routed",
            Ty::Word(&Policy::WORDS),
            "The same for packets that are passed on.",
        ),
        Field::optional("logging", Ty::Word(&Level::WORDS), "What is logged."),
        Field::optional(
            "beside_containers",
            Ty::Bool,
            "Switch on although Docker or Kubernetes runs there: the rules they need are in place.",
        ),
        Field::optional(
            "rules",
            Ty::Many(&rule::SHAPE),
            "Rules by tag. Rules of ours with these tags that are not listed go.",
        ),
        Field::optional(
            "absent",
            Ty::Bool,
            "Take away all rules of ours with the tags of `rules`.",
        ),
        Field::optional(
            "mirror",
            Ty::One(&MIRROR),
            "Give one TCP port the rules that another has, whoever made those.",
        ),
        Field::optional(
            "close",
            Ty::Text,
            "A TCP port whose rules go: ours, and those of others that `mirror` copied.",
        ),
        Field::optional(
            "kept",
            Ty::Text,
            "With `close`: the port that takes its place and must stay open.",
        ),
    ],
    shorthand: None,
};

const MIRROR: Shape = Shape {
    name: "a mirrored port",
    fields: &[
        Field::required("from", Ty::Text, "The port whose rules are copied."),
        Field::required("to", Ty::Text, "The port that gets them."),
    ],
    shorthand: None,
};

/// The keys of which a step has one, when it has none of the firewall's settings.
const FORMS: [&str; 3] = ["rules", "mirror", "close"];

/// What a step asks of the firewall of one host.
#[derive(Debug, Clone)]
struct Ufw {
    edit: Edit,
    /// Our own way in. `None` for a local connection.
    access: Option<SshAccess>,
}

impl Resource for Ufw {
    fn subject(&self) -> String {
        self.edit.subject()
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![
            look::files_probe(),
            look::kernel_probe(),
            look::around_probe(),
        ];
        probes.extend(self.edit.listener_probe());
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let Some(mut look) = Look::parse(seen, known)? else {
            return Ok(self.without_ufw());
        };
        if let Some(probe) = self.edit.listener_probe() {
            match listener::judge(&probe, seen, known)? {
                listener::Freed::Now => {}
                listener::Freed::After(step) => look.after = look.after.max(Some(step)),
                listener::Freed::Never(why) => return Ok(self.still_used(&look, &why)),
            }
        }
        Ok(judge::judge(self, &look))
    }
}

impl Ufw {
    fn without_ufw(&self) -> Diff {
        match self.edit {
            Edit::Rules(_) => Diff::blocked(
                "ufw is not installed",
                "put a step with `package: ufw` before this one",
            ),
            Edit::Mirror { .. } | Edit::Close { .. } => Diff {
                verdict: Verdict::NotApplicable {
                    why: "ufw is not installed".to_owned(),
                },
                notes: Vec::new(),
            },
        }
    }

    /// A port is not closed under whoever uses it; nor does that matter when there is nothing to close.
    fn still_used(&self, look: &Look, why: &str) -> Diff {
        let diff = judge::judge(self, look);
        if diff.verdict.changes().is_empty() {
            return diff;
        }
        Diff::blocked(why, "let it listen elsewhere first").with_notes(diff.notes)
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    let given: Vec<&str> = FORMS
        .into_iter()
        .filter(|form| node.get(form).is_some())
        .collect();
    let settings = settings::is_given(node);
    if given.len() + usize::from(settings) != 1 {
        let message = format!("a `ufw` step has settings, or one of {}", FORMS.join(", "));
        out.push(Diagnostic::error(message).at(&node.place));
    }
    for (key, with) in [("absent", "rules"), ("kept", "close"), ("close", "kept")] {
        if node.get(key).is_some() && node.get(with).is_none() {
            let message = format!("`{key}` goes with `{with}`");
            out.push(Diagnostic::error(message).at(&node.place));
        }
    }
    for item in rule::items(node) {
        rule::check(item, out);
    }
    if let Some(mirror) = node.get("mirror") {
        check_constant::<Port>(&MIRROR, mirror, "from", out);
        check_constant::<Port>(&MIRROR, mirror, "to", out);
    }
    check_constant::<Port>(&SHAPE, node, "close", out);
    check_constant::<Port>(&SHAPE, node, "kept", out);
}

fn render(
    node: &Node,
    scope: &Scope,
    frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    if settings::is_given(node) {
        let access = access(scope);
        let firewall = Settings::read(&mut fields).map(|settings| Firewall { settings, access });
        return fields.finish(firewall);
    }
    let edit = if node.get("rules").is_some() {
        let absent = fields.flag("absent");
        rule::render(&mut fields, node, scope, frame.runbook)
            .map(|rules| Edit::Rules(rule::Set { rules, absent }))
    } else if let Some(mirror) = node.get("mirror") {
        let mut ports = Fields::new(&MIRROR, mirror, scope);
        let (from, to) = (ports.value("from"), ports.value("to"));
        fields.said.append(ports.said);
        two(&mut fields, "mirror", from, to).map(|(from, to)| Edit::Mirror {
            from,
            to,
            tag: tag(frame, to),
        })
    } else {
        let (port, kept) = (fields.value("close"), fields.value("kept"));
        two(&mut fields, "close", port, kept).map(|(port, kept)| Edit::Close {
            port,
            kept,
            tag: tag(frame, kept),
        })
    };
    let ufw = edit.map(|edit| Ufw {
        edit,
        access: access(scope),
    });
    fields.finish(ufw)
}

/// The tag of the rules that a mirrored port gets.
fn tag(frame: &StepFrame<'_>, to: Port) -> String {
    format!("holdfast:{}:port-{to}", frame.runbook)
}

/// Two ports that must not be the same.
fn two(
    fields: &mut Fields<'_>,
    key: &str,
    one: Option<Port>,
    other: Option<Port>,
) -> Option<(Port, Port)> {
    let (one, other) = (one?, other?);
    if one == other {
        let same = format!("both ports are {one}");
        fields.wrong(key, Diagnostic::error(same));
        return None;
    }
    Some((one, other))
}
