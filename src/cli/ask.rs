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
///
/// A thread reads, because reading cannot be given up; after a stop it ends with the process.
pub(super) fn confirm(question: &str, stop: &watch::Receiver<bool>) -> bool {
    let mut terminal = std::io::stderr();
    let question = report::harmless(question);
    if write!(terminal, "{question} [y/N] ")
        .and_then(|()| terminal.flush())
        .is_err()
    {
        return false;
    }
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let yes = read.is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
        // Nobody listens any more after a stop.
        let _ = sender.send(yes);
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(yes) => return yes,
            Err(RecvTimeoutError::Timeout) if !*stop.borrow() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                // The next line must not stand behind the question.
                let _ = writeln!(terminal);
                return false;
            }
        }
    }
}
