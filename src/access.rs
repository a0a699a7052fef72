//! What logins rest on among the files and services of a host.

/// Files that sshd, PAM, sudo, the accounts, the network or a packet filter go by; folders end with `/`.
const FILES: [&str; 23] = [
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/",
    "/etc/sudoers",
    "/etc/sudoers.d/",
    "/etc/pam.d/",
    "/etc/security/",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/shells",
    "/etc/nologin",
    "/etc/nsswitch.conf",
    "/etc/hosts.allow",
    "/etc/hosts.deny",
    "/etc/nftables.conf",
    "/etc/network/",
    "/etc/netplan/",
    "/etc/systemd/network/",
    "/etc/systemd/system/ssh.service",
    "/etc/systemd/system/ssh.service.d/",
    "/etc/systemd/system/ssh.socket",
    "/etc/systemd/system/ssh.socket.d/",
];

/// Units without which nobody comes in, or everybody is kept out.
const UNITS: [&str; 9] = [
    "ssh.service",
    "sshd.service",
    "ssh.socket",
    "sshd.socket",
    "networking.service",
    "systemd-networkd.service",
    "NetworkManager.service",
    "nftables.service",
    "firewalld.service",
];

/// Whether a login may fail when this file is another.
pub fn rests_on_file(path: &str) -> bool {
    let is = |one: &&str| path == *one || (one.ends_with('/') && path.starts_with(*one));
    FILES.iter().any(is) || path.contains("/.ssh/")
}

/// Whether a login may fail when this unit is stopped, started or reloaded.
pub fn rests_on_unit(name: &str) -> bool {
    UNITS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_us_in_is_known_by_its_name() {
        for path in [
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/10-x.conf",
            "/etc/pam.d/sshd",
            "/root/.ssh/authorized_keys",
        ] {
            assert!(rests_on_file(path), "{path}");
        }
        for path in ["/etc/motd", "/etc/ssh/ssh_config", "/etc/passwd-old"] {
            assert!(!rests_on_file(path), "{path}");
        }
        assert!(rests_on_unit("ssh.service") && !rests_on_unit("fail2ban.service"));
    }
}
