//! The terminal that the live view is drawn on. One that goes away in the middle (a closed window, a broken
//! connection) takes nothing more, and that must not end the run: what is under way ends in order.

use std::io;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// A terminal that may go away.
#[derive(Debug)]
struct Screen(Term);

/// Where the live view is drawn.
pub(super) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen(Term::buffered_stderr())), HERTZ)
}

/// How often it is drawn at most, in a second.
const HERTZ: u8 = 20;

/// What could not be drawn is not missed: the journal has it all.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the drawing library cannot go on after an error"
)]
fn drawn(result: io::Result<()>) -> io::Result<()> {
    drop(result);
    Ok(())
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.size().1
    }
    fn height(&self) -> u16 {
        self.0.size().0
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_up(n))
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_down(n))
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_right(n))
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_left(n))
    }
    fn write_line(&self, line: &str) -> io::Result<()> {
        drawn(self.0.write_line(line))
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        drawn(self.0.write_str(text))
    }
    fn clear_line(&self) -> io::Result<()> {
        drawn(self.0.clear_line())
    }
    fn flush(&self) -> io::Result<()> {
        drawn(self.0.flush())
    }
}
