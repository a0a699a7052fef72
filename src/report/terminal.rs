//! The live view: what is under way stays at the bottom of the screen, what is told goes above it.

use std::io;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::live::{Live, Moment};
use super::story::{Story, View};
use super::streams::{Notice, Streams};
use super::style::Style;
use crate::event::{Event, EventKind};

/// Tells a run on a terminal.
#[derive(Debug)]
pub struct Terminal {
    pub(super) story: Story,
    streams: Streams,
    live: Live,
    height: usize,
    frame: usize,
    now: Timestamp,
    paused: bool,
    screen: MultiProgress,
    rows: Vec<ProgressBar>,
}

impl Terminal {
    /// Tells to these streams and draws on `target`, a terminal of `height` rows.
    pub fn new(style: Style, streams: Streams, target: ProgressDrawTarget, height: usize) -> Self {
        Self {
            story: Story::new(View::Screen, style),
            streams,
            live: Live::default(),
            height,
            frame: 0,
            now: Timestamp::UNIX_EPOCH,
            paused: false,
            screen: MultiProgress::with_draw_target(target),
            rows: Vec::new(),
        }
    }

    /// Tells an event.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn tell(&mut self, event: &Event) -> io::Result<()> {
        self.now = self.now.max(event.at);
        self.live.take(event);
        let notices = self.story.tell(event);
        if let EventKind::RunFinished { .. } = event.kind {
            self.clear();
            self.write(&notices)?;
            return self.end();
        }
        self.write(&notices)?;
        self.draw();
        Ok(())
    }

    /// Tells what is held back, and the summary.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn end(&mut self) -> io::Result<()> {
        self.clear();
        let mut notices = self.story.ending();
        notices.extend(self.story.summary());
        self.write(&notices)
    }

    /// Moves the clock of the live view; to be called a few times a second.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.frame = self.frame.wrapping_add(1);
        self.draw();
    }

    /// The terminal has this size now.
    pub fn resize(&mut self, width: usize, height: usize) {
        self.story.style.width = Some(width);
        self.height = height;
    }

    /// Shows the plans that wait, and takes the live view off the screen until [`Terminal::resume`].
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn pause(&mut self) -> io::Result<()> {
        self.paused = true;
        self.clear();
        let plans = self.story.show_plans();
        self.write(plans.as_slice())
    }

    /// Brings the live view back.
    pub fn resume(&mut self) {
        self.paused = false;
        self.draw();
    }

    /// Takes the live view off the screen.
    pub fn clear(&mut self) {
        for row in self.rows.drain(..) {
            row.finish_and_clear();
            self.screen.remove(&row);
        }
        // A terminal that is gone needs no clearing.
        let _ = self.screen.clear();
    }

    fn write(&mut self, notices: &[Notice]) -> io::Result<()> {
        if notices.is_empty() {
            return Ok(());
        }
        let pad = self.story.pad();
        let (style, streams) = (&self.story.style, &mut self.streams);
        self.screen.suspend(|| {
            notices.iter().try_for_each(|notice| {
                let text = notice.text(style, pad);
                streams.write(notice.stream, &text)
            })
        })
    }

    fn draw(&mut self) {
        if self.paused {
            return;
        }
        let moment = Moment {
            now: self.now,
            frame: self.frame,
            // The line the cursor rests on, and one to see where one was.
            height: self.height.saturating_sub(2).max(1),
        };
        let story = &self.story;
        let rows = self.live.rows(&moment, &story.tally, &story.style);
        while self.rows.len() > rows.len() {
            if let Some(row) = self.rows.pop() {
                row.finish_and_clear();
                self.screen.remove(&row);
            }
        }
        while self.rows.len() < rows.len() {
            let bar = ProgressBar::no_length();
            let row = self.screen.add(bar.with_style(only_message()));
            self.rows.push(row);
        }
        for (row, text) in self.rows.iter().zip(rows) {
            row.set_message(text);
        }
    }
}

fn only_message() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Drop for Terminal {
    /// Whatever ends the run, the screen is left clean.
    fn drop(&mut self) {
        self.clear();
    }
}
