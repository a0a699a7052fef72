//! Compares a file as it is, or as earlier steps will leave it, with what it should be.

use super::account::Ids;
use super::action::{attributes, removal, write};
use super::before::{Before, There};
use super::look::{Look, Parent, Plain, What};
use super::obstacle::{self, Touch};
use super::{Body, File, Lacks};
use crate::change::{Diff, Known, Note, StepNumber, Verdict};
use crate::resource::Resource;

/// What is to be done.
enum Wish<'a> {
    Nothing,
    Write(&'a str),
    Attributes,
    Remove,
    Unknown { why: &'static str },
}

pub(super) fn judge(file: &File, look: &Look, ids: &Ids, lacks: &Lacks, known: &Known) -> Diff {
    if let Some(diff) = obstacle::of_kind(file, look) {
        return diff;
    }
    let before = Before::of(file, look, known);
    let wish = wish(&before, file, ids);
    if matches!(wish, Wish::Nothing) {
        return Diff::compliant();
    }
    let step = match waits_for(file, look, &before, lacks, known) {
        Ok(step) => step,
        Err(diff) => return diff,
    };
    let touch = match wish {
        Wish::Nothing => return Diff::compliant(),
        Wish::Unknown { why } => return unknown(file, step, why),
        Wish::Remove => Touch::Remove,
        Wish::Attributes => Touch::Attributes,
        Wish::Write(_) if file.in_place && matches!(before.there, There::Plain(_)) => {
            Touch::Overwrite
        }
        Wish::Write(_) => Touch::Replace,
    };
    if let Some(diff) = obstacle::of_touch(file, look, touch) {
        return diff;
    }
    let real = look.real.as_deref().unwrap_or(file.path.as_str());
    let change = match wish {
        Wish::Nothing | Wish::Unknown { .. } | Wish::Remove => removal(file, real, &before),
        Wish::Attributes => attributes(file, real, &before, ids),
        Wish::Write(text) => write(file, real, &before, ids, text),
    };
    let notes = notes(file, look, touch);
    Diff::of(vec![change.expecting(file.probes())])
        .after(step)
        .with_notes(notes)
}

fn unknown(file: &File, step: Option<StepNumber>, why: &str) -> Diff {
    match step {
        Some(step) => Diff {
            verdict: Verdict::UnknownUntil {
                step,
                why: why.to_owned(),
            },
            notes: Vec::new(),
        },
        None => Diff::blocked(
            format!("{} does not exist", file.path),
            "give it `content` or a `template`",
        ),
    }
}

/// The earlier step that this one rests on, or why it cannot be done.
fn waits_for(
    file: &File,
    look: &Look,
    before: &Before<'_>,
    lacks: &Lacks,
    known: &Known,
) -> Result<Option<StepNumber>, Diff> {
    let package = known.any_package();
    if package.is_none()
        && let Some(why) = lacks.why.first()
    {
        return Err(Diff::blocked(
            why.clone(),
            "install the package that brings it in an earlier step",
        ));
    }
    let folder_missing = look.parent == Parent::Missing && !file.makes_folder;
    if package.or(lacks.user).is_none() && folder_missing {
        let why = format!("the folder {} does not exist", file.path.parent());
        return Err(Diff::blocked(
            why,
            "install the package that brings it, or make it, in an earlier step",
        ));
    }
    // A file that is not there may come with a package, and would then be there before we write.
    let may_come = matches!(before.there, There::Nothing) || !lacks.why.is_empty();
    let package = package.filter(|_| may_come);
    Ok(before.step.max(package).max(lacks.user))
}

fn wish<'f>(before: &Before<'_>, file: &'f File, ids: &Ids) -> Wish<'f> {
    let asked = file.mode.is_some() || file.owner.is_some() || file.group.is_some();
    match (&file.body, &before.there) {
        (Body::Gone, There::Plain(_) | There::Link { .. } | There::Predicted(_)) => Wish::Remove,
        (Body::AsItIs, There::Nothing | There::Link { .. }) => Wish::Unknown {
            why: "the file is not there yet",
        },
        (Body::AsItIs | Body::Text(_), There::Predicted(_)) if asked => Wish::Unknown {
            why: "the mode and owner that the earlier step leaves",
        },
        (Body::Text(text), _) if !before.is(text) => Wish::Write(text),
        (Body::AsItIs | Body::Text(_), There::Plain(plain)) if differs(file, plain, ids) => {
            Wish::Attributes
        }
        (Body::Gone | Body::AsItIs | Body::Text(_), _) => Wish::Nothing,
    }
}

fn differs(file: &File, plain: &Plain, ids: &Ids) -> bool {
    let owner = file.owner.is_some() && ids.owner != Some(plain.owner.number);
    let group = file.group.is_some() && ids.group != Some(plain.group.number);
    owner || group || file.mode.is_some_and(|mode| mode != plain.mode)
}

fn notes(file: &File, look: &Look, touch: Touch) -> Vec<Note> {
    let mut notes = Vec::new();
    for folder in &look.above {
        notes.push(Note::warning(format!(
            "others than root control {folder}, which leads to this file"
        )));
    }
    if let Some(real) = look
        .real
        .as_deref()
        .filter(|real| *real != file.path.as_str())
    {
        notes.push(Note::info(format!(
            "a part of the path is a symbolic link: the file lies at {real}"
        )));
    }
    if look.folder_acl && look.what == What::Absent {
        notes.push(Note::info(
            "the folder has a default access control list, which the new file inherits",
        ));
    }
    if let What::Plain(plain) = &look.what {
        if plain.acl && touch != Touch::Remove {
            notes.push(Note::info("its access control list stays as it is"));
        }
        if plain.names > 1 {
            let others = if touch == Touch::Remove {
                "the others stay"
            } else {
                "all of them change"
            };
            notes.push(Note::warning(format!(
                "it has {} names (hard links): {others}",
                plain.names
            )));
        }
    }
    notes
}
