//! The default policies of ufw and its logging, and what they are in the kernel.
//!
//! Written after `ufw-init-functions` and `backend_iptables.py` of ufw 0.36 to 0.36.2, which agree:
//! a policy is the policy of a builtin chain, one rule in `ufw-skip-to-policy-…`, and rules in
//! `ufw-reject-…` or `ufw-track-…`; the log level is a section of the rules files that depends on the
//! policies as well. `tests/fixtures/ufw/policies` holds what each of them became on real hosts.

use std::fmt::Write as _;

use crate::resource::ufw_rules::address::Family;

/// What becomes of packets that no rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Allow,
    Deny,
    Reject,
}

/// Which packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Incoming,
    Outgoing,
    Routed,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Off,
    Low,
    Medium,
    High,
    Full,
}

/// The policy of each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policies(pub [Policy; 3]);

impl Policy {
    pub(super) const WORDS: [&'static str; 3] = ["allow", "deny", "reject"];

    /// The word of a step.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Reject => "reject",
        }
    }

    /// The value of a word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Allow, Self::Deny, Self::Reject];
        all.into_iter().find(|policy| policy.word() == word)
    }

    /// The word in `/etc/default/ufw`, which is a target of iptables.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Allow => "ACCEPT",
            Self::Deny => "DROP",
            Self::Reject => "REJECT",
        }
    }

    /// The value in `/etc/default/ufw`, capitals or not.
    pub(super) fn from_target(target: &str) -> Option<Self> {
        let all = [Self::Allow, Self::Deny, Self::Reject];
        let same = |policy: &Self| policy.target().eq_ignore_ascii_case(target);
        all.into_iter().find(same)
    }

    /// The policy of the builtin chain; it knows no REJECT.
    fn builtin(self) -> &'static str {
        match self {
            Self::Allow => "ACCEPT",
            Self::Deny | Self::Reject => "DROP",
        }
    }
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Incoming, Self::Outgoing, Self::Routed];

    /// The key of a step, and the word of `ufw default`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Routed => "routed",
        }
    }

    /// The builtin chain.
    pub(super) fn chain(self) -> &'static str {
        match self {
            Self::Incoming => "INPUT",
            Self::Outgoing => "OUTPUT",
            Self::Routed => "FORWARD",
        }
    }

    /// How the names of ufw's chains end.
    fn suffix(self) -> &'static str {
        match self {
            Self::Incoming => "input",
            Self::Outgoing => "output",
            Self::Routed => "forward",
        }
    }
}

impl Policies {
    /// Of a way.
    pub(super) fn of(self, way: Way) -> Policy {
        let Self([incoming, outgoing, routed]) = self;
        match way {
            Way::Incoming => incoming,
            Way::Outgoing => outgoing,
            Way::Routed => routed,
        }
    }
}

/// The chains that carry out the policy of a way.
pub(super) fn chains(way: Way, family: Family) -> [String; 3] {
    ["reject", "track", "skip-to-policy"]
        .map(|name| format!("{}-{name}-{}", family.prefix(), way.suffix()))
}

/// The policy of the builtin chain and the rules of [`chains`].
pub(super) fn rules(way: Way, policy: Policy, family: Family) -> (&'static str, Vec<String>) {
    let [reject, track, skip] = chains(way, family);
    let mut rules = match policy {
        Policy::Allow => ["tcp", "udp"]
            .map(|protocol| {
                format!("-A {track} -p {protocol} -m conntrack --ctstate NEW -j ACCEPT")
            })
            .to_vec(),
        Policy::Deny => Vec::new(),
        Policy::Reject => vec![format!("-A {reject} -j REJECT")],
    };
    rules.push(format!("-A {skip} -j {}", policy.target()));
    (policy.builtin(), rules)
}

/// What a transaction of iptables-restore holds to make the policy so, without `*filter` and `COMMIT`.
pub(super) fn transaction(way: Way, policy: Policy, family: Family) -> String {
    let (builtin, rules) = rules(way, policy, family);
    let mut text = format!(":{} {builtin} [0:0]\n", way.chain());
    for chain in chains(way, family) {
        let _ = writeln!(text, ":{chain} - [0:0]");
    }
    for rule in rules {
        let _ = writeln!(text, "{rule}");
    }
    text
}

impl Level {
    pub(super) const WORDS: [&'static str; 5] = ["off", "low", "medium", "high", "full"];

    /// The word of a step and of `/etc/ufw/ufw.conf`.
    pub(super) fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The value of a word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Off, Self::Low, Self::Medium, Self::High, Self::Full];
        all.into_iter().find(|level| level.word() == word)
    }
}

const LIMIT: &str = " -m limit --limit 3/min --limit-burst 10";

/// The lines between `### LOGGING ###` and its end.
pub(super) fn logging(level: Level, policies: Policies, family: Family) -> String {
    let p = family.prefix();
    let mut text = String::new();
    if level == Level::Off {
        for way in Way::ALL {
            let _ = writeln!(text, "-I {p}-user-logging-{} -j RETURN", way.suffix());
        }
        return text;
    }
    let limit = if level < Level::High { LIMIT } else { "" };
    for way in Way::ALL {
        let word = match policies.of(way) {
            Policy::Deny | Policy::Reject => "BLOCK",
            Policy::Allow if level >= Level::Medium => "ALLOW",
            Policy::Allow => continue,
        };
        let chain = format!("{p}-after-logging-{}", way.suffix());
        let _ = writeln!(
            text,
            "-A {chain} -j LOG --log-prefix \"[UFW {word}] \"{limit}"
        );
    }
    let _ = if level < Level::Medium {
        writeln!(
            text,
            "-I {p}-logging-deny -m conntrack --ctstate INVALID -j RETURN{limit}"
        )
    } else {
        writeln!(
            text,
            "-A {p}-logging-deny -m conntrack --ctstate INVALID -j LOG \
             --log-prefix \"[UFW AUDIT INVALID] \"{limit}"
        )
    };
    let _ = writeln!(
        text,
        "-A {p}-logging-deny -j LOG --log-prefix \"[UFW BLOCK] \"{limit}"
    );
    let _ = writeln!(
        text,
        "-A {p}-logging-allow -j LOG --log-prefix \"[UFW ALLOW] \"{limit}"
    );
    text.push_str(&audit(level, p));
    text
}

fn audit(level: Level, p: &str) -> String {
    let limit = match level {
        Level::Off | Level::Low => return String::new(),
        Level::Medium => format!(" -m conntrack --ctstate NEW{LIMIT}"),
        Level::High => LIMIT.to_owned(),
        Level::Full => String::new(),
    };
    let line = |way: Way| {
        let chain = format!("{p}-before-logging-{}", way.suffix());
        format!("-I {chain} -j LOG --log-prefix \"[UFW AUDIT] \"{limit}\n")
    };
    Way::ALL.map(line).concat()
}

/// The line of the rate limit that only stands in the file when something is logged.
pub(super) fn limit_line(family: Family) -> String {
    format!(
        "-A {}-user-limit -m limit --limit 3/minute -j LOG --log-prefix \"[UFW LIMIT BLOCK] \"\n",
        family.prefix()
    )
}

/// The chains that the level fills, beside those of the user's rules.
pub(super) fn log_chains(family: Family) -> Vec<String> {
    let p = family.prefix();
    let mut chains = vec![format!("{p}-logging-deny"), format!("{p}-logging-allow")];
    for way in Way::ALL {
        chains.push(format!("{p}-before-logging-{}", way.suffix()));
        chains.push(format!("{p}-after-logging-{}", way.suffix()));
    }
    chains
}

const LOGGING: &str = "### LOGGING ###\n";
const END_LOGGING: &str = "### END LOGGING ###\n";
const RATE: &str = "### RATE LIMITING ###\n";

/// The text of a rules file with another level or other policies. `None` when the file has no sections
/// for them: then no ufw wrote it that was ever switched on.
pub(super) fn with_logging(
    file: &[u8],
    level: Level,
    policies: Policies,
    family: Family,
) -> Option<Vec<u8>> {
    let start = find(file, LOGGING)? + LOGGING.len();
    let end = start + find(&file[start..], END_LOGGING)?;
    let (head, mut tail) = (&file[..start], file[end..].to_vec());
    if let Some(rate) = find(&tail, RATE) {
        let at = rate + RATE.len();
        let line = limit_line(family);
        let there = tail[at..].starts_with(line.as_bytes());
        match (level, there) {
            (Level::Off, true) => drop(tail.splice(at..at + line.len(), [])),
            (Level::Off, false) | (_, true) => {}
            (_, false) => drop(tail.splice(at..at, line.into_bytes())),
        }
    }
    Some([head, logging(level, policies, family).as_bytes(), &tail].concat())
}

/// Where a line begins.
fn find(bytes: &[u8], line: &str) -> Option<usize> {
    let starts = |n: &usize| *n == 0 || bytes[*n - 1] == b'\n';
    let found = bytes.windows(line.len()).enumerate();
    let mut found = found.filter(|(_, window)| *window == line.as_bytes());
    found.find(|(n, _)| starts(n)).map(|(n, _)| n)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::resource::ufw_rules::iptables_rule::IptablesRule;
    use crate::resource::ufw_rules::kernel::{Chains, loaded};
    use crate::resource::ufw_rules::rules_file::RulesFile;

    use super::*;

    /// What real ufw made of `ufw default` and `ufw logging`: the name says the policies and the level.
    const CAPTURED: [&str; 7] = [
        "deny-allow-deny-low",
        "reject-allow-deny-low",
        "allow-allow-allow-low",
        "deny-deny-reject-medium",
        "deny-reject-allow-high",
        "reject-allow-deny-full",
        "allow-deny-deny-off",
    ];

    fn read(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ufw/policies");
        std::fs::read(folder.join(name)).unwrap()
    }

    fn meant(name: &str) -> (Policies, Level) {
        let words: Vec<&str> = name.split('-').collect();
        let policy = |n: usize| Policy::from_word(words[n]).unwrap();
        (
            Policies([policy(0), policy(1), policy(2)]),
            Level::from_word(words[3]).unwrap(),
        )
    }

    fn digit(family: Family) -> &'static str {
        if family == Family::V4 { "" } else { "6" }
    }

    #[test]
    fn from_any_file_of_ufw_comes_any_other_byte_for_byte() {
        for family in Family::BOTH {
            let file = |name: &str| read(&format!("{name}.user{}.rules", digit(family)));
            for from in CAPTURED {
                for to in CAPTURED {
                    let (policies, level) = meant(to);
                    let made = with_logging(&file(from), level, policies, family).unwrap();
                    assert_eq!(
                        String::from_utf8(made).unwrap(),
                        String::from_utf8(file(to)).unwrap(),
                        "{from} to {to}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_file_without_the_sections_is_left_alone() {
        let file = b"*filter\n### RULES ###\nCOMMIT\n";
        let (policies, level) = meant(CAPTURED[0]);
        assert_eq!(with_logging(file, level, policies, Family::V4), None);
    }

    #[test]
    fn the_kernel_holds_what_is_written_here_about_policies_and_logging() {
        for name in CAPTURED {
            for family in Family::BOTH {
                let number = if family == Family::V4 { 4 } else { 6 };
                let text = String::from_utf8(read(&format!("{name}.kernel{number}"))).unwrap();
                let chains = Chains::parse(&text);
                let (policies, _) = meant(name);
                for way in Way::ALL {
                    let (builtin, lines) = rules(way, policies.of(way), family);
                    assert_eq!(chains.policy(way.chain()), Some(builtin), "{name}");
                    let parse = |line: &String| IptablesRule::parse(line).unwrap();
                    let wanted: Vec<IptablesRule> = lines.iter().map(parse).collect();
                    let chains_of = super::chains(way, family);
                    let held = chains_of.iter().flat_map(|chain| chains.chain(chain));
                    assert!(held.eq(&wanted), "{name} {way:?}");
                }
                let file = read(&format!("{name}.user{}.rules", digit(family)));
                let file = RulesFile::parse(&file, family);
                for chain in log_chains(family) {
                    let wanted = loaded(&file, &chain);
                    assert!(chains.chain(&chain).eq(&wanted), "{name} {chain}");
                }
            }
        }
    }
}
