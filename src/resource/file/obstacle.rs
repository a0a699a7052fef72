//! What stands in the way of changing a file, and the way out.

use super::look::{Look, Parent, Plain, What};
use super::{Body, File};
use crate::change::Diff;

/// How a file would be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// A new file takes its name.
    Replace,
    /// Its bytes are written over.
    Overwrite,
    /// Its mode or owner changes.
    Attributes,
    /// Its name goes.
    Remove,
}

/// Why there can be no plain file at the path, whatever it should hold.
pub(super) fn of_kind(file: &File, look: &Look) -> Option<Diff> {
    let path = &file.path;
    let gone = file.body == Body::Gone;
    match (&look.what, look.parent) {
        (What::Absent, Parent::Missing | Parent::Other) if gone => None,
        (_, Parent::Other) => Some(Diff::blocked(
            format!("{} is no folder", path.parent()),
            "choose another path",
        )),
        (What::Unresolved, _) => Some(Diff::blocked(
            format!("{path} is a symbolic link that leads nowhere"),
            "remove the link, or make what it leads to",
        )),
        (What::Link { .. }, _) if gone => None,
        (What::Link { target }, _) => Some(Diff::blocked(
            format!("{path} is a symbolic link to {target}"),
            "write `follow: true` to change the file behind it, or name that path",
        )),
        (What::Other(kind), _) => Some(Diff::blocked(
            format!("{path} is {kind}, no plain file"),
            "",
        )),
        (What::Absent, Parent::Missing) => None,
        (What::Absent | What::Plain(_), _) if look.real.is_none() => Some(Diff::blocked(
            format!("the place where {path} really lies has a name that is no text"),
            "name the file by a path without links",
        )),
        (What::Absent | What::Plain(_), _) => None,
    }
}

/// Why the file cannot be touched like that.
pub(super) fn of_touch(file: &File, look: &Look, touch: Touch) -> Option<Diff> {
    let plain = match &look.what {
        What::Plain(plain) => Some(plain),
        What::Absent | What::Unresolved | What::Link { .. } | What::Other(_) => None,
    };
    locked(file, look, touch, plain)
        .or_else(|| unsafe_folder(file, look, touch, plain))
        .or_else(|| needs_in_place(file, look, touch, plain))
}

fn locked(file: &File, look: &Look, touch: Touch, plain: Option<&Plain>) -> Option<Diff> {
    let path = &file.path;
    if look.read_only {
        let why = format!("the file system that holds {path} is mounted read-only");
        return Some(Diff::blocked(
            why,
            "mount it for writing first; on an image-based system change the image",
        ));
    }
    let names_change = matches!(touch, Touch::Replace | Touch::Remove);
    let lock = plain.and_then(|plain| plain.locked);
    let lock = lock.map(|lock| format!("{path} is {lock}"));
    let folder = (names_change && look.folder_locked)
        .then(|| format!("the folder of {path} is immutable or append-only (chattr)"));
    // Somebody set this on purpose: it is not ours to take away.
    lock.or(folder).map(|why| {
        Diff::needs_human(
            why,
            "whoever set the attribute must take it away with chattr",
        )
    })
}

/// A name that others can exchange at any moment must not be opened for writing.
fn unsafe_folder(file: &File, look: &Look, touch: Touch, plain: Option<&Plain>) -> Option<Diff> {
    let many_names = plain.is_some_and(|plain| plain.names > 1);
    let by_name = touch == Touch::Overwrite || (touch == Touch::Attributes && many_names);
    let folder = look.above.first().filter(|_| by_name)?;
    Some(Diff::blocked(
        format!(
            "{} cannot be changed in place: others than root control {folder}",
            file.path
        ),
        "leave `in_place` out, or make the folder root's",
    ))
}

/// What a rename would break.
fn needs_in_place(file: &File, look: &Look, touch: Touch, plain: Option<&Plain>) -> Option<Diff> {
    let path = &file.path;
    let names = plain.map_or(1, |plain| plain.names);
    let mounted = look.mount_point && matches!(touch, Touch::Replace | Touch::Remove);
    if mounted && touch == Touch::Remove {
        return Some(Diff::blocked(
            format!("{path} is a mount point: it cannot be removed"),
            "unmount it first",
        ));
    }
    if mounted {
        let why = format!("{path} is a mount point of its own: no new file can take its place");
        return Some(Diff::blocked(
            why,
            "`in_place: true` writes into it, which is not atomic",
        ));
    }
    (names > 1 && touch == Touch::Replace).then(|| {
        let why = format!(
            "{path} has {names} names (hard links): a new file would part it from the others"
        );
        Diff::blocked(
            why,
            "`in_place: true` changes the content behind all names, which is not atomic",
        )
    })
}
