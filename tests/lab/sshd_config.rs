//! Ports and settings of sshd on real hosts, with sshd itself listening and with systemd listening for it:
//! what is in effect, what of others stays, what is refused, and that it can be taken back at any moment.

use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::operator::{Footprint, Operator, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use holdfast::event::Fault;

const PORTS: &str = r#"
name: ports
summary: Ports of sshd
risk: low
inputs:
  ports: { type: list of port, default: [22] }
steps:
  - name: sshd listens there
    guard: false
    sshd_config: { drop_in: 00-holdfast-port.conf, ports: "{{ inputs.ports }}" }
"#;

const SETTINGS: &str = r"
name: settings
summary: Settings of sshd
risk: low
steps:
  - name: sshd is strict
    guard: false
    sshd_config:
      drop_in: 00-holdfast-test.conf
      settings:
        MaxAuthTries: 3
        X11Forwarding: 'no'
        Ciphers: [-3des-cbc, aes128-cbc]
        RequiredRSASize: 2048
      when_known: [RequiredRSASize]
";

/// sshd's own listeners, as `ADDRESS:PORT`.
const LISTENERS: &str = r#"ss -Hltnp | awk '/"sshd"/ || /"systemd",pid=1,/ { print $4 }' | sort"#;

/// What sshd makes of its files, also where a socket stands in for it.
const EFFECTIVE: &str = "[ -d /run/sshd ] || made=yes; mkdir -p /run/sshd; sshd -T -C lport=1; [ -z \"${made-}\" ] || rmdir /run/sshd";

#[track_caller]
fn effective(host: &LabHost<'_>, keyword: &str) -> Vec<String> {
    let all = host.sh(EFFECTIVE);
    let value = |line: &str| Some(line.strip_prefix(keyword)?.strip_prefix(' ')?.to_owned());
    let mut values: Vec<String> = all.lines().filter_map(value).collect();
    values.sort();
    values
}

/// All files of sshd, with owner, mode, times and content.
const FOLDER: &str = "/etc/ssh";

/// The releases, and two hosts whose sshd systemd listens for.
fn everywhere() -> Vec<HostSpec> {
    let service = Release::ALL.map(|release| HostSpec::new(release.name()).release(release));
    let socket = [Release::Bookworm, Release::Trixie];
    let socket = socket.map(|one| {
        HostSpec::new(&format!("{}-socket", one.name()))
            .release(one)
            .socket()
    });
    service
        .into_iter()
        .chain(socket)
        .map(|spec| spec.setup(Setup::Full))
        .collect()
}

/// A session of the operator that stays open, and answers when it is asked.
struct Session(Child);

impl Session {
    #[track_caller]
    fn open(lab: &Lab, host: &LabHost<'_>) -> Self {
        let mut command = lab.ssh("root", &host.name);
        command.args(["touch /run/lab-open; cat >/run/lab-session"]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let session = Self(child.spawn().expect("ssh"));
        within(Duration::from_secs(30), "the session", || {
            host.exec(&["test", "-e", "/run/lab-open"]).status.success()
        });
        session
    }

    /// What is written into it still arrives on the host.
    #[track_caller]
    fn is_alive(&mut self, host: &LabHost<'_>) {
        let input = self.0.stdin.as_mut().expect("a pipe");
        std::io::Write::write_all(input, b"still here\n").expect("the session is open");
        within(
            Duration::from_secs(30),
            "a word through the old session",
            || {
                host.exec(&["grep", "-q", "still here", "/run/lab-session"])
                    .status
                    .success()
            },
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Takes the only change of the last run back, as the guard and a rollback do.
#[track_caller]
fn undo(host: &LabHost<'_>, at_boot: &str) {
    host.sh(&format!(
        "HF_AT_BOOT={at_boot} sh $(grep -l hf_undo_sshd /var/lib/holdfast/runs/*/1/1/undo.sh | sort | tail -n 1) 3>/dev/null"
    ));
}

#[track_caller]
fn logs_in(lab: &Lab, host: &LabHost<'_>, port: u16) {
    let mut command = lab.ssh("root", &host.name);
    // A port of its own is a name of its own in known_hosts; the key is the same.
    let alias = format!("HostKeyAlias={}", host.name);
    let status = command
        .args(["-p", &port.to_string(), "-o", &alias, "true"])
        .status();
    assert!(
        status.expect("ssh").success(),
        "{}: no login on {port}",
        host.name
    );
}

#[test]
fn a_second_port_opens_the_first_one_goes_and_sessions_stay() {
    let lab = Lab::new("sshd-ports");
    let hosts = lab.boot_all(everywhere());
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    for host in &hosts {
        // The first login starts the daemon behind a socket.
        logs_in(&lab, host, 22);
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let both = ["run", "ports", "-e", "ports=22,2222"];
    operator.run(&[&both[..], &["--dry-run"]].concat()).exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }
    let start: Vec<_> = hosts
        .iter()
        .map(|host| (host.snapshot(FOLDER), host.sh(LISTENERS)))
        .collect();
    let mut sessions: Vec<Session> = hosts.iter().map(|host| Session::open(&lab, host)).collect();

    operator.run(&[&both[..], &["--yes"]].concat()).exits(0);
    for host in &hosts {
        logs_in(&lab, host, 22);
        logs_in(&lab, host, 2222);
        assert_eq!(
            host.sh(LISTENERS).lines().collect::<Vec<_>>(),
            ["0.0.0.0:22", "0.0.0.0:2222", "[::]:22", "[::]:2222"],
            "{}",
            host.name
        );
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&[&both[..], &["--yes"]].concat());
    again.exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
    for (host, (folder, listeners)) in hosts.iter().zip(&start) {
        undo(host, "");
        assert_eq!(host.sh(LISTENERS), *listeners, "{}", host.name);
        assert_no_difference(host, folder);
        undo(host, "");
        assert_eq!(host.sh(LISTENERS), *listeners, "{}: twice", host.name);
    }

    // The other way: straight to the new port. The connection that did it lives on.
    operator
        .run(&["run", "ports", "--yes", "-e", "ports=2222"])
        .exits(0);
    for (host, session) in hosts.iter().zip(&mut sessions) {
        assert_eq!(
            host.sh(LISTENERS).lines().collect::<Vec<_>>(),
            ["0.0.0.0:2222", "[::]:2222"],
            "{}",
            host.name
        );
        logs_in(&lab, host, 2222);
        session.is_alive(host);
    }
    facts_say_2222(&lab, &operator, &hosts);
    for (host, (folder, _)) in hosts.iter().zip(&start) {
        undo(host, "yes");
        assert_no_difference(host, folder);
        assert!(
            host.sh(LISTENERS).contains(":2222"),
            "{}: nothing is started at boot",
            host.name
        );
        host.reboot();
        logs_in(&lab, host, 22);
    }
}

/// The files are as they were; the folder's own time tells that something was there in between.
#[track_caller]
fn assert_no_difference(host: &LabHost<'_>, folder: &crate::support::lab::Snapshot) {
    let differences = folder.differences(&host.snapshot(FOLDER));
    let real: Vec<&String> = differences
        .iter()
        .filter(|line| {
            !line.contains('\t')
                && !line.starts_with("~ ./sshd_config.d: ")
                && !line.starts_with("~ .: ")
        })
        .collect();
    assert!(real.is_empty(), "{}: {real:?}", host.name);
}

#[track_caller]
fn facts_say_2222(lab: &Lab, operator: &Operator<'_>, hosts: &[LabHost<'_>]) {
    let mut inventory = String::from("hosts:\n");
    for host in hosts {
        let _ = writeln!(inventory, "  {}: {{ port: 2222 }}", host.name);
    }
    operator.inventory(&inventory);
    let known = std::fs::read_to_string(lab.known_hosts()).expect("known hosts");
    let moved = known.lines().map(|line| {
        let (names, key) = line.split_once(' ').expect("names and a key");
        let names: Vec<String> = names
            .split(',')
            .map(|name| format!("[{name}]:2222"))
            .collect();
        format!("{} {key}\n", names.join(","))
    });
    let moved: String = moved.collect();
    std::fs::write(lab.known_hosts(), known + &moved).expect("known hosts");
    operator.runbook(
        "facts",
        "name: facts\nsummary: Facts\nrisk: low\nsteps:\n  - name: They are written down\n    file: \
         { path: /run/lab-facts, content: \"{{ facts.sshd.ports | join(' ') }} {{ facts.sshd.mode }}\\n\" }\n",
    );

    for host in hosts {
        host.sh("rm -f /run/lab-facts");
    }
    operator.run(&["run", "facts", "--yes"]).exits(0);
    for host in hosts {
        let mode = if host.name.ends_with("-socket") {
            "socket"
        } else {
            "service"
        };
        let read = host.exec(&["cat", "/run/lab-facts"]);
        assert_eq!(
            String::from_utf8_lossy(&read.stdout),
            format!("2222 {mode}\n"),
            "{}",
            host.name
        );
    }
}

/// What stands on a host when we come, with what others made of sshd's files.
const INHERITED: &str = r#"
    printf 'Include /etc/ssh/sshd_config.d/*.conf\nPort 22\nListenAddress 10.77.0.%s:22\nListenAddress ::\nUsePAM yes\nSubsystem sftp /usr/lib/openssh/sftp-server\nX11Forwarding yes\nMatch User nosudo\n  X11Forwarding yes\n  MaxAuthTries 9\nMatch LocalPort 2200\n  Banner none' "$(cat /usr/lib/lab/address)" >/etc/ssh/sshd_config
    printf 'PasswordAuthentication yes\r\nMaxAuthTries 5\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf
    printf 'Port 24\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf.bak
    chmod 0640 /etc/ssh/sshd_config
    if systemctl -q is-active ssh.socket; then systemctl daemon-reload; systemctl restart ssh.socket; else systemctl reload ssh; fi"#;

/// Lays that down, and sshd goes by it.
#[track_caller]
fn inherited(host: &LabHost<'_>) {
    host.sh(INHERITED);
}

#[test]
fn what_others_wrote_stays_byte_for_byte_and_the_effective_values_are_ours() {
    let lab = Lab::new("sshd-others");
    let hosts = lab.boot_all(one_of_each());
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    operator.runbook("settings", SETTINGS);
    let contents = "cd /etc/ssh; sha256sum sshd_config sshd_config.d/50*; stat -c '%a %U %Y %n' sshd_config sshd_config.d/50*";
    for host in &hosts {
        inherited(host);
    }
    let before: Vec<String> = hosts.iter().map(|host| host.sh(contents)).collect();
    let told = operator.run(&["run", "settings", "--yes"]);
    told.exits(0)
        .says("/etc/ssh/sshd_config line 9 says `X11Forwarding yes` for `Match User nosudo`");
    operator
        .run(&["run", "ports", "--yes", "-e", "ports=22,2222"])
        .exits(0);
    for (host, before) in hosts.iter().zip(&before) {
        let name = &host.name;
        assert_eq!(host.sh(contents), *before, "{name}");
        assert_eq!(effective(host, "maxauthtries"), ["3"], "{name}");
        assert_eq!(effective(host, "x11forwarding"), ["no"], "{name}");
        assert!(!effective(host, "ciphers")[0].contains("cbc"), "{name}");
        assert_eq!(
            effective(host, "listenaddress"),
            own_address(host, &[22, 2222]),
            "{name}"
        );
        let known = host.release != Release::Bullseye;
        assert_eq!(
            effective(host, "requiredrsasize").len(),
            usize::from(known),
            "{name}"
        );
    }
    let again = operator.run(&["run", "settings", "--yes"]);
    again.exits(0).nothing_to_do("bullseye");

    // Port 22 goes: now the two lines of the main file that say it are in the way, and no other.
    operator
        .run(&["run", "ports", "--yes", "-e", "ports=2222"])
        .exits(0);
    for host in &hosts {
        let name = &host.name;
        assert_eq!(
            effective(host, "listenaddress"),
            own_address(host, &[2222]),
            "{name}"
        );
        assert_eq!(
            host.sh("stat -c %a /etc/ssh/sshd_config"),
            "640\n",
            "{name}"
        );
        let gone = "sed 's/^# Holdfast, for 00-holdfast-port.conf: //' /etc/ssh/sshd_config | sha256sum | cut -c 1-64";
        let main = before[position(host, &hosts)].split(' ').next();
        assert_eq!(Some(host.sh(gone).trim()), main, "{name}");
        undo(host, "");
        assert_eq!(host.sh(contents), before[position(host, &hosts)], "{name}");
        assert_eq!(
            host.sh(LISTENERS).lines().collect::<Vec<_>>(),
            own_address(host, &[22, 2222]),
            "{name}"
        );
    }
}

/// The address of the host and every IPv6 address, with these ports.
fn own_address(host: &LabHost<'_>, ports: &[u16]) -> Vec<String> {
    let addresses = [host.v4(), "[::]".to_owned()];
    let spots = addresses
        .iter()
        .flat_map(|address| ports.iter().map(move |port| format!("{address}:{port}")));
    spots.collect()
}

fn position(host: &LabHost<'_>, hosts: &[LabHost<'_>]) -> usize {
    hosts
        .iter()
        .position(|one| one.name == host.name)
        .expect("a host")
}

/// Something on a host that keeps sshd from a port, or our drop-in from sshd.
struct Trap {
    /// Made by a shell on the host.
    lay: &'static str,
    remove: &'static str,
    run: &'static [&'static str],
    /// 3: it cannot be; 9: a person must decide.
    status: i32,
    says: &'static str,
}

const BOTH: &[&str] = &["run", "ports", "--yes", "-e", "ports=22,2222"];
const ONLY_NEW: &[&str] = &["run", "ports", "--yes", "-e", "ports=2222"];
const STRICT: &[&str] = &["run", "settings", "--yes"];

/// Whoever has a port, by every way to have one; and each way for a drop-in to be dead.
const TRAPS: [Trap; 13] = [
    Trap {
        lay: "squat 'socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(2222, INADDR_ANY)) or die; listen(S, 5)'",
        remove: "systemctl stop lab-squat",
        run: BOTH,
        status: 3,
        says: "port 2222 is taken: squatter listens on 0.0.0.0",
    },
    Trap {
        lay: "squat 'socket(S, AF_INET6, SOCK_STREAM, 0); setsockopt(S, IPPROTO_IPV6, IPV6_V6ONLY, 1);
            bind(S, pack_sockaddr_in6(2222, IN6ADDR_ANY)) or die; listen(S, 5)'",
        remove: "systemctl stop lab-squat",
        run: ONLY_NEW,
        status: 3,
        says: "port 2222 is taken: squatter listens on [::]",
    },
    Trap {
        lay: "printf '[Socket]\nListenStream=[::1]:2222\nAccept=yes\n' >/run/systemd/system/lab-squat.socket
            printf '[Service]\nExecStart=/bin/cat\nStandardInput=socket\n' >/run/systemd/system/lab-squat@.service
            systemctl daemon-reload; systemctl start lab-squat.socket",
        remove: "systemctl stop lab-squat.socket; rm /run/systemd/system/lab-squat*; systemctl daemon-reload",
        run: BOTH,
        status: 3,
        says: "port 2222 is taken: lab-squat.socket listens on [::1]",
    },
    // No listener, and yet sshd could not have it: the kernel gave it to a connection.
    Trap {
        lay: "squat 'socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(40000, INADDR_ANY)) or die;
            connect(S, pack_sockaddr_in(443, inet_aton(\"127.0.0.1\"))) or die'",
        remove: "systemctl stop lab-squat",
        run: &["run", "ports", "--yes", "-e", "ports=22,40000"],
        status: 3,
        says: "port 40000 is taken: squatter has a connection from it at this moment",
    },
    Trap {
        lay: "nft add table ip nat; nft 'add chain ip nat PREROUTING { type nat hook prerouting priority -100; }'
            nft add rule ip nat PREROUTING tcp dport '{ 80, 2220-2230 }' dnat to 172.17.0.2:80",
        remove: "nft delete table ip nat",
        run: BOTH,
        status: 3,
        says: "port 2222 is sent elsewhere by the packet filter",
    },
    Trap {
        lay: "cp /etc/default/ssh /run/lab-default; echo 'SSHD_OPTS=\"-p 22\"' >/etc/default/ssh",
        remove: "cp /run/lab-default /etc/default/ssh",
        run: BOTH,
        status: 9,
        says: "sshd is started with `-p 22`, which its files cannot change",
    },
    Trap {
        lay: "sed -i.lab '/^Include/d' /etc/ssh/sshd_config",
        remove: "mv /etc/ssh/sshd_config.lab /etc/ssh/sshd_config",
        run: BOTH,
        status: 3,
        says: "no Include before the first Match of /etc/ssh/sshd_config covers it",
    },
    Trap {
        lay: "mv /etc/ssh/sshd_config.d /etc/ssh/gone",
        remove: "mv /etc/ssh/gone /etc/ssh/sshd_config.d",
        run: STRICT,
        status: 3,
        says: "/etc/ssh/sshd_config.d",
    },
    Trap {
        lay: "printf 'Match User nobody\nBanner none\nNoSuchKeyword yes\n' >/etc/ssh/sshd_config.d/50-lab.conf",
        remove: "rm /etc/ssh/sshd_config.d/50-lab.conf",
        run: STRICT,
        status: 3,
        says: "/etc/ssh/sshd_config.d/50-lab.conf: line 3: Bad configuration option: NoSuchKeyword",
    },
    Trap {
        lay: "echo 'Port 22' >/etc/ssh/sshd_config.d/00-holdfast-port.conf",
        remove: "rm /etc/ssh/sshd_config.d/00-holdfast-port.conf",
        run: BOTH,
        status: 9,
        says: "/etc/ssh/sshd_config.d/00-holdfast-port.conf is there already and not ours",
    },
    Trap {
        lay: "echo 'Port 22' >/etc/ssh/sshd_config.d/50-cloud-init.conf",
        remove: "rm /etc/ssh/sshd_config.d/50-cloud-init.conf",
        run: ONLY_NEW,
        status: 9,
        says: "/etc/ssh/sshd_config.d/50-cloud-init.conf line 1 says `Port 22`",
    },
    Trap {
        lay: "printf '\\r\\n  maxauthtries=6 \\r\\n' >/etc/ssh/sshd_config.d/00-a.conf",
        remove: "rm /etc/ssh/sshd_config.d/00-a.conf",
        run: STRICT,
        status: 9,
        says: "MaxAuthTries would not take effect: /etc/ssh/sshd_config.d/00-a.conf line 2 (`MaxAuthTries 6`) comes first",
    },
    Trap {
        lay: ":",
        remove: ":",
        run: &["run", "unknown", "--yes"],
        status: 3,
        says: "does not know NoSuchKeyword",
    },
];

/// `squat PERL`: a process called `squatter` that does this and stays.
pub const SQUAT: &str = r#"squat() {
    printf 'use Socket qw(:all); $0 = "squatter"; %s; open(F, ">/run/lab-there"); close(F); sleep 600' "$1" >/run/lab-squat.pl
    rm -f /run/lab-there
    systemd-run --quiet --collect --unit=lab-squat perl /run/lab-squat.pl
    until [ -e /run/lab-there ]; do sleep 0.02; done
}
"#;

#[test]
fn a_taken_port_and_a_dead_drop_in_are_refused_before_anything_is_touched() {
    let lab = Lab::new("sshd-refused");
    let hosts = lab.boot_all(one_of_each());
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    operator.runbook("settings", SETTINGS);
    let unknown = SETTINGS.replace("MaxAuthTries: 3", "NoSuchKeyword: 3");
    operator.runbook(
        "unknown",
        &unknown.replace("name: settings", "name: unknown"),
    );
    for host in &hosts {
        // The first login starts the daemon behind a socket.
        logs_in(&lab, host, 22);
    }
    for (number, trap) in TRAPS.iter().enumerate() {
        for host in &hosts {
            host.sh(&format!("{SQUAT}{}", trap.lay));
        }
        // To look at everything takes longer than the run: the hosts take turns, and once round is enough.
        let looked_at = &hosts[number % hosts.len()];
        let before = (number < hosts.len()).then(|| Footprint::of(looked_at));
        let folder = looked_at.snapshot("/etc");
        let told = operator.run(trap.run);
        told.exits(trap.status);
        assert!(
            folder.differences(&looked_at.snapshot("/etc")).is_empty(),
            "{}",
            trap.says
        );
        if let Some(before) = before {
            before.is_that_of(looked_at);
        }
        let fault = if trap.status == 9 {
            Fault::NeedsHuman
        } else {
            Fault::Failed
        };
        for host in &hosts {
            let why = told.stopped(&host.name, fault);
            assert!(why.contains(trap.says), "{}: {why}", host.name);
            host.sh(trap.remove);
        }
    }
    for host in &hosts {
        host.sh("test -z \"$(ls /etc/ssh/sshd_config.d)\" && test ! -e /var/lib/holdfast");
        assert_eq!(
            host.sh(LISTENERS).lines().collect::<Vec<_>>(),
            ["0.0.0.0:22", "[::]:22"],
            "{}",
            host.name
        );
    }
}

/// Each release, and one host whose sshd systemd listens for.
fn one_of_each() -> Vec<HostSpec> {
    let mut specs = everywhere();
    specs.truncate(4);
    specs
}

/// Repeats the last act on a host, each time killed two calls later than before, from the one that is put in front,
/// and takes it back each time; ends after the first that was not killed. Says how many calls there were.
const KILLED_EVERYWHERE: &str = r#"
    for name in sync mv cp rm mktemp systemctl; do
        cat >/usr/local/sbin/$name <<'SHIM'
#!/bin/sh
name=${0##*/}
die_here() {
    read -r left 2>/dev/null </run/lab-left || return 0
    echo $((left - 1)) >/run/lab-left
    if [ "$left" -le 1 ]; then /bin/rm -f /run/lab-left; kill -KILL -$(cat /run/lab-group); kill -KILL $$; fi
}
case "$name $*" in "systemctl "*show* | "systemctl "*list*) exec /bin/$name "$@" ;; esac
die_here
[ "$name" = systemctl ] || exec /bin/$name "$@"
/bin/systemctl "$@"
status=$?
die_here
exit $status
SHIM
        chmod 0755 /usr/local/sbin/$name
    done
    state() {
        find /etc/ssh -type f -printf '%p %m %u %g %s %T@\n' | sort
        find /etc/ssh -type f -exec sha256sum {} + | sort
        ss -Hltnp | awk '/"sshd"/ || /"systemd",pid=1,/ { print $4 }' | sort
        systemctl is-active ssh.service ssh.socket || :
        systemctl is-enabled ssh.service ssh.socket || :
        ls -A /var/lib/holdfast/pending
    }
    made=$(grep -l hf_undo_sshd /var/lib/holdfast/runs/*/1/1/undo.sh | sort | tail -n 1)
    run=/var/lib/holdfast/runs/lab-again
    mkdir /run/lab-made
    cp -a "${made%/1/1/undo.sh}/lib.sh" "${made%/1/undo.sh}/step.sh" /run/lab-made
    sed -i -e "s|^HF_RUN=.*|HF_RUN=$run|" -e '/^hf_expect /d' /run/lab-made/step.sh
    export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    before=$(state)
    status=1
    while [ "$status" != 0 ]; do
        rm -rf "$run"
        mkdir -p "$run/1"
        cp /run/lab-made/lib.sh "$run"
        cp /run/lab-made/step.sh "$run/1"
        echo "$calls" >/run/lab-left
        status=0
        setsid -w sh -c 'echo $$ >/run/lab-group; exec sh "$0"' "$run/1/step.sh" </dev/null >/run/lab-output 2>&1 3>/dev/null || status=$?
        /bin/rm -f /run/lab-left
        HF_NONCE=x HF_RUN=$run HF_STEP=1 HF_SAVE=$run/1/1 HF_INPUT=$run/1/1/input HF_AT_BOOT= sh -c '
            . "$HF_RUN/lib.sh"
            [ ! -d "$HF_SAVE" ] || hf_undo_sshd /etc/ssh/sshd_config.d/00-holdfast-port.conf /etc/ssh/sshd_config' >/run/lab-undo 2>&1 3>/dev/null </dev/null || {
            echo "call $calls: the undo failed"; cat /run/lab-undo; exit 1; }
        after=$(state)
        [ "$after" = "$before" ] || { printf 'call %s:\n%s\n---\n%s\n' "$calls" "$before" "$after"; cat /run/lab-output; exit 1; }
        [ "$calls" -lt 90 ] || { cat /run/lab-output; exit 1; }
        calls=$((calls + 2))
    done
    rm -r "$run" /run/lab-made
    rm /usr/local/sbin/*
    echo "$calls""#;

#[test]
fn an_act_that_dies_at_any_moment_is_taken_back_exactly() {
    let lab = Lab::new("sshd-killed");
    let hosts = lab.boot_all(vec![
        HostSpec::new("service").setup(Setup::Full),
        HostSpec::new("socket")
            .setup(Setup::Full)
            .release(Release::Trixie)
            .socket(),
    ]);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    for host in &hosts {
        inherited(host);
    }
    // Both files change, and the listeners with them.
    operator.run(ONLY_NEW).exits(0);
    // Each moment on one of the two: the files are written alike, and both begin and end with the units.
    std::thread::scope(|scope| {
        for (first, host) in (1..).zip(&hosts) {
            scope.spawn(move || {
                undo(host, "");
                let output =
                    host.exec(&["sh", "-ec", &format!("calls={first}{KILLED_EVERYWHERE}")]);
                let said = String::from_utf8_lossy(&output.stdout);
                let calls = said.trim().parse::<u32>();
                assert!(
                    calls.is_ok_and(|calls| calls > 15),
                    "{}: {said}{}",
                    host.name,
                    String::from_utf8_lossy(&output.stderr)
                );
            });
        }
    });
    for host in &hosts {
        logs_in(&lab, host, 22);
    }
}

/// What a program that is killed in the middle leaves is found, and made up for or taken back.
#[test]
fn an_act_that_dies_in_the_middle_is_taken_back_and_a_port_that_is_lost_in_the_reload_too() {
    let lab = Lab::new("sshd-faults");
    let specs = ["service", "socket"].map(|name| HostSpec::new(name).setup(Setup::Full));
    let hosts = lab.boot_all(
        specs
            .map(|spec| {
                if spec.name == "socket" {
                    spec.socket()
                } else {
                    spec
                }
            })
            .into(),
    );
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    for host in &hosts {
        let folder = host.snapshot(FOLDER);
        let listeners = host.sh(LISTENERS);
        // systemctl hangs: the act has written the file and gets no further.
        host.sh("printf '#!/bin/sh\\ncase \"$*\" in *reload*) touch /run/lab-hangs; sleep 30;; esac\\nexec /usr/bin/systemctl \"$@\"\\n' >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl");
        let running = operator.start(&[
            "run",
            "ports",
            "--yes",
            "-e",
            "ports=22,2222",
            "-l",
            &host.name,
        ]);
        within(Duration::from_mins(1), "the reload", || {
            host.exec(&["test", "-e", "/run/lab-hangs"])
                .status
                .success()
        });
        running.kill();
        host.sh("rm /usr/local/bin/systemctl; for pid in $(pgrep -f 'step[.]sh'); do kill -KILL $pid || :; done");
        assert_eq!(host.sh(LISTENERS), listeners, "{}", host.name);
        let shown = operator.run(&[
            "run",
            "ports",
            "--dry-run",
            "-e",
            "ports=22,2222",
            "-l",
            &host.name,
        ]);
        shown.exits(0).says("does not go by its files yet");
        undo(host, "");
        assert_no_difference(host, &folder);
        assert_eq!(host.sh(LISTENERS), listeners, "{}", host.name);

        // Somebody takes the port after the last look: sshd cannot have it, and is as it was.
        host.sh("printf '#!/bin/sh\\ncase \"$*\" in *reload*) touch /run/lab-go; sleep 1;; esac\\nexec /usr/bin/systemctl \"$@\"\\n' >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl; rm -f /run/lab-go");
        host.sh("setsid sh -c 'until [ -e /run/lab-go ]; do sleep 0.05; done; exec perl -MSocket=:all -e \"socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(2222, INADDR_ANY)) or die; listen(S, 5); sleep 600\"' >/dev/null 2>&1 &");
        let told = operator.run(&[
            "run",
            "ports",
            "--yes",
            "-e",
            "ports=2222",
            "-l",
            &host.name,
        ]);
        host.sh("rm /usr/local/bin/systemctl");
        told.exits(3).stopped(&host.name, Fault::Failed);
        told.says("sshd is as it was again");
        assert_no_difference(host, &folder);
        assert_eq!(host.sh(LISTENERS), listeners, "{}", host.name);
        logs_in(&lab, host, 22);
    }
}

/// A reload that comes to nothing is no success, and an sshd that was started by hand is told by a signal.
#[test]
fn an_sshd_that_systemd_cannot_tell_or_did_not_start() {
    let lab = Lab::new("sshd-by-hand");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Full)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    operator.runbook("settings", SETTINGS);
    host.sh("printf '#!/bin/sh\ncase \"$*\" in *reload*) mkdir /run/lab-once && exit 1;; esac\nexec /bin/systemctl \"$@\"\n' >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl");
    let folder = host.snapshot(FOLDER);
    let told = operator.run(STRICT);
    told.exits(3)
        .says("sshd is as it was again, for systemctl could not reload ssh.service");
    assert_no_difference(host, &folder);
    host.sh("rm /usr/local/bin/systemctl");

    host.sh("echo 'PidFile none' >/etc/ssh/sshd_config.d/50-lab.conf; systemctl stop ssh; mkdir -p /run/sshd; setsid /usr/sbin/sshd");
    let listeners = host.sh(LISTENERS);
    let told = operator.run(BOTH);
    told.exits(0).says("reload sshd");
    logs_in(&lab, host, 2222);
    operator.run(BOTH).nothing_to_do("web");
    undo(host, "");
    assert_eq!(host.sh(LISTENERS), listeners);
    assert_eq!(host.sh("systemctl is-active ssh || :"), "inactive\n");
    logs_in(&lab, host, 22);
}

#[test]
fn a_port_is_never_missing_while_another_opens() {
    use crate::support::lab::{OPERATOR_V4, Outcome, Target};
    let lab = Lab::new("sshd-gap");
    let specs = ["service", "socket"].map(|name| {
        HostSpec::new(name)
            .setup(Setup::Full)
            .release(Release::Bookworm)
    });
    let hosts = lab.boot_all(
        specs
            .map(|spec| {
                if spec.name == "socket" {
                    spec.socket()
                } else {
                    spec
                }
            })
            .into(),
    );
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("ports", PORTS);
    for host in &hosts {
        // Unfinished logins fill sshd up; what counts here is whether the port is open.
        host.sh("echo 'MaxStartups 1000' >/etc/ssh/sshd_config.d/90-lab.conf; systemctl reload ssh 2>/dev/null || :");
    }
    for host in &hosts {
        let prober = lab.probe(&[Target::new(OPERATOR_V4, host, 22)]);
        operator
            .run(&[
                "run",
                "ports",
                "--yes",
                "-e",
                "ports=22,2222",
                "-l",
                &host.name,
            ])
            .exits(0);
        let attempts = prober.stop();
        let refused = attempts.count(0, &Outcome::Refused);
        let all = attempts.of(0).count();
        // Both sshd and systemd close their sockets before they open them anew: some milliseconds.
        assert!(
            all > 50 && refused * 20 < all,
            "{}: {refused} of {all} refused",
            host.name
        );
    }
}
