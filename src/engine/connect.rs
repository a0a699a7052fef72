//! The first contact: connection, root, facts, and whether the runbook is made for this host.

use std::sync::Arc;
use std::time::Duration;

use super::earlier::Settled;
use super::elsewhere::Found;
use super::new_login::Logins;
use super::occupied::Lock;
use super::take_back::{AGAIN, RETRIES};
use super::{Connected, Job, Stop, earlier, elsewhere, interrupted, occupied, pause, unfinished};
use crate::change::Note;
use crate::event::{EventKind, Fault, Mode, Unfinished};
use crate::facts::{self, Facts};
use crate::inventory::Host;
use crate::probe::{Answers, Probe};
use crate::runbook::{Fit, Supported};
use crate::transport::ReadHost;

/// Clocks further apart than this make TLS and apt fail.
const CLOCK_LIMIT: i64 = 60;

pub(super) async fn connect(job: Arc<Job>, host: Host) -> Option<Connected> {
    if job.stopped() {
        job.finish(&host, interrupted().into());
        return None;
    }
    job.events.tell(EventKind::HostConnecting {
        host: host.name.to_string(),
    });
    match reach(&job, &host).await {
        Ok(Reached {
            host,
            link,
            facts,
            logins,
            mut notes,
            unfinished,
        }) => {
            notes.extend(self::notes(&job, &facts, &link));
            job.events.tell(EventKind::HostReached {
                host: host.name.to_string(),
                facts: Box::new(facts.clone()),
                notes,
            });
            for found in &unfinished {
                job.events.tell(EventKind::UnfinishedFound {
                    host: host.name.to_string(),
                    found: Box::new(found.clone()),
                });
            }
            Some(Connected {
                host,
                link,
                facts,
                logins,
                unfinished,
                resumes: Vec::new(),
            })
        }
        Err(stop) => {
            job.finish(&host, stop.into());
            None
        }
    }
}

/// A host that answered, as it is reached.
struct Reached {
    host: Host,
    link: ReadHost,
    facts: Facts,
    logins: Logins,
    /// Guards of earlier runs, and a port that is not the one it should be.
    notes: Vec<Note>,
    /// Runs that were cut off there.
    unfinished: Vec<Unfinished>,
}

/// Reaches a host. One that restored itself meanwhile is reached anew, for it may have closed the very port
/// that it was found on.
async fn reach(job: &Job, host: &Host) -> Result<Reached, Stop> {
    let mut logins = Logins::default();
    let mut lost = 0;
    loop {
        let mut found = match open(job, host, &mut logins).await {
            Ok(found) => found,
            Err(stop) if stop.fault == Fault::Unreachable && (1..RETRIES).contains(&lost) => {
                lost += 1;
                rest(job).await?;
                continue;
            }
            Err(stop) => return Err(stop),
        };
        match earlier::settle(job, &found.host, &mut found.link, &found.answers).await {
            Ok(Settled::Seen(notes)) => return found.reached(job, notes, logins).await,
            Ok(Settled::Restored) => {}
            Ok(Settled::Lost(error)) if lost == RETRIES => return Err(error.into()),
            Ok(Settled::Lost(_)) => {
                lost += 1;
                rest(job).await?;
            }
            Err(stop) => {
                found.link.close().await;
                return Err(stop);
            }
        }
        found.link.close().await;
    }
}

/// While a host restores itself.
async fn rest(job: &Job) -> Result<(), Stop> {
    pause(job, AGAIN).await;
    if job.stopped() {
        return Err(interrupted());
    }
    Ok(())
}

/// Opens a connection and asks the first questions, on the port where the host should be or on another.
async fn open(job: &Job, host: &Host, logins: &mut Logins) -> Result<Found, Stop> {
    // A dry run is useful even without root: it says what it could not read.
    let root_needed = job.mode != Mode::DryRun;
    let first = first_questions();
    logins.make_room().await;
    match ReadHost::open(host, &job.ssh, root_needed, &first).await {
        Ok((link, answers)) => Ok(Found {
            host: host.clone(),
            link,
            answers,
            note: None,
        }),
        Err(error) if error.fault() == Fault::Unreachable && stops(job).await => Err(interrupted()),
        Err(error) => elsewhere::find(job, host, (root_needed, &first), error, logins).await,
    }
}

fn first_questions() -> Vec<Probe> {
    let mut first = facts::probes();
    first.extend([earlier::probe(), unfinished::probe(), occupied::probe()]);
    first
}

impl Found {
    async fn reached(
        self,
        job: &Job,
        mut notes: Vec<Note>,
        logins: Logins,
    ) -> Result<Reached, Stop> {
        let Self {
            host,
            mut link,
            mut answers,
            note,
        } = self;
        let lock = occupied::look(job, &mut link, &answers, &first_questions()).await;
        let read = lock.and_then(|lock| {
            match lock {
                Lock::Free => {}
                Lock::Freed(anew) => answers = anew,
                Lock::Held(note) => notes.push(note),
            }
            read(job, &answers)
        });
        match read {
            Ok(facts) => {
                notes.extend(note);
                Ok(Reached {
                    host,
                    link,
                    facts,
                    logins,
                    notes,
                    unfinished: unfinished::found(&answers),
                })
            }
            Err(stop) => {
                link.close().await;
                Err(stop)
            }
        }
    }
}

fn read(job: &Job, answers: &Answers) -> Result<Facts, Stop> {
    let now = jiff::Timestamp::now().as_second();
    let facts = facts::parse(answers, now)
        .map_err(|error| Stop::new(Fault::Unsupported, error.to_string()))?;
    supported(job, &facts).map(|()| facts)
}

/// Whether the run is being stopped. Ctrl-C also reaches an ssh that is still connecting, whose end
/// may be heard of just before our own signal.
async fn stops(job: &Job) -> bool {
    pause(job, Duration::from_millis(100)).await;
    job.stopped()
}

fn supported(job: &Job, facts: &Facts) -> Result<(), Stop> {
    let runbooks = job.runbook.all();
    let misfit = runbooks
        .into_iter()
        .find(|runbook| Supported::fit(&runbook.supports, &facts.os) == Fit::No);
    let Some(runbook) = misfit else {
        return Ok(());
    };
    let made_for: Vec<String> = runbook.supports.iter().map(ToString::to_string).collect();
    let message = format!(
        "the runbook {} is not made for {} {}",
        runbook.name, facts.os.id, facts.os.version
    );
    Err(Stop::new(Fault::Unsupported, message.trim_end())
        .hint(Some(format!("it is made for {}", made_for.join(", ")))))
}

fn notes(job: &Job, facts: &Facts, link: &ReadHost) -> Vec<Note> {
    let mut notes = Vec::new();
    let runbooks = job.runbook.all();
    if runbooks
        .iter()
        .any(|runbook| Supported::fit(&runbook.supports, &facts.os) == Fit::Derived)
    {
        notes.push(Note::warning(format!(
            "{} is a derivative that this runbook was not tried on",
            facts.os.name
        )));
    }
    if facts.clock_ahead.abs() > CLOCK_LIMIT {
        let way = if facts.clock_ahead > 0 {
            "ahead of"
        } else {
            "behind"
        };
        notes.push(Note::warning(format!(
            "its clock is {} s {way} ours",
            facts.clock_ahead.abs()
        )));
    }
    if !link.is_root() {
        notes.push(Note::warning(
            "no root there (sudo would ask): what only root may read could not be looked at",
        ));
    }
    notes
}
