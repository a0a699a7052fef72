//! The first line of the summary: what happened, in plain words.

use super::style::Tone;
use super::tally::{CheckTally, HostTally, Tally};
use super::words::{changes, counted, hosts, joined};
use crate::event::{Fault, HostResult, Mode};

/// The run in numbers.
#[derive(Debug, Default)]
struct Count {
    /// Hosts in all.
    all: usize,
    /// Hosts that were changed, and the changes on them.
    changed: (usize, usize),
    /// Hosts where changes are due.
    due: Vec<String>,
    /// The changes that are due there.
    due_changes: usize,
    /// Steps that cannot be known yet, on hosts where changes are due.
    unknown: usize,
    /// Hosts where the operator said no, and the changes that were planned there.
    declined: (usize, usize),
    /// Hosts with nothing to do.
    nothing: usize,
    /// Hosts that restored themselves in a rehearsal.
    rehearsed: usize,
    /// Hosts that are not done, or could not be looked at.
    not_done: Vec<String>,
    /// The changes that were made on those all the same.
    made_before: usize,
    /// Hosts that may or may not be done.
    doubtful: Vec<String>,
    /// Hosts that were done but are not so in effect.
    not_so: Vec<String>,
    /// The checks of the hosts that went well.
    checks: CheckTally,
}

impl Count {
    fn of(tally: &Tally) -> Self {
        let mut count = Self {
            all: tally.hosts.len(),
            ..Self::default()
        };
        for host in &tally.hosts {
            count.add(host, tally.mode());
        }
        count
    }

    fn add(&mut self, host: &HostTally, mode: Mode) {
        let planned = host.plan.map_or(0, |plan| plan.changes);
        match &host.result {
            Some(HostResult::Changed { changes }) => {
                add(&mut self.changed, *changes);
                self.checks.add(host.checks);
            }
            Some(HostResult::ChangesDue { changes }) => {
                self.due.push(host.name.clone());
                self.due_changes += changes;
                self.unknown += host.plan.map_or(0, |plan| plan.unknown);
            }
            Some(HostResult::Declined) => add(&mut self.declined, planned),
            // Nothing else that may change hosts ends like this.
            Some(HostResult::Verified) if mode == Mode::Apply => self.rehearsed += 1,
            Some(HostResult::NothingToDo | HostResult::Verified) => {
                self.nothing += 1;
                self.checks.add(host.checks);
            }
            Some(HostResult::Stopped { fault, changes, .. }) => {
                self.stopped(*fault, &host.name, *changes);
            }
            None => self.not_done.push(host.name.clone()),
        }
    }

    fn stopped(&mut self, fault: Fault, host: &str, changes: usize) {
        let list = match fault {
            Fault::OutcomeUnknown => &mut self.doubtful,
            Fault::Verification => &mut self.not_so,
            Fault::Unreachable
            | Fault::Identity
            | Fault::Authentication
            | Fault::Sudo
            | Fault::Locked
            | Fault::Unsupported
            | Fault::Failed
            | Fault::Stale
            | Fault::NeedsHuman
            | Fault::Reverted
            | Fault::Interrupted
            | Fault::NotBegun
            | Fault::Journal => {
                self.made_before += changes;
                &mut self.not_done
            }
        };
        list.push(host.to_owned());
    }

    /// `web-1` when it is the only host of the run, else `2 of 8 hosts`.
    fn part(&self, some: &[String]) -> String {
        match some {
            [only] if self.all == 1 => only.clone(),
            some => format!("{} of {}", some.len(), hosts(self.all)),
        }
    }

    /// How a sentence about hosts that went well ends.
    fn verified(&self) -> String {
        let CheckTally { yes, no, unsure } = self.checks;
        match (yes, no, unsure) {
            (1.., 0, 0) => ", verified.".to_owned(),
            (_, _, 1..) => format!(". {} could not tell.", counted(unsure, "check", "checks")),
            (_, _, 0) => ".".to_owned(),
        }
    }
}

fn add(pair: &mut (usize, usize), changes: usize) {
    pair.0 += 1;
    pair.1 += changes;
}

/// What happened, in plain words.
pub(super) fn headline(tally: &Tally) -> (Tone, String) {
    let count = Count::of(tally);
    if !tally.refused.is_empty() && !tally.touched() {
        let names: Vec<&str> = tally
            .refused
            .iter()
            .map(|data| data.name.as_str())
            .collect();
        let were = was(names.len());
        let text = format!(
            "The data {} {were} refused; no host was touched.",
            joined(&names)
        );
        return (Tone::Bad, text);
    }
    let mut parts = match tally.mode() {
        Mode::DryRun => dry_run(&count),
        Mode::Apply => apply(&count),
        Mode::Verify => verify(&count),
        Mode::Drift => drift(&count),
    };
    if tally.interrupted {
        parts.insert(0, "Interrupted.".to_owned());
    }
    let trouble = tally.interrupted || stopped(&count) > 0;
    let tone = match (trouble, tally.mode()) {
        (true, _) => Tone::Bad,
        (false, Mode::Verify | Mode::Drift) if !count.due.is_empty() => Tone::Bad,
        (false, Mode::Verify | Mode::Apply | Mode::DryRun | Mode::Drift) => Tone::Good,
    };
    (tone, parts.join(" "))
}

fn stopped(count: &Count) -> usize {
    count.not_done.len() + count.doubtful.len() + count.not_so.len()
}

const fn was(number: usize) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

const fn is(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn apply(count: &Count) -> Vec<String> {
    let mut parts = troubles(count);
    let (on, number) = count.changed;
    if on > 0 {
        let (changes, on) = (changes(number), hosts(on));
        parts.push(format!("Done: {changes} on {on}{}", count.verified()));
    }
    let (on, number) = count.declined;
    if on > 0 {
        let due = format!("{} {} due", changes(number), is(number));
        parts.push(format!(
            "Nothing was written on {}, as you said: {due}.",
            hosts(on)
        ));
    }
    if !count.due.is_empty() {
        let (due, are) = (changes(count.due_changes), is(count.due_changes));
        parts.push(format!(
            "{due} {are} still due on {}.",
            hosts(count.due.len())
        ));
    }
    if count.nothing > 0 {
        let end = match count.changed.0 {
            0 => count.verified(),
            1.. => ".".to_owned(),
        };
        parts.push(format!("Nothing to do on {}{end}", hosts(count.nothing)));
    }
    if count.rehearsed > 0 {
        let on = hosts(count.rehearsed);
        parts.push(format!("The guard works on {on}; nothing else was done."));
    }
    parts
}

/// What did not go as it should, the most alarming first.
fn troubles(count: &Count) -> Vec<String> {
    let mut parts = Vec::new();
    if !count.doubtful.is_empty() {
        parts.push(format!(
            "The outcome is unknown on {}.",
            count.part(&count.doubtful)
        ));
    }
    let not_done = count.not_done.len();
    if not_done > 0 {
        let mut text = if not_done == count.all && count.all > 1 {
            format!("None of the {} was done", hosts(count.all))
        } else {
            let part = count.part(&count.not_done);
            format!("{part} {} not done", was(not_done))
        };
        if count.made_before > 0 {
            let (made, were) = (changes(count.made_before), was(count.made_before));
            text = format!("{text}; {made} {were} made there");
        }
        parts.push(format!("{text}."));
    }
    if !count.not_so.is_empty() {
        let part = count.part(&count.not_so);
        parts.push(format!("Not so in effect on {part}."));
    }
    parts
}

fn dry_run(count: &Count) -> Vec<String> {
    let mut parts = Vec::new();
    let mut due = Vec::new();
    if count.due_changes > 0 {
        let (number, are) = (changes(count.due_changes), is(count.due_changes));
        due.push(format!("{number} {are} due on {}", hosts(count.due.len())));
    }
    if count.unknown > 0 {
        let steps = counted(count.unknown, "step", "steps");
        due.push(format!("{steps} cannot be known yet"));
    }
    if !due.is_empty() {
        parts.push(format!("Dry run: {}; nothing was written.", due.join(", ")));
    } else if count.nothing > 0 {
        parts.push(format!(
            "Dry run: nothing to do on {}.",
            hosts(count.nothing)
        ));
    }
    let stopped = stopped(count);
    if stopped > 0 {
        let all = [&count.doubtful, &count.not_done, &count.not_so];
        let names: Vec<String> = all.into_iter().flatten().cloned().collect();
        let needs = if stopped == 1 { "needs" } else { "need" };
        parts.push(format!("{} {needs} attention.", count.part(&names)));
    }
    if parts.len() == 1 && stopped > 0 {
        parts.insert(0, "Dry run: nothing was written.".to_owned());
    }
    parts
}

/// What is no longer as it was left, on how many hosts.
fn drift(count: &Count) -> Vec<String> {
    let mut parts = Vec::new();
    if !count.due.is_empty() {
        let (things, are) = (
            counted(count.due_changes, "thing", "things"),
            is(count.due_changes),
        );
        let on = count.part(&count.due);
        parts.push(format!(
            "Drift: {things} {are} no longer as runs left {them} on {on}; nothing was written.",
            them = if count.due_changes == 1 { "it" } else { "them" }
        ));
    }
    let unseen = [count.not_done.as_slice(), &count.doubtful].concat();
    if !unseen.is_empty() {
        parts.push(format!("{} could not be looked at.", count.part(&unseen)));
    }
    if count.nothing > 0 {
        parts.push(format!("No drift on {}.", hosts(count.nothing)));
    }
    parts
}

fn verify(count: &Count) -> Vec<String> {
    let mut parts = Vec::new();
    let not_so = [count.due.as_slice(), &count.not_so].concat();
    if !not_so.is_empty() {
        let mut text = format!("Not as it should be on {}", count.part(&not_so));
        if count.due_changes > 0 {
            let (due, are) = (changes(count.due_changes), is(count.due_changes));
            text = format!("{text}: {due} {are} due");
        }
        parts.push(format!("{text}."));
    }
    let unseen = [count.not_done.as_slice(), &count.doubtful].concat();
    if !unseen.is_empty() {
        parts.push(format!("{} could not be looked at.", count.part(&unseen)));
    }
    if count.nothing > 0 {
        let end = count.verified();
        let so = if parts.is_empty() {
            "All is as it should be"
        } else {
            "As it should be"
        };
        parts.push(format!("{so} on {}{end}", hosts(count.nothing)));
    }
    parts
}
