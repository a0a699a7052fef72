//! `ssh-hardening`: it is refused whenever a new login of ours would fail, with the exact reason and with
//! nothing touched; else it is done, and nobody is shut out who has a key.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use crate::operator::{Footprint, Operator, Told};
use crate::support::lab::{HostSpec, Lab, LabHost, Release};
use holdfast::event::{EventKind, Fault, Proof};

/// Something on the hosts that makes the hardening a lockout, or makes it impossible to tell.
struct Trap {
    /// Made by a shell on the host; every line is undone by `remove`.
    lay: &'static str,
    remove: &'static str,
    user: &'static str,
    input: &'static str,
    fault: Fault,
    says: &'static str,
}

/// Makes sshd read its files. A reload would kill the one behind a socket.
const TAKES_IT: &str = "sshd_takes_it() {
    if systemctl -q is-active ssh.socket; then systemctl restart ssh.service; else systemctl reload ssh.service; fi
}
";

/// Each file is one that sshd has not read yet: the next reload would, and ours is one.
const TRAPS: [Trap; 12] = [
    Trap {
        lay: "printf 'PermitEmptyPasswords yes\n' >/etc/ssh/sshd_config.d/50-lab.conf; passwd -d german
            mv /home/german/.ssh /home/german/no-ssh; sshd_takes_it",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf; mv /home/german/no-ssh /home/german/.ssh; sshd_takes_it",
        user: "german",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "this session of german was let in without any proof (an empty password), not by a key",
    },
    Trap {
        lay: "printf 'StrictModes no\n' >/etc/ssh/sshd_config.d/50-lab.conf; gpasswd -a german ops
            chmod 0775 /home/ops; sshd_takes_it",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf; gpasswd -d german ops; chmod 0700 /home/ops; sshd_takes_it",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "/home/ops is writable by its group, which german is in (mode 0775): sshd ignores the keys below it",
    },
    Trap {
        lay: "printf 'AllowUsers deploy ops@192.0.2.0/24\n' >/etc/ssh/sshd_config.d/50-lab.conf",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "`AllowUsers deploy ops@192.0.2.0/24` does not admit ops from 10.77.0.1",
    },
    Trap {
        lay: "printf 'AuthorizedKeysFile /etc/ssh/keys/%%u\n' >/etc/ssh/sshd_config.d/50-lab.conf; mkdir /etc/ssh/keys
            { printf 'from=\"192.0.2.66\" '; cat /home/ops/.ssh/authorized_keys; } >/etc/ssh/keys/ops",
        remove: "rm -r /etc/ssh/sshd_config.d/50-lab.conf /etc/ssh/keys",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "/etc/ssh/keys/ops:1 admits this key only from 192.0.2.66, and we come from 10.77.0.1",
    },
    Trap {
        lay: ":",
        remove: ":",
        user: "root",
        input: "permit_root=no",
        fault: Fault::Failed,
        says: "`PermitRootLogin no` refuses root, and root is who logs in",
    },
    Trap {
        lay: "printf 'UsePAM no\n' >/etc/ssh/sshd_config.d/50-lab.conf; usermod -L ops",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf; usermod -p '*' ops",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "the account ops is locked, and without PAM",
    },
    Trap {
        lay: "printf 'AuthenticationMethods publickey,password\n' >/etc/ssh/sshd_config.d/50-lab.conf",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "`AuthenticationMethods publickey,password` wants more than a key",
    },
    // sshd goes by the first line that admits the key.
    Trap {
        lay: "printf 'AuthorizedKeysFile /etc/ssh/keys/%%u\n' >/etc/ssh/sshd_config.d/50-lab.conf; mkdir /etc/ssh/keys
            { printf 'command=\"backup\" '; cat /home/ops/.ssh/authorized_keys; cat /home/ops/.ssh/authorized_keys; } >/etc/ssh/keys/ops",
        remove: "rm -r /etc/ssh/sshd_config.d/50-lab.conf /etc/ssh/keys",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "/etc/ssh/keys/ops:1 runs `backup` for this key instead of a shell",
    },
    Trap {
        lay: "printf 'RevokedKeys /etc/ssh/revoked\n' >/etc/ssh/sshd_config.d/50-lab.conf
            { echo '# lost'; cat /home/ops/.ssh/authorized_keys; } >/etc/ssh/revoked",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf /etc/ssh/revoked",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "the key at /home/ops/.ssh/authorized_keys:1 is among those that /etc/ssh/revoked takes back (RevokedKeys)",
    },
    Trap {
        lay: "printf 'RevokedKeys /etc/ssh/revoked\n' >/etc/ssh/sshd_config.d/50-lab.conf",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::Failed,
        says: "sshd cannot read /etc/ssh/revoked (RevokedKeys), and takes no key at all then",
    },
    // A certificate: this session was let in by one, for there is no key in any file.
    Trap {
        lay: "printf 'AuthorizedKeysFile none\nTrustedUserCAKeys /etc/ssh/ca.pub\n' >/etc/ssh/sshd_config.d/50-lab.conf; sshd_takes_it",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf; sshd_takes_it",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::NeedsHuman,
        says: "whether /etc/ssh/ca.pub (TrustedUserCAKeys) admits it cannot be told",
    },
    // The last, and it stays: a person who knows better goes on with it.
    Trap {
        lay: "install -D -m 0644 /home/ops/.ssh/authorized_keys /etc/ssh/keys/ops
            printf '#!/bin/sh\nexec cat \"/etc/ssh/keys/$1\"\n' >/usr/local/bin/keys; chmod 0755 /usr/local/bin/keys
            printf 'AuthorizedKeysFile none\nAuthorizedKeysCommand /usr/local/bin/keys %%u\nAuthorizedKeysCommandUser nobody\n' \
                >/etc/ssh/sshd_config.d/50-lab.conf; sshd_takes_it",
        remove: ":",
        user: "ops",
        input: "max_auth_tries=4",
        fault: Fault::NeedsHuman,
        says: "whether /usr/local/bin/keys %u (AuthorizedKeysCommand) supplies it cannot be told",
    },
];

/// Each release, and one host whose sshd systemd listens for.
fn one_of_each() -> Vec<HostSpec> {
    let socket = HostSpec::new("socket").release(Release::Trixie).socket();
    let service = Release::ALL.map(|release| HostSpec::new(release.name()).release(release));
    service.into_iter().chain([socket]).collect()
}

/// The operator's key gets a certificate beside it, which `ssh` shows first; the authority's public key.
fn certified(lab: &Lab) -> String {
    let authority = lab.dir().join("authority");
    let keygen = |command: &mut Command| {
        let status = command.stdout(Stdio::null()).status();
        assert!(status.expect("ssh-keygen").success());
    };
    let mut make = Command::new("ssh-keygen");
    keygen(
        make.args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&authority),
    );
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-s"]).arg(&authority);
    keygen(
        sign.args(["-I", "operator", "-n", "root,ops"])
            .arg(lab.key().with_extension("pub")),
    );
    fs::read_to_string(authority.with_extension("pub")).expect("a public key")
}

/// All hosts, reached as this user.
fn reached_as(operator: &Operator<'_>, hosts: &[LabHost<'_>], user: &str) {
    let mut inventory = String::from("hosts:\n");
    for host in hosts {
        let _ = writeln!(inventory, "  {}: {{ user: {user} }}", host.name);
    }
    operator.inventory(&inventory);
}

fn harden(operator: &Operator<'_>, more: &[&str]) -> Told {
    let mut words = vec!["run", "ssh-hardening"];
    words.extend(more);
    operator.run(&words)
}

/// What the check with this name came to.
#[track_caller]
fn proof<'a>(told: &'a Told, host: &str, name: &str) -> &'a Proof {
    let found = told.events.iter().find_map(|event| match &event.kind {
        EventKind::Checked {
            host: on,
            name: of,
            proof,
        } if on == host && of == name => Some(proof),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no check {name} on {host}\n{}", told.all()))
}

/// The words of sshd to somebody without a key.
fn without_key(lab: &Lab, user: &str, host: &LabHost<'_>) -> String {
    let mut ssh = lab.ssh(user, &host.name);
    let output = ssh
        .args(["-o", "PubkeyAuthentication=no", "true"])
        .stdin(Stdio::null());
    let output = output.output().expect("ssh runs");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[test]
fn nothing_is_touched_where_a_new_login_would_fail_and_the_reason_is_exact() {
    let lab = Lab::new("lockout");
    let hosts = lab.boot_all(one_of_each());
    let operator = Operator::new(&lab, "operator", &hosts);
    let authority = certified(&lab);
    for host in &hosts {
        host.write("/etc/ssh/ca.pub", &authority);
    }
    for (number, trap) in TRAPS.iter().enumerate() {
        reached_as(&operator, &hosts, trap.user);
        for host in &hosts {
            host.sh(&format!("{TAKES_IT}{}", trap.lay));
        }
        // To look at everything takes longer than the run: the hosts take turns, and once round is enough.
        let looked_at = &hosts[number % hosts.len()];
        let before = (number < hosts.len()).then(|| Footprint::of(looked_at));
        let folder = looked_at.snapshot("/etc");
        let told = harden(&operator, &["--yes", "-e", trap.input]);
        let status = if trap.fault == Fault::NeedsHuman {
            9
        } else {
            3
        };
        told.exits(status);
        let differences = folder.differences(&looked_at.snapshot("/etc"));
        assert!(differences.is_empty(), "{}: {differences:?}", trap.says);
        if let Some(before) = before {
            before.is_that_of(looked_at);
        }
        for host in &hosts {
            let message = told.stopped(&host.name, trap.fault);
            assert!(message.contains(trap.says), "{}: {message}", host.name);
            host.sh("test ! -e /etc/ssh/sshd_config.d/00-holdfast-hardening.conf && test ! -e /var/lib/holdfast");
            host.sh(&format!("{TAKES_IT}{}", trap.remove));
        }
    }

    // A person who knows better may go on: the key really comes from that command.
    let told = harden(&operator, &["--yes", "-e", "unproven=true"]);
    told.exits(0)
        .says("(AuthorizedKeysCommand) supplies it cannot be told");
    for host in &hosts {
        told.changed(&host.name, told.plan(&host.name).count());
        let login = lab
            .ssh("ops", &host.name)
            .arg("true")
            .status()
            .expect("ssh runs");
        assert!(login.success(), "{}", host.name);
    }
}

/// Accounts that sshd, PAM or the shell would not let in, and why.
const ACCOUNTS: &str = r"
    key() {
        install -d -m 700 -o $1 -g $1 /home/$1/.ssh
        install -m 600 -o $1 -g $1 /home/ops/.ssh/authorized_keys /home/$1/.ssh/
    }
    for name in asleep gone late stale keyless alien; do useradd -m -s /bin/sh $name; usermod -p '*' $name; done
    for name in asleep gone late stale alien; do key $name; done
    usermod -s /usr/sbin/nologin asleep
    usermod -s /bin/lost gone
    chage -E 2000-01-01 late
    chage -d 0 stale
    chown ops /home/alien/.ssh
";

const REFUSED: [(&str, &str); 7] = [
    (
        "asleep",
        "the shell of asleep is /usr/sbin/nologin, which ends at once",
    ),
    ("gone", "the shell of gone, /bin/lost, is missing"),
    ("late", "the account late has expired"),
    ("stale", "the password of stale is too old"),
    (
        "keyless",
        "a key of keyless is not where sshd looks for keys of keyless: /home/keyless/.ssh/authorized_keys (not there)",
    ),
    ("alien", "/home/alien/.ssh belongs to the user id"),
    ("nobody-here", "there is no account nobody-here"),
];

#[test]
fn an_account_that_nobody_can_log_in_to_is_told_with_its_reason() {
    let lab = Lab::new("accounts");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    host.sh(ACCOUNTS);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook(
        "who",
        "name: who\nsummary: Who gets in\nrisk: low\ninputs: { user: { type: text } }\nsteps:\n  - name: This user gets in\n    \
         login: { user: \"{{ inputs.user }}\" }\n",
    );
    for (user, why) in REFUSED {
        let told = operator.run(&["run", "who", "--yes", "-e", &format!("user={user}")]);
        let reason = told.stopped("web", Fault::Failed);
        assert!(reason.contains(why), "{user}: {reason}");
        // It is true.
        let login = lab.ssh(user, "web").arg("true").output().expect("ssh runs");
        assert!(!login.status.success(), "{user} gets in");
    }
    let told = operator.run(&["run", "who", "--yes", "-e", "user=ops"]);
    told.exits(0).nothing_to_do("web");
}

#[test]
fn where_we_have_a_key_passwords_go_and_a_second_run_has_nothing_to_do() {
    let lab = Lab::new("hardening");
    let hosts = lab.boot_all(one_of_each());
    let [eleven, twelve, thirteen, socket] = &hosts[..] else {
        panic!("four hosts")
    };
    look_like_lockouts(eleven, twelve, thirteen);
    only_root_by_certificate(&lab, socket);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(
        "hosts: { bullseye: { user: ops }, bookworm: { user: ops }, trixie: { user: ops }, socket: { user: root } }\n",
    );
    shows_what_it_will_do(&lab, &operator, &hosts);
    let keys = hosts
        .iter()
        .map(|host| host.sh("cat /etc/ssh/ssh_host_*_key.pub"));
    let keys: Vec<String> = keys.collect();

    let told = harden(&operator, &["--yes"]);
    told.exits(0);
    told.says("passwords stay possible for `Match User needpw`: /etc/ssh/sshd_config line");
    told.says("passwords stay possible for `Match User needpw`: /etc/ssh/for-needpw line 1 says `PasswordAuthentication yes`");
    for (host, keys) in hosts.iter().zip(&keys) {
        assert_hardened(&told, host);
        assert_guarded(&told, host);
        assert_eq!(
            without_key(&lab, "ops", host),
            format!("ops@{}: Permission denied (publickey).", host.v4())
        );
        assert_eq!(
            host.sh("cat /etc/ssh/ssh_host_*_key.pub"),
            *keys,
            "{}: other host keys",
            host.name
        );
    }
    // The warning was true.
    assert!(without_key(&lab, "needpw", twelve).ends_with("(publickey,password)."));
    assert!(without_key(&lab, "needpw", thirteen).ends_with("(publickey)."));
    assert!(without_key(&lab, "needpw", socket).ends_with("(publickey,password)."));

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = harden(&operator, &["--yes"]);
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
    operator.run(&["verify", "ssh-hardening"]).exits(0);

    passwords_come_back(&operator, twelve);
}

/// By somebody else's hand: `verify` does not call that hardened.
#[track_caller]
fn passwords_come_back(operator: &Operator<'_>, twelve: &LabHost<'_>) {
    twelve.sh("printf 'PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/00-a.conf; systemctl reload ssh");
    let drifted = operator.run(&["verify", "ssh-hardening", "-l", "bookworm"]);
    assert_ne!(drifted.status, 0, "{}", drifted.all());
    let no = proof(
        &drifted,
        "bookworm",
        "Without a key sshd refuses us, and offers no password",
    );
    assert!(
        matches!(no, Proof::No { seen } if seen.contains("publickey, password")),
        "{no:?}"
    );
}

/// Keys elsewhere, a Match block, a locked account with files that its own group may write.
#[track_caller]
fn look_like_lockouts(eleven: &LabHost<'_>, twelve: &LabHost<'_>, thirteen: &LabHost<'_>) {
    eleven.sh(
        "install -D -m 0644 /home/ops/.ssh/authorized_keys /etc/ssh/keys/ops; rm /home/ops/.ssh/authorized_keys
        printf 'AuthorizedKeysFile /etc/ssh/keys/%%u\n' >/etc/ssh/sshd_config.d/50-lab.conf; systemctl reload ssh",
    );
    twelve.sh("printf '\nMatch User needpw\nPasswordAuthentication yes' >>/etc/ssh/sshd_config; systemctl reload ssh");
    thirteen.sh("usermod -p '*' ops; passwd -l ops; chmod 0775 /home/ops /home/ops/.ssh; chmod 0664 /home/ops/.ssh/authorized_keys");
}

/// Nobody but root has a key there, and root's is a certificate; a Match block of others includes a file.
#[track_caller]
fn only_root_by_certificate(lab: &Lab, host: &LabHost<'_>) {
    let authority = certified(lab);
    host.write(
        "/root/.ssh/authorized_keys",
        format!("cert-authority {authority}"),
    );
    host.sh(&format!(
        "{TAKES_IT}rm -r /home/*/.ssh
        printf 'PasswordAuthentication yes\n' >/etc/ssh/for-needpw
        printf 'Match User needpw\n\tInclude for-*\n' >/etc/ssh/sshd_config.d/50-lab.conf; sshd_takes_it"
    ));
}

#[track_caller]
fn shows_what_it_will_do(lab: &Lab, operator: &Operator<'_>, hosts: &[LabHost<'_>]) {
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let shown = harden(operator, &["--dry-run"]);
    shown.exits(0).says("PasswordAuthentication: yes → no");
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
        assert!(
            without_key(lab, "ops", host).ends_with("(publickey,password)."),
            "{}",
            host.name
        );
    }
}

/// The host would have taken it back, had no new login come.
#[track_caller]
fn assert_guarded(told: &Told, host: &LabHost<'_>) {
    let name = &host.name;
    let guard: Vec<&EventKind> = told.events.iter().map(|event| &event.kind).collect();
    let at = |wanted: &dyn Fn(&EventKind) -> bool| guard.iter().position(|kind| wanted(kind));
    let armed = at(&|kind| matches!(kind, EventKind::GuardArmed { host, .. } if host == name));
    let done = at(
        &|kind| matches!(kind, EventKind::StepFinished { host, number, .. } if host == name && number.0 == 2),
    );
    let proven = at(&|kind| matches!(kind, EventKind::GuardProven { host, .. } if host == name));
    let disarmed =
        at(&|kind| matches!(kind, EventKind::GuardDisarmed { host, .. } if host == name));
    assert!(armed.is_some() && armed < done, "{name}: {}", told.all());
    assert!(done < proven && proven < disarmed, "{name}: {}", told.all());
}

/// The values in effect, and what was seen from outside.
#[track_caller]
fn assert_hardened(told: &Told, host: &LabHost<'_>) {
    let values = host.sh("sshd -T");
    for line in [
        "permitrootlogin without-password",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "strictmodes yes",
        "maxauthtries 4",
        "x11forwarding no",
        "allowtcpforwarding yes",
        "usepam yes",
    ] {
        assert!(
            values.lines().any(|value| value == line),
            "{}: {line}\n{values}",
            host.name
        );
    }
    assert!(
        !values.contains("hmac-sha1") && values.contains("umac-128-etm"),
        "{}: {values}",
        host.name
    );
    let yes = proof(
        told,
        &host.name,
        "Without a key sshd refuses us, and offers no password",
    );
    assert!(
        matches!(yes, Proof::Yes { seen } if seen == "refused; it offers publickey"),
        "{yes:?}"
    );
}

#[test]
fn a_client_too_old_for_the_new_algorithms_cannot_come_back_so_the_host_does() {
    let lab = Lab::new("oldclient");
    let hosts = lab.boot_all(vec![HostSpec::new("web")]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    let config = operator.project().join("old_client");
    let old = "Host *\n    MACs hmac-sha1\n    Ciphers aes256-ctr\n";
    let known = fs::read_to_string(lab.ssh_config()).expect("a configuration");
    fs::write(&config, format!("{old}{known}")).expect("a configuration");
    operator.variable("HOLDFAST_SSH_CONFIG", config.to_str().expect("a path"));
    let values = host.sh("sshd -T");
    let folder = host.snapshot("/etc/ssh");

    let told = harden(&operator, &["--yes", "--guard-time", "30s"]);
    told.exits(6);
    assert_eq!(host.sh("sshd -T"), values);
    let differences = folder.differences(&host.snapshot("/etc/ssh"));
    assert!(
        differences
            .iter()
            .all(|line| line.ends_with(" .") || line.contains("sshd_config.d")),
        "{differences:?}"
    );
    host.sh("test -z \"$(ls /etc/ssh/sshd_config.d)\"");
    // The same client gets in again, and what stood in the way can be left out.
    harden(&operator, &["--yes", "-e", "crypto=false"]).exits(0);
    let offered = host.sh("sshd -T");
    assert!(
        offered.contains("passwordauthentication no") && offered.contains("hmac-sha1"),
        "{offered}"
    );
}
