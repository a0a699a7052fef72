//! Is this a list of networks of the expected kind, size and place? Pure functions on texts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use super::lists::{self, Lists};
use super::spec::Spec;
use super::special;
use crate::value::Cidr;

/// What a list must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListSpec {
    pub(super) family: Family,
    pub(super) count: Bounds,
    pub(super) prefix: Bounds,
    pub(super) addresses: Option<Bounds>,
}

/// The family of the networks of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// By the look of a text.
    pub(super) fn of(text: &str) -> Self {
        if text.contains(':') {
            Family::Ipv6
        } else {
            Family::Ipv4
        }
    }
}

impl FromStr for Family {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ipv4" => Ok(Family::Ipv4),
            "ipv6" => Ok(Family::Ipv6),
            _ => Err("a family is ipv4 or ipv6".to_owned()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        })
    }
}

/// From the first to the last number, both included; written `10-40`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Bounds {
    fn hold(self, number: u128) -> bool {
        (u128::from(self.min)..=u128::from(self.max)).contains(&number)
    }
}

impl FromStr for Bounds {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "bounds are two whole numbers, the smaller first: 10-40".to_owned();
        let (min, max) = text.split_once('-').ok_or_else(bad)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| bad());
        let bounds = Self {
            min: number(min)?,
            max: number(max)?,
        };
        if bounds.min == 0 || bounds.min > bounds.max {
            return Err(
                "bounds are two whole numbers above 0, the smaller first: 10-40".to_owned(),
            );
        }
        Ok(bounds)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// The lists, when every one of them is as `spec` says. `allowed` are special-purpose blocks that
/// may be named all the same.
///
/// # Errors
/// A sentence that names the list, the entry and the bound.
pub(super) fn check(
    spec: &Spec,
    texts: &BTreeMap<String, Vec<String>>,
    allowed: &[Cidr],
) -> Result<Lists, String> {
    let mut checked = Lists::default();
    for (name, texts) in texts {
        let Some(list) = spec.lists.get(name) else {
            continue;
        };
        checked.insert(name, check_list(name, list, texts, allowed)?);
    }
    Ok(checked)
}

/// One list, when it is as `spec` says.
pub(super) fn check_list(
    name: &str,
    spec: &ListSpec,
    texts: &[String],
    allowed: &[Cidr],
) -> Result<Vec<Cidr>, String> {
    // An answer without end is not looked at entry by entry.
    if u64::try_from(texts.len()).is_ok_and(|count| count > spec.count.max) {
        return Err(wrong_count(name, spec, texts.len()));
    }
    let mut wrong = Vec::new();
    let mut list = Vec::new();
    for text in texts {
        match check_entry(spec, text, allowed) {
            Ok(cidr) => list.push(cidr),
            Err(why) => wrong.push(format!("{} in `{name}` {why}", shown(text))),
        }
    }
    if let Some(first) = wrong.first() {
        return Err(match wrong.len() - 1 {
            0 => first.clone(),
            1 => format!("{first}; 1 more entry is wrong"),
            more => format!("{first}; {more} more entries are wrong"),
        });
    }
    check_whole(name, spec, &mut list)?;
    Ok(list)
}

/// One entry: a network of the right family, canonical, neither too big nor too small, in public space.
pub(super) fn check_entry(spec: &ListSpec, text: &str, allowed: &[Cidr]) -> Result<Cidr, String> {
    let cidr: Cidr = match text.parse() {
        Ok(cidr) => cidr,
        Err(_) if text.parse::<std::net::IpAddr>().is_ok() => {
            return Err("has no prefix length".to_owned());
        }
        Err(error) => return Err(format!("is refused: {error}")),
    };
    let family = if cidr.is_ipv4() {
        Family::Ipv4
    } else {
        Family::Ipv6
    };
    if family != spec.family {
        return Err(format!(
            "is {family}, but the list is of {} networks",
            spec.family
        ));
    }
    check_place(spec, cidr.net(), allowed)?;
    Ok(cidr)
}

/// Its size, and that it has no special-purpose addresses. Of a private network one wants to know
/// that it is private, of the whole internet that it is too big.
fn check_place(spec: &ListSpec, net: IpNet, allowed: &[Cidr]) -> Result<(), String> {
    let allowed = allowed.iter().any(|allowed| allowed.net().contains(&net));
    let special = special::block_of(net).filter(|_| !allowed);
    let reaches = |(block, purpose)| format!("reaches into {block} ({purpose})");
    if let Some(found) = special.filter(|(block, _)| block.contains(&net)) {
        return Err(reaches(found));
    }
    let prefix = net.prefix_len();
    if !spec.prefix.hold(prefix.into()) {
        return Err(format!(
            "has the prefix length {prefix}; {} are expected",
            spec.prefix
        ));
    }
    special.map_or(Ok(()), |found| Err(reaches(found)))
}

/// The list as a whole. Puts it in order.
fn check_whole(name: &str, spec: &ListSpec, list: &mut [Cidr]) -> Result<(), String> {
    list.sort();
    // In ascending order whatever holds a network stands right before what it holds.
    let mut before: Option<&Cidr> = None;
    for cidr in list.iter() {
        match before {
            Some(before) if before == cidr => {
                return Err(format!("{cidr} stands twice in `{name}`"));
            }
            Some(before) if before.net().contains(&cidr.net()) => {
                return Err(format!("{cidr} in `{name}` is contained in {before}"));
            }
            Some(_) | None => before = Some(cidr),
        }
    }
    if !spec.count.hold(list.len() as u128) {
        return Err(wrong_count(name, spec, list.len()));
    }
    let addresses = lists::addresses(list);
    match spec.addresses {
        Some(bounds) if !bounds.hold(addresses) => Err(format!(
            "`{name}` has {addresses} addresses; {bounds} are expected"
        )),
        Some(_) | None => Ok(()),
    }
}

fn wrong_count(name: &str, spec: &ListSpec, count: usize) -> String {
    let entries = if count == 1 { "entry" } else { "entries" };
    format!(
        "`{name}` has {count} {entries}; {} are expected",
        spec.count
    )
}

/// A text of a stranger in a message: short, and nothing but printable characters.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let printable = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    let mut shown: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{built_in, cloudflare};
    use super::*;
    use proptest::prelude::*;

    /// What is said of Cloudflare's IPv4 list when `change` was done to it.
    fn ipv4(change: impl FnOnce(&mut Vec<String>)) -> String {
        refused("ipv4", change, &[])
    }

    fn refused(list: &str, change: impl FnOnce(&mut Vec<String>), allowed: &[&str]) -> String {
        let spec = cloudflare();
        let mut texts = built_in(list);
        change(&mut texts);
        let allowed: Vec<Cidr> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        match check_list(list, &spec.lists[list], &texts, &allowed) {
            Ok(_) => "good".to_owned(),
            Err(why) => why,
        }
    }

    fn with(entry: &str) -> String {
        ipv4(|list| list.push(entry.to_owned()))
    }

    #[test]
    fn the_real_lists_are_good() {
        assert_eq!(ipv4(|_| {}), "good");
        assert_eq!(refused("ipv6", |_| {}, &[]), "good");
    }

    #[test]
    fn every_entry_is_a_canonical_network_of_the_family() {
        assert_eq!(
            with("192.0.3.1/24"),
            "`192.0.3.1/24` in `ipv4` is refused: host bits are set; the network is 192.0.3.0/24"
        );
        assert_eq!(
            with("192.0.3.0"),
            "`192.0.3.0` in `ipv4` has no prefix length"
        );
        assert_eq!(
            with("2606:4700::/32"),
            "`2606:4700::/32` in `ipv4` is IPv6, but the list is of IPv4 networks"
        );
        assert_eq!(
            with("131.0.72.0/222400:cb00::/32"),
            "`131.0.72.0/222400:cb00::/32` in `ipv4` is refused: not a network such as 192.0.2.0/24 or 2001:db8::/32"
        );
        assert!(with("").contains("is refused"));
        assert!(with(" 5.6.7.0/24").contains("is refused"));
        assert!(with("5.6.7.0/024").contains("is refused"));
        let upper = refused("ipv6", |list| list[0] = "2400:CB00::/32".to_owned(), &[]);
        assert_eq!(
            upper,
            "`2400:CB00::/32` in `ipv6` is refused: not in canonical form; write 2400:cb00::/32"
        );
    }

    #[test]
    fn hostile_entries_are_shown_short_and_printable() {
        let said = with(&format!("\u{1b}[31m{}", "x".repeat(500)));
        assert!(said.starts_with("`\\u{1b}[31mxxx"), "{said}");
        assert!(said.len() < 200, "{said}");
    }

    #[test]
    fn networks_are_neither_too_big_nor_too_small() {
        assert_eq!(
            with("0.0.0.0/0"),
            "`0.0.0.0/0` in `ipv4` has the prefix length 0; 11 to 24 are expected"
        );
        assert!(with("80.0.0.0/10").contains("prefix length 10"));
        assert!(with("80.0.0.0/25").contains("prefix length 25"));
        let all = refused("ipv6", |list| list.push("::/0".to_owned()), &[]);
        assert!(all.contains("prefix length 0"), "{all}");
    }

    #[test]
    fn special_purpose_blocks_are_refused_unless_a_lab_allows_them() {
        assert_eq!(
            with("10.0.0.0/16"),
            "`10.0.0.0/16` in `ipv4` reaches into 10.0.0.0/8 (private addresses)"
        );
        assert_eq!(
            with("203.0.113.0/24"),
            "`203.0.113.0/24` in `ipv4` reaches into 203.0.113.0/24 (documentation)"
        );
        // A network around a small block touches it as well.
        assert!(with("192.0.0.0/16").contains("192.0.0.0/24"));
        let add = |entry: &'static str| move |list: &mut Vec<String>| list.push(entry.to_owned());
        assert_eq!(
            refused("ipv4", add("203.0.113.0/24"), &["203.0.113.0/24"]),
            "good"
        );
        assert!(
            refused("ipv4", add("198.51.100.0/24"), &["203.0.113.0/24"])
                .contains("198.51.100.0/24")
        );
        assert!(refused("ipv6", add("2001:db8:1::/48"), &[]).contains("2001:db8::/32"));
    }

    #[test]
    fn nothing_stands_twice_and_nothing_in_another() {
        assert_eq!(
            with("131.0.72.0/22"),
            "131.0.72.0/22 stands twice in `ipv4`"
        );
        assert_eq!(
            with("104.16.128.0/20"),
            "104.16.128.0/20 in `ipv4` is contained in 104.16.0.0/13"
        );
        assert_eq!(
            with("104.16.0.0/14"),
            "104.16.0.0/14 in `ipv4` is contained in 104.16.0.0/13"
        );
    }

    #[test]
    fn number_and_space_are_bounded() {
        assert_eq!(
            ipv4(Vec::clear),
            "`ipv4` has 0 entries; 10 to 40 are expected"
        );
        assert_eq!(
            ipv4(|list| list.truncate(8)),
            "`ipv4` has 8 entries; 10 to 40 are expected"
        );
        let many = ipv4(|list| list.extend((0..60).map(|n| format!("80.{n}.0.0/24"))));
        assert_eq!(many, "`ipv4` has 75 entries; 10 to 40 are expected");
        let space = ipv4(|list| list.extend(["80.0.0.0/11".to_owned()]));
        assert_eq!(
            space,
            "`ipv4` has 3621888 addresses; 800000 to 3000000 are expected"
        );
    }

    #[test]
    fn several_wrong_entries_are_counted() {
        let said = ipv4(|list| list.extend(["x".to_owned(), "y".to_owned(), "z".to_owned()]));
        assert!(
            said.starts_with("`x` in `ipv4` is refused")
                && said.ends_with("; 2 more entries are wrong"),
            "{said}"
        );
    }

    proptest! {
        #[test]
        fn any_texts_are_judged_without_panic(texts in prop::collection::vec("[0-9a-f.:/ ]{0,20}|\\PC{0,20}", 0..50)) {
            let spec = cloudflare();
            let _ = check_list("ipv4", &spec.lists["ipv4"], &texts, &[]);
        }

        #[test]
        fn whatever_is_contained_is_found(networks in prop::collection::vec((0u32..64, 8u8..=16), 2..30)) {
            let texts: Vec<String> = networks.iter().map(|(bits, prefix)| {
                let net: ipnet::Ipv4Net = format!("{}/{prefix}", std::net::Ipv4Addr::from(0x5000_0000 + (bits << 16))).parse().unwrap();
                net.trunc().to_string()
            }).collect();
            let spec = ListSpec {
                family: Family::Ipv4,
                count: Bounds { min: 1, max: 100 },
                prefix: Bounds { min: 1, max: 32 },
                addresses: None,
            };
            let nets: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
            let overlap = (0..nets.len()).any(|i| (0..i).any(|j| nets[i].contains(&nets[j]) || nets[j].contains(&nets[i])));
            prop_assert_eq!(check_list("x", &spec, &texts, &[]).is_err(), overlap);
        }
    }
}
