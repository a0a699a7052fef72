//! Values of the kernel on real hosts: now, after a reboot, who overrides them, and the way back.

use crate::operator::{Footprint, Operator};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};
use crate::undoing::undo_last_run;
use holdfast::event::Fault;

fn runbook(values: &str) -> String {
    format!(
        "name: kernel\nsummary: Values of the kernel\nrisk: low\nsteps:\n  - name: They are so\n    sysctl:\n      values: {{ {values} }}\n"
    )
}

const VALUES: &str = "net.ipv4.conf.all.secure_redirects: 0, net.ipv4.tcp_rmem: 4096  131072 6291456, \
     net.ipv4.conf.v0/10.arp_ignore: 1";

#[track_caller]
fn live(host: &LabHost<'_>) -> String {
    host.sh("cd /proc/sys/net/ipv4; cat conf/all/secure_redirects tcp_rmem conf/v0.10/arp_ignore")
}

#[track_caller]
fn files(host: &LabHost<'_>) -> String {
    host.sh("cd /etc; find sysctl.d sysctl.conf -printf '%p %y %m %u %g %l\\n' 2>/dev/null | sort; cat sysctl.d/*")
}

#[test]
fn values_are_so_now_and_after_a_reboot_and_go_back_exactly() {
    let lab = Lab::new("sysctl-all");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("kernel", &runbook(VALUES));
    for host in &hosts {
        // An interface with a dot in its name.
        host.sh("ip link add name v0.10 type bridge");
    }
    let was: Vec<(String, String)> = hosts.iter().map(|host| (live(host), files(host))).collect();
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    operator
        .run(&["run", "kernel", "--dry-run"])
        .exits(0)
        .says("net.ipv4.conf.all.secure_redirects: 1 → 0");
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    operator.run(&["run", "kernel", "--yes"]).exits(0);
    for host in &hosts {
        assert_eq!(live(host), "0\n4096\t131072\t6291456\n1\n", "{}", host.name);
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&["run", "kernel", "--yes"]);
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
    for (host, (values, texts)) in hosts.iter().zip(&was) {
        undo_last_run(host);
        undo_last_run(host);
        assert_eq!(
            (live(host), files(host)),
            (values.clone(), texts.clone()),
            "{}",
            host.name
        );
    }

    operator.run(&["run", "kernel", "--yes"]).exits(0);
    // Somebody changes one by hand: that one is set again.
    let trixie = &hosts[2];
    trixie.sh("echo 1 >/proc/sys/net/ipv4/conf/all/secure_redirects");
    let told = operator.run(&["run", "kernel", "--yes"]);
    told.exits(0).changed("trixie", 1).nothing_to_do("bookworm");
    assert!(live(trixie).starts_with("0\n"));
    trixie.reboot();
    assert_eq!(
        trixie.sh("cat /proc/sys/net/ipv4/conf/all/secure_redirects"),
        "0\n"
    );
}

#[test]
fn who_sets_another_value_later_is_named_and_nothing_is_touched() {
    let lab = Lab::new("sysctl-later");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let operator = Operator::new(&lab, "operator", &hosts);
    let refused = |values: &str, status: i32, fault: Fault, words: &[&str]| {
        operator.runbook("kernel", &runbook(values));
        let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
        let told = operator.run(&["run", "kernel", "--yes"]);
        told.exits(status);
        for (host, before) in hosts.iter().zip(&before) {
            let why = told.stopped(&host.name, fault);
            assert!(
                words.iter().all(|word| why.contains(word)),
                "{}: {why}",
                host.name
            );
            before.is_that_of(host);
        }
    };
    let human = Fault::NeedsHuman;
    refused(
        "net.ipv4.conf.all.log_martians: 1",
        9,
        human,
        &["/etc/ufw/sysctl.conf", "at each start of ufw"],
    );
    for host in &hosts {
        // The last line of a file counts, in whatever spelling.
        host.write(
            "/etc/sysctl.d/99-user.conf",
            "net.ipv4.conf.all.secure_redirects=0\n-net/ipv4/conf/all/secure_redirects = 1 \n",
        );
    }
    refused(
        "net.ipv4.conf.all.secure_redirects: 0",
        9,
        human,
        &["/etc/sysctl.d/99-user.conf", "to 1 at boot"],
    );
    for host in &hosts {
        // A file of the same name in /etc hides one of the package; this one says nothing.
        host.sh("mkdir -p /usr/lib/sysctl.d; mv /etc/sysctl.d/99-user.conf /usr/lib/sysctl.d; ln -s /dev/null /etc/sysctl.d/99-user.conf");
    }
    operator.run(&["run", "kernel", "--yes"]).exits(0);

    // The machine around a container owns these.
    refused(
        "kernel.randomize_va_space: 1",
        3,
        Fault::Failed,
        &["read-only"],
    );
    refused(
        "net.ipv4.no_such_key: 1",
        3,
        Fault::Failed,
        &["its module is not loaded"],
    );
}

#[test]
fn a_value_that_the_kernel_refuses_leaves_all_as_it_was() {
    let lab = Lab::new("sysctl-refused");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Full)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook(
        "kernel",
        &runbook("net.ipv4.conf.all.secure_redirects: 0, net.ipv4.tcp_congestion_control: no-such"),
    );
    let before = files(host);
    let told = operator.run(&["run", "kernel", "--yes"]);
    told.exits(3)
        .says("does not take no-such")
        .says("all is as it was");
    assert_eq!(files(host), before);
    assert_eq!(
        host.sh("cat /proc/sys/net/ipv4/conf/all/secure_redirects"),
        "1\n"
    );
}
