//! What a guard does, in lines.

use super::line::Line;
use super::streams::Notice;
use super::style::{Sign, Style, Tone};
use super::words::{changes, seconds, sentence};
use crate::event::{EventKind, Fired};

/// What to tell of an event of a guard; `run` is the run that is told.
pub(super) fn notice(kind: &EventKind, run: &str, style: &Style) -> Option<Notice> {
    let host = kind.host()?;
    match kind {
        EventKind::GuardArmed {
            seconds,
            again,
            weaker,
            here,
            ..
        } => armed(
            host,
            *seconds,
            Guard {
                again: *again,
                weaker: *weaker,
                here: *here,
            },
            style,
        ),
        EventKind::GuardProven { port, .. } => proven(host, *port, style),
        EventKind::GuardDisarmed { left, .. } => disarmed(host, left.as_deref(), style),
        EventKind::GuardRefuted { why, .. } => Some(refuted(host, why, style)),
        EventKind::GuardAwaited {
            run: whose,
            seconds,
            give_up,
            ..
        } => Some(awaited(host, whose, (*seconds, *give_up), whose == run)),
        EventKind::GuardFired { fired: done, .. } => Some(fired(host, done)),
        _ => None,
    }
}

/// What kind of guard it is.
#[derive(Clone, Copy)]
struct Guard {
    again: bool,
    weaker: bool,
    here: bool,
}

/// The host takes back by itself what comes now, unless a new login succeeds.
fn armed(host: &str, time: u64, guard: Guard, style: &Style) -> Option<Notice> {
    let Guard {
        again,
        weaker,
        here,
    } = guard;
    if again && !style.verbose() || style.quiet {
        return None;
    }
    let head = if again {
        "guard extended"
    } else {
        "guard armed"
    };
    let unless = if here {
        "this run goes on; whether a login from elsewhere works is not proved here"
    } else {
        "a new login succeeds"
    };
    let text = format!(
        ": {host} restores itself in {} unless {unless}",
        seconds(time)
    );
    let mut lines = vec![
        Line::of(Tone::Strong, head)
            .push(Tone::Plain, text)
            .hanging(2),
    ];
    if weaker {
        let text = "warning: there is no systemd, so the guard is weaker: a restart of the host would lose it.";
        lines.push(Line::of(Tone::Warn, text).indented(2).hanging(2));
    }
    Some(Notice::of_host(host, lines))
}

/// A brand-new login succeeded.
fn proven(host: &str, port: Option<u16>, style: &Style) -> Option<Notice> {
    let what = match port {
        Some(port) => format!(" a new login succeeded, by port {port} of the host"),
        None => " this machine still answers; there is no login that could prove more".to_owned(),
    };
    let line = Line::of(Tone::Good, style.sign(Sign::Good)).push(Tone::Plain, what);
    (!style.quiet).then(|| Notice::of_host(host, vec![line.hanging(2)]))
}

/// What was changed stays.
fn disarmed(host: &str, left: Option<&str>, style: &Style) -> Option<Notice> {
    let line = match left {
        Some(left) => Line::of(
            Tone::Warn,
            format!("warning: guard disarmed, but {}", sentence(left)),
        ),
        None if style.verbose() => Line::of(Tone::Dim, "guard disarmed: what was changed stays"),
        None => return None,
    };
    Some(Notice::of_host(host, vec![line.hanging(2)]))
}

/// No new login came about.
fn refuted(host: &str, why: &str, style: &Style) -> Notice {
    let line = Line::of(Tone::Bad, style.sign(Sign::Bad))
        .push(Tone::Plain, format!(" {}", sentence(why)))
        .hanging(2);
    Notice::of_host(host, vec![line])
}

/// The host restores itself by its own clock.
fn awaited(host: &str, run: &str, (time, give_up): (u64, Option<u64>), own: bool) -> Notice {
    let whose = if own {
        "the guard".to_owned()
    } else {
        format!("the guard of run {run}")
    };
    let end = give_up.map_or_else(String::new, |give_up| {
        format!("; unknown if it is not back within {}", seconds(give_up))
    });
    let text = format!(
        "waiting for {whose}: {host} restores itself within {}{end}",
        seconds(time)
    );
    Notice::of_host(host, vec![Line::of(Tone::Warn, text).hanging(2)])
}

/// The host has restored itself.
fn fired(host: &str, fired: &Fired) -> Notice {
    let bad = fired.failed + fired.kept > 0;
    let tone = if bad { Tone::Bad } else { Tone::Warn };
    let mut lines = vec![Line::of(tone, story(host, fired)).hanging(2)];
    if bad {
        let text = format!(
            "{} could not be taken back: see the lines `guard` in /var/lib/holdfast/runs/{}/journal there",
            changes(fired.failed + fired.kept),
            fired.run
        );
        lines.push(Line::of(Tone::Bad, text).indented(2).hanging(2));
    }
    Notice::of_host(host, lines)
}

fn story(host: &str, fired: &Fired) -> String {
    let count = match fired.changes {
        0 => "nothing had been changed".to_owned(),
        count => format!("{} taken back", changes(count)),
    };
    if fired.own {
        let late = match fired.late {
            None => String::new(),
            Some(..=1) => ", on time".to_owned(),
            Some(late) => format!(", {late} s after its time"),
        };
        return format!("guard fired: {host} restored itself, {count}{late}");
    }
    let known = |text: &str, before: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!("{before}{text}")
        }
    };
    let who = known(&fired.operator, " of ");
    let when = known(&fired.started, " at ");
    let book = known(&fired.runbook, ", runbook ");
    let why = if fired.at_boot {
        "a restart came before a new login had proven its changes"
    } else {
        "it was cut off before a new login had proven its changes"
    };
    format!(
        "guard: run {}{who}{when}{book}: {why}, so {host} restored itself ({count})",
        fired.run
    )
}
