//! Every kind of event by itself.

use super::super::Style;
use super::super::samples::*;
use super::plain;
use crate::change::{Note, Verdict};
use crate::event::{EventKind, Fault, HostResult, Mode, Proof, StepResult};

const VERBOSE: Style = Style {
    verbosity: 1,
    ..Style::plain()
};

/// What is told of `kind` in an apply on two hosts, without and with `-v`.
fn both(kind: &EventKind) -> String {
    [Style::plain(), VERBOSE]
        .map(|style| {
            let start = started(Mode::Apply, &["web-1", "db-1"]);
            let before = plain(style, vec![start.clone()]);
            let whole = plain(style, vec![start, kind.clone()]);
            whole[before.len()..].to_owned()
        })
        .join("-v:\n")
}

#[test]
fn run_started_names_runbook_mode_and_hosts() {
    let first = |mode, hosts: &[&str]| plain(Style::plain(), vec![started(mode, hosts)]);
    let text = [
        first(Mode::Apply, &["web-1"]),
        first(Mode::DryRun, &["web-1", "db-1"]),
        first(Mode::Verify, &["web-1", "db-1"]),
    ];
    insta::assert_snapshot!(text.concat(), @"
    ufw-cf-refresh on web-1 · Only Cloudflare reaches the web ports
    Dry run of ufw-cf-refresh on 2 hosts · Only Cloudflare reaches the web ports
    Verification of ufw-cf-refresh on 2 hosts · Only Cloudflare reaches the web ports
    ");
}

#[test]
fn data_ready_names_source_and_notes() {
    let EventKind::DataReady { name, origin, .. } = data_ready() else {
        panic!("the sample is something else");
    };
    let notes = vec![Note::warning("the list is 40 days old")];
    let entries = 1;
    insta::assert_snapshot!(both(&EventKind::DataReady { name, origin, entries, notes }), @"
    data cloudflare: 1 entry, fetched from https://api.cloudflare.com/client/v4/ips
      warning: the list is 40 days old.
    -v:
    data cloudflare: 1 entry, fetched from https://api.cloudflare.com/client/v4/ips
      warning: the list is 40 days old.
    ");
}

#[test]
fn data_refused_names_guard_and_source() {
    insta::assert_snapshot!(both(&data_refused()), @"
    data cloudflare refused: it lists 0.0.0.0/0, which is the whole internet.
      it was fetched from https://api.cloudflare.com/client/v4/ips.
    -v:
    data cloudflare refused: it lists 0.0.0.0/0, which is the whole internet.
      it was fetched from https://api.cloudflare.com/client/v4/ips.
    ");
}

#[test]
fn interrupting_is_acknowledged() {
    insta::assert_snapshot!(both(&EventKind::Interrupting), @"
    Interrupted: what is under way ends, nothing new begins.
    -v:
    Interrupted: what is under way ends, nothing new begins.
    ");
}

#[test]
fn host_connecting_is_told_with_v_only() {
    insta::assert_snapshot!(both(&connecting("web-1")), @"
    -v:
    web-1 │ connecting
    ");
}

#[test]
fn host_reached_tells_its_notes_and_with_v_its_facts() {
    let notes = vec![
        Note::info("the clock is 3 s behind"),
        Note::warning("no IPv6"),
    ];
    insta::assert_snapshot!(both(&reached("web-1", notes)), @"
    web-1 │ note: the clock is 3 s behind.
    web-1 │ warning: no IPv6.
    -v:
    web-1 │ reached: Debian GNU/Linux 12 (bookworm), sshd on 22, ufw on
    web-1 │ note: the clock is 3 s behind.
    web-1 │ warning: no IPv6.
    ");
}

#[test]
fn host_planned_waits_for_the_other_hosts() {
    assert_eq!(both(&planned("web-1", common())), "-v:\n");
}

#[test]
fn step_replanned_is_shown_and_like_ones_are_named() {
    let turned = |host: &str| EventKind::StepReplanned {
        host: host.into(),
        step: Box::new(step(2, "The unit runs", Verdict::Change(vec![package()]))),
    };
    let start = started(Mode::Apply, &["web-1", "db-1"]);
    let text = plain(Style::plain(), vec![start, turned("web-1"), turned("db-1")]);
    insta::assert_snapshot!(text, @"
    ufw-cf-refresh on 2 hosts · Only Cloudflare reaches the web ports
    web-1 │ step 2 turned out:
    web-1 │   + 2  The unit runs · 1 change
    web-1 │        install the package ufw
    web-1 │          ufw: (none) → 0.36.2-1
    db-1  │ step 2 turned out: as on web-1
    ");
}

#[test]
fn step_started_is_told_with_v_only() {
    insta::assert_snapshot!(both(&begun("web-1", 2, "ufw is on")), @"
    -v:
    web-1 │ step 2 begins: ufw is on
    ");
}

#[test]
fn step_progress_is_told_once() {
    let waits = || progress("web-1", 2, "waiting for the dpkg lock held by apt (812)");
    let start = started(Mode::Apply, &["web-1"]);
    let text = plain(Style::plain(), vec![start, waits(), waits()]);
    insta::assert_snapshot!(text, @"
    ufw-cf-refresh on web-1 · Only Cloudflare reaches the web ports
    web-1 │ step 2: waiting for the dpkg lock held by apt (812)
    ");
}

#[test]
fn step_finished_tells_changes_failures_and_with_v_nothing_to_do() {
    let end = |result| both(&ended("web-1", 2, "ufw is on", result));
    insta::assert_snapshot!(end(StepResult::Done { changes: 1 }), @"
    web-1 │ ✓ step 2: ufw is on · 1 change
    -v:
    web-1 │ ✓ step 2: ufw is on · 1 change
    ");
    insta::assert_snapshot!(end(StepResult::NothingToDo), @"
    -v:
    web-1 │ = step 2: ufw is on · nothing to do
    ");
    let output = "one\r\ntwo\u{1b}[31m\n";
    insta::assert_snapshot!(end(failed("it exited with 1", output)), @r"
    web-1 │ ✗ step 2 failed: ufw is on
    web-1 │   it exited with 1.
    web-1 │   │ one
    web-1 │   │ two\x1b[31m
    -v:
    web-1 │ ✗ step 2 failed: ufw is on
    web-1 │   it exited with 1.
    web-1 │   │ one
    web-1 │   │ two\x1b[31m
    ");
}

#[test]
fn every_fault_of_a_step_has_its_verb() {
    let verbs = [
        Fault::OutcomeUnknown,
        Fault::Interrupted,
        Fault::Stale,
        Fault::Failed,
    ]
    .map(|fault| {
        let (message, output) = ("why".to_owned(), String::new());
        let result = StepResult::Failed {
            fault,
            message,
            output,
        };
        let start = started(Mode::Apply, &["web-1"]);
        let text = plain(Style::plain(), vec![start, ended("web-1", 2, "x", result)]);
        text.lines().nth(1).unwrap_or_default().to_owned()
    });
    insta::assert_snapshot!(verbs.join("\n"), @"
    web-1 │ ✗ step 2 may have been done or not: x
    web-1 │ ✗ step 2 was interrupted: x
    web-1 │ ✗ step 2 was not begun: x
    web-1 │ ✗ step 2 failed: x
    ");
}

#[test]
fn a_long_output_is_told_by_its_end() {
    let lines: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
    let output = lines.join("\n");
    let text = both(&ended("web-1", 2, "x", failed("why", &output)));
    let (short, long) = text.split_once("-v:\n").unwrap();
    assert!(
        short.contains("… 10 lines before\nweb-1 │   │ line 11\n"),
        "{short}"
    );
    assert_eq!(short.lines().count(), 2 + 1 + 20);
    assert_eq!(long.lines().count(), 2 + 30);
}

#[test]
fn checks_have_three_outcomes() {
    let told = |proof| both(&check("web-1", "A ban reaches the packet filter", proof));
    let seen = "a packet passed".to_owned();
    let why = "nft is not installed".to_owned();
    let all = [
        told(yes("dropped")),
        told(Proof::No { seen }),
        told(Proof::CouldNotTell { why }),
    ];
    insta::assert_snapshot!(all.concat(), @"
    web-1 │ ✓ check: A ban reaches the packet filter · dropped
    -v:
    web-1 │ ✓ check: A ban reaches the packet filter · dropped
    web-1 │ ✗ check: A ban reaches the packet filter · no: a packet passed
    -v:
    web-1 │ ✗ check: A ban reaches the packet filter · no: a packet passed
    web-1 │ ? check: A ban reaches the packet filter · could not tell: nft is not installed
    -v:
    web-1 │ ? check: A ban reaches the packet filter · could not tell: nft is not installed
    ");
}

#[test]
fn host_finished_tells_what_no_other_line_tells() {
    let told = |result| both(&finished("web-1", result));
    let all = [
        told(HostResult::NothingToDo),
        told(HostResult::ChangesDue { changes: 2 }),
        told(HostResult::Changed { changes: 2 }),
        told(HostResult::Verified),
        told(HostResult::Declined),
        told(stopped(
            Fault::Locked,
            "run 019a of bob@desk holds it since 02:10",
            0,
        )),
    ];
    insta::assert_snapshot!(all.concat(), @"
    -v:
    web-1 │ = nothing to do
    -v:
    web-1 │ 2 changes due
    web-1 │ ✓ done: 2 changes
    -v:
    web-1 │ ✓ done: 2 changes
    -v:
    web-1 │ ✓ as it should be
    -v:
    web-1 │ declined
    web-1 │ ✗ locked: run 019a of bob@desk holds it since 02:10.
    -v:
    web-1 │ ✗ locked: run 019a of bob@desk holds it since 02:10.
    ");
}

#[test]
fn unknown_events_are_mentioned_once() {
    let start = started(Mode::Apply, &["web-1"]);
    let text = plain(
        Style::plain(),
        vec![start, EventKind::Unknown, EventKind::Unknown],
    );
    insta::assert_snapshot!(text, @"
    ufw-cf-refresh on web-1 · Only Cloudflare reaches the web ports
    Some events are of a newer version of Holdfast and are not shown.
    ");
}
