//! The guard: a host takes back by itself what would have cut the operator off, whatever becomes of the operator.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::operator::{Footprint, Operator, Running, Told, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use holdfast::event::{EventKind, Fault, Fired};

/// The guard's time in most tests.
const TIME: &str = "--guard-time=30s";

/// What a restoration may be late by: the timer's accuracy, and a machine that runs other tests too.
const LATE: Duration = Duration::from_secs(40);

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

/// Four sections, so that the last proof has to wait for room among the connections.
const MANY: &str = r#"name: many
summary: One section after the other
why: for a test
risk: high
steps:
  - name: "1 is there"
    guard: true
    file: {path: /etc/holdfast-many/1, content: "1\n"}
  - name: "1 needs no guard"
    guard: false
    file: {path: /etc/holdfast-many/1.plain, content: "1\n"}
  - name: "2 is there"
    guard: true
    file: {path: /etc/holdfast-many/2, content: "2\n"}
  - name: "2 needs no guard"
    guard: false
    file: {path: /etc/holdfast-many/2.plain, content: "2\n"}
  - name: "3 is there"
    guard: true
    file: {path: /etc/holdfast-many/3, content: "3\n"}
  - name: "3 needs no guard"
    guard: false
    file: {path: /etc/holdfast-many/3.plain, content: "3\n"}
  - name: "4 is there"
    guard: true
    file: {path: /etc/holdfast-many/4, content: "4\n"}
"#;

/// An act during which the guard fires: its time is up, and what waits for that is there.
const ENDLESS: &str = r#"name: endless
summary: Goes on until the guard fires
why: for a test
risk: high
steps:
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
  - name: Something is done for ever
    guard: true
    command:
      argv:
        - sh
        - -c
        - |
          rm /run/holdfast.guard.*
          setsid sh /var/lib/holdfast/runs/*/guard/restore.sh </dev/null >/dev/null 2>&1 3>&- 9>&- &
          trap '' TERM
          while :; do date >>/etc/holdfast-slow; sleep 0.1; done
      undo: [rm, -f, /etc/holdfast-slow]
      creates: /etc/holdfast-slow
"#;

/// The folder of the host's own records is full when the guard is to be armed.
const FULL: &str = r#"name: full
summary: Fills the disk first
why: for a test
risk: high
steps:
  - name: There is no room
    guard: false
    command:
      argv: [sh, -c, "dd if=/dev/zero of=/var/lib/holdfast/fill bs=4k count=300 2>/dev/null || true"]
      creates: /var/lib/holdfast/fill
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
"#;

/// A change that takes its time, and a login that does from then on.
const SLOW: &str = r#"name: slow
summary: Takes its time
why: for a test
risk: high
steps:
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
  - name: Something slow is done
    guard: true
    command:
      argv: [sh, -c, "sleep 2; echo slow >/etc/holdfast-slow"]
      undo: [rm, -f, /etc/holdfast-slow]
      creates: /etc/holdfast-slow
  - name: Logins take long
    guard: true
    file: {path: /root/.bashrc, content: "sleep 2\n"}
"#;

/// The second step fails, after it has done something.
const FAILS: &str = r#"name: fails
summary: Fails in the middle
why: for a test
risk: high
steps:
  - name: A file has new content
    guard: true
    file: {path: /etc/motd, content: "ours\n", mode: "0640"}
  - name: Something goes wrong
    guard: true
    command:
      argv: [sh, -c, "touch /etc/holdfast-slow; exit 3"]
      undo: [rm, -f, /etc/holdfast-slow]
      creates: /etc/holdfast-slow
"#;

/// Nothing can take this back.
const FOREVER: &str = r"name: forever
summary: Cannot be undone
why: for a test
risk: high
steps:
  - name: Something is gone for ever
    guard: true
    command: {argv: [touch, /etc/holdfast-slow], creates: /etc/holdfast-slow}
";

/// New connections to port 22 are dropped; those that are open go on.
const DEAF: &str = r#"name: deaf
summary: Lets nobody new in
why: for a test
risk: high
steps:
  - name: New SSH connections are dropped
    guard: true
    command:
      argv: [sh, -c, "nft add table inet cut; nft 'add chain inet cut input { type filter hook input priority 0; }'; nft add rule inet cut input iif != lo tcp dport 22 tcp flags syn drop"]
      undo: [nft, delete, table, inet, cut]
      unless: [nft, list, table, inet, cut]
"#;

/// sshd listens on a second port too, or the login is wanted on a port that nobody listens on.
const SECOND: &str = r#"name: second
summary: A second port
why: for a test
risk: high
inputs:
  listen: {type: int, default: 2222, help: where sshd listens too}
steps:
  - name: sshd listens on a second port
    guard: {port: "2222"}
    command:
      argv: [sh, -c, "printf 'Port 22\nPort {{ inputs.listen }}\n' >/etc/ssh/sshd_config.d/00-second.conf; systemctl reload ssh; sleep 1"]
      undo: [sh, -c, "rm -f /etc/ssh/sshd_config.d/00-second.conf; systemctl reload ssh; sleep 1"]
      creates: /etc/ssh/sshd_config.d/00-second.conf
"#;

/// The classic mistake: a port alone, and a reload that comes after everything else.
const ALONE: &str = r#"name: alone
summary: Only another port
why: for a test
risk: high
steps:
  - id: port
    name: sshd has another port
    guard: true
    file: {path: /etc/ssh/sshd_config.d/00-alone.conf, content: "Port 2222\n", validate: [sshd, -t]}
  - name: A file that no guard minds
    guard: false
    file: {path: /etc/holdfast-plain, content: "plain\n"}
  - name: sshd reads it
    guard: false
    service: {name: ssh, running: true}
    reload_on: [port]
"#;

fn operator<'lab>(lab: &'lab Lab, hosts: &[LabHost<'_>]) -> Operator<'lab> {
    named_operator(lab, "operator", hosts)
}

/// One of several, for runs at the same time.
fn named_operator<'lab>(lab: &'lab Lab, name: &str, hosts: &[LabHost<'_>]) -> Operator<'lab> {
    let operator = Operator::new(lab, name, hosts);
    for (name, text) in [
        ("cut", CUT),
        ("good", GOOD),
        ("many", MANY),
        ("endless", ENDLESS),
        ("full", FULL),
        ("slow", SLOW),
        ("fails", FAILS),
        ("forever", FOREVER),
        ("deaf", DEAF),
        ("second", SECOND),
        ("alone", ALONE),
    ] {
        operator.runbook(name, text);
    }
    operator
}

/// A bare host for each release.
fn releases() -> Vec<HostSpec> {
    let spec = |release: Release| {
        HostSpec::new(release.name())
            .setup(Setup::Bare)
            .release(release)
    };
    Release::ALL.map(spec).into()
}

/// How often a guard was armed on a host, or given its time again.
fn armed(told: &Told, name: &str) -> usize {
    let events = told.events.iter();
    let armed = events
        .filter(|event| matches!(&event.kind, EventKind::GuardArmed { host, .. } if host == name));
    armed.count()
}

pub fn fired(told: &Told) -> Vec<Fired> {
    let found = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::GuardFired { fired, .. } => Some((**fired).clone()),
        _ => None,
    });
    found.collect()
}

/// Asserts that no guard of any run is held by the host: no timer, no unit, no process, no time.
#[track_caller]
pub fn nothing_is_held(host: &LabHost<'_>) {
    // systemd forgets a unit that is no more a moment after it was stopped.
    let what = format!("{}: the last of the guard", host.name);
    within(Duration::from_secs(20), &what, || held(host).is_empty());
}

/// What is left of guards, in lines.
pub fn held(host: &LabHost<'_>) -> String {
    let left = host.sh(
        "systemctl list-units --all --no-legend --plain 'holdfast-guard-*'
         ls -d /etc/systemd/system/holdfast-guard-* /etc/systemd/system/*.wants/holdfast-guard-* /run/holdfast.guard.* 2>/dev/null || true
         ls /var/lib/holdfast/runs/*/guard/armed /var/lib/holdfast/runs/*/guard/firing 2>/dev/null || true
         pgrep -af [g]uard/restore.sh || true",
    );
    left.trim().to_owned()
}

/// What the runbooks of these tests change.
fn state_of(host: &LabHost<'_>) -> String {
    host.sh(
        "for file in /etc/motd /root/.bashrc /etc/holdfast-slow /etc/holdfast-guarded /etc/holdfast-plain; do
            stat -c '%n %a %u:%g %Y' $file 2>/dev/null && sha256sum <$file || echo no $file
         done
         nft list ruleset; ls /etc/ssh/sshd_config.d; ss -Hltn 'sport = :22' | wc -l",
    )
}

#[test]
fn a_good_change_stays() {
    let lab = Lab::new("guardgood");
    let hosts = lab.boot_all(releases());
    let operator = operator(&lab, &hosts);
    for host in &hosts {
        host.write("/etc/holdfast-before", "so\n");
        host.sh("mkdir /etc/holdfast-many");
    }
    let told = operator.run(&["run", "good", "--yes", "--guard-time=30s"]);
    told.exits(0).says("guarded");
    let proven = Instant::now();
    told.says("guard armed: bookworm restores itself in 30 s unless a new login succeeds");
    told.says("a new login succeeded, by port 22 of the host");
    for host in &hosts {
        told.changed(&host.name, 3);
        // Once for the first guarded step, once again for the second; never for the others.
        assert_eq!(armed(&told, &host.name), 2, "{}", told.all());
        assert_eq!(host.read("/etc/holdfast-guarded"), b"there\n");
        nothing_is_held(host);
    }
    // One section after the other, and a wait that is longer than the guard's time: the host waits as long.
    let told = operator.run(&[
        "run",
        "many",
        "--yes",
        "--guard-time=20s",
        "--limit=bookworm",
    ]);
    told.exits(0).changed("bookworm", 7);
    assert!(armed(&told, "bookworm") > 4, "{}", told.all());
    // Long after its time nothing happened either.
    thread::sleep(Duration::from_secs(33).saturating_sub(proven.elapsed()));
    let again = operator.run(&["run", "good", "--yes"]);
    again.exits(0);
    for host in &hosts {
        nothing_is_held(host);
        assert_eq!(host.read("/etc/motd"), b"ours\n");
        again.nothing_to_do(&host.name);
        assert_eq!(armed(&again, &host.name), 0, "{}", again.all());
    }
}

#[test]
fn who_is_cut_off_gets_the_host_back() {
    let lab = Lab::new("guardcut");
    let hosts = lab.boot_all(releases());
    let operator = operator(&lab, &hosts);
    let before: Vec<String> = hosts.iter().map(state_of).collect();
    let told = operator.run(&["run", "cut", "--yes", TIME, "--connect-timeout=5"]);
    told.exits(6);
    for (host, before) in hosts.iter().zip(&before) {
        let why = told.stopped(&host.name, Fault::Reverted);
        assert!(
            why.ends_with("the host has taken the guarded changes back and is as before"),
            "{why}"
        );
        assert_eq!(state_of(host), *before, "{}", host.name);
        nothing_is_held(host);
    }
    let fired = fired(&told);
    assert_eq!(fired.len(), 3);
    for fired in fired {
        assert!(
            fired.own && fired.changes == 2 && fired.failed == 0,
            "{fired:?}"
        );
    }
    // It works again, and what was told needs no second telling.
    let again = operator.run(&["run", "good", "--dry-run"]);
    again.exits(0).never_says("guard of run");
}

/// What becomes of a controller, and when.
#[derive(Debug, Clone, Copy)]
enum Fate {
    KilledArmed,
    KilledInStep,
    KilledBeforeProof,
    KilledBeforeDisarming,
    /// A notebook whose lid is closed for longer than the guard waits.
    AsleepInStep,
}

impl Fate {
    const ALL: [Self; 5] = [
        Self::KilledArmed,
        Self::KilledInStep,
        Self::KilledBeforeProof,
        Self::KilledBeforeDisarming,
        Self::AsleepInStep,
    ];

    fn is_met(self, kind: &EventKind) -> bool {
        match (self, kind) {
            (Self::KilledArmed, EventKind::GuardArmed { .. })
            | (Self::KilledBeforeDisarming, EventKind::GuardProven { .. }) => true,
            (Self::KilledInStep | Self::AsleepInStep, EventKind::StepStarted { number, .. }) => {
                number.0 == 2
            }
            (Self::KilledBeforeProof, EventKind::StepFinished { number, .. }) => number.0 == 3,
            _ => false,
        }
    }

    #[track_caller]
    fn befalls(self, lab: &Lab, host: &LabHost<'_>) {
        let operator = named_operator(lab, &host.name, std::slice::from_ref(host));
        let before = state_of(host);
        let running = operator.start(&["run", "slow", "--yes", "--guard-time=25s"]);
        running.wait_for("the moment", |kind| self.is_met(kind));
        let end = || {
            let limit = Duration::from_secs(25) + LATE;
            within(limit, &format!("{self:?}"), || held(host).is_empty());
        };
        if matches!(self, Self::AsleepInStep) {
            signal(&running, "-STOP");
            end();
            signal(&running, "-CONT");
            let told = running.wait();
            told.exits(6).says("is as before");
            assert_eq!(fired(&told).len(), 1, "{}", told.all());
            assert_eq!(state_of(host), before);
            return;
        }
        running.kill();
        let died = Instant::now();
        end();
        let after = state_of(host);
        if matches!(self, Self::KilledBeforeDisarming) && after != before {
            // The last word may have been on its way: then all of it stays.
            assert!(died.elapsed() < Duration::from_secs(25));
            assert!(after.contains("/etc/holdfast-slow 644"), "{after}");
            return;
        }
        assert_eq!(after, before, "{self:?}");
        // The next run tells it once and does what it was asked to.
        let told = operator.run(&["run", "fails", "--dry-run"]);
        told.exits(0).says("has restored the host");
        let told = operator.run(&["run", "forever", "--yes"]);
        told.exits(9);
        let found = fired(&told);
        assert!(
            found.len() == 1 && !found[0].own && found[0].failed == 0,
            "{self:?}: {found:?}"
        );
        assert!(found[0].late.is_some_and(|late| late < 20), "{found:?}");
        let told = operator.run(&["run", "forever", "--yes"]);
        assert_eq!(fired(&told), []);
    }
}

fn signal(running: &Running<'_>, signal: &str) {
    let pid = running.pid().to_string();
    let status = Command::new("kill").args([signal, &pid]).status();
    assert!(status.unwrap().success());
}

#[test]
fn whatever_becomes_of_the_controller_the_host_restores_itself_in_time() {
    let lab = Lab::new("guardkill");
    let names = ["one", "two", "three", "four", "five", "six"];
    let specs = names.map(|name| HostSpec::new(name).setup(Setup::Bare));
    let hosts = lab.boot_all(specs.into());
    thread::scope(|scope| {
        for (fate, host) in Fate::ALL.into_iter().zip(&hosts) {
            let lab = &lab;
            scope.spawn(move || fate.befalls(lab, host));
        }
        scope.spawn(|| an_act_is_ended_when_the_guard_fires(&lab, &hosts[5]));
    });
}

/// What it does afterwards would be left.
#[track_caller]
fn an_act_is_ended_when_the_guard_fires(lab: &Lab, host: &LabHost<'_>) {
    let operator = named_operator(lab, &host.name, std::slice::from_ref(host));
    let before = state_of(host);
    let told = operator.run(&["run", "endless", "--yes"]);
    told.exits(6).says("is as before");
    assert_eq!(fired(&told)[0].changes, 2);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(state_of(host), before);
    nothing_is_held(host);
    let left = host.sh("pgrep -af [h]oldfast-slow || :");
    assert_eq!(left, "", "of the act");
}

#[test]
fn where_no_guard_can_be_armed_nothing_is_begun() {
    let lab = Lab::new("guardless");
    let specs = ["timerless", "full"].map(|name| HostSpec::new(name).setup(Setup::Bare));
    let hosts = lab.boot_all(specs.into());
    let operator = operator(&lab, &hosts);
    hosts[0].sh("mv /usr/bin/systemd-run /usr/bin/systemd-run.away");
    hosts[1].sh("mkdir -m 0700 /var/lib/holdfast; mount -t tmpfs -o size=1m,mode=0700 none /var/lib/holdfast");
    let before: Vec<String> = hosts.iter().map(state_of).collect();
    let told = operator.run(&["run", "full", "--yes"]);
    told.exits(3);
    for (host, before) in hosts.iter().zip(&before) {
        let why = told.stopped(&host.name, Fault::Failed);
        assert!(
            why.starts_with("the guard cannot be armed: ") && why.ends_with("; nothing was begun"),
            "{why}"
        );
        assert_eq!(state_of(host), *before, "{}", host.name);
        nothing_is_held(host);
        // Nothing is armed, so nothing has to be waited for.
        let again = operator.run(&["run", "good", "--dry-run", "--limit", &host.name]);
        again.exits(0).never_says("guard of run");
    }
}

#[test]
fn the_next_run_waits_for_an_armed_guard_and_carries_on() {
    let lab = Lab::new("guardnext");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    host.write("/etc/holdfast-before", "so\n");
    let operator = operator(&lab, &hosts);
    let running = operator.start(&["run", "slow", "--yes", TIME]);
    running.wait_for(
        "the proof",
        |kind| matches!(kind, EventKind::StepFinished { number, .. } if number.0 == 3),
    );
    signal(&running, "-STOP");
    // Somebody else finds the host taken, and no guard that is to be waited for.
    let other = named_operator(&lab, "other", &hosts);
    other
        .run(&["run", "good", "--yes"])
        .exits(7)
        .never_says("waiting for the guard");
    running.kill();
    let seen = operator.run(&["run", "good", "--dry-run"]);
    seen.exits(0).says("is armed: the host restores itself in");
    let told = operator.run(&["run", "good", "--yes", TIME]);
    told.exits(0).changed("web-1", 3);
    told.says("waiting for the guard of run").says("it was cut off before a new login had proven its changes, so web-1 restored itself (3 changes taken back)");
    // What it found is what there was before the dead run: it made the change itself.
    assert_eq!(
        host.sh("cat /etc/holdfast-slow 2>/dev/null || echo none")
            .trim(),
        "none"
    );
    nothing_is_held(host);
}

#[test]
fn a_restart_while_armed_restores_at_once() {
    let lab = Lab::new("guardboot");
    let hosts = lab.boot_all(releases());
    let operator = operator(&lab, &hosts);
    let before: Vec<String> = hosts.iter().map(state_of).collect();
    let running = operator.start(&["run", "slow", "--yes", "--guard-time=30m"]);
    for host in &hosts {
        running.wait_for("the last step", |kind| {
            matches!(kind, EventKind::StepFinished { number, host: name, .. } if number.0 == 3 && *name == host.name)
        });
    }
    running.kill();
    // Somebody reads units anew and starts the target: that is no restart, and nothing is restored.
    hosts[1].sh("systemctl daemon-reload; systemctl start multi-user.target; sleep 1");
    assert_ne!(state_of(&hosts[1]), before[1]);
    assert!(held(&hosts[1]).contains("/guard/armed"));
    hosts[0].reboot();
    // It was ended in the middle of restoring itself.
    hosts[1].sh("cd /var/lib/holdfast/runs/*/guard; mv armed firing");
    hosts[1].reset();
    // A restart that keeps the kernel and /run, but no timer.
    hosts[2].sh("systemctl soft-reboot");
    let again = "ls /var/lib/holdfast/runs/*/guard/fired && systemctl is-active ssh.service";
    within(Duration::from_mins(1), "the soft restart", || {
        hosts[2].exec(&["sh", "-c", again]).status.success()
    });
    for (host, before) in hosts.iter().zip(&before) {
        nothing_is_held(host);
        assert_eq!(state_of(host), *before, "{}", host.name);
        let order = host.sh(
            "cut -d ' ' -f 1,2- /var/lib/holdfast/runs/*/journal | sed -n 's/^\\([0-9]*\\) guard restored.*/\\1/p'
             date -d \"$(systemctl show -p ActiveEnterTimestamp --value ssh.service)\" +%s",
        );
        let times: Vec<u64> = order.lines().map(|time| time.parse().unwrap()).collect();
        assert!(
            times.len() == 2 && times[0] <= times[1],
            "{}: {order}",
            host.name
        );
    }
    let told = operator.run(&["run", "fails", "--yes"]);
    told.exits(3)
        .says("a restart came before a new login had proven its changes");
    assert_eq!(fired(&told).iter().filter(|fired| fired.at_boot).count(), 3);
}

#[test]
fn a_reload_at_the_end_belongs_to_the_section_that_asks_for_it() {
    let lab = Lab::new("guardlate");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    let before = state_of(host);
    let told = operator.run(&["run", "alone", "--yes"]);
    told.exits(6).says("nothing listens on port 22 of the host");
    // The reload came last, and comes last again when it is taken back.
    assert_eq!(state_of(host), before);
    nothing_is_held(host);
    // No reload is pending either: nothing but what was due before is due again.
    let again = operator.run(&["run", "alone", "--dry-run"]);
    assert_eq!(again.plan("web-1").count(), told.plan("web-1").count());
    let pending = host.sh("ls -A /var/lib/holdfast/pending");
    assert_eq!(pending.trim(), "");
}

#[test]
fn an_open_connection_is_no_proof() {
    let lab = Lab::new("guarddeaf");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    // The operator shares connections, and has one open. The path of a socket is short, and a lab's may be long.
    let sockets = tempfile::tempdir().unwrap();
    let config = operator.home().join("shared_config");
    let text = format!(
        "Host *\n  ControlMaster auto\n  ControlPath {}/%C\n  ControlPersist 10m\nInclude {}\n",
        sockets.path().display(),
        lab.ssh_config().display()
    );
    fs::write(&config, text).unwrap();
    operator.variable("HOLDFAST_SSH_CONFIG", config.to_str().unwrap());
    let shared = |words: &[&str]| {
        let mut ssh = lab.operator("ssh");
        ssh.arg("-F").arg(&config).args(words).stdin(Stdio::null());
        ssh.status().unwrap().success()
    };
    assert!(shared(&["root@web-1", "true"]));
    let before = state_of(host);
    let told = operator.run(&[
        "run",
        "deaf",
        "--yes",
        "--guard-time=60s",
        "--connect-timeout=5",
    ]);
    told.exits(6);
    let why = told.stopped("web-1", Fault::Reverted);
    assert!(
        why.starts_with(
            "port 22 is reachable on the host, not from here: look at the provider's firewall"
        ),
        "{why}"
    );
    assert_eq!(state_of(host), before);
    nothing_is_held(host);
    // All the time there was one that would have let us in.
    assert!(shared(&["-O", "check", "root@web-1"]));
    assert!(shared(&["-O", "exit", "root@web-1"]));
}

#[test]
fn a_failed_step_and_an_interrupt_take_the_whole_section_back() {
    let lab = Lab::new("guardfail");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    let before = state_of(host);
    let told = operator.run(&["run", "fails", "--yes"]);
    told.exits(3)
        .says("the host has taken the guarded changes back and is as before");
    assert_eq!(state_of(host), before);
    nothing_is_held(host);

    let running = operator.start(&["run", "slow", "--yes"]);
    running.wait_for_step(2);
    signal(&running, "-INT");
    let told = running.wait();
    told.exits(130)
        .says("the host has taken the guarded changes back and is as before");
    assert_eq!(state_of(host), before);
    nothing_is_held(host);
}

#[test]
fn what_cannot_be_taken_back_is_refused_unless_a_person_accepts_it() {
    let lab = Lab::new("guardever");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let operator = operator(&lab, &hosts);
    let before = Footprint::of(&hosts[0]);
    let told = operator.run(&["run", "forever", "--yes"]);
    told.exits(9)
        .says("the guard could not take it back")
        .says("--accept-irreversible");
    operator.run(&["run", "forever", "--dry-run"]).exits(9);
    before.is_that_of(&hosts[0]);
    let told = operator.run(&["run", "forever", "--yes", "--accept-irreversible"]);
    told.exits(0).changed("web-1", 1);
    nothing_is_held(&hosts[0]);
}

#[test]
fn a_rehearsal_shows_that_the_host_restores_itself() {
    let lab = Lab::new("guardplay");
    let hosts = lab.boot_all(releases());
    let operator = operator(&lab, &hosts);
    let before: Vec<String> = hosts.iter().map(state_of).collect();
    let told = operator.run(&["run", "cut", "--rehearse-guard", "--guard-time=10s"]);
    told.exits(0);
    let found = fired(&told);
    assert_eq!(found.len(), 3, "{}", told.all());
    for fired in &found {
        assert!(
            fired.own && fired.changes == 1 && fired.failed == 0,
            "{fired:?}"
        );
        assert!(
            fired.late.is_some_and(|late| (0..20).contains(&late)),
            "{fired:?}"
        );
    }
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(state_of(host), *before);
        nothing_is_held(host);
    }
    operator
        .run(&["run", "good", "--dry-run"])
        .exits(0)
        .never_says("guard of run");
}

#[test]
fn the_login_must_come_by_the_port_that_the_step_names() {
    let lab = Lab::new("guardport");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    let before = state_of(host);
    let told = operator.run(&["run", "second", "--yes", "-e", "listen=2200"]);
    told.exits(6)
        .says("nothing listens on port 2222 of the host");
    assert_eq!(state_of(host), before);
    // The new port has no line in known_hosts: the host is the one that is known by its old name.
    let told = operator.run(&["run", "second", "--yes"]);
    told.exits(0)
        .says("a new login succeeded, by port 2222 of the host");
    nothing_is_held(host);
}

/// A file for $1 as run folder with a library of the run before, and a change that can be taken back.
const BENCH: &str = r#"
    set -eu
    old=$(ls -d /var/lib/holdfast/runs/*/ | head -n 1)
    HF_RUN=/var/lib/holdfast/runs/bench
    bench() {
        rm -rf "$HF_RUN"; mkdir -p "$HF_RUN/1/1"
        sed "$1" "$old/lib.sh" >"$HF_RUN/lib.sh"
        echo new >/tmp/bench
        echo 'echo old >/tmp/bench' >"$HF_RUN/1/1/undo.sh"
        . "$HF_RUN/lib.sh"
        HF_NONCE=x
        # Like a shell of ours: a command that fails ends nothing.
        set +e
    }
"#;

#[test]
fn one_of_disarming_and_firing_wins_and_what_it_says_is_so() {
    let lab = Lab::new("guardrace");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    operator.run(&["run", "fails", "--yes"]).exits(3);
    let seen = host.sh(&format!(
        r#"{BENCH}
        for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
            bench ''
            hf_guard_arm 600 >/dev/null
            echo 1/1 >>"$HF_RUN/guard/changes"
            (hf_guard_fire >/dev/null) & one=$!
            (hf_guard_disarm && echo disarmed >/tmp/said || echo late >/tmp/said) & two=$!
            wait $one; wait $two
            echo "$(cat /tmp/said) $(cat /tmp/bench) $(hf_guard_state bench | sed -n 1p)"
        done
        rm -rf "$HF_RUN" /tmp/bench /tmp/said"#
    ));
    assert_eq!(seen.lines().count(), 12, "{seen}");
    for line in seen.lines() {
        let whole = ["disarmed new state=disarmed", "late old state=fired"];
        assert!(whole.contains(&line), "{seen}");
    }
    nothing_is_held(host);

    // A disk that takes nothing any more is no reason to leave what only memory has as it is.
    let seen = host.sh(&format!(
        r#"{BENCH}
        bench ''
        hf_guard_arm 600 >/dev/null
        echo 1/1 >>"$HF_RUN/guard/changes"
        mount --bind "$HF_RUN" "$HF_RUN" && mount -o remount,bind,ro "$HF_RUN"
        hf_guard_fire >/dev/null 2>&1
        cat /tmp/bench
        umount "$HF_RUN"
        hf_guard_fire | sed -n 2p
        rm -rf "$HF_RUN""#
    ));
    assert_eq!(seen, "old\nstate=fired\n");
    nothing_is_held(host);

    // Killed while it takes back: the next run sees that nobody goes on with it, and has it done.
    host.sh(&format!(
        r#"{BENCH}
        bench ''
        hf_guard_arm 600 >/dev/null
        echo 1/1 >>"$HF_RUN/guard/changes"
        mv "$HF_RUN/guard/armed" "$HF_RUN/guard/firing""#
    ));
    operator
        .run(&["run", "fails", "--dry-run"])
        .exits(0)
        .says("restores the host now");
    let told = operator.run(&["run", "fails", "--yes"]);
    told.exits(3).says("guard: run bench");
    assert_eq!(host.read("/tmp/bench"), b"old\n");
    nothing_is_held(host);
}

/// The program on the host itself, with nothing but the shell that it started to prove anything by.
#[test]
fn this_machine_is_guarded_too() {
    let lab = Lab::new("guardhere");
    let host = &lab.boot(HostSpec::new("web-1").setup(Setup::Bare));
    host.sh("mkdir -p /root/lab/runbooks");
    host.write(
        "/root/lab/holdfast",
        fs::read(env!("CARGO_BIN_EXE_holdfast")).unwrap(),
    );
    host.write(
        "/root/lab/inventory.yaml",
        "hosts:\n  here: { connection: local }\n",
    );
    host.write("/root/lab/runbooks/good.yaml", GOOD);
    host.write("/root/lab/runbooks/fails.yaml", FAILS);
    host.write("/etc/holdfast-before", "so\n");
    let before = state_of(host);
    let run = |name: &str| {
        let words = format!(
            "cd /root/lab; chmod 0755 holdfast; HOLDFAST_INVENTORY=inventory.yaml ./holdfast run {name} --yes 2>&1; echo exit $?"
        );
        host.sh(&format!("set +e\n{words}"))
    };
    let told = run("fails");
    assert!(
        told.contains("the guarded changes back and is as before"),
        "{told}"
    );
    assert!(told.ends_with("exit 3\n"), "{told}");
    assert_eq!(state_of(host), before);
    let told = run("good");
    assert!(told.contains("this machine still answers"), "{told}");
    assert!(told.ends_with("exit 0\n"), "{told}");
    assert_eq!(host.read("/etc/motd"), b"ours\n");
    nothing_is_held(host);
}

#[test]
fn without_systemd_a_process_waits_and_says_that_it_is_weaker() {
    let lab = Lab::new("guardproc");
    let hosts = [lab.boot(HostSpec::new("web-1").setup(Setup::Bare))];
    let host = &hosts[0];
    let operator = operator(&lab, &hosts);
    operator.run(&["run", "fails", "--yes"]).exits(3);
    let seen = host.sh(&format!(
        r#"{BENCH}
        bench 's#/run/systemd/system#/run/none#'
        hf_guard_arm 600
        echo 1/1 >>"$HF_RUN/guard/changes"
        hf_guard_arm 3
        cat /tmp/bench
        sleep 6
        cat /tmp/bench
        hf_guard_state bench | sed -n 1p
        bench 's#/run/systemd/system#/run/none#'
        hf_guard_arm 600 >/dev/null
        # It is disarmed and armed anew while the process looks what has become of it.
        (flock 7; mv "$HF_RUN/guard/armed" "$HF_RUN/guard/disarmed"; sleep 2
            mv "$HF_RUN/guard/disarmed" "$HF_RUN/guard/armed") 7>>"$HF_RUN/guard/lock"
        sleep 2
        hf_guard_state bench | sed -n 1p
        hf_guard_disarm
        sleep 2"#
    ));
    assert_eq!(
        seen.lines().collect::<Vec<_>>(),
        [
            "held=process",
            "held=process",
            "new",
            "old",
            "state=fired",
            "state=armed"
        ]
    );
    nothing_is_held(host);
}
