//! The patterns by which sshd admits users and addresses: `ssh_config(5)`, "PATTERNS".

use std::net::IpAddr;

use ipnet::IpNet;

/// What a list of host patterns says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// A pattern matches.
    Yes,
    /// None matches.
    No,
    /// A pattern with `!` matches, which ends the matter.
    Negated,
}

/// Whether `text` is what `pattern` with `*` and `?` stands for.
pub(super) fn wildcard(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern) = (0, 0);
    // Where the last `*` stands, and up to where it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(c) if *c == '?' || *c == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            Some(_) | None => {
                let Some((place, eaten)) = star else {
                    return false;
                };
                star = Some((place, eaten + 1));
                at = eaten + 1;
                in_pattern = place + 1;
            }
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == '*')
}

/// What a list such as `10.0.0.0/8,!10.0.0.9,2001:db8::*` says of an address. Host names in it match
/// nothing: sshd knows us by our address unless it looks names up (`UseDNS`).
pub(super) fn hosts(address: IpAddr, list: &str) -> Match {
    let text = address.to_string();
    let mut found = Match::No;
    for part in list.split(',').map(str::trim) {
        let (negated, pattern) = match part.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, part),
        };
        let matches = match pattern.parse::<IpNet>() {
            // With host bits set it is no network to sshd either.
            Ok(net) => net.trunc() == net && net.contains(&address),
            Err(_) => wildcard(&text, &pattern.to_ascii_lowercase()),
        };
        match (matches, negated) {
            (true, true) => return Match::Negated,
            (true, false) => found = Match::Yes,
            (false, _) => {}
        }
    }
    found
}

/// Whether a pattern of `AllowUsers` or `DenyUsers` (`USER` or `USER@HOST`) is about this login.
/// Without an address a pattern with a host matches nothing.
pub(super) fn user(name: &str, address: Option<IpAddr>, pattern: &str) -> bool {
    match pattern.split_once('@') {
        None => wildcard(name, pattern),
        Some((user, host)) => {
            wildcard(name, user)
                && address.is_some_and(|address| hosts(address, host) == Match::Yes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_sshd() {
        for (text, pattern) in [
            ("ops", "ops"),
            ("ops", "o*"),
            ("ops", "*"),
            ("ops", "o?s"),
            ("ops", "*s"),
            ("ops", "ops*"),
            ("a-b-c", "*-c"),
            ("", "*"),
        ] {
            assert!(wildcard(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("ops", "op"),
            ("ops", "?"),
            ("ops", "!german"),
            ("ops", ""),
            ("Ops", "ops"),
            ("opsx", "*s"),
        ] {
            assert!(!wildcard(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn lists_of_hosts_know_networks_and_negation() {
        let here: IpAddr = "10.77.0.1".parse().unwrap();
        assert_eq!(hosts(here, "192.0.2.1,10.77.0.0/24"), Match::Yes);
        assert_eq!(hosts(here, "10.77.0.*"), Match::Yes);
        assert_eq!(hosts(here, "10.77.0.0/24,!10.77.0.1"), Match::Negated);
        assert_eq!(hosts(here, "192.0.2.0/24,bastion.example"), Match::No);
        assert_eq!(hosts(here, "10.77.0.9/24"), Match::No);
        let six: IpAddr = "fd77::1".parse().unwrap();
        assert_eq!(hosts(six, "FD77::*"), Match::Yes);
    }

    #[test]
    fn a_user_pattern_may_name_a_host() {
        let here = "10.77.0.1".parse().ok();
        assert!(user("ops", here, "ops@10.77.0.0/24"));
        assert!(!user("ops", here, "ops@192.0.2.1"));
        assert!(!user("ops", here, "!ops"));
        assert!(!user("ops", None, "ops@*"));
        assert!(user("ops", None, "ops"));
    }
}
