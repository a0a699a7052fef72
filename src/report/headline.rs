//! The first line of the summary: what happened, in plain words.

use super::count::Count;
use super::style::Tone;
use super::tally::Tally;
use super::words::{changes, counted, hosts, joined};
use crate::event::Mode;

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
    let trouble = tally.interrupted || count.troubled() > 0;
    let tone = match (trouble, tally.mode()) {
        (true, _) => Tone::Bad,
        (false, Mode::Verify | Mode::Drift) if !count.due.is_empty() => Tone::Bad,
        (false, Mode::Verify | Mode::Apply | Mode::DryRun | Mode::Drift) => Tone::Good,
    };
    (tone, parts.join(" "))
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
        let due = match number {
            // It was not even looked what is.
            0 => String::new(),
            due => format!(": {} {} due", changes(due), is(due)),
        };
        parts.push(format!(
            "Nothing was written on {}, as you said{due}.",
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
    let stopped = count.troubled();
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
