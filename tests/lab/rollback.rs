//! The way back: every shipped runbook is applied and taken back, and the host is as before; what was changed since
//! is never overwritten.

use std::time::Duration;

use crate::operator::{Footprint, Operator, Told, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};
use holdfast::event::{EventKind, Fault, HostResult};

/// Two files with everything that a file has, and a key of ours that nobody else looks at.
const MOTD: &str = r#"
name: motd
summary: A text for who logs in
risk: medium
inputs: { text: { type: text } }
steps:
  - name: The text is there
    file: { path: /etc/lab/motd, mode: "0640", owner: ops, content: "{{ inputs.text }}\n" }
  - name: So is its twin
    file: { path: /etc/lab/twin, content: "{{ inputs.text }}\n" }
"#;

/// The files of [`MOTD`] with all that belongs to them.
#[track_caller]
fn motd(host: &LabHost<'_>) -> String {
    host.sh("cd /etc/lab; find . -printf '%p %y %m %u:%g\n' | sort; getfacl -cpn motd 2>/dev/null; tail -n +1 [a-z]* 2>/dev/null || :")
}

/// The run that this was.
#[track_caller]
fn id(told: &Told) -> String {
    told.id()
}

/// The diff of what moved, as it was told.
fn stale(told: &Told, host: &str) -> bool {
    matches!(
        told.result(host),
        HostResult::Stopped {
            fault: Fault::Stale,
            ..
        }
    )
}

#[test]
fn what_was_changed_since_is_shown_and_never_overwritten() {
    let lab = Lab::new("rollback-since");
    let hosts = lab.boot_releases(Setup::Full);
    let web = &hosts[1];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("motd", MOTD);
    for host in &hosts {
        host.sh("mkdir -p /etc/lab; setfacl -m u:nobody:r /etc/lab; printf 'of old\n' >/etc/lab/motd; chmod 0604 /etc/lab/motd; chown nosudo /etc/lab/motd; setfacl -m u:games:rw /etc/lab/motd || :");
    }
    let zero: Vec<String> = hosts.iter().map(motd).collect();
    let apply = |text: &str| {
        let told = operator.run(&["run", "motd", "--yes", "-e", &format!("text={text}")]);
        told.exits(0);
        id(&told)
    };
    let first = apply("one");
    let one: Vec<String> = hosts.iter().map(motd).collect();
    let second = apply("two");
    let two: Vec<String> = hosts.iter().map(motd).collect();
    // What a later run changed is named with that run.
    let told = operator.run(&["rollback", &first, "--yes"]);
    told.exits(8)
        .says(&format!("by run {second} (runbook motd"))
        .says(&format!("holdfast rollback {second}"));
    assert!(hosts.iter().all(|host| stale(&told, &host.name)));
    // An edit by hand on one host: nothing is touched there, the others go on.
    web.sh("echo 'by hand' >>/etc/lab/motd");
    let edited = motd(web);
    let before = Footprint::of(web);
    let dry = operator.run(&["rollback", &second, "--dry-run"]);
    dry.exits(8).says("+  by hand").says("--step");
    before.is_that_of(web);
    let told = operator.run(&["rollback", &second, "--yes"]);
    told.exits(8);
    assert_eq!(motd(web), edited);
    assert!(stale(&told, &web.name) && !stale(&told, &hosts[0].name));
    assert_eq!(motd(&hosts[0]), one[0]);
    // The other step alone, and then all of it when the edit is gone.
    operator
        .run(&[
            "rollback", &second, "--yes", "--host", &web.name, "--step", "2",
        ])
        .exits(0);
    assert_eq!(
        web.sh("cat /etc/lab/twin /etc/lab/motd"),
        "one\ntwo\nby hand\n"
    );
    web.sh("sed -i '/by hand/d' /etc/lab/motd");
    let undo = operator.run(&["rollback", &second, "--yes"]);
    undo.exits(0).says("done: 1 change");
    let all = || hosts.iter().map(motd).collect::<Vec<_>>();
    assert_eq!(all(), one);
    // Once more: nothing is left to do. Then the first one, by somebody who has never seen it.
    operator
        .run(&["rollback", &second, "--yes"])
        .exits(0)
        .says("Nothing to do");
    let other = Operator::new(&lab, "other", &hosts);
    let unknown = other.run(&["rollback", &first, "--yes"]);
    assert_eq!(unknown.status, 1, "{}", unknown.all());
    unknown.says("--limit");
    let back = other.run(&["rollback", &first, "--yes", "--limit", "all"]);
    back.exits(0);
    assert_eq!(all(), zero);
    // Taking back a rollback restores what it took back, and so on.
    let again = other.run(&["rollback", "last", "--yes"]);
    again.exits(0);
    assert_eq!(all(), one);
    other.run(&["rollback", &id(&again), "--yes"]).exits(0);
    assert_eq!(all(), zero);
    assert_ne!(one, two);
}

/// Steps of which one is tried again, one runs long, and one fails.
const CUT: &str = r#"
name: cut
summary: Cut in the middle
risk: medium
inputs: { last: { type: text } }
steps:
  - id: listener
    name: What it reads
    file: { path: /etc/lab-listen.conf, content: "new\n" }
  - name: The second try succeeds
    retry: { times: 1, every: 1s }
    command: { argv: [sh, -c, "test -e /run/lab-tried || { touch /run/lab-tried; false; }; touch /root/tried"], creates: /root/tried, undo: [rm, -f, /root/tried] }
  - name: The last one
    command: { argv: [sh, -c, "touch /root/begun; {{ inputs.last }}"], creates: /root/ended, undo: [rm, -f, /root/begun, /root/ended] }
  - name: It reads its files again
    service: { name: lab-listen, running: true }
    reload_on: [listener]
"#;

#[test]
fn a_run_that_failed_or_was_cut_off_is_taken_back_as_well() {
    let lab = Lab::new("rollback-cut");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("cut", CUT);
    let look = |host: &LabHost<'_>| {
        host.sh("systemctl is-active lab-listen || :; ls -A /var/lib/holdfast/pending 2>/dev/null || :; ls /etc/lab-listen.conf /root/tried /root/begun /root/ended 2>/dev/null || :")
    };
    let before: Vec<String> = hosts.iter().map(look).collect();
    let now = || hosts.iter().map(look).collect::<Vec<_>>();
    // One that fails.
    let failed = operator.run(&["run", "cut", "--yes", "-e", "last=exit 1"]);
    failed.exits(3);
    assert_ne!(now(), before);
    operator.run(&["rollback", "last", "--yes"]).exits(0);
    assert_eq!(now(), before);
    // One whose controller is killed while a step runs, which nobody knows the end of.
    for host in &hosts {
        host.sh("rm -f /run/lab-tried");
    }
    let running = operator.start(&["run", "cut", "--yes", "-e", "last=sleep 600"]);
    for host in &hosts {
        within(Duration::from_mins(1), "the last step", || {
            host.exec(&["pgrep", "-f", "^sleep 600"]).status.success()
        });
    }
    running.kill();
    for host in &hosts {
        host.sh(
            "pkill -KILL -f '^sh /var/lib/holdfast/runs/.*/step.sh' || :; pkill -KILL -f '^sleep 600' || :",
        );
        within(Duration::from_mins(1), "the lock", || {
            host.exec(&["flock", "-n", "/run/holdfast.lock", "true"])
                .status
                .success()
        });
    }
    let told = operator.run(&["rollback", "last", "--yes"]);
    told.exits(0);
    assert_eq!(now(), before);
    for host in &hosts {
        let settled = host.sh("grep -h -c ' settled undone by ' /var/lib/holdfast/runs/*/journal | sort -n | tail -n 1");
        assert_eq!(settled.trim(), "1", "{}", host.name);
    }
    // And one rollback that is killed itself: running it again completes it.
    let whole = operator.run(&["run", "cut", "--yes", "-e", "last=touch /root/ended"]);
    whole.exits(0);
    let mut cut = operator.start(&["rollback", &id(&whole), "--yes"]);
    assert!(cut.reaches(2, |kind| matches!(kind, EventKind::StepStarted { .. })));
    cut.kill();
    for host in &hosts {
        within(Duration::from_mins(1), "the lock", || {
            host.exec(&["flock", "-n", "/run/holdfast.lock", "true"])
                .status
                .success()
        });
    }
    // One step of it alone does not go on from that one.
    operator
        .run(&["rollback", &id(&whole), "--yes", "--step", "2"])
        .exits(0);
    for host in &hosts {
        let settled = "! grep -q ' settled resumed by ' /var/lib/holdfast/runs/*/journal";
        host.sh(settled);
    }
    operator.run(&["rollback", &id(&whole), "--yes"]).exits(0);
    assert_eq!(now(), before);
    operator
        .run(&["rollback", &id(&whole), "--yes"])
        .exits(0)
        .says("Nothing to do");
}

/// A command whose second try comes about, and what somebody may come in by.
const TRIED: &str = r#"
name: tried
summary: The second try succeeds
risk: medium
steps:
  - name: The second try succeeds
    retry: { times: 1, every: 1s }
    command:
      argv: [sh, -c, "echo ran >>/root/ran; test -e /run/lab-tried && touch /root/tried && exit; touch /run/lab-tried; false"]
      creates: /root/tried
      undo: [rm, -f, /root/tried]
  - name: It runs
    service: { name: lab-listen, running: true }
  - name: A drop-in
    systemd_unit: { name: systemd-journald, drop_in: 10-tried.conf, content: "[Service]\nNice=3\n" }
"#;

#[test]
fn a_service_is_taken_back_under_guard_and_a_command_is_made_again_once() {
    let lab = Lab::new("rollback-tried");
    let hosts = [lab.boot(HostSpec::new("web").setup(Setup::Full))];
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("tried", TRIED);
    host.sh("systemctl stop lab-listen");
    operator.run(&["run", "tried", "--yes"]).exits(0);
    assert_eq!(host.sh("cat /root/ran"), "ran\nran\n");
    // A colleague's file keeps the folder there.
    host.sh("echo of a colleague >/etc/systemd/system/systemd-journald.service.d/20-notes");
    let back = operator.run(&["rollback", "last", "--yes"]);
    back.exits(0).says("answers are the same");
    let armed = |told: &Told| {
        let events = told.events.iter();
        let armed =
            events.filter(|event| matches!(event.kind, EventKind::GuardArmed { again: false, .. }));
        armed.count()
    };
    assert_eq!(armed(&back), 1, "{}", back.all());
    assert_eq!(
        host.sh("ls /etc/systemd/system/systemd-journald.service.d"),
        "20-notes\n"
    );
    host.sh("! test -e /root/tried && ! systemctl -q is-active lab-listen");
    operator.run(&["rollback", "last", "--yes"]).exits(0);
    host.sh("test -e /root/tried && systemctl -q is-active lab-listen");
    assert_eq!(host.sh("cat /root/ran"), "ran\nran\nran\n");
}

/// What lets us in while it is there, and its undo shuts us out, and then ends as the input says.
const WAY_IN: &str = r#"
name: way-in
summary: We are let in
risk: medium
inputs: { then: { type: text, default: "true" } }
steps:
  - name: Nothing shuts us out
    guard: true
    command:
      argv: [sh, -c, "iptables -D INPUT -p tcp --dport 22 -j DROP; touch /root/way-in"]
      creates: /root/way-in
      undo: [sh, -c, "rm -f /root/way-in; iptables -I INPUT -p tcp --dport 22 -j DROP; {{ inputs.then }}"]
"#;

#[test]
fn a_rollback_that_shuts_us_out_is_undone_by_the_host_also_after_a_restart() {
    let lab = Lab::new("rollback-guard");
    let hosts = lab.boot_all(vec![
        HostSpec::new("waits").setup(Setup::Full),
        HostSpec::new("restarts").setup(Setup::Full),
        HostSpec::new("fails").setup(Setup::Full),
    ]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("way-in", WAY_IN);
    operator
        .run(&["run", "way-in", "--yes", "--limit", "!fails"])
        .exits(0);
    // One whose undo shuts us out and fails on top of it: the guard gives again all the same.
    let third = Operator::new(&lab, "third", &hosts);
    third.runbook("way-in", WAY_IN);
    third
        .run(&[
            "run",
            "way-in",
            "--yes",
            "--limit",
            "fails",
            "-e",
            "then=false",
        ])
        .exits(0);
    let fails = third.start(&["rollback", "last", "--yes", "--guard-time", "20s"]);
    let is_in = |host: &LabHost<'_>| host.exec(&["test", "-e", "/root/way-in"]).status.success();
    let waits = operator.start(&[
        "rollback",
        "last",
        "--yes",
        "--limit",
        "waits",
        "--guard-time",
        "20s",
    ]);
    let other = Operator::new(&lab, "other", &hosts);
    let run = hosts[1].sh("ls /var/lib/holdfast/runs").trim().to_owned();
    let restarts = other.start(&[
        "rollback",
        &run,
        "--yes",
        "--limit",
        "restarts",
        "--guard-time",
        "90s",
    ]);
    within(Duration::from_mins(1), "the cut", || !is_in(&hosts[1]));
    hosts[1].reboot();
    within(Duration::from_mins(1), "the way back in", || {
        is_in(&hosts[1])
    });
    let told = waits.wait();
    told.exits(6);
    assert!(is_in(&hosts[0]), "{}", told.all());
    assert!(!hosts[0].sh("iptables-save").contains("DROP"));
    restarts.wait().exits(6);
    let told = fails.wait();
    assert!(is_in(&hosts[2]), "{}", told.all());
    told.exits(6);
    for host in &hosts {
        let left = host.sh("ls /etc/systemd/system | grep holdfast || :; systemctl list-units --no-legend 'holdfast-*' || :");
        assert_eq!(left.trim(), "", "{}", host.name);
    }
    // Now that nothing shuts us out any more in the way back, there is no obstacle.
    operator.run(&["verify", "way-in", "--limit", "waits"]);
}

#[test]
fn a_rollback_that_takes_our_own_key_is_undone_by_the_host() {
    let lab = Lab::new("rollback-key");
    let hosts = [lab.boot(HostSpec::new("web").setup(Setup::Full))];
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    let key = std::fs::read_to_string(lab.key().with_extension("pub")).expect("our key");
    operator.runbook(
        "keys",
        &format!(
            "name: keys\nsummary: Our key\nrisk: medium\nsteps:\n  - name: Our key is there\n    \
             authorized_keys: {{ user: ops, keys: ['{}'] }}\n",
            key.trim()
        ),
    );
    // Somebody else gave us the account: our key comes by a run as root.
    host.sh("rm /home/ops/.ssh/authorized_keys");
    operator.run(&["run", "keys", "--yes"]).exits(0);
    let keys = host.sh("cat /home/ops/.ssh/authorized_keys");
    // From now on that key is how we get in.
    operator.inventory("hosts:\n  web: { user: ops }\n");
    let told = operator.run(&["rollback", "last", "--yes", "--guard-time", "20s"]);
    told.exits(6);
    assert_eq!(host.sh("cat /home/ops/.ssh/authorized_keys"), keys);
    operator.run(&["verify", "keys"]).exits(0);
    // With another way in it may go.
    operator.inventory("hosts:\n  web: {}\n");
    operator
        .run(&["rollback", &told.id(), "--dry-run"])
        .exits(0)
        .nothing_to_do("web");
}

#[test]
fn packages_stay_unless_they_are_asked_for() {
    let lab = Lab::new("rollback-packages");
    let hosts = [lab.boot(HostSpec::new("web").setup(Setup::Bare))];
    let operator = Operator::new(&lab, "operator", &hosts);
    let packages =
        || hosts[0].sh("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' | grep ' ii' | sort");
    let before = packages();
    let told = operator.run(&["run", "fail2ban", "--yes"]);
    told.exits(0);
    let with = packages();
    assert_ne!(with, before);
    operator
        .run(&["rollback", &id(&told), "--yes"])
        .exits(0)
        .says("--packages");
    assert_eq!(packages(), with);
    operator
        .run(&["rollback", &id(&told), "--yes", "--packages"])
        .exits(0);
    assert_eq!(packages(), before);
    // Removed packages keep their configuration, as dpkg has it; nothing of them runs.
    let runs = hosts[0].exec(&["systemctl", "is-active", "fail2ban"]);
    assert!(!runs.status.success());
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
}

#[test]
fn restore_points_are_listed_and_kept_by_count_and_age() {
    let lab = Lab::new("rollback-points");
    let hosts = [lab.boot(HostSpec::new("web").setup(Setup::Full))];
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("motd", MOTD);
    host.sh("mkdir /etc/lab");
    let apply = |text: &str| {
        let told = operator.run(&["run", "motd", "--yes", "-e", &format!("text={text}")]);
        told.exits(0);
        id(&told)
    };
    let (first, second) = (apply("one"), apply("two"));
    let back = operator.run(&["rollback", "last", "--yes"]);
    back.exits(0);
    let third = id(&back);
    let list = || operator.run(&["restore-points"]);
    let told = list();
    assert_eq!(told.status, 0, "{}", told.all());
    let line = |run: &str| {
        let mut lines = told.stdout.lines();
        lines
            .find(|line| line.split_whitespace().nth(1) == Some(run))
            .expect("a line")
            .to_owned()
    };
    assert!(line(&first).ends_with("  2"), "{}", told.stdout);
    assert!(line(&second).ends_with("nothing"), "{}", told.stdout);
    assert!(
        line(&third).contains(&format!("rollback of {second}")),
        "{}",
        told.stdout
    );
    let json = operator.run(&["restore-points", "--format", "json"]).stdout;
    assert_eq!(json.lines().count(), 3, "{json}");
    // Neither the count nor the age says that they must go.
    let kept = operator.run(&["restore-points", "--prune"]);
    assert_eq!(
        (kept.status, kept.stdout.as_str()),
        (0, ""),
        "{}",
        kept.all()
    );
    // A run that was cut off, one with an armed guard, and twenty that are old.
    host.sh("cd /var/lib/holdfast/runs
        for n in $(seq 10 34); do
            mkdir -p 20200101-0000$n-aaaaaa/1/1
            cd 20200101-0000$n-aaaaaa
            printf 'run=x\nformat=1\nrunbook=old\n' >run
            printf '1 step 1 started\n1 closed done\n' >journal
            echo exit >1/1/undo.sh
            cd ..
        done
        sed -i '/closed/d' 20200101-000010-aaaaaa/journal
        echo '- { step: 1 }' >20200101-000032-aaaaaa/steps.yaml
        printf '# sha256 00\n- { step: 1 }\n' >20200101-000033-aaaaaa/steps.yaml
        mkdir 20200101-000011-aaaaaa/guard
        : >20200101-000011-aaaaaa/guard/armed
        mkdir .20190101-000000-aaaaaa
        echo undoes=20200101-000012-aaaaaa >>20200101-000034-aaaaaa/run
        touch -d '100 days ago' 20200101-*/journal; rm 20200101-000011-aaaaaa/guard/armed; : >20200101-000011-aaaaaa/guard/firing");
    let runs = || host.sh("ls -A /var/lib/holdfast/runs");
    // A dry run and one that does nothing leave them alone; one that changes something tidies up behind itself.
    operator
        .run(&["run", "motd", "--dry-run", "-e", "text=three"])
        .exits(0);
    assert_eq!(runs().lines().count(), 29);
    host.sh("rm -r /var/lib/holdfast/runs/20200101-000011-aaaaaa");
    let told = operator.run(&[
        "run",
        "motd",
        "--yes",
        "--unfinished",
        "settle",
        "-e",
        "text=three",
    ]);
    told.exits(0);
    let left = runs();
    // The newest twenty, the one that was taken back by one of them, and the one whose fate was written down just now.
    assert_eq!(left.lines().count(), 22, "{left}");
    assert!(
        left.contains("20200101-000012-aaaaaa") && left.contains(&first),
        "{left}"
    );
    let pruned = operator.run(&["restore-points", "--prune", "--keep", "1"]);
    assert_eq!(pruned.status, 0, "{}", pruned.all());
    // The newest, and the last one of each runbook whose steps are known: what is no longer as that left it is drift.
    let left = runs();
    let old = left.contains("20200101-000032-aaaaaa");
    assert!(old && left.lines().count() == 2, "{left}\n{}", pruned.all());
    operator
        .run(&["rollback", &first, "--yes"])
        .exits(3)
        .says("no record of run");
    // What was taken back no longer stands: the run before it does, however old it is.
    let standing = told.id();
    let last = apply("four");
    let back = operator.run(&["rollback", &last, "--yes"]);
    back.exits(0);
    let newest = {
        operator.runbook(
            "other",
            &MOTD
                .replace("name: motd", "name: other")
                .replace("/etc/lab/", "/etc/lab/other-"),
        );
        let told = operator.run(&["run", "other", "--yes", "-e", "text=x"]);
        told.exits(0);
        told.id()
    };
    host.sh("touch -d '100 days ago' /var/lib/holdfast/runs/*/journal");
    let pruned = operator.run(&["restore-points", "--prune", "--keep", "1"]);
    assert_eq!(pruned.status, 0, "{}", pruned.all());
    let left = runs();
    let stays = |run: &str| left.contains(run);
    assert!(stays(&standing) && stays(&newest), "{left}");
    assert!(!stays(&last) && !stays(&back.id()), "{left}");
    // Without root nobody sees the records, which is said.
    operator.inventory("hosts:\n  web: { user: nosudo }\n");
    let told = operator.run(&["restore-points"]);
    assert_eq!(
        (told.status, told.stdout.as_str()),
        (4, ""),
        "{}",
        told.all()
    );
    assert!(told.stderr.contains("sudo"), "{}", told.all());
}
