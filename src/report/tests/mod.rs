//! The sinks over whole runs.

mod guards;
mod hostile;
mod kinds;
mod machine;
mod plans;
mod runs;
mod summaries;
mod terminal;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::samples::events;
use super::{Plain, Quiet, Report, Streams, Style};
use crate::event::EventKind;

/// A stream that can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn streams(data: &Shared, status: &Shared) -> Streams {
    Streams {
        data: Box::new(data.clone()),
        status: Box::new(status.clone()),
    }
}

/// What is told on both streams together, as on a terminal.
fn told(make: impl FnOnce(Streams) -> Report, kinds: Vec<EventKind>) -> String {
    let shared = Shared::default();
    let mut report = make(streams(&shared, &shared));
    for event in events(kinds) {
        report.tell(&event).unwrap();
    }
    report.close().unwrap();
    shared.text()
}

fn plain(style: Style, kinds: Vec<EventKind>) -> String {
    told(|streams| Report::Plain(Plain::new(style, streams)), kinds)
}

fn quiet(kinds: Vec<EventKind>) -> String {
    let make = |streams| Report::Quiet(Quiet::new(Style::plain(), streams));
    told(make, kinds)
}
