//! Poisoned lists: refused with the precise reason, and no host is touched.

use std::thread;

use crate::operator::{Footprint, Operator};
use crate::support::lab::{HostSpec, Lab, Snapshot, Web};

/// How the server misbehaves, and what the refusal must say.
const POISONS: [(&str, &[&str]); 29] = [
    ("html", &["text/html", "browser check"]),
    ("status403", &["403"]),
    ("status500", &["500"]),
    ("empty", &["the answer is not JSON: EOF", "column 0"]),
    ("emptylist", &["`ipv4` has 0 entries"]),
    ("truncated", &["ends too early"]),
    ("cut", &["not JSON"]),
    ("badjson", &["not JSON"]),
    ("failed", &["500"]),
    ("errors", &["/errors is", "Could not route"]),
    ("nokey", &["/result/ipv6_cidrs is missing"]),
    ("zero", &["`0.0.0.0/0`", "prefix length 0"]),
    ("zero6", &["`::/0`", "prefix length 0"]),
    ("private", &["`10.0.0.0/8`", "private addresses"]),
    ("documentation", &["`203.0.113.0/24`", "documentation"]),
    ("glued", &["131.0.72.0/222400:cb00::/32"]),
    ("hostbits", &["`173.245.48.1/20`", "host bits"]),
    ("duplicates", &["103.31.4.0/22 stands twice in `ipv4`"]),
    (
        "contained",
        &["104.16.128.0/20 in `ipv4` is contained in 104.16.0.0/13"],
    ),
    ("halved", &["`ipv4` has 8 entries; 10 to 40 are expected"]),
    ("shrunk", &["34.3 % of the addresses of `ipv4` are lost"]),
    ("grown", &["34.3 % more addresses of `ipv4` are added"]),
    ("alien", &["only 0 of the 15 networks"]),
    (
        "disagree",
        &["only there: 131.0.72.0/22", "only here: 199.27.128.0/21"],
    ),
    ("big", &["longer than 65536 bytes"]),
    ("big-announced", &["5000537 bytes", "at most 65536"]),
    (
        "elsewhere",
        &["redirects to another host", "elsewhere.invalid"],
    ),
    ("downgrade", &["redirects to the unprotected address"]),
    ("loop", &["more than 3 redirects"]),
];

/// Those that take the whole time limit.
const SLOW: [(&str, &[&str]); 2] = [("hang", &["30 s"]), ("drip", &["30 s"])];

#[track_caller]
fn assert_refused(operator: &Operator<'_>, web: &Web, mode: &str, reasons: &[&str]) {
    let told = operator.refresh(web, mode, &["--unattended"]);
    told.exits(9).says("refused").says("no host was touched");
    for reason in reasons {
        told.says(reason);
    }
}

#[test]
fn every_poisoned_list_is_refused_with_its_reason_and_no_host_is_touched() {
    let lab = Lab::new("poisoned");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let (web, unknown) = (lab.web(), lab.web_of_unknown_authority());
    let before = Footprint::of(host);
    thread::scope(|scope| {
        for (mode, reasons) in SLOW {
            let operator = Operator::new(&lab, mode, &hosts);
            let web = &web;
            scope.spawn(move || assert_refused(&operator, web, mode, reasons));
        }
        let operator = Operator::new(&lab, "operator", &hosts);
        for (mode, reasons) in POISONS {
            assert_refused(&operator, &web, mode, reasons);
        }
        assert_refused(&operator, &unknown, "good", &["UnknownIssuer"]);
    });
    before.is_that_of(host);
    assert!(
        !host
            .exec(&["test", "-e", "/var/lib/holdfast"])
            .status
            .success()
    );
}

#[test]
fn a_refused_list_leaves_the_rules_and_the_last_good_copy_as_they_are() {
    let lab = Lab::new("lastgood");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator
        .refresh(&web, "moved", &["--unattended"])
        .exits(0)
        .changed("web", 22);
    let host = Footprint::of(&hosts[0]);
    let cache = operator.home().join(".cache/holdfast");
    let copy = Snapshot::local(&cache);
    for (mode, reason) in [
        ("halved", "8 entries"),
        ("html", "text/html"),
        ("zero", "0.0.0.0/0"),
    ] {
        // A person who is there is told the same: nobody can say yes to nonsense.
        for flag in ["--unattended", "--yes"] {
            let told = operator.refresh(&web, mode, &[flag]);
            told.exits(9).says("refused").says(reason);
        }
    }
    host.is_that_of(&hosts[0]);
    let now = Snapshot::local(&cache);
    assert_eq!(copy.differences(&now), Vec::<String>::new());
    operator
        .refresh(&web, "moved", &["--unattended"])
        .exits(0)
        .says_nothing();
}
