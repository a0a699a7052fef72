//! Guided runs over SSH: groups of hosts, a shell over the connection that is there, guarded steps one by one, and
//! each shipped runbook as it is gone through before a terminal.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use holdfast::event::{EventKind, Fault};
use holdfast::journal::Recording;

use crate::guard::nothing_is_held;
use crate::operator::{Operator, list_inputs, within};
use crate::port_move::{MOVE, set_up, state};
use crate::support::lab::{HostSpec, Lab, LabHost, Release, Setup};
use crate::support::pty::Pty;

const SIZE: (u16, u16) = (60, 110);

#[track_caller]
fn ends(pty: &mut Pty, code: i32) -> String {
    let (status, rest) = pty.end();
    assert_eq!(status, code, "{}", pty.text());
    rest
}

/// The program before a terminal.
fn guided(operator: &Operator<'_>, words: &[&str]) -> Pty {
    let mut command = operator.command(words);
    command
        .env("TERM", "xterm")
        .env("LANG", "C.UTF-8")
        .env("USER", "ada");
    Pty::start(&command, SIZE)
}

const TWO: &str = "\
name: two
summary: Two files
steps:
  - { name: The first file is there, file: { path: /etc/one, content: \"first\\n\" } }
  - { name: The second file is there, file: { path: /etc/two, content: \"second\\n\" } }
";

#[test]
fn hosts_that_would_be_changed_alike_are_asked_about_once() {
    let lab = Lab::new("guidedgroups");
    let specs = ["alpha", "beta", "gamma"].map(|name| HostSpec::new(name).setup(Setup::Bare));
    let hosts = lab.boot_all(specs.into());
    hosts[1].write("/etc/one", "another\n");
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("two", TWO);
    // Fewer at the same time than there are hosts: those that wait for a person take no place.
    let mut pty = guided(&operator, &["run", "two", "--guided", "--forks", "1"]);
    let first = pty.answer("a");
    assert!(
        first.contains("step 1 of 2 · The first file is there · alpha, gamma\n"),
        "{first}"
    );
    let other = pty.expect("\n> ");
    assert!(
        other.contains("step 1 of 2 · The first file is there · beta\n"),
        "{other}"
    );
    assert!(
        other.contains("-another") && other.contains("+first"),
        "{other}"
    );
    // A shell on a host that is named, over the connection that is there: sshd sees no new login.
    let logins = |host: &LabHost<'_>| host.sh("journalctl -u ssh -g Accepted -o cat | wc -l");
    let before = logins(&hosts[1]);
    pty.write("h\n");
    // One host needs no name.
    pty.expect("# ");
    pty.write("hostname; echo mine >/etc/one; exit\n");
    pty.expect("\nbeta");
    let again = pty.answer("s");
    assert!(again.contains("-mine"), "{again}");
    assert_eq!(logins(&hosts[1]), before);
    // Side by side again: all three are asked about as one.
    let second = pty.answer("h");
    assert!(
        second.contains("step 2 of 2 · The second file is there · alpha, gamma\n"),
        "{second}"
    );
    pty.expect("On which host? h NAME, one of alpha, gamma.");
    pty.answer("u");
    let last = pty.answer("a");
    assert!(
        last.contains("step 2 of 2 · The second file is there · beta\n"),
        "{last}"
    );
    let end = ends(&mut pty, 130);
    assert!(end.contains("taken back"), "{end}");
    let one = |host: &LabHost<'_>| host.sh("cat /etc/one /etc/two 2>/dev/null || true");
    assert_eq!(
        [&hosts[0], &hosts[1], &hosts[2]].map(one),
        ["", "mine\nsecond\n", ""]
    );

    // One batch after the other, and a stop before the second.
    let mut pty = guided(
        &operator,
        &[
            "run",
            "two",
            "--guided",
            "--serial",
            "2",
            "-l",
            "alpha,gamma,beta",
        ],
    );
    let first = pty.answer("f");
    assert!(
        first.contains("step 1 of 2 · The first file is there · alpha\n"),
        "{first}"
    );
    let second = pty.answer("f");
    assert!(
        second.contains("step 1 of 2 · The first file is there · beta\n"),
        "{second}"
    );
    let third = pty.answer("k");
    assert!(
        third.contains("step 1 of 2 · The first file is there · gamma\n"),
        "{third}"
    );
    ends(&mut pty, 130);
    assert_eq!(
        [&hosts[0], &hosts[1], &hosts[2]].map(one),
        ["first\nsecond\n", "first\nsecond\n", ""]
    );
    // What was stopped is gone on from, and what ended well is left out.
    let mut pty = guided(&operator, &["run", "--resume", "--yes"]);
    let said = ends(&mut pty, 0);
    assert!(
        said.contains("alpha, beta ended well and are left out"),
        "{said}"
    );
    assert_eq!(one(&hosts[2]), "first\nsecond\n");
}

/// The record of the operator's last run.
#[track_caller]
fn last_record(operator: &Operator<'_>) -> Recording {
    let folder = operator.home().join(".local/state/holdfast/runs");
    let runs = fs::read_dir(folder).expect("runs");
    let last = runs.map(|run| run.expect("a run").path()).max();
    Recording::load(&last.expect("a run").join("events.jsonl")).expect("a record")
}

const WAITS: &str = "\
name: waits
summary: A question and a pause on the way
steps:
  - { name: The first file is there, file: { path: /etc/one, content: \"first\\n\" } }
  - { id: seen, name: Somebody looked, manual: { question: Did you look? } }
  - { name: It settles, pause: 10s }
  - { name: The second file is there, file: { path: /etc/two, content: \"second\\n\" } }
";

const FAILS: &str = "\
name: fails
summary: It fails on alpha
steps:
  - { name: The first file is there, file: { path: /etc/one, content: \"first\\n\" } }
  - { name: Not on alpha, command: { argv: [sh, -c, 'test \"$(hostname)\" != alpha && touch /etc/two'], creates: /etc/two, undo: [rm, -f, /etc/two] } }
";

#[test]
fn answers_for_all_hosts_and_batches_and_more_hosts_than_places() {
    let lab = Lab::new("guidedmany");
    let specs = ["alpha", "beta", "gamma"].map(|name| HostSpec::new(name).setup(Setup::Bare));
    let hosts = lab.boot_all(specs.into());
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("two", TWO);
    operator.runbook("waits", WAITS);
    operator.runbook("fails", FAILS);
    let there = |host: &LabHost<'_>| host.sh("cat /etc/one /etc/two 2>/dev/null || true");
    let all = || [&hosts[0], &hosts[1], &hosts[2]].map(there);
    let clean = || {
        for host in &hosts {
            host.sh("rm -f /etc/one /etc/two");
        }
    };
    let both = "first\nsecond\n";

    // More hosts than work at the same time: who waits for a person or for time to pass takes no place. The question
    // of the first is open while the others work, and all of them pause at the same time.
    let mut pty = guided(&operator, &["run", "waits", "--guided", "--forks", "1"]);
    pty.answer("f all");
    pty.expect("Did you look? [y/N] ");
    within(Duration::from_mins(1), "the others' first step", || {
        all() == ["first\n"; 3]
    });
    pty.write("y\n");
    for _ in 0..2 {
        pty.expect("Did you look? [y/N] ");
        pty.write("y\n");
    }
    ends(&mut pty, 0);
    assert_eq!(all(), [both; 3]);
    let pauses: Vec<bool> = last_record(&operator)
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepStarted { number, .. } if number.0 == 3 => Some(true),
            EventKind::StepFinished { number, .. } if number.0 == 3 => Some(false),
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [true, true, true, false, false, false]);

    // All are told to stop, whatever they were to be asked.
    clean();
    hosts[1].write("/etc/two", "another\n");
    let mut pty = guided(&operator, &["run", "two", "--guided"]);
    pty.answer("a");
    let second = pty.answer("k all");
    assert!(second.contains("alpha, gamma\n"), "{second}");
    let said = ends(&mut pty, 130);
    assert!(
        said.contains("None of the 3 hosts was done; 3 changes were made there."),
        "{said}"
    );
    assert_eq!(all(), ["first\n", "first\nanother\n", "first\n"]);

    // All is to be taken back: also where the run has ended already it is said how.
    clean();
    let mut pty = guided(&operator, &["run", "two", "--guided", "--serial", "1"]);
    pty.answer("f");
    pty.answer("a");
    let beta = pty.answer("u all");
    assert!(beta.contains("step 2 of 2 · The second file is there · beta\n"));
    let said = ends(&mut pty, 130);
    assert_eq!(all(), [both, "", ""]);
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let way = flat.split('`').nth(1).unwrap_or_default().to_owned();
    assert!(
        flat.contains(
            "What this run did on alpha stays, for it had ended there already: `holdfast rollback"
        ),
        "{said}"
    );
    let words: Vec<&str> = way.split(' ').skip(1).chain(["--yes"]).collect();
    operator.run(&words).exits(0);
    assert_eq!(all(), [""; 3]);

    // Group by group, those of none last; and what is taken back where it failed.
    operator.inventory(
        "hosts:\n  alpha: {}\n  beta: {}\n  gamma: {}\ngroups:\n  canary: { hosts: [gamma] }\n",
    );
    let by_group = ["run", "fails", "--guided", "--serial", "canary"];
    let mut pty = guided(&operator, &by_group);
    let gamma = pty.answer("f");
    assert!(gamma.contains("· gamma\n"), "{gamma}");
    let others = pty.answer("a");
    assert!(others.contains("· alpha, beta\n"), "{others}");
    pty.answer("a");
    let failed = pty.answer("u");
    assert!(
        failed.contains("✗ step 2") && failed.contains("· alpha\n"),
        "{failed}"
    );
    ends(&mut pty, 130);
    let two = ["", "first\n", "first\n"];
    assert_eq!(all(), two);
    for host in &hosts[1..] {
        host.sh("test -e /etc/two");
    }
    clean();
    // A batch that fails: the next one is asked about, unless so many failures are too many.
    let mut pty = guided(&operator, &["run", "fails", "--guided", "--serial", "1"]);
    pty.answer("f");
    let beta = pty.answer("f");
    assert!(beta.contains("· beta\n"), "{beta}");
    let gamma = pty.answer("f");
    assert!(gamma.contains("· gamma\n"), "{gamma}");
    ends(&mut pty, 3);
    assert_eq!(all(), ["first\n"; 3]);
    assert_eq!(hosts[1].sh("ls /etc/two"), "/etc/two\n");
    clean();
    let serial = ["run", "fails", "--yes", "--serial", "1", "--max-fail", "1"];
    let told = operator.run(&serial);
    told.exits(3).stopped("alpha", Fault::Failed);
    told.stopped("beta", Fault::NotBegun);
    told.stopped("gamma", Fault::NotBegun);
    assert_eq!(all(), ["first\n", "", ""]);
    for host in &hosts {
        nothing_is_held(host);
    }
}

#[test]
fn a_host_that_vanishes_takes_its_question_with_it() {
    let lab = Lab::new("guidedgone");
    let specs = ["alpha", "beta", "gamma"].map(|name| HostSpec::new(name).setup(Setup::Bare));
    let hosts = lab.boot_all(specs.into());
    hosts[0].write("/etc/one", "another\n");
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("two", TWO);
    let mut pty = guided(&operator, &["run", "two", "--guided"]);
    let first = pty.expect("\n> ");
    assert!(
        first.contains("step 1 of 2 · The first file is there · alpha\n"),
        "{first}"
    );
    // The one that is asked about, and one of those that wait. Nobody writes anything.
    hosts[0].kill();
    hosts[2].kill();
    pty.expect("This needs no answer any more.");
    let second = pty.answer("f");
    assert!(
        second.contains("step 1 of 2 · The first file is there · beta"),
        "{second}"
    );
    let said = ends(&mut pty, 4);
    assert!(said.contains("alpha, gamma · unreachable"), "{said}");
    assert_eq!(hosts[1].sh("cat /etc/one /etc/two"), "first\nsecond\n");
}

/// A port move: a row of guarded steps becomes one guarded section for each, and the way back is guarded too.
#[test]
fn the_port_moves_step_by_step_and_back_again() {
    let lab = Lab::new("guidedport");
    let host = lab.boot(HostSpec::new("web").release(Release::Bookworm));
    set_up(&host);
    let operator = Operator::new(&lab, "operator", std::slice::from_ref(&host));
    let before = state(&host);
    let flags = ["--guard-time", "3m"];
    let mut pty = guided(&operator, &[&MOVE[..], &flags].concat());
    let asks = |text: &str, name: &str| {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(name), "no {name:?} in:\n{text}");
    };
    let first = pty.answer("a");
    asks(&first, "The firewall treats port 2222 as port 22");
    asks(
        &first,
        "can cut SSH. It is guarded: the host takes it back by itself unless a new login succeeds within 3 min",
    );
    let second = pty.answer("a");
    asks(&second, "fail2ban bans on port 2222, too");
    asks(&second, "a new login succeeded, by port 22 of the host");
    let third = pty.answer("a");
    asks(&third, "sshd listens on port 2222 as well");
    asks(&third, "a new login by port 2222 succeeds");
    let fourth = pty.answer("b");
    asks(&fourth, "a new login succeeded, by port 2222 of the host");
    asks(
        &fourth,
        "The keys that we trust are trusted on port 2222, too",
    );
    // The way in goes back to the old port, and it is by that one that it is proven.
    let again = pty.answer("a");
    asks(&again, "a new login succeeded, by port 22 of the host");
    asks(&again, "sshd listens on port 2222 as well · taken back");
    asks(&again, "step 3 of");
    let keys = pty.answer("a");
    asks(
        &keys,
        "The keys that we trust are trusted on port 2222, too",
    );
    let inventory = pty.answer("undo");
    asks(&inventory, "The inventory says port 2222");
    let end = ends(&mut pty, 130);
    asks(&end, "is as before");
    nothing_is_held(&host);
    assert_eq!(state(&host), before);
}

/// The guard takes a failed step back, and the run goes on: it is armed anew for the next try.
#[test]
fn a_guarded_step_that_failed_is_tried_again() {
    let lab = Lab::new("guidedagain");
    let host = lab.boot(HostSpec::new("web").setup(Setup::Bare));
    let operator = Operator::new(&lab, "operator", std::slice::from_ref(&host));
    operator.runbook(
        "again",
        "name: again\nsummary: x\nsteps:\n\
        - { name: It may fail, guard: true, command: { argv: [sh, -c, 'touch /etc/tried && test -e /etc/allowed && touch /etc/done'], \
            creates: /etc/done, undo: [rm, -f, /etc/done, /etc/tried] } }\n",
    );
    let mut pty = guided(
        &operator,
        &["run", "again", "--guided", "--guard-time", "2m"],
    );
    pty.answer("a");
    let failed = pty.expect("\n> ");
    assert!(
        failed.contains("the host has taken the guarded changes back and is as before"),
        "{failed}"
    );
    assert!(failed.contains("[r]etry"), "{failed}");
    assert_eq!(host.sh("ls /etc/tried /etc/done 2>/dev/null || true"), "");
    nothing_is_held(&host);
    host.write("/etc/allowed", "");
    pty.write("r\n");
    let end = ends(&mut pty, 0);
    assert!(end.contains("a new login succeeded"), "{end}");
    host.sh("test -e /etc/done");
    nothing_is_held(&host);
}

/// The questions of a transcript as a person sees them, whole, each with its answer. What happens in between is
/// different from day to day.
fn screens(transcript: &str) -> String {
    let (mut screens, mut is_question) = (String::new(), false);
    for line in transcript.lines() {
        is_question |= line.starts_with("step ");
        if is_question {
            let _ = writeln!(screens, "{}", steady(line));
        }
        is_question &= !line.starts_with("> ");
    }
    screens
}

/// Without what is another on each new host: its keys. Without versions, which are those of the lab's archive.
fn steady(line: &str) -> String {
    let word = |word| match word {
        key if str::starts_with(key, "SHA256:") => "KEY",
        other => other,
    };
    let mut words: Vec<&str> = line.split(' ').map(word).collect();
    if let Some(origin @ 1..) = words
        .iter()
        .position(|word| word.starts_with("(localhost)"))
    {
        words[origin - 1] = "VERSION";
    }
    words.join(" ")
}

fn kept(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/transcripts");
    PathBuf::from(folder).join(format!("{name}.txt"))
}

/// Goes through a runbook with "apply" for every answer, and compares with the session that is kept.
#[track_caller]
fn recorded(operator: &Operator<'_>, name: &str, words: &[&str]) {
    let words = [&["run", name, "--guided"], words].concat();
    let mut command = operator.command(&words);
    // A terminal that can do nothing keeps what was written as it was written.
    command
        .env("TERM", "dumb")
        .env("LANG", "C.UTF-8")
        .env("USER", "ada");
    command.env("COLUMNS", "110");
    let mut pty = Pty::start(&command, SIZE);
    let mut questions = 0;
    while pty.asks() {
        questions += 1;
        assert!(questions < 60, "{name} asks for ever:\n{}", pty.text());
        pty.write("a\n");
    }
    let (status, _) = pty.end();
    let text = masked(&pty.text());
    assert_eq!(status, 0, "{name}:\n{text}");
    assert!(questions > 0, "{name} asked nothing:\n{text}");
    assert_eq!(text.matches("\n> a\n").count(), questions, "{text}");
    let transcript = format!("$ holdfast {}\n{text}", masked(&words.join(" ")));
    if std::env::var_os("HOLDFAST_UPDATE").is_some() {
        fs::create_dir_all(kept(name).parent().unwrap()).unwrap();
        fs::write(kept(name), &transcript).unwrap();
    }
    let before = fs::read_to_string(kept(name)).unwrap_or_default();
    assert!(screens(&before).lines().count() > 5 * questions, "{before}");
    let (now, then) = (screens(&transcript), screens(&before));
    let differs = now
        .lines()
        .zip(then.lines())
        .find(|(now, then)| now != then);
    assert!(
        now == then,
        "{name} asks otherwise than in the session that is kept (HOLDFAST_UPDATE=1 keeps this one), first in {differs:?}:\n{now}"
    );
}

/// Without what is different from run to run: runs' ids, times, addresses of the lab, folders.
fn masked(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words = line.split(' ').map(|word| {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
            if digits >= 14 && bare.matches('-').count() == 2 && !bare.contains('/') {
                word.replace(bare, "RUN")
            } else if bare.contains("/operators/") || bare.contains("/lab/") {
                word.replace(bare, "FOLDER")
            } else {
                word.to_owned()
            }
        });
        let line = words.collect::<Vec<_>>().join(" ");
        if line.starts_with("Run RUN") {
            "Run RUN".to_owned()
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_shipped_runbook_is_gone_through_in_guided_form() {
    let lab = Lab::new("guidedall");
    let host = lab.boot(HostSpec::new("web").setup(Setup::Full));
    let operator = Operator::new(&lab, "operator", std::slice::from_ref(&host));
    let web = lab.web();
    let inputs = list_inputs(&web, "good");
    let inputs: Vec<&str> = inputs
        .iter()
        .flat_map(|input| ["-e", input.as_str()])
        .collect();
    recorded(&operator, "ufw-enable", &[]);
    recorded(&operator, "ufw-cf-refresh", &inputs);
    recorded(&operator, "fail2ban", &[]);
    recorded(&operator, "unattended-upgrades", &[]);
    recorded(&operator, "kernel-settings", &[]);
    recorded(&operator, "ssh-hardening", &[]);
    recorded(
        &operator,
        "ssh-port-move",
        &["-e", "port=2222", "-e", "soak=0s"],
    );
    nothing_is_held(&host);
}

#[test]
fn the_baseline_is_gone_through_in_guided_form() {
    let lab = Lab::new("guidedbase");
    let host = lab.boot(HostSpec::new("web").setup(Setup::Bare));
    let operator = Operator::new(&lab, "operator", std::slice::from_ref(&host));
    recorded(&operator, "baseline", &[]);
    nothing_is_held(&host);
}
