//! Compares the kernel's values and the files that set them with what is wanted.

use super::Sysctl;
use super::danger::{Around, Danger};
use super::key::{Key, Value};
use super::look::{Found, How, Setting};
use crate::change::{Call, Change, Diff, Known, Note, Shown, Undo, Verdict};
use crate::resource::Resource;

/// A wanted value that the kernel has a key for.
struct Pair<'a> {
    key: &'a Key,
    value: &'a Value,
    live: &'a str,
}

impl Pair<'_> {
    fn differs(&self) -> bool {
        self.live != self.value.as_str()
    }
}

/// `file`: what has to be done to our file, as the kind `file` sees it.
pub(super) fn judge(
    sysctl: &Sysctl,
    found: &[Found],
    around: &Around,
    file: Diff,
    known: &Known,
) -> Diff {
    let mut notes = file.notes;
    let mut pairs = Vec::new();
    for (key, value) in &sysctl.values {
        let found = found.iter().find(|found| found.key == key.path());
        if let Some(diff) = overridden(key, value, found, &mut notes) {
            return diff.with_notes(notes);
        }
        match found.and_then(|found| Some((found, found.live.as_deref()?))) {
            Some((found, live)) => {
                let pair = Pair { key, value, live };
                if let Some(diff) = obstacle(sysctl, &pair, found, around, &mut notes) {
                    return diff.with_notes(notes);
                }
                pairs.push(pair);
            }
            None if sysctl.when_present => notes.push(Note::info(format!(
                "the kernel has no {key} now; the file holds its value for later"
            ))),
            None => return absent(key, known).with_notes(notes),
        }
    }
    let verdict = match file.verdict {
        Verdict::Compliant => live_alone(sysctl, &pairs),
        Verdict::Change(changes) => Verdict::Change(wrapped(sysctl, &pairs, changes)),
        Verdict::ChangeAfter { step, changes } => Verdict::ChangeAfter {
            step,
            changes: wrapped(sysctl, &pairs, changes),
        },
        other @ (Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. }) => other,
    };
    Diff { verdict, notes }.after(known.any_package())
}

/// Whether somebody else sets another value after us.
fn overridden(
    key: &Key,
    value: &Value,
    found: Option<&Found>,
    notes: &mut Vec<Note>,
) -> Option<Diff> {
    let later = found
        .map(|found| found.later.as_slice())
        .unwrap_or_default();
    let other = |setting: &&Setting| setting.value != value.as_str();
    // Of several files at boot the last one counts; ufw comes after all of them.
    let boot = later.iter().rfind(|setting| setting.how == How::Boot);
    let ufw = later.iter().rfind(|setting| setting.how == How::Ufw);
    if let Some(setting) = ufw.or(boot).filter(other) {
        let (when, hint) = match setting.how {
            How::Ufw => (
                "at each start of ufw",
                "set it there as well, or leave the key out here",
            ),
            How::Boot | How::ByHand | How::UfwDisabled => (
                "at boot, after our file",
                "take it out of that file, or leave the key out here",
            ),
        };
        let why = format!("{} sets {key} to {} {when}", setting.path, setting.value);
        return Some(Diff::needs_human(why, hint));
    }
    for setting in later.iter().filter(other) {
        let when = match setting.how {
            How::ByHand => "whenever somebody calls `sysctl --system` or `sysctl -p`",
            How::UfwDisabled => "as soon as ufw is enabled",
            How::Boot | How::Ufw => continue,
        };
        notes.push(Note::warning(format!(
            "{} sets {key} to {} {when}",
            setting.path, setting.value
        )));
    }
    None
}

/// Why a value that is another now cannot or should not be set.
fn obstacle(
    sysctl: &Sysctl,
    pair: &Pair<'_>,
    found: &Found,
    around: &Around,
    notes: &mut Vec<Note>,
) -> Option<Diff> {
    if !pair.differs() {
        return None;
    }
    let key = pair.key;
    if found.readonly {
        return Some(Diff::blocked(
            format!("{key} cannot be set here: /proc/sys is read-only, as in a container"),
            "set it on the machine around the container, or leave the host out",
        ));
    }
    match around.danger(key, pair.value)? {
        Danger::Human(why) if !sysctl.accept.contains(key) => Some(Diff::needs_human(
            why,
            &format!("leave the key out, or write `accept: [{key}]` when that is meant"),
        )),
        Danger::Human(why) | Danger::Warning(why) => {
            notes.push(Note::warning(why));
            None
        }
    }
}

fn absent(key: &Key, known: &Known) -> Diff {
    match known.any_package() {
        Some(step) => Diff {
            verdict: Verdict::UnknownUntil {
                step,
                why: format!("whether the kernel has {key} then"),
            },
            notes: Vec::new(),
        },
        None => Diff::blocked(
            format!("the kernel has no {key}: its module is not loaded, or there is no such key"),
            "load the module first, or write `when_present: true` to set it where it is",
        ),
    }
}

/// The file is as it should be, and the kernel is not.
fn live_alone(sysctl: &Sysctl, pairs: &[Pair<'_>]) -> Verdict {
    if !pairs.iter().any(Pair::differs) {
        return Verdict::Compliant;
    }
    let change = Change::new(
        format!("set the kernel values of {}", sysctl.file.path()),
        shown(pairs),
        Call::new("hf_set_sysctl_live", words(pairs)),
        Undo::Call(Call::new::<String>("hf_undo_sysctl_live", [])),
    );
    let probes = sysctl.file.probes().into_iter().chain([sysctl.probe()]);
    Verdict::Change(vec![change.expecting(probes)])
}

fn wrapped(sysctl: &Sysctl, pairs: &[Pair<'_>], changes: Vec<Change>) -> Vec<Change> {
    let wrap = |mut change: Change| {
        let real = change.act.args.first().cloned().unwrap_or_default();
        let place: Vec<String> = change.act.args.iter().take(5).cloned().collect();
        change.act = Call {
            function: "hf_set_sysctl".to_owned(),
            args: place.into_iter().chain(words(pairs)).collect(),
            input: change.act.input,
        };
        change.undo = Undo::Call(Call::new("hf_undo_sysctl", [real]));
        change.shown.extend(shown(pairs));
        change.expecting([sysctl.probe()])
    };
    changes.into_iter().map(wrap).collect()
}

/// All pairs, not only those that differ: setting one value can change another.
fn words(pairs: &[Pair<'_>]) -> Vec<String> {
    let words = pairs
        .iter()
        .flat_map(|pair| [pair.key.path(), pair.value.as_str()]);
    words.map(str::to_owned).collect()
}

fn shown(pairs: &[Pair<'_>]) -> Vec<Shown> {
    let differ = pairs.iter().filter(|pair| pair.differs());
    differ
        .map(|pair| Shown::Property {
            name: pair.key.to_string(),
            before: pair.live.to_owned(),
            after: pair.value.as_str().to_owned(),
        })
        .collect()
}
