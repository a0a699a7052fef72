//! unattended-upgrades on real hosts: what apt and unattended-upgrade make of it, what else there is, a lock
//! that is held, mirrors that are gone, and the way back.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{Lab, LabHost, Setup};
use crate::undoing::undo_last_run;
use holdfast::event::Fault;

/// A security archive of the release, and one of somebody else.
const ARCHIVES: &str = r#"
    . /etc/os-release
    for archive in security third; do
        mkdir -p /srv/$archive
        cp /srv/pool/Packages /srv/$archive
        origin=Debian label=Debian-Security suite=stable-security codename=$VERSION_CODENAME-security
        if [ $archive = third ]; then origin=Example label=Example suite=stable codename=$VERSION_CODENAME; fi
        sum=$(sha256sum </srv/$archive/Packages | cut -d ' ' -f 1)
        {
            printf 'Origin: %s\nLabel: %s\nSuite: %s\nCodename: %s\n' $origin $label $suite $codename
            printf 'Date: Sat, 01 Aug 2026 00:00:00 UTC\nSHA256:\n %s %s Packages\n' $sum $(stat -c %s /srv/$archive/Packages)
        } >/srv/$archive/Release
        echo "deb [trusted=yes] file:/srv/$archive ./" >/etc/apt/sources.list.d/$archive.list
    done
    apt-get update >/dev/null 2>&1
"#;

/// Every service that runs, with what would tell a restart.
#[track_caller]
fn services(host: &LabHost<'_>) -> String {
    let units = "systemctl list-units --type=service --state=running --plain --no-legend | cut -d ' ' -f 1 | sort |
        grep -v -e '^session' -e '^user@' -e '^systemd-timedated' -e '^systemd-hostnamed'";
    host.sh(&format!(
        "for unit in $({units}); do
            systemctl show -p Id,MainPID,NRestarts,ActiveEnterTimestampMonotonic $unit | tr '\\n' ' '; echo
        done"
    ))
}

/// Names, types, modes, owners, links and contents below /etc, and what apt makes of it; no times.
#[track_caller]
fn settings(host: &LabHost<'_>) -> String {
    host.sh("cd /etc; find . -printf '%p %y %m %u %g %l\\n' | sort
        find . -type f -exec sha256sum {} + | sort -k 2
        apt-config dump | grep -v CommandLine")
}

#[track_caller]
fn dump(host: &LabHost<'_>, key: &str) -> Vec<String> {
    let lines = host.sh(&format!("apt-config dump | grep -i '^{key}[: ]' || :"));
    let value = |line: &str| {
        line.split_once('"')
            .map(|(_, value)| value.trim_end_matches("\";").to_owned())
    };
    lines
        .lines()
        .filter_map(value)
        .filter(|value| !value.is_empty())
        .collect()
}

/// What apt comes to is what the runbook promises.
#[track_caller]
fn assert_security_alone(host: &LabHost<'_>) {
    assert_eq!(
        dump(host, "Unattended-Upgrade::Origins-Pattern"),
        ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"],
        "{}",
        host.name
    );
    assert!(dump(host, "Unattended-Upgrade::Allowed-Origins").is_empty());
    assert_eq!(dump(host, "Unattended-Upgrade::Automatic-Reboot"), ["true"]);
    assert_eq!(
        dump(host, "Unattended-Upgrade::Automatic-Reboot-WithUsers"),
        ["false"]
    );
    assert_eq!(
        dump(host, "Unattended-Upgrade::Package-Blacklist"),
        ["^hello$"]
    );
}

/// needrestart would restart services here by itself, and there is one that uses a library that was replaced.
const OUTDATED: &str = r#"
    echo '$nrconf{restart} = "a";' >/etc/needrestart/conf.d/50-user.conf
    library=$(sed -n 's/.* \(\/.*libcrypt\.so.*\)/\1/p' /proc/$(systemctl show -p MainPID --value lab-listen)/maps | head -n 1)
    cp -p $library $library.new
    mv $library.new $library
"#;

/// Holds the lock that installing needs for so many seconds.
fn hold_lock(host: &LabHost<'_>, seconds: u32) -> Child {
    let script = format!(
        "import fcntl, os, time
lock = open('/var/lib/dpkg/lock-frontend', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
open('/run/locked', 'w').close()
time.sleep({seconds})
os.remove('/run/locked')"
    );
    let child = host
        .command("python3")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .spawn();
    let child = child.expect("lab exec");
    within(Duration::from_secs(30), "the lock", || {
        host.exec(&["test", "-e", "/run/locked"]).status.success()
    });
    child
}

#[test]
fn security_alone_is_in_effect_and_a_held_lock_is_waited_for_and_no_service_is_restarted() {
    let lab = Lab::new("uu-all");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh(ARCHIVES);
        host.sh(OUTDATED);
    }
    let was: Vec<String> = hosts.iter().map(settings).collect();
    for host in &hosts {
        host.sh("dpkg --purge unattended-upgrades >/dev/null 2>&1; systemctl daemon-reload");
    }
    // The package is still to come: what it brings is not known, what ours will hold is.
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let shown = operator.run(&["run", "unattended-upgrades", "--dry-run"]);
    shown
        .exits(0)
        .says("Unattended-Upgrade::Origins-Pattern:: ")
        .says("Example (file:/srv/third)")
        .never_says("nothing would be upgraded");
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    let running: Vec<String> = hosts.iter().map(services).collect();
    let mut holders: Vec<Child> = hosts.iter().map(|host| hold_lock(host, 60)).collect();
    let flags = ["-e", "reboot=time", "-e", "blacklist=^hello$"];
    let told = operator.run(&[&["run", "unattended-upgrades", "--yes"], &flags[..]].concat());
    told.exits(0)
        .says("Debian 11 is past its long-term support")
        .says("not covered, so never upgraded unattended: Example (file:/srv/third)");
    for ((host, running), holder) in hosts.iter().zip(&running).zip(&mut holders) {
        let waited = told.progress(&host.name).join("\n");
        for said in [
            "waiting for the package lock, which python3",
            "waiting for 45 s",
        ] {
            assert!(waited.contains(said), "{}: {waited}", host.name);
        }
        assert!(
            holder.try_wait().expect("lab exec").is_some(),
            "it did not wait"
        );
        told.changed(&host.name, 3);
        assert_security_alone(host);
        assert!(running.contains("ssh.service"), "{running}");
        assert_eq!(
            services(host),
            *running,
            "{}: a service was restarted",
            host.name
        );
    }
    let times: Vec<_> = hosts
        .iter()
        .map(|host| dump(host, "Unattended-Upgrade::Automatic-Reboot-Time"))
        .collect();
    assert_eq!(times, [["04:30"], ["03:15"], ["05:15"]]);
    nothing_is_left_to_do(&operator, &hosts, &flags);

    for (host, was) in hosts.iter().zip(&was) {
        undo_last_run(host);
        assert_eq!(settings(host), *was, "{}: not as it was", host.name);
        undo_last_run(host);
        assert_eq!(settings(host), *was, "{}: not as it was", host.name);
        needrestart_would_have_restarted(host);
    }
}

/// A second run writes nothing, and the proof holds by itself.
#[track_caller]
fn nothing_is_left_to_do(operator: &Operator<'_>, hosts: &[LabHost<'_>], flags: &[&str]) {
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&[&["run", "unattended-upgrades", "--yes"], flags].concat());
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
    let words = ["verify", "unattended-upgrades"];
    operator.run(&[&words, flags].concat()).exits(0);
}

/// What was shown could have been otherwise: apt as somebody else calls it restarts the service.
#[track_caller]
fn needrestart_would_have_restarted(host: &LabHost<'_>) {
    let process = "systemctl show -p MainPID --value lab-listen";
    let was = host.sh(process);
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -y install --reinstall hello </dev/null >/dev/null 2>&1");
    assert_ne!(host.sh(process), was, "{}", host.name);
}

#[test]
fn a_mirror_that_is_gone_is_never_green() {
    let lab = Lab::new("uu-mirror");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.sh(ARCHIVES);
        host.sh("mv /srv/security /srv/away");
    }
    let told = operator.run(&["run", "unattended-upgrades", "--yes"]);
    told.exits(5).says("Every archive answers");
    for host in &hosts {
        let why = told.stopped(&host.name, Fault::Verification);
        assert!(why.contains("/srv/security"), "{}: {why}", host.name);
        // The proof leaves nothing behind.
        assert_eq!(host.sh("ls /dev/shm"), "", "{}", host.name);
        // apt-get itself has nothing against it.
        host.sh("apt-get update >/dev/null 2>&1 || :; mv /srv/away /srv/security");
    }
    // A flat archive without a Release file, as the lab's own pool could be, is looked at by its index.
    for host in &hosts {
        host.sh("rm /srv/third/Release");
    }
    operator.run(&["verify", "unattended-upgrades"]).exits(0);
    for host in &hosts {
        host.sh("rm /srv/third/Packages");
    }
    let told = operator.run(&["verify", "unattended-upgrades"]);
    told.exits(5);
    for host in &hosts {
        let why = told.stopped(&host.name, Fault::Verification);
        assert!(why.contains("/srv/third"), "{}: {why}", host.name);
    }
}

#[test]
fn a_configuration_that_apt_cannot_read_is_named_and_nothing_is_touched() {
    let lab = Lab::new("uu-broken");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        host.write("/etc/apt/apt.conf.d/10broken", "APT::X { ;; \"\n");
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let told = operator.run(&["run", "unattended-upgrades", "--yes"]);
    told.exits(3).says("apt cannot read its own configuration");
    for (host, before) in hosts.iter().zip(&before) {
        let why = told.stopped(&host.name, Fault::Failed);
        assert!(why.contains("10broken"), "{}: {why}", host.name);
        before.is_that_of(host);
    }
}

#[test]
fn what_later_files_of_others_say_is_seen_and_left_alone() {
    let lab = Lab::new("uu-later");
    let hosts = lab.boot_releases(Setup::Full);
    let operator = Operator::new(&lab, "operator", &hosts);
    let run = ["run", "unattended-upgrades", "--yes"];
    let put = |name: &str, text: &str| {
        for host in &hosts {
            host.write(&format!("/etc/apt/apt.conf.d/{name}"), text);
        }
    };
    let gone = |name: &str| {
        for host in &hosts {
            host.sh(&format!("rm /etc/apt/apt.conf.d/{name}"));
        }
    };

    // Another value, another list, in other spellings, also through a file that is included.
    put(
        "include.me",
        "unattended-upgrade { automatic-reboot \"1\"; };\n",
    );
    put("60user", "#include \"/etc/apt/apt.conf.d/include.me\";\n");
    let told = operator.run(&run);
    told.exits(9)
        .says("/etc/apt/apt.conf.d/60user")
        .says("Automatic-Reboot to \"1\"");
    gone("60user");
    put(
        "60user.conf",
        "#clear Unattended-Upgrade::Origins-Pattern;\n",
    );
    operator
        .run(&run)
        .exits(9)
        .says("60user.conf")
        .says("takes origin=Debian");
    gone("60user.conf");

    // One more origin of somebody else: told, and the rest goes on. apt ignores names with an odd ending.
    put(
        "60user",
        "Unattended-Upgrade { Origins-Pattern { \"origin=Example\"; }; };\n",
    );
    put(
        "61user.bak",
        "#clear Unattended-Upgrade::Origins-Pattern;\n",
    );
    let told = operator.run(&run);
    told.exits(0).says("60user, which apt reads after ours, adds to Unattended-Upgrade::Origins-Pattern: origin=Example");
    operator.run(&run).exits(0).nothing_to_do("trixie");

    // More of the distribution itself is not security alone.
    put(
        "60user",
        "Unattended-Upgrade::Origins-Pattern:: \"origin=Debian,codename=${distro_codename}\";\n",
    );
    operator
        .run(&["verify", "unattended-upgrades"])
        .exits(5)
        .says("too many origin=Debian");
}
