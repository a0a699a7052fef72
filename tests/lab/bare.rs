//! A host without ufw: it is predicted what the package will make possible, then it is so.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use crate::operator::{Footprint, Operator, Rules, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};
use holdfast::change::{StepNumber, Verdict};
use holdfast::plan::Outcome;

#[track_caller]
fn installed(host: &LabHost<'_>) -> BTreeSet<String> {
    let packages = host.sh("dpkg-query -W -f '${db:Status-Status} ${Package}\n'");
    let names = packages
        .lines()
        .filter_map(|line| line.strip_prefix("installed "));
    names.map(str::to_owned).collect()
}

#[test]
fn on_a_host_without_ufw_the_dry_run_shows_package_and_rules_and_apply_makes_just_that() {
    let lab = Lab::new("bare");
    let hosts = lab.boot_releases(Setup::Bare);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let packages: Vec<BTreeSet<String>> = hosts.iter().map(installed).collect();

    let shown = operator.refresh(&web, "good", &["--dry-run"]);
    shown.exits(0).says("after step 1").says("ufw");
    for (host, before) in hosts.iter().zip(&before) {
        assert_eq!(shown.rules(&host.name).1.len(), 22, "{}", host.name);
        let rules = &shown.step(&host.name, 2).outcome;
        let after_step_1 = matches!(
            rules,
            Outcome::Seen(Verdict::ChangeAfter {
                step: StepNumber(1),
                ..
            })
        );
        assert!(after_step_1, "{}: {rules:?}", host.name);
        before.is_that_of(host);
    }

    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(0).says("nothing enforces them");
    for (host, packages) in hosts.iter().zip(&packages) {
        // What was shown is what came: the packages, and the rules.
        let come: BTreeSet<String> = installed(host).difference(packages).cloned().collect();
        let promised = shown.lines(&host.name, "packages").1;
        let name = |line: &String| line.split(' ').next().expect("a name").to_owned();
        assert_eq!(come, promised.iter().map(name).collect(), "{}", host.name);
        assert!(come.contains("ufw"), "{come:?}");
        assert_eq!(told.done(&host.name), [1, 2], "{}", host.name);
        let status = host.sh("ufw status");
        assert_eq!(status, "Status: inactive\n", "{}", host.name);
        assert_eq!(
            Rules::of(host, "user.rules").ours.len(),
            15,
            "{}",
            host.name
        );
        assert_eq!(
            Rules::of(host, "user6.rules").ours.len(),
            7,
            "{}",
            host.name
        );
        let shown = shown.rules(&host.name).1;
        assert_eq!(told.rules(&host.name).1, shown, "{}", host.name);
    }

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.refresh(&web, "good", &["--yes"]);
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
}

const HELLO: &str = "
name: hello
summary: A package
risk: low
steps:
  - name: hello is installed
    package: hello
";

#[test]
fn a_held_package_lock_is_waited_for_with_the_name_of_its_holder() {
    let lab = Lab::new("dpkg");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Full)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("hello", HELLO);
    // It takes ten seconds to configure, and holds the lock for as long.
    let mut holder = host
        .command("apt-get")
        .args(["-qq", "-y", "install", "hf-lab-slow"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("apt");
    within(Duration::from_secs(30), "the lock", || {
        host.exec(&["pgrep", "-f", "hf-lab-slow.postinst"])
            .status
            .success()
    });

    let told = operator.run(&["run", "hello", "--yes"]);
    told.exits(0).changed("web", 1);
    let waited = told.progress("web").join("\n");
    assert!(waited.contains("waiting for the package lock"), "{waited}");
    assert!(waited.contains("apt-get (process "), "{waited}");
    told.says("waiting for the package lock, which apt-get (process ");
    assert!(
        holder.wait().expect("apt").success(),
        "the other apt was disturbed"
    );
    host.sh("dpkg-query -W -f '${db:Status-Status}' hello | grep -qx installed");
    host.sh("dpkg-query -W -f '${db:Status-Status}' hf-lab-slow | grep -qx installed");
    operator
        .run(&["run", "hello", "--yes"])
        .exits(0)
        .nothing_to_do("web");
}
