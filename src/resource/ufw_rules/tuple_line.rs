//! Reads a tuple line the way ufw reads it.
//!
//! ufw is lenient (any white space, six to nine fields, capitals in the action); so is this. What
//! ufw would skip as malformed is `None` here, and stays in the file untouched.

use super::address::{Address, Family};
use super::comment::Comment;
use super::tuple::{Action, Direction, Log, MARK, Match, Protocol, Tuple};

/// Reads one line of the file of `family`. `None` when it is no tuple line, or one ufw would skip.
pub fn parse(line: &str, family: Family) -> Option<Tuple> {
    let rest = line.strip_prefix(MARK)?;
    let (rest, comment) = match rest.split_once(" comment=") {
        Some((rest, hex)) => (rest, Some(Comment::from_hex(hex.trim())?)),
        None => (rest, None),
    };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let (fixed, apps, way) = split_fields(&fields)?;
    let [verb, protocol, dport, dst, sport, src] = fixed;
    let verb = Verb::parse(verb)?;
    let way = Way::parse(way)?;
    // A comment behind other white space than a blank is none to ufw, and as a profile it could not be written back.
    if apps.iter().any(|app| app.starts_with("comment=")) {
        return None;
    }
    let [dapp, sapp] = apps.map(profile);
    Some(Tuple {
        family,
        action: verb.action,
        log: verb.log,
        matching: Match {
            route: verb.route,
            protocol: Protocol::from_word(protocol)?,
            dport: dport.parse().ok()?,
            dst: Address::parse(dst, family)?,
            sport: sport.parse().ok()?,
            src: Address::parse(src, family)?,
            dapp,
            sapp,
            direction: way.direction,
            interface_in: way.interface_in,
            interface_out: way.interface_out,
        },
        comment,
    })
}

/// The six fixed fields, the two profiles (`-` when absent) and the way (`in` when absent: files
/// older than ufw 0.30 have none).
fn split_fields<'a>(fields: &[&'a str]) -> Option<([&'a str; 6], [&'a str; 2], &'a str)> {
    let fixed = *fields.first_chunk::<6>()?;
    match fields.get(6..).unwrap_or_default() {
        [] => Some((fixed, ["-", "-"], "in")),
        [way] => Some((fixed, ["-", "-"], way)),
        [dapp, sapp] => Some((fixed, [dapp, sapp], "in")),
        [dapp, sapp, way] => Some((fixed, [dapp, sapp], way)),
        _ => None,
    }
}

fn profile(text: &str) -> Option<String> {
    (text != "-").then(|| text.replace("%20", " "))
}

/// `allow`, `deny_log`, `route:limit_log-all`.
struct Verb {
    route: bool,
    action: Action,
    log: Log,
}

impl Verb {
    fn parse(text: &str) -> Option<Self> {
        let (route, text) = match text.split_once(':') {
            Some(("route", text)) => (true, text),
            Some(_) => return None,
            None => (false, text),
        };
        let text = text.to_ascii_lowercase();
        let (action, log) = text.split_once('_').unwrap_or((&text, ""));
        Some(Self {
            route,
            action: Action::from_word(action)?,
            log: Log::from_word(log)?,
        })
    }
}

/// `in`, `out_eth0`, `in_eth0!out_wg0`.
struct Way {
    direction: Direction,
    interface_in: Option<String>,
    interface_out: Option<String>,
}

impl Way {
    fn parse(text: &str) -> Option<Self> {
        if let Some((inward, outward)) = text.split_once('!') {
            return Some(Self {
                direction: Direction::In,
                interface_in: Some(interface(inward.strip_prefix("in_")?)?),
                interface_out: Some(interface(outward.strip_prefix("out_")?)?),
            });
        }
        let (direction, name) = match text.split_once('_') {
            Some((direction, name)) => (direction, Some(interface(name)?)),
            None => (text, None),
        };
        Some(match Direction::from_word(direction)? {
            Direction::In => Self {
                direction: Direction::In,
                interface_in: name,
                interface_out: None,
            },
            Direction::Out => Self {
                direction: Direction::Out,
                interface_in: None,
                interface_out: name,
            },
        })
    }
}

/// What ufw takes for the name of an interface (`UFWRule.set_interface`).
pub fn interface(name: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.+,=%@".contains(&b);
    let sound = (1..=15).contains(&name.len()) && name.bytes().all(allowed);
    (sound && name != "." && name != "..").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_family, any_tuple, captured};
    use super::*;

    fn v4(fields: &str) -> Option<Tuple> {
        parse(&format!("{MARK} {fields}"), Family::V4)
    }

    #[test]
    fn every_line_that_ufw_wrote_comes_back_byte_for_byte() {
        let mut count = 0;
        for (name, family, bytes) in captured() {
            let text = String::from_utf8(bytes).unwrap();
            for line in text.lines().filter(|line| line.starts_with(MARK)) {
                let tuple = parse(line, family);
                assert_eq!(
                    tuple.map(|t| t.to_string()).as_deref(),
                    Some(line),
                    "{name}"
                );
                count += 1;
            }
        }
        assert!(count > 400, "only {count} lines");
    }

    #[test]
    fn a_rule_with_everything_is_understood() {
        let rule = v4(
            "route:limit_log-all udp 53,80:90 10.9.0.0/16 any 10.0.0.0/8 Web%20Full - \
                       in_eth0!out_wg0 comment=6f6b",
        )
        .unwrap();
        assert!(rule.matching.route);
        assert_eq!((rule.action, rule.log), (Action::Limit, Log::All));
        assert_eq!(rule.matching.dapp.as_deref(), Some("Web Full"));
        assert_eq!(rule.matching.interface_in.as_deref(), Some("eth0"));
        assert_eq!(rule.matching.interface_out.as_deref(), Some("wg0"));
        assert_eq!(rule.comment_shown(), "ok");
    }

    #[test]
    fn old_files_without_a_direction_mean_in() {
        let rule = v4("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0").unwrap();
        assert_eq!(rule.matching.direction, Direction::In);
        let profile = v4("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH -").unwrap();
        assert_eq!(profile.matching.dapp.as_deref(), Some("OpenSSH"));
    }

    #[test]
    fn what_ufw_would_skip_is_no_rule() {
        for fields in [
            "",
            "allow tcp 22 0.0.0.0/0 any",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 a b in extra",
            "permit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow sctp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp ssh 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow tcp 22 2001:db8::/32 any 0.0.0.0/0 in",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in_a/b",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 sideways",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=xyz",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in_eth0\tcomment=6f6b",
        ] {
            assert_eq!(v4(fields), None, "{fields}");
        }
    }

    #[test]
    fn identity_is_everything_but_action_log_and_comment() {
        let one = v4("allow tcp 443,80 0.0.0.0/0 any 10.1.2.3/8 in comment=6f6b").unwrap();
        let two = v4("deny_log tcp 80,443 0.0.0.0/0 any 10.0.0.0/8 in").unwrap();
        assert!(one.same_rule(&two));
        let other = v4("allow tcp 80,443 0.0.0.0/0 any 10.0.0.0/8 in_eth0").unwrap();
        assert!(!one.same_rule(&other));
    }

    proptest! {
        #[test]
        fn formatting_and_parsing_are_inverse(tuple in any_tuple()) {
            prop_assert_eq!(parse(&tuple.to_string(), tuple.family), Some(tuple));
        }

        #[test]
        fn no_line_makes_it_panic(line in ".*", family in any_family()) {
            let _ = parse(&line, family);
            let _ = parse(&format!("{MARK} {line}"), family);
        }

        #[test]
        fn a_mangled_line_formats_to_what_it_means(
            tuple in any_tuple(), at in any::<prop::sample::Index>(), with in any::<char>(),
        ) {
            let mut chars: Vec<char> = tuple.to_string().chars().collect();
            let at = at.index(chars.len());
            chars[at] = with;
            let line: String = chars.into_iter().collect();
            if let Some(read) = parse(&line, tuple.family) {
                let written = read.to_string();
                prop_assert_eq!(parse(&written, tuple.family), Some(read));
            }
        }
    }
}
