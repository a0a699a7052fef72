//! The guard: a host takes back by itself what would have cut the operator off, whatever becomes of the operator.

use std::thread;
use std::time::Duration;

use crate::operator::{Operator, Told, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use holdfast::event::{EventKind, Fault, Fired};

/// The guard's time in most tests.
const TIME: &str = "--guard-time=15s";

/// A file, and a rule that drops what comes to port 22: the classic mistake.
const CUT: &str = r#"name: cut
summary: Cuts the operator off
why: for a test
risk: high
steps:
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
  - name: SSH is dropped
    guard: true
    command:
      argv: [sh, -c, "nft add table inet cut; nft 'add chain inet cut input { type filter hook input priority 0; }'; nft add rule inet cut input tcp dport 22 drop"]
      undo: [nft, delete, table, inet, cut]
      unless: [nft, list, table, inet, cut]
"#;

/// Two files with an unguarded one between them that is as desired already.
const GOOD: &str = r#"name: good
summary: Cuts nobody off
why: for a test
risk: high
steps:
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
  - name: Something is so already
    guard: false
    file: {path: /etc/holdfast-before, content: "so\n"}
  - name: Another file is there
    guard: true
    file: {path: /etc/holdfast-guarded, content: "there\n"}
  - name: A file that no guard minds
    guard: false
    file: {path: /etc/holdfast-plain, content: "plain\n"}
"#;

fn operator<'lab>(lab: &'lab Lab, hosts: &[LabHost<'_>]) -> Operator<'lab> {
    let operator = Operator::new(lab, "operator", hosts);
    operator.runbook("cut", CUT);
    operator.runbook("good", GOOD);
    operator
}

fn armed_at_least_once(told: &Told) -> usize {
    let armed = told
        .events
        .iter()
        .filter(|event| matches!(event.kind, EventKind::GuardArmed { .. }));
    armed.count()
}

fn fired(told: &Told) -> Vec<Fired> {
    let found = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::GuardFired { fired, .. } => Some((**fired).clone()),
        _ => None,
    });
    found.collect()
}

/// Asserts that no guard of any run is held by the host: no timer, no unit, no process, no time.
#[track_caller]
fn nothing_is_held(host: &LabHost<'_>) {
    // systemd forgets a unit that is no more a moment after it was stopped.
    let what = format!("{}: the last of the guard", host.name);
    within(Duration::from_secs(20), &what, || held(host).is_empty());
}

fn held(host: &LabHost<'_>) -> String {
    let left = host.sh(
        "systemctl list-units --all --no-legend --plain 'holdfast-guard-*'
         ls -d /etc/systemd/system/holdfast-guard-* /etc/systemd/system/*.wants/holdfast-guard-* /run/holdfast.guard.* 2>/dev/null || true
         ls /var/lib/holdfast/runs/*/guard/armed /var/lib/holdfast/runs/*/guard/firing 2>/dev/null || true
         pgrep -af [g]uard/restore.sh || true",
    );
    left.trim().to_owned()
}

fn state_of(host: &LabHost<'_>) -> (Vec<u8>, String, String) {
    (
        host.read("/etc/motd"),
        host.sh("stat -c '%a %u:%g %Y' /etc/motd"),
        host.sh("nft list ruleset"),
    )
}

#[track_caller]
fn a_good_change_stays(release: Release) {
    let lab = Lab::new("guardgood");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare).release(release))];
    let host = &hosts[0];
    host.write("/etc/holdfast-before", "so\n");
    let operator = operator(&lab, &hosts);
    let told = operator.run(&["run", "good", "--yes", TIME]);
    told.exits(0).changed("web-1", 3).says("guarded");
    // Once for the first guarded step, once again for the second; never for the others.
    assert_eq!(armed_at_least_once(&told), 2, "{}", told.all());
    told.says("guard armed: web-1 restores itself in 15 s unless a new login succeeds");
    told.says("a new login succeeded, by port 22 of the host");
    assert_eq!(host.read("/etc/holdfast-guarded"), b"there\n");
    nothing_is_held(host);
    // Long after its time nothing happens either.
    thread::sleep(Duration::from_secs(17));
    assert_eq!(host.read("/etc/motd"), b"ours\n");
    nothing_is_held(host);
    let again = operator.run(&["run", "good", "--yes", TIME]);
    again.exits(0).nothing_to_do("web-1");
    assert_eq!(armed_at_least_once(&again), 0, "{}", again.all());
}

#[test]
fn a_good_change_stays_on_debian_11() {
    a_good_change_stays(Release::Bullseye);
}

#[test]
fn a_good_change_stays_on_debian_12() {
    a_good_change_stays(Release::Bookworm);
}

#[test]
fn a_good_change_stays_on_debian_13() {
    a_good_change_stays(Release::Trixie);
}

#[track_caller]
fn who_is_cut_off_gets_the_host_back(release: Release) {
    let lab = Lab::new("guardcut");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare).release(release))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    let before = state_of(host);
    let told = operator.run(&["run", "cut", "--yes", TIME]);
    told.exits(6);
    let why = told.stopped("web-1", Fault::Reverted);
    assert!(
        why.ends_with("the host has taken the guarded changes back and is as before"),
        "{why}"
    );
    assert_eq!(state_of(host), before);
    nothing_is_held(host);
    let fired = fired(&told);
    assert!(
        fired.len() == 1 && fired[0].own && fired[0].changes == 2 && fired[0].failed == 0,
        "{fired:?}"
    );
    // It works again, and that it was restored needs no second telling.
    let again = operator.run(&["run", "good", "--dry-run"]);
    again.exits(0).never_says("guard of run");
}

#[test]
fn who_is_cut_off_gets_the_host_back_on_debian_11() {
    who_is_cut_off_gets_the_host_back(Release::Bullseye);
}

#[test]
fn who_is_cut_off_gets_the_host_back_on_debian_12() {
    who_is_cut_off_gets_the_host_back(Release::Bookworm);
}

#[test]
fn who_is_cut_off_gets_the_host_back_on_debian_13() {
    who_is_cut_off_gets_the_host_back(Release::Trixie);
}
