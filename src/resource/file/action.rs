//! The changes of a file: what is shown, what is done, and how it is taken back.

use super::account::{Account, Ids};
use super::before::{Before, There};
use super::look::Id;
use super::{File, show};
use crate::change::{Call, Change, Gives, Shown, Undo};

pub(super) fn removal(file: &File, real: &str, before: &Before<'_>) -> Change {
    let path = file.path.as_str();
    let shown = match &before.there {
        There::Link { target } => {
            vec![Shown::Property {
                name: "symbolic link to".to_owned(),
                before: (*target).to_owned(),
                after: String::new(),
            }]
        }
        There::Nothing | There::Plain(_) | There::Predicted(_) => {
            show::content(path, before.content(), None)
        }
    };
    let undo = Undo::Call(Call::new("hf_undo_file", [real, "rename"]));
    let gone = [path, real].map(|path| Gives::Gone {
        path: path.to_owned(),
    });
    Change::new(
        format!("remove {path}"),
        shown,
        Call::new("hf_remove_file", [real]),
        undo,
    )
    .giving(gone)
}

pub(super) fn attributes(file: &File, real: &str, before: &Before<'_>, ids: &Ids) -> Change {
    let act = Call::new(
        "hf_set_file_attributes",
        [real.to_owned()].into_iter().chain(wanted(file, false)),
    );
    let undo = Undo::Call(Call::new("hf_undo_file_attributes", [real]));
    let shown = shown_attributes(file, before, ids);
    let gives = Gives::File {
        path: file.path.to_string(),
        content: None,
    };
    Change::new(
        format!("set mode and owner of {}", file.path),
        shown,
        act,
        undo,
    )
    .giving([gives])
}

pub(super) fn write(file: &File, real: &str, before: &Before<'_>, ids: &Ids, text: &str) -> Change {
    let new = matches!(before.there, There::Nothing | There::Link { .. });
    let how = if file.in_place && !new {
        "in-place"
    } else {
        "rename"
    };
    let words = [real.to_owned()]
        .into_iter()
        .chain(wanted(file, new))
        .chain([how.to_owned()]);
    let act = Call::new("hf_put_file", words.chain(file.validate.iter().cloned())).with_input(text);
    let undo = Undo::Call(Call::new("hf_undo_file", [real, how]));
    let mut shown = show::content(file.path.as_str(), before.content(), Some(text.as_bytes()));
    shown.extend(shown_attributes(file, before, ids));
    let verb = if new { "create" } else { "write" };
    let gives = [file.path.as_str(), real].map(|path| Gives::File {
        path: path.to_owned(),
        content: Some(text.as_bytes().to_vec()),
    });
    Change::new(format!("{verb} {}", file.path), shown, act, undo).giving(gives)
}

/// Mode, owner and group as words of a call; `-` leaves what is there.
fn wanted(file: &File, new: bool) -> [String; 3] {
    let word = |wanted: Option<String>, default: &str| {
        wanted.unwrap_or_else(|| if new { default } else { "-" }.to_owned())
    };
    [
        word(file.mode.map(|mode| mode.to_string()), "0644"),
        word(file.owner.as_ref().map(Account::to_string), "root"),
        word(file.group.as_ref().map(Account::to_string), "root"),
    ]
}

fn shown_attributes(file: &File, before: &Before<'_>, ids: &Ids) -> Vec<Shown> {
    let [mode, owner, group] = wanted(file, true);
    let property = |name: &str, before: String, after: String| Shown::Property {
        name: name.to_owned(),
        before,
        after,
    };
    let There::Plain(plain) = &before.there else {
        let predicted = matches!(before.there, There::Predicted(_));
        let new = [
            property("mode", String::new(), mode),
            property("owner", String::new(), format!("{owner}:{group}")),
        ];
        return if predicted { Vec::new() } else { new.into() };
    };
    let mut shown = Vec::new();
    if file.mode.is_some_and(|mode| mode != plain.mode) {
        shown.push(property("mode", plain.mode.to_string(), mode));
    }
    let keep = |wanted: bool, id: Option<u32>, now: &Id, then: String| {
        if wanted && id != Some(now.number) {
            then
        } else {
            now.name.clone()
        }
    };
    let was = format!("{}:{}", plain.owner.name, plain.group.name);
    let owner = keep(file.owner.is_some(), ids.owner, &plain.owner, owner);
    let group = keep(file.group.is_some(), ids.group, &plain.group, group);
    let becomes = format!("{owner}:{group}");
    if was != becomes {
        shown.push(property("owner", was, becomes));
    }
    shown
}
