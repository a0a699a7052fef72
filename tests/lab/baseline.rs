//! The runbook `baseline` on fresh hosts: nobody is shut out, a second run has nothing to do, and what Lynis and
//! ssh-audit think of the host before and after it. With `HOLDFAST_UPDATE=1` the figures go into the README.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, thread};

use crate::audit::{self, Audit};
use crate::operator::{Footprint, Operator};
use crate::support::lab::{Lab, LabHost, Setup};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn a_fresh_host_gets_better_by_every_measure_and_what_remains_is_explained() {
    let lab = Lab::new("baseline");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    let before = audits(&hosts, true);
    let untouched: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    operator.run(&["run", "baseline", "--dry-run"]).exits(0);
    for (host, untouched) in hosts.iter().zip(&untouched) {
        untouched.is_that_of(host);
    }

    let told = operator.run(&["run", "baseline", "--yes"]);
    told.exits(0);
    let all = told.all();
    let (_, end) = all.rsplit_once("Done:").expect("a summary");
    assert!(!end.contains("ufw is not active"), "that was before: {end}");
    let again = operator.run(&["run", "baseline", "--yes"]);
    again.exits(0);
    for host in &hosts {
        again.nothing_to_do(&host.name);
        // The door is open for a login that knows nothing of the run.
        let login = lab.ssh("root", &host.name).arg("true").status();
        assert!(login.expect("ssh").success(), "{}", host.name);
    }
    // Nothing that it left is taken for drift.
    let drift = operator.run(&["drift"]);
    drift.exits(0);
    for host in &hosts {
        drift.nothing_to_do(&host.name);
    }

    let after = audits(&hosts, false);
    let known = explained();
    for ((host, before), after) in hosts.iter().zip(&before).zip(&after) {
        let name = &host.name;
        assert!(
            after.index > before.index,
            "{name}: {} → {}",
            before.index,
            after.index
        );
        assert!(
            after.ssh.is_subset(&before.ssh),
            "{name}: {:#?}",
            &after.ssh - &before.ssh
        );
        assert!(
            after.ssh.len() < before.ssh.len(),
            "{name}: {:#?}",
            after.ssh
        );
        let open: Vec<String> = after.names().difference(&known).cloned().collect();
        assert!(
            open.is_empty(),
            "{name}: runbooks/BASELINE.md does not explain {open:#?}"
        );
    }
    if env::var_os("HOLDFAST_UPDATE").is_some() {
        put_into_readme(&table(&hosts, &before, &after));
    }
}

/// One after the other on a host, hosts side by side.
fn audits(hosts: &[LabHost<'_>], first: bool) -> Vec<Audit> {
    thread::scope(|scope| {
        let audit = |host| {
            scope.spawn(move || {
                if first {
                    audit::install(host);
                }
                Audit::of(host)
            })
        };
        let running: Vec<_> = hosts.iter().map(audit).collect();
        running
            .into_iter()
            .map(|audit| {
                audit
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

/// The first column of the tables in `runbooks/BASELINE.md`.
fn explained() -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(ROOT).join("runbooks/BASELINE.md")).expect("the page");
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once("` |")?.0.to_owned());
    page.lines().filter_map(cell).collect()
}

fn table(hosts: &[LabHost<'_>], before: &[Audit], after: &[Audit]) -> String {
    let mut text = String::from(
        "| | Lynis' index | its findings | ssh-audit: fail | warn |\n| --- | --- | --- | --- | --- |\n",
    );
    let count =
        |audit: &Audit, what: &str| audit.ssh.iter().filter(|line| line.contains(what)).count();
    for ((host, before), after) in hosts.iter().zip(before).zip(after) {
        let _ = writeln!(
            text,
            "| Debian {} | {} → {} | {} → {} | {} → {} | {} → {} |",
            host.sh(". /etc/os-release; printf %s \"$VERSION_ID\""),
            before.index,
            after.index,
            before.lynis.len(),
            after.lynis.len(),
            count(before, "[fail]"),
            count(after, "[fail]"),
            count(before, "[warn]"),
            count(after, "[warn]"),
        );
    }
    text
}

/// Between the two marks.
fn put_into_readme(table: &str) {
    const BEGIN: &str = "<!-- audits: made by tests/audits -->\n";
    const END: &str = "<!-- end of audits -->\n";
    let path = Path::new(ROOT).join("README.md");
    let text = fs::read_to_string(&path).expect("the README");
    let (head, rest) = text.split_once(BEGIN).expect("a place for the figures");
    let (_, tail) = rest.split_once(END).expect("its end");
    fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).expect("the README");
}
