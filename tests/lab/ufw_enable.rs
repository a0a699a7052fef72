//! `ufw-enable` on each Debian release: SSH is let in first, the rest is kept out, and whoever is cut off
//! nevertheless gets the host back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::operator::{Footprint, Operator, Told, kernel, within};
use crate::support::lab::{
    Attempt, EDGE_V4, EDGE_V6, HostSpec, Lab, LabHost, OPERATOR_V4, OPERATOR_V6, Outcome,
    STRANGER_V4, STRANGER_V6, STRANGER2_V4, Setup, Target,
};
use crate::ufw_kind::{assert_a_reload_changes_nothing, connect, files, undo};
use holdfast::event::{EventKind, Fault};

/// Who may log in: the operator's networks, or somebody else's.
const OURS: &str = "ssh_from=10.77.0.0/24,fd77::/64";
const THEIRS: &str = "ssh_from=192.0.2.0/24";

#[track_caller]
fn enable(operator: &Operator<'_>, inputs: &[&str]) -> Told {
    enable_on(operator, "all", inputs)
}

#[track_caller]
fn enable_on(operator: &Operator<'_>, hosts: &str, inputs: &[&str]) -> Told {
    let mut words = vec!["run", "ufw-enable", "--yes", "--limit", hosts];
    words.extend(inputs.iter().flat_map(|input| ["-e", *input]));
    operator.run(&words)
}

/// Files, settings of the kernel that ufw makes, and the filter rules.
fn firewalls(hosts: &[LabHost<'_>]) -> Vec<(String, String)> {
    let state = |host| (files(host), kernel(host));
    hosts.iter().map(state).collect()
}

#[track_caller]
fn assert_untouched(hosts: &[LabHost<'_>], before: &[(String, String)]) {
    for (host, (files_before, kernel_before)) in hosts.iter().zip(before) {
        assert_same(&host.name, files_before, &files(host));
        assert_same(&host.name, kernel_before, &kernel(host));
    }
}

/// Says only which lines differ: the texts are long.
#[track_caller]
fn assert_same(what: &str, before: &str, after: &str) {
    let only = |one: &str, other: &str| -> Vec<String> {
        let others: BTreeSet<&str> = other.lines().collect();
        let alone = one.lines().filter(|line| !others.contains(line));
        alone.map(str::to_owned).collect()
    };
    let differences = (only(before, after), only(after, before));
    assert!(before == after, "{what}: {differences:?}");
}

/// A shell script on every host.
#[track_caller]
fn everywhere(hosts: &[LabHost<'_>], script: &str) {
    for host in hosts {
        host.sh(script);
    }
}

#[track_caller]
fn assert_reached(lab: &Lab, host: &LabHost<'_>, expected: &[(&str, u16, &str)]) {
    for (source, port, outcome) in expected {
        let found = connect(lab, source, host, *port);
        assert_eq!(found, *outcome, "{}: {port} from {source}", host.name);
    }
}

#[test]
fn ssh_comes_first_and_the_rest_is_kept_out_also_after_a_restart() {
    let lab = Lab::new("ufwenable");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    let inputs = [OURS, "open_tcp=443"];

    // A rule that keeps us out stands before ours.
    everywhere(&hosts, "ufw deny from 10.77.0.0/24 >/dev/null");
    let before = firewalls(&hosts);
    let refused = enable(&operator, &inputs);
    refused.exits(9);
    refused.says("a rule refuses SSH from 10.77.0.1 to port 22");
    assert_untouched(&hosts, &before);
    everywhere(&hosts, "ufw delete deny from 10.77.0.0/24 >/dev/null");

    let before = firewalls(&hosts);
    let footprints: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let shown = operator.run(&[
        "run",
        "ufw-enable",
        "--dry-run",
        "-e",
        OURS,
        "-e",
        inputs[1],
    ]);
    shown
        .exits(0)
        .says("ufw: inactive → active")
        .says("no rule lets anybody reach what listens there: tcp 80 (");
    for (host, footprint) in hosts.iter().zip(&footprints) {
        footprint.is_that_of(host);
    }
    enable(&operator, &[THEIRS])
        .exits(9)
        .says("no rule admits SSH from 10.77.0.1 to port 22");
    assert_untouched(&hosts, &before);

    let targets = hosts.iter().map(|host| Target::new(OPERATOR_V4, host, 443));
    let prober = lab.probe(&targets.collect::<Vec<_>>());
    let told = enable(&operator, &inputs);
    let attempts = prober.stop();
    told.exits(0);
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(told.rules(&host.name), shown.rules(&host.name));
        assert_eq!(told.done(&host.name), [3, 5, 7]);
        // ufw sets the policy before it loads its rules: a moment later the same packet gets through.
        let lost = attempts.other_than(n, &Outcome::Open);
        let quiet = |attempt: &&Attempt| attempt.outcome == Outcome::Timeout;
        assert!(lost.iter().all(quiet), "{}: {lost:?}", host.name);
        let times = lost.first().zip(lost.last());
        let took = times.map(|(first, last)| last.started.duration_since(first.started).unwrap());
        assert!(
            took.unwrap_or_default() < Duration::from_secs(2),
            "{took:?}"
        );
    }
    let reached = |host: &LabHost<'_>| {
        assert_reached(
            &lab,
            host,
            &[
                (OPERATOR_V4, 22, "open"),
                (OPERATOR_V6, 22, "open"),
                (STRANGER_V4, 443, "open"),
                (STRANGER_V6, 443, "open"),
                (STRANGER_V4, 22, "filtered"),
                (STRANGER_V6, 22, "filtered"),
                (STRANGER2_V4, 80, "filtered"),
                (OPERATOR_V6, 80, "filtered"),
            ],
        );
    };
    for host in &hosts {
        reached(host);
        assert_a_reload_changes_nothing(host);
    }
    let footprints: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    enable(&operator, &inputs).exits(0).says("Nothing to do");
    for (host, footprint) in hosts.iter().zip(&footprints) {
        footprint.is_that_of(host);
    }

    for host in &hosts {
        undo(host, 0, 7, "hf_ufw_state_undo");
        undo(host, 0, 5, "hf_ufw_undo");
        undo(host, 0, 3, "hf_ufw_undo");
    }
    assert_untouched(&hosts, &before);

    enable(&operator, &inputs).exits(0);
    let before = firewalls(&hosts);
    for host in &hosts {
        host.reboot();
    }
    for (host, (files_before, kernel_before)) in hosts.iter().zip(&before) {
        // What ufw sets for interfaces reaches only those that come after it.
        let of_disk = |files: &str| files.split_once("ipv4/").unwrap().0.to_owned();
        assert_same(&host.name, &of_disk(files_before), &of_disk(&files(host)));
        assert_same(&host.name, kernel_before, &kernel(host));
        reached(host);
    }
    enable(&operator, &inputs).exits(0).says("Nothing to do");
}

/// Nothing of the plan sees what this does: it is no rule of the user's.
const CUT: &str = r"
    for family in '' 6; do
        sed -i '/-i lo -j ACCEPT/a -A ufw'$family'-before-input -p tcp --dport 22 --syn -j DROP' /etc/ufw/before$family.rules
    done";

#[test]
fn whoever_is_cut_off_gets_the_host_back_without_ufw() {
    let lab = Lab::new("ufwcut");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    everywhere(&hosts, CUT);
    let before = firewalls(&hosts);
    let mut words = vec!["run", "ufw-enable", "--yes", "--guard-time=40s"];
    let told = operator.run(&words);
    told.exits(6)
        .says("no rule of ufw is asked about what this keeps out first: /etc/ufw/before.rules");
    for host in &hosts {
        let why = told.stopped(&host.name, Fault::Reverted);
        assert!(
            why.ends_with("the host has taken the guarded changes back and is as before"),
            "{why}"
        );
    }
    assert_untouched(&hosts, &before);

    // Cut off, and the power goes before the time is up.
    words[3] = "--guard-time=30m";
    let running = operator.start(&words);
    for host in &hosts {
        running.wait_for("ufw", |kind| {
            matches!(kind, EventKind::StepFinished { number, host: name, .. } if number.0 == 7 && *name == host.name)
        });
    }
    running.kill();
    for host in &hosts {
        assert_eq!(connect(&lab, OPERATOR_V4, host, 80), "filtered");
        host.reset();
        within(Duration::from_secs(20), "the guard at boot", || {
            let gone =
                "! ls /var/lib/holdfast/runs/*/guard/armed /var/lib/holdfast/runs/*/guard/firing";
            host.exec(&["sh", "-c", gone]).status.success()
        });
    }
    for (host, (files_before, _)) in hosts.iter().zip(&before) {
        assert_same(&host.name, files_before, &files(host));
        assert!(!kernel(host).contains("ufw"), "{}", host.name);
        assert_reached(
            &lab,
            host,
            &[(OPERATOR_V4, 22, "open"), (STRANGER_V4, 80, "open")],
        );
    }
}

#[track_caller]
fn installed(host: &LabHost<'_>) -> BTreeSet<String> {
    let packages = host.sh("dpkg-query -W -f '${db:Status-Status} ${Package}\n'");
    let names = packages
        .lines()
        .filter_map(|line| line.strip_prefix("installed "));
    names.map(str::to_owned).collect()
}

#[test]
fn without_ufw_the_dry_run_shows_all_of_it_and_what_a_removed_ufw_left_counts() {
    let lab = Lab::new("ufwbare");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    let footprints: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let dry = ["run", "ufw-enable", "--dry-run", "-e"];

    // What would be refused in the end is refused before the package comes.
    enable(&operator, &[THEIRS])
        .exits(9)
        .says("no rule admits SSH from 10.77.0.1 to port 22");
    everywhere(&hosts, "mkdir -p /etc/rancher/k3s");
    enable(&operator, &[OURS])
        .exits(9)
        .says("Kubernetes runs there, and ufw would keep out its packets to this host");
    everywhere(&hosts, "rm -r /etc/rancher");

    let shown = operator.run(&[&dry[..], &[OURS]].concat());
    shown.exits(0).says("ufw: inactive → active");
    for (host, footprint) in hosts.iter().zip(&footprints) {
        let touched = footprint.touched(host);
        assert_eq!(touched, ["/etc/."], "{}: only its time", host.name);
    }
    let packages: Vec<BTreeSet<String>> = hosts.iter().map(installed).collect();
    let told = enable(&operator, &[OURS]);
    told.exits(0);
    for (host, packages) in hosts.iter().zip(&packages) {
        let come: BTreeSet<String> = installed(host).difference(packages).cloned().collect();
        let promised = shown.lines(&host.name, "packages").1;
        let name = |line: &String| line.split(' ').next().unwrap().to_owned();
        assert_eq!(come, promised.iter().map(name).collect(), "{}", host.name);
        assert_eq!(told.done(&host.name), [1, 3, 7], "{}", host.name);
        let rules = host.sh("ufw status | grep -c 'holdfast:ufw-enable:ssh'");
        let promised = shown.rules(&host.name).1.len().to_string();
        assert_eq!(rules.trim(), promised, "{}", host.name);
        assert_reached(
            &lab,
            host,
            &[(OPERATOR_V6, 22, "open"), (STRANGER_V4, 22, "filtered")],
        );
        // All that was changed is what was shown: whatever is due now would be another change.
        assert_eq!(
            shown.plan(&host.name).count(),
            told.plan(&host.name).count()
        );
    }
    enable(&operator, &[OURS]).exits(0).says("Nothing to do");

    // Removed while it was on: its rules and settings are still there, and the package takes them up.
    everywhere(
        &hosts,
        "ufw prepend deny from 10.77.0.0/24 >/dev/null; ufw prepend deny from fd77::/64 >/dev/null
        apt-get -qq -y remove ufw >/dev/null 2>&1",
    );
    let before: Vec<BTreeSet<String>> = hosts.iter().map(installed).collect();
    enable(&operator, &[OURS])
        .exits(9)
        .says("a rule refuses SSH from 10.77.0.1 to port 22");
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(installed(host), *before, "{}", host.name);
        host.sh("apt-get -qq -y install ufw >/dev/null 2>&1; ufw delete deny from 10.77.0.0/24 >/dev/null 2>&1 || true
            ufw delete deny from fd77::/64 >/dev/null 2>&1 || true; apt-get -qq -y remove ufw >/dev/null 2>&1");
        assert_eq!(
            host.sh("grep -c ^ENABLED=yes /etc/ufw/ufw.conf").trim(),
            "1"
        );
    }
    let shown = operator.run(&[&dry[..], &[OURS]].concat());
    shown
        .exits(0)
        .says("ufw: active, but its rules are not loaded → active");
    let told = enable(&operator, &[OURS]);
    told.exits(0);
    for host in &hosts {
        assert_eq!(shown.rules(&host.name), (Vec::new(), Vec::new()));
        assert_eq!(told.done(&host.name), [1, 7], "{}", host.name);
        assert_reached(
            &lab,
            host,
            &[(OPERATOR_V6, 22, "open"), (STRANGER_V4, 22, "filtered")],
        );
    }
}

/// What happens to a firewall: each leaves ufw where a mere `ufw enable` does nothing, or cuts everybody off.
const DAMAGES: [&str; 5] = [
    "nft flush ruleset",
    "for t in iptables ip6tables; do $t -P INPUT ACCEPT; $t -F; done",
    "ufw --force disable >/dev/null; iptables -F; ip6tables -F",
    "sed -i s/^ENABLED=yes/ENABLED=no/ /etc/ufw/ufw.conf; iptables -P INPUT ACCEPT; ip6tables -F ufw6-user-input",
    "iptables -P INPUT ACCEPT; ip6tables -P INPUT ACCEPT",
];

#[test]
fn beside_other_runbooks_and_after_any_damage_it_is_on_again() {
    let lab = Lab::new("ufwheal");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    let web = lab.web();
    // SSH has left port 22.
    everywhere(
        &hosts,
        "printf 'Port 2222\n' >/etc/ssh/sshd_config.d/lab.conf; systemctl reload ssh",
    );
    let inventory = hosts
        .iter()
        .map(|host| format!("  {}: {{ port: 2222 }}\n", host.name));
    operator.inventory(&format!("hosts:\n{}", inventory.collect::<String>()));

    // Nobody can tell where sshd listens: no rule is made for it, and ufw stays off.
    everywhere(&hosts, "mv /usr/bin/ss /usr/bin/ss.lab");
    let before = firewalls(&hosts);
    enable(&operator, &[])
        .exits(9)
        .says("it cannot be told where sshd listens");
    assert_untouched(&hosts, &before);
    everywhere(&hosts, "mv /usr/bin/ss.lab /usr/bin/ss");

    // Containers: a person must have seen to their rules, or the rules are there.
    hosts[0].sh("ip link add docker0 type bridge");
    hosts[1].sh("mkdir -p /etc/rancher/k3s");
    let before = firewalls(&hosts);
    enable_on(&operator, "bullseye", &[])
        .exits(9)
        .says("Docker runs there");
    enable_on(&operator, "bookworm", &[])
        .exits(9)
        .says("Kubernetes runs there");
    assert_untouched(&hosts, &before);
    operator.refresh(&web, "good", &["--yes"]).exits(0);
    enable_on(&operator, "bullseye", &["beside_containers=true"]).exits(0);
    let cluster = "trusted=10.42.0.0/16,10.43.0.0/16";
    enable_on(&operator, "bookworm", &[cluster]).exits(0);
    enable_on(&operator, "trixie", &[]).exits(0);
    operator
        .refresh(&web, "good", &["--yes"])
        .exits(0)
        .says("Nothing to do");
    everywhere(
        &hosts,
        "ip link del docker0 2>/dev/null || true; rm -rf /etc/rancher",
    );
    let reached = |host: &LabHost<'_>| {
        let expected = [
            (OPERATOR_V4, 2222, "open"),
            (STRANGER_V6, 2222, "open"),
            (EDGE_V4, 443, "open"),
            (EDGE_V6, 443, "open"),
            (STRANGER_V4, 443, "filtered"),
            (STRANGER_V6, 80, "filtered"),
            (STRANGER2_V4, 22, "filtered"),
        ];
        assert_reached(&lab, host, &expected);
    };
    for host in &hosts {
        reached(host);
    }
    // The rules of the cluster go with the cluster.
    let told = enable(&operator, &[]);
    told.exits(0).changed("bookworm", 2);
    let before = firewalls(&hosts);
    for damage in DAMAGES {
        everywhere(&hosts, damage);
        assert_eq!(
            connect(&lab, STRANGER_V4, &hosts[0], 80),
            "open",
            "{damage}"
        );
        let told = enable(&operator, &[]);
        told.exits(0);
        for host in &hosts {
            assert_eq!(told.done(&host.name), [7], "{damage}");
        }
        assert_untouched(&hosts, &before);
    }
    for host in &hosts {
        reached(host);
    }
}

#[test]
fn where_ufw_leaves_ipv6_alone_it_is_shut_and_comes_back_with_the_rules_of_others() {
    let lab = Lab::new("ufwsix");
    let hosts = [lab.boot(HostSpec::new("web").setup(Setup::Full))];
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    host.sh("sed -i s/^IPV6=yes/IPV6=no/ /etc/default/ufw
        ip6tables -N theirs; ip6tables -A theirs -j ACCEPT; ip6tables -A INPUT -s 2001:db8:2::/48 -j theirs");
    let before = firewalls(&hosts);
    operator.inventory(&format!(
        "hosts:\n  web: {{ address: '{}', user: ops }}\n",
        host.v6()
    ));
    enable(&operator, &[OURS]).exits(9).says(
        "we come in from fd77::1, and with IPV6=no in /etc/default/ufw it keeps all IPv6 out",
    );
    assert_untouched(&hosts, &before);

    operator.inventory("hosts:\n  web: { user: ops }\n");
    let told = enable(&operator, &[OURS]);
    told.exits(0)
        .says("IPV6=no in /etc/default/ufw: ufw keeps out all IPv6 but loopback");
    assert_eq!(told.rules("web").1, ["allow tcp 22 from 10.77.0.0/24"]);
    assert_reached(
        &lab,
        host,
        &[
            (OPERATOR_V4, 22, "open"),
            (OPERATOR_V6, 22, "filtered"),
            (STRANGER_V6, 80, "filtered"),
        ],
    );
    enable(&operator, &[OURS]).exits(0).says("Nothing to do");
    undo(host, 0, 7, "hf_ufw_state_undo");
    undo(host, 0, 3, "hf_ufw_undo");
    assert_untouched(&hosts, &before);
}
