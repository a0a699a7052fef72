//! The published list changes: what moved in it moves in the firewall, and nothing else.

use crate::operator::{Footprint, Operator, Rules};
use crate::refresh::{V4, V6, rules_for};
use crate::support::lab::{Lab, LabHost, Setup};

/// The lines of a file of ufw.
#[track_caller]
fn lines(host: &LabHost<'_>, file: &str) -> Vec<String> {
    let text = String::from_utf8(host.read(&format!("/etc/ufw/{file}"))).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// What is only in the first and only in the second of two texts, when all other lines are the same in
/// the same order; `None` when something moved.
fn difference(before: &[String], after: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let without = |lines: &[String], others: &[String]| -> (Vec<String>, Vec<String>) {
        let alone = |line: &&String| !line.is_empty() && !others.contains(line);
        let (alone, both): (Vec<&String>, Vec<&String>) = lines.iter().partition(alone);
        (
            alone.into_iter().cloned().collect(),
            both.into_iter().cloned().collect(),
        )
    };
    let (gone, rest_before) = without(before, after);
    let (come, rest_after) = without(after, before);
    let solid = |lines: Vec<String>| lines.into_iter().filter(|line| !line.is_empty());
    let same = solid(rest_before).eq(solid(rest_after));
    (same && before.len() + come.len() == after.len() + gone.len()).then_some((gone, come))
}

#[test]
fn a_list_that_loses_one_range_and_gains_one_is_plus_one_minus_one() {
    let lab = Lab::new("moved");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh("ufw allow 8080/tcp comment 'between two of ours' >/dev/null");
    }
    operator.refresh(&web, "good", &["--unattended"]).exits(0);
    let files = ["user.rules", "user6.rules"];
    let read = |host: &LabHost<'_>| files.map(|file| lines(host, file));
    let before: Vec<_> = hosts.iter().map(read).collect();
    let v6_file = |host: &LabHost<'_>| host.sh("stat -c '%i %y %z' /etc/ufw/user6.rules");
    let v6_before: Vec<String> = hosts.iter().map(v6_file).collect();

    let shown = operator.refresh(&web, "moved", &["--dry-run"]);
    shown.exits(0).says("+1 −1");
    let told = operator.refresh(&web, "moved", &["--unattended"]);
    told.exits(0);
    for run in [&shown, &told] {
        for host in &hosts {
            let (gone, come) = run.rules(&host.name);
            assert_eq!(gone, ["allow tcp 443 from 131.0.72.0/22"]);
            assert_eq!(come, ["allow tcp 443 from 199.27.128.0/21"]);
        }
    }
    for ((host, [v4, v6]), v6_before) in hosts.iter().zip(&before).zip(&v6_before) {
        told.changed(&host.name, 2);
        let (gone, come) = difference(v4, &lines(host, "user.rules"))
            .unwrap_or_else(|| panic!("{}: something else moved", host.name));
        assert_eq!(gone.len(), 2, "{}: {gone:?}", host.name);
        assert!(
            gone.iter().all(|line| line.contains("131.0.72.0/22")),
            "{gone:?}"
        );
        assert_eq!(come.len(), 2, "{}: {come:?}", host.name);
        assert!(
            come.iter().all(|line| line.contains("199.27.128.0/21")),
            "{come:?}"
        );
        assert_eq!(lines(host, "user6.rules"), *v6, "{}", host.name);
        assert_eq!(
            v6_file(host),
            *v6_before,
            "{}: written for nothing",
            host.name
        );
    }
    operator
        .refresh(&web, "moved", &["--unattended"])
        .exits(0)
        .says_nothing();
}

#[test]
fn the_change_of_april_2021_passes_without_a_person() {
    let lab = Lab::new("april");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator
        .refresh(&web, "april2021-before", &["--unattended"])
        .exits(0);
    let told = operator.refresh(&web, "april2021-after", &["--unattended"]);
    told.exits(0);
    for host in &hosts {
        let (gone, come) = told.rules(&host.name);
        assert_eq!(gone, ["allow tcp 443 from 104.16.0.0/12"], "{}", host.name);
        let come: std::collections::BTreeSet<String> = come.into_iter().collect();
        assert_eq!(
            come,
            rules_for(["104.16.0.0/13", "104.24.0.0/14"]),
            "{}",
            host.name
        );
        told.changed(&host.name, 3);
        assert_eq!(
            Rules::of(host, "user.rules").sources(),
            V4.map(str::to_owned).into()
        );
        assert_eq!(
            Rules::of(host, "user6.rules").sources(),
            V6.map(str::to_owned).into()
        );
    }
}

#[test]
fn a_larger_change_waits_for_a_person_who_accepts_it() {
    let lab = Lab::new("larger");
    let hosts = lab.boot_all(vec![crate::support::lab::HostSpec::new("web")]);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.refresh(&web, "good", &["--unattended"]).exits(0);
    // Two thirds of the space: a change that unattended runs may not take on.
    let live = V4
        .into_iter()
        .filter(|range| *range != "104.16.0.0/13")
        .chain(V6);
    web.set_live(live);
    let before = Footprint::of(&hosts[0]);
    operator
        .refresh(&web, "live", &["--unattended"])
        .exits(9)
        .says("34");
    before.is_that_of(&hosts[0]);
    let accepted = operator.refresh(&web, "live", &["--yes", "--accept-change"]);
    accepted.exits(0).changed("web", 1);
    assert_eq!(
        accepted.rules("web").0,
        ["allow tcp 443 from 104.16.0.0/13"]
    );
    // What was accepted is the measure from now on.
    operator
        .refresh(&web, "live", &["--unattended"])
        .exits(0)
        .says_nothing();
}
