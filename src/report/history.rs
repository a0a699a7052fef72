//! Runs of the past: the list of them, and the head that stands above one that is told again.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::line::Line;
use super::streams::{Notice, Stream};
use super::style::{Sign, Style, Tone};
use super::words::{changes, hosts, joined, listed};
use crate::event::Mode;
use crate::journal::{Brief, Ending, Finding, Integrity, Proven, RunId, Started};

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// What its journal says.
    Run(Box<Brief>),
    /// Its journal cannot be read.
    Unreadable {
        /// The run.
        run: RunId,
        /// Why, as a clause.
        why: String,
    },
}

/// Tells of runs of the past.
#[derive(Debug, Clone)]
pub struct History {
    /// How output looks.
    pub style: Style,
    /// One line for each, for pipes and logs.
    pub plain: bool,
    /// Now, in the time zone of the reader.
    pub now: Zoned,
}

impl History {
    /// The lines of a run in a list.
    pub fn entry(&self, listed: &Listed) -> String {
        let lines = match listed {
            Listed::Unreadable { run, why } => vec![
                Line::of(Tone::Strong, run.as_str())
                    .push(Tone::Dim, self.dot())
                    .push(Tone::Bad, format!("cannot be read: {why}"))
                    .hanging(2),
            ],
            Listed::Run(brief) if self.plain => vec![self.one_line(brief)],
            Listed::Run(brief) => vec![self.first_line(brief), self.second_line(brief)],
        };
        self.text(lines)
    }

    /// What stands above a run that is told again.
    pub fn head(&self, brief: &Brief) -> String {
        let Brief { run, started, .. } = brief;
        let by = format!("by {}{}", operator(started), unattended(started));
        let with = format!("{}Holdfast {}", self.dot(), started.version);
        let digest = format!("{}digest {}", self.dot(), started.digest);
        let (tone, state) = state(brief);
        let lines = vec![
            Line::of(Tone::Plain, "Run ")
                .push(Tone::Strong, run.as_str())
                .push(Tone::Dim, self.dot())
                .push(Tone::Plain, exact(started.at, self.now.time_zone()))
                .push(
                    Tone::Dim,
                    format!(" ({})", ago(started.at, self.now.timestamp())),
                )
                .hanging(2),
            Line::of(Tone::Plain, by)
                .push(Tone::Dim, with)
                .push(Tone::Dim, digest)
                .indented(2)
                .hanging(2),
            Line::of(tone, state).indented(2).hanging(2),
            Line::new(),
        ];
        self.text(lines)
    }

    /// What was found out about a run's record; nothing when it is simply untouched and that was not asked for.
    pub fn finding(&self, finding: &Finding) -> Option<String> {
        let (tone, said) = proven(&finding.proven);
        let told = match finding.proven {
            Proven::Untouched => self.style.verbose(),
            // Told once for all of them.
            Proven::Unlinked => false,
            _ => true,
        };
        if !told {
            return None;
        }
        let line = Line::of(Tone::Strong, &finding.run)
            .push(Tone::Dim, self.dot())
            .push(tone, said)
            .hanging(2);
        Some(self.text(vec![line]))
    }

    fn first_line(&self, brief: &Brief) -> Line {
        let Brief { run, started, .. } = brief;
        let room = self.style.width.map(|width| width / 2);
        let line = Line::of(Tone::Strong, run.as_str())
            .push(Tone::Dim, self.dot())
            .push(
                Tone::Plain,
                format!("{}{}", mode(started.mode), started.runbook),
            )
            .push(Tone::Plain, format!(" on {}", on(&started.hosts, room)))
            .hanging(2);
        self.with_ending(line, brief)
    }

    fn second_line(&self, brief: &Brief) -> Line {
        let started = &brief.started;
        let parts = [
            format!(
                "{} ({})",
                short(started.at, self.now.time_zone()),
                ago(started.at, self.now.timestamp())
            ),
            format!("{}{}", operator(started), unattended(started)),
            format!("Holdfast {}", started.version),
            format!("digest {}", digest(started)),
        ];
        Line::of(Tone::Dim, parts.join(self.dot()))
            .indented(2)
            .hanging(2)
    }

    fn one_line(&self, brief: &Brief) -> Line {
        let Brief { run, started, .. } = brief;
        let line = Line::of(Tone::Strong, run.as_str())
            .push(Tone::Dim, self.dot())
            .push(Tone::Plain, exact(started.at, self.now.time_zone()))
            .push(Tone::Dim, self.dot())
            .push(
                Tone::Plain,
                format!("{}{}", mode(started.mode), started.runbook),
            )
            .push(Tone::Plain, format!(" on {}", joined(&started.hosts)))
            .push(Tone::Dim, self.dot())
            .push(
                Tone::Plain,
                format!("by {}{}", operator(started), unattended(started)),
            )
            .push(Tone::Dim, self.dot())
            .push(Tone::Plain, format!("Holdfast {}", started.version))
            .push(Tone::Dim, self.dot())
            .push(Tone::Plain, format!("digest {}", digest(started)));
        self.with_ending(line, brief)
    }

    fn with_ending(&self, line: Line, brief: &Brief) -> Line {
        let mut line = line;
        if brief.changes > 0 {
            line = line
                .push(Tone::Dim, self.dot())
                .push(Tone::Plain, changes(brief.changes));
        }
        let (tone, said) = ending(brief);
        line.push(Tone::Dim, self.dot()).push(tone, said)
    }

    fn dot(&self) -> &'static str {
        self.style.sign(Sign::Dot)
    }

    fn text(&self, lines: Vec<Line>) -> String {
        Notice::of_run(Stream::Data, lines).text(&self.style, 0)
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Apply => "",
        Mode::DryRun => "dry run of ",
        Mode::Verify => "verification of ",
        Mode::Drift => "look for ",
    }
}

fn on(names: &[String], room: Option<usize>) -> String {
    match names {
        [] => hosts(0),
        names => listed(names, room),
    }
}

fn operator(started: &Started) -> String {
    let from = started.from.as_ref();
    let from = from.map_or(String::new(), |from| format!(" from {from}"));
    started.operator.clone() + &from
}

fn unattended(started: &Started) -> &'static str {
    if started.unattended {
        ", unattended"
    } else {
        ""
    }
}

/// Enough to tell one text from another by eye.
fn digest(started: &Started) -> String {
    started.digest.chars().take(8).collect()
}

/// How it ended, for a list.
fn ending(brief: &Brief) -> (Tone, String) {
    let exit = brief.ended.map(|ended| ended.exit).unwrap_or_default();
    let nothing = brief.changes == 0 && brief.started.mode == Mode::Apply;
    let (tone, said) = match Ending::of(brief) {
        Ending::Done if nothing && brief.declined > 0 => (Tone::Warn, "declined"),
        Ending::Done if nothing => (Tone::Good, "nothing to do"),
        Ending::Done => (Tone::Good, "done"),
        Ending::Due => (Tone::Warn, "changes are due"),
        Ending::Refused => (Tone::Bad, "refused"),
        Ending::Failed => (Tone::Bad, "failed"),
        Ending::Unreachable => (Tone::Bad, "unreachable"),
        Ending::NotSo => (Tone::Bad, "not so in effect"),
        Ending::Reverted => (Tone::Bad, "reverted"),
        Ending::Locked => (Tone::Bad, "locked"),
        Ending::Stale => (Tone::Bad, "stale plan"),
        Ending::Undecided => (Tone::Warn, "needs a decision"),
        Ending::Unknown => (Tone::Bad, "outcome unknown"),
        Ending::Interrupted => (Tone::Warn, "interrupted"),
        Ending::Unfinished | Ending::Alive | Ending::Tampered => return state(brief),
    };
    let said = match exit {
        0 => said.to_owned(),
        exit => format!("{said} (exit {exit})"),
    };
    (tone, said)
}

/// Whether its record is whole.
fn state(brief: &Brief) -> (Tone, String) {
    match &brief.integrity {
        Integrity::Complete => (Tone::Good, "its record is whole and untouched".to_owned()),
        Integrity::Unfinished | Integrity::Cut if brief.alive => (Tone::Warn, ALIVE.to_owned()),
        Integrity::Unfinished => (Tone::Bad, format!("unfinished: {ENDLESS}")),
        Integrity::Cut => (Tone::Bad, CUT.to_owned()),
        Integrity::Broken { line, why } => (
            Tone::Bad,
            format!("its record was changed: line {line}: {why}"),
        ),
    }
}

const ALIVE: &str = "under way";
const CUT: &str = "unfinished: its record ends within a line";
const ENDLESS: &str = "it was killed, or the end of its record was taken away";

fn proven(proven: &Proven) -> (Tone, String) {
    match proven {
        Proven::Untouched => (Tone::Good, "untouched".to_owned()),
        Proven::Alive => (Tone::Good, "untouched so far, under way".to_owned()),
        Proven::Endless => (Tone::Warn, format!("untouched, but unfinished: {ENDLESS}")),
        Proven::Unlinked => (
            Tone::Warn,
            "it does not say which run was before it: an older version wrote it, or its beginning is not its own"
                .to_owned(),
        ),
        Proven::Oldest { gone } => (
            Tone::Warn,
            format!("the record begins here: {gone} before it was cleared away"),
        ),
        Proven::Touched { line: Some(line), why } => {
            (Tone::Bad, format!("not as it was written: line {line}: {why}"))
        }
        Proven::Touched { line: None, why } => (Tone::Bad, why.clone()),
        Proven::Unreadable { why } => (Tone::Bad, format!("cannot be read: {why}")),
    }
}

/// `2026-11-21 19:05:46 +01:00`.
fn exact(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// `2026-11-21 19:05`.
fn short(at: Timestamp, zone: &TimeZone) -> String {
    let at = at.to_zoned(zone.clone());
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `just now`, `12 min ago`, `3 h ago`, `5 d ago`.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match now.as_second() - at.as_second() {
        ..-60 => "in the future, by this clock".to_owned(),
        -60..60 => "just now".to_owned(),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Ended;

    fn brief() -> Brief {
        Brief {
            run: "20261121-180000-abcdef".parse().unwrap(),
            started: Started {
                at: "2026-11-21T18:00:00Z".parse().unwrap(),
                version: "0.2.0".to_owned(),
                runbook: "fail2ban".to_owned(),
                digest: "3fa9c1d2aaaa".to_owned(),
                mode: Mode::Apply,
                unattended: false,
                operator: "ada@desk".to_owned(),
                from: Some("192.0.2.7".to_owned()),
                hosts: (1..=6).map(|n| format!("web-{n}")).collect(),
                previous: None,
            },
            ended: Some(Ended { exit: 0, millis: 9 }),
            changes: 4,
            declined: 0,
            integrity: Integrity::Complete,
            alive: false,
        }
    }

    fn history(width: Option<usize>) -> History {
        let style = Style {
            width,
            ..Style::plain()
        };
        History {
            style,
            plain: width.is_none(),
            now: "2026-11-21T19:12:00+01:00[+01:00]".parse().unwrap(),
        }
    }

    fn entry(width: Option<usize>, brief: Brief) -> String {
        history(width).entry(&Listed::Run(Box::new(brief)))
    }

    #[test]
    fn a_run_takes_two_lines_on_a_terminal_and_one_in_a_pipe() {
        insta::assert_snapshot!(entry(Some(90), brief()), @"
        20261121-180000-abcdef · fail2ban on web-1, web-2, web-3, web-4, web-5, web-6 · 4 changes
          · done
          2026-11-21 19:00 (12 min ago) · ada@desk from 192.0.2.7 · Holdfast 0.2.0 · digest
            3fa9c1d2
        ");
        insta::assert_snapshot!(entry(None, brief()), @"20261121-180000-abcdef · 2026-11-21 19:00:00 +01:00 · fail2ban on web-1, web-2, web-3, web-4, web-5, web-6 · by ada@desk from 192.0.2.7 · Holdfast 0.2.0 · digest 3fa9c1d2 · 4 changes · done");
    }

    #[test]
    fn a_narrow_terminal_gets_narrow_lines() {
        let text = entry(Some(40), brief());
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        insta::assert_snapshot!(text, @"
        20261121-180000-abcdef · fail2ban on
          web-1, web-2 (+4) · 4 changes · done
          2026-11-21 19:00 (12 min ago) ·
            ada@desk from 192.0.2.7 · Holdfast
            0.2.0 · digest 3fa9c1d2
        ");
    }

    #[test]
    fn what_is_not_whole_is_marked() {
        let last = |change: &dyn Fn(&mut Brief)| {
            let mut brief = brief();
            change(&mut brief);
            let text = entry(None, brief);
            text.trim_end().rsplit(" · ").next().unwrap().to_owned()
        };
        let all = [
            last(&|b| b.ended = Some(Ended { exit: 6, millis: 1 })),
            last(&|b| b.changes = 0),
            last(&|b| (b.changes, b.declined) = (0, 1)),
            last(&|b| {
                b.ended = None;
                b.integrity = Integrity::Unfinished;
            }),
            last(&|b| {
                b.ended = None;
                b.integrity = Integrity::Unfinished;
                b.alive = true;
            }),
            last(&|b| {
                b.ended = None;
                b.integrity = Integrity::Cut;
            }),
            last(&|b| {
                let why = "it is no event\u{1b}[2J".to_owned();
                b.integrity = Integrity::Broken { line: 7, why };
            }),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        reverted (exit 6)
        nothing to do
        declined
        unfinished: it was killed, or the end of its record was taken away
        under way
        unfinished: its record ends within a line
        its record was changed: line 7: it is no event\x1b[2J
        ");
    }

    #[test]
    fn the_head_says_who_from_where_when_and_with_what() {
        insta::assert_snapshot!(history(Some(80)).head(&brief()), @"
        Run 20261121-180000-abcdef · 2026-11-21 19:00:00 +01:00 (12 min ago)
          by ada@desk from 192.0.2.7 · Holdfast 0.2.0 · digest 3fa9c1d2aaaa
          its record is whole and untouched
        ");
    }

    #[test]
    fn times_are_told_as_a_person_would() {
        let now: Timestamp = "2026-11-21T18:00:00Z".parse().unwrap();
        let back = |seconds: i64| ago(now - jiff::SignedDuration::from_secs(seconds), now);
        let told = [5, 61, 7200, 86_400 * 40, -3600].map(back);
        assert_eq!(
            told.join(", "),
            "just now, 1 min ago, 2 h ago, 40 d ago, in the future, by this clock"
        );
    }
}
