//! Drift: what was changed by hand behind the back of runs is found on real hosts with its exact difference, and
//! what may change by itself is not.

use holdfast::change::{Shown, Verdict};
use holdfast::event::{EventKind, Fault, HostResult};
use holdfast::plan::{Outcome, StepPlan};

use crate::operator::{Footprint, Operator, Told};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};
use crate::undoing::undo_last_run;

const WEB: &str = r#"name: web
summary: A small server
risk: medium
inputs:
  greeting: { type: text, default: "one {{ braces }}" }
steps:
  - name: Its package is there
    package: [hf-drift]
  - name: It greets
    id: greeting
    file:
      path: /etc/hf-drift.conf
      content: "{{ inputs.greeting }}\nsecond\n"
      mode: 0640
  - name: It is a service
    id: unit
    systemd_unit:
      name: hf-drift.service
      content: |
        [Service]
        ExecStart=/bin/sleep infinity
        [Install]
        WantedBy=multi-user.target
  - name: It runs
    service: { name: hf-drift, running: true, enabled: true }
    reload_on: [greeting, unit]
  - name: The clock runs
    service: { name: cron, running: true }
  - name: Nobody redirects us
    sysctl:
      values: { net.ipv4.conf.all.secure_redirects: 0 }
  - name: The office reaches it
    ufw_rules: { tag: office, allow: tcp, ports: 8443, from: 192.0.2.0/24 }
  - name: Something is done every time
    command: { argv: [touch, /var/tmp/hf-drift], always: true }
  - name: Only elsewhere
    when: facts.os.id == 'plan9'
    file: { path: /etc/hf-drift-elsewhere, content: x }
"#;

const OTHER: &str = r#"name: other
summary: Greets otherwise
steps:
  - name: It greets otherwise
    file: { path: /etc/hf-drift.conf, content: "other\n", mode: 0640 }
"#;

/// Puts a version of a package of our own into an archive of the host's own.
fn publish(host: &LabHost<'_>, version: &str) {
    host.sh(&format!(
        "set -e; cd /; mkdir -p /srv/drift/b/DEBIAN; cd /srv/drift
        printf 'Package: hf-drift\\nVersion: {version}\\nArchitecture: all\\nMaintainer: Lab <lab@example.org>\\nDescription: drift\\n' >b/DEBIAN/control
        dpkg-deb --root-owner-group -b b hf-drift_{version}.deb >/dev/null
        {{ cat b/DEBIAN/control; printf 'Filename: ./hf-drift_{version}.deb\\nSize: %s\\nSHA256: %s\\n' \
            \"$(stat -c %s hf-drift_{version}.deb)\" \"$(sha256sum hf-drift_{version}.deb | cut -d' ' -f1)\"; }} >Packages
        echo 'deb [trusted=yes] file:/srv/drift ./' >/etc/apt/sources.list.d/drift.list
        apt-get update -qq >/dev/null 2>&1"
    ));
}

/// The steps that are not as they were left, with what is said of each.
fn drifted(told: &Told, host: &str) -> Vec<(String, String)> {
    let said = |step: &StepPlan| match &step.outcome {
        Outcome::Seen(Verdict::Change(changes) | Verdict::ChangeAfter { changes, .. }) => {
            let shown = changes.iter().flat_map(|change| &change.shown);
            let shown: Vec<String> = shown.map(text).collect();
            Some(shown.join("; "))
        }
        Outcome::Seen(Verdict::Blocked(blocked)) => Some(blocked.why.clone()),
        Outcome::Seen(Verdict::UnknownUntil { why, .. }) | Outcome::CouldNotTell { why } => {
            Some(why.clone())
        }
        Outcome::Seen(Verdict::Compliant | Verdict::NotApplicable { .. })
        | Outcome::Skipped { .. }
        | Outcome::Interlude(_) => None,
    };
    let steps = told.plan(host).steps.iter();
    steps
        .filter_map(|step| Some((step.name.clone(), said(step)?)))
        .collect()
}

fn text(shown: &Shown) -> String {
    match shown {
        Shown::Lines { removed, added, .. } => format!("-{removed:?} +{added:?}"),
        other => format!("{other:?}"),
    }
}

/// The id of a run.
fn run_of(told: &Told) -> String {
    let started = told.events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted { run, .. } => Some(run.clone()),
        _ => None,
    });
    started.expect("a beginning")
}

#[track_caller]
fn no_drift(operator: &Operator<'_>, host: &LabHost<'_>) {
    let told = operator.run(&["drift"]);
    assert_eq!(drifted(&told, &host.name), [], "{}", told.all());
    told.exits(0)
        .nothing_to_do(&host.name)
        .says("No drift on 1 host.");
}

#[test]
fn what_was_changed_by_hand_is_found_with_its_difference() {
    let lab = Lab::new("drift");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("web", WEB);
    operator.runbook("other", OTHER);
    publish(host, "1.0");
    let untouched = Footprint::of(host);
    operator
        .run(&["drift"])
        .exits(0)
        .says("no run is on record on this host");
    untouched.is_that_of(host);

    operator.run(&["run", "web", "--yes"]).exits(0);
    let left = Footprint::of(host);
    no_drift(&operator, host);
    // A version that came later is none, neither offered nor installed.
    publish(host, "2.0");
    no_drift(&operator, host);
    host.sh("apt-get install -y -qq hf-drift >/dev/null 2>&1");
    assert_eq!(host.sh("dpkg-query -W -f '${Version}' hf-drift"), "2.0");
    no_drift(&operator, host);
    assert!(
        !left
            .touched(host)
            .iter()
            .any(|path| path.starts_with("/var/lib/holdfast"))
    );

    host.sh(
        "set -e; sed -i 's/^second$/by hand/' /etc/hf-drift.conf; chmod 0644 /etc/hf-drift.conf
        systemctl -q disable --now hf-drift; systemctl -q mask --now cron
        sysctl -q -w net.ipv4.conf.all.secure_redirects=1
        ufw delete allow proto tcp from 192.0.2.0/24 to any port 8443 >/dev/null",
    );
    let by_hand = Footprint::of(host);
    let told = operator.run(&["drift"]);
    told.exits(2)
        .says("Drift: 5 things are no longer as runs left them on web; nothing was written.")
        .says("left otherwise by web, run ")
        .says("-by hand")
        .says("+second");
    assert_eq!(*told.result("web"), HostResult::ChangesDue { changes: 5 });
    by_hand.is_that_of(host);
    let found = drifted(&told, "web");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "It greets",
            "It runs",
            "The clock runs",
            "Nobody redirects us",
            "The office reaches it"
        ]
    );
    let said = |name: &str| {
        let found = found.iter().find(|(one, _)| one == name);
        found.map(|(_, said)| said.as_str()).unwrap_or_default()
    };
    assert!(said("It greets").contains("one {{ braces }}"), "{found:?}");
    assert!(said("It greets").contains("0644"), "{found:?}");
    assert!(said("It runs").contains("starts at boot"), "{found:?}");
    assert_eq!(said("The clock runs"), "cron.service is masked");
    assert!(
        said("Nobody redirects us").contains("secure_redirects"),
        "{found:?}"
    );
    assert_eq!(
        said("The office reaches it"),
        r#"-[] +["allow tcp 8443 from 192.0.2.0/24"]"#
    );
    let narrow = {
        operator.variable("COLUMNS", "40");
        operator.run(&["drift", "--format", "json"])
    };
    assert_eq!(narrow.status, 2);
    assert!(narrow.stdout.lines().all(|line| line.starts_with('{')));

    // A host that cannot be reached does not keep the others from being looked at.
    operator.inventory("hosts:\n  web: {}\n  ghost: { address: 127.0.0.1, port: 9 }\n");
    let told = operator.run(&["drift"]);
    told.exits(4).stopped("ghost", Fault::Unreachable);
    assert_eq!(drifted(&told, "web").len(), 5);
}

#[test]
fn the_run_that_counts_is_the_last_one_that_was_not_taken_back() {
    let lab = Lab::new("drift-order");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("web", WEB);
    operator.runbook("other", OTHER);
    publish(host, "1.0");
    operator.run(&["run", "web", "--yes"]).exits(0);
    operator
        .run(&["run", "web", "--yes", "-e", "greeting=two"])
        .exits(0);
    no_drift(&operator, host);
    host.sh("echo by hand >>/etc/hf-drift.conf");
    // Of the second version, not of the first.
    let told = operator.run(&["drift"]);
    told.exits(2);
    let found = drifted(&told, "web");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].1.contains("two") && !found[0].1.contains("one"),
        "{found:?}"
    );
    told.says("-by hand").never_says("+two");

    // Another runbook that came later has the last word about the same file.
    operator.run(&["run", "other", "--yes"]).exits(0);
    no_drift(&operator, host);
    host.sh("echo by hand >>/etc/hf-drift.conf");
    operator
        .run(&["drift"])
        .exits(2)
        .says("left otherwise by other, run ");
    // Taken back: what was before it counts again, and the hand is still in there.
    undo_last_run(host);
    operator
        .run(&["drift"])
        .exits(2)
        .says("left otherwise by web, run ")
        .says("-by hand");
    host.sh("sed -i '/by hand/d' /etc/hf-drift.conf");
    no_drift(&operator, host);
    // A run that is rolled back counts no more, and again when that is rolled back.
    let other = operator.run(&["run", "other", "--yes"]);
    other.exits(0);
    no_drift(&operator, host);
    let back = operator.run(&["rollback", &run_of(&other), "--yes"]);
    back.exits(0);
    no_drift(&operator, host);
    operator
        .run(&["rollback", &run_of(&back), "--yes"])
        .exits(0);
    no_drift(&operator, host);
    assert_eq!(host.sh("cat /etc/hf-drift.conf"), "other\n");
    // Root alone can read the records.
    operator.inventory("hosts:\n  web: { user: nosudo }\n");
    operator
        .run(&["drift"])
        .exits(4)
        .stopped("web", Fault::Sudo);
}

#[test]
fn what_a_later_run_made_otherwise_is_no_drift() {
    let lab = Lab::new("drift-move");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Full)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.run(&["run", "fail2ban", "--yes"]).exits(0);
    operator.run(&["run", "ufw-enable", "--yes"]).exits(0);
    no_drift(&operator, host);
    // Rules and a jail follow the port: what the earlier runs wanted is no longer so, and that is no drift.
    operator
        .run(&[&crate::port_move::MOVE[..], &["--yes"]].concat())
        .exits(0);
    no_drift(&operator, host);
    // A setting of the first run, which the last one was not about, and what both were about.
    host.sh("sed -i 's/^maxretry.*/maxretry = 9/' /etc/fail2ban/jail.d/*holdfast*; sed -i 's/^Port .*/&\\nPort 2223/' /etc/ssh/sshd_config.d/00-holdfast-port.conf");
    let told = operator.run(&["drift"]);
    told.exits(2)
        .says("left otherwise by fail2ban, run ")
        .says("-maxretry = 9")
        .says("left otherwise by ssh-port-move, run ")
        .says("-Port 2223");
    let names: Vec<String> = drifted(&told, "web")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "The jail sshd reads the journal and watches the ports that sshd listens on",
            "sshd no longer listens on the old port"
        ]
    );
}

const PARTS: &str = r#"name: parts
summary: Two files
inputs:
  word: { type: text, default: one }
steps:
  - { name: The first is there, tags: [a], file: { path: /etc/hf-part-1, content: "{{ inputs.word }}\n" } }
  - { name: The second is there, tags: [b], file: { path: /etc/hf-part-2, content: "{{ inputs.word }}\n" } }
"#;

/// The names of the steps that are not as they were left.
#[track_caller]
fn names(told: &Told) -> Vec<String> {
    let found = drifted(told, "web").into_iter();
    found.map(|(name, _)| name).collect()
}

#[test]
fn a_run_of_a_part_says_nothing_of_the_rest_and_what_is_not_known_is_said() {
    let lab = Lab::new("drift-parts");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("parts", PARTS);
    let run = |more: &[&str]| {
        let told = operator.run(&[&["run", "parts", "--yes"], more].concat());
        told.exits(0);
        run_of(&told)
    };
    let finds = |expected: &[&str]| {
        let told = operator.run(&["drift"]);
        told.exits(2);
        assert_eq!(names(&told), expected, "{}", told.all());
        told
    };
    // It keeps no journal of its own.
    let prune = || {
        let told = operator.run(&["restore-points", "--prune", "--keep", "1"]);
        assert_eq!(told.status, 0, "{}", told.all());
        told
    };
    let whole = run(&[]);
    let early = run(&["-e", "word=early", "--tags", "b"]);
    let tagged = run(&["-e", "word=two", "--tags", "b"]);
    no_drift(&operator, host);
    host.sh("echo by hand >>/etc/hf-part-1");
    finds(&["The first is there"])
        .says("left otherwise by parts, run ")
        .says(&whole);
    // Neither does one that begins later in the runbook, though the difference was there when it went.
    let late = run(&["-e", "word=three", "--start-at", "2"]);
    finds(&["The first is there"]).says(&whole);
    host.sh("echo by hand >>/etc/hf-part-2");
    finds(&["The first is there", "The second is there"])
        .says(&late)
        .says("          three\n");
    host.sh("sed -i '/by hand/d' /etc/hf-part-2");

    // Of the same part the last run stays, and the last of the whole: by them it is found.
    let pruned = prune();
    pruned.says(&format!("removed {early}"));
    for stays in [&whole, &tagged, &late] {
        pruned.never_says(stays);
    }
    finds(&["The first is there"]).says(&whole);

    // How the run left it is gone from the record: a difference may be older, and no difference is fine.
    let runs = "cd /var/lib/holdfast/runs;";
    host.sh(&format!(
        "{runs} mv {whole}/kept /root/kept; rm -r {whole}/[12]/after"
    ));
    let told = operator.run(&["drift"]);
    told.exits(3).says("how the run left it is not on record");
    assert_eq!(names(&told), ["The first is there"]);
    host.sh("sed -i '/by hand/d' /etc/hf-part-1");
    no_drift(&operator, host);

    // Half of the steps is no record of all of them, and the rest is compared all the same.
    host.sh("echo by hand >>/etc/hf-part-2");
    for (cut, why) in [
        ("sed -i '$d'", "only a part of its steps is on record"),
        ("truncate -s 9", "only a part of its steps is on record"),
        ("truncate -s 0", "its steps are not on record"),
    ] {
        host.sh(&format!("{runs} {cut} {whole}/steps.yaml"));
        let told = operator.run(&["drift"]);
        told.exits(3).says(why).says(&late);
        let lost = format!("What run {whole} of parts left");
        assert_eq!(names(&told), [lost.as_str(), "The second is there"]);
    }

    // Which run is the later one is the host's to say, not the name that a controller gave it.
    let last = run(&["-e", "word=four"]);
    host.sh(&format!("{runs} mv {last} 20200101-000000-aaaaaa"));
    no_drift(&operator, host);
    host.sh("echo by hand >>/etc/hf-part-1");
    finds(&["The first is there"]).says("20200101-000000-aaaaaa");
    prune()
        .says(&format!("removed {whole}"))
        .never_says("20200101");
    finds(&["The first is there"]);
}
