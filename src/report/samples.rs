//! Events as a real run would send them, for tests.

use jiff::Timestamp;

use crate::change::{Note, StepNumber};
use crate::event::{Event, EventKind, Fault, HostResult, Mode, Proof, StepResult};
use crate::facts::{Facts, Fail2ban, Needrestart, Os, Sshd, Ufw};
use crate::plan::{HostPlan, StepPlan};

mod plans;

pub(super) use plans::*;

/// Numbers what happened, one second apart.
pub(super) fn events(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Event> {
    let start = Timestamp::from_second(1_787_479_200).unwrap();
    let numbered = kinds.into_iter().zip(1_u64..);
    numbered
        .map(|(kind, seq)| Event {
            seq,
            at: start + jiff::SignedDuration::from_secs(seq.cast_signed()),
            kind,
        })
        .collect()
}

pub(super) fn started(mode: Mode, hosts: &[&str]) -> EventKind {
    EventKind::RunStarted {
        format: 1,
        run: "019a7b3e-5c1d".into(),
        version: "0.1.0".into(),
        runbook: "ufw-cf-refresh".into(),
        summary: "Only Cloudflare reaches the web ports".into(),
        digest: "d1".into(),
        mode,
        unattended: false,
        operator: "ada@desk".into(),
        from: None,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        previous: None,
    }
}

pub(super) fn data_ready() -> EventKind {
    EventKind::DataReady {
        name: "cloudflare".into(),
        origin: "fetched from https://api.cloudflare.com/client/v4/ips".into(),
        entries: 22,
        notes: Vec::new(),
    }
}

pub(super) fn data_refused() -> EventKind {
    EventKind::DataRefused {
        name: "cloudflare".into(),
        origin: "fetched from https://api.cloudflare.com/client/v4/ips".into(),
        why: "it lists 0.0.0.0/0, which is the whole internet".into(),
        hint: Some("look at the list, and at who answers for that address".into()),
    }
}

pub(super) fn connecting(host: &str) -> EventKind {
    let host = host.to_owned();
    EventKind::HostConnecting { host }
}

pub(super) fn reached(host: &str, notes: Vec<Note>) -> EventKind {
    let facts = Facts {
        os: Os {
            id: "debian".into(),
            version: "12".into(),
            codename: "bookworm".into(),
            like: Vec::new(),
            name: "Debian GNU/Linux 12 (bookworm)".into(),
        },
        init: "systemd".into(),
        container: "none".into(),
        hostname: host.into(),
        sshd: Sshd {
            ports: vec!["22".parse().unwrap()],
            mode: "service".into(),
        },
        controller_ip: Some([10, 77, 0, 1].into()),
        ufw: Ufw {
            installed: true,
            enabled: true,
            ipv6: true,
        },
        fail2ban: Fail2ban {
            installed: false,
            running: false,
        },
        needrestart: Needrestart { installed: false },
        login_user: "root".into(),
        virtualization: "none".into(),
        reboot_pending: false,
        clock_ahead: 0,
        boot_id: "b1".into(),
    };
    EventKind::HostReached {
        host: host.into(),
        facts: Box::new(facts),
        notes,
    }
}

pub(super) fn planned(host: &str, steps: Vec<StepPlan>) -> EventKind {
    let host = host.to_owned();
    EventKind::HostPlanned {
        plan: HostPlan {
            host,
            steps,
            unprivileged: false,
        },
    }
}

pub(super) fn begun(host: &str, number: usize, name: &str) -> EventKind {
    EventKind::StepStarted {
        host: host.into(),
        number: StepNumber(number),
        name: name.into(),
    }
}

pub(super) fn progress(host: &str, number: usize, text: &str) -> EventKind {
    EventKind::StepProgress {
        host: host.into(),
        number: StepNumber(number),
        text: text.into(),
    }
}

pub(super) fn ended(host: &str, number: usize, name: &str, result: StepResult) -> EventKind {
    EventKind::StepFinished {
        host: host.into(),
        number: StepNumber(number),
        name: name.into(),
        result,
    }
}

pub(super) fn failed(message: &str, output: &str) -> StepResult {
    StepResult::Failed {
        fault: Fault::Failed,
        message: message.into(),
        output: output.into(),
    }
}

pub(super) fn check(host: &str, name: &str, proof: Proof) -> EventKind {
    EventKind::Checked {
        host: host.into(),
        name: name.into(),
        proof,
    }
}

pub(super) fn yes(seen: &str) -> Proof {
    let seen = seen.to_owned();
    Proof::Yes { seen }
}

pub(super) fn finished(host: &str, result: HostResult) -> EventKind {
    EventKind::HostFinished {
        host: host.into(),
        result,
    }
}

pub(super) fn stopped(fault: Fault, message: &str, changes: usize) -> HostResult {
    HostResult::Stopped {
        fault,
        message: message.into(),
        hint: None,
        changes,
    }
}

pub(super) fn end(exit: u8) -> EventKind {
    EventKind::RunFinished {
        exit,
        millis: 14_300,
    }
}

pub(super) const FLEET: [&str; 5] = ["web-1", "web-2", "web-3", "web-4", "db-1"];

/// A survey of five hosts: three with one plan, an odd one, one that is down.
pub(super) fn survey(mode: Mode) -> Vec<EventKind> {
    let mut kinds = vec![started(mode, &FLEET)];
    kinds.extend(FLEET.map(connecting));
    kinds.push(data_ready());
    kinds.extend(FLEET[..4].iter().map(|host| reached(host, Vec::new())));
    let down = "connect to 10.77.0.15 port 22: Connection timed out";
    kinds.push(finished("db-1", stopped(Fault::Unreachable, down, 0)));
    kinds.push(planned("web-2", common()));
    kinds.push(planned("web-4", odd()));
    kinds.push(planned("web-1", common()));
    kinds.push(planned("web-3", common()));
    kinds
}

/// The survey of a dry run, and its end.
pub(super) fn dry_run() -> Vec<EventKind> {
    let mut kinds = survey(Mode::DryRun);
    for (host, changes) in [("web-1", 6), ("web-2", 6), ("web-3", 6), ("web-4", 6)] {
        kinds.push(finished(host, HostResult::ChangesDue { changes }));
    }
    kinds.push(end(4));
    kinds
}

/// The whole run: all done but the one that is down, and one that fails in its second step.
pub(super) fn apply() -> Vec<EventKind> {
    let mut kinds = survey(Mode::Apply);
    let (rules, jail) = (
        "Only Cloudflare reaches the web ports",
        "The sshd jail has our limit",
    );
    for host in ["web-1", "web-2", "web-3"] {
        kinds.push(begun(host, 2, rules));
    }
    kinds.push(begun("web-4", 1, "ufw is installed"));
    let lock = "waiting for the dpkg lock held by apt (812)";
    kinds.push(progress("web-4", 1, lock));
    let done = |changes| StepResult::Done { changes };
    for host in ["web-1", "web-2", "web-3"] {
        kinds.push(ended(host, 2, rules, done(4)));
        kinds.push(begun(host, 3, jail));
        kinds.push(ended(host, 3, jail, done(2)));
        kinds.push(check(host, "The jail answers with our limit", yes("5")));
        kinds.push(finished(host, HostResult::Changed { changes: 6 }));
    }
    kinds.push(ended("web-4", 1, "ufw is installed", done(1)));
    kinds.push(begun("web-4", 2, rules));
    let output =
        "Setting up ufw\nERROR: problem running ufw-init\niptables-restore: line 4 failed\n";
    let message = "failed: iptables-restore: line 4 failed";
    kinds.push(ended("web-4", 2, rules, failed(message, output)));
    let message = "step 2 (ufw rules cf): failed: iptables-restore: line 4 failed";
    kinds.push(finished("web-4", stopped(Fault::Failed, message, 1)));
    kinds.push(end(3));
    kinds
}
