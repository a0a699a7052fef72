//! The answers before a step: what a person may write, and what is made of it.

use crate::event::{Since, StepQuestion};

/// Whom an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The hosts that were asked about.
    These,
    /// All hosts of the run.
    All,
}

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Apply,
    Skip,
    /// With `name=value`, when it was written at once.
    Edit(Option<String>),
    Again,
    Back,
    /// On this host, when it was named.
    Shell(Option<String>),
    Details,
    Finish(Scope),
    Undo(Scope),
    Keep(Scope),
    /// Nothing was chosen: what there is to say about it.
    None(String),
}

/// One answer that may be given.
struct Choice {
    key: char,
    word: &'static str,
    shown: &'static str,
    help: &'static str,
}

const CHOICES: [Choice; 10] = [
    choice('a', "apply", "[a]pply", "do it as shown"),
    choice('s', "skip", "[s]kip", "leave this step out"),
    choice(
        'e',
        "edit",
        "[e]dit",
        "another value for an input (e NAME=VALUE); the plan is made anew",
    ),
    choice(
        'r',
        "retry",
        "[r]etry",
        "after a failure try again, else look at it again",
    ),
    choice(
        'b',
        "back",
        "[b]ack",
        "take the last step back and decide about it again",
    ),
    choice(
        'h',
        "shell",
        "s[h]ell",
        "a shell on the host (h HOST); it is looked at again afterwards",
    ),
    choice(
        'd',
        "details",
        "[d]etails",
        "the whole diff, what is run, what must still be so, the undo",
    ),
    choice(
        'f',
        "finish",
        "[f]inish",
        "this and all later steps without asking (f all: on all hosts)",
    ),
    choice(
        'u',
        "undo",
        "[u]ndo and stop",
        "take back all that this run did here, and stop (u all: on all hosts)",
    ),
    choice(
        'k',
        "keep",
        "[k]eep and stop",
        "stop here; what was done stays (k all: on all hosts)",
    ),
];

const fn choice(key: char, word: &'static str, shown: &'static str, help: &'static str) -> Choice {
    Choice {
        key,
        word,
        shown,
        help,
    }
}

/// Whether something would be done now.
fn is_doable(question: &StepQuestion) -> bool {
    question.since != Since::Beyond
        && question.step.obstacle().is_none()
        && question.step.is_pending()
}

/// Why an answer makes no sense now; none when it does.
fn senseless(key: char, question: &StepQuestion, inputs: bool) -> Option<&'static str> {
    match key {
        'a' | 'f' if question.since == Since::Beyond => Some("it is not what the saved plan says"),
        'a' | 'f' if !is_doable(question) => Some("it cannot be done as things are"),
        'b' if question.back.is_none() => Some("nothing was decided before on these hosts"),
        'e' if !inputs => Some("there is no input to be edited"),
        _ => None,
    }
}

/// The answers that make sense, in a line.
pub(super) fn menu(question: &StepQuestion, inputs: bool) -> String {
    let choices = CHOICES.iter();
    let sensible = choices.filter(|choice| senseless(choice.key, question, inputs).is_none());
    let shown: Vec<&str> = sensible.map(|choice| choice.shown).collect();
    format!("{} [?]", shown.join(" "))
}

fn help() -> String {
    let lines = CHOICES
        .iter()
        .map(|choice| format!("{}  {:<8} {}", choice.key, choice.word, choice.help));
    let lines: Vec<String> = lines.collect();
    format!(
        "{}\nThe letter or the word, then Enter. Enter alone chooses nothing.",
        lines.join("\n")
    )
}

/// Reads an answer. Only a letter or a word that stands for one is an answer.
pub(super) fn parse(line: &str, question: &StepQuestion, inputs: bool) -> Answer {
    let (word, rest) = match line.trim().split_once(char::is_whitespace) {
        Some((word, rest)) => (word.to_lowercase(), rest.trim()),
        None => (line.trim().to_lowercase(), ""),
    };
    if let Some(words) = no_answer(&word) {
        return Answer::None(words);
    }
    let is_it = |choice: &&Choice| choice.word == word || word == choice.key.to_string();
    let Some(choice) = CHOICES.iter().find(is_it) else {
        return Answer::None(format!(
            "`{}` is no answer here; ? explains them.",
            line.trim()
        ));
    };
    match senseless(choice.key, question, inputs) {
        Some(why) => Answer::None(format!("Not {}: {why}.", choice.word)),
        None => chosen(choice, rest, question),
    }
}

/// What people write who do not know the answers.
fn no_answer(word: &str) -> Option<String> {
    let words = match word {
        "" => "Enter alone chooses nothing: write a letter, or ? for what they mean.",
        "?" | "help" => return Some(help()),
        "y" | "yes" | "n" | "no" => {
            "Not yes or no here: a applies the step, s leaves it out, ? explains."
        }
        "q" | "quit" | "exit" => "To stop: k keeps what was done, u takes it back first.",
        _ => return None,
    };
    Some(words.to_owned())
}

fn chosen(choice: &Choice, rest: &str, question: &StepQuestion) -> Answer {
    let argument = (!rest.is_empty()).then(|| rest.to_owned());
    let tried = question
        .failure
        .as_ref()
        .is_some_and(|failure| failure.tried);
    match (choice.key, rest) {
        ('e', _) => Answer::Edit(argument),
        ('h', _) => Answer::Shell(argument),
        ('f', "") => Answer::Finish(Scope::These),
        ('f', "all") => Answer::Finish(Scope::All),
        ('u', "") => Answer::Undo(Scope::These),
        ('u', "all") => Answer::Undo(Scope::All),
        ('k', "") => Answer::Keep(Scope::These),
        ('k', "all") => Answer::Keep(Scope::All),
        ('a', "") => Answer::Apply,
        ('s', "") => Answer::Skip,
        ('b', "") => Answer::Back,
        ('d', "") => Answer::Details,
        // The step as it is shown, once more.
        ('r', "") if tried && is_doable(question) => Answer::Apply,
        ('r', "") => Answer::Again,
        _ => Answer::None(format!(
            "Nothing may stand behind {}, but `{rest}` does.",
            choice.word
        )),
    }
}
