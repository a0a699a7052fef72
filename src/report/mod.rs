//! Telling: events become text. Every sink takes the same events, one by one, from the engine or
//! from a journal, and writes to the streams it was given. Nothing here prints by itself, looks at
//! the terminal or the clock.
//!
//! ```text
//! event ─▶ tally, groups, checks ─▶ story ─▶ notices ─▶ lines ─▶ plain | terminal | quiet
//!     └──────────────────────────────────────────────────────▶ json
//! ```
//!
//! Lines are made in `line.rs` alone, which cleans all text on its way in.

mod check_tally;
mod checks;
mod clean;
mod count;
mod deeds;
mod diff;
mod fit;
mod groups;
mod guided;
mod guard_lines;
mod headline;
mod history;
mod json;
mod line;
mod live;
mod notices;
mod step_notices;
mod plain;
mod plan_sum;
mod plan_view;
mod quiet;
mod saved_plan;
mod story;
mod streams;
mod style;
mod summary;
mod tally;
mod unfinished;
mod warnings;
mod terminal;
mod words;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use clean::{clean, harmless, harmless_lines};
pub use guided::{looks_alike, paragraphs, step_details, step_question};
pub use history::{History, Listed};
pub use json::Json;
pub use plain::Plain;
pub use quiet::Quiet;
pub use streams::Streams;
pub use style::Style;
pub use terminal::Terminal;

use std::io;

use jiff::Timestamp;

use crate::event::Event;

/// A run told in one of the forms.
#[derive(Debug)]
pub enum Report {
    /// Lines, for logs.
    Plain(Plain),
    /// A live view on a terminal.
    Terminal(Box<Terminal>),
    /// JSON lines.
    Json(Json),
    /// Nothing, or everything at the end.
    Quiet(Quiet),
}

impl Report {
    /// Tells an event.
    ///
    /// # Errors
    /// When a stream cannot be written to; the run may go on, its journal is elsewhere.
    pub fn tell(&mut self, event: &Event) -> io::Result<()> {
        match self {
            Report::Plain(plain) => plain.tell(event),
            Report::Terminal(terminal) => terminal.tell(event),
            Report::Json(json) => json.tell(event),
            Report::Quiet(quiet) => quiet.tell(event),
        }
    }

    /// Moves what moves by itself; to be called a few times a second while a run is under way.
    pub fn tick(&mut self, now: Timestamp) {
        match self {
            Report::Terminal(terminal) => terminal.tick(now),
            Report::Plain(_) | Report::Json(_) | Report::Quiet(_) => {}
        }
    }

    /// The terminal has another size now.
    pub fn resize(&mut self, width: usize, height: usize) {
        match self {
            Report::Terminal(terminal) => terminal.resize(width, height),
            Report::Plain(_) | Report::Json(_) | Report::Quiet(_) => {}
        }
    }

    /// Says after the summary how to see more of the run, as a clause: a command, a folder.
    #[must_use]
    pub fn with_more(mut self, more: impl Into<String>) -> Self {
        match &mut self {
            Report::Plain(plain) => plain.story.more = Some(more.into()),
            Report::Terminal(terminal) => terminal.story.more = Some(more.into()),
            Report::Quiet(quiet) => quiet.story.more = Some(more.into()),
            Report::Json(_) => {}
        }
        self
    }

    /// Shows all plans and lets nothing move on the screen, so that a question can be asked.
    ///
    /// # Errors
    /// When the plans could not be shown; then nothing may be asked about them.
    pub fn pause(&mut self) -> io::Result<()> {
        match self {
            Report::Plain(plain) => plain.show_plans(),
            Report::Terminal(terminal) => terminal.pause(),
            Report::Json(_) | Report::Quiet(_) => Ok(()),
        }
    }

    /// Tells the end of a run whose last event is not on record.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn end_early(&mut self) -> io::Result<()> {
        match self {
            Report::Plain(plain) => plain.end(),
            Report::Terminal(terminal) => terminal.end(),
            Report::Json(_) | Report::Quiet(_) => Ok(()),
        }
    }

    /// Goes on after the question.
    pub fn resume(&mut self) {
        match self {
            Report::Terminal(terminal) => terminal.resume(),
            Report::Plain(_) | Report::Json(_) | Report::Quiet(_) => {}
        }
    }

    /// Ends the telling, whatever happened: leaves a clean screen, holds nothing back.
    ///
    /// # Errors
    /// When a stream cannot be written to.
    pub fn close(&mut self) -> io::Result<()> {
        match self {
            Report::Terminal(terminal) => terminal.clear(),
            Report::Quiet(quiet) => quiet.close()?,
            Report::Plain(_) | Report::Json(_) => {}
        }
        Ok(())
    }
}
