//! A jail whose file an earlier step of the plan writes: a port that moves has two such steps.

use super::change::Due;
use super::look::Look;
use super::{Jail, notes, text};
use crate::change::{Diff, Known};

/// An earlier step writes our file, and the server takes it as that leaves it.
pub(super) fn predicted(jail: &Jail, look: &Look, known: &Known) -> Option<Diff> {
    let (step, content) = known.file(&jail.path())?;
    let mut look = look.clone();
    look.file = content.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let text = text::wanted(jail, &look);
    if look.file.as_ref() == Some(&text) {
        return Some(Diff::compliant());
    }
    let due = Due {
        text: Some(text),
        starts: false,
        verb: "reload",
        live: Vec::new(),
    };
    let notes = notes::notes(jail, &look, Some(&due));
    let diff = Diff::of(vec![due.change(jail, &look)]).with_notes(notes);
    Some(diff.after(Some(step)))
}
