//! What stands in the way of a file of keys, and why sshd would not trust it.

use super::AuthorizedKeys;
use super::look::{Account, KeyFile, Look};
use super::place::{below_home, makes_folder, mendable, real};
use crate::change::Diff;
use crate::resource::file::look::{Content, Parent, What};

/// Why a file of keys cannot be looked into or written, or why sshd would not trust it.
pub(super) fn of_file(
    wanted: &AuthorizedKeys,
    look: &Look,
    account: &Account,
    file: &KeyFile,
    first: bool,
) -> Option<Diff> {
    let path = &file.path;
    let blocked = |why: String, hint: &str| Some(Diff::blocked(why, hint));
    let here = &file.look;
    if account.real_home.is_empty() && below_home(account, path).is_some() {
        let why = format!(
            "the home of {} ({}) does not exist",
            wanted.user, account.home
        );
        return first.then(|| Diff::blocked(why, "make it first"));
    }
    if let Some(diff) = of_kind(path, &here.what) {
        return Some(diff);
    }
    if here.read_only {
        return blocked(
            format!("the file system that holds {path} is mounted read-only"),
            "",
        );
    }
    if real(account, file).is_none() {
        let hint = "a link below a home could lead root anywhere; put a plain folder there";
        return blocked(format!("a part of {path} is a symbolic link"), hint);
    }
    if here.parent != Parent::Folder
        && (here.parent == Parent::Other || !makes_folder(account, file))
    {
        let why = format!("the folder of {path} does not exist");
        return first.then(|| Diff::blocked(why, "make it in an earlier step"));
    }
    let distrusted = file
        .unsafe_folders
        .iter()
        .find(|(folder, _)| look.sshd.strict && first && !mendable(account, file, folder));
    let (folder, how) = distrusted?;
    let why = format!(
        "{folder} ({how}) can be written to by others than {}: sshd ignores the keys below it",
        wanted.user
    );
    blocked(why, &format!("chmod go-w {folder}, or give it to its user"))
}

/// Why what is at the path is no file of keys.
fn of_kind(path: &str, what: &What) -> Option<Diff> {
    let blocked = |why: String, hint: &str| Some(Diff::blocked(why, hint));
    match what {
        What::Link { target } => {
            return blocked(
                format!("{path} is a symbolic link to {target}"),
                "put a plain file there",
            );
        }
        What::Other(kind) => return blocked(format!("{path} is {kind}, no plain file"), ""),
        What::Plain(plain) => {
            if let Some(locked) = plain.locked {
                let hint = "whoever set the attribute must take it away with chattr";
                return Some(Diff::needs_human(format!("{path} is {locked}"), hint));
            }
            if !matches!(plain.content, Content::Bytes(_)) {
                return blocked(format!("{path} is larger than 1 MiB"), "");
            }
            if plain.names > 1 {
                let why = format!("{path} has {} names (hard links)", plain.names);
                return blocked(why, "remove the others");
            }
        }
        What::Absent | What::Unresolved => {}
    }
    None
}
