//! Networks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::ValueError;

/// A network in canonical text: explicit prefix, no host bits, lower case, shortest form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr(IpNet);

impl Cidr {
    /// The network.
    pub fn net(self) -> IpNet {
        self.0
    }

    /// Whether it is an IPv4 network.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// A single address as a network of one (`/32`, `/128`).
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// Reads what a person writes: a missing prefix means one address. Host bits are still refused.
    pub fn lenient(text: &str) -> Result<Self, ValueError> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(Self::host(address)),
            Err(_) => text.parse(),
        }
    }
}

impl FromStr for Cidr {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let net: IpNet = text
            .parse()
            .map_err(|_| ValueError::new("not a network such as 192.0.2.0/24 or 2001:db8::/32"))?;
        if net.trunc() != net {
            let right = net.trunc();
            return Err(ValueError::new(format!(
                "host bits are set; the network is {right}"
            )));
        }
        if net.to_string() != text {
            return Err(ValueError::new(format!(
                "not in canonical form; write {net}"
            )));
        }
        Ok(Self(net))
    }
}

impl TryFrom<String> for Cidr {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> String {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
