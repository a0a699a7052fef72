//! Turns events into notices, in the order in which they should be read: plans are held back until
//! they can be shown together, checks until they can be compared.

use std::collections::HashMap;

use super::checks::Checks;
use super::groups::{Groups, visible};
use super::guard_lines;
use super::line::Line;
use super::notices;
use super::plan_view;
use super::saved_plan;
use super::step_notices;
use super::streams::{Notice, Stream};
use super::style::Style;
use super::summary::summary;
use super::tally::Tally;
use super::unfinished;
use crate::event::{Event, EventKind, HostResult, Mode, Proof};
use crate::plan::{HostPlan, Moved, StepPlan};

/// What the reader has before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// A growing log: everything at once, in order.
    Log,
    /// A screen with a live view: what it shows anyway is not told again.
    Screen,
    /// A message that is read afterwards.
    Mail,
}

/// A run as it is told.
#[derive(Debug)]
pub(super) struct Story {
    /// How output looks.
    pub(super) style: Style,
    /// What is known by now.
    pub(super) tally: Tally,
    /// How to see more of the run.
    pub(super) more: Option<String>,
    view: View,
    plans: Groups,
    checks: Checks,
    moved: Vec<(Moved, String)>,
    replanned: Vec<(StepPlan, String)>,
    progress: HashMap<String, String>,
    told_unknown: bool,
    spaced: bool,
}

impl Story {
    /// Nothing happened yet.
    pub(super) fn new(view: View, style: Style) -> Self {
        Self {
            style,
            tally: Tally::default(),
            more: None,
            view,
            plans: Groups::default(),
            checks: Checks::default(),
            moved: Vec::new(),
            replanned: Vec::new(),
            progress: HashMap::new(),
            told_unknown: false,
            spaced: true,
        }
    }

    /// How wide the names of hosts are before their lines.
    pub(super) fn pad(&self) -> usize {
        let most = self.style.width.map_or(24, |width| (width / 5).min(24));
        let names = self.tally.hosts.iter().map(|host| host.name.len());
        names.max().unwrap_or(0).min(most)
    }

    /// What to tell now that this happened. The end is told by [`Story::ending`] and
    /// [`Story::summary`].
    pub(super) fn tell(&mut self, event: &Event) -> Vec<Notice> {
        self.tally.take(event);
        let mut told = Vec::new();
        if let EventKind::StepStarted { host, .. } = &event.kind
            && self.plans.holds(host)
        {
            told.extend(self.show_plans());
        }
        told.extend(self.notice(&event.kind));
        if self.tally.is_surveyed() {
            told.extend(self.show_plans());
        }
        self.note_gap(&told);
        told
    }

    /// Remembers whether the last line told is empty.
    fn note_gap(&mut self, told: &[Notice]) {
        let last = told.last().and_then(|notice| notice.lines.last());
        self.spaced = last.map_or(self.spaced, |line| *line == Line::new());
    }

    fn notice(&mut self, kind: &EventKind) -> Option<Notice> {
        let style = &self.style;
        match kind {
            EventKind::RunStarted { summary, .. } => {
                notices::run_started(summary, &self.tally, style)
            }
            EventKind::DataReady {
                name,
                origin,
                entries,
                notes,
            } => notices::data_ready(name, origin, *entries, notes, style),
            EventKind::DataRefused {
                name, origin, why, ..
            } => Some(notices::data_refused(name, origin, why)),
            EventKind::Interrupting => Some(notices::interrupting()),
            EventKind::HostConnecting { host } => notices::host_connecting(host, style),
            EventKind::HostReached { host, facts, notes } => {
                notices::host_reached(host, facts, notes, style)
            }
            EventKind::UnfinishedFound { .. } | EventKind::UnfinishedSettled { .. } => {
                unfinished::notice(kind, &self.tally)
            }
            EventKind::HostPlanned { plan } => self.host_planned(plan),
            EventKind::PlanOpened(saved) => saved_plan::plan_opened(saved, style),
            EventKind::StepMoved { host, moved } => Some(self.step_moved(host, moved)),
            EventKind::StepReplanned { host, step } => Some(self.step_replanned(host, step)),
            EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepFinished { .. }
            | EventKind::Answered { .. }
            | EventKind::Guided { .. } => self.step_notice(kind),
            EventKind::GuardArmed { .. }
            | EventKind::GuardProven { .. }
            | EventKind::GuardDisarmed { .. }
            | EventKind::GuardRefuted { .. }
            | EventKind::GuardAwaited { .. }
            | EventKind::GuardFired { .. } => {
                let run = self.tally.run.as_ref().map(|run| run.id.as_str());
                guard_lines::notice(kind, run.unwrap_or_default(), style)
            }
            EventKind::Checked { host, name, proof } => self.checked(host, name, proof),
            EventKind::HostFinished { host, result } => self.host_finished(host, result),
            EventKind::Invoked { .. }
            | EventKind::PlannedAgain { .. }
            | EventKind::RunFinished { .. } => None,
            EventKind::Unknown => self.unknown(),
        }
    }

    /// What is told of a step on its way.
    fn step_notice(&mut self, kind: &EventKind) -> Option<Notice> {
        let style = &self.style;
        match kind {
            EventKind::StepStarted { host, number, name } => {
                step_notices::step_started(host, *number, name, style)
            }
            EventKind::StepProgress { host, number, text } => {
                let news = self.is_news(host, text);
                step_notices::step_progress(host, *number, text, &self.style).filter(|_| news)
            }
            EventKind::StepFinished {
                host,
                number,
                name,
                result,
            } => step_notices::step_finished(host, (*number, name), result, self.is_calm(), style),
            EventKind::Answered {
                host,
                number,
                question,
                yes,
                by,
            } => step_notices::answered(host, *number, (question, *yes, by), style),
            EventKind::Guided { .. } => super::deeds::notice(kind, style),
            _ => None,
        }
    }

    fn host_planned(&mut self, plan: &HostPlan) -> Option<Notice> {
        self.plans.add(plan);
        None
    }

    fn step_moved(&mut self, host: &str, moved: &Moved) -> Notice {
        let like = self.moved.iter().find(|(known, _)| known == moved);
        let like = like.map(|(_, host)| host.clone());
        if like.is_none() {
            self.moved.push((moved.clone(), host.to_owned()));
        }
        saved_plan::step_moved(host, moved, like.as_deref(), &self.style)
    }

    fn step_replanned(&mut self, host: &str, step: &StepPlan) -> Notice {
        let looks = visible(step);
        let like = self.replanned.iter().find(|(known, _)| *known == looks);
        let like = like.map(|(_, host)| host.clone());
        if like.is_none() {
            self.replanned.push((looks, host.to_owned()));
        }
        step_notices::step_replanned(host, step, like.as_deref(), &self.style)
    }

    /// Whether this progress is to be told, and is not what was told before.
    fn is_news(&mut self, host: &str, text: &str) -> bool {
        let told = match self.view {
            View::Log => true,
            View::Screen => false,
            View::Mail => self.style.verbose(),
        };
        told && self
            .progress
            .insert(host.to_owned(), text.to_owned())
            .as_deref()
            != Some(text)
    }

    /// Whether steps that went well are not worth a line.
    fn is_calm(&self) -> bool {
        let many = self.tally.hosts.len() > 1;
        match self.view {
            View::Log | View::Mail => self.style.quiet,
            View::Screen => self.style.quiet || (many && !self.style.verbose()),
        }
    }

    fn checked(&mut self, host: &str, name: &str, proof: &Proof) -> Option<Notice> {
        let mode = self.tally.mode();
        match self.view {
            View::Screen | View::Mail => {
                self.checks.add(host, name, proof);
                None
            }
            View::Log
                if self.style.quiet
                    && mode != Mode::Verify
                    && matches!(proof, Proof::Yes { .. }) =>
            {
                None
            }
            View::Log => Some(notices::checked(host, name, proof, mode, &self.style)),
        }
    }

    fn host_finished(&mut self, host: &str, result: &HostResult) -> Option<Notice> {
        if let (HostResult::Stopped { fault, .. }, Some(tally)) = (result, self.tally.host(host)) {
            if tally.plan.is_none() {
                self.plans.add_without(host, *fault);
            }
            // The plan, the failed step or the refused data said why, and the summary does again.
            let blocked = tally.plan.is_some_and(|plan| plan.blocked);
            if blocked || tally.failed || tally.lacks_data(&self.tally.refused) {
                return None;
            }
        }
        notices::host_finished(host, result, &self.style)
    }

    fn unknown(&mut self) -> Option<Notice> {
        let told = std::mem::replace(&mut self.told_unknown, true);
        (!told).then(notices::unknown)
    }

    /// The plans that wait, grouped. Must be called before a person is asked about them.
    pub(super) fn show_plans(&mut self) -> Option<Notice> {
        if self.plans.is_empty() {
            return None;
        }
        let groups = std::mem::take(&mut self.plans);
        let worth = match self.tally.mode() {
            Mode::Apply | Mode::Drift => self.style.verbose() || !groups.is_calm(),
            Mode::DryRun | Mode::Verify => true,
        };
        let order = self.tally.order();
        worth.then(|| {
            let lines = plan_view::plans(groups, &order, &self.style);
            Notice::of_run(Stream::Data, lines)
        })
    }

    /// What is still to be told before the summary.
    pub(super) fn ending(&mut self) -> Vec<Notice> {
        let stream = match self.tally.mode() {
            Mode::Verify => Stream::Data,
            Mode::Apply | Mode::DryRun | Mode::Drift => Stream::Status,
        };
        let checks = self.checks.lines(&self.style);
        let checks = (!checks.is_empty()).then(|| Notice::of_run(stream, checks));
        let told: Vec<Notice> = self.show_plans().into_iter().chain(checks).collect();
        self.note_gap(&told);
        told
    }

    /// The summary, unless only trouble is wanted and there is none.
    pub(super) fn summary(&self) -> Option<Notice> {
        if self.style.quiet && self.tally.is_fine() {
            return None;
        }
        let gap = (!self.spaced && self.view != View::Mail).then(Line::new);
        let lines = summary(&self.tally, self.more.as_deref(), &self.style);
        let lines = gap.into_iter().chain(lines).collect();
        Some(Notice::of_run(Stream::Status, lines))
    }
}
