//! Output for cron and timers: nothing at all when nothing is new, else everything, the summary
//! first, since a mail is read from its top.

use std::io;

use super::story::{Story, View};
use super::streams::{Notice, Stream, Streams};
use super::style::Style;
use crate::event::{Event, EventKind};

/// Holds back what is to be told until it is known whether there is news.
#[derive(Debug)]
pub struct Quiet {
    pub(super) story: Story,
    streams: Streams,
    held: Vec<(Stream, String)>,
    told: bool,
}

impl Quiet {
    /// Tells to these streams, if there is anything to tell.
    pub fn new(style: Style, streams: Streams) -> Self {
        Self {
            story: Story::new(View::Mail, style),
            streams,
            held: Vec::new(),
            told: false,
        }
    }

    /// Takes in an event; at the last one everything is told, or nothing.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn tell(&mut self, event: &Event) -> io::Result<()> {
        for notice in self.story.tell(event) {
            self.hold(&notice);
        }
        match event.kind {
            EventKind::RunFinished { .. } => self.finish(),
            EventKind::RunStarted { .. }
            | EventKind::DataReady { .. }
            | EventKind::DataRefused { .. }
            | EventKind::Interrupting
            | EventKind::HostConnecting { .. }
            | EventKind::HostReached { .. }
            | EventKind::UnfinishedFound { .. }
            | EventKind::UnfinishedSettled { .. }
            | EventKind::HostPlanned { .. }
            | EventKind::PlanOpened(_)
            | EventKind::StepMoved { .. }
            | EventKind::StepReplanned { .. }
            | EventKind::PlannedAgain { .. }
            | EventKind::StepStarted { .. }
            | EventKind::StepProgress { .. }
            | EventKind::StepFinished { .. }
            | EventKind::GuardArmed { .. }
            | EventKind::GuardProven { .. }
            | EventKind::GuardDisarmed { .. }
            | EventKind::GuardRefuted { .. }
            | EventKind::GuardAwaited { .. }
            | EventKind::GuardFired { .. }
            | EventKind::Answered { .. }
            | EventKind::Guided { .. }
            | EventKind::Invoked { .. }
            | EventKind::Checked { .. }
            | EventKind::HostFinished { .. }
            | EventKind::Unknown => Ok(()),
        }
    }

    /// Tells everything when the run ended without its last event: that is news too.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn close(&mut self) -> io::Result<()> {
        if self.story.tally.run.is_some() {
            self.finish()
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let first = !std::mem::replace(&mut self.told, true);
        let tally = &self.story.tally;
        if !first || (tally.is_fine() && !tally.has_news()) {
            return Ok(());
        }
        for notice in self.story.ending() {
            self.hold(&notice);
        }
        if let Some(summary) = self.story.summary() {
            let text = summary.text(&self.story.style, 0);
            self.streams.write(summary.stream, &text)?;
            self.streams.write(summary.stream, "\n")?;
        }
        for (stream, text) in std::mem::take(&mut self.held) {
            self.streams.write(stream, &text)?;
        }
        Ok(())
    }

    fn hold(&mut self, notice: &Notice) {
        let text = notice.text(&self.story.style, self.story.pad());
        self.held.push((notice.stream, text));
    }
}
