//! Plans as they are shown, and when.

use super::super::samples::*;
use super::super::{Plain, Report, Style};
use super::{Shared, plain, quiet, streams};
use crate::change::{Note, Verdict};
use crate::event::{Fault, HostResult, Mode, StepResult};

#[test]
fn every_kind_of_step_has_its_sign() {
    let kinds = vec![
        started(Mode::DryRun, &["web-1"]),
        planned("web-1", peculiar()),
        finished(
            "web-1",
            stopped(
                Fault::Failed,
                "step 3 (file /etc/motd): /etc/motd is a symlink",
                0,
            ),
        ),
        end(3),
    ];
    insta::assert_snapshot!(plain(Style::plain(), kinds), @"
    Dry run of ufw-cf-refresh on web-1 · Only Cloudflare reaches the web ports

    web-1 · 1 change · 1 step not yet known · 3 steps in the way
      + 1  The package is there · 1 change · high risk
           install the package ufw
             ufw: (none) → 0.36.2-1
      ? 2  The unit runs · unknown until step 1: its unit comes with the package
      ! 3  The file is ours · blocked: /etc/motd is a symlink
           hint: remove it, or say `adopt: true`.
      ! 4  No foreign rule opens it · needs a decision: rule 3 opens 443
           hint: remove it, or say `adopt: true`.
      - 5  Docker keeps its chain · not applicable: no Docker here
      - 6  IPv6 too · skipped: `when` does not hold
      ! 7  The state is known · could not tell: the answer has no status

    Dry run: nothing was written. web-1 needs attention.
      web-1 · failed: step 3 (file /etc/motd): /etc/motd is a symlink.
        → Mend what it says; then run again: what is done stays done.
    Run 019a7b3e-5c1d · 14 s · exit 3
    ");
}

#[test]
fn hosts_with_nothing_to_do_take_one_line() {
    let same = || vec![step(1, "ufw is installed", Verdict::Compliant)];
    let kinds = vec![
        started(Mode::DryRun, &["a", "b", "c"]),
        planned("c", common()),
        planned("b", same()),
        planned("a", same()),
        finished("a", HostResult::NothingToDo),
        finished("b", HostResult::NothingToDo),
        finished("c", HostResult::ChangesDue { changes: 6 }),
        end(0),
    ];
    let text = plain(Style::plain(), kinds);
    let heads: Vec<&str> = text
        .lines()
        .filter(|l| l.contains(" · ") && !l.starts_with(' '))
        .collect();
    insta::assert_snapshot!(heads.join("\n"), @"
    Dry run of ufw-cf-refresh on 3 hosts · Only Cloudflare reaches the web ports
    c · 6 changes · 1 cannot be undone
    a, b · nothing to do
    Run 019a7b3e-5c1d · 14 s
    ");
}

#[test]
fn the_plan_of_a_host_is_shown_before_its_first_step_even_when_others_are_not_ready() {
    let kinds = vec![
        started(Mode::Apply, &["a", "b"]),
        planned("a", common()),
        begun("a", 2, "x"),
        ended("a", 2, "x", StepResult::Done { changes: 4 }),
        planned("b", common()),
    ];
    let text = plain(Style::plain(), kinds);
    let at = |what: &str| text.find(what).unwrap();
    assert!(at("a · 6 changes") < at("a │ ✓ step 2"));
    assert!(at("a │ ✓ step 2") < at("b · 6 changes"));
}

#[test]
fn a_pause_shows_the_plans_that_are_there() {
    let shared = Shared::default();
    let mut report = Report::Plain(Plain::new(Style::plain(), streams(&shared, &shared)));
    for event in events([started(Mode::Apply, &["a", "b"]), planned("a", common())]) {
        report.tell(&event).unwrap();
    }
    assert!(!shared.text().contains("6 changes"));
    report.pause().unwrap();
    assert!(shared.text().contains("a · 6 changes"));
}

#[test]
fn nothing_new_is_told_by_nothing() {
    let kinds = vec![
        started(Mode::Apply, &["web-1", "web-2"]),
        data_ready(),
        reached("web-1", vec![Note::warning("an old warning")]),
        planned("web-1", vec![step(1, "x", Verdict::Compliant)]),
        planned("web-2", vec![step(1, "x", Verdict::Compliant)]),
        finished("web-1", HostResult::NothingToDo),
        finished("web-2", HostResult::NothingToDo),
        end(0),
    ];
    assert_eq!(quiet(kinds), "");
}
