//! The way back: every shipped runbook is applied and taken back, and the host is as before; what was changed since
//! is never overwritten.

use std::thread;

use crate::operator::{Operator, list_inputs};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};

/// Everything of a host that a rollback must bring back: files with owner, mode and list, rules, values of the
/// kernel, units, sockets that listen, accounts. Times and numbers that change by themselves are left out.
const STATE: &str = r"
    cd /etc
    find . -xdev \( -name .pwd.lock -o -name '*.cache' -o -name '*-' \) -prune -o -printf '%p %y %m %u:%g %l\n' | sort
    find . -xdev \( -name .pwd.lock -o -name '*.cache' -o -name '*-' \) -prune -o -type f -exec sha256sum {} + | sort -k 2
    getfacl -Rcpn ssh ufw fail2ban sudoers.d 2>/dev/null
    find /root /home /usr/local /var/spool/cron -printf '%p %y %m %u:%g %l\n' 2>/dev/null | sort
    find /var/lib/holdfast/pending -type f 2>/dev/null | sort
    { iptables-save; ip6tables-save; } 2>/dev/null | sed -e '/^[#*]/d' -e '/^COMMIT/d' -e 's/ *\[[0-9:]*\]//' -e '/^:[A-Z]* ACCEPT$/d'
    sysctl -a 2>/dev/null | grep -E '^(kernel\.(kptr|dmesg|unpriv|yama|sysrq|perf|kexec)|fs\.(prot|suid)|net\.ipv[46]\.(conf\.(all|default|lo)|tcp_syn|icmp|ip_forward))' | grep -v -e stable_secret -e use_tempaddr
    systemctl list-unit-files --no-legend --no-pager | grep -v -e holdfast -e transient | awk '{ print $1, $2 }' | sort
    systemctl list-units --no-legend --no-pager --plain --type=service,socket,timer --state=active | awk '{ print $1 }' |
        grep -v -e '^user' -e '^systemd-' -e '^apt-daily' -e '^dpkg-' -e '^man-db' -e '^e2scrub' -e '^run-' -e '^motd' | sort
    ss -Hltn | awk '{ print $4 }' | sort
    for key in maxretry bantime findtime ignoreip; do fail2ban-client get sshd $key 2>/dev/null | sort; done
    ";

#[track_caller]
fn state(host: &LabHost<'_>) -> String {
    host.sh(&format!("( {STATE} ) || :"))
}

/// What differs between two texts of lines.
fn differences(before: &str, after: &str) -> String {
    let all = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    let (before, after) = (all(before), all(after));
    let gone = before.iter().filter(|line| !after.contains(line));
    let come = after.iter().filter(|line| !before.contains(line));
    let gone: String = gone.map(|line| format!("- {line}\n")).collect();
    gone + &come.map(|line| format!("+ {line}\n")).collect::<String>()
}

/// Applied, taken back and applied again, on one host.
#[track_caller]
fn there_and_back(operator: &Operator<'_>, host: &LabHost<'_>, words: &[&str]) {
    let before = state(host);
    let apply = || operator.run(&[words, &["--yes", "--limit", &host.name]].concat());
    let back = || operator.run(&["rollback", "last", "--yes"]);
    apply().exits(0);
    assert_ne!(
        state(host),
        before,
        "{}: {words:?} changed nothing",
        host.name
    );
    let told = back();
    told.exits(0);
    let differences = differences(&before, &state(host));
    assert!(
        differences.is_empty(),
        "{}: {words:?}\n{differences}\n{}",
        host.name,
        told.all()
    );
    apply().exits(0);
    back().exits(0);
}

#[test]
fn every_runbook_can_be_taken_back_and_applied_again() {
    let lab = Lab::new("rollback");
    let web = lab.web();
    let names = ["one", "two", "three"];
    let specs = names
        .into_iter()
        .zip(Release::ALL)
        .map(|(name, release)| HostSpec::new(name).release(release).setup(Setup::UfwActive));
    let mut specs: Vec<HostSpec> = specs.collect();
    specs.push(HostSpec::new("bare").setup(Setup::Full));
    let hosts = lab.boot_all(specs);
    let list = list_inputs(&web, "good");
    let refresh: Vec<&str> = ["run", "ufw-cf-refresh"]
        .into_iter()
        .chain(list.iter().flat_map(|input| ["-e", input.as_str()]))
        .collect();
    let port_move = vec!["run", "ssh-port-move", "-e", "port=2222", "-e", "soak=0s"];
    let run = |name| vec!["run", name];
    let plan: [Vec<Vec<&str>>; 4] = [
        vec![refresh.clone(), run("fail2ban")],
        vec![
            run("ssh-hardening"),
            run("kernel-settings"),
            port_move.clone(),
        ],
        vec![run("unattended-upgrades"), port_move],
        vec![run("ufw-enable"), run("baseline")],
    ];
    thread::scope(|scope| {
        for (host, runbooks) in hosts.iter().zip(&plan) {
            let lab = &lab;
            scope.spawn(move || {
                let operator = Operator::new(lab, &host.name, std::slice::from_ref(host));
                for words in runbooks {
                    there_and_back(&operator, host, words);
                }
            });
        }
    });
}
