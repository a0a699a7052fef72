//! The way of events to whoever records and shows them.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::EventKind;

/// Where events go. Cheap to clone; sending never waits.
#[derive(Debug, Clone)]
pub struct Events(UnboundedSender<Told>);

/// An event on its way, and whoever waits until it is on record.
#[derive(Debug)]
pub struct Told {
    /// What is told.
    pub kind: EventKind,
    recorded: Option<oneshot::Sender<()>>,
}

impl Told {
    /// The event, and what says that it is on record. Dropping that says that it is not.
    pub fn open(self) -> (EventKind, Receipt) {
        (self.kind, Receipt(self.recorded))
    }
}

/// Tells whoever waits that an event is on record.
#[derive(Debug)]
pub struct Receipt(Option<oneshot::Sender<()>>);

impl Receipt {
    /// It is on record, or nothing keeps one.
    pub fn sign(self) {
        if let Some(waiting) = self.0 {
            // Whoever waited may have been given up meanwhile.
            let _ = waiting.send(());
        }
    }
}

impl Events {
    /// A sender and the receiver that numbers what it gets.
    pub fn channel() -> (Self, UnboundedReceiver<Told>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    /// Tells. When nobody listens any more the run is over, and there is nobody to tell.
    pub fn tell(&self, kind: EventKind) {
        let _ = self.0.send(Told {
            kind,
            recorded: None,
        });
    }

    /// Tells, and waits until the event is on record; false when it cannot be recorded.
    pub async fn tell_and_wait(&self, kind: EventKind) -> bool {
        let (sign, signed) = oneshot::channel();
        let told = Told {
            kind,
            recorded: Some(sign),
        };
        self.0.send(told).is_ok() && signed.await.is_ok()
    }
}
