//! What the rules of one family, as they will be, mean for the ports that a step is about.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::value::Port;

use super::address::{Address, Family};
use super::simulate::{Decision, Packet, concerns, simulate};
use super::tuple::{Protocol, Tuple};
use super::wanted::Wanted;

/// Rules before ours that keep packets out which ours would let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The rule in front.
    pub by: Tuple,
    /// How many of the wanted rules it makes ineffective, wholly or in part.
    pub rules: usize,
    /// Only for a part of their packets, or only on one interface.
    pub partly: bool,
}

/// The rules among `rules` that shadow wanted ones.
pub fn shadows(rules: &[Tuple], wanted: &Wanted, family: Family) -> Vec<Shadow> {
    let mut found: Vec<Shadow> = Vec::new();
    for want in wanted.rules(family) {
        let source = want
            .matching
            .src
            .net()
            .unwrap_or_else(|| family.everything());
        for (by, partly) in shadowing(rules, wanted, source) {
            match found.iter_mut().find(|shadow| shadow.by == rules[by]) {
                Some(shadow) => {
                    shadow.rules += 1;
                    shadow.partly &= partly;
                }
                None => found.push(Shadow {
                    by: rules[by].clone(),
                    rules: 1,
                    partly,
                }),
            }
        }
    }
    found
}

/// The positions of the rules that stand in the way of one source, each once.
fn shadowing(rules: &[Tuple], wanted: &Wanted, source: IpNet) -> Vec<(usize, bool)> {
    let mut found: Vec<(usize, bool)> = Vec::new();
    for (protocol, port) in wanted.probes() {
        let packet = Packet {
            protocol,
            port,
            source,
        };
        let verdict = simulate(rules, packet);
        match verdict.decision {
            Decision::Refused(by) => found.push((by, false)),
            Decision::Admitted(_) => found.extend(verdict.doubts.iter().map(|by| (*by, true))),
            Decision::Policy => {}
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(by, _)| *by);
    found
}

/// Who else can reach the ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Openings {
    /// Rules that let everybody in: ours restrict nobody.
    pub to_all: Vec<Tuple>,
    /// Rules that let everybody in under a condition we cannot judge, such as an interface.
    pub perhaps_to_all: Vec<Tuple>,
    /// Rules that let some others in.
    pub to_some: Vec<Tuple>,
}

/// The rules of others that admit more than the wanted sources.
pub fn openings(rules: &[Tuple], wanted: &Wanted, family: Family) -> Openings {
    let mut found = Openings::default();
    if wanted.admits_everybody(family) {
        return found;
    }
    for rule in rules.iter().filter(|rule| opens(rule, wanted)) {
        match &rule.matching.src {
            Address::Anywhere | Address::Masked(_) if !reached(rules, rule, wanted) => {}
            Address::Anywhere if is_certain(rule) => found.to_all.push(rule.clone()),
            Address::Anywhere | Address::Masked(_) => found.perhaps_to_all.push(rule.clone()),
            Address::Net { net, .. } if wanted.sources.iter().any(|s| s.contains(net)) => {}
            Address::Net { .. } => found.to_some.push(rule.clone()),
        }
    }
    found
}

fn opens(rule: &Tuple, wanted: &Wanted) -> bool {
    let concerned = |(protocol, port)| concerns(&rule.matching, protocol, port);
    rule.action.admits() && !wanted.tagged(rule) && wanted.probes().into_iter().any(concerned)
}

fn is_certain(rule: &Tuple) -> bool {
    let m = &rule.matching;
    m.interface_in.is_none() && m.dst == Address::Anywhere && m.sport.is_any()
}

/// Whether no earlier rule keeps everybody out for every port that `rule` and the wanted share.
fn reached(rules: &[Tuple], rule: &Tuple, wanted: &Wanted) -> bool {
    let earlier: Vec<&Tuple> = rules.iter().take_while(|other| *other != rule).collect();
    let probes = wanted.probes().into_iter();
    let mut shared = probes.filter(|(protocol, port)| concerns(&rule.matching, *protocol, *port));
    shared.any(|(protocol, port)| {
        let source = rule.family.everything();
        let verdict = simulate(
            earlier.iter().copied(),
            Packet {
                protocol,
                port,
                source,
            },
        );
        !matches!(verdict.decision, Decision::Refused(_))
    })
}

/// The way by which we come in again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAccess {
    /// The controller as the host sees it.
    pub from: IpAddr,
    /// Every port that sshd listens on.
    pub ports: Vec<Port>,
}

/// Whether we can come in by one SSH port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// A rule refuses us.
    Refused,
    /// No rule admits us.
    NoRule,
    /// A rule admits us if the packets come by a certain interface or to a certain address.
    Perhaps,
    /// We come in.
    Sure,
}

impl SshAccess {
    /// The family of the controller's address.
    pub fn family(&self) -> Family {
        Family::of(IpNet::from(self.from))
    }

    /// What the rules of that family do with a new login, for each port.
    pub fn admissions(&self, rules: &[Tuple]) -> Vec<(Port, Admission)> {
        let ports = self.ports.iter();
        ports
            .map(|port| (*port, self.admission(rules, port.get())))
            .collect()
    }

    fn admission(&self, rules: &[Tuple], port: u16) -> Admission {
        let source = IpNet::from(self.from);
        let verdict = simulate(
            rules,
            Packet {
                protocol: Protocol::Tcp,
                port,
                source,
            },
        );
        match (verdict.decision, verdict.doubts.is_empty()) {
            (Decision::Admitted(_), true) => Admission::Sure,
            (_, false) => Admission::Perhaps,
            (Decision::Refused(_), true) => Admission::Refused,
            (Decision::Policy, true) => Admission::NoRule,
        }
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

    fn wanted() -> Wanted {
        Wanted {
            tag: "holdfast:t:cf".to_owned(),
            protocol: Protocol::Tcp,
            ports: "80,443".parse().unwrap(),
            sources: ["173.245.48.0/20", "103.21.244.0/22"]
                .map(|n| n.parse().unwrap())
                .to_vec(),
        }
    }

    fn with_ours(lines: &[&str]) -> Vec<Tuple> {
        let mut all = rules(lines);
        all.extend(wanted().rules(Family::V4));
        all
    }

    #[test]
    fn an_earlier_deny_is_a_shadow_with_a_count() {
        let all = with_ours(&["deny any any 0.0.0.0/0 any 0.0.0.0/0 in"]);
        let found = shadows(&all, &wanted(), Family::V4);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rules, found[0].partly), (2, false));
        let all = with_ours(&["deny tcp 443 0.0.0.0/0 any 103.21.245.0/24 in"]);
        let found = shadows(&all, &wanted(), Family::V4);
        assert_eq!((found[0].rules, found[0].partly), (1, true));
    }

    #[test]
    fn rules_that_open_the_port_are_told_apart() {
        let all = with_ours(&[
            "allow any 443 0.0.0.0/0 any 0.0.0.0/0 in",
            "limit tcp 80 0.0.0.0/0 any 0.0.0.0/0 in_eth1",
            "allow tcp 443 0.0.0.0/0 any 198.51.100.0/24 in",
            "allow tcp 443 0.0.0.0/0 any 173.245.49.0/24 in",
            "allow udp 443 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
        ]);
        let found = openings(&all, &wanted(), Family::V4);
        let texts = |rules: &[Tuple]| rules.iter().map(Tuple::describe).collect::<Vec<_>>();
        assert_eq!(texts(&found.to_all), ["allow any 443 from anywhere"]);
        assert_eq!(
            texts(&found.perhaps_to_all),
            ["limit tcp 80 from anywhere in on eth1"]
        );
        assert_eq!(
            texts(&found.to_some),
            ["allow tcp 443 from 198.51.100.0/24"]
        );
    }

    #[test]
    fn a_rule_behind_a_deny_opens_nothing() {
        let all = rules(&[
            "deny tcp 443 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 in",
        ]);
        assert_eq!(openings(&all, &wanted(), Family::V4), Openings::default());
    }

    #[test]
    fn the_controllers_way_in_is_judged_per_port() {
        let access = SshAccess {
            from: "198.51.100.7".parse().unwrap(),
            ports: ["22", "2222", "2223", "2224"]
                .map(|p| p.parse().unwrap())
                .to_vec(),
        };
        let all = rules(&[
            "deny tcp 2223 0.0.0.0/0 any 198.51.100.0/24 in",
            "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in_eth0",
        ]);
        let found: Vec<Admission> = access
            .admissions(&all)
            .into_iter()
            .map(|(_, a)| a)
            .collect();
        assert_eq!(
            found,
            [
                Admission::Sure,
                Admission::Perhaps,
                Admission::Refused,
                Admission::NoRule
            ]
        );
    }
}
