//! For the tests of this kind: files that real ufw wrote, and made-up rules.
//!
//! `tests/fixtures/ufw/debian-*` were written by ufw 0.36, 0.36.2 and 0.36.2 of Debian 11, 12 and 13
//! with iptables 1.8.7, 1.8.9 and 1.8.11, `ufw-0.36.1` by that release's own source: every form of
//! rule that `ufw` takes, with the chains as `iptables -S` printed them afterwards. `logging` holds
//! the same rules at each log level. `answers` is what hosts of the lab answered to our probes:
//! inactive, active with rules of others, after the first apply, and after one range of each family
//! was replaced.

use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::address::{Address, Family};
use super::comment::Comment;
use super::ports::{PortRange, Ports};
use super::tuple::{Action, Direction, Log, Match, Protocol, Tuple};

/// Every captured rules file with its family, by its path below `tests/fixtures/ufw`.
pub(super) fn captured() -> Vec<(String, Family, Vec<u8>)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(fixtures()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path
                .strip_prefix(fixtures())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let family = match () {
                () if name.ends_with(".user.rules") => Family::V4,
                () if name.ends_with(".user6.rules") => Family::V6,
                () => continue,
            };
            found.push((name, family, std::fs::read(&path).unwrap()));
        }
    }
    assert!(found.len() > 20, "the fixtures are gone");
    found
}

/// One captured file.
pub(super) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ufw")
}

prop_compose! {
    /// A rule of any form that ufw writes.
    pub(super) fn any_tuple()(
        family in any_family(),
        action in prop::sample::select(&[Action::Allow, Action::Deny, Action::Reject, Action::Limit][..]),
        log in prop::sample::select(&[Log::Off, Log::New, Log::All][..]),
        comment in prop::option::of(".{1,20}"),
        seed in any::<(u128, u8, u128, u8)>(),
        matching in any_match(),
    ) -> Tuple {
        let address = |bits: u128, prefix: u8| Address::from_net(net(family, bits, prefix));
        Tuple {
            family,
            action,
            log,
            matching: Match {
                src: address(seed.0, seed.1),
                dst: address(seed.2, seed.3),
                ..matching
            },
            comment: comment.map(|text| Comment::of(&text)),
        }
    }
}

/// A rule as we would write it, with a comment of someone else or none.
pub(super) fn any_family() -> impl Strategy<Value = Family> {
    prop::sample::select(&Family::BOTH[..])
}

/// The network of `family` that these bits and this prefix stand for.
pub(super) fn net(family: Family, bits: u128, prefix: u8) -> IpNet {
    let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap();
    match family {
        Family::V4 => IpNet::V4(Ipv4Net::new(low.into(), prefix % 33).unwrap()).trunc(),
        Family::V6 => IpNet::V6(Ipv6Net::new(bits.into(), prefix % 129).unwrap()).trunc(),
    }
}

prop_compose! {
    fn any_match()(
        route in any::<bool>(),
        protocol in prop::sample::select(&[
            Protocol::Any, Protocol::Tcp, Protocol::Udp, Protocol::Ipv6, Protocol::Esp,
            Protocol::Ah, Protocol::Igmp, Protocol::Gre, Protocol::Vrrp,
        ][..]),
        dport in any_ports(),
        sport in any_ports(),
        dapp in prop::option::of("[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8})?"),
        sapp in prop::option::of("[A-Z][a-z]{1,8}"),
        way in 0..5,
        names in ("[a-z0-9_.@]{0,7}[a-z0-9]{2}", "[a-z0-9_+-]{0,7}[a-z0-9]{2}"),
    ) -> Match {
        let direction = if matches!(way, 1 | 4) { Direction::Out } else { Direction::In };
        Match {
            interface_in: matches!(way, 2 | 3).then_some(names.0),
            interface_out: matches!(way, 3 | 4).then_some(names.1),
            route, protocol, dport, sport, dapp, sapp, direction,
            dst: Address::Anywhere,
            src: Address::Anywhere,
        }
    }
}

fn any_ports() -> impl Strategy<Value = Ports> {
    let range = (1u16..65535, 0u16..3).prop_map(|(first, more)| {
        let text = match first.checked_add(more) {
            Some(last) if last > first => format!("{first}:{last}"),
            Some(_) | None => first.to_string(),
        };
        text.parse::<PortRange>().unwrap()
    });
    prop::collection::vec(range, 0..7).prop_map(|ranges| match ranges.as_slice() {
        [] => Ports::Any,
        _ => Ports::List(ranges),
    })
}
