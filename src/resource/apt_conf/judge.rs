//! Compares what apt comes to with what it should come to, and wraps the change of our file.

use super::AptConf;
use super::dump::{Dump, Look};
use super::wish::{Sort, Wish};
use super::word::Value;
use crate::change::{Call, Change, Diff, Known, Note, Verdict};

/// `file`: what has to be done to our file, as the kind `file` sees it.
pub(super) fn judge(conf: &AptConf, look: &Look, file: Diff, known: &Known) -> Diff {
    for wish in &conf.wishes {
        if let Some(diff) = overridden(wish, look) {
            return diff;
        }
    }
    let mut notes = file.notes;
    notes.extend(conf.wishes.iter().flat_map(|wish| extras(wish, look)));
    let verdict = match file.verdict {
        Verdict::Change(changes) => {
            notes.extend(conf.wishes.iter().filter_map(|wish| effect(wish, look)));
            Verdict::Change(wrapped(conf, changes))
        }
        Verdict::ChangeAfter { step, changes } => Verdict::ChangeAfter {
            step,
            changes: wrapped(conf, changes),
        },
        other @ (Verdict::Compliant
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. }) => other,
    };
    let diff = Diff { verdict, notes };
    // A package brings files of its own, so that the values before are others then.
    diff.after(known.any_package())
}

/// The change of the file, done by the function that also watches what apt makes of it.
fn wrapped(conf: &AptConf, changes: Vec<Change>) -> Vec<Change> {
    let wrap = |mut change: Change| {
        let place = change.act.args.iter().take(5).cloned();
        let keys = conf.wishes.iter().map(Wish::word);
        change.act = Call {
            function: "hf_put_apt_conf".to_owned(),
            args: place.chain(keys).collect(),
            input: change.act.input,
        };
        change.expecting([conf.probe()])
    };
    changes.into_iter().map(wrap).collect()
}

/// Whether a later file leaves something else of what we want. It is somebody's will: not ours to change.
fn overridden(wish: &Wish, look: &Look) -> Option<Diff> {
    let holds = |dump: &Dump| match wish.sort {
        Sort::Setting => dump.value(&wish.key) == value(wish),
        Sort::List | Sort::Additions => missing(wish, dump).is_empty(),
    };
    if holds(&look.then) {
        return None;
    }
    let culprit = look.layers.iter().position(|(_, dump)| !holds(dump));
    let (name, dump) = look.layers.get(culprit?)?;
    let what = match wish.sort {
        Sort::Setting => format!("sets {} to {:?}", wish.key, dump.value(&wish.key)),
        Sort::List | Sort::Additions => {
            let lost = missing(wish, dump).join(", ");
            format!("takes {lost} out of {}", wish.key)
        }
    };
    if culprit == Some(0) {
        let why = format!(
            "apt does not take the value of {} as it is written",
            wish.key
        );
        return Some(Diff::blocked(why, ""));
    }
    Some(Diff::needs_human(
        format!("{}, which apt reads after ours, {what}", path(name)),
        "take that out of the file, or change what is wanted here",
    ))
}

/// What later files add to a list that should have our members alone.
fn extras(wish: &Wish, look: &Look) -> Vec<Note> {
    if wish.sort != Sort::List {
        return Vec::new();
    }
    let ours: Vec<&str> = wish.values.iter().map(Value::as_str).collect();
    let mut seen = ours.clone();
    let mut notes = Vec::new();
    for (name, dump) in &look.layers {
        let members = dump.members(&wish.key);
        let new: Vec<&str> = members.into_iter().filter(|m| !seen.contains(m)).collect();
        let stays = look.then.members(&wish.key);
        let told: Vec<&str> = new.iter().copied().filter(|m| stays.contains(m)).collect();
        if !told.is_empty() {
            notes.push(Note::warning(format!(
                "{}, which apt reads after ours, adds to {}: {}",
                path(name),
                wish.key,
                told.join(" and ")
            )));
        }
        seen.extend(new);
    }
    notes
}

/// The effective value before and after, when it changes.
fn effect(wish: &Wish, look: &Look) -> Option<Note> {
    let text = |dump: &Dump| match wish.sort {
        Sort::Setting => dump.value(&wish.key).to_owned(),
        Sort::List | Sort::Additions => dump.members(&wish.key).join(" and "),
    };
    let (before, after) = (text(&look.now), text(&look.then));
    let shown = |text: &str| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text.to_owned()
        }
    };
    (before != after).then(|| {
        Note::info(format!(
            "in effect {} goes from {} to {}",
            wish.key,
            shown(&before),
            shown(&after)
        ))
    })
}

fn value(wish: &Wish) -> &str {
    wish.values.first().map_or("", Value::as_str)
}

fn missing<'w>(wish: &'w Wish, dump: &Dump) -> Vec<&'w str> {
    let members = dump.members(&wish.key);
    let wanted = wish.values.iter().map(Value::as_str);
    wanted.filter(|value| !members.contains(value)).collect()
}

fn path(name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/etc/apt/apt.conf.d/{name}")
    }
}
