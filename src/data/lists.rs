//! Named lists of networks, and arithmetic on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::value::Cidr;

/// Lists by name. Each is ascending, without duplicates, and no network holds another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lists(BTreeMap<String, Vec<Cidr>>);

impl Lists {
    /// Adds a list, putting it in order: a publisher that shuffles changes nothing.
    pub(super) fn insert(&mut self, name: &str, mut list: Vec<Cidr>) {
        list.sort();
        self.0.insert(name.to_owned(), list);
    }

    /// The list of that name; empty when there is none.
    pub fn get(&self, name: &str) -> &[Cidr] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Cidr])> {
        self.0
            .iter()
            .map(|(name, list)| (name.as_str(), list.as_slice()))
    }

    /// How many networks, over all lists.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there is no network at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For templates: names to lists of texts.
    pub(super) fn to_value(&self) -> Value {
        let texts = |list: &[Cidr]| list.iter().map(ToString::to_string).collect::<Value>();
        let lists = self
            .iter()
            .map(|(name, list)| (name.to_owned(), texts(list)));
        Value::Object(lists.collect())
    }

    /// SHA-256 over names and networks, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (name, list) in self.iter() {
            hash.update(format!("{name}\n"));
            for cidr in list {
                hash.update(format!(
                    "{cidr}
"
                ));
            }
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// How many addresses a network has; 2¹²⁸ − 1 for the whole of IPv6, which no guard lets pass.
fn size(net: IpNet) -> u128 {
    let bits = u32::from(net.max_prefix_len() - net.prefix_len());
    1u128.checked_shl(bits).unwrap_or(u128::MAX)
}

/// How many addresses are in the networks, none of which holds another.
pub(super) fn addresses(list: &[Cidr]) -> u128 {
    list.iter()
        .fold(0, |sum, cidr| sum.saturating_add(size(cidr.net())))
}

/// How many addresses are in both. Two networks share all addresses of the smaller one or none.
pub(super) fn shared(left: &[Cidr], right: &[Cidr]) -> u128 {
    let both = |a: IpNet, b: IpNet| {
        if a.contains(&b) {
            size(b)
        } else if b.contains(&a) {
            size(a)
        } else {
            0
        }
    };
    let pairs = left
        .iter()
        .flat_map(|a| right.iter().map(move |b| both(a.net(), b.net())));
    pairs.fold(0, u128::saturating_add)
}

/// The networks of `left` that are not in `right`.
pub(super) fn missing<'a>(left: &'a [Cidr], right: &[Cidr]) -> Vec<&'a Cidr> {
    let right: BTreeSet<&Cidr> = right.iter().collect();
    left.iter().filter(|cidr| !right.contains(cidr)).collect()
}

/// `a, b, c and 12 more`.
pub(super) fn enumerate(items: &[impl ToString]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = items.iter().take(SHOWN).map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match items.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidrs(texts: &[&str]) -> Vec<Cidr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn shared_addresses_are_counted_once() {
        let before = cidrs(&["104.16.0.0/12", "131.0.72.0/22"]);
        let after = cidrs(&["104.16.0.0/13", "104.24.0.0/14", "131.0.72.0/22"]);
        assert_eq!(addresses(&before), 1_048_576 + 1024);
        assert_eq!(shared(&before, &after), 524_288 + 262_144 + 1024);
        assert_eq!(
            shared(&cidrs(&["::/0"]), &cidrs(&["2400:cb00::/32"])),
            1 << 96
        );
        assert_eq!(addresses(&cidrs(&["::/0"])), u128::MAX);
    }

    #[test]
    fn the_order_of_publication_does_not_matter() {
        let mut one = Lists::default();
        one.insert("a", cidrs(&["192.0.2.0/24", "131.0.72.0/22"]));
        let mut two = Lists::default();
        two.insert("a", cidrs(&["131.0.72.0/22", "192.0.2.0/24"]));
        assert_eq!(one.digest(), two.digest());
        assert_eq!(
            one.to_value().to_string(),
            r#"{"a":["131.0.72.0/22","192.0.2.0/24"]}"#
        );
    }
}
