//! Many hosts at once: what is wrong with some is no matter of the others.

use std::time::Duration;

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release};
use holdfast::event::Fault;

#[test]
fn of_eight_hosts_one_is_down_and_one_has_a_changed_key_and_the_others_finish() {
    let lab = Lab::new("eight");
    let spec = |n: usize| HostSpec::new(&format!("web-{n}")).release(Release::ALL[n % 3]);
    let hosts = lab.boot_all((1..=8).map(spec).collect());
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    let (down, changed) = (&hosts[2], &hosts[5]);
    down.kill();
    lab.forge_known_host(&changed.name);
    let before = Footprint::of(changed);

    let told = operator.refresh(&web, "good", &["--yes", "--connect-timeout", "5"]);
    told.exits(4);
    told.stopped(&down.name, Fault::Unreachable);
    let why = told.stopped(&changed.name, Fault::Identity);
    assert_eq!(why, "the host key has changed");
    let others = hosts
        .iter()
        .filter(|host| ![&down.name, &changed.name].contains(&&host.name));
    for host in others {
        told.changed(&host.name, 22);
    }
    told.says("web-3 · unreachable")
        .says("web-6 · host key")
        .says("132 changes on 6");
    // Nobody logged in where the key is another.
    before.is_that_of(changed);

    let again = operator.refresh(&web, "good", &["--yes", "--connect-timeout", "5"]);
    again.exits(4).nothing_to_do("web-1").nothing_to_do("web-8");
}

/// A runbook that takes its time.
const SLOW: &str = "
name: slow
summary: Takes its time
risk: low
steps:
  - name: It is slept
    command: { argv: [sleep, \"6\"], always: true }
";

/// Whether the lock of a host can be had.
fn is_free(host: &LabHost<'_>) -> bool {
    host.exec(&["flock", "-n", "/run/holdfast.lock", "true"])
        .status
        .success()
}

#[test]
fn a_second_run_on_a_host_is_told_who_holds_it() {
    let lab = Lab::new("lock");
    let hosts = lab.boot_all(vec![HostSpec::new("web"), HostSpec::new("other")]);
    let web = lab.web();
    let (first, second) = (
        Operator::new(&lab, "first", &hosts),
        Operator::new(&lab, "second", &hosts),
    );
    first.runbook("slow", SLOW);
    first.variable("USER", "mallory");
    let running = first.start(&["run", "slow", "--yes", "--limit", "web"]);
    running.wait_for_step(1);

    let told = second.refresh(&web, "good", &["--yes"]);
    // Where nobody is, the work is done all the same.
    told.exits(7).changed("other", 22);
    let holder = told.stopped("web", Fault::Locked).to_owned();
    for part in ["mallory@", "since 2", "runbook slow", "run 2"] {
        assert!(holder.contains(part), "{part} is not in {holder:?}");
    }
    told.says("web · locked");
    // Who only looks is in nobody's way.
    second.refresh(&web, "good", &["--dry-run"]).exits(0);

    running.wait().exits(0).changed("web", 1);
    assert!(is_free(&hosts[0]));
    second
        .refresh(&web, "good", &["--yes"])
        .exits(0)
        .changed("web", 22);
}

#[test]
fn the_lock_of_a_killed_run_is_free_when_its_last_step_is_over() {
    let lab = Lab::new("killed");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow", SLOW);
    let running = operator.start(&["run", "slow", "--yes"]);
    running.wait_for_step(1);
    running.kill();

    // The step goes on, and so does its lock.
    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(7).stopped("web", Fault::Locked);
    within(Duration::from_secs(30), "the lock", || is_free(&hosts[0]));
    let journal = hosts[0].sh("cat /var/lib/holdfast/runs/*/journal");
    assert!(journal.ends_with("step 1 done\n"), "{journal}");
    operator
        .refresh(&web, "good", &["--yes"])
        .exits(0)
        .changed("web", 22);
}
