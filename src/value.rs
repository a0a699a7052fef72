//! Validated values: names, ports, networks, file modes and time spans.
//!
//! A value that lands in a configuration grammar or on a command line is made here once, checked by
//! that grammar, and carried as its own type from then on.

mod cidr;
mod duration;
mod file_mode;
mod port;
mod text;

pub use cidr::Cidr;
pub use duration::Duration;
pub use file_mode::FileMode;
pub use port::Port;
pub use text::{AbsolutePath, Address, HostName, Name, PackageName, UnitName, UserName};

/// Why a text is not the value it should be; a lower-case fragment that fits after "… is not valid:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_follow_rfc_1123() {
        for good in ["web-1", "a.b.c", "3com", "localhost"] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-oProxyCommand=x",
            "web_1",
            "a..b",
            "ends-",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_never_start_with_a_hyphen() {
        assert!("-oProxyCommand=x".parse::<Address>().is_err());
        assert!("2001:db8::1".parse::<Address>().is_ok());
        assert!("my_alias".parse::<Address>().is_ok());
    }

    #[test]
    fn networks_are_canonical() {
        assert!("173.245.48.0/20".parse::<Cidr>().is_ok());
        let error = "173.245.48.1/20".parse::<Cidr>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "host bits are set; the network is 173.245.48.0/20"
        );
        assert!("2400:CB00::/32".parse::<Cidr>().is_err());
        assert!("173.245.48.0".parse::<Cidr>().is_err());
        assert!("131.0.72.0/222400:cb00::/32".parse::<Cidr>().is_err());
        assert_eq!(
            Cidr::lenient("192.0.2.7").unwrap().to_string(),
            "192.0.2.7/32"
        );
    }

    #[test]
    fn ports_have_no_leading_zero() {
        assert!("443".parse::<Port>().is_ok());
        for bad in ["0", "022", "65536", "-1", "22 ", ""] {
            assert!(bad.parse::<Port>().is_err(), "{bad}");
        }
    }

    #[test]
    fn time_spans_round_trip() {
        for text in ["45s", "10m", "1h30m", "2d"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert!("10".parse::<Duration>().is_err());
        assert!("99999999999999999999w".parse::<Duration>().is_err());
    }

    #[test]
    fn paths_are_plain() {
        assert_eq!("/etc/a".parse::<AbsolutePath>().unwrap().parent(), "/etc");
        for bad in ["etc", "/etc/../x", "/etc/", "/a//b", "/a\nb", "/"] {
            assert!(bad.parse::<AbsolutePath>().is_err(), "{bad}");
        }
    }
}
