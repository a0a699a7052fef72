//! What a run costs beside bare ssh, measured in one lab at the same time: `cargo bench --features lab
//! --bench lab`. Needs root and the images of `tests/lab/lab prepare`. No number makes it fail; the aims
//! stand beside the numbers.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a program: nobody is outside, and it ends where something cannot be measured"
)]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod support;

#[path = "../tests/lab/operator.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod operator;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use operator::{Operator, list_inputs};
use support::lab::{HostSpec, Lab, LabHost, Release, Web};

/// How often each is measured; odd, so that one of them is the median.
const ROUNDS: usize = 21;

fn main() {
    // Under `cargo test --benches` nothing is measured.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let lab = Lab::new("bench");
    let web = lab.web();
    let mut out = std::io::stdout();
    let mut say = |line: &str| writeln!(out, "{line}").expect("a standard output");
    let mut hosts = lab.boot_all(vec![spec(1)]);
    say(&format!("\n{}", head()));
    for line in one_host(&lab, &web, &hosts) {
        say(&line);
    }
    hosts.extend(lab.boot_all((2..=8).map(spec).collect()));
    say(&eight_hosts(&lab, &web, &hosts));
}

/// Debian 12 is the one that is compared with ssh.
fn spec(number: usize) -> HostSpec {
    let releases = [Release::Bookworm, Release::Trixie, Release::Bullseye];
    HostSpec::new(&format!("web-{number}")).release(releases[(number - 1) % 3])
}

/// The program on all hosts of the operator, with nothing of its output to wait for.
fn refresh(operator: &Operator<'_>, web: &Web) -> Command {
    let inputs = list_inputs(web, "good");
    let mut words = vec!["run", "ufw-cf-refresh", "--yes"];
    words.extend(inputs.iter().flat_map(|input| ["-e", input.as_str()]));
    let mut command = operator.command(&words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Bare ssh, a run that finds nothing to do and a first apply, in turn.
fn one_host(lab: &Lab, web: &Web, hosts: &[LabHost<'_>]) -> [String; 3] {
    let host = &hosts[0];
    let operator = Operator::new(lab, "one", hosts);
    remember(host);
    let (mut bare, mut idle, mut first) = (Vec::new(), Vec::new(), Vec::new());
    // The first rounds warm the caches of both sides.
    for round in 0..ROUNDS + 2 {
        forget(host);
        let applied = timed(&mut refresh(&operator, web));
        let ssh = timed(&mut bare_ssh(lab, host));
        let nothing = timed(&mut refresh(&operator, web));
        if round >= 2 {
            bare.push(ssh);
            idle.push(nothing);
            first.push(applied);
        }
    }
    let ratio = |of: fn(&[Duration]) -> Duration| of(&idle).as_secs_f64() / of(&bare).as_secs_f64();
    let ratio = format!(
        "{:.2} × bare ssh (aim: 1.3), {:.2} × by the least times",
        ratio(median),
        ratio(least)
    );
    [
        line("bare `ssh host true`", &bare, ""),
        line("a run that finds nothing to do", &idle, &ratio),
        line("the first apply of 22 ranges", &first, "(aim: 1000 ms)"),
    ]
}

fn bare_ssh(lab: &Lab, host: &LabHost<'_>) -> Command {
    let mut command = lab.ssh("root", &host.name);
    command
        .arg("true")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    command
}

/// The most memory that the program had while it worked on eight hosts.
fn eight_hosts(lab: &Lab, web: &Web, hosts: &[LabHost<'_>]) -> String {
    let operator = Operator::new(lab, "eight", hosts);
    forget(&hosts[0]);
    let first = mebibytes(peak(&mut refresh(&operator, web)));
    let idle = mebibytes(peak(&mut refresh(&operator, web)));
    let what = "the most memory, with eight hosts";
    format!("{what:<34}{first:>7.1} MiB to apply, {idle:.1} MiB with nothing to do (aim: 30 MiB)")
}

fn remember(host: &LabHost<'_>) {
    host.sh("mkdir /root/before; cp -p /etc/ufw/user.rules /etc/ufw/user6.rules /root/before");
}

/// Makes a host what it was before the first apply.
fn forget(host: &LabHost<'_>) {
    host.sh(
        "cp -p /root/before/user.rules /root/before/user6.rules /etc/ufw/
         iptables-restore -n </etc/ufw/user.rules; ip6tables-restore -n </etc/ufw/user6.rules
         rm -rf /var/lib/holdfast",
    );
}

fn timed(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let status = command.status().expect("it starts");
    let took = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

/// The peak of a process's resident memory in KiB, read until it ends.
fn peak(command: &mut Command) -> u64 {
    let mut child = command.spawn().expect("it starts");
    let file = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let status = fs::read_to_string(&file).unwrap_or_default();
        // What leads to the program has the same process, but not the same memory.
        if status.starts_with("Name:\tholdfast\n") {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let size = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most = most.max(size.unwrap_or(0));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    most
}

fn mebibytes(kibibytes: u64) -> f64 {
    f64::from(u32::try_from(kibibytes).expect("less than 4 TiB")) / 1024.0
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// Where others use the machine as well, this says more about us than the median.
fn least(times: &[Duration]) -> Duration {
    times.iter().min().copied().expect("a time")
}

fn head() -> String {
    let what = format!("{ROUNDS} rounds in turn");
    format!("{what:<34}{:>7}    {:>7} {:>7}", "median", "least", "most")
}

fn line(what: &str, times: &[Duration], more: &str) -> String {
    let most = times.iter().max().expect("a time");
    let line = format!(
        "{what:<34}{:>7} ms {:>7} {:>7} {more}",
        median(times).as_millis(),
        least(times).as_millis(),
        most.as_millis()
    );
    line.trim_end().to_owned()
}
