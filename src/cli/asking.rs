//! What is put to the person at the terminal between two things that are told: the report stands still meanwhile.

use tokio::sync::{oneshot, watch};

use super::ask::{self, Heard, While};
use crate::event::StepQuestion;
use crate::report::{self, Report, Style};

/// Something that a person is to answer or to do.
pub(super) enum Asking {
    /// A question with yes or no; none when nobody answers.
    Confirm {
        text: String,
        answer: oneshot::Sender<Option<bool>>,
    },
    /// A question with one of some words for an answer.
    Choose {
        text: String,
        words: &'static [&'static str],
        answer: oneshot::Sender<Option<usize>>,
    },
    /// Something to read, then a line to write.
    Line {
        panel: Panel,
        prompt: String,
        answer: oneshot::Sender<Heard>,
    },
    /// The terminal is handed over until this ends; what there is to say about it.
    Away {
        work: Box<dyn FnOnce() -> Option<String> + Send>,
        back: oneshot::Sender<Option<String>>,
    },
}

/// What is shown before a line is read.
pub(super) enum Panel {
    /// The question before a step, for these hosts.
    Step(Vec<String>, Box<StepQuestion>),
    /// All about that step.
    Details(Vec<String>, Box<StepQuestion>),
    /// A word on the last answer.
    Words(String),
}

impl Asking {
    /// Puts it to the person. Whoever asked may be gone meanwhile: then nobody need answer.
    pub(super) fn put(self, report: &mut Report, style: &Style, stop: &watch::Receiver<bool>) {
        // What could not be shown cannot be agreed to.
        let shown = report.pause().is_ok();
        match self {
            Asking::Confirm { text, answer } => {
                let moot = || answer.is_closed();
                let said = shown.then(|| ask::confirm(&text, &While { stop, moot: &moot }));
                let _ = answer.send(said.flatten());
            }
            Asking::Choose {
                text,
                words,
                answer,
            } => {
                let moot = || answer.is_closed();
                let chosen = shown.then(|| ask::choose(&text, words, &While { stop, moot: &moot }));
                let _ = answer.send(chosen.flatten());
            }
            Asking::Line {
                panel,
                prompt,
                answer,
            } => {
                let text = panel.text(&prompt, &fitted(style));
                let moot = || answer.is_closed();
                let heard = shown.then(|| ask::line(&text, &While { stop, moot: &moot }));
                let _ = answer.send(heard.unwrap_or(Heard::Gone));
            }
            Asking::Away { work, back } => {
                let _ = back.send(work());
            }
        }
        report.resume();
    }
}

impl Panel {
    fn text(&self, prompt: &str, style: &Style) -> String {
        let above = match self {
            Panel::Step(hosts, question) => report::step_question(hosts, question, style),
            Panel::Details(hosts, question) => report::step_details(hosts, question, style),
            Panel::Words(text) => report::paragraphs(text, style),
        };
        let prompt = report::paragraphs(prompt, style);
        format!("{above}{} ", prompt.trim_end())
    }
}

/// The style for the terminal as it is now: it may have another size than at the last question.
fn fitted(style: &Style) -> Style {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let width = columns.or_else(|| {
        let (_, columns) = console::Term::stderr().size_checked()?;
        Some(usize::from(columns))
    });
    Style { width, ..*style }
}
