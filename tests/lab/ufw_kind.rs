//! The kind `ufw` on each Debian release: the rules of a port that moves, and single rules.

use std::process::Stdio;
use std::thread;

use crate::operator::{Footprint, Operator, kernel};
use crate::support::lab::{
    EDGE_V4, Lab, LabHost, OPERATOR_V4, OPERATOR_V6, Outcome, STRANGER_V4, STRANGER_V6,
    STRANGER2_V4, Setup, Target,
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
pub fn connect(lab: &Lab, source: &str, host: &LabHost<'_>, port: u16) -> String {
    const CODE: &str = "
import socket, sys
source, address, port = sys.argv[1:]
family = socket.AF_INET6 if ':' in source else socket.AF_INET
s = socket.socket(family)
s.settimeout(1.5)
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
pub fn assert_a_reload_changes_nothing(host: &LabHost<'_>) {
    let files = "cat /etc/ufw/user.rules /etc/ufw/user6.rules";
    let before = (kernel(host), host.sh(files));
    host.sh("ufw reload >/dev/null");
    assert_eq!(before.0, kernel(host), "{}", host.name);
    assert_eq!(before.1, host.sh(files), "{}", host.name);
}

/// Takes back a step of a run by what it kept on the host; `back` runs before the last that had such a step.
#[track_caller]
pub fn undo(host: &LabHost<'_>, back: usize, step: usize, function: &str) {
    let nth = back + 1;
    host.sh(&format!(
        "HF_SAVE=$(ls -dr /var/lib/holdfast/runs/*/{step}/1 | sed -n {nth}p); HF_STEP={step}
        HF_RUN=${{HF_SAVE%/*/1}}; HF_INPUT=$HF_SAVE/input; . $HF_RUN/lib.sh; {function}"
    ));
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
    // Both steps taken back, the last one first.
    for (host, (kernel_before, before)) in hosts.iter().zip(kernels.iter().zip(&before)) {
        undo(host, 0, 1, "hf_ufw_undo");
        undo(host, 1, 1, "hf_ufw_undo");
        assert_eq!(tuples(host), *before, "{}", host.name);
        assert_eq!(kernel(host), *kernel_before, "{}", host.name);
    }
}

const ON: &str = "
name: on
summary: ufw is on
risk: low
inputs:
  from: { type: list of cidr, default: [] }
  incoming: { type: text, default: deny }
  logging: { type: text, default: low }
steps:
  - name: SSH is let in
    guard: false
    when: inputs.from != []
    ufw: { rules: [{ tag: ssh, action: limit, protocol: tcp, ports: 22, from: '{{ inputs.from }}' }] }
  - name: ufw is on
    guard: false
    ufw: { enabled: true, incoming: '{{ inputs.incoming }}', outgoing: allow, routed: deny, logging: '{{ inputs.logging }}' }
";

const OFF: &str = "
name: off
summary: ufw is off
risk: low
steps:
  - name: ufw is off
    guard: false
    ufw: { enabled: false }
";

/// All of ufw's files, and the settings of the kernel that it makes.
#[track_caller]
pub fn files(host: &LabHost<'_>) -> String {
    host.sh("cd /etc; stat -c '%n %a %u:%g' ufw/* default/ufw; sha256sum ufw/*.rules ufw/*.conf default/ufw
        cd /proc/sys/net; grep -H . ipv4/conf/*/accept_redirects ipv4/conf/*/log_martians ipv6/conf/*/accept_redirects")
}

const FROM: &str = "from=10.77.0.0/24,fd77::/64";

#[test]
fn ufw_is_switched_on_only_with_a_way_in_and_off_again_exactly() {
    let lab = Lab::new("ufw-on");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("on", ON);
    let kernels: Vec<String> = hosts.iter().map(kernel).collect();
    let before: Vec<String> = hosts.iter().map(files).collect();

    let refused = operator.run(&["run", "on", "--yes"]);
    refused.exits(9);
    refused.says("no rule admits SSH from 10.77.0.1 to port 22");
    let refused = operator.run(&["run", "on", "--yes", "-e", "from=192.0.2.0/24"]);
    refused
        .exits(9)
        .says("no rule admits SSH from 10.77.0.1 to port 22");
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(files(host), before[n], "{}", host.name);
        assert_eq!(kernel(host), kernels[n], "{}", host.name);
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "open");
    }

    let shown = operator.run(&["run", "on", "--dry-run", "-e", FROM]);
    shown.exits(0).says("ufw: inactive → active");
    shown.says("net/ipv4/conf/all/accept_redirects 1 → 0");
    operator.run(&["run", "on", "--yes", "-e", FROM]).exits(0);
    for host in &hosts {
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "filtered");
        assert_eq!(connect(&lab, STRANGER_V6, host, 443), "filtered");
        assert_eq!(connect(&lab, STRANGER_V4, host, 22), "filtered");
        let ours = connect(&lab, OPERATOR_V6, host, 22);
        assert_eq!(ours, "open", "{}", host.name);
        assert_a_reload_changes_nothing(host);
    }
    operator
        .run(&["run", "on", "--yes", "-e", FROM])
        .exits(0)
        .says("Nothing to do");

    for (n, host) in hosts.iter().enumerate() {
        undo(host, 0, 2, "hf_ufw_state_undo");
        undo(host, 0, 1, "hf_ufw_undo");
        assert_eq!(files(host), before[n], "{}", host.name);
        assert_eq!(kernel(host), kernels[n], "{}", host.name);
        undo(host, 0, 2, "hf_ufw_state_undo");
        assert_eq!(kernel(host), kernels[n], "{}: a second time", host.name);
    }
}

#[test]
fn policies_and_logging_are_what_ufw_would_make_of_them_without_a_gap() {
    let lab = Lab::new("ufw-policy");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("on", ON);
    let targets: Vec<Target> = hosts
        .iter()
        .map(|host| Target::new(STRANGER_V4, host, 80))
        .collect();
    let prober = lab.probe(&targets);
    for (incoming, logging) in [
        ("reject", "low"),
        ("deny", "full"),
        ("reject", "off"),
        ("deny", "low"),
    ] {
        let inputs = [format!("incoming={incoming}"), format!("logging={logging}")];
        let words = ["run", "on", "--yes", "-e", &inputs[0], "-e", &inputs[1]];
        operator.run(&words).exits(0);
        operator.run(&words).exits(0).says("Nothing to do");
        let outcome = if incoming == "deny" {
            "filtered"
        } else {
            "refused"
        };
        for host in &hosts {
            assert_eq!(
                connect(&lab, STRANGER2_V4, host, 443),
                outcome,
                "{}",
                host.name
            );
        }
    }
    let attempts = prober.stop();
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(attempts.count(n, &Outcome::Open), 0, "{}: a gap", host.name);
        assert!(attempts.of(n).count() > 100, "{}", host.name);
    }

    // Each of them is what ufw itself would have loaded, and can be taken back.
    for words in [
        ["incoming=reject", "logging=medium"],
        ["incoming=allow", "logging=off"],
    ] {
        let before: Vec<(String, String)> = hosts
            .iter()
            .map(|host| (kernel(host), files(host)))
            .collect();
        operator
            .run(&["run", "on", "--yes", "-e", words[0], "-e", words[1]])
            .exits(0);
        for (host, before) in hosts.iter().zip(&before) {
            assert_a_reload_changes_nothing(host);
            undo(host, 0, 2, "hf_ufw_state_undo");
            assert_eq!((kernel(host), files(host)), *before, "{}", host.name);
        }
    }

    // Switched off it lets everybody in, and back on nobody: nothing in between is half a firewall.
    operator.runbook("off", OFF);
    let before: Vec<(String, String)> = hosts
        .iter()
        .map(|host| (kernel(host), files(host)))
        .collect();
    operator.run(&["run", "off", "--yes"]).exits(0);
    operator
        .run(&["run", "off", "--yes"])
        .exits(0)
        .says("Nothing to do");
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "open");
        assert_eq!(host.sh("ufw status"), "Status: inactive\n");
        undo(host, 0, 1, "hf_ufw_state_undo");
        assert_eq!((kernel(host), files(host)), *before, "{}", host.name);
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "filtered");
    }

    // `nft flush ruleset` took everything away, and ufw still thinks that it is on.
    for host in &hosts {
        host.sh("iptables -F; iptables -X; iptables -P INPUT ACCEPT; ip6tables -F; ip6tables -X; ip6tables -P INPUT ACCEPT");
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "open");
    }
    let told = operator.run(&["run", "on", "--yes"]);
    told.exits(0).says("its rules are not loaded");
    for host in &hosts {
        assert_eq!(connect(&lab, STRANGER_V4, host, 80), "filtered");
    }
}

#[test]
fn switching_on_can_be_taken_back_wherever_it_was_killed() {
    let lab = Lab::new("ufw-kill");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("on", ON);
    // The functions come to the hosts with a run.
    operator.run(&["run", "on", "--yes", "-e", FROM]).exits(0);
    thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                undo(host, 0, 2, "hf_ufw_state_undo");
                let mut before = (kernel(host), files(host));
                for tenths in 0..8 {
                    if tenths == 4 {
                        // Half stopped, as a stop leaves it that was killed itself: more has to be done.
                        host.sh("ufw --force enable >/dev/null; sed -i s/^ENABLED=yes/ENABLED=no/ /etc/ufw/ufw.conf
                            iptables -P INPUT ACCEPT; iptables -F INPUT; ip6tables -F ufw6-before-input");
                        before = (kernel(host), files(host));
                    }
                    host.sh(&format!(
                        "HF_RUN=$(ls -dt /var/lib/holdfast/runs/* | head -n 1); HF_STEP=9; HF_SAVE=$HF_RUN/9/{tenths}
                        HF_INPUT=$HF_SAVE/input; export HF_RUN HF_STEP HF_SAVE HF_INPUT; mkdir -p $HF_SAVE
                        setsid sh -c '. $HF_RUN/lib.sh; hf_ufw_switch on' </dev/null >/dev/null 2>&1 9>&- &
                        sleep 0.{tenths}; . $HF_RUN/lib.sh; hf_kill_session $! || :; hf_ufw_state_undo"
                    ));
                    assert_eq!((kernel(host), files(host)), before, "{} {tenths}", host.name);
                }
            });
        }
    });
}
