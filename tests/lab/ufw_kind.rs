//! The kind `ufw` on each Debian release: the rules of a port that moves, and single rules.

use std::process::Stdio;
use std::thread;

use holdfast::event::Fault;

use crate::operator::{Footprint, Operator, kernel};
use crate::support::lab::{
    EDGE_V4, HostSpec, Lab, LabHost, OPERATOR_V4, OPERATOR_V6, STRANGER_V4, STRANGER_V6,
    STRANGER2_V4, Setup,
};

const MIRROR: &str = "
name: mirror
summary: Port 2222 is treated as port 22 is
risk: low
steps:
  - name: The rules of port 22 hold for port 2222
    guard: false
    ufw: { mirror: { from: 22, to: 2222 } }
";

const CLOSE: &str = "
name: close
summary: Port 22 is closed
risk: low
steps:
  - name: The rules of port 22 are gone
    guard: false
    ufw: { close: 22, kept: 2222 }
";

/// Tries once to connect, from an address of the lab; the outcome in one word.
#[track_caller]
fn connect(lab: &Lab, source: &str, host: &LabHost<'_>, port: u16) -> String {
    const CODE: &str = "
import socket, sys
source, address, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in source else socket.AF_INET
s = socket.socket(family)
s.settimeout(0.7)
s.bind((source, 0))
try:
    s.connect((address, int(port)))
    print('open')
except ConnectionRefusedError:
    print('refused')
except TimeoutError:
    print('filtered')
";
    let address = if source.contains(':') {
        host.v6()
    } else {
        host.v4()
    };
    let output = lab
        .operator("/usr/bin/python3")
        .args(["-c", CODE, source, &address, &port.to_string()])
        .stdin(Stdio::null())
        .output()
        .expect("python3");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Something that accepts on a port, whatever connects.
#[track_caller]
fn listen(host: &LabHost<'_>, port: u16) {
    host.sh(&format!(
        "systemd-run -q --unit=listen-{port} /usr/bin/python3 -c '
import socket
s = socket.create_server((\"::\", {port}), family=socket.AF_INET6, dualstack_ipv6=True)
while True: s.accept()[0].close()'
        for n in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn 'sport = :{port}' | grep -q . && exit 0; sleep 0.3; done; exit 1"
    ));
}

/// What `ufw` itself makes of its files must be what we loaded.
#[track_caller]
fn assert_a_reload_changes_nothing(host: &LabHost<'_>) {
    let files = "cat /etc/ufw/user.rules /etc/ufw/user6.rules";
    let before = (kernel(host), host.sh(files));
    host.sh("ufw reload >/dev/null");
    assert_eq!(before.0, kernel(host), "{}", host.name);
    assert_eq!(before.1, host.sh(files), "{}", host.name);
}

/// Puts the host back by the undo of the first step of its last run.
#[track_caller]
fn undo(host: &LabHost<'_>) {
    host.sh(r#"run=$(ls -dt /var/lib/holdfast/runs/* | head -n 1)
        HF_RUN=$run HF_STEP=1 HF_SAVE=$run/1/1 HF_INPUT=$run/1/1/input sh -c '
            . "$HF_RUN/lib.sh" 2>/dev/null; hf_ufw_undo'"#);
}

#[test]
fn another_port_gets_every_rule_of_the_old_one_and_takes_its_place() {
    let lab = Lab::new("ufw-mirror");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("mirror", MIRROR);
    operator.runbook("close", CLOSE);
    thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                host.sh(&format!(
                    "ufw prepend deny proto tcp from {STRANGER_V4} to any port 22 >/dev/null
                    ufw delete allow 22/tcp >/dev/null
                    ufw limit proto tcp from 10.77.0.0/24 to any port 22 comment 'by hand' >/dev/null
                    ufw limit proto tcp from fd77::/64 to any port 22 >/dev/null
                    ufw allow log from 173.245.48.0/20 to any app OpenSSH >/dev/null
                    ufw allow from 2001:db8:1::/48 to any port 22 >/dev/null
                    ufw allow proto tcp from 192.0.2.0/24 to any port 20:25,80 >/dev/null"
                ));
                listen(host, 2222);
            });
        }
    });
    let tuples = |host: &LabHost<'_>| {
        host.sh("grep -h '^### tuple' /etc/ufw/user.rules /etc/ufw/user6.rules")
    };
    let kernels: Vec<String> = hosts.iter().map(kernel).collect();
    let before: Vec<String> = hosts.iter().map(tuples).collect();

    let shown = operator.run(&["run", "mirror", "--dry-run"]);
    shown.exits(0).says("add 6 firewall rules for port 2222");
    let told = operator.run(&["run", "mirror", "--yes"]);
    told.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        let (gone, come) = told.rules(&host.name);
        assert_eq!(gone, Vec::<String>::new());
        assert_eq!(
            come,
            [
                "deny tcp 2222 from 203.0.113.7",
                "limit tcp 2222 from 10.77.0.0/24",
                "allow log tcp 2222 from 173.245.48.0/20",
                "allow tcp 2222 from 192.0.2.0/24",
                "limit tcp 2222 from fd77::/64",
                "allow tcp 2222 from 2001:db8:1::/48",
            ]
        );
        let ours = |line: &&str| line.contains("686f6c64666173743a");
        let after = tuples(host);
        let others: Vec<&str> = after.lines().filter(|line| !ours(line)).collect();
        assert_eq!(others, before.lines().collect::<Vec<_>>(), "{}", host.name);
        for (source, outcome) in [
            (OPERATOR_V4, "open"),
            (OPERATOR_V6, "open"),
            (EDGE_V4, "open"),
            (STRANGER2_V4, "open"),
            (STRANGER_V6, "open"),
            (STRANGER_V4, "filtered"),
        ] {
            let port_22 = connect(&lab, source, host, 22);
            assert_eq!(port_22, outcome, "{}: 22 from {source}", host.name);
            let port_2222 = connect(&lab, source, host, 2222);
            assert_eq!(port_2222, outcome, "{}: 2222 from {source}", host.name);
        }
        assert_a_reload_changes_nothing(host);
    }
    operator
        .run(&["run", "mirror", "--yes"])
        .exits(0)
        .says("Nothing to do");

    // sshd still listens on 22: nothing is closed under it.
    let footprints: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let refused = operator.run(&["run", "close", "--yes"]);
    refused.exits(3).says("sshd still listens on port 22");
    for (host, footprint) in hosts.iter().zip(&footprints) {
        let touched = footprint.touched(host);
        let ours = |path: &String| path.contains("/holdfast") || path == "/var/lib";
        assert!(touched.iter().all(ours), "{touched:?}");
        host.sh("systemctl stop listen-2222
            echo Port 2222 >/etc/ssh/sshd_config.d/lab.conf; systemctl reload ssh
            for n in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn 'sport = :22' | grep -q . || exit 0; sleep 0.3; done; exit 1");
    }
    let inventory = hosts
        .iter()
        .map(|host| format!("  {}: {{ port: 2222 }}\n", host.name));
    operator.inventory(&format!("hosts:\n{}", inventory.collect::<String>()));
    let told = operator.run(&["run", "close", "--yes"]);
    told.exits(0)
        .says("stays because it is about more than that port: allow tcp 20:25,80");
    for host in &hosts {
        let (gone, come) = told.rules(&host.name);
        assert_eq!(come, Vec::<String>::new());
        assert_eq!(
            gone,
            [
                "limit tcp 22 from 10.77.0.0/24",
                "allow log tcp 22 from 173.245.48.0/20 (profile OpenSSH)",
                "limit tcp 22 from fd77::/64",
                "allow any 22 from 2001:db8:1::/48",
            ]
        );
        assert_eq!(connect(&lab, EDGE_V4, host, 2222), "open");
        assert_eq!(connect(&lab, EDGE_V4, host, 22), "filtered");
        assert_eq!(
            connect(&lab, STRANGER2_V4, host, 22),
            "refused",
            "a rule of its own"
        );
        assert_a_reload_changes_nothing(host);
    }
    operator
        .run(&["run", "close", "--yes"])
        .exits(0)
        .says("Nothing to do");
    _ = kernels;
    _ = undo;
    _ = HostSpec::new;
    _ = Fault::Failed;
}
