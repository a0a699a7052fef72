//! Every case of `tests/resources/<kind>/` comes out as its file says.
//!
//! A case is what a step desires, what earlier steps of the plan will do, and what the host answers;
//! then the verdict, its changes and notes. `afterwards` holds the answers once the changes are made:
//! with them there must be nothing left to do.
//!
//! ```yaml
//! desired: { path: /etc/motd, content: "new\n" }
//! earlier: [{ package: ufw }]             # steps 1, 2, …: `package:`, `file:` with `content:`, `gone:`, `user:`, `unknown:`, each with `id:`
//! reload_on: [jail]
//! answers:
//!   - ask: hf_file /etc/motd nofollow     # a text is split at blanks; a list holds the words themselves
//!     says: "type=file\nmode=644\n…"      # `content:` adds size= and content=; `status:` defaults to 0
//! verdict: change                         # compliant | change | change after N | unknown until N | blocked | needs a human
//! why: a part of the reason
//! does: [the summaries]
//! shown: ["-old", "+new", "mode: 0600 → 0644"]
//! acts: [hf_put_file /etc/motd - - - rename]
//! undo: [hf_undo_file /etc/motd rename]
//! notes: [a part of each note]
//! afterwards: [the answers that are different then]
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use holdfast::change::{
    Call, Change, Diff, Gives, Known, Shown, StepNumber, Timing, Undo, Verdict,
};
use holdfast::diagnostic::{Diagnostics, Source};
use holdfast::probe::{Answer, Answers, Probe};
use holdfast::resource::{KINDS, Kind, Resource, StepFrame, kind};
use holdfast::template::{Scope, Templates, shell_quoted};
use holdfast::yaml::{self, Node};
use serde_json::json;

#[test]
fn every_case_of_every_kind_comes_out_as_its_file_says() {
    let mut wrong = String::new();
    let mut cases = 0;
    for kind in KINDS {
        for path in case_files(kind.key) {
            cases += 1;
            for problem in Case::load(&path, kind).problems() {
                let _ = writeln!(wrong, "{}: {problem}", path.display());
            }
        }
    }
    assert!(cases > 0, "there are cases");
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_folder_of_cases_belongs_to_a_kind_and_every_case_is_short() {
    for folder in fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let key = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert!(kind(&key).is_some(), "{} is no kind", folder.display());
        for path in case_files(&key) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 25, "{} has {lines} lines", path.display());
        }
    }
}

#[test]
fn every_kind_has_cases() {
    for kind in KINDS {
        assert!(!case_files(kind.key).is_empty(), "{} has none", kind.key);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/resources")
}

fn case_files(kind: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder().join(kind)) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    files
}

struct Case {
    node: Node,
    resource: Box<dyn Resource>,
}

impl Case {
    fn load(path: &Path, kind: &Kind) -> Self {
        let source = Source::new(path, fs::read_to_string(path).unwrap());
        let node = yaml::parse(&source).unwrap_or_else(|error| panic!("{error}"));
        let desired = node
            .get("desired")
            .unwrap_or_else(|| panic!("{}: no `desired`", path.display()));
        let mut said = Diagnostics::new();
        kind.shape.check(desired, &mut said);
        (kind.check)(desired, &mut said);
        assert!(said.is_empty(), "{said}");
        let values = json!({ "inputs": {}, "facts": { "sshd": { "ports": [22] }, "controller_ip": "10.77.0.1", "login_user": "ops" } });
        let reload_on = texts(node.get("reload_on"));
        let frame = StepFrame {
            runbook: "case",
            reload_on: &reload_on,
        };
        let resource = (kind.render)(desired, &Scope::new(&values, Templates::default()), &frame);
        Self {
            resource: resource.unwrap_or_else(|error| panic!("{error}")),
            node,
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let seen = self.answers(&["answers"]);
        let asked: BTreeSet<Probe> = self.resource.probes().into_iter().collect();
        for probe in asked.iter().filter(|probe| seen.get(probe).is_err()) {
            problems.push(format!("no answer to: {probe}"));
        }
        match self.resource.diff(&seen, &self.known()) {
            Err(error) => problems.push(error.to_string()),
            Ok(diff) => self.compare(&diff, &mut problems),
        }
        if self.node.get("afterwards").is_some() {
            let later = self
                .resource
                .diff(&self.answers(&["answers", "afterwards"]), &Known::nothing());
            match later {
                Ok(Diff {
                    verdict: Verdict::Compliant,
                    ..
                }) => {}
                other => problems.push(format!(
                    "afterwards there is still something to do: {other:?}"
                )),
            }
        }
        problems
    }

    fn compare(&self, diff: &Diff, problems: &mut Vec<String>) {
        let changes = diff.verdict.changes();
        let mut same = |key: &str, got: Vec<String>| {
            let wanted = texts(self.node.get(key));
            if wanted != got && (self.node.get(key).is_some() || key == "verdict") {
                problems.push(format!("{key}: {got:#?} instead of {wanted:#?}"));
            }
        };
        same("verdict", vec![name(&diff.verdict)]);
        same(
            "does",
            changes
                .iter()
                .map(|change| change.summary.clone())
                .collect(),
        );
        same("shown", changes.iter().flat_map(shown).collect());
        same("acts", changes.iter().map(act).collect());
        same(
            "undo",
            changes.iter().map(|change| undo(&change.undo)).collect(),
        );
        let notes: Vec<&str> = diff.notes.iter().map(|note| note.text.as_str()).collect();
        let wanted = texts(self.node.get("notes"));
        let all = wanted.len() == notes.len()
            && wanted
                .iter()
                .zip(&notes)
                .all(|(part, note)| note.contains(part));
        if !all {
            problems.push(format!("notes: {notes:#?} instead of {wanted:#?}"));
        }
        let (why, hint) = reason(&diff.verdict);
        for part in texts(self.node.get("why"))
            .iter()
            .filter(|part| !why.contains(*part) && !hint.contains(*part))
        {
            problems.push(format!("why: {why:?} ({hint}) says nothing of {part:?}"));
        }
    }

    fn answers(&self, keys: &[&str]) -> Answers {
        let lists = keys.iter().filter_map(|key| self.node.get(key));
        lists
            .flat_map(Node::items)
            .map(|node| (probe(node), answer(node)))
            .collect()
    }

    fn known(&self) -> Known {
        let mut known = Known::nothing();
        for (index, node) in self
            .node
            .get("earlier")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
            let content = text("content").map(String::into_bytes);
            let gives = [
                text("package").map(Gives::Package),
                text("file").map(|path| Gives::File { path, content }),
                text("gone").map(|path| Gives::Gone { path }),
                text("user").map(|name| Gives::User {
                    home: format!("/home/{name}"),
                    name,
                }),
            ];
            let undo = Undo::Impossible {
                why: "test".to_owned(),
            };
            let change = Change::new("x", Vec::new(), Call::new("hf_x", [""]), undo)
                .giving(gives.into_iter().flatten());
            let step = StepNumber(index + 1);
            let verdict = match text("unknown") {
                Some(why) => Verdict::UnknownUntil { step, why },
                None => Verdict::Change(vec![change]),
            };
            known.learn(step, text("id").as_deref(), &verdict);
        }
        known
    }
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    let items = node
        .items()
        .iter()
        .filter_map(Node::text)
        .map(str::to_owned);
    node.text()
        .map(str::to_owned)
        .into_iter()
        .chain(items)
        .collect()
}

fn probe(node: &Node) -> Probe {
    let ask = node
        .get("ask")
        .unwrap_or_else(|| panic!("{}: no `ask`", node.place));
    let words = match ask.text() {
        Some(text) => text.split(' ').map(str::to_owned).collect(),
        None => texts(Some(ask)),
    };
    Probe::new(&words[0], words[1..].iter().cloned())
}

fn answer(node: &Node) -> Answer {
    let mut output = node
        .get("says")
        .and_then(Node::text)
        .unwrap_or_default()
        .to_owned();
    if let Some(content) = node.get("content").and_then(Node::text) {
        let _ = write!(
            output,
            "size={}\ncontent={}\n",
            content.len(),
            BASE64.encode(content)
        );
    }
    let status = node
        .get("status")
        .and_then(Node::text)
        .map_or(0, |status| status.parse().unwrap());
    Answer {
        status,
        output: output.into_bytes(),
    }
}

fn name(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Compliant => "compliant".to_owned(),
        Verdict::Change(_) => "change".to_owned(),
        Verdict::ChangeAfter { step, .. } => format!("change after {}", step.0),
        Verdict::UnknownUntil { step, .. } => format!("unknown until {}", step.0),
        Verdict::Blocked(blocked) if blocked.human => "needs a human".to_owned(),
        Verdict::Blocked(_) => "blocked".to_owned(),
        Verdict::NotApplicable { .. } => "not applicable".to_owned(),
    }
}

fn reason(verdict: &Verdict) -> (&str, &str) {
    match verdict {
        Verdict::Blocked(blocked) => (&blocked.why, blocked.hint.as_deref().unwrap_or("")),
        Verdict::UnknownUntil { why, .. } | Verdict::NotApplicable { why } => (why, ""),
        Verdict::Compliant | Verdict::Change(_) | Verdict::ChangeAfter { .. } => ("", ""),
    }
}

fn act(change: &Change) -> String {
    let end = match change.timing {
        Timing::InOrder => "",
        Timing::AtEnd => "at the end: ",
    };
    format!("{end}{}", call(&change.act))
}

fn undo(undo: &Undo) -> String {
    match undo {
        Undo::Call(one) => call(one),
        Undo::Impossible { why } => format!("impossible: {why}"),
    }
}

fn call(call: &Call) -> String {
    let words = call.args.iter().map(|arg| shell_quoted(arg));
    [call.function.clone()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

fn shown(change: &Change) -> Vec<String> {
    change.shown.iter().flat_map(lines).collect()
}

fn lines(shown: &Shown) -> Vec<String> {
    match shown {
        Shown::Text { before, after, .. } => diff(before.as_deref(), after.as_deref()),
        Shown::Lines { removed, added, .. } => {
            let removed = removed.iter().map(|line| format!("-{line}"));
            removed
                .chain(added.iter().map(|line| format!("+{line}")))
                .collect()
        }
        Shown::Property {
            name,
            before,
            after,
        } => vec![format!("{name}: {before} → {after}")],
        Shown::Run { argv } => vec![format!("run {}", argv.join(" "))],
    }
}

/// The lines that differ; no file at all is said, too.
fn diff(before: Option<&str>, after: Option<&str>) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(before.is_none().then(|| "new file".to_owned()));
    lines.extend(after.is_none().then(|| "no file".to_owned()));
    let (before, after) = (before.unwrap_or(""), after.unwrap_or(""));
    let changes = similar::TextDiff::from_lines(before, after);
    lines.extend(changes.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            similar::ChangeTag::Equal => return None,
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
        };
        Some(format!(
            "{sign}{}",
            change.value().trim_end_matches('\n').escape_debug()
        ))
    }));
    lines
}
