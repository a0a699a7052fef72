//! The guard takes back changes of the real kinds: files, units, sshd, fail2ban and the firewall are as they were.

use std::thread;
use std::time::{Duration, Instant};

use crate::guard::{fired, nothing_is_held};
use crate::operator::Operator;
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use holdfast::event::Fault;

/// Changes of many kinds in one section, and then the one that cuts us off.
const EVERYTHING: &str = r#"name: everything
summary: Changes a lot and cuts the operator off
why: for a test
risk: high
steps:
  - name: A file with a list of rights has new content and no rights for others
    guard: true
    file: {path: /etc/lab-rights, content: "ours\n", mode: "0600", owner: root}
  - name: A file is gone
    guard: true
    file: {path: /etc/lab-gone, absent: true}
  - name: The kernel drops connections that nobody ends sooner
    guard: true
    sysctl: {values: {net.ipv4.tcp_synack_retries: 4}}
  - name: A unit is there
    guard: true
    systemd_unit: {name: lab-ours, content: "[Service]\nExecStart=/bin/sleep 3600\n[Install]\nWantedBy=multi-user.target\n"}
  - name: A unit of others has a drop-in
    guard: true
    systemd_unit: {name: lab-listen, drop_in: 10-nice.conf, content: "[Service]\nNice=5\n"}
  - name: The unit runs
    guard: true
    service: {name: lab-ours, running: true, enabled: true}
  - name: Another does not
    guard: true
    service: {name: cron, running: false, enabled: false}
  - name: There is an account
    guard: true
    user: {name: labnew, groups: [adm]}
  - name: It may do something
    guard: true
    sudoers: {name: labnew, content: "labnew ALL=(root) NOPASSWD: /bin/true\n"}
  - name: The jail of sshd is stricter and watches another port
    guard: true
    fail2ban_jail: {name: sshd, settings: {maxretry: 3, bantime: 2h, port: [22, 2222]}}
  - name: sshd is stricter and listens on another port
    guard: true
    sshd_config:
      drop_in: 00-holdfast-lab.conf
      ports: [22, 2222]
      settings: {MaxAuthTries: 3, X11Forwarding: "no"}
  - name: The firewall lets somebody in
    guard: true
    ufw:
      rules:
        - {tag: ssh, action: allow, protocol: tcp, ports: [22]}
        - {tag: web, action: limit, protocol: tcp, ports: [80, 443], from: [192.0.2.0/24, "2001:db8::/32"]}
  - name: The other port has the rules of the first
    guard: true
    ufw: {mirror: {from: 22, to: 2222}}
  - name: The firewall is on
    guard: true
    ufw: {enabled: true, incoming: reject}
  - name: SSH is dropped
    guard: true
    command:
      argv: [sh, -c, "nft add table inet cut; nft 'add chain inet cut input { type filter hook input priority 0; }'; nft add rule inet cut input tcp dport { 22, 2222 } drop"]
      undo: [nft, delete, table, inet, cut]
      unless: [nft, list, table, inet, cut]
"#;

/// All that the steps are about, in the files, in the kernel and in those who run. Of files that a tool writes, the
/// time and the tool's own copy of what was before (`passwd-`) are other ones afterwards.
#[track_caller]
fn state(host: &LabHost<'_>) -> String {
    host.sh(r"
        cd /etc
        find . -xdev -printf '%p %y %m %U:%G %l\n' | sort
        find ssh fail2ban lab-* -type f -printf '%p %T@\n' | sort
        find . -xdev -type f ! -name '*-' -exec sha256sum {} + | sort -k 2
        getfacl -n /etc/lab-rights
        find /home /root /var/spool /usr/local -printf '%p %m %U:%G\n' | sort
        find /run /tmp /var/tmp -xdev -name '*holdfast*' ! -name 'holdfast.lock' ! -name 'holdfast.holder' 2>/dev/null
        iptables-save | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'
        ip6tables-save | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'
        nft list tables
        ss -Hltn | awk '{ print $4 }' | sort
        if [ -d /run/sshd ]; then sshd -T; else mkdir /run/sshd; sshd -T; rmdir /run/sshd; fi
        sysctl -a 2>/dev/null | grep -e '^net.ipv[46].conf.[adl]' -e '^net.ipv4.icmp_' -e '^net.ipv4.tcp_s'
        systemctl list-unit-files --no-legend --no-pager | awk '{ print $1, $2 }'
        for unit in ssh.service ssh.socket cron lab-ours lab-listen ufw fail2ban; do
            systemctl show -p LoadState,ActiveState,UnitFileState,DropInPaths,NeedDaemonReload,Nice $unit
        done
        fail2ban-client status
        for what in maxretry bantime findtime banip ignoreip actions; do fail2ban-client get sshd $what; done
    ")
}

/// fail2ban runs and bans somebody, and there are a file with rights of its own and one that will go.
fn prepare(host: &LabHost<'_>) {
    host.sh(
        r#"printf '[sshd]\nenabled = true\nbackend = systemd\nmaxretry = 7\n' >/etc/fail2ban/jail.d/00-lab.local
        systemctl enable fail2ban 2>/dev/null; systemctl restart fail2ban
        echo theirs >/etc/lab-rights; chown ops:adm /etc/lab-rights; chmod 0640 /etc/lab-rights; setfacl -m u:noisy:rw /etc/lab-rights
        echo theirs >/etc/lab-gone; chown noisy /etc/lab-gone; chmod 4751 /etc/lab-gone; touch -d 2020-02-02 /etc/lab-gone /etc/lab-rights
        iptables -P INPUT "$(iptables -S INPUT | sed -n 's/^-P INPUT //p')"; ip6tables -P INPUT "$(ip6tables -S INPUT | sed -n 's/^-P INPUT //p')"
        for try in $(seq 60); do fail2ban-client status sshd >/dev/null 2>&1 && break; sleep 0.5; done
        fail2ban-client set sshd banip 192.0.2.66 >/dev/null; sleep 2"#,
    );
}

#[test]
fn what_real_kinds_changed_is_taken_back_exactly() {
    let lab = Lab::new("guardall");
    let specs = vec![
        HostSpec::new("eleven").release(Release::Bullseye),
        HostSpec::new("thirteen").release(Release::Trixie),
        // systemd listens for sshd, and ufw is still off.
        HostSpec::new("socket").socket().setup(Setup::Full),
    ];
    let hosts = lab.boot_all(specs);
    thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| prepare(host));
        }
    });
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("everything", EVERYTHING);
    // The first login starts the service behind the socket.
    operator.run(&["run", "everything", "--dry-run"]).exits(0);
    let before: Vec<String> = hosts.iter().map(state).collect();
    let told = operator.run(&[
        "run",
        "everything",
        "--yes",
        "--guard-time=60s",
        "--connect-timeout=5",
    ]);
    told.exits(6);
    for (host, before) in hosts.iter().zip(&before) {
        let why = told.stopped(&host.name, Fault::Reverted);
        assert!(why.ends_with("is as before"), "{}: {why}", host.name);
        let steps = told.done(&host.name).len();
        assert!(steps >= 13, "{}: only {steps} steps came about", host.name);
        nothing_is_held(host);
        assert_same(before, host);
    }
    assert_eq!(fired(&told).len(), hosts.len());
}

/// Asserts that a host is as it was, naming the lines that differ. systemd takes a moment to forget a unit.
#[track_caller]
fn assert_same(before: &str, host: &LabHost<'_>) {
    let end = Instant::now() + Duration::from_secs(10);
    let mut after = state(host);
    while after != before && Instant::now() < end {
        after = state(host);
    }
    let without = |one: &str, other: &str, sign: char| -> Vec<String> {
        let mut left: Vec<&str> = other.lines().collect();
        let is_lost = |line: &&str| match left.iter().position(|there| there == line) {
            Some(place) => {
                left.remove(place);
                false
            }
            None => true,
        };
        let lines = one.lines().filter(is_lost);
        lines.map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = without(before, &after, '-');
    lines.extend(without(&after, before, '+'));
    let lines = lines.join("\n");
    assert!(
        after == before,
        "{}, perhaps in another order:\n{lines}",
        host.name
    );
}
