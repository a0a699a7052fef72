//! `ssh-port-move` that is cut off: the controller is killed at every boundary there is, and hosts lose their
//! power at the worst moment. Wherever that is, a port admits, nothing stays armed, and the next run completes.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use holdfast::event::{EventKind, Fired};

use crate::guard::{held, nothing_is_held};
use crate::operator::{Operator, Told, looking_every, within};
use crate::port_move::{banned_ports, ports, rules, set_up, ssh};
use crate::support::lab::{HostSpec, Lab, LabHost, OPERATOR_V4, Release};

/// The time that a guard is announced with: every step of a section must come to its end in it, on a slow disk
/// too.
const TIME: Duration = Duration::from_secs(30);
/// The same for runs that come to their end.
const LONG: Duration = Duration::from_mins(10);
/// What restoring may take besides, on a machine that runs other tests too.
const LATE: Duration = Duration::from_secs(45);

/// Where a run is when it is killed: whatever it begins or ends on the host. A guard that gets its time again is
/// followed by a step at once.
fn is_boundary(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::HostPlanned { .. }
            | EventKind::GuardArmed { again: false, .. }
            | EventKind::StepStarted { .. }
            | EventKind::StepFinished { .. }
            | EventKind::GuardProven { .. }
            | EventKind::GuardDisarmed { .. }
            | EventKind::HostFinished { .. }
    )
}

/// Somebody with this host alone, and with trusted keys of their own.
fn operator<'lab>(lab: &'lab Lab, host: &LabHost<'_>) -> Operator<'lab> {
    let operator = Operator::new(lab, &host.name, std::slice::from_ref(host));
    let known = operator.home().join("known_hosts");
    fs::copy(lab.known_hosts(), &known).unwrap();
    let config = operator.home().join("ssh_config");
    let text = format!(
        "Host *\n    UserKnownHostsFile {}\nInclude {}\n",
        known.display(),
        lab.ssh_config().display()
    );
    fs::write(&config, text).unwrap();
    operator.variable("HOLDFAST_SSH_CONFIG", config.to_str().unwrap());
    operator
}

/// Like other hosts of these tests, without a limit for the operator, who comes again and again.
fn boot(lab: &Lab, specs: Vec<HostSpec>) -> Vec<LabHost<'_>> {
    let hosts = lab.boot_all(specs);
    thread::scope(|scope| {
        for host in &hosts {
            scope.spawn(|| {
                set_up(host);
                host.sh(&format!(
                    "ufw insert 1 allow proto tcp from {OPERATOR_V4} to any port 22 >/dev/null"
                ));
            });
        }
    });
    hosts
}

fn guards(told: &Told) -> Vec<Fired> {
    let found = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::GuardFired { fired, .. } => Some((**fired).clone()),
        _ => None,
    });
    found.collect()
}

/// Asserts that one of both ports admits a new login now.
#[track_caller]
fn admits(lab: &Lab, host: &LabHost<'_>, moment: &str) {
    let one = |port| {
        let mut command = ssh(lab, host, port);
        command
            .arg("true")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command.status().expect("ssh").success()
    };
    // sshd refuses for an instant while it reloads.
    within(
        Duration::from_secs(10),
        &format!("a login to {} {moment}", host.name),
        || one(22) || one(2222),
    );
}

/// Asserts that sshd, the firewall and fail2ban agree about the ports, and returns those.
#[track_caller]
fn agreed(host: &LabHost<'_>, moment: &str) -> String {
    let listens = ports(host);
    let mut admitted: Vec<String> = rules(host)
        .lines()
        .filter_map(|line| Some(line.split_once("/tcp LIMIT")?.0.to_owned()))
        .collect();
    admitted.dedup();
    let bans = banned_ports(host).replace("ssh", "22").replace(',', " ");
    assert_eq!(admitted.join(" "), listens, "{} {moment}: ufw", host.name);
    assert_eq!(bans, listens, "{} {moment}: fail2ban", host.name);
    listens
}

fn inventory(operator: &Operator<'_>) -> PathBuf {
    operator.project().join("inventory.yaml")
}

/// A move of one host, there or back.
struct Move<'a, 'lab> {
    lab: &'a Lab,
    host: &'a LabHost<'lab>,
    operator: Operator<'a>,
    from: u16,
    to: u16,
}

impl Move<'_, '_> {
    fn words(&self, time: Duration) -> Vec<String> {
        let to = format!("port={}", self.to);
        let time = format!("--guard-time={}s", time.as_secs());
        let words = [
            "run",
            "ssh-port-move",
            "-e",
            &to,
            "-e",
            "soak=0s",
            "--yes",
            &time,
        ];
        words.map(str::to_owned).into()
    }

    /// Makes the operator know the host by the name of the port that it has now, and by no other.
    fn trusts_the_port_alone(&self) {
        let address = self.host.v4();
        let name = match self.from {
            22 => address.clone(),
            port => format!("[{address}]:{port}"),
        };
        let known = fs::read_to_string(self.lab.known_hosts()).unwrap();
        let keys = known.lines().filter_map(|line| {
            let (names, key) = line.split_once(' ')?;
            let is_its = names.split(',').any(|one| one == address);
            is_its.then(|| format!("{name} {key}\n"))
        });
        let keys: String = keys.collect();
        assert!(!keys.is_empty(), "no key of {}", self.host.name);
        fs::write(self.operator.home().join("known_hosts"), keys).unwrap();
    }

    /// Kills the run at its boundary of this number; `false`: it has no such boundary and is done.
    #[track_caller]
    fn is_cut_at(&self, number: usize) -> bool {
        let words = self.words(TIME);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut running = self.operator.start(&words);
        if !running.reaches(number, is_boundary) {
            running.wait().exits(0);
            return false;
        }
        running.kill();
        true
    }

    /// After the run was killed: a port admits at once, and all is at rest in the announced time.
    #[track_caller]
    fn comes_to_rest(&self, moment: &str) {
        admits(self.lab, self.host, moment);
        let what = format!("{} at rest {moment}", self.host.name);
        looking_every(Duration::from_secs(1), TIME + LATE, &what, || {
            let lock = ["flock", "-n", "/run/holdfast.lock", "true"];
            held(self.host).is_empty() && self.host.exec(&lock).status.success()
        });
        admits(self.lab, self.host, moment);
        let both = format!("{} {}", self.from.min(self.to), self.from.max(self.to));
        let listens = agreed(self.host, moment);
        let allowed = [self.from.to_string(), both, self.to.to_string()];
        assert!(
            allowed.contains(&listens),
            "{} {moment}: {listens}",
            self.host.name
        );
    }

    /// The next run says what it found, if a guard fired, and does the rest.
    #[track_caller]
    fn is_completed(&self, moment: &str) {
        let untold = "for guard in /var/lib/holdfast/runs/*/guard; do
            [ ! -e $guard/fired ] || [ -e $guard/told ] || echo $guard; done";
        let fired = self.host.sh(untold).lines().count();
        let words = self.words(LONG);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let told = self.operator.run(&words);
        told.exits(0);
        let guards = guards(&told);
        assert_eq!(guards.len(), fired, "{moment}\n{}", told.all());
        for guard in &guards {
            assert!(
                !guard.own && guard.failed == 0 && guard.kept == 0,
                "{moment}: {guard:?}"
            );
            told.says("it was cut off before a new login had proven its changes");
        }
        assert_eq!(self.host.sh(untold), "", "{moment}: told once");
        nothing_is_held(self.host);
        assert_eq!(agreed(self.host, moment), self.to.to_string());
        let inventory = fs::read_to_string(inventory(&self.operator)).unwrap();
        assert!(
            inventory.contains(&format!("port: {}", self.to)),
            "{moment}: {inventory}"
        );
    }
}

/// The plan, two sections with three steps each (armed, begun and done, proven, disarmed), two steps between
/// them, the end.
const BOUNDARIES: usize = 1 + 2 * (1 + 3 * 2 + 2) + 2 * 2 + 1;

/// Kills runs on one host at the boundaries `first`, `first + stride` and so on.
#[track_caller]
fn cut_again_and_again(lab: &Lab, host: &LabHost<'_>, first: usize, stride: usize) {
    let mut moved = Move {
        lab,
        host,
        operator: operator(lab, host),
        from: 22,
        to: 2222,
    };
    for number in (first..=BOUNDARIES).step_by(stride) {
        moved.trusts_the_port_alone();
        let moment = format!("after boundary {number} of {} to {}", moved.from, moved.to);
        assert!(
            moved.is_cut_at(number),
            "{}: there is none {moment}",
            host.name
        );
        moved.comes_to_rest(&moment);
        moved.is_completed(&moment);
        // The way back is a move like any other.
        (moved.from, moved.to) = (moved.to, moved.from);
    }
    if first == 1 {
        moved.trusts_the_port_alone();
        assert!(!moved.is_cut_at(BOUNDARIES + 1), "one more boundary");
    }
}

#[test]
fn wherever_the_controller_dies_a_port_admits_and_the_next_run_completes() {
    let lab = Lab::new("portcut");
    let plain = |name: &str, release| HostSpec::new(name).release(release);
    let hosts = boot(
        &lab,
        vec![
            plain("bullseye", Release::Bullseye),
            plain("bookworm", Release::Bookworm),
            plain("trixie", Release::Trixie),
            plain("socket-12", Release::Bookworm).socket(),
            plain("socket-13", Release::Trixie).socket(),
            plain("another", Release::Bookworm),
        ],
    );
    let stride = hosts.len();
    thread::scope(|scope| {
        let lab = &lab;
        let threads: Vec<_> = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                scope.spawn(move || cut_again_and_again(lab, host, index + 1, stride))
            })
            .collect();
        for thread in threads {
            thread.join().expect("a host");
        }
    });
}

/// The power goes when the last step of a section is done: sshd listens elsewhere, and nobody has come by it yet.
#[track_caller]
fn loses_power_after(moved: &Move<'_, '_>, step: &str, left: &str) {
    let words = moved.words(Duration::from_mins(30));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut running = moved.operator.start(&words);
    let done = running.reaches(
        1,
        |kind| matches!(kind, EventKind::StepFinished { name, .. } if name.starts_with(step)),
    );
    running.kill();
    assert!(done, "there was no step `{step}`");
    moved.host.reset();
    let moment = format!("after the power went at `{step}`");
    nothing_is_held(moved.host);
    admits(moved.lab, moved.host, &moment);
    within(Duration::from_mins(1), "fail2ban", || {
        let ping = "fail2ban-client get sshd actions >/dev/null 2>&1 && echo yes || echo no";
        moved.host.sh(ping) == "yes\n"
    });
    assert_eq!(agreed(moved.host, &moment), left);
}

#[test]
fn a_host_that_loses_its_power_at_the_worst_moment_is_back_and_the_next_run_completes() {
    let lab = Lab::new("portdark");
    let specs = Release::ALL.map(|release| HostSpec::new(release.name()).release(release));
    let socket = HostSpec::new("socket").release(Release::Trixie).socket();
    let hosts = boot(&lab, specs.into_iter().chain([socket]).collect());
    thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| {
                let moved = Move {
                    lab: &lab,
                    host,
                    operator: operator(&lab, host),
                    from: 22,
                    to: 2222,
                };
                scope.spawn(move || loses_its_power(&moved))
            })
            .collect();
        for thread in threads {
            thread.join().expect("a host");
        }
    });
}

#[track_caller]
fn loses_its_power(moved: &Move<'_, '_>) {
    loses_power_after(moved, "sshd listens on port 2222", "22");
    loses_power_after(moved, "The firewall no longer admits port 22", "22 2222");
    let words = moved.words(LONG);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let told = moved.operator.run(&words);
    told.exits(0)
        .says("a restart came before a new login had proven its changes");
    let guards = guards(&told);
    let one = guards.len() == 1 && guards[0].at_boot && guards[0].failed == 0;
    assert!(one, "{guards:?}");
    nothing_is_held(moved.host);
    assert_eq!(agreed(moved.host, "in the end"), "2222");
}
