//! What the kernel holds, against what the files say.
//!
//! `systemctl is-active ufw` says nothing: after an `nft flush ruleset` it is still "active". Only
//! the chains themselves tell whether a rule in a file decides anything.

use std::collections::BTreeMap;

use super::address::Family;
use super::iptables_rule::IptablesRule;
use super::rules_file::RulesFile;
use super::tuple::Tuple;
use super::{expansion, rules_file};

/// The chains of the filter table of one family, as `iptables-save` or `iptables -S` prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    policies: BTreeMap<String, String>,
    rules: Vec<IptablesRule>,
}

impl Chains {
    /// Reads the lines that say something; comments and tables other than `filter` never come here.
    pub fn parse(text: &str) -> Self {
        let mut chains = Self::default();
        for line in text.lines() {
            chains.line(line);
        }
        chains
    }

    fn line(&mut self, line: &str) {
        let policy = line.strip_prefix(':').or_else(|| line.strip_prefix("-P "));
        if let Some(policy) = policy {
            let mut words = policy.split_ascii_whitespace();
            if let (Some(chain), Some(policy)) = (words.next(), words.next()) {
                self.policies.insert(chain.to_owned(), policy.to_owned());
            }
            return;
        }
        self.rules.extend(IptablesRule::parse(line));
    }

    /// The rules of a chain, in order.
    pub fn chain(&self, name: &str) -> impl Iterator<Item = &IptablesRule> {
        self.rules.iter().filter(move |rule| rule.chain == name)
    }

    /// What becomes of a packet that no rule of a built-in chain decides.
    pub fn policy(&self, chain: &str) -> Option<&str> {
        self.policies.get(chain).map(String::as_str)
    }

    /// Whether packets that enter `from` are sent to `to` on no condition.
    pub fn jumps(&self, from: &str, to: &str) -> bool {
        self.chain(from)
            .any(|rule| rule.is_unconditional() && rule.target() == Some(to))
    }
}

/// Why the rules in the files decide nothing although ufw is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unhooked {
    /// `INPUT` no longer leads to the user rules.
    NoJump {
        /// The chain that lacks the jump.
        from: String,
        /// Where it should lead.
        to: String,
    },
    /// Packets that no rule admits are let in, against the setting.
    PolicyAccepts,
}

impl Unhooked {
    /// The same in words.
    pub fn describe(&self) -> String {
        match self {
            Self::NoJump { from, to } => format!("chain {from} does not lead to {to}"),
            Self::PolicyAccepts => "the policy of INPUT is not DROP".to_owned(),
        }
    }
}

/// Whether packets really reach the user rules of `family`. `drops` is ufw's setting: packets that
/// no rule admits are to be dropped.
pub fn unhooked(chains: &Chains, family: Family, drops: bool) -> Option<Unhooked> {
    let accepts = drops && chains.policy("INPUT") != Some("DROP");
    no_jump(chains, family).or(accepts.then_some(Unhooked::PolicyAccepts))
}

/// The jump that is missing on the way to the user rules.
pub fn no_jump(chains: &Chains, family: Family) -> Option<Unhooked> {
    let before = format!("{}-before-input", family.prefix());
    let user = format!("{}-user-input", family.prefix());
    for (from, to) in [("INPUT", &before), (before.as_str(), &user)] {
        if !chains.jumps(from, to) {
            return Some(Unhooked::NoJump {
                from: from.to_owned(),
                to: to.clone(),
            });
        }
    }
    None
}

/// How the kernel's user chains differ from what loading the file would make of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// In the file, not in the kernel.
    pub not_loaded: Vec<String>,
    /// In the kernel, not in the file.
    pub not_in_file: Vec<String>,
    /// The same rules in another order.
    pub reordered: bool,
}

impl Drift {
    /// Takes in what another family differs in.
    pub fn extend(&mut self, other: Self) {
        self.not_loaded.extend(other.not_loaded);
        self.not_in_file.extend(other.not_in_file);
        self.reordered |= other.reordered;
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.not_loaded.is_empty() && self.not_in_file.is_empty() && !self.reordered
    }
}

/// Compares all rules.
pub fn drift(file: &RulesFile, chains: &Chains) -> Drift {
    drift_without(file, chains, &[])
}

/// Compares the rules, those that `ours` become left aside on both sides.
pub fn drift_without(file: &RulesFile, chains: &Chains, ours: &[Tuple]) -> Drift {
    let ours: Vec<IptablesRule> = ours.iter().flat_map(parsed).collect();
    let mut drift = Drift::default();
    for chain in user_chains(file.family()) {
        let others = |rule: &IptablesRule| !ours.contains(rule);
        let wanted: Vec<IptablesRule> = loaded(file, &chain).into_iter().filter(others).collect();
        let held: Vec<IptablesRule> = chains
            .chain(&chain)
            .filter(|rule| others(rule))
            .cloned()
            .collect();
        let lacking = minus(&wanted, &held);
        let surplus = minus(&held, &wanted);
        drift.reordered |= lacking.is_empty() && surplus.is_empty() && wanted != held;
        drift.not_loaded.extend(lacking);
        drift.not_in_file.extend(surplus);
    }
    drift
}

/// The chains of a family in which user rules stand and decide.
pub fn user_chains(family: Family) -> [String; 3] {
    ["input", "output", "forward"].map(|way| format!("{}-user-{way}", family.prefix()))
}

fn parsed(tuple: &Tuple) -> Vec<IptablesRule> {
    let lines = expansion::lines(tuple);
    lines
        .iter()
        .filter_map(|line| IptablesRule::parse(line))
        .collect()
}

/// What the chain holds after the file is loaded; also lines that belong to no rule count.
pub fn loaded(file: &RulesFile, chain: &str) -> Vec<IptablesRule> {
    let mut rules = Vec::new();
    for mut rule in rules_file::lines(file).filter_map(|line| IptablesRule::parse(&line)) {
        if rule.chain == chain {
            let front = std::mem::take(&mut rule.in_front);
            rules.insert(if front { 0 } else { rules.len() }, rule);
        }
    }
    rules
}

/// The rules of `left` that `right` lacks, counted.
fn minus(left: &[IptablesRule], right: &[IptablesRule]) -> Vec<String> {
    let mut right: Vec<&IptablesRule> = right.iter().collect();
    let mut lacking = Vec::new();
    for rule in left {
        match right.iter().position(|other| *other == rule) {
            Some(n) => {
                right.swap_remove(n);
            }
            None => lacking.push(rule.to_string()),
        }
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::super::testing::fixture;
    use super::super::tuple_line;
    use super::*;

    fn seen(release: &str, family: Family) -> (RulesFile, Chains) {
        let number = if family == Family::V4 { "" } else { "6" };
        let file = fixture(&format!("{release}/all.user{number}.rules"));
        let kernel = fixture(&format!(
            "{release}/all.kernel{}",
            if family == Family::V4 { 4 } else { 6 }
        ));
        let file = RulesFile::parse(&file, family);
        (file, Chains::parse(&String::from_utf8(kernel).unwrap()))
    }

    #[test]
    fn what_ufw_loaded_is_what_stands_in_its_files() {
        for release in ["debian-11", "debian-12", "debian-13"] {
            for family in Family::BOTH {
                let (file, chains) = seen(release, family);
                assert_eq!(unhooked(&chains, family, true), None, "{release}");
                let mut drift = drift(&file, &chains);
                // iptables 1.8.7 cannot say 255.0.255.0 and says /8.
                drift
                    .not_loaded
                    .retain(|rule| !rule.contains("10.0.0.0/255.0.255.0"));
                drift
                    .not_in_file
                    .retain(|rule| release != "debian-11" || !rule.contains("10.0.0.0/8"));
                assert!(drift.is_empty(), "{release} {family:?}: {drift:#?}");
            }
        }
    }

    #[test]
    fn a_flushed_ruleset_is_noticed() {
        let chains = Chains::parse(":INPUT ACCEPT\n");
        let found = unhooked(&chains, Family::V4, true).unwrap();
        assert_eq!(
            found.describe(),
            "chain INPUT does not lead to ufw-before-input"
        );
        let open = "-P INPUT ACCEPT\n-A INPUT -j ufw-before-input\n\
                    -A ufw-before-input -j ufw-user-input\n";
        let chains = Chains::parse(open);
        assert_eq!(
            unhooked(&chains, Family::V4, true),
            Some(Unhooked::PolicyAccepts)
        );
        assert_eq!(unhooked(&chains, Family::V4, false), None);
    }

    #[test]
    fn rules_lost_in_the_kernel_or_the_file_are_named() {
        let (file, chains) = seen("debian-12", Family::V4);
        let rule = "### tuple ### allow tcp 444 0.0.0.0/0 any 10.0.0.0/8 in comment=6866";
        let ours = tuple_line::parse(rule, Family::V4).unwrap();
        let more = file
            .changed(|_| false, std::slice::from_ref(&ours))
            .unwrap();
        let found = drift(&more, &chains);
        assert_eq!(
            found.not_loaded,
            ["-A ufw-user-input -p tcp --dport 444 -s 10.0.0.0/8 -j ACCEPT"]
        );
        assert!(drift_without(&more, &chains, &[ours]).is_empty());
        let fewer = file
            .changed(|tuple| tuple.matching.dapp.is_some(), &[])
            .unwrap();
        assert!(!drift(&fewer, &chains).not_in_file.is_empty());
    }

    #[test]
    fn another_order_is_a_difference() {
        let (file, _) = seen("debian-12", Family::V6);
        let lines: Vec<String> = rules_file::lines(&file).collect();
        let kernel: Vec<&str> = lines.iter().rev().map(String::as_str).collect();
        assert!(drift(&file, &Chains::parse(&kernel.join("\n"))).reordered);
    }
}
