//! The one question before anything is changed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tokio::sync::watch;

use crate::report;

/// Whether there is somebody to ask.
pub(super) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks on standard error and reads a line; only a clear yes is one, and a stop is a no.
pub(super) fn confirm(question: &str, stop: &watch::Receiver<bool>) -> bool {
    let line = line_for(&format!("{question} [y/N] "), stop);
    line.is_some_and(|line| matches!(line.to_lowercase().as_str(), "y" | "yes"))
}

/// Asks which of some words it is to be, until it is one of them or the beginning of just one; `None` after a stop
/// or at the end of input.
pub(super) fn choose(
    question: &str,
    words: &[&str],
    stop: &watch::Receiver<bool>,
) -> Option<usize> {
    let prompt = format!("{question} [{}] ", words.join("/"));
    loop {
        let line = line_for(&prompt, stop)?.to_lowercase();
        let mut meant = (0..words.len()).filter(|at| words[*at].starts_with(&line));
        if let (false, Some(at), None) = (line.is_empty(), meant.next(), meant.next()) {
            return Some(at);
        }
    }
}

/// Shows a question and reads a line, without blanks around it; `None` after a stop or at the end of input.
///
/// A thread reads, because reading cannot be given up; after a stop it ends with the process.
fn line_for(prompt: &str, stop: &watch::Receiver<bool>) -> Option<String> {
    let mut terminal = std::io::stderr();
    let prompt = report::harmless(prompt);
    write!(terminal, "{prompt}")
        .and_then(|()| terminal.flush())
        .ok()?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let whole = read.is_ok_and(|length| length > 0);
        // Nobody listens any more after a stop.
        let _ = sender.send(whole.then(|| line.trim().to_owned()));
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => return line,
            Err(RecvTimeoutError::Timeout) if !*stop.borrow() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // The next line must not stand behind the question.
                let _ = writeln!(terminal);
                return None;
            }
        }
    }
}
