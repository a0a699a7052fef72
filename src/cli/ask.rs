//! Questions to the person at the terminal: asked on standard error, answered with a line.
//!
//! Lines, not single keys: they work over any terminal, need no mode that a killed program would leave behind,
//! and nothing happens before Enter. What was typed before a question could be read is no answer to it.

use std::io::{IsTerminal as _, Write as _, stdin};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::watch;

use crate::report;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A line, without its end.
    Line(String),
    /// The run was stopped meanwhile.
    Stopped,
    /// Nobody is there any more: the end of input, or a terminal that is gone.
    Gone,
    /// Whoever wanted to know needs no answer any more.
    Moot,
}

/// What a question does not outlive.
pub(super) struct While<'a> {
    /// Set when the run is stopped.
    pub(super) stop: &'a watch::Receiver<bool>,
    /// Whether nobody waits for the answer any more.
    pub(super) moot: &'a dyn Fn() -> bool,
}

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on standard error; only a clear yes is one, every other line is a no. `None` when nobody said anything: after
/// a stop, at the end of input, or without a terminal.
pub(super) fn confirm(question: &str, asked: &While<'_>) -> Option<bool> {
    let prompt = format!("{} [y/N] ", report::harmless(question));
    match line(&prompt, asked) {
        Heard::Line(line) => Some(matches!(line.trim().to_lowercase().as_str(), "y" | "yes")),
        Heard::Stopped | Heard::Gone | Heard::Moot => None,
    }
}

/// Asks which of some words it is to be, until it is one of them or the beginning of just one; `None` after a stop
/// or at the end of input.
pub(super) fn choose(question: &str, words: &[&str], asked: &While<'_>) -> Option<usize> {
    let prompt = format!("{} [{}] ", report::harmless(question), words.join("/"));
    loop {
        let Heard::Line(line) = line(&prompt, asked) else {
            return None;
        };
        let line = line.to_lowercase();
        let mut meant = (0..words.len()).filter(|at| words[*at].starts_with(&line));
        if let (false, Some(at), None) = (line.is_empty(), meant.next(), meant.next()) {
            return Some(at);
        }
    }
}

/// Shows a text and reads a line.
pub(super) fn line(prompt: &str, asked: &While<'_>) -> Heard {
    // Whatever was typed ahead, or stood in the rest of a paste, was meant for something else.
    let _ = tcflush(stdin(), QueueSelector::IFlush);
    let mut terminal = std::io::stderr();
    let shown = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    if shown.is_err() {
        return Heard::Gone;
    }
    let heard = read(asked);
    // The next line must not stand behind the question.
    let _ = match heard {
        Heard::Line(_) => Ok(()),
        Heard::Stopped | Heard::Gone => writeln!(terminal),
        Heard::Moot => writeln!(terminal, "\nThis needs no answer any more."),
    };
    heard
}

/// Reads what the terminal hands over as a whole line; looks in between whether it is still wanted.
fn read(asked: &While<'_>) -> Heard {
    let (stdin, mut line) = (stdin(), Vec::new());
    let pause = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    loop {
        if *asked.stop.borrow() {
            return Heard::Stopped;
        }
        if (asked.moot)() {
            return Heard::Moot;
        }
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&pause)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return Heard::Gone,
        }
        let mut some = [0; 1024];
        match rustix::io::read(&stdin, &mut some) {
            Ok(0) => return Heard::Gone,
            Ok(count) => line.extend_from_slice(&some[..count]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return Heard::Gone,
        }
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            return Heard::Line(String::from_utf8_lossy(&line[..end]).trim().to_owned());
        }
    }
}
