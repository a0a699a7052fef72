//! `ufw-cf-refresh` on each Debian release: 22 rules, made without a moment of weakness, and nothing else.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::operator::{Footprint, Operator, Rules, kernel};
use crate::support::lab::{
    Attempts, EDGE_V4, EDGE_V6, EDGE2_V4, Lab, LabHost, Outcome, STRANGER_V4, STRANGER_V6, Setup,
    Target,
};

/// What Cloudflare publishes, and the lab's server in its mode `good`.
pub const V4: [&str; 15] = [
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "108.162.192.0/18",
    "131.0.72.0/22",
    "141.101.64.0/18",
    "162.158.0.0/15",
    "172.64.0.0/13",
    "173.245.48.0/20",
    "188.114.96.0/20",
    "190.93.240.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
];
pub const V6: [&str; 7] = [
    "2400:cb00::/32",
    "2405:8100::/32",
    "2405:b500::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

/// The rules of a plan that let these networks reach port 443.
pub fn rules_for<'a>(networks: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let rule = |network| format!("allow tcp 443 from {network}");
    networks.into_iter().map(rule).collect()
}

fn all_rules() -> BTreeSet<String> {
    rules_for(V4.into_iter().chain(V6))
}

/// What an apply may touch on a host, and nothing beside it.
fn is_ours(path: &str) -> bool {
    let folders = [
        "/var/lib",
        "/etc/ufw",
        "/etc/ufw/user.rules",
        "/etc/ufw/user6.rules",
    ];
    let files = [
        "/run/holdfast.lock",
        "/run/holdfast.holder",
        "/run/ufw.lock",
    ];
    folders.contains(&path) || files.contains(&path) || path.starts_with("/var/lib/holdfast")
}

#[test]
fn a_dry_run_lists_exactly_22_additions_and_writes_nothing() {
    let lab = Lab::new("dry");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let kernels: Vec<String> = hosts.iter().map(kernel).collect();

    let told = operator.refresh(&web, "good", &["--dry-run"]);
    told.exits(0);
    for host in &hosts {
        let (gone, come) = told.rules(&host.name);
        assert_eq!((gone.len(), come.len()), (0, 22), "{}", host.name);
        let come: BTreeSet<String> = come.into_iter().collect();
        assert_eq!(come, all_rules(), "{}", host.name);
    }
    told.says("22 changes").says("nothing was written");
    let detailed = operator.refresh(&web, "good", &["--dry-run", "--detailed-exitcode"]);
    detailed.exits(2);

    for ((host, before), kernel_before) in hosts.iter().zip(&before).zip(&kernels) {
        before.is_that_of(host);
        assert_eq!(kernel(host), *kernel_before, "{}", host.name);
        assert!(
            !host
                .exec(&["test", "-e", "/var/lib/holdfast"])
                .status
                .success()
        );
    }
}

#[test]
fn apply_makes_the_22_rules_touches_nothing_else_and_a_second_run_writes_nothing() {
    let lab = Lab::new("apply");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();

    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        told.changed(&host.name, 22);
        let (v4, v6) = (
            Rules::of(host, "user.rules"),
            Rules::of(host, "user6.rules"),
        );
        assert_eq!(v4.sources(), V4.map(str::to_owned).into(), "{}", host.name);
        assert_eq!(v6.sources(), V6.map(str::to_owned).into(), "{}", host.name);
        let loaded = kernel(host);
        for network in V4.into_iter().chain(V6) {
            let rule = format!("-s {network} -p tcp -m tcp --dport 443 -j ACCEPT");
            assert_eq!(
                loaded.matches(&rule).count(),
                1,
                "{}: {network}\n{loaded}",
                host.name
            );
        }
        let touched = before.touched(host);
        let foreign: Vec<&String> = touched.iter().filter(|path| !is_ours(path)).collect();
        assert!(foreign.is_empty(), "{}: {foreign:?}", host.name);
        // The comparison would have noticed: these did change.
        for path in ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"] {
            assert!(touched.iter().any(|touched| touched == path), "{touched:?}");
        }
    }

    // A packet makes the counters of its rule count; loading the rules again would set them to zero.
    let edges: Vec<Target> = hosts
        .iter()
        .map(|host| Target::new(EDGE_V4, host, 443))
        .collect();
    lab.probe(&edges).stop();
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let counters: Vec<String> = hosts.iter().map(edge_counter).collect();
    let again = operator.refresh(&web, "good", &["--yes"]);
    again.exits(0);
    for ((host, before), counter) in hosts.iter().zip(&before).zip(&counters) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
        assert!(
            !counter.contains("[0:0]"),
            "the probe did not count: {counter}"
        );
        assert_eq!(
            edge_counter(host),
            *counter,
            "{}: the rules were loaded again",
            host.name
        );
    }
}

fn edge_counter(host: &LabHost<'_>) -> String {
    host.sh("iptables-save -c -t filter | grep -e '-s 173.245.48.0/20 .*--dport 443'")
}

/// Looks at the firewall of a host again and again, from inside.
struct Watch {
    child: Child,
}

/// What a [`Watch`] saw: each distinct sight, and how often.
struct Seen(Vec<(usize, String)>);

impl Watch {
    #[track_caller]
    fn start(host: &LabHost<'_>) -> Self {
        // One line for each look. The chain of our rules must only ever be all old or all new.
        let script = r#"
            while [ ! -e /tmp/watch.end ]; do
                printf '%s' "$(sed -n s/^ENABLED=/enabled=/p /etc/ufw/ufw.conf)"
                for tool in iptables-save ip6tables-save; do
                    $tool -t filter | awk '
                        /^:(INPUT|FORWARD|OUTPUT) / { printf " %s=%s", substr($1, 2), $2 }
                        /^-A INPUT -j ufw6?-before-input$/ { hooked = 1 }
                        /^-A ufw6?-user-input / { rules++ }
                        END { printf " hooked=%d rules=%d", hooked, rules }'
                done
                echo
            done | sort | uniq -c"#;
        let mut command = host.command("/bin/sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        host.sh("rm -f /tmp/watch.end");
        let child = command.spawn().expect("a watch");
        std::thread::sleep(Duration::from_millis(300));
        Self { child }
    }

    #[track_caller]
    fn stop(self, host: &LabHost<'_>) -> Seen {
        host.sh("touch /tmp/watch.end");
        let output = self.child.wait_with_output().expect("what it saw");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = |line: &str| {
            let (count, sight) = line.trim_start().split_once(' ').expect("a count");
            (count.parse().expect("a number"), sight.to_owned())
        };
        Seen(text.lines().map(line).collect())
    }
}

impl Seen {
    /// Asserts that the firewall was up at every look, with one of these numbers of rules each.
    #[track_caller]
    fn was_always_up(&self, host: &LabHost<'_>, rules: &[(usize, usize)]) {
        let good: Vec<String> = rules
            .iter()
            .map(|(v4, v6)| {
                let chains = "INPUT=DROP FORWARD=DROP OUTPUT=ACCEPT hooked=1";
                format!("enabled=yes {chains} rules={v4} {chains} rules={v6}")
            })
            .collect();
        let bad: Vec<_> = self
            .0
            .iter()
            .filter(|(_, sight)| !good.contains(sight))
            .collect();
        assert!(bad.is_empty(), "{}: {bad:#?}", host.name);
        let looks: usize = self.0.iter().map(|(count, _)| count).sum();
        assert!(looks > 30, "{}: only {looks} looks", host.name);
    }
}

const ALLOWED: [usize; 2] = [0, 1];
const FORBIDDEN: [usize; 2] = [2, 3];
const ADMITTED: usize = 4;

/// Connects to a host from edges that are always allowed, from strangers, and from an edge that the
/// first apply lets in.
fn targets(host: &LabHost<'_>) -> [Target; 5] {
    [EDGE_V4, EDGE_V6, STRANGER_V4, STRANGER_V6, EDGE2_V4].map(|from| Target::new(from, host, 443))
}

#[track_caller]
fn assert_no_moment_of_weakness(host: &LabHost<'_>, attempts: &Attempts) {
    for target in ALLOWED {
        let failed = attempts.other_than(target, &Outcome::Open);
        assert!(failed.is_empty(), "{}: {failed:#?}", host.name);
        assert!(
            attempts.count(target, &Outcome::Open) > 100,
            "{}",
            host.name
        );
    }
    for target in FORBIDDEN {
        let open = attempts.other_than(target, &Outcome::Timeout);
        assert!(open.is_empty(), "{}: {open:#?}", host.name);
        assert!(
            attempts.count(target, &Outcome::Timeout) > 100,
            "{}",
            host.name
        );
    }
}

#[test]
fn while_it_applies_no_allowed_connection_fails_and_no_forbidden_one_succeeds() {
    let lab = Lab::new("traffic");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        // The edges that must never lose their way in have one of their own before the first apply.
        host.sh(&format!(
            "ufw allow proto tcp from {EDGE_V4} to any port 443 >/dev/null
             ufw allow proto tcp from {EDGE_V6} to any port 443 >/dev/null"
        ));
        let only = ["--yes", "--limit", host.name.as_str()];

        let prober = lab.probe(&targets(host));
        let watch = Watch::start(host);
        operator
            .refresh(&web, "good", &only)
            .exits(0)
            .changed(&host.name, 22);
        watch
            .stop(host)
            .was_always_up(host, &[(2, 2), (17, 9), (17, 2), (2, 9)]);
        let attempts = prober.stop();
        assert_no_moment_of_weakness(host, &attempts);
        assert_opens_once(host, &attempts);

        // The second change takes the edges' own rules for granted no more: what holds them now is ours.
        host.sh(&format!(
            "ufw delete allow proto tcp from {EDGE_V4} to any port 443 >/dev/null
             ufw delete allow proto tcp from {EDGE_V6} to any port 443 >/dev/null"
        ));
        let v4 = V4.iter().filter(|range| **range != "131.0.72.0/22");
        let v6 = V6.iter().filter(|range| **range != "2c0f:f248::/32");
        let live = v4
            .chain(v6)
            .copied()
            .chain(["199.27.128.0/21", "2a0c:dd40::/32"]);
        web.set_live(live);
        let prober = lab.probe(&targets(host));
        let watch = Watch::start(host);
        operator
            .refresh(&web, "live", &only)
            .exits(0)
            .changed(&host.name, 4);
        watch.stop(host).was_always_up(host, &[(16, 8)]);
        let attempts = prober.stop();
        assert_no_moment_of_weakness(host, &attempts);
        let failed = attempts.other_than(ADMITTED, &Outcome::Open);
        assert!(failed.is_empty(), "{}: {failed:#?}", host.name);
    }
}

/// The edge that the apply lets in: shut, and from one moment on open for good.
#[track_caller]
fn assert_opens_once(host: &LabHost<'_>, attempts: &Attempts) {
    let outcomes: Vec<&Outcome> = attempts
        .of(ADMITTED)
        .map(|attempt| &attempt.outcome)
        .collect();
    let first = outcomes
        .iter()
        .position(|outcome| **outcome == Outcome::Open);
    let first = first.unwrap_or_else(|| panic!("{}: never let in", host.name));
    assert!(first > 0, "{}: it was open before", host.name);
    // A packet that was dropped is sent again after a second, and the prober doesn't wait that long.
    let shut: Vec<_> = outcomes[first..]
        .iter()
        .filter(|o| ***o != Outcome::Open)
        .collect();
    assert!(shut.is_empty(), "{}: {shut:?}", host.name);
}

/// Rules such as people make, with comments such as nobody should.
const FOREIGN: &str = r#"
    export LC_ALL=C.UTF-8
    cat >/etc/ufw/applications.d/lab <<'FILE'
[Lab Web]
title=A profile of the lab
description=Two ports
ports=8080/tcp|9090/udp
FILE
    ufw limit 22/tcp comment 'ssh "mine" # ünï $(touch /tmp/pwned) `x` ;|&'
    ufw allow 'Lab Web' comment 'an app'
    ufw allow 7777/tcp comment "$(printf 'a\n### tuple ### allow any any 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -j ACCEPT')"
    ufw route allow in on host0 out on host1 to 10.9.0.0/16 port 80 proto tcp comment 'a route'
    ufw deny in on host0 from 192.0.2.66 to any port 443 proto tcp
    ufw reject log from 2001:db8:66::/48 to any
    ufw allow out 53
    ufw allow proto tcp from 198.51.100.0/24 to any port 8000:8010,9000 comment 'holdfast:other:cf'
    ufw deny 23
"#;

#[test]
fn rules_and_comments_of_others_stay_byte_for_byte_and_a_reload_keeps_it_all() {
    let lab = Lab::new("foreign");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh(&format!("({FOREIGN}) >/dev/null"));
    }
    let files = ["user.rules", "user6.rules"];
    let read = |host: &LabHost<'_>| files.map(|file| host.read(&format!("/etc/ufw/{file}")));
    let before: Vec<_> = hosts.iter().map(read).collect();

    operator.refresh(&web, "good", &["--yes"]).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        for (file, before) in files.iter().zip(before) {
            let rules = Rules::of(host, file);
            let now = String::from_utf8_lossy(&rules.others);
            assert_eq!(
                now,
                String::from_utf8_lossy(before),
                "{}: {file}",
                host.name
            );
            assert_eq!(rules.others, *before, "{}: {file}", host.name);
        }
        assert!(!host.exec(&["test", "-e", "/tmp/pwned"]).status.success());
        let status = host.sh("ufw status");
        assert!(status.starts_with("Status: active"), "{status}");
        assert_eq!(
            status.matches("# holdfast:ufw-cf-refresh:cf").count(),
            22,
            "{status}"
        );
    }

    let after: Vec<_> = hosts
        .iter()
        .map(|host| (read(host), kernel(host)))
        .collect();
    for (host, (files, loaded)) in hosts.iter().zip(&after) {
        host.sh("ufw reload >/dev/null");
        assert_eq!(read(host), *files, "{}", host.name);
        assert_eq!(kernel(host), *loaded, "{}", host.name);
    }
    operator
        .refresh(&web, "good", &["--yes"])
        .exits(0)
        .nothing_to_do(&hosts[0].name);
}

#[test]
fn a_rule_of_somebody_else_that_does_the_same_counts_and_stays() {
    let lab = Lab::new("satisfied");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh("ufw allow proto tcp from 173.245.48.0/20 to any port 443 comment mine >/dev/null");
    }
    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(0)
        .says("1 rule that is not ours does the same already");
    for host in &hosts {
        told.changed(&host.name, 21);
        let rules = Rules::of(host, "user.rules");
        assert_eq!(rules.ours.len(), 14, "{}", host.name);
        let others = String::from_utf8(rules.others).expect("text");
        assert!(
            others.contains("173.245.48.0/20 in comment=6d696e65\n"),
            "{others}"
        );
    }
    let again = operator.refresh(&web, "good", &["--yes"]);
    for host in &hosts {
        again.nothing_to_do(&host.name);
    }
}
