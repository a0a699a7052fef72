//! One rule, as ufw keeps it: the line `### tuple ### allow tcp 443 0.0.0.0/0 any 10.0.0.0/8 in`.
//!
//! ufw 0.36 to 0.36.2 read nothing but these lines and derive the iptables lines from them again at
//! every change (`backend_iptables.py`, `_read_rules` and `_write_rules`). So this line *is* the
//! rule, and `ufw status` is only a rendering of it that comments can forge.

use std::fmt;

use super::address::{Address, Family};
use super::comment::Comment;
use super::ports::Ports;

/// How a tuple line begins.
pub const MARK: &str = "### tuple ###";

/// What a rule does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Lets it in.
    Allow,
    /// Drops it.
    Deny,
    /// Refuses it with an answer.
    Reject,
    /// Lets it in, but refuses the sixth new connection of one source within 30 seconds.
    Limit,
}

/// Whether packets that match are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// They are not.
    Off,
    /// New connections are.
    New,
    /// All are.
    All,
}

/// The protocols that ufw knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the protocol of that name")]
pub enum Protocol {
    /// No condition; with a port: TCP and UDP.
    Any,
    Tcp,
    Udp,
    Ipv6,
    Esp,
    Ah,
    Igmp,
    Gre,
    Vrrp,
}

/// Which way packets go, seen from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the host.
    In,
    /// From the host.
    Out,
}

/// A rule. Formatting gives the very line that ufw writes, without the line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    /// Whose file it stands in.
    pub family: Family,
    /// What it does.
    pub action: Action,
    /// What it logs.
    pub log: Log,
    /// What packets it is about.
    pub matching: Match,
    /// The comment, if it has one.
    pub comment: Option<Comment>,
}

/// Everything by which ufw tells two rules apart: not the action, not logging, not the comment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// A `route:` rule, for packets that are passed on.
    pub route: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// The port at the destination.
    pub dport: Ports,
    /// The destination.
    pub dst: Address,
    /// The port at the source.
    pub sport: Ports,
    /// The source.
    pub src: Address,
    /// The application profile that the destination port comes from.
    pub dapp: Option<String>,
    /// The application profile that the source port comes from.
    pub sapp: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// The interface packets come in by.
    pub interface_in: Option<String>,
    /// The interface packets go out by.
    pub interface_out: Option<String>,
}

impl Match {
    /// Packets to this host over `protocol` to `dport` from `src`, whatever the interface.
    pub fn incoming(protocol: Protocol, dport: Ports, src: Address) -> Self {
        Self {
            route: false,
            protocol,
            dport,
            dst: Address::Anywhere,
            sport: Ports::Any,
            src,
            dapp: None,
            sapp: None,
            direction: Direction::In,
            interface_in: None,
            interface_out: None,
        }
    }

    /// The form in which ufw compares two rules.
    #[must_use]
    pub fn normalized(&self) -> Self {
        Self {
            dport: self.dport.normalized(),
            sport: self.sport.normalized(),
            dst: self.dst.normalized(),
            src: self.src.normalized(),
            ..self.clone()
        }
    }

    /// Whether it is of the plain form that [`Match::incoming`] makes, whatever the ports and source.
    pub fn is_plain_incoming(&self) -> bool {
        let plain = Self::incoming(self.protocol, self.dport.clone(), self.src.clone());
        *self == plain
    }
}

impl Tuple {
    /// Whether ufw would take the two for the same rule, and replace one by the other.
    pub fn same_rule(&self, other: &Self) -> bool {
        self.family == other.family && self.matching.normalized() == other.matching.normalized()
    }

    /// The comment for people, on one line; empty without one.
    pub fn comment_shown(&self) -> String {
        self.comment
            .as_ref()
            .map(Comment::shown)
            .unwrap_or_default()
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = &self.matching;
        let route = if m.route { "route:" } else { "" };
        write!(
            f,
            "{MARK} {route}{}{}",
            self.action.word(),
            self.log.suffix()
        )?;
        write!(
            f,
            " {} {} {}",
            m.protocol.word(),
            m.dport,
            m.dst.text(self.family)
        )?;
        write!(f, " {} {}", m.sport, m.src.text(self.family))?;
        if m.dapp.is_some() || m.sapp.is_some() {
            write!(
                f,
                " {} {}",
                profile(m.dapp.as_deref()),
                profile(m.sapp.as_deref())
            )?;
        }
        write!(f, " {}", m.way())?;
        match &self.comment {
            Some(comment) => write!(f, " comment={}", comment.hex()),
            None => Ok(()),
        }
    }
}

fn profile(name: Option<&str>) -> String {
    name.map_or_else(|| "-".to_owned(), |name| name.replace(' ', "%20"))
}

impl Match {
    /// The last field: `in`, `out_eth0`, `in_eth0!out_wg0`.
    fn way(&self) -> String {
        match (&self.interface_in, &self.interface_out) {
            (None, None) => self.direction.word().to_owned(),
            (Some(inward), Some(outward)) => format!("in_{inward}!out_{outward}"),
            (Some(name), None) | (None, Some(name)) => {
                format!("{}_{name}", self.direction.word())
            }
        }
    }
}

/// A word of the grammar for each value, both ways.
macro_rules! words {
    ($type:ident: $($value:ident = $word:literal),+ $(,)?) => {
        impl $type {
            /// The word that ufw writes.
            pub fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            /// The value of a word; `None` for a word that ufw does not know.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)+ _ => None }
            }
        }
    };
}

words!(Action: Allow = "allow", Deny = "deny", Reject = "reject", Limit = "limit");
words!(Log: Off = "", New = "log", All = "log-all");
words!(Direction: In = "in", Out = "out");
words!(Protocol: Any = "any", Tcp = "tcp", Udp = "udp", Ipv6 = "ipv6", Esp = "esp", Ah = "ah",
    Igmp = "igmp", Gre = "gre", Vrrp = "vrrp");

impl Action {
    /// Whether it lets packets in.
    pub fn admits(self) -> bool {
        match self {
            Self::Allow | Self::Limit => true,
            Self::Deny | Self::Reject => false,
        }
    }
}

impl Log {
    fn suffix(self) -> &'static str {
        match self {
            Self::Off => "",
            Self::New => "_log",
            Self::All => "_log-all",
        }
    }
}

impl Tuple {
    /// Whether it says from where or to where.
    pub fn names_an_address(&self) -> bool {
        let m = &self.matching;
        m.src != Address::Anywhere || m.dst != Address::Anywhere
    }

    /// The rule for people, on one line: `allow tcp 443 from 10.0.0.0/8`.
    pub fn describe(&self) -> String {
        let m = &self.matching;
        let mut words = vec![self.action.word().to_owned()];
        if m.route {
            words.insert(0, "route".to_owned());
        }
        if self.log != Log::Off {
            words.push(self.log.word().to_owned());
        }
        if m.direction == Direction::Out {
            words.push("out".to_owned());
        }
        words.extend([m.protocol.word().to_owned(), m.dport.to_string()]);
        words.extend([format!("from {}", m.src)]);
        if !m.sport.is_any() {
            words.push(format!("port {}", m.sport));
        }
        if m.dst != Address::Anywhere {
            words.push(format!("to {}", m.dst));
        }
        words.extend(m.interface_in.iter().map(|name| format!("in on {name}")));
        words.extend(m.interface_out.iter().map(|name| format!("out on {name}")));
        words.extend(m.dapp.iter().map(|name| format!("(profile {name})")));
        words.join(" ")
    }
}
