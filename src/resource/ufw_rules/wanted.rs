//! The rules that a step asks for, made from its ports and sources.

use std::str::FromStr;

use ipnet::IpNet;

use crate::value::{Cidr, ValueError};

use super::address::{Address, Family};
use super::comment::Comment;
use super::ports::{PortRange, Ports};
use super::tuple::{Action, Log, Match, Protocol, Tuple};

/// What a step asks for: each source may reach the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The text of the comment by which we know our rules.
    pub tag: String,
    /// The protocol; [`Protocol::Any`] is TCP and UDP.
    pub protocol: Protocol,
    /// The ports; one rule holds them all.
    pub ports: Ports,
    /// Who may reach them, each once. Everything (`0.0.0.0/0`, `::/0`) is allowed too.
    pub sources: Vec<IpNet>,
}

/// Who may come in, as a person writes it: a network, an address, or `any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(Vec<IpNet>);

impl Source {
    /// The networks of a list, each once, in the order in which they are given.
    pub fn networks(sources: &[Self]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for network in sources.iter().flat_map(|source| &source.0) {
            if !networks.contains(network) {
                networks.push(*network);
            }
        }
        networks
    }
}

impl FromStr for Source {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(Self(match text {
            "any" => Family::BOTH.map(Family::everything).to_vec(),
            text => vec![Cidr::lenient(text)?.net()],
        }))
    }
}

impl Wanted {
    /// The rules of one family, in the order of the sources.
    pub fn rules(&self, family: Family) -> Vec<Tuple> {
        let sources = self
            .sources
            .iter()
            .filter(|net| Family::of(**net) == family);
        sources.map(|net| self.rule(*net)).collect()
    }

    fn rule(&self, source: IpNet) -> Tuple {
        let source_address = Address::from_net(source);
        Tuple {
            family: Family::of(source),
            action: Action::Allow,
            log: Log::Off,
            matching: Match::incoming(self.protocol, self.ports.clone(), source_address),
            comment: Some(Comment::of(&self.tag)),
        }
    }

    /// Whether a rule bears our tag.
    pub fn tagged(&self, rule: &Tuple) -> bool {
        rule.comment.as_ref() == Some(&Comment::of(&self.tag))
    }

    /// Whether a rule is ours: it bears our tag and is of the only form that we ever write.
    pub fn is_ours(&self, rule: &Tuple) -> bool {
        let form = rule.action == Action::Allow && rule.log == Log::Off;
        self.tagged(rule) && form && rule.matching.is_plain_incoming()
    }

    /// The protocol and port pairs to try when asking what becomes of packets. Of a range the ends.
    pub fn probes(&self) -> Vec<(Protocol, u16)> {
        let protocols = match self.protocol {
            Protocol::Any => vec![Protocol::Tcp, Protocol::Udp],
            named => vec![named],
        };
        let ends = |range: &PortRange| [*range.all().start(), *range.all().end()];
        let mut ports: Vec<u16> = match &self.ports {
            Ports::Any => vec![1],
            Ports::List(ranges) => ranges.iter().flat_map(ends).collect(),
        };
        ports.dedup();
        let pairs = |port: u16| protocols.iter().map(move |protocol| (*protocol, port));
        ports.into_iter().flat_map(pairs).collect()
    }

    /// Whether everybody of a family is a source, so that the rules restrict nobody.
    pub fn admits_everybody(&self, family: Family) -> bool {
        self.sources
            .iter()
            .any(|net| Family::of(*net) == family && net.prefix_len() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            tag: "holdfast:ufw-cf-refresh:cf".to_owned(),
            protocol: Protocol::Tcp,
            ports: "80,443".parse().unwrap(),
            sources: ["173.245.48.0/20", "192.0.2.7/32", "2400:cb00::/32"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
        }
    }

    #[test]
    fn one_rule_per_source_holds_all_ports() {
        let lines: Vec<String> = wanted()
            .rules(Family::V4)
            .iter()
            .map(Tuple::to_string)
            .collect();
        let comment = "comment=686f6c64666173743a7566772d63662d726566726573683a6366";
        assert_eq!(
            lines,
            [
                format!(
                    "### tuple ### allow tcp 80,443 0.0.0.0/0 any 173.245.48.0/20 in {comment}"
                ),
                format!("### tuple ### allow tcp 80,443 0.0.0.0/0 any 192.0.2.7 in {comment}"),
            ]
        );
        let v6 = wanted().rules(Family::V6);
        assert_eq!(v6[0].describe(), "allow tcp 80,443 from 2400:cb00::/32");
    }

    #[test]
    fn only_the_form_that_we_write_is_ours() {
        let ours = &wanted().rules(Family::V4)[0];
        assert!(wanted().is_ours(ours));
        let deny = Tuple {
            action: Action::Deny,
            ..ours.clone()
        };
        assert!(wanted().tagged(&deny) && !wanted().is_ours(&deny));
        let other = Tuple {
            comment: Some(Comment::of("holdfast:ufw-cf-refresh:cf2")),
            ..ours.clone()
        };
        assert!(!wanted().tagged(&other));
    }
}
