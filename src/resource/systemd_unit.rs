//! The kind `systemd_unit`: a unit file or a drop-in of one, read by systemd.
//!
//! ```yaml
//! systemd_unit: { name: app.service, content: "[Service]\nExecStart=/opt/app\n" }
//! systemd_unit: { name: ssh.service, drop_in: 10-limits.conf, content: "[Service]\nNice=5\n" }
//! ```
//!
//! systemd ignores what it does not know and calls that success. So settings that the host's own systemd does
//! not know are refused when the change is planned, and what `systemd-analyze verify` says is read before the
//! file gets its name. Whether the unit runs and starts at boot is for the kind `service`.

use super::file::File;
use super::{
    Fields, Kind, Lines, Resource, StepFrame, check_constant, check_content_or_absence,
    says_nothing,
};
use crate::access;
use crate::change::{Call, Change, Diff, Known, Note, Shown, StepNumber, Undo, Verdict};
use crate::diagnostic::Diagnostics;
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{AbsolutePath, FileMode, UnitName};
use crate::yaml::Node;

mod drop_in;
mod text;

use drop_in::wrong_drop_in;
use text::{Mistake, Setting};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "systemd_unit",
    help: "A unit file of systemd's, or a drop-in of one.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a unit file",
    fields: &[
        Field::required(
            "name",
            Ty::Text,
            "The unit; without a suffix a service. `app@.service` is a template of units.",
        ),
        Field::optional("content", Ty::Text, "The whole content."),
        Field::optional(
            "template",
            Ty::Text,
            "The template file that makes the content.",
        ),
        Field::optional(
            "drop_in",
            Ty::Text,
            "The name of a drop-in (`10-limits.conf`): the file adds to the unit instead of being it.",
        ),
        Field::optional("absent", Ty::Bool, "There must be no such file."),
    ],
    shorthand: None,
};

const FOLDER: &str = "/etc/systemd/system";

/// A unit file on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemdUnit {
    /// With its suffix.
    name: String,
    path: AbsolutePath,
    file: File,
    settings: Vec<Setting>,
    mistakes: Vec<Mistake>,
    is_drop_in: bool,
}

impl SystemdUnit {
    fn probe(&self) -> Probe {
        let mut names: Vec<String> = self.settings.iter().map(Setting::full_name).collect();
        names.sort();
        names.dedup();
        Probe::new(
            "hf_unit_files",
            [self.name.clone()].into_iter().chain(names),
        )
    }

    /// The change of a plain file as one of systemd's.
    fn put(&self, mut change: Change) -> Change {
        let (function, rereads) = match change.act.function.as_str() {
            "hf_put_file" => ("hf_put_unit", true),
            "hf_remove_file" => ("hf_remove_unit", true),
            _ => ("hf_set_unit_attributes", false),
        };
        let real = change.act.args.first().cloned().unwrap_or_default();
        let args = [self.name.clone()].into_iter().chain(change.act.args);
        change.act = Call {
            input: change.act.input,
            ..Call::new(function, args)
        };
        if rereads {
            change.undo = Undo::Call(Call::new("hf_undo_unit", [self.name.clone(), real]));
            change.shown.push(daemon_reload());
        }
        change.expecting([self.probe()])
    }

    /// A setting that would be ignored, with its line.
    fn mistake(&self, lines: &Lines<'_>) -> Option<Diff> {
        let unknown: Vec<&str> = lines.all("unknown").collect();
        let ignored = self
            .settings
            .iter()
            .find(|setting| unknown.contains(&setting.full_name().as_str()));
        let told = |line: usize, what: &str| format!("{} line {line}: {what}", self.path);
        if let Some((line, what)) = self.mistakes.first() {
            return Some(Diff::blocked(told(*line, what), "see systemd.syntax(7)"));
        }
        let setting = ignored?;
        let what = format!(
            "this systemd knows no `{}` in [{}] and would ignore it",
            setting.key, setting.section
        );
        let hint = "mend the name; or leave the line out on such a release (`{% if %}` on facts.os.version)";
        Some(Diff::blocked(told(setting.line, &what), hint))
    }

    /// Systemd still goes by what it read before.
    fn reread(&self) -> Change {
        let act = Call::new("hf_reread_units", [self.name.as_str()]);
        let undo = Undo::Call(Call::new("hf_undo_reread", [self.name.as_str()]));
        let summary = format!("let systemd read the files of {} again", self.name);
        Change::new(summary, vec![daemon_reload()], act, undo).expecting(self.probes())
    }

    /// What keeps the file from having its effect, or is told beside it.
    fn notes(&self, lines: &Lines<'_>, gone: bool) -> Vec<Note> {
        let mut notes = Vec::new();
        let (state, from) = (lines.get("LoadState"), lines.get("FragmentPath"));
        if self.is_drop_in && state == "not-found" && !gone {
            let text = format!("there is no unit {}: the drop-in waits for it", self.name);
            notes.push(Note::warning(text));
        }
        let compliant_elsewhere =
            !self.is_drop_in && !gone && state == "loaded" && !from.is_empty();
        if compliant_elsewhere && from.starts_with("/run/")
            || from.starts_with("/etc/systemd/system.control/")
        {
            let text = format!(
                "systemd takes {} from {from}, not from {}",
                self.name, self.path
            );
            notes.push(Note::warning(text));
        }
        notes
    }
}

fn daemon_reload() -> Shown {
    Shown::Run {
        argv: ["systemctl", "daemon-reload"].map(str::to_owned).into(),
    }
}

impl Resource for SystemdUnit {
    fn subject(&self) -> String {
        format!("unit file {}", self.path)
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = self.file.probes();
        probes.push(self.probe());
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        match lines.get("init") {
            "systemd" => {}
            "" => return Err(lines.unreadable("no init in it")),
            other => {
                return Ok(Diff::blocked(
                    format!("the host was not started by systemd but by {other}"),
                    "this kind knows systemd only",
                ));
            }
        }
        if let Some(diff) = self.mistake(&lines) {
            return Ok(diff);
        }
        let diff = self.file.diff(seen, known)?;
        if lines.get("LoadState") == "masked" && !self.file.is_absence() && !self.is_drop_in {
            return Ok(Diff::needs_human(
                format!("{} is masked", self.name),
                "somebody forbade it to start; `systemctl unmask` takes that away",
            ));
        }
        let gone = self.file.is_absence();
        if gone && diff.verdict != Verdict::Compliant && self.is_in_use(&lines) {
            return Ok(Diff::blocked(
                format!("{} is enabled or runs", self.name),
                "stop and disable it in an earlier step: `service: { running: false, enabled: false }`",
            ));
        }
        let notes = self.notes(&lines, gone);
        if diff.verdict == Verdict::Compliant && lines.is("NeedDaemonReload") {
            return Ok(Diff::of(vec![self.reread()]).with_notes(notes));
        }
        Ok(diff
            .map_changes(|change| self.put(change))
            .after(self.earlier(known))
            .with_notes(notes))
    }

    fn can_cut(&self) -> bool {
        access::rests_on_unit(&self.name)
    }
}

impl SystemdUnit {
    /// The last step that writes another file of the same unit: systemd's view of the unit changes with it.
    fn earlier(&self, known: &Known) -> Option<StepNumber> {
        let path = format!("/etc/systemd/system/{}", self.name);
        let drop_ins = format!("{path}.d/");
        let unit = known.file(&path).map(|(step, _)| step);
        let drop_ins = known.files_below(&drop_ins).map(|(step, _)| step);
        drop_ins.chain(unit).max()
    }

    /// Whether the unit file is the one that a running or enabled unit comes from.
    fn is_in_use(&self, lines: &Lines<'_>) -> bool {
        let ours = lines.get("FragmentPath") == self.path.as_str();
        let enabled = lines.get("UnitFileState").starts_with("enabled");
        let active = ["active", "activating", "reloading"].contains(&lines.get("ActiveState"));
        ours && !self.is_drop_in && (enabled || active)
    }
}

/// What a step is about, for mistakes, and what else may be meant.
const WHAT: &str = "lines of the unit file";
const MORE: &str = "; running and enabled are for `service`";

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<UnitName>(&SHAPE, node, "name", out);
    let drop_in = SHAPE.text(node, "drop_in").filter(Text::is_constant);
    if let Some(name) = drop_in
        && let Some(wrong) = wrong_drop_in(name.text.trim())
    {
        out.push(wrong.at(&name.place));
    }
    check_content_or_absence(&SHAPE, node, WHAT, MORE, out);
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name = fields.value::<UnitName>("name").map(|name| name.full());
    let absent = fields.flag("absent");
    let content = if absent { None } else { fields.content("name") };
    let drop_in = fields.text("drop_in").map(|name| name.trim().to_owned());
    if let Some(wrong) = drop_in.as_deref().and_then(wrong_drop_in) {
        fields.wrong("drop_in", wrong);
    }
    if !absent
        && ["content", "template"]
            .iter()
            .all(|key| SHAPE.get(node, key).is_none())
    {
        fields.wrong("name", says_nothing(WHAT, MORE));
    }
    let (settings, mistakes) = text::settings(content.as_deref().unwrap_or(""));
    let is_drop_in = drop_in.is_some();
    let made = name.and_then(|name| {
        let path = match drop_in {
            Some(drop_in) => format!("{FOLDER}/{name}.d/{drop_in}"),
            None => format!("{FOLDER}/{name}"),
        };
        let path: AbsolutePath = path.parse().ok()?;
        let mode: FileMode = "0644".parse().ok()?;
        let file = File::of_root(path.clone(), content.clone(), mode);
        let file = if is_drop_in {
            file.with_its_folder()
        } else {
            file
        };
        Some(SystemdUnit {
            name,
            path,
            file,
            settings,
            mistakes,
            is_drop_in,
        })
    });
    fields.finish(made.filter(|_| absent || content.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes;

    fn said(text: &str) -> Vec<String> {
        mistakes(&KIND, text, &serde_json::json!({}))
    }

    #[test]
    fn what_lets_us_in_can_cut_us_off() {
        let scope = Scope::new(
            &serde_json::json!({}),
            crate::template::Templates::default(),
        );
        let frame = StepFrame {
            runbook: "t",
            reload_on: &[],
        };
        for (name, cuts) in [("ssh", true), ("ssh.socket", true), ("app", false)] {
            let text = format!("{{name: {name}, content: x}}");
            let node = crate::yaml::parse(&crate::diagnostic::Source::new("t", &text)).unwrap();
            let unit = render(&node, &scope, &frame).unwrap();
            assert_eq!(unit.can_cut(), cuts, "{name}");
        }
    }

    #[test]
    fn names_and_drop_ins_are_checked() {
        assert!(said("{name: app, content: x}").is_empty());
        assert!(said("{name: 'app@.service', content: x}").is_empty());
        assert!(!said("{name: a/b, content: x}").is_empty());
        for drop_in in ["limits", "../x.conf", ".x.conf", "a b.conf"] {
            let text = format!("{{name: app, content: x, drop_in: '{drop_in}'}}");
            assert!(
                said(&text)[0].contains("no name for a drop-in"),
                "{drop_in}"
            );
        }
        assert!(said("{name: app}")[0].contains("says nothing"));
        assert_eq!(said("{name: app, absent: true, content: x}").len(), 1);
    }
}
