//! Runs that were cut off, before anything is done: what becomes of each, by a flag or by the operator's word.

use std::sync::{Arc, Mutex, PoisonError};

use super::setup::Intent;
use super::sinks::Teller;
use crate::engine::{Asks, Connected, Job};
use crate::event::{Fault, Mode, Unfinished};
use crate::inventory::Host;
use crate::report::clean;

/// What is to become of runs that were cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Fate {
    /// Go on from what is there
    Resume,
    /// Take back what it did, by a run of its own; nothing else is done there
    Undo,
    /// Leave it as it is, and do not tell of it again
    Settle,
}

/// Runs that are to be taken back, by a run of its own each, when the one that found them is over.
#[derive(Debug, Clone, Default)]
pub(super) struct Undos(Arc<Mutex<Vec<Undo>>>);

/// A run that is to be taken back.
#[derive(Debug)]
pub(super) struct Undo {
    pub(super) run: String,
    pub(super) hosts: Vec<Host>,
}

impl Undos {
    fn add(&self, run: &str, host: Host) {
        let mut undos = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match undos.iter_mut().find(|undo| undo.run == run) {
            Some(undo) => undo.hosts.push(host),
            None => undos.push(Undo {
                run: run.to_owned(),
                hosts: vec![host],
            }),
        }
    }

    /// All of them, the newest first: what it changed lies over what the older ones did. Ids of runs sort by time.
    pub(super) fn take(&self) -> Vec<Undo> {
        let mut undos = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        undos.sort_by(|one, other| other.run.cmp(&one.run));
        undos
    }
}

/// What is done about one of them on its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Fate(Fate),
    /// It stays as it is, and is told of again.
    Leave,
    /// Nobody may decide this but a person.
    Refuse,
    /// The operator wants nothing done.
    Quit,
}

/// A run that was cut off, on all hosts where it was.
struct Cut<'a> {
    run: &'a str,
    found: Vec<(&'a str, &'a Unfinished)>,
}

/// Decides about all of them; the hosts that the run goes on with.
pub(super) async fn decide(
    job: &Arc<Job>,
    intent: &Intent,
    teller: &Teller,
    connected: Vec<Connected>,
) -> Vec<Connected> {
    if job.mode != Mode::Apply {
        return connected;
    }
    let mut ways: Vec<(String, Way)> = Vec::new();
    for cut in cuts(&connected) {
        let way = way(job, intent, teller, &cut).await;
        ways.push((cut.run.to_owned(), way));
    }
    let mut stay = Vec::new();
    for host in connected {
        stay.extend(carry_out((job, &intent.undos), host, &ways).await);
    }
    stay
}

/// The newest first: who has that one taken back may want the older ones back as well.
fn cuts(connected: &[Connected]) -> Vec<Cut<'_>> {
    let mut cuts: Vec<Cut<'_>> = Vec::new();
    for host in connected {
        for found in host.unfinished() {
            let here = (host.host().name.as_str(), found);
            match cuts.iter_mut().find(|cut| cut.run == found.run) {
                Some(cut) => cut.found.push(here),
                None => cuts.push(Cut {
                    run: &found.run,
                    found: vec![here],
                }),
            }
        }
    }
    cuts.sort_by_key(|cut| std::cmp::Reverse(cut.run));
    cuts
}

async fn way(job: &Job, intent: &Intent, teller: &Teller, cut: &Cut<'_>) -> Way {
    if intent.comes_next.iter().any(|run| run == cut.run) {
        return Way::Leave;
    }
    if cut.found.iter().all(|(_, found)| job.takes_back(found)) {
        let whole = job
            .undoes
            .as_ref()
            .is_some_and(|undoes| undoes.steps.is_empty());
        return match intent.unfinished {
            _ if !whole => Way::Leave,
            // In its turn: others that are taken back as well may lie over it.
            Some(Fate::Undo) => Way::Fate(Fate::Undo),
            Some(Fate::Resume | Fate::Settle) | None => Way::Fate(Fate::Resume),
        };
    }
    let same = cut.found.iter().all(|(_, found)| job.goes_on_from(found));
    let blind = same && cut.found.iter().any(|(_, found)| is_blind(found));
    match intent.unfinished {
        // A timer that always says so has not looked.
        Some(Fate::Resume) if intent.unattended && blind => Way::Refuse,
        Some(Fate::Resume) if !same => Way::Leave,
        Some(fate) => Way::Fate(fate),
        // Who named a run to go on from has decided, and is asked about each step.
        None if same && intent.is_resumption() => Way::Fate(Fate::Resume),
        None if intent.ask || intent.asks == Asks::Always => ask(teller, cut, same).await,
        None if blind => Way::Refuse,
        None if same => Way::Fate(Fate::Resume),
        None => Way::Leave,
    }
}

fn is_blind(found: &Unfinished) -> bool {
    found.unrepeatable().next().is_some()
}

async fn ask(teller: &Teller, cut: &Cut<'_>, same: bool) -> Way {
    const SAME: &[&str] = &["resume", "undo", "settle", "quit"];
    const OTHER: &[&str] = &["leave", "undo", "settle", "quit"];
    let text = question(cut, same);
    let (words, first) = if same {
        (SAME, Way::Fate(Fate::Resume))
    } else {
        (OTHER, Way::Leave)
    };
    match teller.choose(text, words).await {
        Some(0) => first,
        Some(1) => Way::Fate(Fate::Undo),
        Some(2) => Way::Fate(Fate::Settle),
        Some(_) | None => Way::Quit,
    }
}

fn question(cut: &Cut<'_>, same: bool) -> String {
    let hosts: Vec<&str> = cut.found.iter().map(|(host, _)| *host).collect();
    let once = cut.found.iter().find_map(|(host, found)| {
        let step = found.unrepeatable().next()?;
        Some(format!(
            " On {host} nobody knows whether {} ({}) was done, and going on does it again.",
            step.number,
            clean(&step.name)
        ))
    });
    let first = if same {
        "resume: this run goes on from what is there"
    } else {
        "leave: this run is about something else, and that one is told of again"
    };
    format!(
        "Run {} was cut off on {}.{}\n  {first}\n  undo: what it did is taken back by a run of its own, and nothing else is done there\n  settle: it stays as it is, and is not told of again\n  quit: nothing is done there now\nWhich?",
        clean(cut.run),
        hosts.join(", "),
        once.filter(|_| same).unwrap_or_default()
    )
}

/// Carries out what was decided about the runs that were cut off on a host; the host, when the run goes on with it.
async fn carry_out(
    (job, undos): (&Arc<Job>, &Undos),
    mut host: Connected,
    ways: &[(String, Way)],
) -> Option<Connected> {
    let found = host.unfinished().to_vec();
    let here: Vec<(&Unfinished, Way)> = ways
        .iter()
        .filter_map(|(run, way)| Some((found.iter().find(|found| found.run == *run)?, *way)))
        .collect();
    if here.iter().any(|(_, way)| *way == Way::Quit) {
        job.decline(host).await;
        return None;
    }
    // Where all is known nothing keeps the run from going on.
    let refused = |(found, way): &&(&Unfinished, Way)| *way == Way::Refuse && is_blind(found);
    if let Some((found, _)) = here.iter().find(refused) {
        let (message, hint) = refusal(found);
        job.refuse(host, Fault::NeedsHuman, &message, Some(hint))
            .await;
        return None;
    }
    let of = |wanted: Fate| {
        let fated = here
            .iter()
            .filter(move |(_, way)| *way == Way::Fate(wanted));
        fated.map(|(found, _)| found.run.as_str())
    };
    for run in of(Fate::Settle) {
        if let Err(error) = job.leave_unfinished(&mut host, run).await {
            let message = format!("run {run} cannot be settled: {error}");
            job.refuse(host, error.fault(), &message, None).await;
            return None;
        }
    }
    let undone: Vec<&str> = of(Fate::Undo).collect();
    for run in &undone {
        undos.add(run, host.host().clone());
    }
    if !undone.is_empty() {
        job.make_way(host, &undone).await;
        return None;
    }
    for (found, way) in &here {
        if matches!(way, Way::Refuse | Way::Fate(Fate::Resume)) {
            host.resume(&found.run);
        }
    }
    Some(host)
}

fn refusal(found: &Unfinished) -> (String, String) {
    let steps: Vec<String> = found
        .unrepeatable()
        .map(|step| format!("{} ({})", step.number, step.name))
        .collect();
    let message = format!(
        "run {} was cut off in {}: nobody knows whether that was done, and it is not done again blindly",
        found.run,
        steps.join(", ")
    );
    let hint =
        "look at the host; then --unfinished resume does it again, and a --guided run can skip it";
    (message, hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_top_is_taken_back_first() {
        let undo = |run: &str| Undo {
            run: run.to_owned(),
            hosts: Vec::new(),
        };
        // One host has the first of them alone, another one has both.
        let undos = Undos::default();
        let all = ["20260101-000000-000001", "20260102-000000-000001"].map(undo);
        undos.0.lock().unwrap().extend(all);
        let runs: Vec<String> = undos.take().into_iter().map(|undo| undo.run).collect();
        assert_eq!(runs, ["20260102-000000-000001", "20260101-000000-000001"]);
        assert!(undos.take().is_empty());
    }
}
