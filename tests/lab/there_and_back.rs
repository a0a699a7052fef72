//! Every shipped runbook is applied and taken back on real hosts, and the host is as before; applied again, it is as
//! it was after the first time.

use std::thread;

use crate::host_state::{is_in, state};
use crate::operator::{Operator, list_inputs};
use crate::port_move::MOVE;
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};

/// Applied, taken back and applied again, on one host.
#[track_caller]
fn there_and_back(operator: &Operator<'_>, host: &LabHost<'_>, words: &[&str]) {
    let before = state(host);
    let apply = || operator.run(&[words, &["--yes"]].concat());
    apply().exits(0);
    let applied = state(host);
    assert_ne!(applied, before, "{}: {words:?} changed nothing", host.name);
    let back = operator.run(&["rollback", "last", "--yes"]);
    back.exits(0).says("answers are the same");
    is_in(host, &before, &format!("{words:?} taken back"));
    apply().exits(0);
    is_in(host, &applied, &format!("{words:?} applied again"));
}

/// Files that runbooks write or may write get what a way back must bring back besides their content.
const ODD: &str = "chgrp adm /etc/ufw/user.rules; chmod 0600 /etc/default/ufw
    for file in /etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/ufw.conf /etc/ssh/sshd_config \
        /etc/apt/apt.conf.d/20auto-upgrades /etc/apt/apt.conf.d/50unattended-upgrades; do
        [ ! -e $file ] || setfacl -m u:nobody:r,g:games:rw $file || exit 1
    done";

/// A host, and the runbooks that it gets, one after the other.
type Course<'a> = (HostSpec, Vec<Vec<&'a str>>);

/// Every runbook, the releases in turn, and the way SSH moves also where systemd listens for sshd.
fn courses<'a>(refresh: &[&'a str]) -> Vec<Course<'a>> {
    let run = |name| vec!["run", name];
    let host = |name: &str, release| HostSpec::new(name).release(release);
    vec![
        (
            host("one", Release::Bullseye),
            vec![refresh.to_vec(), run("fail2ban"), MOVE.to_vec()],
        ),
        (
            host("two", Release::Bookworm),
            vec![run("unattended-upgrades"), run("ssh-hardening")],
        ),
        (
            host("three", Release::Trixie),
            vec![run("kernel-settings"), run("fail2ban"), refresh.to_vec()],
        ),
        (
            host("socket", Release::Trixie).socket(),
            vec![MOVE.to_vec()],
        ),
        (
            host("off", Release::Bullseye).setup(Setup::Full),
            vec![
                run("ufw-enable"),
                run("unattended-upgrades"),
                run("ssh-hardening"),
            ],
        ),
        (
            host("base", Release::Bookworm).setup(Setup::Full),
            vec![run("baseline")],
        ),
    ]
}

#[test]
fn every_runbook_can_be_taken_back_and_applied_again() {
    let lab = Lab::new("there-and-back");
    let web = lab.web();
    let list = list_inputs(&web, "good");
    let inputs = list.iter().flat_map(|input| ["-e", input.as_str()]);
    let refresh: Vec<&str> = ["run", "ufw-cf-refresh"]
        .into_iter()
        .chain(inputs)
        .collect();
    let (specs, runbooks): (Vec<_>, Vec<_>) = courses(&refresh).into_iter().unzip();
    let hosts = lab.boot_all(specs);
    thread::scope(|scope| {
        for (host, runbooks) in hosts.iter().zip(&runbooks) {
            let lab = &lab;
            scope.spawn(move || {
                let operator = Operator::new(lab, &host.name, std::slice::from_ref(host));
                host.sh(ODD);
                // Where systemd listens for sshd, the first login starts it.
                operator.run(&["restore-points"]);
                for words in runbooks {
                    there_and_back(&operator, host, words);
                }
            });
        }
    });
}
