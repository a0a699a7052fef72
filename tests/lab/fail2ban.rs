//! fail2ban on real hosts: dead after its installation, with a jail of somebody else that is broken, with a port that
//! moved; and a ban for real, in the packet filter.

use crate::operator::{Footprint, Operator};
use crate::support::lab::{Lab, LabHost, OPERATOR_V4, Setup};
use holdfast::event::Fault;

const OUR_FILE: &str = "/etc/fail2ban/jail.d/90-holdfast-sshd.local";

/// Bans an address by hand, and waits until the packet filter has it.
#[track_caller]
fn ban(host: &LabHost<'_>, address: &str) {
    host.sh(&format!(
        "fail2ban-client set sshd banip {address} >/dev/null
        for try in 1 2 3 4 5 6 7 8 9 10; do {FILTER} | grep -qF {address} && exit 0; sleep 0.5; done; exit 1"
    ));
}

/// What fail2ban keeps in the packet filter.
const FILTER: &str = "{ iptables -w -S; ip6tables -w -S; nft list ruleset; } 2>/dev/null | grep -e f2b -e dport -e elements || :";

#[track_caller]
fn get(host: &LabHost<'_>, what: &str) -> String {
    host.sh(&format!("fail2ban-client get sshd {what}"))
        .trim()
        .to_owned()
}

#[track_caller]
fn server(host: &LabHost<'_>) -> String {
    host.sh("systemctl show -p InvocationID --value fail2ban")
}

#[test]
fn bare_hosts_get_a_fail2ban_that_runs_and_never_bans_the_controller() {
    let lab = Lab::new("f2b-bare");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    operator.run(&["run", "fail2ban", "--dry-run"]).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    for host in &hosts {
        assert_eq!(get(host, "maxretry"), "5", "{}", host.name);
        assert_eq!(get(host, "bantime"), "3600", "{}", host.name);
        assert_eq!(get(host, "bantime.increment"), "True", "{}", host.name);
        assert!(get(host, "ignoreip").contains(OPERATOR_V4), "{}", host.name);
        assert_eq!(host.sh("systemctl is-enabled fail2ban"), "enabled\n");
    }

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let servers: Vec<String> = hosts.iter().map(server).collect();
    let again = operator.run(&["run", "fail2ban", "--yes"]);
    again.exits(0);
    for ((host, before), was) in hosts.iter().zip(&before).zip(&servers) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
        assert_eq!(server(host), *was, "{}: fail2ban was restarted", host.name);
    }
    let verified = operator.run(&["verify", "fail2ban"]);
    verified.exits(0);
    verified
        .says("192.0.2.123 and 2001:db8::123 reached the packet filter on port 22, and was lifted");
    for host in &hosts {
        assert_eq!(get(host, "banip"), "", "{}", host.name);
        let kept = host.sh(FILTER);
        assert!(
            !kept.contains("192.0.2.123") && !kept.contains("2001:db8::123"),
            "{kept}"
        );
        // Nothing of the trial waits on.
        let sleeping = host.sh("pgrep -fx 'sleep 120' || :");
        assert_eq!(sleeping, "", "{}", host.name);
        let free = host.exec(&["flock", "-n", "/run/holdfast.lock", "true"]);
        assert!(free.status.success(), "{}: the lock is held", host.name);
    }
}
