//! Accounts, their keys and sudo's rules on real hosts: a new operator gets in, nobody is cut off, and all of
//! it is taken back exactly.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Output;

use crate::operator::{Footprint, Operator};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use holdfast::change::Verdict;
use holdfast::event::Fault;

/// The files in which accounts stand.
const ACCOUNTS: [&str; 6] = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"];

/// A runbook of these steps.
fn runbook(steps: &str) -> String {
    format!("name: people\nsummary: People\nrisk: medium\nsteps:\n{steps}")
}

/// A step of one kind.
fn step(kind: &str, body: &str) -> String {
    format!("  - name: The {kind} is as said\n    {kind}: {body}\n")
}

/// The public half of the lab's own key, and those of made-up people.
fn own_key(lab: &Lab) -> String {
    let path = format!("{}.pub", lab.key().display());
    fs::read_to_string(path).expect("a key").trim().to_owned()
}

const FOREIGN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1xDGTRfbBkK04ZUEy0yNO1Sgeoz3WTfbQjzq5/ZEj eve@elsewhere";

#[track_caller]
fn accounts(host: &LabHost<'_>) -> BTreeMap<&'static str, Vec<u8>> {
    let stat = |file: &&'static str| {
        let mut bytes = host.read(&format!("/etc/{file}"));
        bytes.extend(
            host.sh(&format!("stat -c '%a %u %g' /etc/{file}"))
                .into_bytes(),
        );
        (*file, bytes)
    };
    ACCOUNTS.iter().map(stat).collect()
}

/// Takes back every change of the newest run on a host, the last one first, as the guard and a roll-back do.
#[track_caller]
pub fn undo_all(host: &LabHost<'_>) {
    let list = "cd /var/lib/holdfast/runs; run=$(ls | sort | tail -n 1); ls -d \"$PWD/$run\"/*/[0-9]*/undo.sh | sort -rV";
    let mut script = String::new();
    for undo in host.sh(list).lines() {
        let _ = writeln!(script, "sh {undo} || exit 1");
    }
    assert!(!script.is_empty(), "nothing to take back");
    host.sh(&script);
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A new login and sudo from there.
fn becomes_root(lab: &Lab, user: &str, host: &str) -> Output {
    let mut ssh = lab.ssh(user, host);
    ssh.args(["sudo", "-n", "id", "-u"])
        .output()
        .expect("ssh runs")
}

#[test]
fn a_new_operator_gets_in_and_becomes_root_and_all_is_taken_back_exactly() {
    let lab = Lab::new("operator");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator
        .inventory("hosts:\n  bullseye: { user: ops }\n  bookworm: {}\n  trixie: { user: ops }\n");
    let keys = format!("{{ user: dora, keys: ['{}'] }}", own_key(&lab));
    let rules = "{ name: 90-dora, content: \"dora ALL=(ALL) NOPASSWD: ALL\\n\" }";
    let steps = [
        step("user", "{ name: dora, groups: [sudo, adm] }"),
        step("authorized_keys", &keys),
        step("sudoers", rules),
        step("user", "{ name: worker, system: true, locked: true }"),
        step(
            "file",
            "{ path: /home/dora/.plan, content: \"x\\n\", owner: dora, group: dora }",
        ),
    ];
    operator.runbook("people", &runbook(&steps.concat()));
    let before: Vec<_> = hosts
        .iter()
        .map(|host| (accounts(host), Footprint::of(host)))
        .collect();

    let shown = operator.run(&["run", "people", "--dry-run"]);
    shown.exits(0);
    for (host, (_, footprint)) in hosts.iter().zip(&before) {
        let verdict = shown.step(&host.name, 2).verdict().expect("a verdict");
        assert!(
            matches!(verdict, Verdict::ChangeAfter { step, .. } if step.0 == 1),
            "{verdict:?}"
        );
        footprint.is_that_of(host);
    }
    operator.run(&["run", "people", "--yes"]).exits(0);
    for host in &hosts {
        let login = becomes_root(&lab, "dora", &host.name);
        assert_eq!(text(&login), "0\n", "{}", host.name);
        let kept = "id -nG dora; stat -c '%a %U:%G' /home/dora/.ssh /home/dora/.ssh/authorized_keys /etc/sudoers.d/90-dora /home/dora/.plan";
        let expected =
            "dora adm sudo\n700 dora:dora\n600 dora:dora\n440 root:root\n644 dora:dora\n";
        assert_eq!(host.sh(kept), expected, "{}", host.name);
        assert!(
            host.sh("getent passwd worker")
                .ends_with("/nonexistent:/usr/sbin/nologin\n")
        );
    }

    let done: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&["run", "people", "--yes"]);
    again.exits(0);
    for (host, done) in hosts.iter().zip(&done) {
        again.nothing_to_do(&host.name);
        done.is_that_of(host);
    }

    for (host, (accounts_before, _)) in hosts.iter().zip(&before) {
        undo_all(host);
        assert_eq!(accounts(host), *accounts_before, "{}", host.name);
        let left =
            "ls -d /home/dora /etc/sudoers.d/90-dora /etc/*.lock /etc/.holdfast* 2>/dev/null || :";
        assert_eq!(host.sh(left), "", "{}", host.name);
        assert!(!becomes_root(&lab, "dora", &host.name).status.success());
        // Once more changes nothing: the undo may be repeated.
        undo_all(host);
        assert_eq!(accounts(host), *accounts_before, "{}", host.name);
    }
}

#[test]
fn accounts_are_changed_locked_and_removed_and_come_back_as_they_were() {
    let lab = Lab::new("changes");
    let hosts = lab.boot_all(
        [Release::Bullseye, Release::Trixie]
            .map(|release| {
                HostSpec::new(release.name())
                    .release(release)
                    .setup(Setup::Bare)
            })
            .into(),
    );
    let operator = Operator::new(&lab, "operator", &hosts);
    let steps = [
        step(
            "user",
            "{ name: german, shell: /bin/sh, groups: [adm, sudo] }",
        ),
        step("user", "{ name: needpw, locked: true }"),
        step("user", "{ name: noisy, absent: true }"),
        step("user", "{ name: old, locked: false }"),
    ];
    operator.runbook("people", &runbook(&steps.concat()));
    for host in &hosts {
        host.sh("useradd -m old; echo old:lab | chpasswd; usermod -L -e 2001-02-03 old; gpasswd -a noisy adm; gpasswd -A noisy users; useradd last");
    }
    let before: Vec<_> = hosts.iter().map(accounts).collect();
    let lets_in = |host: &LabHost<'_>, user: &str| {
        lab.ssh(user, &host.name)
            .arg("true")
            .status()
            .expect("ssh runs")
            .success()
    };
    operator.run(&["run", "people", "--yes"]).exits(0);
    for host in &hosts {
        assert_eq!(
            host.sh("getent passwd german | cut -d : -f 7; id -nG german"),
            "/bin/sh\ngerman adm sudo\n"
        );
        assert!(
            !lets_in(host, "needpw"),
            "{}: the locked account",
            host.name
        );
        let gone = host.exec(&[
            "grep",
            "-rw",
            "noisy",
            "/etc/passwd",
            "/etc/group",
            "/etc/gshadow",
            "/etc/shadow",
        ]);
        assert!(!gone.status.success(), "{}", text(&gone));
        assert_eq!(host.sh("ls -d /home/noisy"), "/home/noisy\n");
        assert_eq!(host.sh("passwd -S old | cut -d ' ' -f 2"), "P\n");
    }
    let again = operator.run(&["run", "people", "--yes"]);
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        undo_all(host);
        assert_eq!(accounts(host), *before, "{}", host.name);
        assert!(lets_in(host, "needpw"), "{}", host.name);
    }

    // What others did in between stays: a new password, a new member, a new account.
    operator.run(&["run", "people", "--yes"]).exits(0);
    for host in &hosts {
        host.sh("echo needpw:new | chpasswd; gpasswd -a ops adm; useradd -m late; echo german:new | chpasswd");
        let hash = "getent shadow needpw | cut -d : -f 2";
        let new = host.sh(hash);
        undo_all(host);
        assert_eq!(host.sh(hash), new, "{}", host.name);
        assert_eq!(host.sh("getent shadow needpw | cut -d : -f 8"), "\n");
        let groups =
            host.sh("id -nG ops; id -nG german; id -nG noisy; getent passwd late | cut -d : -f 1");
        assert_eq!(
            groups, "ops adm\ngerman\nnoisy adm\nlate\n",
            "{}",
            host.name
        );
    }
}

#[test]
fn nobody_is_cut_off_from_the_account_and_the_key_in_use() {
    let lab = Lab::new("ours");
    let hosts = lab.boot_all(
        [Release::Bullseye, Release::Bookworm, Release::Trixie]
            .map(|release| {
                HostSpec::new(release.name())
                    .release(release)
                    .setup(Setup::Bare)
            })
            .into(),
    );
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(
        "hosts:\n  bullseye: { user: ops }\n  bookworm: { user: ops }\n  trixie: { user: ops }\n",
    );
    let other = format!("{{ user: ops, keys: ['{FOREIGN}'], exclusive: true }}");
    let refused = [
        (
            "user",
            "{ name: ops, absent: true }",
            "the account we are logged in as",
        ),
        (
            "user",
            "{ name: ops, locked: true }",
            "the account we are logged in as",
        ),
        ("user", "{ name: root, locked: true }", "root (number 0)"),
        (
            "authorized_keys",
            other.as_str(),
            "the one that this session uses",
        ),
    ];
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    for (kind, body, why) in refused {
        operator.runbook("people", &runbook(&step(kind, body)));
        let told = operator.run(&["run", "people", "--yes"]);
        told.exits(3).says(why);
        for host in &hosts {
            told.stopped(&host.name, Fault::Failed);
        }
    }
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }
    // The other way round it is done: all but the key in use go.
    let host = &hosts[2];
    let file =
        host.sh("ls /home/ops/.ssh/authorized_keys /root/.ssh/authorized_keys 2>/dev/null || :");
    assert!(file.contains("/home/ops"), "{file}");
    host.sh(&format!(
        "printf '# mine\\n%s\\n' '{FOREIGN}' >>/home/ops/.ssh/authorized_keys"
    ));
    let before = host.read("/home/ops/.ssh/authorized_keys");
    let keys = format!(
        "{{ user: ops, keys: ['{}'], exclusive: true }}",
        own_key(&lab)
    );
    operator.runbook("people", &runbook(&step("authorized_keys", &keys)));
    operator
        .run(&["run", "people", "--yes", "-l", "trixie"])
        .exits(0)
        .changed("trixie", 1);
    let now = String::from_utf8(host.read("/home/ops/.ssh/authorized_keys")).expect("text");
    assert!(
        !now.contains("eve@elsewhere") && now.contains("# mine"),
        "{now}"
    );
    operator
        .run(&["run", "people", "--yes", "-l", "trixie"])
        .exits(0)
        .nothing_to_do("trixie");
    undo_all(host);
    assert_eq!(host.read("/home/ops/.ssh/authorized_keys"), before);
}

#[test]
fn rules_that_would_break_sudo_are_never_left_in_place() {
    let lab = Lab::new("sudo");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(
        "hosts:\n  bullseye: { user: ops }\n  bookworm: { user: ops }\n  trixie: { user: ops }\n",
    );
    let rules = |content: &str| format!("{{ name: zz-lab, content: \"{content}\\n\" }}");
    let refused = [
        (rules("this is no rule"), "visudo -cf"),
        (
            rules("User_Alias A = ops\\nUser_Alias A = root"),
            "was not touched",
        ),
        (rules("ops ALL=(ALL) ALL"), "would no longer become root"),
        (
            rules("Defaults:ops requiretty"),
            "would no longer become root",
        ),
        (
            "{ name: lab, absent: true }".to_owned(),
            "would no longer become root",
        ),
    ];
    let before: Vec<_> = hosts
        .iter()
        .map(|host| host.snapshot("/etc/sudoers.d"))
        .collect();
    for (body, why) in &refused {
        operator.runbook("people", &runbook(&step("sudoers", body)));
        operator.run(&["run", "people", "--yes"]).exits(3).says(why);
        for (host, before) in hosts.iter().zip(&before) {
            let differences = before.differences(&host.snapshot("/etc/sudoers.d"));
            let differences: Vec<_> = differences
                .iter()
                .filter(|line| !line.starts_with("~ .:"))
                .collect();
            // The file that was away for a moment has its old content, owner, mode and time.
            assert!(differences.is_empty(), "{body}: {differences:?}");
            assert_eq!(
                text(&becomes_root(&lab, "ops", &host.name)),
                "0\n",
                "{body}"
            );
        }
    }
    // One bad file of somebody else: not ours to judge, and nothing is put beside it.
    for host in &hosts {
        host.sh("echo 'x y z' >/etc/sudoers.d/00-theirs; chmod 0440 /etc/sudoers.d/00-theirs");
    }
    operator.runbook(
        "people",
        &runbook(&step("sudoers", &rules("needpw ALL=(ALL) NOPASSWD: ALL"))),
    );
    let told = operator.run(&["run", "people", "--yes"]);
    told.exits(9).says("/etc/sudoers.d/00-theirs");
    for host in &hosts {
        assert!(
            !host
                .exec(&["test", "-e", "/etc/sudoers.d/zz-lab"])
                .status
                .success()
        );
        host.sh("rm /etc/sudoers.d/00-theirs");
    }
    operator.run(&["run", "people", "--yes"]).exits(0);
    for host in &hosts {
        assert_eq!(text(&becomes_root(&lab, "needpw", &host.name)), "0\n");
        undo_all(host);
        assert!(!becomes_root(&lab, "needpw", &host.name).status.success());
    }
}

#[test]
fn keys_land_where_sshd_reads_them_in_a_state_that_it_trusts() {
    let lab = Lab::new("keys");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    let body = |user: &str| format!("{{ user: {user}, keys: ['{}'] }}", own_key(&lab));
    let lets_in = |host: &LabHost<'_>, user: &str| {
        let mut ssh = lab.ssh(user, &host.name);
        ssh.arg("true").status().expect("ssh runs").success()
    };
    let steps = ["odd", "elsewhere"].map(|user| step("authorized_keys", &body(user)));
    operator.runbook("people", &runbook(&steps.concat()));
    for host in &hosts {
        // Modes that sshd ignores a file for, a home that only its own group may write to, another place.
        host.sh("useradd -m -U odd; useradd -m -U elsewhere; mkdir -p /home/odd/.ssh /etc/ssh/keys
            echo '# kept, without a line break' | tr -d '\\n' >/home/odd/.ssh/authorized_keys
            chown -R odd: /home/odd/.ssh; chmod 0777 /home/odd/.ssh; chmod 0666 /home/odd/.ssh/authorized_keys; chmod 0775 /home/odd
            printf 'Match User elsewhere\\n\\tAuthorizedKeysFile /etc/ssh/keys/%%u\\n' >>/etc/ssh/sshd_config; systemctl reload ssh");
    }
    let before: Vec<_> = hosts.iter().map(|host| host.snapshot("/home")).collect();
    operator.run(&["run", "people", "--yes"]).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        assert!(lets_in(host, "odd"), "{}", host.name);
        assert!(lets_in(host, "elsewhere"), "{}", host.name);
        let modes = host.sh("stat -c '%a %U' /home/odd/.ssh /home/odd/.ssh/authorized_keys /etc/ssh/keys/elsewhere; head -n 1 /home/odd/.ssh/authorized_keys");
        assert_eq!(
            modes,
            "755 odd\n644 odd\n644 root\n# kept, without a line break\n"
        );
        operator
            .run(&["run", "people", "--yes", "-l", &host.name])
            .exits(0)
            .nothing_to_do(&host.name);
        undo_all(host);
        let differences = before.differences(&host.snapshot("/home"));
        assert!(
            differences
                .iter()
                .all(|line| line.starts_with("~ ./odd/.ssh: ")),
            "{differences:?}"
        );
        assert!(!lets_in(host, "odd") && !lets_in(host, "elsewhere"));
        host.sh("chmod 0757 /home/odd");
    }
    let told = operator.run(&["run", "people", "--yes"]);
    told.exits(3)
        .says("sshd ignores the keys below it")
        .says("chmod go-w /home/odd");
    for host in &hosts {
        host.sh("chmod 0755 /home/odd; rm -r /home/odd/.ssh; ln -s /etc/cron.d /home/odd/.ssh");
    }
    operator
        .run(&["run", "people", "--yes"])
        .exits(3)
        .says("symbolic link");
    for host in &hosts {
        assert!(
            !host
                .exec(&["test", "-e", "/etc/cron.d/authorized_keys"])
                .status
                .success()
        );
    }
}

#[test]
fn a_creation_that_was_cut_short_anywhere_is_taken_back_whole() {
    let lab = Lab::new("short");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook(
        "people",
        &runbook(&step("user", "{ name: dora, groups: [sudo] }")),
    );
    operator.run(&["run", "people", "--yes"]).exits(0);
    for host in &hosts {
        undo_all(host);
        let before = accounts(host);
        // The tool died after some of its files, with its lock and half a home left behind.
        let stages = [
            "true",
            "groupadd dora",
            "useradd -M -N -G sudo dora; sed -i /^dora:/d /etc/shadow",
            "useradd -m -U -G sudo dora; rm /home/dora/.profile; printf 999999 >/etc/passwd.lock; printf 999999 >/etc/group.lock",
        ];
        for stage in stages {
            let script = format!("run=$(ls -d /var/lib/holdfast/runs/* | tail -n 1); export HF_RUN=$run HF_SAVE=/root/save; rm -rf /root/save; mkdir /root/save
                . $run/lib.sh; hf_account_save dora /home/dora; {stage}; hf_undo_account dora /home/dora");
            host.sh(&script);
            assert_eq!(accounts(host), before, "{}: {stage}", host.name);
            let left = "ls -d /home/dora /etc/*.lock /etc/.holdfast* 2>/dev/null || :";
            assert_eq!(host.sh(left), "", "{}: {stage}", host.name);
        }
    }
}
