//! Steps that change nothing on a host: `manual:`, which a person does and confirms, and `pause:`.
//!
//! They are made only when a later step of the plan is due, so that a run with nothing to do asks
//! nothing and waits for nothing.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::shape::{Field, Shape, Ty};
use crate::template::{self, Meaning, Names, Scope, Text};
use crate::value::Duration;
use crate::yaml::Node;

pub(super) const MANUAL_HELP: &str =
    "Something that a person must do or know; asked only when a later step is due.";
pub(super) const PAUSE_HELP: &str =
    "A time to wait; waited only when a later step is due. `0s` means not at all.";

/// `manual: Is the port open?` or `manual: {question: …, how: …}`.
pub(super) const MANUAL: Shape = Shape {
    name: "a manual step",
    fields: &[
        Field::required(
            "question",
            Ty::Text,
            "What is asked. Only a yes goes on; the answer is recorded.",
        ),
        Field::optional("how", Ty::Text, "What to do before the answer is yes."),
    ],
    shorthand: Some("question"),
};

/// Something that a person must do, as written.
#[derive(Debug)]
pub struct Manual {
    question: Text,
    how: Option<Text>,
}

/// A step that changes nothing, for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interlude {
    /// A person is asked.
    Ask {
        /// What.
        question: String,
        /// What to do before the answer is yes.
        how: Option<String>,
    },
    /// A time passes.
    Pause(Duration),
}

impl Manual {
    /// Reads what fits [`MANUAL`].
    pub(super) fn read(node: &Node) -> Option<Self> {
        Some(Self {
            question: MANUAL.text(node, "question")?,
            how: MANUAL.text(node, "how"),
        })
    }

    pub(super) fn check_texts(&self, names: &Names, out: &mut Diagnostics) {
        template::check(&self.question, Meaning::Template, names, out);
        if let Some(how) = &self.how {
            template::check(how, Meaning::Template, names, out);
        }
    }

    /// The question for one host.
    pub(super) fn render(&self, scope: &Scope) -> Result<Interlude, Diagnostic> {
        let how = self.how.as_ref().map(|how| scope.text(how)).transpose()?;
        Ok(Interlude::Ask {
            question: scope.text(&self.question)?.trim().to_owned(),
            how: how.map(|how| how.trim().to_owned()),
        })
    }
}
