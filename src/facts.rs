//! What is known of a host before any step is looked at, read from the host in effect.
//!
//! Templates see this as `facts`. The shape is a promise to runbooks: names are added, not changed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::probe::{Answers, ParseError, Probe};
use crate::value::Port;

/// Facts of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The operating system.
    pub os: Os,
    /// The first process: `systemd` or something else.
    pub init: String,
    /// The container manager's name (`systemd-nspawn`, `lxc`, `docker`), or `none`.
    pub container: String,
    /// The kernel's host name.
    pub hostname: String,
    /// About the SSH server.
    pub sshd: Sshd,
    /// The address the controller has as the host sees it; none for a local connection.
    pub controller_ip: Option<IpAddr>,
    /// About the firewall.
    pub ufw: Ufw,
    /// About the ban daemon.
    pub fail2ban: Fail2ban,
    /// About needrestart, which can restart services after an upgrade.
    #[serde(default)]
    pub needrestart: Needrestart,
    /// The account that we logged in as, before sudo; empty when the host did not say.
    pub login_user: String,
    /// The container manager as in `container`, else the maker of the machine that the kernel names when
    /// that is a hypervisor (`qemu`, `vmware`, `xen` …), else `none`.
    pub virtualization: String,
    /// Whether the host says that it waits for a restart (`/run/reboot-required`).
    pub reboot_pending: bool,
    /// Seconds the host's clock is ahead of the controller's (negative: behind).
    pub clock_ahead: i64,
    /// Names this boot.
    pub boot_id: String,
}

/// The operating system by `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// `debian`, `ubuntu` …
    pub id: String,
    /// `12`, `24.04`; empty for rolling releases.
    pub version: String,
    /// `bookworm`; may be empty.
    pub codename: String,
    /// What it descends from (`ID_LIKE`).
    pub like: Vec<String>,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
}

/// The SSH server in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// Ports that sshd (or systemd for it) listens on beyond loopback, ascending. Empty when none was found.
    pub ports: Vec<Port>,
    /// Who listens: `service` (sshd itself), `socket` (systemd's ssh.socket), or `none` when nobody was found.
    pub mode: String,
}

/// The ban daemon's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fail2ban {
    /// Whether the program is there.
    pub installed: bool,
    /// Whether the daemon runs.
    pub running: bool,
}

/// needrestart's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needrestart {
    /// Whether the program is there.
    pub installed: bool,
}

/// The firewall's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ufw {
    /// Whether the program is there.
    pub installed: bool,
    /// `ENABLED=yes` in its configuration. Says nothing about the kernel.
    pub enabled: bool,
    /// `IPV6=yes` in its configuration and IPv6 in the kernel.
    pub ipv6: bool,
}

/// The probe behind all facts.
pub fn probes() -> Vec<Probe> {
    vec![Probe::new::<String>("hf_facts", [])]
}

/// Reads the answer of [`probes`]; `now` is the controller's clock in seconds since 1970.
///
/// # Errors
/// When the answer has not the form `key=value` or lacks the operating system.
pub fn parse(answers: &Answers, now: i64) -> Result<Facts, ParseError> {
    let probe = Probe::new::<String>("hf_facts", []);
    let text = answers.get(&probe)?.text().into_owned();
    let value = |key: &str| -> String {
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_default().trim().to_owned()
    };
    let id = value("os_id");
    if id.is_empty() {
        return Err(ParseError::new(&probe, "no os_id in it"));
    }
    let mut ports: Vec<Port> = value("sshd_ports")
        .split_whitespace()
        .filter_map(|p| p.parse().ok())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(Facts {
        os: Os {
            id,
            version: value("os_version"),
            codename: value("os_codename"),
            like: value("os_like")
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            name: value("os_name"),
        },
        init: value("init"),
        container: value("container"),
        hostname: value("hostname"),
        sshd: Sshd {
            ports,
            mode: value("sshd_mode"),
        },
        controller_ip: value("controller_ip").parse().ok(),
        ufw: Ufw {
            installed: value("ufw_installed") == "yes",
            enabled: value("ufw_enabled") == "yes",
            ipv6: value("ufw_ipv6") == "yes",
        },
        fail2ban: Fail2ban {
            installed: value("fail2ban_installed") == "yes",
            running: value("fail2ban_running") == "yes",
        },
        needrestart: Needrestart {
            installed: value("needrestart_installed") == "yes",
        },
        login_user: value("login_user"),
        virtualization: value("virtualization"),
        reboot_pending: value("reboot_pending") == "yes",
        clock_ahead: value("clock").parse::<i64>().map_or(0, |host| host - now),
        boot_id: value("boot_id"),
    })
}

/// The names below `facts`, for checking templates without a host.
pub const NAMES: [&str; 14] = [
    "os",
    "init",
    "container",
    "hostname",
    "sshd",
    "controller_ip",
    "ufw",
    "fail2ban",
    "needrestart",
    "login_user",
    "virtualization",
    "reboot_pending",
    "clock_ahead",
    "boot_id",
];

/// Facts of no host, as templates see them: which names there are, however deep.
pub fn sample() -> serde_json::Value {
    let facts = Facts {
        os: Os {
            id: String::new(),
            version: String::new(),
            codename: String::new(),
            like: Vec::new(),
            name: String::new(),
        },
        init: String::new(),
        container: String::new(),
        hostname: String::new(),
        sshd: Sshd {
            ports: Vec::new(),
            mode: String::new(),
        },
        controller_ip: None,
        ufw: Ufw {
            installed: false,
            enabled: false,
            ipv6: false,
        },
        fail2ban: Fail2ban {
            installed: false,
            running: false,
        },
        needrestart: Needrestart { installed: false },
        login_user: String::new(),
        virtualization: String::new(),
        reboot_pending: false,
        clock_ahead: 0,
        boot_id: String::new(),
    };
    serde_json::json!(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Answer;

    #[test]
    fn the_answer_becomes_facts() {
        let output = b"os_id=debian\nos_version=12\nos_like=\nsshd_ports=2222 22 22\ncontroller_ip=10.77.0.1\nufw_installed=yes\nclock=1005\n";
        let answers = Answers::from_iter([(
            probes().remove(0),
            Answer {
                status: 0,
                output: output.to_vec(),
            },
        )]);
        let facts = parse(&answers, 1000).unwrap();
        assert_eq!(
            facts.sshd.ports.iter().map(|p| p.get()).collect::<Vec<_>>(),
            [22, 2222]
        );
        assert_eq!(facts.clock_ahead, 5);
        let json = serde_json::to_value(&facts).unwrap();
        let mut names: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut promised = NAMES.to_vec();
        names.sort_unstable();
        promised.sort_unstable();
        assert_eq!(names, promised);
    }
}
