//! Runs from their first to their last event, in every form but the live one.

use super::super::samples::*;
use super::super::{Plain, Style};
use super::{Shared, plain, quiet, streams};
use crate::change::{Note, Verdict};
use crate::event::{EventKind, Fault, HostResult, Mode, StepResult};

const NARROW: Style = Style {
    width: Some(40),
    ..Style::plain()
};

#[test]
fn a_dry_run_shows_equal_plans_once_and_the_odd_one_behind_them() {
    insta::assert_snapshot!(plain(Style::plain(), dry_run()), @"
    Dry run of ufw-cf-refresh on 5 hosts · Only Cloudflare reaches the web ports
    data cloudflare: 22 entries, fetched from https://api.cloudflare.com/client/v4/ips
    db-1  │ ✗ unreachable: connect to 10.77.0.15 port 22: Connection timed out.

    web-1, web-2, web-3 · 6 changes · 1 cannot be undone
      = 1  ufw is installed
      + 2  Only Cloudflare reaches the web ports · 4 changes
           change the firewall rules tagged cf
             firewall rules: +3 −1
             - allow 443/tcp from 131.0.72.0/22
             + allow 443/tcp from 103.21.244.0/22
             + allow 443/tcp from 173.245.48.0/20
             + allow 443/tcp from 2400:cb00::/32
      + 3  The sshd jail has our limit · 2 changes
           write /etc/fail2ban/jail.d/90-holdfast.local
             --- /etc/fail2ban/jail.d/90-holdfast.local
             +++ /etc/fail2ban/jail.d/90-holdfast.local
             @@ -1,4 +1,4 @@
              [sshd]
              enabled = true
             -maxretry = 10
             +maxretry = 5
              bantime = 1h
           reload fail2ban, once after all steps
             run: systemctl reload fail2ban
             cannot be undone: a reload has no way back.

    web-4 · 6 changes · 1 cannot be undone
      + 1  ufw is installed · 1 change
           install the package ufw
             ufw: (none) → 0.36.2-1
      ~ 2  Only Cloudflare reaches the web ports · 3 changes after step 1
           change the firewall rules tagged cf
             firewall rules: +3
             + allow 443/tcp from 103.21.244.0/22
             + allow 443/tcp from 173.245.48.0/20
             + allow 443/tcp from 2400:cb00::/32
           warning: Docker publishes 8080 past the firewall.
      + 3  The sshd jail has our limit · 2 changes · as on web-1

    db-1 · no plan: unreachable

    In all 24 changes on 4 of 5 hosts; 4 cannot be undone.

    Dry run: 24 changes are due on 4 hosts; nothing was written. 1 of 5 hosts needs attention.
      db-1 · unreachable: connect to 10.77.0.15 port 22: Connection timed out.
        → Check that it is up, and its address and port; then run again.
    Run 019a7b3e-5c1d · 14 s · exit 4
    ");
}

#[test]
fn forty_columns_are_enough() {
    let text = plain(NARROW, dry_run());
    let (_, odd) = text.split_once("web-4 ·").unwrap();
    insta::assert_snapshot!(odd, @"
     6 changes · 1 cannot be undone
    + 1  ufw is installed · 1 change
      install the package ufw
        ufw: (none) → 0.36.2-1
    ~ 2  Only Cloudflare reaches the web
         ports · 3 changes after step 1
      change the firewall rules tagged cf
        firewall rules: +3
        + allow 443/tcp from 103.21.244.0/22
        + allow 443/tcp from 173.245.48.0/20
        + allow 443/tcp from 2400:cb00::/32
      warning: Docker publishes 8080 past
        the firewall.
    + 3  The sshd jail has our limit · 2
         changes · as on web-1

    db-1 · no plan: unreachable

    In all 24 changes on 4 of 5 hosts; 4
    cannot be undone.

    Dry run: 24 changes are due on 4 hosts;
    nothing was written. 1 of 5 hosts needs
    attention.
      db-1 · unreachable: connect to
        10.77.0.15 port 22: Connection timed
        out.
        → Check that it is up, and its
          address and port; then run again.
    Run 019a7b3e-5c1d · 14 s · exit 4
    ");
}

#[test]
fn an_apply_is_told_step_by_step_and_summed_up() {
    let whole = plain(Style::plain(), apply());
    let (_, steps) = whole.split_once("cannot be undone.\n\n").unwrap();
    let (_, steps) = steps
        .split_once("cannot be undone.\n\n")
        .unwrap_or(("", steps));
    insta::assert_snapshot!(steps, @"
    web-4 │ step 1: waiting for the dpkg lock held by apt (812)
    web-1 │ ✓ step 2: Only Cloudflare reaches the web ports · 4 changes
    web-1 │ ✓ step 3: The sshd jail has our limit · 2 changes
    web-1 │ ✓ check: The jail answers with our limit · 5
    web-1 │ ✓ done: 6 changes
    web-2 │ ✓ step 2: Only Cloudflare reaches the web ports · 4 changes
    web-2 │ ✓ step 3: The sshd jail has our limit · 2 changes
    web-2 │ ✓ check: The jail answers with our limit · 5
    web-2 │ ✓ done: 6 changes
    web-3 │ ✓ step 2: Only Cloudflare reaches the web ports · 4 changes
    web-3 │ ✓ step 3: The sshd jail has our limit · 2 changes
    web-3 │ ✓ check: The jail answers with our limit · 5
    web-3 │ ✓ done: 6 changes
    web-4 │ ✓ step 1: ufw is installed · 1 change
    web-4 │ ✗ step 2 failed: Only Cloudflare reaches the web ports
    web-4 │   failed: iptables-restore: line 4 failed.
    web-4 │   │ Setting up ufw
    web-4 │   │ ERROR: problem running ufw-init
    web-4 │   │ iptables-restore: line 4 failed

    2 of 5 hosts were not done; 1 change was made there. Done: 18 changes on 3 hosts, verified.
      web-4 · failed after 1 change: step 2 (ufw rules cf): failed: iptables-restore: line 4 failed.
        → Mend what it says; then run again: what is done stays done.
      db-1 · unreachable: connect to 10.77.0.15 port 22: Connection timed out.
        → Check that it is up, and its address and port; then run again.
      web-4 · warning: Docker publishes 8080 past the firewall.
    Run 019a7b3e-5c1d · 14 s · exit 3
    ");
}

#[test]
fn plans_go_to_the_data_stream_and_nothing_else_does() {
    let (data, status) = (Shared::default(), Shared::default());
    let mut report = Plain::new(Style::plain(), streams(&data, &status));
    for event in events(dry_run()) {
        report.tell(&event).unwrap();
    }
    let first = data.text().trim_start().lines().next().map(str::to_owned);
    assert_eq!(
        first.as_deref(),
        Some("web-1, web-2, web-3 · 6 changes · 1 cannot be undone")
    );
    assert!(data.text().trim_end().ends_with("4 cannot be undone."));
    insta::assert_snapshot!(status.text(), @"
    Dry run of ufw-cf-refresh on 5 hosts · Only Cloudflare reaches the web ports
    data cloudflare: 22 entries, fetched from https://api.cloudflare.com/client/v4/ips
    db-1  │ ✗ unreachable: connect to 10.77.0.15 port 22: Connection timed out.
    Dry run: 24 changes are due on 4 hosts; nothing was written. 1 of 5 hosts needs attention.
      db-1 · unreachable: connect to 10.77.0.15 port 22: Connection timed out.
        → Check that it is up, and its address and port; then run again.
    Run 019a7b3e-5c1d · 14 s · exit 4
    ");
}

#[test]
fn colour_changes_no_text() {
    for width in [None, Some(40), Some(120)] {
        let style = Style {
            width,
            ..Style::plain()
        };
        let coloured = plain(
            Style {
                colour: true,
                ..style
            },
            apply(),
        );
        assert!(coloured.contains("\u{1b}["));
        assert_eq!(console::strip_ansi_codes(&coloured), plain(style, apply()));
    }
}

#[test]
fn without_unicode_everything_is_ascii() {
    let style = Style {
        unicode: false,
        verbosity: 1,
        ..Style::plain()
    };
    for kinds in [dry_run(), apply()] {
        let text = plain(style, kinds);
        assert!(text.is_ascii(), "{text}");
    }
}

#[test]
fn quiet_means_data_and_trouble_only() {
    let style = Style {
        quiet: true,
        ..Style::plain()
    };
    let text = plain(
        style,
        vec![
            started(Mode::Apply, &["web-1"]),
            data_ready(),
            reached("web-1", vec![Note::info("good to know")]),
            planned("web-1", vec![step(1, "x", Verdict::Compliant)]),
            finished("web-1", HostResult::NothingToDo),
            end(0),
        ],
    );
    assert_eq!(text, "");
    let text = plain(
        style,
        vec![
            started(Mode::Apply, &["web-1"]),
            finished(
                "web-1",
                stopped(Fault::Locked, "run 019 of ada@desk holds it", 0),
            ),
            end(7),
        ],
    );
    assert!(text.starts_with("web-1 │ ✗ locked: run 019"), "{text}");
    assert!(text.contains("web-1 was not done."));
}

#[test]
fn a_change_is_told_whole_with_the_summary_first() {
    let kinds = vec![
        started(Mode::Apply, &["web-1"]),
        data_ready(),
        planned(
            "web-1",
            vec![step(
                1,
                "Only Cloudflare",
                Verdict::Change(vec![rules(&["103.21.244.0/22"], &[])]),
            )],
        ),
        begun("web-1", 1, "Only Cloudflare"),
        ended(
            "web-1",
            1,
            "Only Cloudflare",
            StepResult::Done { changes: 1 },
        ),
        check("web-1", "It answers", yes("1 rule")),
        finished("web-1", HostResult::Changed { changes: 1 }),
        end(0),
    ];
    insta::assert_snapshot!(quiet(kinds), @"
    Done: 1 change on 1 host, verified.
    Run 019a7b3e-5c1d · 14 s

    ufw-cf-refresh on web-1 · Only Cloudflare reaches the web ports
    data cloudflare: 22 entries, fetched from https://api.cloudflare.com/client/v4/ips

    web-1 · 1 change
      + 1  Only Cloudflare · 1 change
           change the firewall rules tagged cf
             firewall rules: +1
             + allow 443/tcp from 103.21.244.0/22

    web-1 │ ✓ step 1: Only Cloudflare · 1 change
    web-1 │ ✓ done: 1 change

    Checks
      ✓ It answers · yes on 1 host: 1 rule
    ");
}

#[test]
fn a_failure_is_told_with_its_context() {
    let text = quiet(apply());
    let first = text.lines().next();
    assert_eq!(
        first,
        Some(
            "2 of 5 hosts were not done; 1 change was made there. Done: 18 changes on 3 hosts, verified."
        )
    );
    for part in [
        "data cloudflare: 22 entries",
        "+ allow 443/tcp",
        "web-4 │ ✗ step 2 failed",
        "│ ERROR: problem running ufw-init",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn refused_data_is_told_once_for_all_hosts() {
    let refused = || stopped(Fault::NeedsHuman, "the data cloudflare was refused", 0);
    let kinds = vec![
        started(Mode::Apply, &["web-1", "web-2"]),
        data_refused(),
        finished("web-1", refused()),
        finished("web-2", refused()),
        end(9),
    ];
    insta::assert_snapshot!(quiet(kinds), @"
    The data cloudflare was refused; no host was touched.
      data cloudflare refused: it lists 0.0.0.0/0, which is the whole internet.
        → Look at the list, and at who answers for that address.
    Run 019a7b3e-5c1d · 14 s · exit 9

    ufw-cf-refresh on 2 hosts · Only Cloudflare reaches the web ports
    data cloudflare refused: it lists 0.0.0.0/0, which is the whole internet.
      it was fetched from https://api.cloudflare.com/client/v4/ips.
    ");
}

#[test]
fn a_run_that_breaks_off_is_news() {
    let kinds = vec![
        started(Mode::Apply, &["web-1", "web-2"]),
        EventKind::Interrupting,
    ];
    insta::assert_snapshot!(quiet(kinds), @"
    Interrupted. None of the 2 hosts was done.
      web-1, web-2 · interrupted: the run ended before this host did.
        → Run again to carry on.
    Run 019a7b3e-5c1d

    ufw-cf-refresh on 2 hosts · Only Cloudflare reaches the web ports
    Interrupted: what is under way ends, nothing new begins.
    ");
}
