//! The iptables lines that ufw writes below a tuple, byte for byte.
//!
//! ufw 0.36, 0.36.1 and 0.36.2 agree in this (`UFWRule.format_rule` and
//! `_get_rules_from_formatted`); the fixtures under `tests/fixtures/ufw` were written by each of
//! them. Files of the form that ufw itself writes are what keeps a later `ufw reload` from changing
//! anything.

use std::fmt::Write as _;

use super::tuple::{Action, Direction, Log, Match, Protocol, Tuple};

/// The lines, without line ends.
pub fn lines(tuple: &Tuple) -> Vec<String> {
    let chains = Chains::of(tuple);
    variants(tuple)
        .iter()
        .flat_map(|variant| {
            let mut lines = logging(tuple, variant, &chains);
            lines.extend(deciding(tuple, variant, &chains));
            lines
        })
        .collect()
}

struct Chains {
    prefix: &'static str,
    suffix: &'static str,
}

impl Chains {
    fn of(tuple: &Tuple) -> Self {
        Self {
            prefix: tuple.family.prefix(),
            suffix: suffix(&tuple.matching),
        }
    }

    fn rule(&self) -> String {
        format!("-A {}-user-{}", self.prefix, self.suffix)
    }

    fn log(&self) -> String {
        format!("{}-user-logging-{}", self.prefix, self.suffix)
    }
}

/// The last part of the name of the chain that a rule lives in.
pub fn suffix(matching: &Match) -> &'static str {
    match (matching.route, matching.direction) {
        (true, Direction::In | Direction::Out) => "forward",
        (false, Direction::In) => "input",
        (false, Direction::Out) => "output",
    }
}

/// A rule without a protocol but with a port becomes two: one for TCP, one for UDP.
struct Variant {
    /// The conditions, each with a space before it.
    conditions: String,
    tcp: bool,
}

fn variants(tuple: &Tuple) -> Vec<Variant> {
    let m = &tuple.matching;
    let multi = m.dport.is_multi() || m.sport.is_multi();
    let no_port = m.dport.is_any() && m.sport.is_any();
    let protocols: &[Option<Protocol>] = match m.protocol {
        Protocol::Any if !multi && !no_port => &[Some(Protocol::Tcp), Some(Protocol::Udp)],
        Protocol::Any => &[None],
        named => &[Some(named)],
    };
    protocols
        .iter()
        .map(|protocol| Variant {
            conditions: conditions(tuple, *protocol, multi),
            tcp: *protocol == Some(Protocol::Tcp),
        })
        .collect()
}

fn conditions(tuple: &Tuple, protocol: Option<Protocol>, multi: bool) -> String {
    let m = &tuple.matching;
    let mut out = String::new();
    let mut add = |option: &str, value: Option<&str>| {
        if let Some(value) = value {
            let _ = write!(out, " {option} {value}");
        }
    };
    let dport = (!m.dport.is_any()).then(|| m.dport.to_string());
    let sport = (!m.sport.is_any()).then(|| m.sport.to_string());
    let family = tuple.family;
    let address = |end: &super::address::Address| {
        let text = end.text(family);
        (!matches!(text, "0.0.0.0/0" | "::/0")).then(|| text.to_owned())
    };
    add("-i", m.interface_in.as_deref());
    add("-o", m.interface_out.as_deref());
    add("-p", protocol.map(Protocol::word));
    // ufw forgets the ports of a list when there is no protocol; it also refuses to make such a rule.
    let listed = multi && m.protocol != Protocol::Any;
    if listed {
        add("-m multiport --dports", dport.as_deref());
        add("-m multiport --sports", sport.as_deref());
    }
    add("-d", address(&m.dst).as_deref());
    add("--dport", dport.as_deref().filter(|_| !multi));
    add("-s", address(&m.src).as_deref());
    add("--sport", sport.as_deref().filter(|_| !multi));
    out
}

/// The three lines in front of a rule that logs.
fn logging(tuple: &Tuple, variant: &Variant, chains: &Chains) -> Vec<String> {
    let new = match tuple.log {
        Log::Off => return Vec::new(),
        Log::New => " -m conntrack --ctstate NEW",
        Log::All => "",
    };
    let word = match tuple.action {
        Action::Allow => "ALLOW",
        Action::Limit => "LIMIT",
        Action::Deny | Action::Reject => "BLOCK",
    };
    let (rule, log, conditions) = (chains.rule(), chains.log(), &variant.conditions);
    vec![
        format!(
            "-A {log}{conditions}{new} -m limit --limit 3/min --limit-burst 10 \
             -j LOG --log-prefix \"[UFW {word}] \""
        ),
        format!("-A {log}{conditions} -j RETURN"),
        format!("{rule}{conditions} -j {log}"),
    ]
}

fn deciding(tuple: &Tuple, variant: &Variant, chains: &Chains) -> Vec<String> {
    let (rule, conditions) = (chains.rule(), &variant.conditions);
    let comment = profile_comment(&tuple.matching);
    let limit = format!("{}-user-limit", chains.prefix);
    let recent = "-m conntrack --ctstate NEW -m recent";
    match tuple.action {
        Action::Allow => vec![format!("{rule}{conditions} -j ACCEPT{comment}")],
        Action::Deny => vec![format!("{rule}{conditions} -j DROP{comment}")],
        Action::Reject => {
            let reset = if variant.tcp {
                " --reject-with tcp-reset"
            } else {
                ""
            };
            vec![format!("{rule}{conditions} -j REJECT{reset}{comment}")]
        }
        Action::Limit => vec![
            format!("{rule}{conditions} {recent} --set{comment}"),
            format!(
                "{rule}{conditions} {recent} --update --seconds 30 --hitcount 6 -j {limit}{comment}"
            ),
            format!("{rule}{conditions} -j {limit}-accept{comment}"),
        ],
    }
}

fn profile_comment(matching: &Match) -> String {
    let named = |kind: &str, name: &Option<String>| {
        name.as_ref()
            .map(|name| format!("{kind}_{}", name.replace(' ', "%20")))
    };
    let parts = [named("dapp", &matching.dapp), named("sapp", &matching.sapp)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" -m comment --comment '{}'", parts.join(","))
}
