//! `ssh-port-move`: SSH goes to another port while somebody watches, and stays where it was when a firewall
//! that the host knows nothing of is in the way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use holdfast::event::{EventKind, Fault};

use crate::guard::nothing_is_held;
use crate::operator::{Footprint, Operator, kernel};
use crate::sshd_config::SQUAT;
use crate::support::lab::{
    Attempts, EDGE_V4, HostSpec, Lab, LabHost, OPERATOR_V4, Outcome, Release, STRANGER2_V4, Setup,
    Target,
};

/// The move of these tests: nobody has to be seen to in between.
pub const MOVE: [&str; 6] = ["run", "ssh-port-move", "-e", "port=2222", "-e", "soak=0s"];

/// Every release, and one host where systemd listens for sshd.
#[track_caller]
pub fn hosts(lab: &Lab) -> Vec<LabHost<'_>> {
    let spec = |release: Release| HostSpec::new(release.name()).release(release);
    let mut specs: Vec<HostSpec> = Release::ALL.map(spec).into();
    specs.push(HostSpec::new("socket").release(Release::Trixie).socket());
    let hosts = lab.boot_all(specs);
    thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| set_up(host));
        }
    });
    hosts
}

/// A host as one is found: `ufw limit` for the operator's network alone, and fail2ban on.
#[track_caller]
pub fn set_up(host: &LabHost<'_>) {
    host.write(
        "/etc/fail2ban/jail.d/own.conf",
        "[sshd]\nenabled = true\nbackend = systemd\nmaxretry = 4\n",
    );
    host.sh(&format!(
        "{{  ufw delete allow 22/tcp
            ufw limit proto tcp from 10.77.0.0/24 to any port 22
            ufw limit proto tcp from fd77::/64 to any port 22
            ufw allow proto tcp from {EDGE_V4} to any port 22 comment 'from the office'
            ufw allow 443/tcp
            systemctl restart fail2ban; }} >/dev/null
        for i in $(seq 100); do fail2ban-client ping >/dev/null 2>&1 && break; sleep 0.1; done
        fail2ban-client set sshd banip {STRANGER2_V4} >/dev/null
        for i in $(seq 100); do {FILTER} | grep -q {STRANGER2_V4} && exit; sleep 0.1; done; exit 1"
    ));
}

/// All that the packet filters hold, of which fail2ban uses one or the other.
const FILTER: &str = "{ iptables-save; nft list ruleset 2>/dev/null; }";

/// The firewall's rules in the words of ufw, without who made them.
#[track_caller]
pub fn rules(host: &LabHost<'_>) -> String {
    host.sh("ufw status | sed -e 's/ *#.*//' | tr -s ' ' | sed -e 's/ $//' | sort")
}

/// Everything about SSH that must be as it was after a move that was taken back.
#[track_caller]
pub fn state(host: &LabHost<'_>) -> String {
    let files = host.sh(
        "cd /etc; find ssh ufw default/ufw fail2ban systemd/system -printf '%p %y %m %u:%g %l\\n' | sort
        find ssh ufw default/ufw fail2ban systemd/system -type f -exec sha256sum {} + | sort -k 2",
    );
    let running = host.sh(
        "ss -Hltn | awk '{print $4}' | sort
        for unit in ssh.service ssh.socket fail2ban ufw; do echo \"$unit $(systemctl is-active $unit) $(systemctl is-enabled $unit 2>/dev/null)\"; done
        for key in maxretry ignoreip banip; do fail2ban-client get sshd $key; done
        fail2ban-client get sshd action $(fail2ban-client get sshd actions | tail -n 1) port",
    );
    format!("{files}{running}{}", kernel(host))
}

/// Asserts that a host's [`state`] is the same; what differs is shown line by line.
#[track_caller]
pub fn is_as_before(host: &LabHost<'_>, before: &str) {
    let after = state(host);
    let only_in = |one: &str, other: &str| {
        let lines: Vec<&str> = one
            .lines()
            .filter(|line| !other.lines().any(|l| l == *line))
            .collect();
        lines.join("\n")
    };
    assert!(
        after == before,
        "{} differs\nbefore:\n{}\nafter:\n{}",
        host.name,
        only_in(before, &after),
        only_in(&after, before)
    );
}

/// The ports that sshd, or systemd in its place, listens on, ascending.
#[track_caller]
pub fn ports(host: &LabHost<'_>) -> String {
    let listeners = "ss -Hltnp | awk '/\"(sshd|systemd)\"/ { sub(/.*:/, \"\", $4); print $4 }'";
    host.sh(&format!("echo $({listeners} | sort -u)"))
        .trim()
        .to_owned()
}

/// The ports on which fail2ban bans.
#[track_caller]
pub fn banned_ports(host: &LabHost<'_>) -> String {
    let action = "$(fail2ban-client get sshd actions | tail -n 1)";
    let ports = host.sh(&format!("fail2ban-client get sshd action {action} port"));
    ports.trim().to_owned()
}

/// `ssh` from an address that nothing limits.
pub fn ssh(lab: &Lab, host: &LabHost<'_>, port: u16) -> std::process::Command {
    let mut command = lab.operator("ssh");
    let alias = format!("HostKeyAlias={}", host.v4());
    let port = port.to_string();
    command.arg("-F").arg(lab.ssh_config());
    command.args(["-o", &format!("BindAddress={EDGE_V4}"), "-o", &alias]);
    command.args(["-o", "ConnectTimeout=3", "-p", &port, &host.name]);
    command
}

/// A session that is opened now and used again later.
struct Session {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Session {
    #[track_caller]
    fn open(lab: &Lab, host: &LabHost<'_>) -> Self {
        let mut command = ssh(lab, host, 22);
        command
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("ssh");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut session = Self { child, answers };
        assert!(session.is_alive(), "no session with {}", host.name);
        session
    }

    fn is_alive(&mut self) -> bool {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        let mut line = String::new();
        let sent = stdin
            .write_all(b"still there\n")
            .and_then(|()| stdin.flush());
        sent.is_ok() && self.answers.read_line(&mut line).is_ok() && line == "still there\n"
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Logs in to every host again and again, by whichever port admits it, until told to stop; what failed twice
/// in a second is returned, and how many logins there were. sshd refuses for an instant while it reloads.
fn logins(lab: &Lab, hosts: &[LabHost<'_>], stop: &AtomicBool) -> (Vec<String>, usize) {
    let one = |host, port| {
        let mut command = ssh(lab, host, port);
        command
            .arg("true")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command.status().expect("ssh").success()
    };
    let (mut failed, mut count) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        for host in hosts {
            let either = || one(host, 22) || one(host, 2222);
            let again = || {
                thread::sleep(Duration::from_secs(1));
                either()
            };
            count += 1;
            if !either() && !again() {
                failed.push(format!("{} at {:?}", host.name, SystemTime::now()));
            }
        }
        thread::sleep(Duration::from_millis(500));
    }
    (failed, count)
}

/// Tells the others to stop, also when a test fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The times in which neither of two targets was open.
fn shut(attempts: &Attempts, one: usize, other: usize) -> Vec<Duration> {
    let rounds = attempts.of(one).zip(attempts.of(other));
    let (mut times, mut since) = (Vec::new(), None);
    for (one, other) in rounds {
        let open = one.outcome == Outcome::Open || other.outcome == Outcome::Open;
        match (open, since) {
            (false, None) => since = Some(one.started),
            (true, Some(start)) => {
                times.push(one.started.duration_since(start).unwrap_or_default());
                since = None;
            }
            (true, None) | (false, Some(_)) => {}
        }
    }
    assert!(since.is_none(), "in the end no port is open");
    times
}

/// The most connections that were begun to one host in any 30 s.
fn most_in_30_seconds(begun: &[(String, u16, u64)]) -> BTreeMap<&str, usize> {
    let mut most = BTreeMap::new();
    for (address, _, first) in begun {
        let within = |(other, _, ago): &&(String, u16, u64)| {
            other == address && ago <= first && first - ago <= 30
        };
        let count = begun.iter().filter(within).count();
        let entry = most.entry(address.as_str()).or_insert(0);
        *entry = count.max(*entry);
    }
    most
}

const INVENTORY: &str = "\
# what we have
hosts:
  bullseye: { port: 22 }   # the old one
  bookworm:
    user: ops  # with sudo
  trixie: {}
  socket: {}
";

const MOVED: &str = "\
# what we have
hosts:
  bullseye: { port: 2222 }   # the old one
  bookworm:
    port: 2222
    user: ops  # with sudo
  trixie: { port: 2222 }
  socket: { port: 2222 }
";

#[test]
fn ssh_moves_to_another_port_and_is_never_without_an_open_one() {
    let lab = Lab::new("portmove");
    let hosts = hosts(&lab);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.inventory(INVENTORY);
    let inventory = || fs::read_to_string(operator.project().join("inventory.yaml")).unwrap();
    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    let before: Vec<String> = hosts.iter().map(rules).collect();
    let mut sessions: Vec<Session> = hosts.iter().map(|host| Session::open(&lab, host)).collect();
    let targets: Vec<Target> = hosts
        .iter()
        .flat_map(|host| [22, 2222].map(|port| Target::new(EDGE_V4, host, port)))
        .collect();

    lab.watch_connections(OPERATOR_V4);
    let stop = AtomicBool::new(false);
    let (told, begun, attempts, (failed, count)) = thread::scope(|scope| {
        let prober = lab.knock(&targets);
        let logins = scope.spawn(|| logins(&lab, &hosts, &stop));
        let end = AtTheEnd(&stop);
        let told = operator.run(&[&MOVE[..], &["--yes"]].concat());
        let begun = lab.connections();
        drop(end);
        (told, begun, prober.stop(), logins.join().expect("logins"))
    });
    told.exits(0)
        .says("a new login succeeded, by port 2222 of the host");

    // Nobody who came was turned away, but for the instants in which sshd closes its ports to open them anew.
    assert_eq!(failed, Vec::<String>::new(), "of {count} logins");
    assert!(count >= 2 * hosts.len(), "{count} logins prove nothing");
    for (index, host) in hosts.iter().enumerate() {
        let times = shut(&attempts, 2 * index, 2 * index + 1);
        let short = times.iter().all(|time| *time < Duration::from_secs(1));
        assert!(short && times.len() <= 2, "{}: {times:?}", host.name);
        assert!(attempts.longest_pause(2 * index) < Duration::from_secs(1));
    }
    let most = most_in_30_seconds(&begun);
    assert_eq!(most.len(), hosts.len(), "{begun:?}");
    assert!(most.values().all(|most| *most <= 4), "{begun:?}");

    for ((host, before), session) in hosts.iter().zip(&before).zip(&mut sessions) {
        assert!(session.is_alive(), "{}", host.name);
        assert_eq!(ports(host), "2222", "{}", host.name);
        assert_eq!(
            rules(host),
            before.replace("22/tcp", "2222/tcp"),
            "{}",
            host.name
        );
        let port =
            "fail2ban-client get sshd action $(fail2ban-client get sshd actions | tail -n 1) port";
        assert_eq!(host.sh(port).trim(), "2222", "{}", host.name);
        let filter = host.sh(FILTER);
        assert!(filter.contains(STRANGER2_V4), "{}: {filter}", host.name);
        nothing_is_held(host);
    }
    assert_eq!(inventory(), MOVED);
    let now = fs::read_to_string(lab.known_hosts()).unwrap();
    let added = now.strip_prefix(&known).expect("only lines at the end");
    for host in &hosts {
        assert_eq!(
            added.matches(&format!("[{}]:2222 ", host.v4())).count(),
            3,
            "{added}"
        );
    }

    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let again = operator.run(&[&MOVE[..], &["--yes"]].concat());
    again.exits(0).never_says("guard armed");
    for (host, before) in hosts.iter().zip(&before) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
    }
    assert_eq!(inventory(), MOVED);
}

#[test]
fn a_port_that_is_dropped_on_the_way_is_taken_back_and_that_is_said() {
    let lab = Lab::new("portbox");
    let hosts = hosts(&lab);
    let operator = Operator::new(&lab, "operator", &hosts);
    let inventory = || fs::read_to_string(operator.project().join("inventory.yaml")).unwrap();
    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    let here = inventory();
    // A first login starts what systemd waits with.
    for host in &hosts {
        drop(Session::open(&lab, host));
    }
    let before: Vec<String> = hosts.iter().map(state).collect();
    lab.middle_box(Some(2222));
    // Three tries are made, and each takes as long as the operator's ssh is patient.
    let config = operator.home().join("ssh_config");
    let text = format!(
        "Host *\n    ConnectTimeout 4\nInclude {}\n",
        lab.ssh_config().display()
    );
    fs::write(&config, text).unwrap();
    operator.variable("HOLDFAST_SSH_CONFIG", config.to_str().unwrap());
    let told = operator.run(&[&MOVE[..], &["--yes"]].concat());
    told.exits(6);
    for (host, before) in hosts.iter().zip(&before) {
        let why = told.stopped(&host.name, Fault::Reverted);
        assert!(
            why.contains("reachable on the host, not from here: look at the provider's firewall"),
            "{why}"
        );
        assert!(why.ends_with("is as before"), "{why}");
        nothing_is_held(host);
        is_as_before(host, before);
    }
    let fired = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::GuardFired { fired, .. } => Some((fired.changes, fired.failed, fired.kept)),
        _ => None,
    });
    assert_eq!(fired.collect::<Vec<_>>(), [(3, 0, 0); 4]);
    assert_eq!(inventory(), here);
    assert_eq!(fs::read_to_string(lab.known_hosts()).unwrap(), known);
}

/// Who has the new port on one address alone, in the words of perl, and what is said of it.
const SQUATTERS: [(&str, &str); 2] = [
    (
        "socket(S, AF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(2222, INADDR_ANY)) or die; listen(S, 5)",
        "port 2222 is taken: squatter listens on 0.0.0.0",
    ),
    (
        "socket(S, AF_INET6, SOCK_STREAM, 0); setsockopt(S, IPPROTO_IPV6, IPV6_V6ONLY, 1);
            bind(S, pack_sockaddr_in6(2222, IN6ADDR_ANY)) or die; listen(S, 5)",
        "port 2222 is taken: squatter listens on [::]",
    ),
];

#[test]
fn a_new_port_that_a_process_has_is_refused_before_anything_is_touched() {
    let lab = Lab::new("porttaken");
    let spec = |name: &str| HostSpec::new(name).release(Release::Trixie);
    let hosts = lab.boot_all(vec![spec("service"), spec("socket").socket()]);
    let operator = Operator::new(&lab, "operator", &hosts);
    for host in &hosts {
        set_up(host);
        // A first login starts what systemd waits with.
        drop(Session::open(&lab, host));
    }
    let before: Vec<String> = hosts.iter().map(state).collect();
    for (squatter, says) in SQUATTERS {
        for host in &hosts {
            host.sh(&format!("{SQUAT}squat '{squatter}'"));
        }
        let prints: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
        let told = operator.run(&[&MOVE[..], &["--yes"]].concat());
        told.exits(3).never_says("guard armed");
        for (host, print) in hosts.iter().zip(&prints) {
            let why = told.stopped(&host.name, Fault::Failed);
            assert!(why.contains(says), "{}: {why}", host.name);
            assert_eq!(told.done(&host.name), [0_usize; 0], "{}", host.name);
            print.is_that_of(host);
            host.sh("systemctl stop lab-squat");
        }
    }
    for (host, before) in hosts.iter().zip(&before) {
        is_as_before(host, before);
    }
}

#[test]
fn whatever_is_half_done_already_is_carried_on_with() {
    let lab = Lab::new("porthalf");
    let spec = HostSpec::new("one").setup(Setup::Bare);
    // Without a firewall and without fail2ban there is less to do.
    let hosts = lab.boot_all(vec![
        spec.clone(),
        HostSpec {
            name: "two".to_owned(),
            ..spec
        }
        .release(Release::Trixie)
        .socket(),
    ]);
    let operator = Operator::new(&lab, "operator", &hosts);
    let run = |flags: &[&str]| {
        let told = operator.run(&[&MOVE[..], &["--yes"], flags].concat());
        told.exits(0);
        told
    };
    let drop_in = "/etc/ssh/sshd_config.d/00-holdfast-port.conf";
    let listen_on = |expected: &str, after: &str| {
        for host in &hosts {
            assert_eq!(ports(host), expected, "{} {after}", host.name);
        }
    };
    let nothing_is_left = || {
        let again = run(&["-e", "drop_old=false"]);
        again.nothing_to_do("one").nothing_to_do("two");
    };

    run(&["-e", "drop_old=false"]);
    listen_on("22 2222", "the first half");
    nothing_is_left();

    // The second half; the firewall that is no more asked for has not to be there for that.
    run(&[]);
    listen_on("2222", "the second half");
    run(&[]).nothing_to_do("one").nothing_to_do("two");

    // Somebody wrote the old port into our file, and sshd has not read it yet.
    for host in &hosts {
        host.sh(&format!("sed -i 's/^Port .*/Port 22/' {drop_in}"));
    }
    run(&[]);
    listen_on("2222", "a file that says otherwise");

    // Somebody went back, and the inventory does not know.
    let back = || {
        for host in &hosts {
            host.sh(&format!(
                "cp {drop_in} /root/kept; rm {drop_in}; systemctl daemon-reload"
            ));
        }
        hosts[0].sh("systemctl reload ssh; sleep 1");
        hosts[1].sh("systemctl restart ssh.socket");
        listen_on("22", "the way back");
    };
    back();
    run(&[]).says("it answers on port 22, not on 2222");
    listen_on("2222", "a way back by hand");

    // The new port in the file, the old one in the daemon: the next start would have moved it.
    back();
    operator.inventory("hosts:\n  one:\n  two: { port: 22 }\n");
    for host in &hosts {
        host.sh(&format!("cp /root/kept {drop_in}"));
    }
    run(&[]);
    listen_on("2222", "a move that sshd had not read");
    for host in &hosts {
        nothing_is_held(host);
    }
}
