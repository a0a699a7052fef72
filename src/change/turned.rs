//! A change seen from its end: how what takes it back is shown.

use super::{Shown, Undo};

impl Shown {
    /// The same the other way round; a command becomes the one that `undo` runs in its place.
    #[must_use]
    pub fn turned(&self, undo: &Undo) -> Self {
        match self.clone() {
            Shown::Text {
                path,
                before,
                after,
            } => Shown::Text {
                path,
                before: after,
                after: before,
            },
            Shown::Lines {
                what,
                removed,
                added,
            } => Shown::Lines {
                what,
                removed: added,
                added: removed,
            },
            Shown::Property {
                name,
                before,
                after,
            } => Shown::Property {
                name,
                before: after,
                after: before,
            },
            Shown::Run { argv } => Shown::Run {
                argv: match undo {
                    Undo::Call(call) if call.function == "hf_undo_command" => call.args.clone(),
                    Undo::Call(_) | Undo::Impossible { .. } => argv,
                },
            },
        }
    }
}
