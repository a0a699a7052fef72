//! Where a packet comes from or goes to, as ufw writes it: a network, one address, or anywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 or IPv6. ufw keeps the rules of each in a file and in chains of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `/etc/ufw/user.rules`, chains `ufw-user-…`.
    V4,
    /// `/etc/ufw/user6.rules`, chains `ufw6-user-…`.
    V6,
}

impl Family {
    /// Both, in ufw's order.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// How the names of its chains begin.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::V4 => "ufw",
            Self::V6 => "ufw6",
        }
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The file that holds its rules.
    pub fn file(self) -> &'static str {
        match self {
            Self::V4 => "/etc/ufw/user.rules",
            Self::V6 => "/etc/ufw/user6.rules",
        }
    }

    /// The network that holds every address.
    pub fn everything(self) -> IpNet {
        match self {
            Self::V4 => IpNet::V4(Ipv4Net::default()),
            Self::V6 => IpNet::V6(Ipv6Net::default()),
        }
    }

    /// The family of a network.
    pub fn of(net: IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }
}

/// One end of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// No condition: `0.0.0.0/0` or `::/0`.
    Anywhere,
    /// A network or one address, with the text that stands in the file.
    Net {
        /// As written, in lower case.
        text: String,
        /// The network meant, host bits cleared.
        net: IpNet,
    },
    /// A netmask with holes such as `10.0.0.0/255.0.255.0`, which ufw takes and no prefix expresses.
    Masked(String),
}

impl Address {
    /// Reads what ufw wrote for `family`. `None` for what ufw would not have taken.
    pub fn parse(text: &str, family: Family) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if matches!(text.as_str(), "any" | "0.0.0.0/0" | "::/0") {
            return Some(Self::Anywhere);
        }
        let (host, mask) = match text.split_once('/') {
            Some((host, mask)) => (host, Some(mask)),
            None => (text.as_str(), None),
        };
        let address: IpAddr = host.parse().ok()?;
        match (family, address) {
            (Family::V4, IpAddr::V4(address)) => masked(&text, address, mask),
            (Family::V6, IpAddr::V6(address)) => prefixed(&text, address, mask),
            (Family::V4 | Family::V6, IpAddr::V4(_) | IpAddr::V6(_)) => None,
        }
    }

    /// A network in the form in which ufw normalises it: no prefix on a single address.
    pub fn from_net(net: IpNet) -> Self {
        let net = net.trunc();
        if net.prefix_len() == 0 {
            return Self::Anywhere;
        }
        let text = if net.prefix_len() == net.max_prefix_len() {
            net.addr().to_string()
        } else {
            net.to_string()
        };
        Self::Net { text, net }
    }

    /// The form in which ufw compares addresses. For IPv6 ufw leaves host bits alone, and so do we.
    #[must_use]
    pub fn normalized(&self) -> Self {
        match self {
            Self::Anywhere | Self::Masked(_) => self.clone(),
            Self::Net {
                net: IpNet::V4(_), ..
            } => self.net().map_or_else(|| self.clone(), Self::from_net),
            Self::Net { text, net } => Self::Net {
                text: canonical_v6(text).unwrap_or_else(|| text.clone()),
                net: *net,
            },
        }
    }

    /// The network meant. `None` for anywhere, and for masks with holes.
    pub fn net(&self) -> Option<IpNet> {
        match self {
            Self::Net { net, .. } => Some(*net),
            Self::Anywhere | Self::Masked(_) => None,
        }
    }

    /// As it stands in a tuple line of `family`.
    pub fn text(&self, family: Family) -> &str {
        match (self, family) {
            (Self::Anywhere, Family::V4) => "0.0.0.0/0",
            (Self::Anywhere, Family::V6) => "::/0",
            (Self::Net { text, .. } | Self::Masked(text), Family::V4 | Family::V6) => text,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anywhere => f.write_str("anywhere"),
            Self::Net { text, .. } | Self::Masked(text) => f.write_str(text),
        }
    }
}

fn masked(text: &str, address: Ipv4Addr, mask: Option<&str>) -> Option<Address> {
    let prefix = match mask {
        None => Some(32),
        Some(mask) if mask.contains('.') => {
            let mask: Ipv4Addr = mask.parse().ok()?;
            ipnet::ipv4_mask_to_prefix(mask).ok()
        }
        Some(mask) => Some(decimal(mask)?),
    };
    let text = text.to_owned();
    match prefix {
        Some(prefix) => Some(Address::Net {
            text,
            net: IpNet::V4(Ipv4Net::new(address, prefix).ok()?.trunc()),
        }),
        None => Some(Address::Masked(text)),
    }
}

fn prefixed(text: &str, address: Ipv6Addr, mask: Option<&str>) -> Option<Address> {
    let prefix = mask.map_or(Some(128), decimal)?;
    Some(Address::Net {
        text: text.to_owned(),
        net: IpNet::V6(Ipv6Net::new(address, prefix).ok()?.trunc()),
    })
}

fn decimal(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn canonical_v6(text: &str) -> Option<String> {
    let (host, prefix) = text.split_once('/').unwrap_or((text, "128"));
    let host: Ipv6Addr = host.parse().ok()?;
    Some(match prefix {
        "128" => host.to_string(),
        prefix => format!("{host}/{prefix}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str, family: Family) {
        let address = Address::parse(text, family).unwrap();
        assert_eq!(address.text(family), text);
    }

    #[test]
    fn every_form_that_ufw_writes_keeps_its_text() {
        for text in [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "192.0.2.7",
            "10.0.0.0/255.0.255.0",
        ] {
            same(text, Family::V4);
        }
        for text in ["::/0", "2400:cb00::/32", "2001:db8::7", "2400:cb00::1/32"] {
            same(text, Family::V6);
        }
    }

    #[test]
    fn the_other_family_and_nonsense_are_refused() {
        assert_eq!(Address::parse("2001:db8::1", Family::V4), None);
        assert_eq!(Address::parse("192.0.2.1", Family::V6), None);
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/+8",
            "x",
            "1.2.3.4/",
        ] {
            assert_eq!(Address::parse(text, Family::V4), None, "{text}");
        }
    }

    #[test]
    fn normalising_is_ufws_own() {
        let normal = |text: &str, family: Family| {
            let address = Address::parse(text, family).unwrap().normalized();
            address.text(family).to_owned()
        };
        assert_eq!(normal("10.1.2.3/255.0.0.0", Family::V4), "10.0.0.0/8");
        assert_eq!(normal("192.0.2.7/32", Family::V4), "192.0.2.7");
        assert_eq!(normal("2001:DB8:0::7/128", Family::V6), "2001:db8::7");
        assert_eq!(normal("2400:cb00::1/32", Family::V6), "2400:cb00::1/32");
    }

    #[test]
    fn a_mask_with_holes_stays_a_text() {
        let address = Address::parse("10.0.0.0/255.0.255.0", Family::V4).unwrap();
        assert_eq!(address.net(), None);
        assert_ne!(address, Address::Anywhere);
    }
}
