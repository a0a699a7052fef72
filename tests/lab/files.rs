//! Files, packages, services and commands on real hosts; what happens when somebody else was quicker, and
//! when the connection is cut in the middle.

use std::time::Duration;

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};
use holdfast::event::Fault;

const EVERY_KIND: &str = r#"
name: every-kind
summary: Every kind of step once
risk: low
inputs:
  color: { type: text, default: blue }
steps:
  - name: hello is installed
    package: hello
  - id: settings
    name: The listener has its settings
    file:
      path: /etc/lab-settings.conf
      content: |
        # of {{ host.name }}, Debian {{ facts.os.version }}
        color = {{ inputs.color }}
      mode: "0640"
      group: adm
  - name: Operators may restart it
    file:
      path: /etc/sudoers.d/90-lab-test
      content: "ops ALL=(root) NOPASSWD: /usr/bin/true\n"
      mode: "0440"
      validate: [visudo, -cf, "{}"]
  - name: The old settings are gone
    file: { path: /etc/lab-old.conf, absent: true }
  - name: The settings have a copy
    command:
      argv: [cp, /etc/lab-settings.conf, /root/copy]
      creates: /root/copy
  - name: The listener runs with its settings
    service: { name: lab-listen, running: true, enabled: true, on_change: restart }
    reload_on: [settings]
  - name: No fail2ban
    service: { name: fail2ban, running: false, enabled: false }
verify:
  - name: The settings say so
    command: [grep, -x, "color = .*", /etc/lab-settings.conf]
    expect: { stdout: "color = {{ inputs.color }}" }
"#;

#[track_caller]
fn listener(host: &LabHost<'_>) -> String {
    host.sh("systemctl show -p InvocationID --value lab-listen")
}

/// The journals of all runs on a host, and what its undo records are.
#[track_caller]
fn journal(host: &LabHost<'_>) -> String {
    host.sh("cat /var/lib/holdfast/runs/*/journal")
}

/// The lines of a journal without their times.
fn timeless(journal: &str) -> Vec<&str> {
    journal
        .lines()
        .map(|line| line.split_once(' ').expect("a time").1)
        .collect()
}

/// What the runbook says is so on a host.
#[track_caller]
fn assert_as_described(host: &LabHost<'_>) {
    let name = &host.name;
    let version = host.sh(". /etc/os-release; echo $VERSION_ID");
    let settings = format!("# of {name}, Debian {}\ncolor = blue\n", version.trim());
    assert_eq!(text(host, "/etc/lab-settings.conf"), settings);
    let attributes = "stat -c '%a %U:%G' /etc/lab-settings.conf /etc/sudoers.d/90-lab-test";
    assert_eq!(
        host.sh(attributes),
        "640 root:adm\n440 root:root\n",
        "{name}"
    );
    assert!(!is_there(host, "/etc/lab-old.conf"), "{name}");
    assert_eq!(text(host, "/root/copy"), settings, "{name}");
    assert_eq!(host.sh("hello"), "Hello, world!\n", "{name}");
    let services = "systemctl is-enabled lab-listen; systemctl is-active lab-listen
        systemctl is-enabled fail2ban || :; systemctl is-active fail2ban || :";
    let states = host.sh(services);
    let states: Vec<&str> = states.lines().collect();
    assert_eq!(states[..3], ["enabled", "active", "disabled"], "{name}");
    assert_ne!(states[3], "active", "{name}");
}

#[track_caller]
fn text(host: &LabHost<'_>, path: &str) -> String {
    String::from_utf8(host.read(path)).expect("text")
}

#[track_caller]
fn is_there(host: &LabHost<'_>, path: &str) -> bool {
    host.exec(&["test", "-e", path]).status.success()
}

#[test]
fn every_kind_of_step_is_applied_read_back_and_then_has_nothing_to_do() {
    let lab = Lab::new("kinds");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("every-kind", EVERY_KIND);
    for host in &hosts {
        host.sh("echo old >/etc/lab-old.conf");
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let started: Vec<String> = hosts.iter().map(listener).collect();
    operator.run(&["run", "every-kind", "--dry-run"]).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    let told = operator.run(&["run", "every-kind", "--yes"]);
    told.exits(0);
    for (host, started) in hosts.iter().zip(&started) {
        assert_as_described(host);
        assert_ne!(
            listener(host),
            *started,
            "{}: the listener was not restarted",
            host.name
        );
        assert_recorded(host, &told.done(&host.name));
    }

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let started: Vec<String> = hosts.iter().map(listener).collect();
    let again = operator.run(&["run", "every-kind", "--yes"]);
    again.exits(0);
    for ((host, before), started) in hosts.iter().zip(&before).zip(&started) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
        assert_eq!(listener(host), *started, "{}", host.name);
    }

    // A change asks for the restart, and only where it is made.
    let red = [
        "run",
        "every-kind",
        "--yes",
        "-e",
        "color=red",
        "-l",
        "trixie",
    ];
    operator.run(&red).exits(0);
    assert!(text(&hosts[2], "/etc/lab-settings.conf").ends_with("color = red\n"));
    assert_ne!(listener(&hosts[2]), started[2]);
    assert_eq!(listener(&hosts[1]), started[1]);
}

/// Every step has begun, been done, and left what its undo needs; nobody has the lock.
#[track_caller]
fn assert_recorded(host: &LabHost<'_>, steps: &[usize]) {
    let text = journal(host);
    let lines = timeless(&text);
    assert!(!steps.is_empty(), "{}", host.name);
    for step in steps {
        for line in [
            format!("step {step} started"),
            format!("step {step} change 1 started"),
            format!("step {step} change 1 rc 0"),
            format!("step {step} done"),
        ] {
            // What waits for the end of the run has a name of its own.
            let at_end = line.replacen(&format!("step {step}"), &format!("step {step}-end"), 1);
            let found = lines
                .iter()
                .filter(|found| **found == line || **found == at_end)
                .count();
            assert!(found >= 1, "{}: `{line}` is not in\n{text}", host.name);
        }
    }
    let folders = host.sh("cd /var/lib/holdfast; stat -c '%a %n' . runs runs/*");
    assert!(
        folders.lines().all(|line| line.starts_with("700 ")),
        "{folders}"
    );
    let records = host.sh("cat /var/lib/holdfast/runs/*/*/1/change.json");
    assert!(records.lines().count() >= steps.len(), "{records}");
    for line in records.lines() {
        serde_json::from_str::<holdfast::record::ChangeRecord>(line).expect("a record");
    }
    host.sh("cd /var/lib/holdfast/runs/; for kept in */kept */*/after */steps.yaml; do [ -s $kept ]; done");
    let free = host.exec(&["flock", "-n", "/run/holdfast.lock", "true"]);
    assert!(free.status.success(), "{}: the lock is held", host.name);
}

/// A slow first step, and a file that depends on nothing.
const SLOW_THEN_FILE: &str = r#"
name: slow-then-file
summary: A slow step, then a file
risk: low
steps:
  - name: It takes its time
    timeout: 30s
    command:
      argv: [sh, -c, "echo ran >>/root/ran; sleep 4; touch /root/made"]
      creates: /root/made
  - name: The file says so
    file: { path: /etc/lab-file.conf, content: "ours\n" }
"#;

const SLOW_THEN_RULES: &str = r#"
name: slow-then-rules
summary: A slow step, then firewall rules
risk: low
steps:
  - name: It takes its time
    command: { argv: [sleep, "4"], always: true }
  - name: The office may come in
    ufw_rules: { tag: office, allow: tcp, ports: 443, from: 198.51.100.0/24 }
"#;

#[test]
fn what_somebody_edits_between_plan_and_apply_is_never_overwritten() {
    let lab = Lab::new("swap");
    let hosts = lab.boot_all(["file", "rules"].map(HostSpec::new).into());
    let (file, rules) = (&hosts[0], &hosts[1]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow-then-file", SLOW_THEN_FILE);
    operator.runbook("slow-then-rules", SLOW_THEN_RULES);

    file.sh("echo before >/etc/lab-file.conf");
    let running = operator.start(&["run", "slow-then-file", "--yes", "-l", "file"]);
    running.wait_for_step(1);
    file.sh("echo edited >/etc/lab-file.conf");
    let stamp = "stat -c '%i %y %a' /etc/lab-file.conf";
    let before = file.sh(stamp);
    let told = running.wait();
    told.exits(8).stopped("file", Fault::Stale);
    assert_eq!(told.done("file"), [1]);
    assert_eq!(file.sh(stamp), before);
    assert_eq!(file.read("/etc/lab-file.conf"), b"edited\n");
    assert!(timeless(&journal(file)).ends_with(&["step 2 moved", "closed failed"]));
    // Looked at anew, it is a change like any other.
    operator
        .run(&["run", "slow-then-file", "--yes", "-l", "file"])
        .exits(0)
        .changed("file", 1);
    assert_eq!(file.read("/etc/lab-file.conf"), b"ours\n");

    let running = operator.start(&["run", "slow-then-rules", "--yes", "-l", "rules"]);
    running.wait_for_step(1);
    rules.sh("ufw allow 8080/tcp >/dev/null");
    let edited = rules.read("/etc/ufw/user.rules");
    let told = running.wait();
    told.exits(8).stopped("rules", Fault::Stale);
    assert_eq!(rules.read("/etc/ufw/user.rules"), edited);
}

/// Ends the connections of the operator to the host's sshd, by the ids of the processes that hold them.
#[track_caller]
pub fn cut_connections(host: &LabHost<'_>) {
    let held = "ss -Htnp state established '( sport = :22 )' | grep -o 'pid=[0-9]*' | cut -d = -f 2 | sort -u";
    let pids = host.sh(held);
    assert!(!pids.is_empty(), "{}: no connection to cut", host.name);
    for pid in pids.lines() {
        host.sh(&format!("kill -KILL {pid} 2>/dev/null || :"));
    }
}

#[test]
fn a_connection_that_is_cut_during_a_step_is_made_again_and_the_truth_is_told() {
    let lab = Lab::new("cut");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow-then-file", SLOW_THEN_FILE);
    let running = operator.start(&["run", "slow-then-file", "--yes"]);
    for host in &hosts {
        within(Duration::from_mins(1), "the step", || {
            is_there(host, "/root/ran")
        });
        cut_connections(host);
    }
    let told = running.wait();
    told.exits(0);
    for host in &hosts {
        told.changed(&host.name, 2);
        assert_eq!(host.read("/root/ran"), b"ran\n", "{}: repeated", host.name);
        assert_eq!(host.read("/etc/lab-file.conf"), b"ours\n", "{}", host.name);
        let lost = told.progress(&host.name).join("\n");
        assert!(
            lost.contains("looking what became of it"),
            "{}: {lost}",
            host.name
        );
        assert_recorded(host, &[1, 2]);
    }
    operator
        .run(&["run", "slow-then-file", "--yes"])
        .exits(0)
        .nothing_to_do("trixie");
    what_arrives_late_is_known_to_be_done(&hosts[1], &operator);
}

/// In the place of `flock`: when a run is about to take the host again, a step that it had sent before the line was
/// cut was just done.
const LATE: &str = r#"#!/bin/sh
if [ -e /root/late ] && [ "$*" = "-n 9" ]; then
    rm /root/late
    echo ours >/etc/lab-file.conf
    for run in /var/lib/holdfast/runs/*; do :; done
    printf '1 step 2 %s\n' started 'change 1 started' 'change 1 rc 0' done >>$run/journal
fi
exec /usr/bin/flock "$@"
"#;

/// That a step never began is the truth only once nothing can arrive any more.
fn what_arrives_late_is_known_to_be_done(host: &LabHost<'_>, operator: &Operator<'_>) {
    host.write("/usr/local/bin/flock", LATE);
    host.sh("chmod 0755 /usr/local/bin/flock; rm -f /root/ran /root/made /etc/lab-file.conf");
    let running = operator.start(&["run", "slow-then-file", "--yes", "-l", &host.name]);
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/ran")
    });
    // The host is heard, but hears nothing more: the next step is sent and does not arrive.
    let unheard = "INPUT -s 10.77.0.1 -p tcp --dport 22 -j DROP";
    host.sh(&format!("iptables -I {unheard}"));
    running.wait_for_step(2);
    host.sh("touch /root/late");
    cut_connections(host);
    host.sh(&format!("iptables -D {unheard}"));
    let told = running.wait();
    told.exits(0).changed(&host.name, 2);
    assert!(!is_there(host, "/root/late"));
    host.sh("rm /usr/local/bin/flock");
}

#[test]
fn a_connection_that_does_not_come_back_leaves_the_outcome_unknown_and_the_next_run_carries_on() {
    let lab = Lab::new("unknown");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow-then-file", SLOW_THEN_FILE);
    let running = operator.start(&["run", "slow-then-file", "--yes", "--connect-timeout", "2"]);
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/ran")
    });
    let away = "INPUT -s 10.77.0.1 -p tcp --dport 22 -j DROP";
    host.sh(&format!("iptables -I {away}"));
    cut_connections(host);
    let told = running.wait();
    host.sh(&format!("iptables -D {away}"));

    told.exits(10)
        .says("outcome unknown")
        .says("it may have been done or not");
    told.says("/var/lib/holdfast/runs/")
        .stopped("web", Fault::OutcomeUnknown);
    assert!(told.done("web").is_empty(), "nothing is known to be done");
    // The host knows, and nothing was begun after it.
    assert_eq!(timeless(&journal(host)).last(), Some(&"step 1 done"));
    assert!(!is_there(host, "/etc/lab-file.conf"));
    let next = operator.run(&["run", "slow-then-file", "--yes"]);
    next.exits(0).changed("web", 1);
    assert_eq!(next.done("web"), [2]);
    assert_eq!(host.read("/root/ran"), b"ran\n");
    assert_recorded(host, &[1, 2]);
}

#[test]
fn a_power_failure_in_the_middle_of_a_step_is_no_success_and_the_next_run_carries_on() {
    let lab = Lab::new("power");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow-then-file", SLOW_THEN_FILE);
    let running = operator.start(&["run", "slow-then-file", "--yes"]);
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/ran")
    });
    host.reset();
    let told = running.wait();
    told.exits(10).stopped("web", Fault::OutcomeUnknown);
    // It runs no more, whatever the journal of the host could not say any more.
    told.never_says("the step still runs");
    let next = operator.run(&["run", "slow-then-file", "--yes"]);
    next.exits(0).changed("web", 2);
    assert_eq!(host.read("/root/ran"), b"ran\nran\n");
}
