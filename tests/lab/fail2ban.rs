//! fail2ban on real hosts: dead after its installation, with a jail of somebody else that is broken, with a port that
//! moved; and a ban for real, in the packet filter.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{Lab, LabHost, OPERATOR_V4, STRANGER2_V4, Setup};
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
const FILTER: &str = "{ iptables -w -S; ip6tables -w -S; nft list table inet f2b-table; } 2>/dev/null | grep -e f2b -e dport -e elements || :";

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

/// A login from an address as a user who does not exist, with no key to offer.
fn fail_to_log_in(lab: &Lab, host: &LabHost<'_>, from: &str) {
    let mut ssh = lab.ssh("nobody-at-all", &host.name);
    ssh.args([
        "-b",
        from,
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityFile=/dev/null",
    ]);
    ssh.args(["-o", "BatchMode=yes", "true"]);
    ssh.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(!ssh.status().expect("ssh").success());
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

    // Seven failed logins of the controller and five of somebody else, for real.
    for host in &hosts {
        (0..7).for_each(|_| fail_to_log_in(&lab, host, OPERATOR_V4));
        (0..5).for_each(|_| fail_to_log_in(&lab, host, STRANGER2_V4));
    }
    for host in &hosts {
        within(Duration::from_mins(3), "the ban of the stranger", || {
            host.sh(FILTER).contains(STRANGER2_V4)
        });
        assert_eq!(get(host, "banip"), STRANGER2_V4, "{}", host.name);
        host.sh(&format!("fail2ban-client set sshd unbanip {STRANGER2_V4}"));
        within(Duration::from_secs(30), "the end of the ban", || {
            !host.sh(FILTER).contains(STRANGER2_V4)
        });
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
    a_trial_lifts_its_ban_whatever_becomes_of_the_controller(&operator, &hosts);
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

#[track_caller]
fn a_trial_lifts_its_ban_whatever_becomes_of_the_controller(
    operator: &Operator<'_>,
    hosts: &[LabHost<'_>],
) {
    let host = host_with_a_server(hosts);
    let running = operator.start(&["verify", "fail2ban", "-l", &host.name]);
    let looks = "for look in $(seq 300); do nft list table inet f2b-table | grep -qF 192.0.2.123 && exit; sleep 0.1; done; exit 1";
    host.sh(looks);
    running.kill();
    within(Duration::from_mins(3), "the end of the trial", || {
        !host.sh(FILTER).contains("192.0.2.123") && host.sh("pgrep -fx 'sleep 120' || :").is_empty()
    });
}

/// A jail of somebody else whose log file is not there.
const BROKEN: &str = "[web]\nenabled = true\nfilter = nginx-http-auth\nbackend = auto\nlogpath = /var/log/nginx/error.log\n";

#[test]
fn what_others_wrote_is_respected_and_what_they_broke_takes_no_ban_away() {
    let lab = Lab::new("f2b-others");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    let own = "[DEFAULT]\nignoreip = 198.51.100.7\n[sshd]\nmaxretry = 9\nusedns = no\n";
    for host in &hosts {
        host.write("/etc/fail2ban/jail.local", own);
    }
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(0).says("jail.local says maxretry = 9");
    for host in &hosts {
        assert_eq!(host.read("/etc/fail2ban/jail.local"), own.as_bytes());
        assert_eq!(get(host, "maxretry"), "5", "{}", host.name);
        assert_eq!(get(host, "usedns"), "no", "{}", host.name);
        let ignored = get(host, "ignoreip");
        assert!(
            ignored.contains("198.51.100.7") && ignored.contains(OPERATOR_V4),
            "{ignored}"
        );
        ban(host, "192.0.2.66");
        host.write("/etc/fail2ban/jail.d/web.conf", BROKEN);
    }

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let servers: Vec<String> = hosts.iter().map(server).collect();
    let told = operator.run(&["run", "fail2ban", "--yes", "-e", "max_retry=4"]);
    told.exits(3);
    for ((host, before), was) in hosts.iter().zip(&before).zip(&servers) {
        let why = told.stopped(&host.name, Fault::Failed);
        assert!(why.contains("web jail"), "{why}");
        before.is_that_of(host);
        assert_eq!(server(host), *was, "{}: fail2ban was restarted", host.name);
        assert!(host.sh(FILTER).contains("192.0.2.66"), "{}", host.name);
    }
    // What is as desired stays so, and the danger is told.
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(0).says("would not start anew");

    for host in &hosts {
        host.sh("rm /etc/fail2ban/jail.d/web.conf");
    }
    a_jail_that_lost_its_actions_gets_them_back(&operator, &hosts, own);
    a_later_file_wins_and_is_named(&operator, &hosts);
    what_is_ignored_stays_so_until_that_is_not_wanted(&operator, &hosts);
}

/// Somebody names another action and lets fail2ban reload: then it has none at all, and bans in vain.
#[track_caller]
fn a_jail_that_lost_its_actions_gets_them_back(
    operator: &Operator<'_>,
    hosts: &[LabHost<'_>],
    own: &str,
) {
    for host in hosts {
        let text = format!("{own}banaction = iptables-allports\n");
        host.write("/etc/fail2ban/jail.local", text);
        host.sh("fail2ban-client reload sshd >/dev/null");
        assert_eq!(get(host, "actions"), "No actions for jail sshd");
    }
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    for host in hosts {
        assert!(
            get(host, "actions").ends_with("iptables-allports"),
            "{}",
            host.name
        );
        assert!(host.sh(FILTER).contains("192.0.2.66"), "{}", host.name);
        // What somebody gives the running server besides is left to them.
        host.sh("fail2ban-client set sshd addaction by-hand >/dev/null");
    }
    let again = operator.run(&["run", "fail2ban", "--yes"]);
    for host in hosts {
        again.nothing_to_do(&host.name);
        host.sh("fail2ban-client set sshd delaction by-hand");
    }
}

#[track_caller]
fn a_later_file_wins_and_is_named(operator: &Operator<'_>, hosts: &[LabHost<'_>]) {
    for host in hosts {
        host.write(
            "/etc/fail2ban/jail.d/zz-own.local",
            "[sshd]\nmaxretry = 7\n",
        );
    }
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(9).says("zz-own.local says maxretry = 7");
    for host in hosts {
        host.sh("rm /etc/fail2ban/jail.d/zz-own.local");
    }
}

#[track_caller]
fn what_is_ignored_stays_so_until_that_is_not_wanted(
    operator: &Operator<'_>,
    hosts: &[LabHost<'_>],
) {
    let told = operator.run(&[
        "run",
        "fail2ban",
        "--yes",
        "-e",
        "max_retry=4",
        "-e",
        "ignore=203.0.113.0/24",
    ]);
    told.exits(0);
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    for host in hosts {
        assert_eq!(get(host, "maxretry"), "5", "{}", host.name);
        assert!(
            get(host, "ignoreip").contains("203.0.113.0/24"),
            "what was ignored once stays so"
        );
        assert!(host.sh(FILTER).contains("192.0.2.66"), "{}", host.name);
    }
    operator
        .run(&["run", "fail2ban", "--yes", "-e", "forget_ignored=true"])
        .exits(0);
    for host in hosts {
        let ignored = get(host, "ignoreip");
        assert!(!ignored.contains("203.0.113.0/24"), "{ignored}");
        assert!(
            ignored.contains("198.51.100.7") && ignored.contains(OPERATOR_V4),
            "{ignored}"
        );
    }
}

/// Takes back a step of a run, as the host's own undo record says.
#[track_caller]
fn undo(host: &LabHost<'_>, variable: &str, step: &str) {
    let runs = host.sh("ls -t /var/lib/holdfast/runs | head -n 1");
    let save = format!("/var/lib/holdfast/runs/{}/{step}/1", runs.trim());
    host.sh(&format!("set +eu; {variable} sh {save}/undo.sh"));
}

/// Everything of fail2ban that an undo must bring back.
#[track_caller]
fn state(host: &LabHost<'_>) -> String {
    host.sh(&format!(
        "cd /etc/fail2ban; find . -type f -exec sha256sum {{}} + | sort | sha256sum
        find jail.d -printf '%p %m %U:%G\\n' | sort; tail -n +1 jail.d/*
        systemctl is-active fail2ban | sed 's/^failed/inactive/'
        for key in maxretry bantime ignoreip banip; do fail2ban-client get sshd $key 2>&1 | sed 's/^.*ERROR//' | sort; done
        {FILTER}"
    ))
}

fn host_with_a_server<'a, 'lab>(hosts: &'a [LabHost<'lab>]) -> &'a LabHost<'lab> {
    hosts.last().expect("Debian 13")
}

#[test]
fn a_moved_port_is_followed_into_the_packet_filter_and_everything_can_be_undone() {
    let lab = Lab::new("f2b-port");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    // On 11 and 12 fail2ban died at boot; there it is started, and the undo ends it.
    // The first ban makes fail2ban's chain, which stays.
    host_with_a_server(&hosts)
        .sh("fail2ban-client set sshd banip 192.0.2.9 2001:db8::9; sleep 2; fail2ban-client unban --all");
    let before: Vec<String> = hosts.iter().map(state).collect();
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        undo(host, "", "2");
        let now = state(host);
        assert_eq!(now, *before, "{}", host.name);
        undo(host, "", "2");
        assert_eq!(state(host), *before, "{}", host.name);
    }

    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    for host in &hosts {
        ban(host, "192.0.2.66");
        ban(host, "2001:db8:1::7");
        host.sh("printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/10-two.conf && systemctl reload ssh");
    }
    let before: Vec<String> = hosts.iter().map(state).collect();
    let servers: Vec<String> = hosts.iter().map(server).collect();
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(0)
        .says("reached the packet filter on port 22,2222");
    for ((host, before), was) in hosts.iter().zip(&before).zip(&servers) {
        told.changed(&host.name, 1);
        assert_eq!(server(host), *was, "{}: fail2ban was restarted", host.name);
        let filter = host.sh(FILTER);
        for part in ["192.0.2.66", "2001:db8:1::7", "2222"] {
            assert!(
                filter.contains(part),
                "{}: no {part} in\n{filter}",
                host.name
            );
        }
        // Early at boot the file alone comes back.
        let filter = host.sh(FILTER);
        undo(host, "HF_AT_BOOT=yes", "2");
        assert_eq!(host.sh(FILTER), filter, "{}", host.name);
        let file = String::from_utf8(host.read(OUR_FILE)).expect("text");
        assert!(file.contains("\nport = 22\n"), "{file}");
        undo(host, "", "2");
        assert_eq!(state(host), *before, "{}", host.name);
    }
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);

    // sshd leaves 22. Somebody changes our file by hand, and after their reload fail2ban claims what the packet
    // filter does not do.
    for host in &hosts {
        host.sh(&format!(
            "sed -i 's/^port.*/port = 2222/' {OUR_FILE}; fail2ban-client reload >/dev/null"
        ));
        assert_eq!(host.sh("fail2ban-client get sshd action $(fail2ban-client get sshd actions | tail -n 1) port"), "2222\n");
        assert!(jumps(host).contains("22,2222"), "{}", host.name);
        host.sh("printf 'Port 2222\n' >/etc/ssh/sshd_config.d/10-two.conf && systemctl reload ssh");
    }
    operator.inventory(
        "hosts:\n  bullseye: { port: 2222 }\n  bookworm: { port: 2222 }\n  trixie: { port: 2222 }\n",
    );
    known_on_port_2222(&lab);
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(0)
        .says("reached the packet filter on port 2222, and");
    for host in &hosts {
        let now = jumps(host);
        assert!(
            now.contains("2222") && !now.contains("22,"),
            "{}: {now}",
            host.name
        );
        assert!(host.sh(FILTER).contains("192.0.2.66"), "{}", host.name);
    }
    let again = operator.run(&["run", "fail2ban", "--yes"]);
    for host in &hosts {
        again.nothing_to_do(&host.name);
    }
}

/// The ports at which the packet filter asks about banned addresses.
#[track_caller]
fn jumps(host: &LabHost<'_>) -> String {
    let lines = host.sh(&format!(
        "{{ {FILTER}; }} | grep dport | sed -e 's/, /,/g' -e 's/[{{}}]//g'"
    ));
    let ports = |line: &str| {
        let rest = line.split("dport").nth(1)?;
        let word = rest.trim_start_matches('s').split_whitespace().next()?;
        Some(word.to_owned())
    };
    lines
        .lines()
        .filter_map(ports)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The hosts' keys are known under the names that OpenSSH gives them on another port.
fn known_on_port_2222(lab: &Lab) {
    let known = fs::read_to_string(lab.known_hosts()).expect("known hosts");
    let more = known.lines().filter_map(|line| {
        let (names, key) = line.split_once(' ')?;
        let names: Vec<String> = names
            .split(',')
            .map(|name| format!("[{name}]:2222"))
            .collect();
        Some(format!("{} {key}\n", names.join(",")))
    });
    let all = format!("{}\n{}", known.trim_end(), more.collect::<String>());
    fs::write(lab.known_hosts(), all).expect("known hosts");
}

#[test]
fn a_fail2ban_that_does_not_start_leaves_everything_as_it_was() {
    let lab = Lab::new("f2b-dead");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh(
            "systemctl stop fail2ban; rm -f /var/log/fail2ban.log; mkdir /var/log/fail2ban.log",
        );
    }
    let before: Vec<String> = hosts.iter().map(state).collect();
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(3).says("everything is as it was");
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(state(host), *before, "{}", host.name);
    }
}
