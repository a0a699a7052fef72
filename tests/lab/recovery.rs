//! Runs that are cut off, at any moment and by anything: the next run says what was done and what not, carries on,
//! and leaves nothing of them lying.

use std::thread;
use std::time::{Duration, Instant};

use crate::files::cut_connections;
use crate::guard::{held, nothing_is_held};
use crate::operator::{Operator, Told, within};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use crate::support::pty::Pty;
use holdfast::event::{Decision, Event, EventKind, Fault, StepResult, StepState, Unfinished};
use jiff::Timestamp;

/// Steps of many kinds, each due again with another value of `v`; two of them wait for a guard's proof.
const MANY: &str = r#"name: many
summary: Many kinds
why: for a test
risk: medium
inputs:
  v: {type: int, min: 1, help: what is different}
steps:
  - name: A file is there
    file: {path: /etc/holdfast-many.conf, content: "v={{ inputs.v }}\n", mode: "0640"}
  - name: Values of the kernel
    sysctl: { file: 77-many.conf, values: { net.ipv4.tcp_keepalive_time: "{{ 7000 + inputs.v }}" } }
  - name: Settings of apt
    apt_conf: { file: 52many, lists: { "Unattended-Upgrade::Origins-Pattern": [ "origin=x{{ inputs.v }}" ] } }
  - name: Something takes its time
    command:
      argv: [sh, -c, "sleep 0.7; touch /etc/holdfast-many.slow-{{ inputs.v }}"]
      creates: "/etc/holdfast-many.slow-{{ inputs.v }}"
      undo: [rm, -f, "/etc/holdfast-many.slow-{{ inputs.v }}"]
  - name: A guarded file is there
    guard: true
    file: {path: /etc/holdfast-many.guarded, content: "v={{ inputs.v }}\n"}
  - name: sshd allows so many tries
    guard: true
    sshd_config: {drop_in: 00-holdfast-many.conf, settings: {MaxAuthTries: "{{ 10 + inputs.v }}"}}
  - name: Somebody is let in
    ufw_rules: {tag: many, allow: tcp, ports: [443], from: "198.51.100.{{ inputs.v }}"}
  - id: unit
    name: A drop-in
    systemd_unit: { name: lab-listen, drop_in: 10-many.conf, content: "[Service]\nNice={{ inputs.v % 20 }}\n" }
  - name: It is read
    service: { name: lab-listen, running: true }
    reload_on: [unit]
"#;

/// A row of numbers without a pattern, the same for the same seed (`xorshift64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}

/// What was found of runs that were cut off.
fn found(told: &Told) -> Vec<Unfinished> {
    let found = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::UnfinishedFound { found, .. } => Some((**found).clone()),
        _ => None,
    });
    found.collect()
}

/// The runs of which it was decided what becomes of them, on any host.
fn settled(told: &Told, wanted: Decision) -> Vec<String> {
    let settled = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::UnfinishedSettled { run, decision, .. } if *decision == wanted => {
            Some(run.clone())
        }
        _ => None,
    });
    settled.collect()
}

fn states(found: &Unfinished) -> Vec<StepState> {
    found.steps.iter().map(|step| step.state).collect()
}

/// The journal of a run on a host; empty when it never came there.
fn journal(host: &LabHost<'_>, run: &str) -> String {
    host.sh(&format!(
        "cat /var/lib/holdfast/runs/{run}/journal 2>/dev/null || true"
    ))
}

fn is_free(host: &LabHost<'_>) -> bool {
    let lock = host.exec(&["flock", "-n", "/run/holdfast.lock", "true"]);
    lock.status.success()
}

/// Asserts that nothing of any run waits, holds or lies about on a host.
#[track_caller]
fn nothing_is_left(host: &LabHost<'_>) {
    nothing_is_held(host);
    let left = host.sh(
        "find / -xdev \\( -name '.holdfast*' -o -name '*.holdfast' \\) -print 2>/dev/null || true
         find /var/lib/holdfast \\( -name busy -o -name taking -o -name '*.new' -o -path '*/guard/armed' -o -path '*/guard/firing' -o -path '*/runs/.*' \\) -print 2>/dev/null || true
         find /run -maxdepth 1 -name 'holdfast.guard.*' || true
         find /var/lib/holdfast/pending -type f 2>/dev/null || true
         cat /run/holdfast.holder",
    );
    assert_eq!(left.trim(), "", "{}: left behind", host.name);
    assert!(is_free(host), "{}: the lock is held", host.name);
}

/// How many hosts are worked on at the same time, and how often a run is killed on each.
const HOSTS: u64 = 5;
const ROUNDS: u64 = 4;

/// The moment to kill a run in: somewhere in its own part of the usual time, of which each round on each host has
/// another.
fn moment(dice: &mut Dice, usual: Duration, (nth, round): (u64, u64)) -> Duration {
    let part = usual / u32::try_from(HOSTS * ROUNDS).expect("a few");
    let micros = u64::try_from(part.as_micros()).expect("a short time");
    let before = u32::try_from((round - 1) * HOSTS + nth).expect("a few");
    part * before + Duration::from_micros(dice.roll(micros))
}

/// One after the other: a run that is killed at some moment, and one that carries on.
fn kill_and_carry_on(
    host: &LabHost<'_>,
    operator: &Operator<'_>,
    (nth, seed): (u64, u64),
) -> usize {
    let mut dice = Dice(seed);
    let words = |round: u64| format!("v={}", round + 1);
    let flags = ["--yes", "--guard-time=30s", "--limit", &host.name];
    let run = |round: u64| {
        let value = words(round);
        let mut all = vec!["run", "many", "-e", &value];
        all.extend(flags);
        operator.start(&all)
    };
    let begun = Instant::now();
    run(0).wait().exits(0).changed(&host.name, 9);
    let usual = begun.elapsed();
    let mut cut_off = 0;
    for round in 1..=ROUNDS {
        let moment = moment(&mut dice, usual, (nth, round));
        let killed = run(round);
        thread::sleep(moment);
        let id = killed.id();
        killed.kill();
        // What runs on the host runs to its end, and holds the lock until then.
        within(Duration::from_mins(1), "the lock", || is_free(host));
        let left = id.as_ref().map_or(String::new(), |id| journal(host, id));
        let is_cut = left.contains(" started\n") && !left.contains(" closed ");
        let told = run(round).wait();
        let at = format!(
            "{}: seed {seed}, round {round}, killed after {moment:?}\n{left}",
            host.name
        );
        assert_eq!(told.status, 0, "{at}\n{}", told.all());
        let runs: Vec<String> = found(&told).into_iter().map(|found| found.run).collect();
        let expected: Vec<String> = id.clone().into_iter().filter(|_| is_cut).collect();
        assert_eq!(runs, expected, "{at}\n{}", told.all());
        assert_eq!(settled(&told, Decision::Resumed), expected, "{at}");
        for found in found(&told) {
            cut_off += 1;
            told.says("was cut off");
            let done = states(&found);
            let done = done.iter().filter(|state| **state == StepState::Done);
            // What the guard took back is told as that.
            if !left.contains("step 5 ") {
                assert_eq!(done.count(), left.matches(" done\n").count(), "{at}");
            }
        }
        let value = round + 1;
        let now = host.sh(&format!(
            "cd /etc; ls holdfast-many.slow-{value}; cat holdfast-many.conf holdfast-many.guarded
             sysctl -n net.ipv4.tcp_keepalive_time; systemctl show -p Nice --value lab-listen
             sshd -T | grep -i maxauthtries; grep -c '^### tuple' ufw/user.rules
             iptables-save | grep -o '198.51.100.*--dport.*'"
        ));
        let expected = format!(
            "holdfast-many.slow-{value}\nv={value}\nv={value}\n{}\n{value}\nmaxauthtries {}\n2\n\
             198.51.100.{value}/32 -p tcp -m tcp --dport 443 -j ACCEPT\n",
            7000 + value,
            10 + value
        );
        assert_eq!(now, expected, "{at}");
        assert_eq!(held(host), "", "{at}");
        nothing_is_left(host);
    }
    let value = words(ROUNDS);
    let last = operator.run(&[
        "run",
        "many",
        "-e",
        &value,
        "--dry-run",
        "--limit",
        &host.name,
    ]);
    last.exits(0).nothing_to_do(&host.name);
    assert_eq!(found(&last), []);
    cut_off
}

/// What the steps of `many` make, with owners and modes.
fn made(host: &LabHost<'_>) -> String {
    host.sh(
        "cd /etc; for one in holdfast-many.conf holdfast-many.guarded sysctl.d/77-many.conf apt/apt.conf.d/52many \
            systemd/system/lab-listen.service.d/10-many.conf ssh/sshd_config.d/00-holdfast-many.conf ufw/user.rules; do
            stat -c '%n %a %u:%g' $one 2>/dev/null && cat $one || echo no $one
         done
         ls holdfast-many.slow-* 2>/dev/null || :
         sysctl -n net.ipv4.tcp_keepalive_time; systemctl show -p Nice --value lab-listen
         sshd -T; iptables-save -t filter | sed -e '/^#/d' -e 's/ \\[[0-9:]*\\]$//'",
    )
}

/// One after the other: a run, its way back that is killed at some moment, and one that carries on with that.
fn kill_the_way_back(
    host: &LabHost<'_>,
    operator: &Operator<'_>,
    (nth, seed): (u64, u64),
) -> usize {
    let mut dice = Dice(seed);
    let flags = ["--yes", "--guard-time=30s", "--limit", &host.name];
    let apply = |value: u64| {
        let value = format!("v={value}");
        let mut words = vec!["run", "many", "-e", &value];
        words.extend(flags);
        operator.run(&words)
    };
    let back = |run: &str| {
        let mut words = vec!["rollback", run];
        words.extend(flags);
        operator.start(&words)
    };
    let (mut cut_off, mut usual) = (0, Duration::ZERO);
    for round in 0..=ROUNDS {
        let before = made(host);
        let run = apply(100 + round).exits(0).id();
        assert_ne!(made(host), before);
        let begun = Instant::now();
        let killed = back(&run);
        if round == 0 {
            killed.wait().exits(0);
            usual = begun.elapsed();
            assert_eq!(made(host), before);
            continue;
        }
        let moment = moment(&mut dice, usual, (nth, round));
        thread::sleep(moment);
        let id = killed.id();
        killed.kill();
        within(Duration::from_mins(1), "the lock", || is_free(host));
        let left = id.as_ref().map_or(String::new(), |id| journal(host, id));
        let is_cut = left.contains(" started\n") && !left.contains(" closed ");
        let at = format!(
            "{}: seed {seed}, rollback {round}, killed after {moment:?}\n{left}",
            host.name
        );
        let told = back(&run).wait();
        assert_eq!(told.status, 0, "{at}\n{}", told.all());
        let expected: Vec<String> = id.into_iter().filter(|_| is_cut).collect();
        let runs: Vec<String> = found(&told).into_iter().map(|found| found.run).collect();
        assert_eq!(runs, expected, "{at}\n{}", told.all());
        assert_eq!(settled(&told, Decision::Resumed), expected, "{at}");
        cut_off += runs.len();
        assert_eq!(made(host), before, "{at}\n{}", told.all());
        nothing_is_left(host);
    }
    cut_off
}

/// For whoever reads why a test failed.
#[expect(clippy::print_stderr, reason = "the test's own output")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Boots a host of each kind and lets each be worked on with a seed of its own; the sum of what came of it.
fn on_five_hosts(
    name: &str,
    work: impl Fn(&LabHost<'_>, &Operator<'_>, (u64, u64)) -> usize + Sync,
) -> usize {
    let seed = std::env::var("HOLDFAST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| std::process::id().into());
    say(&format!("HOLDFAST_SEED={seed}"));
    let lab = Lab::new(name);
    let kinds = [
        ("a", Release::Bookworm),
        ("b", Release::Bullseye),
        ("c", Release::Trixie),
        ("d", Release::Bookworm),
        ("e", Release::Trixie),
    ];
    let specs =
        kinds.map(|(name, release)| HostSpec::new(name).release(release).setup(Setup::UfwActive));
    let hosts = lab.boot_all(specs.into());
    assert_eq!(hosts.len(), usize::try_from(HOSTS).expect("a few"));
    thread::scope(|scope| {
        let (lab, work) = (&lab, &work);
        let works = hosts.iter().zip(0..).map(|(host, number): (_, u64)| {
            scope.spawn(move || {
                let operator = Operator::new(lab, &host.name, std::slice::from_ref(host));
                operator.runbook("many", MANY);
                work(host, &operator, (number, (seed + 1) * 7919 + number + 1))
            })
        });
        let works: Vec<_> = works.collect();
        works
            .into_iter()
            .map(|work| work.join().expect("all went well"))
            .sum()
    })
}

#[test]
fn a_run_killed_at_any_moment_is_explained_and_carried_on() {
    let cut_off = on_five_hosts("killed", kill_and_carry_on);
    // Most moments are in the middle of something; a few come before the first step or after the last.
    assert!(cut_off >= 5, "only {cut_off} of 20 runs were cut off");
}

#[test]
fn a_way_back_killed_at_any_moment_is_explained_and_carried_on() {
    let cut_off = on_five_hosts("killedback", kill_the_way_back);
    assert!(cut_off >= 5, "only {cut_off} of 20 ways back were cut off");
}

/// What takes its time, between two files.
const SLOW: &str = r#"name: slow
summary: Something slow between two files
why: for a test
risk: low
inputs:
  seconds: {type: int, default: 5, min: 1, help: how long it takes}
steps:
  - name: A file is there
    file: {path: /etc/holdfast-before, content: "so\n"}
  - name: Something takes its time
    command:
      argv: [sh, -c, "echo ran >>/root/ran; sleep {{ inputs.seconds }}; touch /root/made"]
      creates: /root/made
      undo: [rm, -f, /root/ran, /root/made]
  - name: A file that comes after it
    file: {path: /etc/holdfast-after, content: "so\n"}
"#;

/// The same under another name; what takes its time is guarded, or taken back as slowly.
fn slow(name: &str, is_guarded: bool, is_slow_back: bool) -> String {
    let mut text = SLOW.replace("name: slow", &format!("name: {name}"));
    if is_guarded {
        text = text.replace("takes its time\n", "takes its time\n    guard: true\n");
    }
    if is_slow_back {
        let undo = r#"[sh, -c, 'echo >>/root/back; sleep 20; rm -f "$@"', sh,"#;
        text = text.replace("[rm, -f,", undo);
    }
    text
}

/// What a machine that is busy with other tests may add to a time.
const BUSY: Duration = Duration::from_secs(30);

fn is_there(host: &LabHost<'_>, path: &str) -> bool {
    host.exec(&["test", "-e", path]).status.success()
}

/// Which packets of SSH a host's network drops.
#[derive(Clone, Copy)]
enum Cut {
    /// What comes and what goes.
    All,
    /// What comes: the operator still hears what the host says, and is heard no more.
    Incoming,
}

/// The host's network drops packets of SSH from now on.
fn cut(host: &LabHost<'_>, what: Cut) {
    host.sh("nft add table inet away
         nft 'add chain inet away in { type filter hook input priority -10; }'
         nft add rule inet away in tcp dport 22 drop");
    if let Cut::All = what {
        host.sh(
            "nft 'add chain inet away out { type filter hook output priority -10; }'
             nft add rule inet away out tcp sport 22 drop",
        );
    }
}

/// And no more.
fn mend(host: &LabHost<'_>) {
    host.sh("nft delete table inet away");
}

/// The times in which an outcome is called unknown, as they were told when the link was found broken: from then on, and
/// from the cut on. Asserts that it was by the first.
#[track_caller]
fn stated(events: &[Event]) -> (Timestamp, Duration) {
    let found = events.iter().find_map(|event| match &event.kind {
        EventKind::StepProgress { text, .. } => {
            let (_, times) = text.split_once("unknown if the host is not back within ")?;
            let (within, times) = times.split_once(" s (")?;
            let (after, _) = times.split_once(" s after the line was cut)")?;
            Some((event.at, within.parse().ok()?, after.parse().ok()?))
        }
        _ => None,
    });
    let (at, within, after) = found.unwrap_or_else(|| panic!("no time is told: {events:#?}"));
    let unknown = events.iter().find(|event| is_unknown(&event.kind));
    let unknown = unknown.expect("an unknown outcome").at;
    let took = unknown.duration_since(at).unsigned_abs();
    let limit = Duration::from_secs(within) + BUSY;
    assert!(took < limit, "unknown after {took:?}, not {within} s");
    (unknown, Duration::from_secs(after) + BUSY)
}

fn is_unknown(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::StepFinished {
            result: StepResult::Failed {
                fault: Fault::OutcomeUnknown,
                ..
            },
            ..
        }
    )
}

#[test]
fn a_link_that_is_cut_for_a_while_or_for_good_is_told_in_time_and_the_host_knows_the_rest() {
    let lab = Lab::new("linkcut");
    let names = ["while", "forever", "unheard", "guarded", "back"];
    let hosts = lab.boot_all(
        names
            .map(|name| HostSpec::new(name).setup(Setup::Full))
            .into(),
    );
    let operators: Vec<Operator<'_>> = hosts
        .iter()
        .map(|host| {
            let operator = Operator::new(&lab, &host.name, std::slice::from_ref(host));
            operator.runbook("slow", SLOW);
            operator.runbook("guarded", &slow("guarded", true, false));
            operator.runbook("back", &slow("back", false, true));
            operator
        })
        .collect();
    let to_be_back = operators[4]
        .run(&["run", "back", "--yes", "-e", "seconds=1"])
        .exits(0)
        .id();
    let start = |nth: usize, words: &[&str]| operators[nth].start(words);
    // Long enough for five hosts to be looked for and cut off one after the other.
    let run = ["run", "slow", "--yes", "-e", "seconds=20"];
    let awhile = start(0, &run);
    let forever = start(1, &run);
    let unheard = start(2, &run);
    let guarded = start(
        3,
        &[
            "run",
            "guarded",
            "--yes",
            "--guard-time",
            "60s",
            "-e",
            "seconds=20",
        ],
    );
    let back = start(4, &["rollback", &to_be_back, "--yes"]);
    let mut at = Vec::new();
    for host in &hosts {
        let (path, what) = match host.name.as_str() {
            "back" => ("/root/back", Cut::All),
            "unheard" => ("/root/ran", Cut::Incoming),
            _ => ("/root/ran", Cut::All),
        };
        within(Duration::from_mins(1), "the step", || is_there(host, path));
        at.push(Timestamp::now());
        cut(host, what);
    }
    let ids = [&awhile, &forever, &unheard, &guarded, &back].map(|run| run.id().expect("a run"));
    thread::sleep(Duration::from_secs(90));
    mend(&hosts[0]);

    // Back in time: the host was asked what became of it, and the run went on.
    let awhile = awhile.wait();
    awhile.exits(0).changed("while", 3);
    assert_eq!(hosts[0].read("/root/ran"), b"ran\n", "done twice");
    assert!(
        awhile
            .progress("while")
            .iter()
            .any(|text| text.contains("looking what became of it"))
    );
    assert!(journal(&hosts[0], "*").ends_with("closed done\n"));

    // Away for ever: unknown in the time that is told.
    guarded.wait_for("an unknown outcome", is_unknown);
    let (unknown, limit) = stated(&guarded.events());
    assert!(unknown.duration_since(at[3]).unsigned_abs() < limit);
    guarded.kill();
    for (nth, running) in [(1, forever), (2, unheard), (4, back)] {
        let told = running.wait();
        let name = &hosts[nth].name;
        told.exits(10)
            .says("outcome unknown")
            .stopped(name, Fault::OutcomeUnknown);
        let (unknown, limit) = stated(&told.events);
        // Of a line that is cut one way more was heard at first.
        let limit = limit + Duration::from_secs(if name == "unheard" { 10 } else { 0 });
        let took = unknown.duration_since(at[nth]).unsigned_abs();
        assert!(took < limit, "{name}: unknown after {took:?}");
    }

    // The operator's own shell there knows nothing yet, and is in nobody's way: the host's journal tells the rest.
    let next = |nth: usize, words: &[&str], changes: usize, left: &[StepState]| {
        let (host, operator) = (&hosts[nth], &operators[nth]);
        mend(host);
        let next = operator.run(words);
        next.exits(0)
            .changed(&host.name, changes)
            .says("was cut off");
        let told = found(&next);
        assert_eq!(told.len(), 1, "{}", next.all());
        assert_eq!(told[0].run, ids[nth]);
        assert_eq!(states(&told[0]), left, "{}", next.all());
        assert_eq!(settled(&next, Decision::Resumed), [ids[nth].as_str()]);
        nothing_is_left(host);
    };
    let done_but_the_last = [StepState::Done, StepState::Done, StepState::NotBegun];
    next(1, &run, 1, &done_but_the_last);
    next(2, &run, 1, &done_but_the_last);
    let taken_back = [StepState::Done, StepState::TakenBack, StepState::NotBegun];
    next(3, &["run", "guarded", "--yes"], 2, &taken_back);
    next(
        4,
        &["rollback", &to_be_back, "--yes"],
        1,
        &done_but_the_last,
    );
    for (nth, path) in [(1, "/root/ran"), (2, "/root/ran"), (3, "/root/ran")] {
        assert_eq!(hosts[nth].read(path), b"ran\n", "done twice");
    }
    assert_eq!(hosts[4].read("/root/back"), b"\n", "taken back twice");
    assert!(!is_there(&hosts[4], "/etc/holdfast-before"));
}

/// A program that nothing tells of afterwards.
const BLIND: &str = r#"name: blind
summary: Something that leaves no trace
why: for a test
risk: low
steps:
  - name: A file is there
    file: {path: /etc/holdfast-before, content: "so\n"}
  - name: A mail goes out
    command: {argv: [sh, -c, "echo sent >>/root/sent; sync; sleep 4"], always: true}
"#;

/// The disk with the host's own records is full in the middle.
const FULL: &str = r#"name: full
summary: Fills the disk
why: for a test
risk: low
inputs:
  what: {type: text, default: disk, help: "journal: it takes not even one more word; slow: it takes its time"}
steps:
  - name: A file is there
    file: {path: /etc/holdfast-before, content: "so\n"}
  - name: There is no room
    command:
      argv:
        - sh
        - -c
        - |
          dd if=/dev/zero of=/var/lib/holdfast/fill bs=4k count=900 2>/dev/null
          if [ "$1" = journal ]; then for one in /var/lib/holdfast/runs/*/journal; do yes '' >>$one; done; fi
          if [ "$1" = slow ]; then : >/root/full; sleep 5; fi
          exit 0
        - sh
        - "{{ inputs.what }}"
      creates: /var/lib/holdfast/fill
      undo: [rm, -f, /var/lib/holdfast/fill]
  - name: A file that comes after it
    file: {path: /etc/holdfast-after, content: "so\n"}
"#;

fn with_runbooks<'lab>(lab: &'lab Lab, name: &str, hosts: &[LabHost<'_>]) -> Operator<'lab> {
    let operator = Operator::new(lab, name, hosts);
    for (name, text) in [("slow", SLOW), ("blind", BLIND), ("full", FULL)] {
        operator.runbook(name, text);
    }
    operator.runbook("back", &slow("back", true, true));
    operator
}

#[test]
fn what_may_have_been_done_is_never_done_again_blindly() {
    let lab = Lab::new("blind");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    let operator = with_runbooks(&lab, "operator", &hosts);
    let running = operator.start(&["run", "blind", "--yes"]);
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/sent")
    });
    let lost = running.id().expect("a run");
    running.kill();
    host.reset();
    let sent = || host.read("/root/sent");

    // Told by everything that looks, and only by what changes something is it decided.
    for words in [&["run", "blind", "--dry-run"][..], &["verify", "blind"]] {
        let told = operator.run(words);
        told.says("was cut off")
            .says("the host was restarted since");
        let found = found(&told);
        assert_eq!(found[0].run, lost);
        assert_eq!(
            states(&found[0]),
            [StepState::Done, StepState::Unknown { made: 0 }]
        );
        assert_eq!(settled(&told, Decision::Resumed), [""; 0]);
    }
    for words in [
        &["run", "blind", "--yes"][..],
        &["run", "blind", "--unattended"],
        &["run", "blind", "--unattended", "--unfinished", "resume"],
    ] {
        let told = operator.run(words);
        told.exits(9)
            .says("it is not done again blindly")
            .says("step 2 (A mail goes out)");
        told.stopped("web", Fault::NeedsHuman);
        assert_eq!(sent(), b"sent\n", "{}", told.words);
    }
    // Another runbook repeats nothing of it, and does not settle it.
    let told = operator.run(&["run", "slow", "--yes"]);
    told.exits(0).says("was cut off");
    assert_eq!(settled(&told, Decision::Resumed), [""; 0]);
    // A person has looked.
    let told = operator.run(&["run", "blind", "--yes", "--unfinished", "resume"]);
    told.exits(0).says("settled");
    assert_eq!(settled(&told, Decision::Resumed), [lost]);
    assert_eq!(sent(), b"sent\nsent\n");
    let told = operator.run(&["run", "blind", "--yes"]);
    told.exits(0).never_says("was cut off");
    nothing_is_left(host);
}

#[test]
fn a_full_disk_and_a_restart_in_the_middle_are_told_by_the_next_run() {
    let lab = Lab::new("fullcut");
    let hosts = lab.boot_all(vec![
        HostSpec::new("full").setup(Setup::Bare),
        HostSpec::new("restarted").setup(Setup::Bare),
    ]);
    let (full, restarted) = (&hosts[0], &hosts[1]);
    let operator = with_runbooks(&lab, "full", &hosts);
    let other = with_runbooks(&lab, "restarted", &hosts);
    full.sh("mkdir -m 0700 /var/lib/holdfast; mount -t tmpfs -o size=2m,mode=0700 none /var/lib/holdfast");
    let running = other.start(&["run", "slow", "--yes", "-l", "restarted"]);
    within(Duration::from_mins(1), "the step", || {
        is_there(restarted, "/root/ran")
    });
    restarted.reset();

    // Some room is left in the journal: it says how it ended.
    let to_full = |what: &str| operator.run(&["run", "full", "--yes", "-l", "full", "-e", what]);
    let told = to_full("what=disk");
    told.exits(3)
        .says("step.sh cannot be written: is the disk full?");
    assert!(!is_there(full, "/etc/holdfast-after"));
    assert!(journal(full, "*").ends_with(" closed failed\n"));
    let told = to_full("what=disk");
    told.exits(3)
        .says("the run's folder cannot be made")
        .never_says("was cut off");
    full.sh("rm /var/lib/holdfast/fill /etc/holdfast-before");
    a_reconnect_to_a_full_disk_takes_nothing_away(full, &operator);
    let told = to_full("what=journal");
    told.exits(3).says("cannot be written");
    assert!(!is_there(full, "/etc/holdfast-after"));
    // As long as nothing can be written, nothing is done.
    let told = to_full("what=journal");
    told.exits(3).says("was cut off");
    assert!(!is_there(full, "/etc/holdfast-after"));
    full.sh("truncate -s 0 /var/lib/holdfast/fill");
    let told = to_full("what=journal");
    told.exits(0).says("was cut off");
    let of_full = found(&told);
    assert_eq!(
        states(&of_full[0]),
        [
            StepState::Done,
            StepState::Unknown { made: 0 },
            StepState::NotBegun
        ]
    );
    assert_eq!(settled(&told, Decision::Resumed), [of_full[0].run.clone()]);
    assert!(is_there(full, "/etc/holdfast-after"));

    running
        .wait()
        .exits(10)
        .stopped("restarted", Fault::OutcomeUnknown);
    let told = other.run(&["run", "slow", "--dry-run", "-l", "restarted"]);
    told.exits(0).says("the host was restarted since it began");
    let found = found(&told);
    assert_eq!(
        states(&found[0]),
        [
            StepState::Done,
            StepState::Unknown { made: 0 },
            StepState::NotBegun
        ]
    );
    assert!(is_there(restarted, "/root/ran") && is_there(restarted, "/etc/holdfast-before"));
    // Taken back by a run of its own, after the one that found it and that does nothing else there.
    let back = [
        "run",
        "slow",
        "--yes",
        "--unfinished",
        "undo",
        "-l",
        "restarted",
    ];
    let output = other.command(&back).output().expect("the program");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("what it had done was taken back"), "{said}");
    for path in [
        "/root/ran",
        "/root/made",
        "/etc/holdfast-before",
        "/etc/holdfast-after",
    ] {
        assert!(!is_there(restarted, path), "{path}\n{said}");
    }
    assert!(journal(restarted, &found[0].run).contains(" settled undone by "));
    let run = ["run", "slow", "--unattended", "-l", "restarted"];
    other
        .run(&run)
        .exits(0)
        .changed("restarted", 3)
        .never_says("was cut off");
    other.run(&run).exits(0).says_nothing();
    a_restart_in_the_middle_of_a_guarded_way_back(restarted, &other);
    for host in &hosts {
        nothing_is_left(host);
    }
}

/// The link breaks when the disk is full: the run comes back to it, and everything that was done can still be taken
/// back.
fn a_reconnect_to_a_full_disk_takes_nothing_away(host: &LabHost<'_>, operator: &Operator<'_>) {
    let running = operator.start(&["run", "full", "--yes", "-l", "full", "-e", "what=slow"]);
    within(Duration::from_mins(1), "the full disk", || {
        is_there(host, "/root/full")
    });
    let run = running.id().expect("a run");
    cut_connections(host);
    let told = running.wait();
    told.exits(3)
        .says("looking what became of it")
        .says("step.sh cannot be written: is the disk full?");
    assert_eq!(told.done("full"), [1, 2]);
    host.sh("truncate -s 0 /var/lib/holdfast/fill");
    operator
        .run(&["rollback", &run, "--yes", "-l", "full"])
        .exits(0)
        .changed("full", 2);
    for path in ["/etc/holdfast-before", "/var/lib/holdfast/fill"] {
        assert!(!is_there(host, path), "{path}");
    }
}

/// The host goes down in the middle of a guarded way back: its guard makes the change again, whole, and the next way
/// back comes to its end.
fn a_restart_in_the_middle_of_a_guarded_way_back(host: &LabHost<'_>, operator: &Operator<'_>) {
    host.sh("rm -rf /root/ran /root/made /etc/holdfast-*");
    let limit = ["--yes", "--guard-time=90s", "--limit", &host.name];
    let run = operator
        .run(&[&["run", "back", "-e", "seconds=1"], &limit[..]].concat())
        .exits(0)
        .id();
    let back = [&["rollback", &run], &limit[..]].concat();
    let running = operator.start(&back);
    within(Duration::from_mins(1), "the way back", || {
        is_there(host, "/root/back")
    });
    host.reset();
    let told = running.wait();
    told.exits(6).stopped(&host.name, Fault::Reverted);
    for (path, is) in [
        ("/root/made", true),
        ("/etc/holdfast-before", true),
        ("/etc/holdfast-after", false),
    ] {
        assert_eq!(is_there(host, path), is, "{path}\n{}", told.all());
    }
    nothing_is_held(host);
    operator.run(&back).exits(0).changed(&host.name, 2);
    for path in ["/root/ran", "/root/made", "/etc/holdfast-before"] {
        assert!(!is_there(host, path), "{path}");
    }
}

/// The program on a host itself, for that machine alone.
fn furnish(host: &LabHost<'_>) {
    host.sh("mkdir -p /root/lab/runbooks");
    let program = std::fs::read(env!("CARGO_BIN_EXE_holdfast")).expect("the program");
    host.write("/root/lab/holdfast", program);
    host.sh("chmod 0755 /root/lab/holdfast");
    host.write(
        "/root/lab/inventory.yaml",
        "hosts:\n  here: { connection: local }\n",
    );
    host.write("/root/lab/runbooks/slow.yaml", SLOW);
}

/// Runs the program on a host itself; what it said, and `exit N`.
fn here(host: &LabHost<'_>, words: &str) -> String {
    host.sh(&format!(
        "cd /root/lab; HOLDFAST_INVENTORY=inventory.yaml USER=timer ./holdfast {words} 2>&1 || echo exit $?"
    ))
}

/// From when to when each run held a host that came to its end there: when its card was written and when the last line
/// of its journal was, in nanoseconds.
fn spans(host: &LabHost<'_>) -> Vec<[u128; 2]> {
    let listed = host.sh("cd /var/lib/holdfast/runs; for one in *; do
            case $(tail -n 1 $one/journal) in *' closed '*) echo $(stat -c %.9Y $one/run $one/journal) ;; esac
         done");
    let time = |text: &str| text.replace('.', "").parse().expect("a time");
    let parse = |line: &str| {
        let (from, to) = line.split_once(' ').expect("two times");
        [time(from), time(to)]
    };
    let mut spans: Vec<[u128; 2]> = listed.lines().map(parse).collect();
    spans.sort_unstable();
    spans
}

/// How long it takes to have a word with a host over ssh alone; the fastest of some tries.
fn plain_connect(lab: &Lab, host: &LabHost<'_>) -> Duration {
    let once = || {
        let begun = Instant::now();
        let mut ssh = lab.operator("ssh");
        ssh.arg("-F").arg(lab.ssh_config());
        let status = ssh.args([host.name.as_str(), "true"]).status();
        assert!(status.expect("ssh").success());
        begun.elapsed()
    };
    (0..3).map(|_| once()).min().expect("three tries")
}

#[test]
fn two_operators_and_a_timer_are_told_of_each_other_at_once_and_never_mix() {
    let lab = Lab::new("threeruns");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    furnish(host);
    let (first, second) = (
        with_runbooks(&lab, "first", &hosts),
        with_runbooks(&lab, "second", &hosts),
    );
    first.variable("USER", "mallory");
    let running = first.start(&["run", "slow", "--yes", "-e", "seconds=12"]);
    running.wait_for_step(2);
    let id = running.id().expect("a run");

    // The fastest of some tries: the machine has other tests to do, which a plain connection tells of.
    let usual = plain_connect(&lab, host);
    let refused = || {
        let begun = Instant::now();
        let told = second.run(&["run", "slow", "--yes"]);
        let took = begun.elapsed();
        told.exits(7);
        let holder = told.stopped("web", Fault::Locked);
        for part in ["mallory@", "since 2", "runbook slow", id.as_str()] {
            assert!(holder.contains(part), "{part} is not in {holder:?}");
        }
        assert!(
            !told
                .events
                .iter()
                .any(|event| matches!(event.kind, EventKind::HostPlanned { .. }))
        );
        took
    };
    let took = (0..3).map(|_| refused()).min().expect("three tries");
    assert!(
        took < Duration::from_secs(1).max(usual * 5),
        "told after {took:?}; a plain connection takes {usual:?}"
    );
    let by_timer = here(host, "run slow --unattended");
    assert!(
        by_timer.ends_with("exit 7\n") && by_timer.contains(&id),
        "{by_timer}"
    );
    // Who only looks is told, and looks.
    let told = second.run(&["run", "slow", "--dry-run"]);
    told.exits(0).says("is at work on it now").says(&id);
    running.wait().exits(0).changed("web", 3);

    // And the other way round: the machine's own timer was first, and is killed.
    host.sh("rm -rf /root/ran /root/made /etc/holdfast-*; cd /root/lab
        HOLDFAST_INVENTORY=inventory.yaml USER=timer setsid ./holdfast run slow --unattended -e seconds=8 >/dev/null 2>&1 & echo $! >/root/pid");
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/ran")
    });
    let told = second.run(&["run", "slow", "--yes"]);
    told.exits(7);
    assert!(
        told.stopped("web", Fault::Locked).contains("timer@"),
        "{}",
        told.all()
    );
    host.sh("kill -KILL $(cat /root/pid)");
    within(Duration::from_mins(1), "the lock", || is_free(host));
    let told = second.run(&["run", "slow", "--yes"]);
    told.exits(0)
        .changed("web", 1)
        .says("of timer@")
        .says("done: step 1 (A file is there), step 2");

    // The shell on the host is killed: what runs goes on, and is found; it is the last step.
    host.sh("rm -rf /etc/holdfast-*");
    let running = second.start(&["run", "blind", "--yes"]);
    within(Duration::from_mins(1), "the step", || {
        is_there(host, "/root/sent")
    });
    host.sh("kill -KILL $(sed -n 2p /run/holdfast.holder | cut -d ' ' -f 2)");
    assert!(!is_free(host), "the step runs on");
    running.wait().exits(0).changed("web", 2);
    assert_eq!(host.read("/root/sent"), b"sent\n", "done twice");
    nothing_is_left(host);

    // All at the same moment: one after the other, or not at all.
    host.sh("rm -rf /root/ran /root/made /etc/holdfast-*");
    let running = [&first, &second].map(|operator| operator.start(&["run", "slow", "--yes"]));
    let by_timer = here(host, "run slow --unattended");
    let ends = running.map(|running| running.wait().status);
    assert!(ends.iter().all(|end| [0, 7].contains(end)), "{ends:?}");
    let won =
        ends.iter().filter(|end| **end == 0).count() + usize::from(!by_timer.contains("exit 7"));
    assert!(won >= 1, "{ends:?} {by_timer}");
    assert_eq!(host.read("/root/ran"), b"ran\n", "done twice");

    // Two who take the same run back.
    host.sh("rm -rf /root/ran /root/made /etc/holdfast-*");
    let run = first.run(&["run", "back", "--yes", "-e", "seconds=1"]);
    let run = run.exits(0).id();
    let back = ["rollback", &run, "--yes", "--limit", "web"];
    let running = first.start(&back);
    within(Duration::from_mins(1), "the way back", || {
        is_there(host, "/root/back")
    });
    let id = running.id().expect("a run");
    let told = second.run(&back);
    let holder = told.exits(7).stopped("web", Fault::Locked);
    for part in ["mallory@", "runbook rollback", id.as_str()] {
        assert!(holder.contains(part), "{part} is not in {holder:?}");
    }
    running.wait().exits(0).changed("web", 3);
    second.run(&back).exits(0).nothing_to_do("web");
    assert_eq!(host.read("/root/back"), b"\n", "taken back twice");

    let spans = spans(host);
    assert!(spans.len() >= 5, "{spans:?}");
    assert!(spans.iter().all(|[from, to]| from < to), "{spans:?}");
    let in_turn = |pair: &[[u128; 2]]| pair[0][1] <= pair[1][0];
    assert!(spans.windows(2).all(in_turn), "{spans:?}");
    nothing_is_left(host);
}

const QUESTION: &str = "Which? [resume/undo/settle/quit] ";

#[test]
fn a_person_decides_what_becomes_of_a_run_that_was_cut_off() {
    let lab = Lab::new("decides");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    let operator = with_runbooks(&lab, "operator", &hosts);
    let cut_off = || {
        host.sh("rm -rf /root/ran /root/made /etc/holdfast-*");
        let running = operator.start(&["run", "slow", "--yes"]);
        within(Duration::from_mins(1), "the step", || {
            is_there(host, "/root/ran")
        });
        let run = running.id().expect("a run");
        running.kill();
        within(Duration::from_mins(1), "the lock", || is_free(host));
        run
    };
    let ask = || {
        let mut command = operator.command(&["run", "slow"]);
        command.env("TERM", "xterm");
        Pty::start(&command, (50, 120))
    };

    let run = cut_off();
    let mut pty = ask();
    let told = pty.expect(QUESTION);
    for part in [
        run.as_str(),
        "was cut off",
        "done: step 1 (A file is there), step 2",
        "not done: step 3 (A file that comes after it)",
        "resume: this run goes on from what is there",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    // What is no answer is asked again; nothing is done when nothing is wanted.
    pty.write("what\n");
    pty.expect(QUESTION);
    pty.write("q\n");
    let (code, rest) = pty.end();
    assert_eq!(code, 0, "{rest}");
    assert!(!journal(host, &run).contains(" settled "));

    let mut pty = ask();
    pty.expect(QUESTION);
    pty.write("resume\n");
    pty.expect("Make 1 change on 1 host? [y/N] ");
    pty.write("y\n");
    assert_eq!(pty.end().0, 0);
    assert!(journal(host, &run).contains(" settled resumed by "));
    assert!(is_there(host, "/etc/holdfast-after"));

    let run = cut_off();
    let mut pty = ask();
    pty.expect(QUESTION);
    pty.write("undo\n");
    pty.expect("Make 2 changes on 1 host? [y/N] ");
    pty.write("y\n");
    assert_eq!(pty.end().0, 0);
    assert!(journal(host, &run).contains(" settled undone by "));
    assert!(!is_there(host, "/root/ran") && !is_there(host, "/etc/holdfast-before"));

    let run = cut_off();
    let mut pty = ask();
    pty.expect(QUESTION);
    pty.write("s\n");
    pty.expect("Make 1 change on 1 host? [y/N] ");
    pty.write("n\n");
    assert_eq!(pty.end().0, 0);
    assert!(journal(host, &run).contains(" settled left by "));
    operator
        .run(&["run", "slow", "--yes"])
        .exits(0)
        .never_says("was cut off");
    nothing_is_left(host);
}

/// Starts a run and kills it in its slow step; its id.
fn cut_off(operator: &Operator<'_>, host: &LabHost<'_>, name: &str, ran: &str) -> String {
    let running = operator.start(&["run", name, "--yes", "-e", "seconds=2"]);
    within(Duration::from_mins(1), "the step", || is_there(host, ran));
    let run = running.id().expect("a run");
    running.kill();
    within(Duration::from_mins(1), "the lock", || is_free(host));
    run
}

#[test]
fn several_runs_that_were_cut_off_are_taken_back_gone_on_from_or_left_by_every_verb() {
    let lab = Lab::new("several");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    let operator = with_runbooks(&lab, "operator", &hosts);
    let other = slow("other", false, false).replace("so\\n", "other\\n");
    operator.runbook("other", &other.replace("/root/", "/root/other-"));
    let no_files = || {
        for path in ["/root/ran", "/root/other-ran", "/etc/holdfast-before"] {
            assert!(!is_there(host, path), "{path}");
        }
    };
    let together = |words: &[&str]| {
        let output = operator.command(words).output().expect("the program");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        for what in ["is taken back next", "what it had done was taken back"] {
            assert_eq!(said.matches(what).count(), 2, "{said}");
        }
    };
    let settled_as = |run: &str, how: &str| {
        let journal = journal(host, run);
        assert!(
            journal.contains(&format!(" settled {how} by ")),
            "{journal}"
        );
    };

    // One lies over the other: the newest goes first. Whichever of them is named.
    for way in ["run", "rollback"] {
        let older = cut_off(&operator, host, "slow", "/root/ran");
        let newer = cut_off(&operator, host, "other", "/root/other-ran");
        assert_eq!(host.read("/etc/holdfast-before"), b"other\n");
        let what = if way == "run" { "slow" } else { &older };
        together(&[way, what, "--yes", "--unfinished", "undo"]);
        settled_as(&older, "undone");
        settled_as(&newer, "undone");
        no_files();
    }

    // A saved plan goes on from it; so does the rollback of what it comes to, which leaves another one alone.
    let run = cut_off(&operator, host, "slow", "/root/ran");
    operator
        .run(&["plan", "slow", "--out", "slow.plan"])
        .exits(0)
        .says("was cut off");
    let told = operator.run(&["apply", "slow.plan", "--yes", "--unfinished", "resume"]);
    told.exits(0).changed("web", 1);
    assert_eq!(settled(&told, Decision::Resumed), [run.as_str()]);
    settled_as(&run, "resumed");
    let applied = told.id();
    let left = cut_off(&operator, host, "other", "/root/other-ran");
    let mut command = operator.command(&["rollback", &applied]);
    command.env("TERM", "xterm");
    let mut pty = Pty::start(&command, (50, 120));
    pty.expect("leave: this run is about something else");
    pty.expect("Which? [leave/undo/settle/quit] ");
    pty.write("leave\n");
    pty.expect("Make 1 change on 1 host? [y/N] ");
    pty.write("n\n");
    assert_eq!(pty.end().0, 0);
    assert!(!journal(host, &left).contains(" settled "));
    let told = operator.run(&["rollback", &applied, "--yes", "--unfinished", "settle"]);
    told.exits(0).changed("web", 1);
    assert_eq!(settled(&told, Decision::Left), [left.as_str()]);
    // What is left as it is can be taken back all the same.
    let told = operator.run(&["rollback", &left, "--yes"]);
    assert_eq!(found(told.exits(0)), []);
    operator.run(&["rollback", &run, "--yes"]).exits(0);
    no_files();
    nothing_is_left(host);
}
