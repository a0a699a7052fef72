//! Logins that are not as a program would like them: the result is the same as root's, or a clear no.

use crate::operator::{Footprint, Operator, Rules, kernel};
use crate::refresh::{V4, V6};
use crate::support::lab::{HostSpec, Lab, Release};
use holdfast::event::Fault;

/// Users of the lab's hosts, and what is odd about each.
const USERS: [&str; 5] = [
    "root", "noisy",  // .bashrc prints, also later and in the background
    "fishy",  // the login shell is fish
    "german", // the locale is
    "ops",    // no sbin in PATH, root by sudo
];

/// A host for each user, and the inventory that says so.
fn host_of(user: &str, release: Release) -> HostSpec {
    HostSpec::new(user).release(release)
}

fn inventory(users: &[&str]) -> String {
    let host = |user: &&str| format!("  {user}: {{ user: {user} }}\n");
    format!("hosts:\n{}", users.iter().map(host).collect::<String>())
}

#[track_caller]
fn the_result_is_the_same_for_every_user(release: Release) {
    let lab = Lab::new("users");
    let hosts = lab.boot_all(USERS.iter().map(|user| host_of(user, release)).collect());
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(&inventory(&USERS));
    // Nor does the operator's own language matter.
    operator.variable("LC_ALL", "de_DE.UTF-8");
    operator.variable("LANGUAGE", "de");

    let shown = operator.refresh(&web, "good", &["--dry-run"]);
    shown.exits(0);
    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(0);
    let again = operator.refresh(&web, "good", &["--yes"]);
    again.exits(0);
    let files = ["user.rules", "user6.rules"];
    let read = |file: &str| hosts[0].read(&format!("/etc/ufw/{file}"));
    let (rules, loaded) = (files.map(read), kernel(&hosts[0]));
    for host in &hosts {
        assert_eq!(shown.rules(&host.name).1.len(), 22, "{}", host.name);
        assert_eq!(
            shown.plan(&host.name).steps,
            shown.plan("root").steps,
            "{}",
            host.name
        );
        told.changed(&host.name, 22);
        again.nothing_to_do(&host.name);
        for (file, rules) in files.iter().zip(&rules) {
            assert_eq!(
                host.read(&format!("/etc/ufw/{file}")),
                *rules,
                "{}: {file}",
                host.name
            );
        }
        assert_eq!(kernel(host), loaded, "{}", host.name);
    }
    assert_eq!(Rules::of(&hosts[0], "user.rules").ours.len(), V4.len());
    assert_eq!(Rules::of(&hosts[0], "user6.rules").ours.len(), V6.len());
}

#[test]
fn the_result_is_the_same_for_every_user_of_debian_11() {
    the_result_is_the_same_for_every_user(Release::Bullseye);
}

#[test]
fn the_result_is_the_same_for_every_user_of_debian_13() {
    the_result_is_the_same_for_every_user(Release::Trixie);
}

#[test]
fn without_a_way_to_root_an_apply_is_refused_and_says_why() {
    let lab = Lab::new("nosudo");
    let hosts = lab.boot_all(["needpw", "nosudo"].map(HostSpec::new).into());
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(&inventory(&["needpw", "nosudo"]));
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let told = operator.refresh(&web, "good", &["--yes"]);
    told.exits(4).says("NOPASSWD");
    for host in &hosts {
        let why = told.stopped(&host.name, Fault::Sudo);
        assert_eq!(why, "sudo asks for a password", "{}", host.name);
    }
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }
}

#[test]
fn a_dry_run_without_root_says_what_it_could_not_read_and_claims_nothing_about_it() {
    let lab = Lab::new("dryuser");
    let hosts = lab.boot_all(["needpw", "nosudo"].map(HostSpec::new).into());
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(&inventory(&["needpw", "nosudo"]));
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let told = operator.refresh(&web, "good", &["--dry-run"]);
    told.exits(4)
        .says("no root there")
        .says("needs root to read /etc/ufw/user.rules");
    // A file that may not be read is not a broken one, and no change is promised about it.
    told.never_says("COMMIT").never_says("backup");
    for (host, before) in hosts.iter().zip(&before) {
        told.stopped(&host.name, Fault::Sudo);
        assert!(told.rules(&host.name).1.is_empty(), "{}", host.name);
        before.is_that_of(host);
    }
}
