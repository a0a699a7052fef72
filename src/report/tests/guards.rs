//! What guards do, as it is told.

use super::super::Style;
use super::super::samples::*;
use super::plain;
use crate::event::{EventKind, Fired, Mode};

fn told(kind: EventKind) -> String {
    let start = started(Mode::Apply, &["web-1", "db-1"]);
    let before = plain(Style::plain(), vec![start.clone()]);
    let whole = plain(Style::plain(), vec![start, kind]);
    whole[before.len()..].to_owned()
}

fn armed(again: bool, weaker: bool) -> EventKind {
    EventKind::GuardArmed {
        host: "web-1".to_owned(),
        seconds: 120,
        again,
        weaker,
        here: false,
    }
}

fn fired(own: bool, failed: usize) -> EventKind {
    EventKind::GuardFired {
        host: "web-1".to_owned(),
        fired: Box::new(Fired {
            run: "r-7".to_owned(),
            own,
            operator: "ops@desk".to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            runbook: "ssh-port-move".to_owned(),
            changes: 3,
            failed,
            kept: 0,
            late: Some(1),
            at_boot: false,
        }),
    }
}

#[test]
fn a_guard_says_when_the_host_restores_itself() {
    let first =
        "web-1 │ guard armed: web-1 restores itself in 2 min 0 s unless a new login succeeds\n";
    assert_eq!(told(armed(false, false)), first);
    assert!(told(armed(false, true)).contains("a restart of the host would lose it"));
    let EventKind::GuardArmed { host, .. } = armed(false, false) else {
        panic!("the sample is something else");
    };
    let here = EventKind::GuardArmed {
        host,
        seconds: 120,
        again: false,
        weaker: false,
        here: true,
    };
    assert!(told(here).contains("a login from elsewhere"));
    // More time is no news.
    assert_eq!(told(armed(true, false)), "");
}

#[test]
fn a_proof_names_its_port() {
    let proven = |port| {
        told(EventKind::GuardProven {
            host: "web-1".to_owned(),
            port,
        })
    };
    assert_eq!(
        proven(Some(2222)),
        "web-1 │ ✓ a new login succeeded, by port 2222 of the host\n"
    );
    assert!(proven(None).contains("there is no login that could prove more"));
}

#[test]
fn what_a_guard_did_is_told_with_whose_it_was() {
    assert_eq!(
        told(fired(true, 0)),
        "web-1 │ guard fired: web-1 restored itself, 3 changes taken back, on time\n"
    );
    assert_eq!(
        told(fired(false, 0)),
        "web-1 │ guard: run r-7 of ops@desk at 2026-01-02T03:04:05Z, runbook ssh-port-move: it was cut off before a new \
         login had proven its changes, so web-1 restored itself (3 changes taken back)\n"
    );
    assert!(told(fired(false, 1)).contains("1 change could not be taken back"));
}

#[test]
fn a_guard_that_is_waited_for_is_counted_down() {
    let give_up = |run: &str| (run != "r-7").then_some(222);
    let awaited = |run: &str| {
        told(EventKind::GuardAwaited {
            give_up: give_up(run),
            host: "web-1".to_owned(),
            run: run.to_owned(),
            seconds: 43,
        })
    };
    assert_eq!(
        awaited("r-7"),
        "web-1 │ waiting for the guard of run r-7: web-1 restores itself within 43 s\n"
    );
    assert!(awaited("r-8").ends_with("within 43 s; unknown if it is not back within 3 min 42 s\n"));
}

#[test]
fn words_of_a_host_cannot_move_the_cursor() {
    let refuted = told(EventKind::GuardRefuted {
        host: "web-1".to_owned(),
        why: "\u{1b}[2Jgone".to_owned(),
    });
    assert!(!refuted.contains('\u{1b}'), "{refuted:?}");
}
