//! A ban as a check: made for real, seen in the packet filter, lifted again.
//!
//! The only check that changes something on the host, and only for a moment: an address that is kept for
//! documentation is banned, so nobody is hit. The host lifts the ban by itself, whatever becomes of us.
//! `verify` makes it, too; a dry run never does.

use std::net::IpAddr;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::check_constant;
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{Cidr, Name, Port};
use crate::yaml::Node;

pub(super) const BAN: Shape = Shape {
    name: "a trial ban",
    fields: &[
        Field::required("jail", Ty::Text, "The jail of fail2ban."),
        Field::required(
            "ports",
            Ty::Texts,
            "Ports that a banned address must not reach, each of them.",
        ),
        Field::optional(
            "addresses",
            Ty::Texts,
            "Addresses kept for documentation (RFC 5737, RFC 3849). Default 192.0.2.123 and 2001:db8::123.",
        ),
    ],
    shorthand: None,
};

/// A ban to try on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The jail.
    pub jail: String,
    /// Ports that the ban must cover.
    pub ports: Vec<Port>,
    /// Addresses kept for documentation.
    pub addresses: Vec<IpAddr>,
}

/// What RFC 5737, RFC 3849 and RFC 9637 keep for documentation.
const DOCUMENTATION: [&str; 5] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001:db8::/32",
    "3fff::/20",
];

const DEFAULT: [&str; 2] = ["192.0.2.123", "2001:db8::123"];

/// Says what is wrong before any value is known.
pub(super) fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Port>(&BAN, node, "ports", out);
    let texts = BAN.texts(node, "addresses").unwrap_or_default();
    for text in texts.iter().filter(|text| text.is_constant()) {
        if let Err(problem) = address(text) {
            out.push(problem);
        }
    }
}

/// Fills in one host's values.
pub(super) fn render(scope: &Scope, node: &Node) -> Result<Ban, Diagnostic> {
    let texts = |key| scope.list(&BAN.texts(node, key).unwrap_or_default());
    let Some(jail) = BAN.text(node, "jail") else {
        return Err(Diagnostic::error("the jail is missing").at(&node.place));
    };
    let jail: Name = scope.parse(&jail)?;
    let mut ports: Vec<Port> = Vec::new();
    for text in texts("ports")? {
        ports.push(scope.parse(&text)?);
    }
    if ports.is_empty() {
        return Err(Diagnostic::error("a ban that covers no port proves nothing").at(&node.place));
    }
    let addresses = texts("addresses")?;
    let mut read: Vec<IpAddr> = Vec::new();
    for text in &addresses {
        read.push(address(text)?);
    }
    if read.is_empty() {
        read.extend(
            DEFAULT
                .iter()
                .filter_map(|text| text.parse::<IpAddr>().ok()),
        );
    }
    Ok(Ban {
        jail: jail.to_string(),
        ports,
        addresses: read,
    })
}

fn address(text: &Text) -> Result<IpAddr, Diagnostic> {
    let written = text.text.trim();
    let found: IpAddr = written.parse().map_err(|_| {
        Diagnostic::error(format!("`{written}` is not valid: an address is needed")).at(&text.place)
    })?;
    let mut kept = DOCUMENTATION
        .iter()
        .filter_map(|network| network.parse::<Cidr>().ok());
    if kept.any(|network| network.net().contains(&found)) {
        return Ok(found);
    }
    let message = format!("`{written}` may be somebody's address, and would be banned for real");
    Err(Diagnostic::error(message)
        .at(&text.place)
        .hint("name one that is kept for documentation, such as 192.0.2.123 or 2001:db8::123"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;

    fn mistakes(text: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t", text)).unwrap();
        let mut out = Diagnostics::new();
        check(&node, &mut out);
        out.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn nobody_who_may_exist_is_banned() {
        let ban = |address: &str| {
            mistakes(&format!(
                "{{ jail: sshd, ports: 22, addresses: [{address}] }}"
            ))
        };
        assert!(ban("\"2001:db8::1\", 198.51.100.9, \"{{ x }}\"").is_empty());
        assert!(ban("198.51.101.9")[0].contains("somebody's address"));
        assert!(ban("\"2001:db9::1\"")[0].contains("somebody's address"));
        assert_eq!(ban("192.0.2.0/24").len(), 1);
        assert_eq!(mistakes("{ jail: sshd, ports: [ssh] }").len(), 1);
    }
}
