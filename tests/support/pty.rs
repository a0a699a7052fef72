//! A real pseudo-terminal: the program runs on it as before a person, and its screen is read as they would see it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    reason = "a module of several test programs, each of which uses a part of it and starts processes"
)]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The longest that anything may take before it is seen.
const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// A program on a terminal of its own.
pub struct Pty {
    controller: Option<OwnedFd>,
    /// Dropped when the terminal goes away.
    open: Option<Arc<()>>,
    child: Child,
    seen: Arc<Mutex<Seen>>,
    /// How much of the text was waited for already.
    read: usize,
}

struct Seen {
    screen: vt100::Parser,
    raw: Vec<u8>,
}

impl Pty {
    /// Starts a command (its program, arguments, folder and explicit variables) on a terminal of this size.
    #[track_caller]
    pub fn start(command: &Command, (rows, columns): (u16, u16)) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a terminal");
        grantpt(&controller).expect("a terminal");
        unlockpt(&controller).expect("a terminal");
        tcsetwinsize(&controller, size(rows, columns)).expect("a size");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let open = || {
            let path = std::path::Path::new(name.to_str().expect("a path"));
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .expect("the terminal")
        };
        let mut wrapped = wrapped(command);
        wrapped.stdin(open()).stdout(open()).stderr(open());
        let child = wrapped.spawn().expect("the program starts");
        drop(wrapped);
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(some(rows), some(columns), 0),
            raw: Vec::new(),
        }));
        let mut reader = File::from(controller.try_clone().expect("a descriptor"));
        let writer = seen.clone();
        let open = Arc::new(());
        let held = open.clone();
        thread::spawn(move || {
            let mut some = [0; 4096];
            loop {
                let mut ready = [PollFd::new(&reader, PollFlags::IN)];
                let waited = poll(&mut ready, Some(&PAUSE));
                if Arc::strong_count(&writer) == 1 || Arc::strong_count(&held) == 1 {
                    return;
                }
                if matches!(waited, Ok(0) | Err(_)) {
                    continue;
                }
                // The read fails when the last program has left the terminal.
                let Ok(count @ 1..) = reader.read(&mut some) else {
                    return;
                };
                let mut seen = writer.lock().expect("nobody panics with it");
                seen.raw.extend_from_slice(&some[..count]);
                seen.screen.process(&some[..count]);
            }
        });
        Self {
            controller: Some(controller),
            open: Some(open),
            child,
            seen,
            read: 0,
        }
    }

    /// All text so far, without what only moves the cursor or colours.
    pub fn text(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        let raw = String::from_utf8_lossy(&seen.raw).into_owned();
        console::strip_ansi_codes(&raw).replace('\r', "")
    }

    /// Everything as it was sent to the terminal.
    pub fn raw(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        String::from_utf8_lossy(&seen.raw).into_owned()
    }

    /// What stands on the screen now.
    pub fn screen(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        seen.screen.screen().contents()
    }

    /// Waits for a text behind everything that was waited for before; what came up to its end.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            let new = text.get(self.read..).unwrap_or_default();
            if let Some(at) = new.find(wanted) {
                let upto = at + wanted.len();
                let came = new[..upto].to_owned();
                self.read += upto;
                return came;
            }
            let ended = self.child.try_wait().expect("a child").is_some();
            assert!(
                !ended || self.text() != text,
                "it ended without {wanted:?} after {:?}:\n{text}",
                text.get(..self.read)
            );
            assert!(
                Instant::now() < end,
                "no {wanted:?} in:\n{new}\n\nthe whole:\n{text}"
            );
            thread::sleep(Duration::from_millis(15));
        }
    }

    /// Waits until the program asks, and writes an answer. What came before the question.
    #[track_caller]
    pub fn answer(&mut self, answer: &str) -> String {
        let came = self.expect("\n> ");
        self.write(&format!("{answer}\n"));
        came
    }

    /// Waits until the program asks before a step; `false` when it ends before that.
    #[track_caller]
    pub fn asks(&mut self) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().expect("a child").is_some();
            let text = self.text();
            let new = text.get(self.read..).unwrap_or_default();
            if let Some(at) = new.find("\n> ") {
                self.read += at + 3;
                return true;
            }
            if ended {
                return false;
            }
            assert!(
                Instant::now() < end,
                "neither a question nor an end in:\n{text}"
            );
            thread::sleep(Duration::from_millis(15));
        }
    }

    /// Writes as a person would, at once.
    #[track_caller]
    pub fn write(&mut self, text: &str) {
        let controller = self.controller.as_ref().expect("a terminal");
        let mut writer = File::from(controller.try_clone().expect("a descriptor"));
        writer
            .write_all(text.as_bytes())
            .expect("it takes what is typed");
    }

    /// Gives the terminal another size.
    #[track_caller]
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let controller = self.controller.as_ref().expect("a terminal");
        tcsetwinsize(controller, size(rows, columns)).expect("a size");
        let mut seen = self.seen.lock().expect("nobody panics with it");
        let screen = seen.screen.screen_mut();
        screen.set_size(some(rows), some(columns));
    }

    /// The terminal goes away, as when a window is closed or a connection breaks.
    pub fn hang_up(&mut self) {
        self.open = None;
        // The reader sees it at its next look.
        thread::sleep(Duration::from_millis(200));
        self.controller = None;
    }

    /// The process of the program itself.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end: the exit code, and the rest of the text.
    #[track_caller]
    pub fn end(&mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                // What was written last is still on its way.
                thread::sleep(Duration::from_millis(100));
                let text = self.text();
                let rest = text.get(self.read..).unwrap_or_default().to_owned();
                let signal =
                    || -std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(999);
                return (status.code().unwrap_or_else(signal), rest);
            }
            if Instant::now() > end {
                let text = self.text();
                let _ = self.child.kill();
                panic!("it does not end:\n{text}");
            }
            thread::sleep(Duration::from_millis(15));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The command on a terminal that it finds as its standard input.
fn wrapped(command: &Command) -> Command {
    // It becomes the terminal of a session of its own, so that its end is heard of.
    let mut wrapped = Command::new("/usr/bin/setsid");
    wrapped
        .arg("-c")
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

fn some(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("rows and columns")
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
