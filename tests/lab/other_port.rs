//! A host that answers on another port than the inventory says, and the operator's own files put right.

use std::fs;
use std::time::Duration;

use holdfast::event::{EventKind, Fault};

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};

const RUNBOOK: &str = r#"
name: settle
summary: The inventory and the trusted keys follow the port of SSH
risk: low
inputs:
  port: { type: port, help: where SSH is }
also_try_ports: ["{{ inputs.port }}", 22]
steps:
  - name: The keys we trust are trusted on the new port
    known_hosts: { port: "{{ inputs.port }}" }
  - name: The inventory says the new port
    when: inputs.port in facts.sshd.ports
    inventory: { port: "{{ inputs.port }}" }
"#;

/// All at once, as nobody should do it: the guard has to close again what the host was found on.
const JUMP: &str = r#"
name: jump
summary: SSH is on another port
why: for a test
risk: high
also_try_ports: [2222]
steps:
  - name: sshd listens on the other port alone
    guard: { port: "2222" }
    sshd_config: { drop_in: 00-jump.conf, ports: [2222] }
"#;

const CALM: &str = r#"
name: calm
summary: A file is there
why: for a test
risk: high
also_try_ports: [2222]
steps:
  - name: A file is there
    guard: true
    file: { path: /etc/holdfast-calm, content: "there\n" }
"#;

const INVENTORY: &str = "\
# what we have
hosts:
  one: # the first
    port: 22      # as ever
    user: ops
  two: { user: root } # the second
";

fn listens_on(host: &LabHost<'_>, port: u16) {
    host.sh(&format!(
        "echo 'Port {port}' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh
        for i in $(seq 50); do ss -Hltn sport = :{port} | grep -q . && exit; sleep 0.1; done; exit 1"
    ));
}

#[test]
fn a_host_on_another_port_is_used_and_the_files_of_the_operator_follow() {
    let lab = Lab::new("otherport");
    let spec = |name| HostSpec::new(name).setup(Setup::Full);
    let hosts = lab.boot_all(vec![spec("one").release(Release::Trixie), spec("two")]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("settle", RUNBOOK);
    operator.inventory(INVENTORY);
    for host in &hosts {
        listens_on(host, 2222);
    }
    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    let words = ["run", "settle", "-e", "port=2222"];
    let run = |flag: &str| operator.run(&[&words[..], &[flag]].concat());
    let inventory = || fs::read_to_string(operator.project().join("inventory.yaml")).unwrap();

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let dry = run("--dry-run");
    dry.exits(0)
        .says("it answers on port 2222, not on 22")
        .says("inventory.yaml (on this machine)")
        .says("+    port: 2222      # as ever")
        .says("a plain `ssh` to one still goes to port 22");
    assert_eq!(inventory(), INVENTORY);
    assert_eq!(fs::read_to_string(lab.known_hosts()).unwrap(), known);
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    run("--yes")
        .exits(0)
        .says("it answers on port 2222, not on 22");
    assert_eq!(
        inventory(),
        INVENTORY
            .replace("port: 22 ", "port: 2222 ")
            .replace("{ user: root }", "{ port: 2222, user: root }")
    );
    let now = fs::read_to_string(lab.known_hosts()).unwrap();
    let added = now.strip_prefix(&known).expect("only lines at the end");
    assert_eq!(added.lines().count(), 6, "three keys of two hosts: {added}");
    for host in &hosts {
        let name = format!("[{}]:2222 ", host.v4());
        assert_eq!(added.matches(&name).count(), 3, "{added}");
    }

    let again = run("--yes");
    again
        .exits(0)
        .nothing_to_do("one")
        .nothing_to_do("two")
        .never_says("it answers on port");
}

#[test]
fn a_port_that_went_back_is_found_and_only_the_trusted_key_counts_there() {
    let lab = Lab::new("backport");
    let hosts = lab.boot_all(vec![HostSpec::new("one").setup(Setup::Full)]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("settle", RUNBOOK);
    let rolled_back = INVENTORY.replace("port: 22 ", "port: 2222 ");
    operator.inventory(&rolled_back);
    // All that is known of the host is its key on the port that it left.
    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    let address = hosts[0].v4();
    let keys = known
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1));
    let elsewhere: Vec<String> = keys
        .map(|key| format!("[{address}]:2222 {key}\n"))
        .collect();
    fs::write(lab.known_hosts(), elsewhere.concat()).unwrap();
    let words = ["run", "settle", "-e", "port=2222", "-l", "one", "--yes"];
    operator
        .run(&words)
        .exits(0)
        .says("it answers on port 22, not on 2222")
        .nothing_to_do("one");
    let text = fs::read_to_string(operator.project().join("inventory.yaml")).unwrap();
    assert_eq!(text, rolled_back);

    // A machine with another key is no substitute, whatever port it has.
    lab.forge_known_host("one");
    let other = fs::read_to_string(lab.dir().join("forged-one.pub")).unwrap();
    fs::write(
        lab.known_hosts(),
        format!("[{address}]:2222 {other}{address} {other}"),
    )
    .unwrap();
    let told = operator.run(&words);
    told.exits(4);
    told.stopped("one", Fault::Identity);
}

#[test]
fn a_refused_login_is_never_tried_on_another_port() {
    let lab = Lab::new("refusedport");
    let hosts = lab.boot_all(vec![HostSpec::new("one").setup(Setup::Full)]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("settle", RUNBOOK);
    operator.inventory("hosts:\n  one: { user: nobody }\n");
    hosts[0].sh("printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/00-test.conf; systemctl reload ssh");
    within(Duration::from_secs(30), "both ports", || {
        hosts[0].sh("ss -Hltn 'sport = :2222' | wc -l") != "0\n"
    });
    let told = operator.run(&["run", "settle", "-e", "port=2222", "--yes"]);
    told.exits(4).never_says("port 2222");
    told.stopped("one", Fault::Authentication);
    // By the name that sshd gives itself: for one that ends at once, journald may not learn the unit any more.
    within(Duration::from_secs(30), "a try in sshd's log", || {
        let tries = hosts[0].sh("journalctl -q -t sshd -o cat | grep -c 'user nobody' || true");
        tries.trim().parse::<u32>().unwrap() >= 1
    });
}

#[test]
fn a_port_that_a_guard_closes_again_is_left_for_the_one_that_it_opens() {
    let lab = Lab::new("closedport");
    let hosts = lab.boot_all(vec![HostSpec::new("one").setup(Setup::Bare)]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("jump", JUMP);
    operator.runbook("calm", CALM);
    let running = operator.start(&["run", "jump", "--yes", "--guard-time=40s"]);
    running.wait_for("the other port", |kind| {
        matches!(kind, EventKind::StepFinished { .. })
    });
    running.kill();
    operator
        .run(&["run", "calm", "--dry-run"])
        .exits(0)
        .says("it answers on port 2222, not on 22")
        .says("is armed: the host restores itself in");
    let told = operator.run(&["run", "calm", "--yes"]);
    told.exits(0)
        .changed("one", 1)
        .says("so one restored itself")
        .says("a new login succeeded, by port 22 of the host")
        .never_says("it answers on port 2222");
}
