//! What listens on a host and is closed to everybody once ufw is on.

use crate::change::Note;
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::look::Look;
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::simulate::{Decision, Packet, simulate};
use crate::resource::ufw_rules::tuple::{Protocol, Tuple};

use super::policy::{Policies, Policy, Way};

/// What ufw lets in by itself (before.rules): the answers of DHCP, and two kinds of multicast.
const LET_IN: [u16; 4] = [68, 546, 1900, 5353];

/// A program that waits for packets from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    protocol: Protocol,
    port: u16,
    program: String,
}

/// The question what listens. No condition of any change.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_ufw_listening", [])
}

/// Reads the answer; lines of another form are left out.
pub(super) fn parse(seen: &Answers) -> Result<Vec<Listener>, ParseError> {
    let text = seen.get(&probe())?.text().into_owned();
    let listener = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let protocol = match words.next()? {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        let port = words.next()?.parse().ok()?;
        let printable = |c: &char| !c.is_control();
        Some(Listener {
            protocol,
            port,
            program: words.next()?.chars().filter(printable).collect(),
        })
    };
    Ok(text.lines().filter_map(listener).collect())
}

/// What no rule lets anybody reach.
pub(super) fn note(
    listening: &[Listener],
    policies: Policies,
    files: &[RulesFile],
    look: &Look,
) -> Option<Note> {
    if policies.of(Way::Incoming) == Policy::Allow {
        return None;
    }
    let families = look.state.families();
    let loaded = files
        .iter()
        .filter(|file| families.contains(&file.family()));
    let rules: Vec<(Family, Vec<Tuple>)> = loaded
        .map(|file| (file.family(), file.tuples().cloned().collect()))
        .collect();
    let closed = |listener: &&Listener| {
        let nobody = |(family, rules): &(Family, Vec<Tuple>)| {
            let packet = Packet {
                protocol: listener.protocol,
                port: listener.port,
                source: family.everything(),
            };
            let verdict = simulate(rules, packet);
            !matches!(verdict.decision, Decision::Admitted(_)) && verdict.doubts.is_empty()
        };
        let answers = listener.protocol == Protocol::Udp && LET_IN.contains(&listener.port);
        !answers && rules.iter().all(nobody)
    };
    let name = |listener: &Listener| {
        let protocol = if listener.protocol == Protocol::Udp {
            "udp"
        } else {
            "tcp"
        };
        format!("{protocol} {} ({})", listener.port, listener.program)
    };
    let names: Vec<String> = listening.iter().filter(closed).map(name).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        Note::warning(format!(
            "no rule lets anybody reach what listens there: {names}"
        ))
    })
}
