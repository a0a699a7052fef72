//! The kind `command`: a program with its arguments, run only while its guard says that it is needed.
//!
//! ```yaml
//! command:
//!   argv: [sysctl, -p, /etc/sysctl.d/90-holdfast.conf]
//!   unless: [grep, -qx, "1", /proc/sys/kernel/dmesg_restrict]
//!   undo: [sysctl, -w, kernel.dmesg_restrict=0]
//! ```
//!
//! Guards (`unless`, `onlyif`, `creates`) run during the survey and in dry runs: their author declares
//! them read-only. There is no shell: words stay words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Call, Change, Diff, Gives, Known, Note, Shown, Undo};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answer, Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text, shell_quoted};
use crate::value::AbsolutePath;
use crate::yaml::Node;

mod guard;

use guard::{Guard, Need};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "command",
    help: "Runs a program while its guard says that it is needed.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a command",
    fields: &[
        Field::required(
            "argv",
            Ty::Argv,
            "The program and its arguments, as a list; there is no shell.",
        ),
        Field::optional(
            "unless",
            Ty::Argv,
            "A program that only reads: run only when it fails.",
        ),
        Field::optional(
            "onlyif",
            Ty::Argv,
            "A program that only reads: run only when it succeeds.",
        ),
        Field::optional(
            "creates",
            Ty::Text,
            "A path: run only while nothing is there.",
        ),
        Field::optional(
            "always",
            Ty::Bool,
            "Run every time; the way out when no guard is possible.",
        ),
        Field::optional(
            "undo",
            Ty::Argv,
            "The program that takes it back. It is run after a try that failed, too: it must not mind when there is little or nothing to take back.",
        ),
    ],
    shorthand: Some("argv"),
};

const WORD_LISTS: [&str; 4] = ["argv", "unless", "onlyif", "undo"];
const GUARDS: [&str; 3] = ["unless", "onlyif", "creates"];

/// A command on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    argv: Vec<String>,
    guards: Vec<Guard>,
    undo: Option<Vec<String>>,
}

impl Command {
    fn program_probe(&self) -> Probe {
        Probe::new("hf_program", self.argv.first().cloned())
    }

    fn change(&self, program: Probe) -> Change {
        let mut shown = vec![Shown::Run {
            argv: self.argv.clone(),
        }];
        // With these the read-back notices when the command ran and its guard still asks for it.
        shown.extend(self.guards.iter().map(Guard::shown));
        let undo = match &self.undo {
            Some(argv) => Undo::Call(Call::new("hf_undo_command", argv.iter().cloned())),
            None => Undo::Impossible {
                why: "the command declares no undo".to_owned(),
            },
        };
        let gives = self.guards.iter().filter_map(|guard| match guard {
            Guard::Creates(path) => Some(Gives::File {
                path: path.to_string(),
                content: None,
            }),
            Guard::Unless(_) | Guard::OnlyIf(_) => None,
        });
        Change::new(
            format!("run {}", line(&self.argv)),
            shown,
            Call::new("hf_run_command", self.argv.iter().cloned()),
            undo,
        )
        .expecting(self.guards.iter().map(Guard::probe).chain([program]))
        .giving(gives)
    }
}

impl Resource for Command {
    fn subject(&self) -> String {
        format!("command {}", line(&self.argv))
    }

    fn probes(&self) -> Vec<Probe> {
        self.guards
            .iter()
            .map(Guard::probe)
            .chain([self.program_probe()])
            .collect()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        for guard in &self.guards {
            match guard.asks(seen)? {
                Need::Run => {}
                Need::Nothing => return Ok(Diff::compliant()),
                Need::Missing { why } => return Ok(guard::missing(known, why)),
                Need::Broken { why } => return Ok(guard::broken(why)),
            }
        }
        let program = self.program_probe();
        let is_there = Lines::of(seen, &program)?.is("program");
        let change = vec![self.change(program)];
        let diff = match (is_there, known.any_package()) {
            (true, _) => Diff::of(change),
            (false, Some(step)) => Diff::of(change).after(Some(step)),
            (false, None) => {
                let name = self.argv.first().map_or("", String::as_str);
                return Ok(Diff::blocked(
                    format!("there is no program `{name}` on the host"),
                    "install the package that brings it in an earlier step",
                ));
            }
        };
        let notes = if self.guards.is_empty() {
            vec![Note::info("it runs every time: it has no guard")]
        } else {
            Vec::new()
        };
        Ok(diff.with_notes(notes))
    }

    fn runs_things(&self) -> bool {
        true
    }
}

/// The words as a shell would need them, shortened: for people, never for a shell.
fn line(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| shell_quoted(word)).collect();
    let line: String = words
        .join(" ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<AbsolutePath>(&SHAPE, node, "creates", out);
    for key in WORD_LISTS {
        if let Some(words) = SHAPE.texts(node, key) {
            check_words(key, &words, SHAPE.get(node, key).unwrap_or(node), out);
        }
    }
    let guards = GUARDS
        .iter()
        .filter(|key| SHAPE.get(node, key).is_some())
        .count();
    let always = SHAPE.text(node, "always");
    let constant = always
        .as_ref()
        .filter(|always| always.is_constant())
        .map(|always| always.text.as_str());
    if guards == 0 && (always.is_none() || constant == Some("false")) {
        out.push(without_guard().at(&node.place));
    }
    if guards > 0 && constant == Some("true") {
        let error = Diagnostic::error("`always: true` and a guard contradict each other");
        out.push(error.at(&node.place).hint("leave one of them out"));
    }
}

fn without_guard() -> Diagnostic {
    Diagnostic::error("a command needs a guard that says when it has nothing to do").hint(
        "add `unless: [...]`, `onlyif: [...]` or `creates: /path`; or `always: true` when it must run every time",
    )
}

/// What can be wrong with a list of words, rendered or not.
fn check_words(key: &str, words: &[Text], node: &Node, out: &mut Diagnostics) {
    let Some(first) = words.first() else {
        out.push(Diagnostic::error(format!("`{key}` is empty")).at(&node.place));
        return;
    };
    if first.is_constant()
        && node.text().is_some()
        && first.text.trim().contains(char::is_whitespace)
    {
        let list = first.text.split_whitespace().collect::<Vec<_>>().join(", ");
        let error = Diagnostic::error(format!(
            "`{key}` is a list of words, not a line for a shell"
        ));
        out.push(error.at(&first.place).hint(format!("write [{list}]")));
    } else if first.is_constant()
        && (first.text.is_empty() || first.text.starts_with('-') || first.text.contains('\n'))
    {
        out.push(Diagnostic::error(format!("`{}` is no program", first.text)).at(&first.place));
    }
    for word in words.iter().filter(|word| word.text.contains('\0')) {
        out.push(Diagnostic::error("an argument cannot hold a NUL byte").at(&word.place));
    }
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let argv = words(&mut fields, node, "argv");
    let undo = words(&mut fields, node, "undo");
    let unless = words(&mut fields, node, "unless").map(Guard::Unless);
    let onlyif = words(&mut fields, node, "onlyif").map(Guard::OnlyIf);
    let creates = fields.value("creates").map(Guard::Creates);
    let guards: Vec<Guard> = [creates, onlyif, unless].into_iter().flatten().collect();
    if guards.is_empty() && !fields.flag("always") {
        fields.wrong("always", without_guard());
    }
    let command = argv.map(|argv| Command { argv, guards, undo });
    fields.finish(command)
}

fn words(fields: &mut Fields<'_>, node: &Node, key: &str) -> Option<Vec<String>> {
    let items = fields.items(key)?;
    let mut said = Diagnostics::new();
    check_words(key, &items, SHAPE.get(node, key).unwrap_or(node), &mut said);
    for diagnostic in said {
        fields.keep::<()>(Err(diagnostic));
    }
    Some(items.into_iter().map(|item| item.text).collect())
}

/// Exit status and standard output of a program that the read function `hf_run` ran.
///
/// # Errors
/// When the answer has not that form.
pub fn command_output(probe: &Probe, answer: &Answer) -> Result<(i32, String), ParseError> {
    let text = answer.text();
    let encoded = text.lines().find_map(|line| line.strip_prefix("stdout="));
    let encoded = encoded.ok_or_else(|| ParseError::new(probe, "no stdout in it"))?;
    let bytes = BASE64
        .decode(encoded)
        .map_err(|_| ParseError::new(probe, "its stdout is no base64"))?;
    Ok((answer.status, String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::resource::kind;
    use crate::yaml;

    fn said(text: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t.yaml", text)).unwrap();
        let mut out = Diagnostics::new();
        (kind("command").unwrap().check)(&node, &mut out);
        out.iter().map(|d| d.message.clone()).collect()
    }

    #[test]
    fn a_command_without_a_guard_is_a_load_error_that_says_what_to_add() {
        let mut out = Diagnostics::new();
        let node = yaml::parse(&Source::new("t.yaml", "[ufw, reload]")).unwrap();
        check(&node, &mut out);
        let hint = out.iter().next().unwrap().hint.clone().unwrap();
        assert!(
            hint.contains("unless") && hint.contains("always: true"),
            "{hint}"
        );
        assert!(said("{argv: [a], always: true}").is_empty());
        assert!(said("{argv: [a], creates: /x}").is_empty());
        assert_eq!(said("{argv: [a], always: false}").len(), 1);
        assert_eq!(said("{argv: [a], always: true, creates: /x}").len(), 1);
    }

    #[test]
    fn a_shell_line_and_options_for_programs_are_mistakes() {
        assert_eq!(
            said("{argv: ls -l, creates: /x}"),
            ["`argv` is a list of words, not a line for a shell"]
        );
        assert_eq!(said("{argv: [-x], creates: /x}"), ["`-x` is no program"]);
        assert_eq!(said("{argv: [], creates: x}").len(), 2);
    }

    #[test]
    fn the_output_of_a_check_is_decoded() {
        let probe = Probe::new("hf_run", ["date"]);
        let answer = Answer {
            status: 3,
            output: b"stdout=aGkK\nstderr=\n".to_vec(),
        };
        assert_eq!(
            command_output(&probe, &answer).unwrap(),
            (3, "hi\n".to_owned())
        );
        assert!(
            command_output(
                &probe,
                &Answer {
                    status: 0,
                    output: b"stdout=?\n".to_vec()
                }
            )
            .is_err()
        );
    }

    #[test]
    fn long_commands_are_shortened_for_people() {
        let shown = line(&["x".to_owned(), "é".repeat(300)]);
        assert_eq!(shown.chars().count(), 101);
        assert_eq!(line(&["a".to_owned(), "b c\n".to_owned()]), "a 'b c '");
    }
}
