//! A file before its step: as the host shows it, or as earlier steps of the plan will leave it.

use super::File;
use super::look::{Content, Look, Plain, What};
use crate::change::{Known, StepNumber};

/// The file before this step.
pub(super) struct Before<'a> {
    pub(super) there: There<'a>,
    /// The earlier step that makes it so.
    pub(super) step: Option<StepNumber>,
}

/// What is at the path then.
pub(super) enum There<'a> {
    Nothing,
    Plain(&'a Plain),
    Link {
        target: &'a str,
    },
    /// An earlier step will write this; mode and owner cannot be known.
    Predicted(Content),
}

impl<'a> Before<'a> {
    pub(super) fn of(file: &File, look: &'a Look, known: &Known) -> Self {
        let predicted = known
            .file(file.path.as_str())
            .or_else(|| known.file(look.real.as_deref()?));
        if let Some((step, content)) = predicted {
            let there = content.map_or(There::Nothing, |bytes| {
                There::Predicted(Content::Bytes(bytes.to_vec()))
            });
            return Self {
                there,
                step: Some(step),
            };
        }
        let there = match &look.what {
            What::Plain(plain) => There::Plain(plain),
            What::Link { target } => There::Link { target },
            What::Absent | What::Unresolved | What::Other(_) => There::Nothing,
        };
        Self { there, step: None }
    }

    /// What it holds, when it is a file.
    pub(super) fn content(&self) -> Option<&Content> {
        match &self.there {
            There::Nothing | There::Link { .. } => None,
            There::Plain(plain) => Some(&plain.content),
            There::Predicted(content) => Some(content),
        }
    }

    /// Whether it is a file that holds this text.
    pub(super) fn is(&self, text: &str) -> bool {
        match self.content() {
            Some(Content::Bytes(bytes)) => bytes == text.as_bytes(),
            // Larger than any content of ours.
            Some(Content::Digest { .. } | Content::Unread { .. }) | None => false,
        }
    }
}
