//! Unit files and waiting on real hosts.

use crate::accounts::undo_all;
use crate::operator::{Footprint, Operator};
use crate::support::lab::{Lab, LabHost, Setup};

fn runbook(steps: &str) -> String {
    format!("name: units\nsummary: Units\nrisk: low\nsteps:\n{steps}")
}

/// A service that listens after a while, its timer, a drop-in of somebody else's unit, and waiting for all that.
const APP: &str = r#"
  - id: unit
    name: The app is a unit
    systemd_unit:
      name: lab-app.service
      content: |
        [Unit]
        Description=The app
        [Service]
        ExecStartPre=/bin/sleep 2
        ExecStart=/usr/bin/perl -MIO::Socket -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8099, Listen => 9); while ($s->accept) {}'
        [Install]
        WantedBy=multi-user.target
  - name: Its timer is there
    systemd_unit: { name: lab-app.timer, content: "[Timer]\nOnCalendar=2098-01-01\n[Install]\nWantedBy=timers.target\n" }
  - name: The listener is nicer
    systemd_unit: { name: lab-listen, drop_in: 10-nice.conf, content: "[Service]\nNice=5\n" }
  - name: The app runs
    service: { name: lab-app, running: true, enabled: true }
    reload_on: [unit]
  - name: It answers
    wait_for: { port: 8099, timeout: 30s, every: 1s }
  - name: Its port is known to the kernel
    wait_for: { command: [grep, -q, ":1FA3 ", /proc/net/tcp], timeout: 5s }
  - name: The host is up
    wait_for: { file: /run/systemd/system }
"#;

fn units(host: &LabHost<'_>) -> String {
    host.sh("systemctl show -p Nice --value lab-listen; systemctl list-timers --all --no-legend lab-app.timer | wc -l
        systemctl show -p LoadState,UnitFileState,ActiveState lab-app.service lab-app.timer
        find /etc/systemd/system -printf '%p %m %l\\n' | sort")
}

#[test]
fn units_are_written_read_started_waited_for_and_taken_back() {
    let lab = Lab::new("units");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("units", &runbook(APP));
    let before: Vec<_> = hosts
        .iter()
        .map(|host| (units(host), Footprint::of(host)))
        .collect();
    operator.run(&["run", "units", "--dry-run"]).exits(0);
    for (host, (_, footprint)) in hosts.iter().zip(&before) {
        footprint.is_that_of(host);
    }
    operator.run(&["run", "units", "--yes"]).exits(0);
    for host in &hosts {
        let states = "systemctl is-enabled lab-app; systemctl is-active lab-app; systemctl show -p Nice --value lab-listen
            systemctl show -p NeedDaemonReload --value lab-app.service lab-app.timer lab-listen.service | sort -u | grep .";
        assert_eq!(host.sh(states), "enabled\nactive\n5\nno\n", "{}", host.name);
    }
    let done: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&["run", "units", "--yes"]);
    again.exits(0);
    for ((host, done), (units_before, _)) in hosts.iter().zip(&done).zip(&before) {
        again.nothing_to_do(&host.name);
        done.is_that_of(host);
        undo_all(host);
        assert_eq!(units(host), *units_before, "{}", host.name);
        undo_all(host);
        assert_eq!(units(host), *units_before, "{}", host.name);
    }
}

#[test]
fn what_systemd_would_ignore_is_refused_and_waiting_in_vain_fails_with_what_was_seen() {
    let lab = Lab::new("unitbad");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    let unit = |content: &str| {
        runbook(&format!(
            "  - name: A unit\n    systemd_unit: {{ name: lab-bad.service, content: \"{content}\" }}\n"
        ))
    };
    let drop_in = |content: &str| {
        runbook(&format!(
            "  - name: A drop-in\n    systemd_unit: {{ name: lab-listen, drop_in: 10-x.conf, content: \"{content}\" }}\n"
        ))
    };
    let refused = [
        (
            unit("[Service]\\nExecStart=/bin/true\\nFooBar=1\\n"),
            "line 3: this systemd knows no `FooBar`",
        ),
        (
            unit("[Service]\\nExecStart=/bin/true\\n[Instal]\\nWantedBy=x\\n"),
            "knows no `WantedBy` in [Instal]",
        ),
        (
            unit("[Service]\\nExecStart=/bin/true\\nRestart=maybe\\n"),
            "systemd-analyze says of the new content: line 3",
        ),
        (
            unit("[Service]\\nExecStart=/nowhere/x\\n"),
            "is not executable",
        ),
        (unit("[Service]\\nType=simple\\n"), "lab-bad.service"),
        (
            drop_in("[Service]\\nOOMScoreAdjust=many\\n"),
            "systemd-analyze says of the new content: line 2",
        ),
    ];
    let before: Vec<_> = hosts
        .iter()
        .map(|host| host.snapshot("/etc/systemd"))
        .collect();
    for (text, why) in &refused {
        operator.runbook("units", text);
        operator.run(&["run", "units", "--yes"]).exits(3).says(why);
    }
    for (host, before) in hosts.iter().zip(&before) {
        let differences = before.differences(&host.snapshot("/etc/systemd"));
        // A folder that was made and removed again leaves its time.
        let differences: Vec<_> = differences
            .iter()
            .filter(|line| !line.starts_with("~ ./system: "))
            .collect();
        assert!(differences.is_empty(), "{}: {differences:?}", host.name);
    }
    let wait = |body: &str| runbook(&format!("  - name: It comes\n    wait_for: {body}\n"));
    let in_vain = [
        (
            "{ port: 8098, timeout: 2s, every: 1s }",
            "port 8098 of 127.0.0.1: Connection refused",
        ),
        (
            "{ file: /run/never, timeout: 1s, every: 1s }",
            "there is no /run/never",
        ),
        (
            "{ command: [cat, /run/never], timeout: 1s, every: 1s }",
            "No such file",
        ),
    ];
    for (body, why) in in_vain {
        operator.runbook("units", &wait(body));
        operator
            .run(&["run", "units", "--yes", "-l", "trixie"])
            .exits(3)
            .says(why);
    }
    operator.runbook("units", &wait("{ port: 22 }"));
    operator.run(&["run", "units", "--yes"]).says("sshd's");
}
