//! Where events go: the journal first, then the report. The journal's thread numbers them, so that
//! both see the same order; it never waits for the report, whose pipe may be full for hours.

use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

use super::ask::Heard;
use super::asking::{Asking, Panel};
use super::out::Kept;
use crate::event::{Event, EventKind, Previous, Told};
use crate::journal::Journal;
use crate::report::{Report, Style};

/// What the report is to show, in order.
enum Item {
    Event(Box<Event>),
    Question(Asking),
}

/// The threads that tell, and the way to ask through them.
pub(super) struct Teller {
    previous: Option<Previous>,
    journal: JoinHandle<Option<String>>,
    report: JoinHandle<()>,
    questions: UnboundedSender<Asking>,
}

/// How the telling is set up.
pub(super) struct Telling {
    pub(super) report: Report,
    /// How questions look.
    pub(super) style: Style,
    /// `None` when a dry run could not make one.
    pub(super) journal: Option<Journal>,
    pub(super) events: UnboundedReceiver<Told>,
    /// Set when the operator stops the run, which answers a question.
    pub(super) stop: watch::Receiver<bool>,
    /// Where a copy of the events goes, for a plan.
    pub(super) kept: Option<Kept>,
}

impl Teller {
    /// Starts telling.
    pub(super) fn start(telling: Telling) -> std::io::Result<Self> {
        let Telling {
            report,
            style,
            journal,
            events,
            stop,
            kept,
        } = telling;
        let previous = journal
            .as_ref()
            .and_then(|journal| journal.previous().cloned());
        let (questions, asked) = unbounded_channel();
        let (items, shown) = unbounded_channel();
        let journal = spawn(
            "journal",
            record_all(Recorder::new(journal, items, kept), events, asked),
        )?;
        let report = spawn("report", show_all(report, style, shown, stop))?;
        Ok(Self {
            previous,
            journal,
            report,
            questions,
        })
    }

    /// What the journal says of the run before on this machine.
    pub(super) fn previous(&self) -> Option<Previous> {
        self.previous.clone()
    }

    /// Asks the operator after everything told so far was shown; `None` when nobody answers.
    pub(super) async fn confirm(&self, text: String) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        // Without anybody to ask the answer never comes.
        let _ = self.questions.send(Asking::Confirm { text, answer });
        answered.await.ok().flatten()
    }

    /// The same with the answer one of `words`; its place among them.
    pub(super) async fn choose(
        &self,
        text: String,
        words: &'static [&'static str],
    ) -> Option<usize> {
        let (answer, answered) = oneshot::channel();
        let asking = Asking::Choose {
            text,
            words,
            answer,
        };
        let _ = self.questions.send(asking);
        answered.await.ok().flatten()
    }

    /// Shows a panel after everything told so far, and reads a line.
    pub(super) async fn ask(&self, panel: Panel, prompt: String) -> Heard {
        let (answer, answered) = oneshot::channel();
        let _ = self.questions.send(Asking::Line {
            panel,
            prompt,
            answer,
        });
        answered.await.unwrap_or(Heard::Gone)
    }

    /// Leaves the terminal to something else; what there is to say about it.
    pub(super) async fn away(
        &self,
        work: Box<dyn FnOnce() -> Option<String> + Send>,
    ) -> Option<String> {
        let (back, came) = oneshot::channel();
        let _ = self.questions.send(Asking::Away { work, back });
        came.await.ok().flatten()
    }

    /// Waits until the last event was told; why the journal is not whole, if it is not.
    pub(super) fn finish(self) -> Option<String> {
        drop(self.questions);
        let early = |name: &str| Some(format!("the {name} thread ended early"));
        let broken = self.journal.join().unwrap_or_else(|_| early("journal"));
        let shown = self.report.join();
        broken.or_else(|| shown.err().and_then(|_| early("report")))
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl Future<Output = T> + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(work))
}

/// Numbers events, writes the journal and hands them on.
struct Recorder {
    journal: Option<Journal>,
    report: UnboundedSender<Item>,
    seq: u64,
    broken: Option<String>,
    kept: Option<Kept>,
}

impl Recorder {
    fn new(journal: Option<Journal>, report: UnboundedSender<Item>, kept: Option<Kept>) -> Self {
        Self {
            journal,
            report,
            seq: 0,
            broken: None,
            kept,
        }
    }

    /// Records an event; whether it was the last.
    fn record(&mut self, told: Told) -> bool {
        let (kind, receipt) = told.open();
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: Timestamp::now(),
            kind,
        };
        if let Some(journal) = &mut self.journal
            && self.broken.is_none()
            && let Err(error) = journal.append(&event)
        {
            self.broken = Some(error.to_string());
        }
        // Without a record no further step may start: nobody gets a receipt any more.
        if self.broken.is_none() {
            receipt.sign();
        }
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(event.clone());
        }
        let last = matches!(event.kind, EventKind::RunFinished { .. });
        self.show(Item::Event(Box::new(event)));
        last
    }

    fn show(&self, item: Item) {
        // The run goes on when nobody looks; the journal has it all.
        let _ = self.report.send(item);
    }
}

async fn record_all(
    mut recorder: Recorder,
    mut events: UnboundedReceiver<Told>,
    mut questions: UnboundedReceiver<Asking>,
) -> Option<String> {
    loop {
        tokio::select! {
            // A question comes after what was told before it.
            biased;
            told = events.recv() => match told {
                // Whoever still has a way to tell after the last event (a server that is still
                // waited for) does not keep us.
                Some(told) => {
                    if recorder.record(told) {
                        break;
                    }
                }
                None => break,
            },
            Some(question) = questions.recv() => recorder.show(Item::Question(question)),
        }
    }
    recorder.broken
}

async fn show_all(
    mut report: Report,
    style: Style,
    mut items: UnboundedReceiver<Item>,
    stop: watch::Receiver<bool>,
) {
    let mut tick = tokio::time::interval(Duration::from_millis(120));
    let mut resized =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::window_change()).ok();
    loop {
        tokio::select! {
            biased;
            item = items.recv() => match item {
                Some(Item::Event(event)) => {
                    // A closed terminal or pipe leaves nobody to tell.
                    let _ = report.tell(&event);
                }
                Some(Item::Question(asking)) => asking.put(&mut report, &style, &stop),
                None => break,
            },
            () = window_change(&mut resized) => {
                let (rows, columns) = console::Term::stderr().size();
                report.resize(columns.into(), rows.into());
            }
            _ = tick.tick() => report.tick(Timestamp::now()),
        }
    }
    let _ = report.close();
}

async fn window_change(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Events;
    use crate::journal::RunId;
    use crate::report::{Json, Streams};
    use std::io::Write;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A pipe whose reader does not read until it is told to.
    struct Blocked(Receiver<()>);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // Freed for good when the sender is gone.
            let _ = self.0.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn telling(journal: Option<Journal>) -> (Telling, Events, Sender<()>) {
        let (free, blocked) = channel();
        let streams = Streams {
            data: Box::new(Blocked(blocked)),
            status: Box::new(std::io::sink()),
        };
        let (events, receiver) = Events::channel();
        let telling = Telling {
            report: Report::Json(Json::new(streams)),
            style: Style::plain(),
            journal,
            events: receiver,
            stop: watch::channel(false).1,
            kept: None,
        };
        (telling, events, free)
    }

    fn connecting(host: &str) -> EventKind {
        let host = host.to_owned();
        EventKind::HostConnecting { host }
    }

    #[tokio::test]
    async fn a_blocked_report_does_not_stop_the_journal() {
        let state = tempfile::tempdir().unwrap();
        let run: RunId = "019a-1".parse().unwrap();
        let journal = Journal::create(state.path(), &run).unwrap();
        let (telling, events, free) = telling(Some(journal));
        let teller = Teller::start(telling).unwrap();
        for host in ["a", "b", "c"] {
            assert!(events.tell_and_wait(connecting(host)).await);
        }
        let finished = EventKind::RunFinished { exit: 0, millis: 1 };
        assert!(events.tell_and_wait(finished).await);
        let lines = std::fs::read_to_string(state.path().join("runs/019a-1/events.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 4);
        // The last event ends the telling although somebody could still tell.
        drop(free);
        assert_eq!(teller.finish(), None);
        assert!(!events.tell_and_wait(connecting("d")).await);
    }

    #[tokio::test]
    async fn without_a_journal_every_event_is_on_record_at_once() {
        let (telling, events, free) = telling(None);
        let teller = Teller::start(telling).unwrap();
        assert!(events.tell_and_wait(connecting("a")).await);
        drop((free, events));
        assert_eq!(teller.finish(), None);
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_written_gives_no_receipt() {
        let (telling, events, free) = telling(Some(Journal::on_full_disk()));
        let teller = Teller::start(telling).unwrap();
        assert!(!events.tell_and_wait(connecting("a")).await);
        assert!(!events.tell_and_wait(connecting("b")).await);
        drop((free, events));
        let broken = teller.finish().unwrap();
        assert_eq!(broken, "cannot write to the journal /dev/full");
    }
}
