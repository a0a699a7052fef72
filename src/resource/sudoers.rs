//! The kind `sudoers`: a file of rules in `/etc/sudoers.d`, or none.
//!
//! ```yaml
//! sudoers: { name: 90-ops, content: "ops ALL=(ALL) NOPASSWD: ALL\n" }
//! ```
//!
//! visudo looks at the new rules before they get their name and at all rules afterwards, and our own way to
//! root is tried before and after: what breaks either is taken back at once. Where the rules are broken
//! already, nothing is touched: somebody must mend them first, for a mistake of theirs would look like ours.

use super::file::File;
use super::{
    Fields, Kind, Lines, Resource, StepFrame, check_content_or_absence, says_nothing, user,
};
use crate::change::{Call, Change, Diff, Known, Note, Verdict};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{AbsolutePath, FileMode};
use crate::yaml::Node;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "sudoers",
    help: "A file of sudo's rules in /etc/sudoers.d; or its absence.",
    shape: &SHAPE,
    guarded: true,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "sudo rules",
    fields: &[
        Field::required(
            "name",
            Ty::Text,
            "The name of the file. sudo skips names with a `.` or a `~` in them, so they are refused.",
        ),
        Field::optional("content", Ty::Text, "The rules (sudoers(5))."),
        Field::optional(
            "template",
            Ty::Text,
            "The template file that makes the rules.",
        ),
        Field::optional("absent", Ty::Bool, "There must be no such file."),
    ],
    shorthand: None,
};

const FOLDER: &str = "/etc/sudoers.d";

/// A file of rules on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sudoers {
    path: AbsolutePath,
    file: File,
    /// Whom we are logged in as; `None` when that is root or the host did not say.
    login: Option<String>,
}

impl Sudoers {
    fn probe() -> Probe {
        Probe::new::<String>("hf_sudoers", [])
    }

    /// The change of a plain file as one of sudo's rules.
    fn put(&self, mut change: Change) -> Change {
        let function = match change.act.function.as_str() {
            "hf_put_file" => "hf_put_sudoers",
            "hf_remove_file" => "hf_remove_sudoers",
            _ => "hf_set_sudoers_attributes",
        };
        let login = self.login.as_deref().unwrap_or("-").to_owned();
        let args = [login].into_iter().chain(change.act.args);
        change.act = Call {
            input: change.act.input,
            ..Call::new(function, args)
        };
        change.expecting([Self::probe()])
    }
}

impl Resource for Sudoers {
    fn subject(&self) -> String {
        format!("sudoers {}", self.path)
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = self.file.probes();
        probes.push(Self::probe());
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = Self::probe();
        let lines = Lines::of(seen, &probe)?;
        let diff = self.file.diff(seen, known)?;
        let step = match (lines.get("visudo"), known.any_package()) {
            ("yes", _) => None,
            // Where there is no sudo, there is nothing to take away.
            ("no", _) if diff.verdict == Verdict::Compliant => return Ok(diff),
            ("no", None) => {
                return Ok(Diff::blocked(
                    "there is no visudo on the host, so rules could not be checked",
                    "install the package sudo in an earlier step",
                ));
            }
            ("no", step) => step,
            (other, _) => return Err(lines.unreadable(format!("visudo is {other:?}"))),
        };
        if lines.is("unreadable") {
            return Err(lines.unreadable("needs root to read /etc/sudoers"));
        }
        if step.is_some() {
            return Ok(diff.map_changes(|change| self.put(change)).after(step));
        }
        if !lines.is("included") && !self.file.is_absence() {
            return Ok(never_read());
        }
        let foreign = self.foreign_mistake(&lines);
        Ok(match (foreign, diff.verdict == Verdict::Compliant) {
            (None, _) => diff.map_changes(|change| self.put(change)),
            (Some(line), false) => broken(line),
            (Some(line), true) => {
                let text = format!("the rules of sudo are broken elsewhere: {line}");
                diff.with_notes(vec![Note::warning(text)])
            }
        })
    }
}

impl Sudoers {
    /// What visudo says is wrong with another file than ours.
    fn foreign_mistake<'l>(&self, lines: &'l Lines<'_>) -> Option<&'l str> {
        let own = format!("{}:", self.path);
        // The line it quotes names no file, and neither does the mark below it.
        lines.all("broken").find(|line| {
            let names_a_file = line.starts_with('/') || line.contains(" /");
            names_a_file && !line.contains(&own)
        })
    }
}

fn never_read() -> Diff {
    let why = format!("/etc/sudoers does not include {FOLDER}: sudo would never read the file");
    Diff::needs_human(why, "add `@includedir /etc/sudoers.d` with visudo")
}

fn broken(line: &str) -> Diff {
    let why = format!("the rules of sudo are broken already: {line}");
    let hint = "mend that file first (`visudo -f FILE`); `visudo -c` says when all is well";
    Diff::needs_human(why, hint)
}

/// Why a name is none for a file that sudo reads; `None` when it is one.
fn wrong_name(name: &str) -> Option<Diagnostic> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.contains(['.', '~']) {
        let error = Diagnostic::error(format!("sudo would skip a file named `{name}`"));
        return Some(error.hint("sudo reads no file with a `.` or a `~` in its name (sudoers(5))"));
    }
    (name.is_empty() || name.len() > 64 || name.contains(odd)).then(|| {
        Diagnostic::error(format!(
            "`{name}` is no name for a file of rules: letters, digits, `-` and `_`"
        ))
    })
}

/// What a step is about, for mistakes, and what else may be meant.
const WHAT: &str = "rules";
const MORE: &str = "";

fn check(node: &Node, out: &mut Diagnostics) {
    let name = SHAPE.text(node, "name").filter(Text::is_constant);
    if let Some(name) = name
        && let Some(wrong) = wrong_name(name.text.trim())
    {
        out.push(wrong.at(&name.place));
    }
    check_content_or_absence(&SHAPE, node, WHAT, MORE, out);
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let absent = fields.flag("absent");
    let content = if absent { None } else { fields.content("name") };
    let name = fields.text("name").map(|name| name.trim().to_owned());
    if let Some(wrong) = name.as_deref().and_then(wrong_name) {
        fields.wrong("name", wrong);
    }
    let says = ["content", "template"].map(|key| SHAPE.get(node, key).is_some());
    if !absent && says == [false, false] {
        fields.wrong("name", says_nothing(WHAT, MORE));
    }
    let path = name.and_then(|name| format!("{FOLDER}/{name}").parse::<AbsolutePath>().ok());
    // A last line without a line break is a rule all the same, but not in every version of sudo.
    let content = content.map(|text| {
        if text.ends_with('\n') {
            text
        } else {
            text + "\n"
        }
    });
    let mode: Option<FileMode> = "0440".parse().ok();
    let login = user::login(scope).filter(|login| login != "root");
    let made = path.zip(mode).filter(|_| absent || content.is_some());
    fields.finish(made.map(|(path, mode)| Sudoers {
        file: File::of_root(path.clone(), content, mode),
        path,
        login,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes;

    fn said(text: &str) -> Vec<String> {
        mistakes(&KIND, text, &serde_json::json!({"name": "a.b"}))
    }

    #[test]
    fn a_name_that_sudo_skips_is_a_mistake() {
        for name in ["90.ops", "90-ops~", "'{{ name }}'"] {
            let text = format!("{{name: {name}, content: x}}");
            assert!(said(&text)[0].contains("would skip"), "{name}");
        }
        assert!(said("{name: a/b, content: x}")[0].contains("is no name"));
        assert!(said("{name: 90-ops, content: x}").is_empty());
    }

    #[test]
    fn a_step_says_something_and_nothing_twice() {
        assert!(said("{name: x}")[0].contains("says nothing"));
        assert_eq!(said("{name: x, absent: true, content: x}").len(), 1);
        assert!(!said("{name: x, content: x, template: y}").is_empty());
        assert!(said("{name: x, absent: true}").is_empty());
    }
}
