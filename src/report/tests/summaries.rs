//! The first line of the summary, and whom it names.

use super::super::Style;
use super::super::samples::*;
use super::plain;
use crate::change::{StepNumber, Verdict};
use crate::event::{EventKind, Fault, HostResult, Mode, Proof};

/// The summary of a run in which the hosts ended like this.
fn summary(mode: Mode, ends: &[(&str, HostResult)], between: Vec<EventKind>) -> String {
    let hosts: Vec<&str> = ends.iter().map(|(host, _)| *host).collect();
    let mut kinds = vec![started(mode, &hosts)];
    kinds.extend(between);
    kinds.extend(
        ends.iter()
            .map(|(host, result)| finished(host, result.clone())),
    );
    let before = plain(Style::plain(), kinds.clone());
    kinds.push(end(0));
    plain(Style::plain(), kinds)[before.len()..]
        .trim_start()
        .to_owned()
}

fn headline(mode: Mode, ends: &[(&str, HostResult)], between: Vec<EventKind>) -> String {
    let summary = summary(mode, ends, between);
    summary.lines().next().unwrap_or_default().to_owned()
}

const NOTHING: HostResult = HostResult::NothingToDo;

fn changed(changes: usize) -> HostResult {
    HostResult::Changed { changes }
}

fn due(changes: usize) -> HostResult {
    HostResult::ChangesDue { changes }
}

fn out(fault: Fault) -> HostResult {
    stopped(fault, "why", 0)
}

#[test]
fn an_apply_says_what_is_done() {
    let told = |ends: &[(&str, HostResult)]| headline(Mode::Apply, ends, Vec::new());
    let all = [
        told(&[("a", changed(1))]),
        told(&[("a", changed(11)), ("b", changed(11))]),
        told(&[("a", changed(11)), ("b", NOTHING)]),
        told(&[("a", NOTHING), ("b", NOTHING), ("c", NOTHING)]),
        told(&[("a", out(Fault::Failed))]),
        told(&[("a", out(Fault::Failed)), ("b", out(Fault::Locked))]),
        told(&[("a", out(Fault::Failed)), ("b", changed(2)), ("c", NOTHING)]),
        told(&[
            ("a", out(Fault::OutcomeUnknown)),
            ("b", out(Fault::Unreachable)),
            ("c", changed(2)),
        ]),
        told(&[("a", out(Fault::OutcomeUnknown))]),
        told(&[("a", out(Fault::Verification)), ("b", changed(2))]),
        told(&[("a", HostResult::Declined), ("b", NOTHING)]),
        told(&[("a", HostResult::Verified), ("b", out(Fault::Failed))]),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    Done: 1 change on 1 host.
    Done: 22 changes on 2 hosts.
    Done: 11 changes on 1 host. Nothing to do on 1 host.
    Nothing to do on 3 hosts.
    a was not done.
    None of the 2 hosts was done.
    1 of 3 hosts was not done. Done: 2 changes on 1 host. Nothing to do on 1 host.
    The outcome is unknown on 1 of 3 hosts. 1 of 3 hosts was not done. Done: 2 changes on 1 host.
    The outcome is unknown on a.
    Not so in effect on 1 of 2 hosts. Done: 2 changes on 1 host.
    Nothing was written on 1 host, as you said. Nothing to do on 1 host.
    1 of 2 hosts was not done. The guard works on 1 host; nothing else was done.
    ");
}

#[test]
fn verified_is_said_only_when_every_check_said_yes() {
    let told = |host: &str, proof| {
        let between = vec![check("a", "x", yes("")), check(host, "y", proof)];
        headline(
            Mode::Apply,
            &[("a", changed(2)), ("b", out(Fault::Verification))],
            between,
        )
    };
    let unsure = || Proof::CouldNotTell { why: "z".into() };
    let no = || Proof::No { seen: "z".into() };
    let all = [told("a", yes("")), told("a", unsure()), told("b", no())];
    insta::assert_snapshot!(all.join("\n"), @"
    Not so in effect on 1 of 2 hosts. Done: 2 changes on 1 host, verified.
    Not so in effect on 1 of 2 hosts. Done: 2 changes on 1 host. 1 check could not tell.
    Not so in effect on 1 of 2 hosts. Done: 2 changes on 1 host, verified.
    ");
}

#[test]
fn a_dry_run_says_that_nothing_was_written() {
    let told = |ends: &[(&str, HostResult)]| headline(Mode::DryRun, ends, Vec::new());
    let unknown = Verdict::UnknownUntil {
        step: StepNumber(1),
        why: "its unit is not there yet".into(),
    };
    let between = || {
        vec![planned(
            "a",
            vec![step(2, "The unit runs", unknown.clone())],
        )]
    };
    let all = [
        told(&[("a", due(22))]),
        told(&[("a", due(1)), ("b", NOTHING)]),
        told(&[("a", NOTHING), ("b", NOTHING), ("c", NOTHING)]),
        told(&[("a", out(Fault::NeedsHuman))]),
        told(&[
            ("a", out(Fault::Unreachable)),
            ("b", due(3)),
            ("c", out(Fault::Sudo)),
        ]),
        told(&[("a", out(Fault::Unreachable)), ("b", NOTHING)]),
        headline(Mode::DryRun, &[("a", due(0))], between()),
        headline(Mode::DryRun, &[("a", due(2)), ("b", due(2))], between()),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    Dry run: 22 changes are due on 1 host; nothing was written.
    Dry run: 1 change is due on 1 host; nothing was written.
    Dry run: nothing to do on 3 hosts.
    Dry run: nothing was written. a needs attention.
    Dry run: 3 changes are due on 1 host; nothing was written. 2 of 3 hosts need attention.
    Dry run: nothing to do on 1 host. 1 of 2 hosts needs attention.
    Dry run: 1 step cannot be known yet; nothing was written.
    Dry run: 4 changes are due on 2 hosts, 1 step cannot be known yet; nothing was written.
    ");
}

#[test]
fn a_verification_says_whether_it_is_so() {
    let told = |ends: &[(&str, HostResult)]| headline(Mode::Verify, ends, Vec::new());
    let all = [
        told(&[("a", HostResult::Verified), ("b", HostResult::Verified)]),
        told(&[("a", due(22)), ("b", HostResult::Verified)]),
        told(&[("a", due(1))]),
        told(&[
            ("a", out(Fault::Verification)),
            ("b", due(2)),
            ("c", out(Fault::Unreachable)),
        ]),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    All is as it should be on 2 hosts.
    Not as it should be on 1 of 2 hosts: 22 changes are due. As it should be on 1 host.
    Not as it should be on a: 1 change is due.
    Not as it should be on 2 of 3 hosts: 2 changes are due. 1 of 3 hosts could not be looked at.
    ");
}

#[test]
fn every_fault_has_a_class_and_says_what_to_do() {
    let faults = [
        Fault::Interrupted,
        Fault::Unsupported,
        Fault::NeedsHuman,
        Fault::Locked,
        Fault::Stale,
        Fault::Sudo,
        Fault::Authentication,
        Fault::Identity,
        Fault::Unreachable,
        Fault::Verification,
        Fault::Journal,
        Fault::Failed,
        Fault::OutcomeUnknown,
    ];
    let names: Vec<String> = (1..=faults.len()).map(|n| format!("h{n}")).collect();
    let ends: Vec<(&str, HostResult)> = names
        .iter()
        .zip(faults)
        .map(|(name, fault)| (name.as_str(), out(fault)))
        .collect();
    insta::assert_snapshot!(summary(Mode::Apply, &ends, Vec::new()), @"
    The outcome is unknown on 1 of 13 hosts. 11 of 13 hosts were not done. Not so in effect on 1 of 13 hosts.
      h13 · outcome unknown: why.
        → Run again when it can be reached: it looks at what was done, and carries on.
      h12 · failed: why.
        → Mend what it says; then run again: what is done stays done.
      h11 · no record: why.
        → Make room for the journal on this machine; then run again: what is done stays done.
      h10 · not so in effect: why.
        → Look at the checks that say no.
      h9 · unreachable: why.
        → Check that it is up, and its address and port; then run again.
      h8 · host key: why.
        → Compare the fingerprint with the host's own before you trust it; a key that changed may be somebody else's.
      h7 · login refused: why.
        → Check the user and the key. It was tried once, not again.
      h6 · no root: why.
        → Let this user become root there, or log in as one who can.
      h5 · stale plan: why.
        → Run again: the plan is made anew from what is there now.
      h4 · locked: why.
        → Wait until the other run has ended; then run again.
      h3 · needs a decision: why.
        → Look at it and decide; then run again.
      h2 · not supported: why.
        → Leave it out with --limit, or use a runbook that supports it.
      h1 · interrupted: why.
        → Run again to carry on.
    Run 019a7b3e-5c1d · 14 s
    ");
}

#[test]
fn hosts_with_one_trouble_share_its_line() {
    let down = || stopped(Fault::Unreachable, "no route to host", 0);
    let ends = [
        ("a", down()),
        ("b", stopped(Fault::Failed, "it exited with 1", 3)),
        ("c", down()),
    ];
    insta::assert_snapshot!(summary(Mode::Apply, &ends, Vec::new()), @"
    None of the 3 hosts was done; 3 changes were made there.
      b · failed after 3 changes: it exited with 1.
        → Mend what it says; then run again: what is done stays done.
      a, c · unreachable: no route to host.
        → Check that it is up, and its address and port; then run again.
    Run 019a7b3e-5c1d · 14 s
    ");
}

#[test]
fn a_look_for_drift_says_what_is_no_longer_as_it_was_left() {
    let told = |ends: &[(&str, HostResult)]| headline(Mode::Drift, ends, Vec::new());
    let all = [
        told(&[("a", NOTHING)]),
        told(&[("a", due(1))]),
        told(&[
            ("a", due(2)),
            ("b", NOTHING),
            ("c", out(Fault::Unreachable)),
        ]),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    No drift on 1 host.
    Drift: 1 thing is no longer as runs left it on a; nothing was written.
    Drift: 2 things are no longer as runs left them on 1 of 3 hosts; nothing was written. 1 of 3 hosts could not be looked at. No drift on 1 host.
    ");
}
