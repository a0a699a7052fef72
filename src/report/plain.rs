//! Output for logs, pipes and terminals that cannot do more: lines, one after the other.

use std::io;

use super::story::{Story, View};
use super::streams::{Notice, Streams};
use super::style::Style;
use crate::event::{Event, EventKind};

/// Tells a run in lines.
#[derive(Debug)]
pub struct Plain {
    pub(super) story: Story,
    streams: Streams,
}

impl Plain {
    /// Tells to these streams.
    pub fn new(style: Style, streams: Streams) -> Self {
        Self {
            story: Story::new(View::Log, style),
            streams,
        }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn tell(&mut self, event: &Event) -> io::Result<()> {
        let notices = self.story.tell(event);
        notices.iter().try_for_each(|notice| self.write(notice))?;
        if let EventKind::RunFinished { .. } = event.kind {
            self.end()?;
        }
        Ok(())
    }

    /// Tells what is held back, and the summary.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn end(&mut self) -> io::Result<()> {
        let mut notices = self.story.ending();
        notices.extend(self.story.summary());
        notices.iter().try_for_each(|notice| self.write(notice))
    }

    /// Shows the plans that wait to be shown together.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn show_plans(&mut self) -> io::Result<()> {
        let plans = self.story.show_plans();
        plans.iter().try_for_each(|notice| self.write(notice))
    }

    fn write(&mut self, notice: &Notice) -> io::Result<()> {
        let text = notice.text(&self.story.style, self.story.pad());
        self.streams.write(notice.stream, &text)
    }
}
