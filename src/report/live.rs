//! What the live view says: a line per host at work, and one for all. Pure; the terminal draws it.

use console::measure_text_width;
use jiff::Timestamp;

use super::clean::clean;
use super::fit::{fitted, squeezed, usable};
use super::line::Line;
use super::style::{Sign, Style, Tone};
use super::tally::Tally;
use super::words::seconds;
use crate::change::StepNumber;
use crate::event::{Event, EventKind, HostResult};

/// How long something takes before its duration is shown.
const LONG: u64 = 3_000;

/// Frames of the sign that something is under way.
const SPIN: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠇", "⠏", "⠟"];
const SPIN_ASCII: [&str; 4] = ["|", "/", "-", "\\"];

/// When the view is drawn, and on how many rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The time.
    pub(super) now: Timestamp,
    /// The number of the drawing.
    pub(super) frame: usize,
    /// The most rows there may be.
    pub(super) height: usize,
}

/// What every host is at.
#[derive(Debug, Default)]
pub(super) struct Live {
    hosts: Vec<LiveHost>,
    started: Option<Timestamp>,
}

#[derive(Debug)]
struct LiveHost {
    name: String,
    at: At,
    since: Timestamp,
    text: String,
    /// Since when it restores itself, and after how many seconds.
    guard: Option<(Timestamp, u64)>,
}

/// What a host is at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Waiting,
    Connecting,
    Survey,
    Planned,
    Step(StepNumber, String),
    Between,
    Restoring,
    Checks,
    Done,
    Stopped,
}

impl Live {
    /// Takes in an event.
    pub(super) fn take(&mut self, event: &Event) {
        let at = match &event.kind {
            EventKind::RunStarted { hosts, .. } => {
                self.started = Some(event.at);
                for name in hosts {
                    self.put(name, At::Waiting, event.at);
                }
                return;
            }
            EventKind::HostConnecting { .. } => At::Connecting,
            EventKind::HostReached { .. } => At::Survey,
            EventKind::HostPlanned { .. } => At::Planned,
            EventKind::StepStarted { number, name, .. } => At::Step(*number, name.clone()),
            EventKind::StepProgress { host, text, .. } => {
                if let Some(live) = self.hosts.iter_mut().find(|live| live.name == *host) {
                    live.text.clone_from(text);
                }
                return;
            }
            EventKind::StepReplanned { .. }
            | EventKind::StepFinished { .. }
            | EventKind::GuardProven { .. }
            | EventKind::GuardRefuted { .. } => At::Between,
            EventKind::GuardArmed { host, seconds, .. } => {
                self.guard(host, Some((event.at, *seconds)));
                return;
            }
            EventKind::GuardAwaited { host, seconds, .. } => {
                self.guard(host, Some((event.at, *seconds)));
                At::Restoring
            }
            EventKind::GuardDisarmed { host, .. } | EventKind::GuardFired { host, .. } => {
                self.guard(host, None);
                At::Between
            }
            EventKind::PlannedAgain { .. } | EventKind::Checked { .. } => At::Checks,
            EventKind::HostFinished { result, .. } => finished(result),
            EventKind::DataReady { .. }
            | EventKind::DataRefused { .. }
            | EventKind::PlanOpened(_)
            | EventKind::StepMoved { .. }
            | EventKind::UnfinishedFound { .. }
            | EventKind::UnfinishedSettled { .. }
            | EventKind::Interrupting
            | EventKind::Answered { .. }
            | EventKind::Guided { .. }
            | EventKind::Invoked { .. }
            | EventKind::RunFinished { .. }
            | EventKind::Unknown => return,
        };
        if let Some(host) = event.kind.host() {
            self.put(host, at, event.at);
        }
    }

    fn put(&mut self, name: &str, at: At, since: Timestamp) {
        let name = name.to_owned();
        let text = String::new();
        let mut live = LiveHost {
            name,
            at,
            since,
            text,
            guard: None,
        };
        match self.hosts.iter_mut().find(|known| known.name == live.name) {
            // One check after another: the time of all of them is what is long.
            Some(known) if known.at == live.at => {}
            Some(known) => {
                live.guard = known.guard;
                *known = live;
            }
            None => self.hosts.push(live),
        }
    }

    fn guard(&mut self, host: &str, until: Option<(Timestamp, u64)>) {
        if let Some(live) = self.hosts.iter_mut().find(|live| live.name == host) {
            live.guard = until;
        }
    }

    /// The rows to draw, none wider than the style's width.
    pub(super) fn rows(&self, moment: &Moment, tally: &Tally, style: &Style) -> Vec<String> {
        let active: Vec<&LiveHost> = self.hosts.iter().filter(|live| live.is_active()).collect();
        let many = self.hosts.len() > 1;
        let room = moment.height.saturating_sub(usize::from(many)).max(1);
        let width = style.width.unwrap_or(80);
        let pad = active.iter().map(|live| measure_text_width(&live.name));
        let pad = pad.max().unwrap_or(0).min(width / 3);
        let spin = spin(moment.frame, style);
        let shown = active.iter().take(room);
        let mut rows: Vec<String> = shown
            .map(|live| live.row((spin, pad), moment.now, tally, style))
            .collect();
        if many && !active.is_empty() {
            rows.push(self.footer(active.len().saturating_sub(room), moment.now, style));
        }
        rows
    }

    /// `3 of 8 done · 1 stopped · 2 waiting · +2 more at work · 14 s`.
    fn footer(&self, hidden: usize, now: Timestamp, style: &Style) -> String {
        let count = |wanted: &At| self.hosts.iter().filter(|live| live.at == *wanted).count();
        let (done, stopped) = (count(&At::Done), count(&At::Stopped));
        let mut parts = Vec::new();
        if hidden > 0 {
            parts.push(format!("+{hidden} more"));
        }
        parts.push(format!("{done} of {} done", self.hosts.len()));
        let rest = [
            (stopped, "stopped"),
            (count(&At::Planned), "planned"),
            (count(&At::Waiting), "waiting"),
        ];
        let rest = rest.iter().filter(|(number, _)| *number > 0);
        parts.extend(rest.map(|(number, word)| format!("{number} {word}")));
        let since = self.started.map_or(0, |started| millis(started, now));
        if since >= LONG {
            parts.push(seconds(since / 1000));
        }
        let text = format!("  {}", parts.join(style.sign(Sign::Dot)));
        style.paint(Tone::Dim, &fitted(&text, usable(style), style))
    }
}

impl LiveHost {
    fn is_active(&self) -> bool {
        match self.at {
            At::Connecting
            | At::Survey
            | At::Step(..)
            | At::Between
            | At::Restoring
            | At::Checks => true,
            At::Waiting | At::Planned | At::Done | At::Stopped => false,
        }
    }

    /// One row: sign, host, what it is at, how long. The time is the last to be cut.
    fn row(
        &self,
        (spin, pad): (&str, usize),
        now: Timestamp,
        tally: &Tally,
        style: &Style,
    ) -> String {
        let since = millis(self.since, now);
        let time = match self.guard {
            Some((from, limit)) => {
                let left = limit.saturating_sub(millis(from, now) / 1000);
                format!("  guard {}", seconds(left))
            }
            None if since >= LONG => format!("  {}", seconds(since / 1000)),
            None => String::new(),
        };
        let name = clean(&self.name);
        let name = squeezed(&name, pad, style);
        let fill = " ".repeat(pad.saturating_sub(measure_text_width(&name)));
        let taken = measure_text_width(spin) + pad + 4 + measure_text_width(&time);
        let what = self.what(tally, style);
        let what = fitted(&what, usable(style).saturating_sub(taken), style);
        let row = Line::of(Tone::Good, spin)
            .push(Tone::Strong, format!(" {name}{fill}"))
            .push(Tone::Plain, format!("  {what}"))
            .push(Tone::Dim, time)
            .rows(style, None)
            .concat();
        fitted(&row, usable(style), style)
    }

    fn what(&self, tally: &Tally, style: &Style) -> String {
        match &self.at {
            At::Connecting => "connecting".to_owned(),
            At::Survey => "looking".to_owned(),
            At::Step(number, name) => {
                let plan = tally.host(&self.name).and_then(|host| host.plan);
                let of = plan.map_or(String::new(), |plan| format!("/{}", plan.steps));
                let dot = style.sign(Sign::Dot);
                // What it waits for is news, the name is not.
                let text = if self.text.is_empty() {
                    name
                } else {
                    &self.text
                };
                clean(&format!("{number}{of}{dot}{text}")).into_owned()
            }
            At::Between => "next step".to_owned(),
            At::Restoring => "waiting until it has restored itself".to_owned(),
            At::Checks => "verifying".to_owned(),
            At::Waiting | At::Planned | At::Done | At::Stopped => String::new(),
        }
    }
}

fn finished(result: &HostResult) -> At {
    match result {
        HostResult::NothingToDo
        | HostResult::ChangesDue { .. }
        | HostResult::Changed { .. }
        | HostResult::Verified
        | HostResult::Declined => At::Done,
        HostResult::Stopped { .. } => At::Stopped,
    }
}

fn spin(frame: usize, style: &Style) -> &'static str {
    if style.unicode {
        SPIN[frame % SPIN.len()]
    } else {
        SPIN_ASCII[frame % SPIN_ASCII.len()]
    }
}

/// A clock that was set back makes no negative time.
fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}
