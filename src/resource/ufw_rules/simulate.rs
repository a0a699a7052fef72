//! What happens to a packet: the rules of one family asked in order, the first match decides.
//!
//! A source is a network, for a rule may cover a part of it only. Which interface a packet comes in
//! by, which of its own addresses it is for and from which port it was sent are unknown here, so a
//! rule bound to those *may* match; such a rule decides nothing and is named as a doubt.

use ipnet::IpNet;

use super::address::{Address, Family};
use super::tuple::{Action, Direction, Match, Protocol, Tuple};

/// A new connection or packet that arrives at the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port it is for.
    pub port: u16,
    /// Where it comes from.
    pub source: IpNet,
}

/// What the rules do with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The decision for all or for the rest of the source.
    pub decision: Decision,
    /// Earlier rules that decide otherwise for a part of the source, or may decide otherwise.
    pub doubts: Vec<usize>,
}

/// What decides; the numbers are positions in the list of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This rule lets it in (an `allow`, or a `limit` below its limit).
    Admitted(usize),
    /// This rule keeps it out.
    Refused(usize),
    /// No rule says anything; the default policy decides.
    Policy,
}

impl Verdict {
    /// Whether the packet comes in, and no rule before the deciding one could say otherwise.
    pub fn surely_admitted(&self) -> bool {
        matches!(self.decision, Decision::Admitted(_)) && self.doubts.is_empty()
    }
}

/// How far a rule covers a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cover {
    None,
    Perhaps,
    All,
}

/// Asks `rules`, in order, what becomes of `packet`.
pub fn simulate<'a>(rules: impl IntoIterator<Item = &'a Tuple>, packet: Packet) -> Verdict {
    let mut perhaps = Vec::new();
    let mut decision = Decision::Policy;
    for (n, rule) in rules.into_iter().enumerate() {
        match cover(rule, packet) {
            Cover::None => {}
            Cover::Perhaps => perhaps.push((n, rule.action)),
            Cover::All => {
                decision = decided(n, rule.action);
                break;
            }
        }
    }
    let differs = |action: &Action| match decision {
        Decision::Admitted(_) => !action.admits(),
        Decision::Refused(_) | Decision::Policy => action.admits(),
    };
    let doubts = perhaps.into_iter().filter(|(_, action)| differs(action));
    Verdict {
        decision,
        doubts: doubts.map(|(n, _)| n).collect(),
    }
}

fn decided(n: usize, action: Action) -> Decision {
    if action.admits() {
        Decision::Admitted(n)
    } else {
        Decision::Refused(n)
    }
}

fn cover(rule: &Tuple, packet: Packet) -> Cover {
    let m = &rule.matching;
    if rule.family != Family::of(packet.source) || !concerns(m, packet.protocol, packet.port) {
        return Cover::None;
    }
    let unknown = m.interface_in.is_some() || m.dst != Address::Anywhere || !m.sport.is_any();
    match source_cover(&m.src, packet.source) {
        Cover::All if unknown => Cover::Perhaps,
        cover => cover,
    }
}

/// Whether a rule is about packets to this host of this protocol and port, wherever they come from.
///
/// Rules of an application profile carry the profile's protocol and ports in their tuple already.
pub fn concerns(matching: &Match, protocol: Protocol, port: u16) -> bool {
    let way = !matching.route && matching.direction == Direction::In;
    let any = matching.protocol == Protocol::Any;
    // Without a protocol ufw drops a list of ports and the rule is about all of them.
    let no_ports = any && (matching.dport.is_multi() || matching.sport.is_multi());
    way && (any || matching.protocol == protocol) && (no_ports || matching.dport.contain(port))
}

fn source_cover(rule: &Address, source: IpNet) -> Cover {
    match rule {
        Address::Anywhere => Cover::All,
        Address::Masked(_) => Cover::Perhaps,
        Address::Net { net, .. } if net.contains(&source) => Cover::All,
        Address::Net { net, .. } if source.contains(net) => Cover::Perhaps,
        Address::Net { .. } => Cover::None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tuple_line;
    use super::*;

    fn rules(lines: &[&str]) -> Vec<Tuple> {
        let line = |text: &&str| tuple_line::parse(&format!("### tuple ### {text}"), Family::V4);
        lines.iter().map(|text| line(text).unwrap()).collect()
    }

    fn https(source: &str) -> Packet {
        Packet {
            protocol: Protocol::Tcp,
            port: 443,
            source: source.parse().unwrap(),
        }
    }

    fn verdict(lines: &[&str], source: &str) -> (Decision, Vec<usize>) {
        let verdict = simulate(&rules(lines), https(source));
        (verdict.decision, verdict.doubts)
    }

    const OURS: &str = "allow tcp 443 0.0.0.0/0 any 173.245.48.0/20 in";

    #[test]
    fn a_stranger_falls_to_the_policy() {
        assert_eq!(
            verdict(&[OURS], "203.0.113.7/32"),
            (Decision::Policy, vec![])
        );
        assert_eq!(
            verdict(&[OURS], "173.245.48.5/32"),
            (Decision::Admitted(0), vec![])
        );
    }

    #[test]
    fn an_earlier_deny_shadows() {
        let deny = "deny any any 0.0.0.0/0 any 173.0.0.0/8 in";
        assert_eq!(
            verdict(&[deny, OURS], "173.245.48.0/20"),
            (Decision::Refused(0), vec![])
        );
        assert_eq!(
            verdict(&[OURS, deny], "173.245.48.0/20"),
            (Decision::Admitted(0), vec![])
        );
    }

    #[test]
    fn a_deny_of_a_part_is_a_doubt() {
        let deny = "reject tcp 443 0.0.0.0/0 any 173.245.50.0/24 in";
        assert_eq!(
            verdict(&[deny, OURS], "173.245.48.0/20"),
            (Decision::Admitted(1), vec![0])
        );
    }

    #[test]
    fn what_depends_on_the_interface_is_a_doubt() {
        let deny = "deny tcp 443 0.0.0.0/0 any 0.0.0.0/0 in_eth1";
        assert_eq!(
            verdict(&[deny, OURS], "173.245.48.5/32"),
            (Decision::Admitted(1), vec![0])
        );
        let allow = "allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in_eth1";
        assert_eq!(
            verdict(&[allow], "203.0.113.7/32"),
            (Decision::Policy, vec![0])
        );
        assert_eq!(
            verdict(&[allow, OURS], "173.245.48.5/32"),
            (Decision::Admitted(1), vec![])
        );
    }

    #[test]
    fn protocols_ranges_lists_and_profiles_are_understood() {
        for line in [
            "allow any 443 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow any any 0.0.0.0/0 any 203.0.113.0/24 in",
            "allow tcp 400:500 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow_log tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in",
            "limit tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 Web%20Full - in",
        ] {
            assert_eq!(
                verdict(&[line], "203.0.113.7/32"),
                (Decision::Admitted(0), vec![]),
                "{line}"
            );
        }
        for line in [
            "allow udp 443 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 out",
            "route:allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in",
        ] {
            assert_eq!(
                verdict(&[line], "203.0.113.7/32"),
                (Decision::Policy, vec![]),
                "{line}"
            );
        }
    }
}
