//! A real cron with its own PATH and no terminal: silent, complete, or refused with the reason.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::operator::{Footprint, Rules, list_inputs, within};
use crate::refresh::{V4, V6, rules_for};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Web};

/// Makes a host an operator's machine: the program, the key, the lab's authority, an inventory, and
/// inputs for a good list and a poisoned one.
#[track_caller]
fn furnish(lab: &Lab, web: &Web, host: &LabHost<'_>, targets: &[&LabHost<'_>]) {
    let copy = |from: &std::path::Path, to: &str| host.write(to, fs::read(from).expect("a file"));
    host.sh("mkdir -p /root/lab; umask 077; mkdir -p /root/.ssh; : >/root/.ssh/id_ed25519");
    copy(
        env!("CARGO_BIN_EXE_holdfast").as_ref(),
        "/usr/local/bin/holdfast",
    );
    host.sh("chmod 0755 /usr/local/bin/holdfast");
    copy(&lab.key(), "/root/.ssh/id_ed25519");
    copy(&lab.known_hosts(), "/root/.ssh/known_hosts");
    copy(&web.ca(), "/root/lab/ca.pem");
    let mut inventory = String::from("hosts:\n  here: { connection: local }\n");
    for target in targets {
        let _ = writeln!(
            inventory,
            "  {}: {{ address: {} }}",
            target.name,
            target.v4()
        );
    }
    host.write("/root/lab/inventory.yaml", inventory);
    for (name, mode) in [("good", "good"), ("poisoned", "halved")] {
        let mut inputs = String::new();
        for input in list_inputs(web, mode) {
            let (key, value) = input.split_once('=').expect("an input");
            let value = if key == "ca_file" {
                "/root/lab/ca.pem"
            } else {
                value
            };
            let _ = writeln!(inputs, "{key}: {value}");
        }
        host.write(&format!("/root/lab/{name}.yaml"), inputs);
    }
}

/// A line of the crontab: its name, the host it is about, the inputs.
const JOBS: [[&str; 3]; 4] = [
    ["quiet", "quiet", "good"],
    ["changed", "changed", "good"],
    ["local", "here", "good"],
    ["poisoned", "quiet", "poisoned"],
];

/// Lets cron start every job in the same minute, and waits until all have ended.
#[track_caller]
fn let_cron_work(host: &LabHost<'_>) {
    let mut table = String::from(
        "HOLDFAST_INVENTORY=/root/lab/inventory.yaml\nHOLDFAST_UNATTENDED=true\n\
         * * * * * { env; tty; } >/root/lab/surroundings\n",
    );
    for [job, target, inputs] in JOBS {
        let _ = writeln!(
            table,
            "* * * * * /usr/local/bin/holdfast run ufw-cf-refresh -l {target} -e @/root/lab/{inputs}.yaml \
             >/root/lab/{job}.said 2>&1; echo $? >/root/lab/{job}.rc"
        );
    }
    host.write("/root/lab/crontab", table);
    host.sh("crontab /root/lab/crontab");
    let names = JOBS.map(|[job, ..]| job).join(" ");
    let ended = format!("cd /root/lab; for job in {names}; do [ -s $job.rc ] || exit 1; done");
    within(Duration::from_secs(150), "the jobs of cron", || {
        host.exec(&["/bin/sh", "-c", &ended]).status.success()
    });
    host.sh("crontab -r");
}

/// What would be in the mail about a job, and its exit code.
#[track_caller]
fn left(host: &LabHost<'_>, job: &str) -> (String, i32) {
    let text = |name: &str| {
        let bytes = host.read(&format!("/root/lab/{job}.{name}"));
        String::from_utf8(bytes).expect("text")
    };
    (
        text("said"),
        text("rc").trim_end().parse().expect("a number"),
    )
}

#[track_caller]
fn assert_told_in_full(said: &str, host: &LabHost<'_>) {
    assert!(said.starts_with("Done: 22 changes on 1 host"), "{said}");
    for rule in rules_for(V4.into_iter().chain(V6)) {
        assert!(
            said.contains(&format!("+ {rule}\n")),
            "{rule} is not in\n{said}"
        );
    }
    assert!(
        said.contains("Planned again, and nothing is left to do"),
        "{said}"
    );
    assert!(!said.contains('\x1b'), "colours in a mail\n{said}");
    assert_eq!(Rules::of(host, "user.rules").ours.len(), V4.len());
    assert_eq!(Rules::of(host, "user6.rules").ours.len(), V6.len());
}

#[test]
fn cron_hears_nothing_without_news_everything_with_news_and_the_reason_of_a_refusal() {
    let lab = Lab::new("cron");
    // The program is linked with the C library of the machine that built it: the newest host has it.
    let mut specs = vec![HostSpec::new("operator").release(Release::Trixie)];
    specs.extend(["quiet", "changed"].map(HostSpec::new));
    let hosts = lab.boot_all(specs);
    let (operator, quiet, changed) = (&hosts[0], &hosts[1], &hosts[2]);
    let web = lab.web();
    furnish(&lab, &web, operator, &[quiet, changed]);
    // By hand once, so that one host has nothing left to do.
    operator.sh(
        "env -i HOME=/root PATH=/usr/bin:/bin /usr/local/bin/holdfast run ufw-cf-refresh --yes \
         -i /root/lab/inventory.yaml -e @/root/lab/good.yaml -l quiet >/dev/null 2>&1",
    );
    let before = Footprint::of(quiet);

    let_cron_work(operator);

    let surroundings = operator.sh("cat /root/lab/surroundings");
    assert!(
        surroundings.contains("\nPATH=/usr/bin:/bin\n"),
        "{surroundings}"
    );
    assert!(surroundings.ends_with("not a tty\n"), "{surroundings}");
    assert_eq!(left(operator, "quiet"), (String::new(), 0));
    for (job, host) in [("changed", changed), ("local", operator)] {
        let (said, status) = left(operator, job);
        assert_eq!(status, 0, "{job}\n{said}");
        assert_told_in_full(&said, host);
    }
    let (said, status) = left(operator, "poisoned");
    assert_eq!(status, 9, "{said}");
    assert!(
        said.contains("`ipv4` has 8 entries; 10 to 40 are expected"),
        "{said}"
    );
    before.is_that_of(quiet);
}
