//! Everything of a host that a way back must bring back, as lines of text.

use crate::support::lab::LabHost;

/// Files with owner, mode, access control list and content, rules of the packet filter, values of the kernel, units,
/// sockets that listen, what fail2ban does. Times and numbers that change by themselves are left out, and the chains
/// of fail2ban, which makes them when it bans somebody for the first time.
const STATE: &str = r#"
    places='/etc /root /home /usr/local /var/spool/cron'
    files() {
        find $places -xdev \( -name .pwd.lock -o -name '*.cache' -o -name '*-' -o -name .cache -o -name .bash_history \) -prune -o $@
    }
    files -printf '%p %y %m %u:%g %l\n' | sort
    files -type f -exec sha256sum {} + | sort -k 2
    getfacl -Rcpns $places 2>/dev/null
    find /var/lib/holdfast/pending -type f 2>/dev/null | sort
    { iptables-save; ip6tables-save; } 2>/dev/null | sed -e '/^[#*]/d' -e '/^COMMIT/d' -e 's/ *\[[0-9:]*\]//' -e '/^:[A-Z]* ACCEPT$/d' -e '/f2b-sshd/d'
    nft -s list ruleset 2>/dev/null | awk '/^table/ { own = $3 ~ /^(filter|nat|mangle|raw|security|f2b-table)$/ } !own'
    sysctl -a 2>/dev/null | grep -E '^(kernel\.(kptr|dmesg|unpriv|yama|sysrq|perf|kexec)|fs\.(prot|suid)|net\.ipv[46]\.(conf\.(all|default|lo)|tcp_syn|icmp|ip_forward))' | grep -v -e stable_secret -e use_tempaddr
    systemctl list-unit-files --no-legend --no-pager | grep -v -e holdfast -e transient | awk '{ print $1, $2 }' | sort
    systemctl list-units --no-legend --no-pager --plain --all --type=service,socket,timer | awk '{ print $1, $2, $3 == "active" }' |
        grep -v -e '^user' -e '^systemd-' -e '^apt-daily' -e '^dpkg-' -e '^man-db' -e '^e2scrub' -e '^run-' -e '^motd' -e holdfast -e ' not-found ' -e '@' -e ' 0$' | sort
    ss -Hltun | awk '{ print $1, $5 }' | sort
    for key in maxretry bantime findtime ignoreip; do fail2ban-client get sshd $key 2>/dev/null | sed 's/^[|`]- //' | sort; done
    fail2ban-client get sshd action $(fail2ban-client get sshd actions | tail -n 1) port 2>/dev/null
    "#;

#[track_caller]
pub fn state(host: &LabHost<'_>) -> String {
    host.sh(&format!("( {STATE} ) || :"))
}

/// What differs between two of them: lines that went and lines that came.
pub fn differences(before: &str, after: &str) -> String {
    let alone = |text: &str, other: &str, sign: char| -> Vec<String> {
        let others: std::collections::BTreeSet<&str> = other.lines().collect();
        let lines = text.lines().filter(|line| !others.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = alone(before, after, '-');
    lines.extend(alone(after, before, '+'));
    lines.join("\n")
}

/// Asserts that a host is in that state.
#[track_caller]
pub fn is_in(host: &LabHost<'_>, wanted: &str, what: &str) {
    let differences = differences(wanted, &state(host));
    assert!(
        differences.is_empty(),
        "{}: {what}:\n{differences}",
        host.name
    );
}
