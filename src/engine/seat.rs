//! A host's place among those that work at the same time, when hosts wait for a person: who waits takes none, and
//! whoever waits for one, for a person or for time to pass keeps the host's lock with signs of life.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::gate::Knock;
use super::worker::Worker;
use super::{Job, Stop, stopping};
use crate::transport::{TransportError, WriteHost};

/// How often the host hears from us while nothing is done there; it gives up on us after five minutes.
const STILL_THERE: Duration = Duration::from_secs(30);

/// A host's place at the gate. Whatever ends its work, the gate hears of it.
#[derive(Debug)]
pub(super) struct Seat {
    host: String,
    /// Where its questions go.
    pub(super) asked: Option<mpsc::UnboundedSender<Knock>>,
    place: Option<OwnedSemaphorePermit>,
    /// Whether the rest is done without asking.
    pub(super) finishes: bool,
}

impl Seat {
    /// Takes a seat, and waits for a place among those that work at the same time.
    pub(super) async fn take(job: &Job, host: &str) -> Self {
        Self {
            host: host.to_owned(),
            asked: job.gate.asked.clone(),
            // Nobody closes it; without a place the work goes on all the same.
            place: job.places.clone().acquire_owned().await.ok(),
            finishes: false,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(asked) = &self.asked {
            // Nobody may listen any more.
            let _ = asked.send(Knock::Leaves(self.host.clone()));
        }
    }
}

impl Worker<'_> {
    /// Leaves its place to another host.
    pub(super) fn step_aside(&mut self) {
        if let Some(seat) = &mut self.seat {
            seat.place = None;
        }
    }

    /// After a wait: takes a place again, unless the operator asks to stop (then nothing more begins anyway), and makes
    /// sure that the host is still there. What is begun over a dead link has an unknown outcome.
    ///
    /// # Errors
    /// When the host no longer answers.
    pub(super) async fn step_in(&mut self) -> Result<(), Stop> {
        let (places, stop) = (self.job.places.clone(), self.job.stop.clone());
        if self.seat.is_some() {
            let place = self.unless_gone(async {
                tokio::select! {
                    biased;
                    () = stopping(stop) => None,
                    place = places.acquire_owned() => place.ok(),
                }
            });
            let place = place.await?;
            if let Some(seat) = &mut self.seat {
                seat.place = place;
            }
        }
        Ok(self.link.alive().await?)
    }

    /// Waits for something in which the host takes no part, and keeps its lock.
    ///
    /// # Errors
    /// When the host no longer answers.
    pub(super) async fn unless_gone<T>(
        &mut self,
        what: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        Ok(signalling(what, STILL_THERE, &mut self.link).await?)
    }
}

/// Whom signs of life can be given to.
trait Signs {
    fn sign(&mut self) -> impl Future<Output = Result<(), TransportError>> + Send;
}

impl Signs for WriteHost {
    async fn sign(&mut self) -> Result<(), TransportError> {
        self.alive().await
    }
}

/// Waits for something, and gives a sign of life every so often.
async fn signalling<T>(
    what: impl Future<Output = T>,
    every: Duration,
    to: &mut impl Signs,
) -> Result<T, TransportError> {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            biased;
            came = &mut what => return Ok(came),
            () = tokio::time::sleep(every) => to.sign().await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    const EVERY: Duration = Duration::from_millis(5);

    /// A host that frees what it holds at the third sign, or is gone at the first.
    struct Host {
        signs: usize,
        held: Option<OwnedSemaphorePermit>,
    }

    impl Signs for Host {
        async fn sign(&mut self) -> Result<(), TransportError> {
            self.signs += 1;
            match (&self.held, self.signs) {
                (None, 1) => Err(TransportError::Unreachable {
                    message: "gone".to_owned(),
                }),
                (_, 3) => {
                    self.held = None;
                    Ok(())
                }
                _ => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_a_place_gives_signs_of_life_and_keeps_its_turn() {
        let places = Arc::new(Semaphore::new(1));
        let place = || places.clone().acquire_owned();
        let mut host = Host {
            signs: 0,
            held: place().await.ok(),
        };
        let first = async {
            let mut waiting = pin!(signalling(place(), EVERY, &mut host));
            // Who comes later does not get it first.
            let early = tokio::time::timeout(Duration::ZERO, &mut waiting).await;
            assert!(early.is_err());
            tokio::select! {
                place = &mut waiting => place.is_ok(),
                _ = place() => false,
            }
        };
        assert!(first.await);
        assert!(host.signs >= 3);
    }

    #[tokio::test]
    async fn a_host_that_is_gone_ends_the_wait() {
        let mut host = Host {
            signs: 0,
            held: None,
        };
        let never = std::future::pending::<()>();
        assert!(signalling(never, EVERY, &mut host).await.is_err());
    }
}
