//! Address blocks that no publisher of public servers can rightly name.
//!
//! IANA's special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates), with
//! multicast and the reserved rest. A firewall rule for one of them opens to a local network, to
//! everybody, or to nobody: always a mistake or an attack.

use ipnet::IpNet;

const BLOCKS: [(&str, &str); 35] = [
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private addresses"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local addresses"),
    ("172.16.0.0/12", "private addresses"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "AS112"),
    ("192.52.193.0/24", "multicast relays"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private addresses"),
    ("192.175.48.0/24", "AS112"),
    ("198.18.0.0/15", "benchmarks"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/3", "multicast and reserved addresses"),
    ("64:ff9b::/96", "IPv4 translation"),
    ("64:ff9b:1::/48", "IPv4 translation"),
    ("::/8", "loopback, unspecified and mapped addresses"),
    ("100::/64", "discarded addresses"),
    ("100:0:0:1::/64", "dummy addresses"),
    ("2001::/23", "protocol assignments"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "AS112"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "private addresses"),
    ("fe80::/10", "link-local addresses"),
    ("fec0::/10", "site-local addresses"),
    ("ff00::/8", "multicast"),
    // Nothing outside 2000::/3 is given out for public use (RFC 4291 §2.4).
    ("::/3", "addresses not given out"),
    ("4000::/2", "addresses not given out"),
    ("8000::/1", "addresses not given out"),
];

/// The special-purpose block that `net` has addresses in, with what it is for.
pub(super) fn block_of(net: IpNet) -> Option<(IpNet, &'static str)> {
    BLOCKS.iter().find_map(|(block, purpose)| {
        let block: IpNet = block.parse().ok()?;
        let touches = block.contains(&net) || net.contains(&block);
        touches.then_some((block, *purpose))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_written_rightly() {
        for (block, _) in BLOCKS {
            let net: IpNet = block.parse().unwrap();
            assert_eq!(net.trunc(), net, "{block}");
            assert!(block_of(net).is_some());
        }
    }

    #[test]
    fn blocks_are_found_from_inside_and_from_outside() {
        let block =
            |text: &str| block_of(text.parse().unwrap()).map(|(block, _)| block.to_string());
        assert_eq!(block("10.1.0.0/16").unwrap(), "10.0.0.0/8");
        assert_eq!(block("192.0.0.0/15").unwrap(), "192.0.0.0/24");
        assert_eq!(block("2000::/3").unwrap(), "2001::/23");
        assert_eq!(block("::ffff:0:0/96").unwrap(), "::/8");
        assert_eq!(block("1234::/32").unwrap(), "::/3");
        assert_eq!(block("104.16.0.0/13"), None);
        assert_eq!(block("2606:4700::/32"), None);
    }
}
