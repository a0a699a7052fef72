//! Ports and addresses: what sshd's files make it listen on, and what must change for exactly our ports.
//!
//! `Port` and `ListenAddress` add up over all files. A `ListenAddress` without a port takes every `Port`; one
//! with a port takes no other. So a port comes by lines of our own, and goes only by commenting out the
//! lines of others that say it.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::directive::Directive;
use crate::value::Port;

/// An address with a port, as `sshd -T` and `ss` write it: `0.0.0.0:22`, `[::]:22`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) address: IpAddr,
    pub(super) port: u16,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}:{}", self.port),
            IpAddr::V6(address) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl Spot {
    /// Reads `address:port`; an interface behind a link-local address is left out.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, port) = text.rsplit_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let address = address.split('%').next()?;
        Some(Self {
            address: address.parse().ok()?,
            port: port.parse().ok()?,
        })
    }
}

/// The spots in a row, for the operator.
pub(super) fn in_words<'a>(spots: impl IntoIterator<Item = &'a Spot>) -> String {
    let words: Vec<String> = spots.into_iter().map(Spot::to_string).collect();
    words.join(" ")
}

/// What a `ListenAddress` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listen {
    host: String,
    port: Option<u16>,
    /// ` rdomain NAME`, or nothing.
    rest: String,
}

impl Listen {
    fn parse(args: &str) -> Self {
        let args = args.trim_matches('"');
        let (word, rest) = args.split_once([' ', '\t']).unwrap_or((args, ""));
        let rest = if rest.is_empty() {
            String::new()
        } else {
            format!(" {}", rest.trim())
        };
        let (host, port) = match word
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
        {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None if word.matches(':').count() == 1 => {
                let (host, port) = word.split_once(':').unwrap_or((word, ""));
                (host, Some(port))
            }
            None => (word, None),
        };
        Self {
            host: host.to_owned(),
            port: port.and_then(|port| port.parse().ok()),
            rest,
        }
    }

    fn with(&self, port: u16) -> String {
        let Self { host, rest, .. } = self;
        let bare = host.contains(':');
        let host = if bare {
            format!("[{host}]")
        } else {
            host.clone()
        };
        format!("ListenAddress {host}:{port}{rest}")
    }

    fn same_place(&self, other: &Self) -> bool {
        self.host == other.host && self.rest == other.rest
    }
}

/// Lines of the global section with this keyword.
fn global<'a>(all: &'a [Directive], keyword: &'a str) -> impl Iterator<Item = &'a Directive> {
    let fits = move |line: &&Directive| line.keyword == keyword && line.condition.is_none();
    all.iter().filter(fits)
}

fn port_of(line: &Directive) -> Option<u16> {
    line.args.trim_matches('"').parse().ok()
}

/// Where sshd listens by these lines.
///
/// # Errors
/// The line that names no address but a host, which only the host can look up.
pub(super) fn spots(all: &[Directive]) -> Result<BTreeSet<Spot>, Directive> {
    let mut ports: Vec<u16> = global(all, "port").filter_map(port_of).collect();
    if ports.is_empty() {
        ports.push(22);
    }
    let mut spots = BTreeSet::new();
    for line in global(all, "listenaddress") {
        let listen = Listen::parse(&line.args);
        let Ok(address) = listen
            .host
            .split('%')
            .next()
            .unwrap_or("")
            .parse::<IpAddr>()
        else {
            return Err(line.clone());
        };
        let ports = listen.port.map_or_else(|| ports.clone(), |port| vec![port]);
        spots.extend(ports.into_iter().map(|port| Spot { address, port }));
    }
    if spots.is_empty() {
        let family = global(all, "addressfamily")
            .next()
            .map_or("any", |line| line.args.as_str());
        let everywhere = [("inet6", "0.0.0.0"), ("inet", "::")];
        let addresses = everywhere
            .iter()
            .filter(|(other, _)| !family.eq_ignore_ascii_case(other));
        let addresses = addresses.filter_map(|(_, address)| address.parse().ok());
        let all = addresses.flat_map(|address: IpAddr| {
            ports.iter().map(move |port| Spot {
                address,
                port: *port,
            })
        });
        spots.extend(all);
    }
    Ok(spots)
}

/// The lines about ports that our drop-in needs, and those of others that must go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    /// For our drop-in.
    pub(super) lines: Vec<String>,
    /// Lines of others that make sshd listen on a port that nobody asked for.
    pub(super) stale: Vec<Directive>,
}

/// `all` with our drop-in as it is, whose addresses are kept: they stand for lines that went.
pub(super) fn wanted(all: &[Directive], own: &str, ports: &[Port]) -> Wanted {
    let ports: Vec<u16> = ports.iter().map(|port| port.get()).collect();
    let unasked = |port: Option<u16>| port.is_some_and(|port| !ports.contains(&port));
    let others = |keyword| global(all, keyword).filter(move |line| line.path != own);
    let listen = |line: &Directive| Listen::parse(&line.args);
    let stale_ports = others("port").filter(|line| unasked(port_of(line)));
    let stale_addresses = others("listenaddress").filter(|line| unasked(listen(line).port));
    let stale = stale_ports.chain(stale_addresses).cloned().collect();
    // Said twice, a port is bound twice: sshd complains, and a socket unit fails altogether.
    let said: Vec<u16> = others("port").filter_map(port_of).collect();
    let unsaid = ports.iter().filter(|port| !said.contains(port));
    let mut lines: Vec<String> = unsaid.map(|port| format!("Port {port}")).collect();
    let theirs: Vec<Listen> = others("listenaddress").map(listen).collect();
    let ours = global(all, "listenaddress").filter(|line| line.path == own);
    let mut places: Vec<Listen> = Vec::new();
    for one in theirs.iter().cloned().chain(ours.map(listen)) {
        if one.port.is_some() && !places.iter().any(|place| place.same_place(&one)) {
            places.push(one);
        }
    }
    for place in &places {
        for port in &ports {
            let says =
                |one: &&Listen| one.port.is_none_or(|said| said == *port) && one.same_place(place);
            if theirs.iter().find(says).is_none() {
                lines.push(place.with(*port));
            }
        }
    }
    Wanted { lines, stale }
}

/// Of the spots that the files say, those that can be seen: not of a family that the host does not have,
/// and not of an address that it does not have.
pub(super) fn visible(said: &BTreeSet<Spot>, seen: &[Spot]) -> BTreeSet<Spot> {
    let here = |spot: &&Spot| seen.iter().any(|one| one.address == spot.address);
    let visible: BTreeSet<Spot> = said.iter().filter(here).cloned().collect();
    if visible.is_empty() {
        said.clone()
    } else {
        visible
    }
}

/// Whether sshd listens on exactly the ports of these spots, and on each of them.
pub(super) fn fits(wanted: &BTreeSet<Spot>, seen: &[Spot]) -> bool {
    let ports = |spots: &mut dyn Iterator<Item = &Spot>| {
        spots.map(|spot| spot.port).collect::<BTreeSet<u16>>()
    };
    let same = ports(&mut wanted.iter()) == ports(&mut seen.iter());
    same && wanted.iter().all(|spot| seen.contains(spot))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Directive> {
        let line = |(index, line): (usize, &str)| {
            let (path, rest) = line.split_once(": ").unwrap();
            let (keyword, args) = rest.split_once(' ').unwrap();
            Directive {
                path: path.to_owned(),
                line: index + 1,
                keyword: keyword.to_ascii_lowercase(),
                args: args.to_owned(),
                condition: None,
            }
        };
        text.lines().enumerate().map(line).collect()
    }

    fn spots_of(text: &str) -> String {
        in_words(&spots(&lines(text)).unwrap())
    }

    fn wanted_of(text: &str, ports: &[u16]) -> (Vec<String>, Vec<usize>) {
        let ports: Vec<Port> = ports
            .iter()
            .map(|port| Port::try_from(*port).unwrap())
            .collect();
        let wanted = wanted(&lines(text), "own", &ports);
        (
            wanted.lines,
            wanted.stale.iter().map(|line| line.line).collect(),
        )
    }

    #[test]
    fn where_sshd_listens_follows_from_all_lines() {
        assert_eq!(spots_of(""), "0.0.0.0:22 [::]:22");
        assert_eq!(
            spots_of("m: AddressFamily inet\nm: Port 2222"),
            "0.0.0.0:2222"
        );
        assert_eq!(
            spots_of("o: Port 22\nm: Port 2222\nm: ListenAddress fd77::1"),
            "[fd77::1]:22 [fd77::1]:2222"
        );
        assert_eq!(
            spots_of("m: ListenAddress 10.0.0.1:22\nm: ListenAddress [::1]:24\no: Port 2222"),
            "10.0.0.1:22 [::1]:24"
        );
        assert_eq!(spots(&lines("m: ListenAddress box")).unwrap_err().line, 1);
    }

    #[test]
    fn a_port_in_an_address_gets_company_of_our_own_and_goes_only_by_its_line() {
        let text = "m: Port 22\nm: ListenAddress 10.0.0.1:22\nm: ListenAddress fd77::1";
        assert_eq!(
            wanted_of(text, &[22, 2222]),
            (
                vec!["Port 2222".into(), "ListenAddress 10.0.0.1:2222".into()],
                vec![]
            )
        );
        assert_eq!(
            wanted_of(text, &[2222]),
            (
                vec!["Port 2222".into(), "ListenAddress 10.0.0.1:2222".into()],
                vec![1, 2]
            )
        );
    }

    #[test]
    fn addresses_of_lines_that_went_are_kept() {
        let text = "own: Port 2222\nown: ListenAddress [fd77::1]:2222 rdomain x";
        let (lines, stale) = wanted_of(text, &[22, 2222]);
        assert_eq!(
            lines[2..],
            [
                "ListenAddress [fd77::1]:22 rdomain x",
                "ListenAddress [fd77::1]:2222 rdomain x"
            ]
        );
        assert!(stale.is_empty());
    }

    #[test]
    fn a_family_that_the_host_does_not_have_is_not_missed() {
        let said = spots(&lines("o: Port 22\no: Port 24")).unwrap();
        let seen = |text: &str| text.split(' ').filter_map(Spot::parse).collect::<Vec<_>>();
        let four = seen("0.0.0.0:22");
        assert_eq!(in_words(&visible(&said, &four)), "0.0.0.0:22 0.0.0.0:24");
        assert!(!fits(&visible(&said, &four), &four));
        assert!(fits(&visible(&said, &four), &seen("0.0.0.0:22 0.0.0.0:24")));
        assert!(!fits(&said, &seen("0.0.0.0:22 0.0.0.0:24 [::]:22")));
    }
}
