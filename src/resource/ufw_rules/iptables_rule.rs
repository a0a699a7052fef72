//! One iptables rule in a form in which a line of a rules file and a line of `iptables-save` can be
//! compared.
//!
//! The kernel gives `-s X -p tcp -m tcp --dport 443 -j ACCEPT` back for what ufw wrote as
//! `-p tcp --dport 443 -s X -j ACCEPT`; iptables 1.8.11 says `-p 47` for `-p gre`, 1.8.7 adds a
//! space at the end of `-m recent`. The fixtures hold all of these.

use std::net::IpAddr;

use ipnet::IpNet;

/// A rule, its options sorted and without what iptables adds by itself.
#[derive(Debug, Clone)]
pub struct IptablesRule {
    /// The chain it is in.
    pub chain: String,
    /// Whether the line puts it in front of the others (`-I`) instead of behind them (`-A`).
    pub in_front: bool,
    options: Vec<String>,
    line: String,
}

/// By what they do, not by how they are written.
impl PartialEq for IptablesRule {
    fn eq(&self, other: &Self) -> bool {
        (&self.chain, self.in_front, &self.options)
            == (&other.chain, other.in_front, &other.options)
    }
}

impl Eq for IptablesRule {}

impl IptablesRule {
    /// Reads a line that begins with `-A` or `-I`; any other line is `None`.
    pub fn parse(line: &str) -> Option<Self> {
        let words = split(line);
        let [command, chain, rest @ ..] = words.as_slice() else {
            return None;
        };
        let in_front = match command.text.as_str() {
            "-A" => false,
            "-I" => true,
            _ => return None,
        };
        let groups = grouped(rest);
        let mut options: Vec<String> = groups.iter().filter_map(|o| normalize(o)).collect();
        options.sort_unstable();
        Some(Self {
            chain: chain.text.clone(),
            in_front,
            options,
            line: line.trim().to_owned(),
        })
    }

    /// The chain or verdict that packets are sent to.
    pub fn target(&self) -> Option<&str> {
        self.options
            .iter()
            .find_map(|option| option.strip_prefix("-j "))
    }

    /// Whether it sends every packet there, on no condition.
    pub fn is_unconditional(&self) -> bool {
        self.options.len() == 1 && self.target().is_some()
    }

    /// The value of an option such as `--dport`.
    pub fn value(&self, option: &str) -> Option<&str> {
        let value = |text: &'_ String| Some(text.strip_prefix(option)?.strip_prefix(' ')?.len());
        self.options.iter().find_map(|text| {
            let length = value(text)?;
            text.get(text.len() - length..)
        })
    }
}

impl std::fmt::Display for IptablesRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.line)
    }
}

/// A word of a line, and whether it stood in double quotes (and so is no option).
struct Word {
    text: String,
    quoted: bool,
}

/// Splits as iptables-restore does: double quotes and backslashes within them mean something,
/// single quotes do not.
fn split(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.trim().chars().peekable();
    while chars.peek().is_some() {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted => break,
                '\\' if quoted => text.extend(chars.next()),
                c if !quoted && c.is_ascii_whitespace() => break,
                c => text.push(c),
            }
        }
        if quoted || !text.is_empty() {
            words.push(Word { text, quoted });
        }
    }
    words
}

/// Options with their values: `["-s", "10.0.0.0/8"]`, `["!", "-i", "lo"]`.
fn grouped(words: &[Word]) -> Vec<Vec<&str>> {
    let mut groups: Vec<Vec<&str>> = Vec::new();
    for word in words {
        let starts = !word.quoted && (word.text.starts_with('-') || word.text == "!");
        match groups.last_mut() {
            Some(group) if !starts || group.as_slice() == ["!"] => group.push(&word.text),
            Some(_) | None => groups.push(vec![&word.text]),
        }
    }
    groups
}

/// One option as text. `None` for what iptables adds or what means nothing.
fn normalize(option: &[&str]) -> Option<String> {
    match option {
        [
            "-m",
            "tcp" | "udp" | "multiport" | "conntrack" | "recent" | "limit" | "comment",
        ]
        | ["--name", "DEFAULT"]
        | [
            "--mask",
            "255.255.255.255" | "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ]
        | ["--rsource"]
        | [
            "--reject-with",
            "icmp-port-unreachable" | "icmp6-port-unreachable",
        ]
        | ["-p", "all" | "0"] => None,
        ["-p", name] => Some(format!("-p {}", protocol_number(name))),
        [end @ ("-s" | "-d"), net] => network(net).map(|net| format!("{end} {net}")),
        ["--limit", rate] => Some(format!("--limit {}", rate.replace("/minute", "/min"))),
        words => Some(words.join(" ")),
    }
}

fn protocol_number(name: &str) -> &str {
    match name {
        "icmp" => "1",
        "igmp" => "2",
        "tcp" => "6",
        "udp" => "17",
        "ipv6" => "41",
        "gre" => "47",
        "esp" => "50",
        "ah" => "51",
        "ipv6-icmp" | "icmpv6" => "58",
        "vrrp" => "112",
        other => other,
    }
}

/// The network without host bits; `None` for everything. What is no prefix stays as it is.
fn network(text: &str) -> Option<String> {
    let parsed = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
        .or_else(|| netmask(text));
    match parsed {
        Some(net) if net.prefix_len() == 0 => None,
        Some(net) => Some(net.trunc().to_string()),
        None => Some(text.to_owned()),
    }
}

fn netmask(text: &str) -> Option<IpNet> {
    let (address, mask) = text.split_once('/')?;
    IpNet::with_netmask(address.parse().ok()?, mask.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(file: &str, kernel: &str) {
        assert_eq!(IptablesRule::parse(file), IptablesRule::parse(kernel));
        assert!(IptablesRule::parse(file).is_some(), "{file}");
    }

    #[test]
    fn the_kernels_words_are_the_files_words() {
        same(
            "-A ufw-user-input -p tcp --dport 443 -s 173.245.48.0/20 -j ACCEPT",
            "-A ufw-user-input -s 173.245.48.0/20 -p tcp -m tcp --dport 443 -j ACCEPT",
        );
        same(
            "-A c -p tcp -m multiport --dports 80,443 -s 10.1.2.3 -j ACCEPT",
            "-A c -s 10.1.2.3/32 -p tcp -m multiport --dports 80,443 -j ACCEPT",
        );
        same(
            "-A c -p udp --dport 113 -j REJECT",
            "-A c -p udp -m udp --dport 113 -j REJECT --reject-with icmp-port-unreachable",
        );
        same(
            "-A c -p gre -s 10.0.0.0/255.0.0.0 -j ACCEPT",
            "-A c -s 10.0.0.0/8 -p 47 -j ACCEPT",
        );
    }

    #[test]
    fn a_profiles_comment_keeps_its_quotes() {
        same(
            "-A c -p tcp --dport 22 -j ACCEPT -m comment --comment 'dapp_OpenSSH'",
            r#"-A c -p tcp -m tcp --dport 22 -m comment --comment "\'dapp_OpenSSH\'" -j ACCEPT"#,
        );
    }

    #[test]
    fn rules_that_differ_stay_different() {
        let one = IptablesRule::parse("-A c -p tcp --dport 443 -j ACCEPT");
        for other in [
            "-A c -p tcp --dport 443 -j DROP",
            "-A c -p udp --dport 443 -j ACCEPT",
            "-A c -p tcp ! --dport 443 -j ACCEPT",
            "-A c -p tcp --dport 443 -i eth0 -j ACCEPT",
            "-A d -p tcp --dport 443 -j ACCEPT",
        ] {
            assert_ne!(one, IptablesRule::parse(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".*") {
            let _ = IptablesRule::parse(&line);
            let _ = IptablesRule::parse(&format!("-A c {line}"));
        }
    }

    #[test]
    fn a_quoted_text_is_no_option() {
        let rule = IptablesRule::parse(r#"-A c -m comment --comment "-j DROP" -j ACCEPT"#).unwrap();
        assert_eq!(rule.target(), Some("ACCEPT"));
        assert_eq!(rule.value("--comment"), Some("-j DROP"));
        assert!(!rule.is_unconditional());
    }
}
