//! What was changed by hand since is shown and never overwritten, whatever kind of thing it is: also when a part of
//! the run was taken back already, after a way back that failed, and between the question and the step.

use crate::host_state::{is_in, state};
use crate::operator::{Footprint, Operator, Told, within};
use crate::support::lab::{HostSpec, Lab, LabHost};
use holdfast::change::Verdict;
use std::time::Duration;

/// Things of several kinds. Behind each a step whose way back waits, when a test wants to do something meanwhile.
const MANAGED: &str = r#"
name: managed
summary: Things of several kinds
risk: medium
inputs: { v: { type: int } }
steps:
  - name: A text
    file: { path: /etc/lab/motd, content: "{{ inputs.v }}\n" }
  - name: gate 1
    command: { argv: [touch, "/run/lab-1-{{ inputs.v }}"], creates: "/run/lab-1-{{ inputs.v }}", undo: [sh, /root/gate, "1", "{{ inputs.v }}"] }
  - name: A key
    authorized_keys: { user: nosudo, keys: ["ssh-ed25519 {{ 'AAAAC3NzaC1lZDI1NTE5AAAAIJc1xDGTRfbBkK04ZUEy0yNO1Sgeoz3WTfbQjzq5/ZEj' if inputs.v == 1 else 'AAAAC3NzaC1lZDI1NTE5AAAAIF7ZpZTau4wAWfGdzi7isa58Ck0M3A8oUWVTMdABWITh' }} eve@elsewhere"] }
  - name: gate 2
    command: { argv: [touch, "/run/lab-2-{{ inputs.v }}"], creates: "/run/lab-2-{{ inputs.v }}", undo: [sh, /root/gate, "2", "{{ inputs.v }}"] }
  - name: A jail
    fail2ban_jail: { name: sshd, settings: { enabled: true, backend: systemd, maxretry: "{{ inputs.v + 3 }}" } }
  - name: gate 3
    command: { argv: [touch, "/run/lab-3-{{ inputs.v }}"], creates: "/run/lab-3-{{ inputs.v }}", undo: [sh, /root/gate, "3", "{{ inputs.v }}"] }
  - name: A value of the kernel
    sysctl: { values: { net.ipv4.tcp_syn_retries: "{{ inputs.v + 1 }}" } }
  - name: gate 4
    command: { argv: [touch, "/run/lab-4-{{ inputs.v }}"], creates: "/run/lab-4-{{ inputs.v }}", undo: [sh, /root/gate, "4", "{{ inputs.v }}"] }
  - name: A setting of sshd
    sshd_config: { drop_in: 00-lab.conf, settings: { MaxAuthTries: "{{ inputs.v + 3 }}" } }
  - name: gate 5
    command: { argv: [touch, "/run/lab-5-{{ inputs.v }}"], creates: "/run/lab-5-{{ inputs.v }}", undo: [sh, /root/gate, "5", "{{ inputs.v }}"] }
  - name: A rule
    ufw_rules: { tag: office, allow: tcp, ports: "{{ 8440 + inputs.v }}", from: 192.0.2.0/24 }
  - name: gate 6
    command: { argv: [touch, "/run/lab-6-{{ inputs.v }}"], creates: "/run/lab-6-{{ inputs.v }}", undo: [sh, /root/gate, "6", "{{ inputs.v }}"] }
"#;

/// A gate: open when nobody closed it.
const GATE: &str = r#"
if [ -e /run/lab-closed ]; then
    touch "/run/lab-at-$1"
    while [ ! -e "/run/lab-go-$1" ]; do sleep 0.1; done
fi
rm -f "/run/lab-$1-$2"
"#;

/// A thing of a kind: its step, what somebody does to it, what the diff says then, how that is put right again.
struct Thing {
    step: &'static str,
    edit: &'static str,
    shows: &'static str,
    mend: &'static str,
}

const THINGS: [Thing; 6] = [
    Thing {
        step: "A text",
        edit: "echo by hand >>/etc/lab/motd",
        shows: "+  by hand",
        mend: "sed -i '/by hand/d' /etc/lab/motd",
    },
    Thing {
        step: "A key",
        edit: "cp -a /home/nosudo/.ssh/authorized_keys /run/lab-keys; echo '# of a colleague' >>/home/nosudo/.ssh/authorized_keys",
        shows: "# of a colleague",
        mend: "cp -a /run/lab-keys /home/nosudo/.ssh/authorized_keys",
    },
    Thing {
        step: "A jail",
        edit: "sed -i 's/^maxretry.*/maxretry = 9/' /etc/fail2ban/jail.d/90-holdfast-sshd.local",
        shows: "maxretry = 9",
        mend: "sed -i 's/^maxretry.*/maxretry = 5/' /etc/fail2ban/jail.d/90-holdfast-sshd.local",
    },
    Thing {
        step: "A value of the kernel",
        edit: "sysctl -q -w net.ipv4.tcp_syn_retries=4",
        shows: "live=4",
        mend: "sysctl -q -w net.ipv4.tcp_syn_retries=3",
    },
    Thing {
        step: "A setting of sshd",
        edit: "echo '# by a colleague' >>/etc/ssh/sshd_config.d/00-lab.conf",
        shows: "# by a colleague",
        mend: "sed -i '/by a colleague/d' /etc/ssh/sshd_config.d/00-lab.conf",
    },
    Thing {
        step: "A rule",
        edit: "cp -a /etc/ufw/user.rules /etc/ufw/user6.rules /run; ufw allow 9000/tcp >/dev/null",
        shows: "9000",
        mend: "ufw delete allow 9000/tcp >/dev/null; cp -a /run/user.rules /run/user6.rules /etc/ufw",
    },
];

/// The steps that cannot be taken back, for somebody changed what they are about.
fn refused(told: &Told, host: &str) -> Vec<String> {
    let steps = told.plan(host).steps.iter();
    let moved = steps.filter(|step| {
        matches!(step.verdict(), Some(Verdict::Blocked(blocked)) if !blocked.moved.is_empty())
    });
    let name = moved.map(|step| step.name.split_once(": ").map_or("", |(_, name)| name));
    name.map(str::to_owned).collect()
}

/// All things, the last one of the run first.
fn steps(things: &[Thing]) -> Vec<String> {
    things
        .iter()
        .rev()
        .map(|thing| thing.step.to_owned())
        .collect()
}

fn edit(host: &LabHost<'_>) {
    for thing in &THINGS {
        host.sh(thing.edit);
    }
}

fn mend(host: &LabHost<'_>) {
    for thing in &THINGS {
        host.sh(thing.mend);
    }
}

#[test]
fn nothing_of_any_kind_that_was_changed_by_hand_is_overwritten() {
    let lab = Lab::new("by-hand");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("managed", MANAGED);
    host.sh("mkdir /etc/lab; systemctl start fail2ban");
    host.write("/root/gate", GATE);
    let apply = |version: &str| {
        let told = operator.run(&["run", "managed", "--yes", "-e", &format!("v={version}")]);
        told.exits(0);
        told.id()
    };
    let back = |run: &str, words: &[&str]| operator.run(&[&["rollback", run], words].concat());
    let zero = state(host);
    let first = apply("1");
    let one = state(host);
    let second = apply("2");

    // All of them are drift, are shown, and stop what would overwrite them; before anything is touched.
    edit(host);
    let edited = Footprint::of(host);
    operator.run(&["drift"]).exits(2);
    let dry = back(&second, &["--dry-run"]);
    dry.exits(8);
    for thing in &THINGS {
        dry.says(thing.shows);
    }
    assert_eq!(refused(&dry, "web"), steps(&THINGS), "{}", dry.all());
    back(&second, &["--yes"]).exits(8);
    let told = back(&first, &["--yes"]);
    told.exits(8).says(&format!("by run {second}"));
    edited.is_that_of(host);

    // The others are no less safe once one of them was taken back alone, as the hint says.
    host.sh(THINGS[0].mend);
    back(&second, &["--yes", "--step", "1"]).exits(0);
    let edited = Footprint::of(host);
    let told = back(&second, &["--yes"]);
    told.exits(8);
    assert_eq!(refused(&told, "web"), steps(&THINGS[1..]), "{}", told.all());
    edited.is_that_of(host);

    // A way back was begun and did not come to its end, and somebody put things right in his own way.
    let record = format!("/var/lib/holdfast/runs/{second}");
    host.sh(&format!("cd {record}; for n in 3 7 9 11; do : >$n/1/taking; done; echo '# by hand' >>/etc/sysctl.d/90-holdfast.conf"));
    let edited = state(host);
    let told = back(&second, &["--yes"]);
    told.exits(8);
    let begun = [
        "A setting of sshd",
        "A value of the kernel",
        "A jail",
        "A key",
    ];
    assert_eq!(refused(&told, "web"), begun, "{}", told.all());
    // The undo of a rule looks for itself: nothing is done, and the next look says so.
    back(&second, &["--yes", "--step", "11"]).exits(8);
    is_in(host, &edited, "touched");
    host.sh(&format!(
        "rm -f {record}/*/1/taking; sed -i '/by hand/d' /etc/sysctl.d/90-holdfast.conf"
    ));

    // While a step is taken back, the next thing is changed: seen right before it would be overwritten.
    mend(host);
    host.sh("touch /run/lab-closed");
    for (index, thing) in THINGS.iter().enumerate().rev() {
        let number = index + 1;
        let running = operator.start(&["rollback", &second, "--yes"]);
        within(Duration::from_mins(2), thing.step, || {
            let at = format!("/run/lab-at-{number}");
            host.exec(&["test", "-e", &at]).status.success()
        });
        if number > 1 {
            host.sh(thing.edit);
        }
        let edited = state(host);
        host.sh(&format!("touch /run/lab-go-{number}"));
        let told = running.wait();
        if number > 1 {
            told.exits(8).says(thing.shows);
            is_in(host, &edited, "touched");
            host.sh(thing.mend);
        } else {
            told.exits(0);
        }
    }
    is_in(host, &one, "back from the second");
    host.sh("rm /run/lab-closed");
    back(&first, &["--yes"]).exits(0);
    is_in(host, &zero, "back from the first");
}
