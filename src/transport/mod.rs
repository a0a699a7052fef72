//! The wire to a host: the only place that starts processes.
//!
//! One connection and one shell per host and run. [`ReadHost`] can only ask; [`WriteHost`], made
//! from it by taking the host's lock, can perform. A plan that writes does not compile.

mod card;
mod channel;
mod fault;
mod frame;
mod guard;
mod guard_state;
mod hand_over;
mod hello;
mod host;
mod known;
mod local;
mod script;
mod step_script;
mod ssh;
mod offer;
mod points;
mod settle;
mod wire;
mod write_host;

pub use card::{RunCard, RunPapers};
pub use fault::TransportError;
pub use guard::{Disarmed, NewLogin, REVERTED, server_port};
pub use guard_state::{GuardPhase, GuardState};
pub use hand_over::{ShellWay, hand_over};
pub use host::ReadHost;
pub use known::{
    ClientConfig, client_config, hashed, is_trusted_as, key_name, known_lines, trusted_name,
};
pub use offer::{Offer, password_offer};
pub use points::Keep;
pub use script::{READ_SET, WRITE_SET};
pub use ssh::{SILENCE, SshOptions, end_masters};
pub use step_script::StepScript;
pub use write_host::{MOVED, Performed, WriteHost};

use std::net::IpAddr;

use crate::inventory::{Connection as Way, Host};
use channel::Channel;

/// An open way to a host, on which shells can be started.
#[derive(Debug, Clone)]
pub(crate) enum Connection {
    /// Over OpenSSH.
    Ssh(ssh::SshConnection),
    /// This machine.
    Local,
}

/// The addresses at which a host can be reached from here without anything in between.
pub async fn direct_addresses(host: &Host, options: &SshOptions) -> Vec<IpAddr> {
    let config = client_config(host, options).await;
    let Some(config) = config.filter(|config| config.direct) else {
        return Vec::new();
    };
    addresses(&config.target).await
}

/// The addresses that a name stands for.
pub async fn addresses(target: &str) -> Vec<IpAddr> {
    let name = target.trim_matches(['[', ']']).to_owned();
    let found = tokio::net::lookup_host((name.as_str(), 22)).await;
    found
        .map(|found| found.map(|address| address.ip()).collect())
        .unwrap_or_default()
}

impl Connection {
    /// Connects, with time limits on every phase.
    pub(crate) async fn open(host: &Host, options: &SshOptions) -> Result<Self, TransportError> {
        match host.connection {
            Way::Ssh => Ok(Self::Ssh(ssh::SshConnection::open(host, options).await?)),
            Way::Local => Ok(Self::Local),
        }
    }

    async fn shell(&self, words: &[&str]) -> Result<Channel, TransportError> {
        match self {
            Self::Ssh(connection) => connection.shell(words).await,
            Self::Local => local::shell(words),
        }
    }

    /// Whether the way is still open, whatever became of a shell on it.
    async fn is_alive(&self) -> bool {
        match self {
            Self::Ssh(connection) => connection.is_alive().await,
            Self::Local => true,
        }
    }

    /// Ends the connection; a lost one is none to end.
    pub(crate) async fn close(self) {
        match self {
            Self::Ssh(connection) => connection.close().await,
            Self::Local => {}
        }
    }
}
