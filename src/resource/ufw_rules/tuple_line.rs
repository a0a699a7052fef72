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
fn interface(name: &str) -> Option<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.+,=%@".contains(&b);
    let sound = (1..=15).contains(&name.len()) && name.bytes().all(allowed);
    (sound && name != "." && name != "..").then(|| name.to_owned())
}
