//! The kind `file`: a plain file with its content, mode and owner, or no file at all.
//!
//! ```yaml
//! file:
//!   path: /etc/sudoers.d/90-holdfast
//!   content: |
//!     Defaults use_pty
//!   mode: "0440"
//!   validate: [visudo, -cf, "{}"]
//! ```
//!
//! Content comes by a new file that is renamed over the old one, so nobody ever reads half of it. What
//! a rename would break (hard links, mount points) needs `in_place: true`; a symbolic link needs
//! `follow: true`. Attributes that nobody asked for stay: mode, owner, access control list.

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant, check_one_content};
use crate::access;
use crate::change::{Diff, Known, StepNumber};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{AbsolutePath, FileMode};
use crate::yaml::Node;

mod account;
mod elsewhere;
pub(super) mod look;
mod before;
mod show;
mod action;
mod obstacle;
mod judge;

use account::Account;
use look::Look;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "file",
    help: "A plain file: content, mode, owner; or its absence.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a file",
    fields: &[
        Field::required("path", Ty::Text, "The absolute path."),
        Field::optional("content", Ty::Text, "The whole content."),
        Field::optional(
            "template",
            Ty::Text,
            "The template file that makes the content.",
        ),
        Field::optional("absent", Ty::Bool, "There must be no such file."),
        Field::optional(
            "mode",
            Ty::Text,
            "Permissions as \"0644\". When not said: as they are; 0644 for a new file.",
        ),
        Field::optional(
            "owner",
            Ty::Text,
            "User name or number. When not said: as it is; root for a new file.",
        ),
        Field::optional(
            "group",
            Ty::Text,
            "Group name or number. When not said: as it is; root for a new file.",
        ),
        Field::optional(
            "validate",
            Ty::Argv,
            "A program that checks the new content on the host. `{}` stands for its path before it is in \
             place; without `{}` the program runs afterwards, and the old file comes back if it fails.",
        ),
        Field::optional(
            "follow",
            Ty::Bool,
            "Change the file behind a symbolic link.",
        ),
        Field::optional(
            "in_place",
            Ty::Bool,
            "Write into the file instead of replacing it. Not atomic.",
        ),
    ],
    shorthand: None,
};

/// Folders in which nothing is a file on a disk.
const NO_DISK: [&str; 3] = ["/proc/", "/sys/", "/dev/"];

/// Keys of which one must be there, unless the file must not.
const DESIRES: [&str; 5] = ["content", "template", "mode", "owner", "group"];

/// A file on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: AbsolutePath,
    body: Body,
    mode: Option<FileMode>,
    owner: Option<Account>,
    group: Option<Account>,
    validate: Vec<String>,
    follow: bool,
    in_place: bool,
    /// Whoever puts it makes its folder, too.
    makes_folder: bool,
}

/// What a file should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// This.
    Text(String),
    /// Whatever it holds; only mode and owner matter.
    AsItIs,
    /// There should be no file.
    Gone,
}

impl File {
    fn probe(&self) -> Probe {
        let links = if self.follow { "follow" } else { "nofollow" };
        Probe::new("hf_file", [self.path.as_str(), links])
    }

    fn validator_probe(&self) -> Option<Probe> {
        let program = self.validate.first()?;
        Some(Probe::new("hf_program", [program.as_str()]))
    }

    fn account_probes(&self) -> impl Iterator<Item = Probe> {
        let user = self.owner.as_ref().and_then(|owner| owner.probe("user"));
        let group = self.group.as_ref().and_then(|group| group.probe("group"));
        [user, group].into_iter().flatten()
    }

    /// Things that must be on the host before this file can be made, and are not.
    fn lacks(&self, seen: &Answers, known: &Known) -> Result<Lacks, ParseError> {
        let mut lacks = Vec::new();
        let mut user = known.home(self.path.parent());
        for probe in self.account_probes() {
            if seen.get(&probe)?.status == 0 {
                continue;
            }
            match probe.args.last().and_then(|name| known.user(name)) {
                Some((step, _)) => user = user.max(Some(step)),
                None => lacks.push(format!("there is no {} on the host", probe.args.join(" "))),
            }
        }
        if let Some(probe) = self.validator_probe()
            && !Lines::of(seen, &probe)?.is("program")
        {
            lacks.push(format!(
                "the validator `{}` is not on the host",
                probe.args.join(" ")
            ));
        }
        Ok(Lacks { why: lacks, user })
    }
}

/// What a file needs that is not on the host.
struct Lacks {
    /// Why it cannot be made now, a clause each.
    why: Vec<String>,
    /// The earlier step that makes its owner, or the user whose home holds it.
    user: Option<StepNumber>,
}

impl Resource for File {
    fn subject(&self) -> String {
        format!("file {}", self.path)
    }

    fn probes(&self) -> Vec<Probe> {
        let others = self.account_probes().chain(self.validator_probe());
        [self.probe()].into_iter().chain(others).collect()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let look = Look::parse(&Lines::of(seen, &self.probe())?)?;
        let ids = account::Ids::of(self, seen)?;
        Ok(judge::judge(
            self,
            &look,
            &ids,
            &self.lacks(seen, known)?,
            known,
        ))
    }

    fn can_cut(&self) -> bool {
        access::rests_on_file(self.path.as_str())
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<AbsolutePath>(&SHAPE, node, "path", out);
    check_constant::<FileMode>(&SHAPE, node, "mode", out);
    check_constant::<Account>(&SHAPE, node, "owner", out);
    check_constant::<Account>(&SHAPE, node, "group", out);
    let has = |key: &str| SHAPE.get(node, key).is_some();
    check_one_content(&SHAPE, node, out);
    let absent = SHAPE.text(node, "absent").map(|text| text.text);
    let others = DESIRES.iter().chain(&["validate", "follow", "in_place"]);
    if absent.as_deref() == Some("true") {
        for key in others.filter(|key| has(key)) {
            let error = Diagnostic::error(format!(
                "`{key}` makes no sense for a file that must be absent"
            ));
            out.push(error.at(&SHAPE.get(node, key).unwrap_or(node).place));
        }
    } else if absent.is_none_or(|text| text == "false") && !DESIRES.iter().any(|key| has(key)) {
        out.push(says_nothing().at(&node.place));
    }
    if let Some(path) = SHAPE.text(node, "path").filter(Text::is_constant) {
        check_place(&path, out);
    }
}

fn says_nothing() -> Diagnostic {
    Diagnostic::error("the step says nothing about the file")
        .hint("add `content`, `template` or `absent: true`; or `mode`, `owner` or `group` of a file that exists")
}

fn check_place(path: &Text, out: &mut Diagnostics) {
    if NO_DISK.iter().any(|folder| path.text.starts_with(folder)) {
        let error = Diagnostic::error(format!("`{}` is no file on a disk", path.text));
        out.push(
            error
                .at(&path.place)
                .hint("what the kernel shows as a file is changed by a command, with a guard"),
        );
    }
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let path: Option<AbsolutePath> = fields.value("path");
    let absent = fields.flag("absent");
    let text = if absent { None } else { fields.content("path") };
    let mode = fields.value("mode");
    let (owner, group) = (fields.value("owner"), fields.value("group"));
    let validate = fields.items("validate").unwrap_or_default();
    let (follow, in_place) = (fields.flag("follow"), fields.flag("in_place"));
    let says = DESIRES.iter().any(|key| SHAPE.get(node, key).is_some());
    let body = match (absent, text) {
        (true, _) => Body::Gone,
        (false, Some(text)) => Body::Text(text),
        (false, None) => Body::AsItIs,
    };
    if let Some(path) = &path {
        let mut said = Diagnostics::new();
        check_place(
            &Text {
                text: path.to_string(),
                ..Text::fixed("")
            },
            &mut said,
        );
        said.into_iter()
            .for_each(|diagnostic| fields.wrong("path", diagnostic));
    }
    if !absent && !says {
        fields.wrong("path", says_nothing());
    }
    let validate = if absent {
        Vec::new()
    } else {
        validate
            .into_iter()
            .map(|word| word.text.replace("%s", "{}"))
            .collect()
    };
    // The name itself goes, whatever it is; what is behind a link is not ours to remove.
    let follow = follow && !absent;
    fields.finish(path.map(|path| File {
        path,
        body,
        mode,
        owner,
        group,
        validate,
        follow,
        in_place,
        makes_folder: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::resource::fields::LARGEST;
    use crate::template::Templates;
    use crate::yaml;
    use proptest::prelude::*;

    fn node(text: &str) -> Node {
        yaml::parse(&Source::new("t.yaml", text)).unwrap()
    }

    /// What is said before any host is asked, with the place of each.
    fn said(text: &str) -> Vec<String> {
        let mut out = Diagnostics::new();
        check(&node(text), &mut out);
        let lines = out.iter().map(|d| {
            let place = d.place.as_ref().map_or(0, |place| place.column);
            format!("{place}: {}", d.message)
        });
        lines.collect()
    }

    /// What is said when it is rendered.
    fn rendered(text: &str) -> Result<Box<dyn Resource>, Vec<String>> {
        let templates =
            Templates::new([("a.j2".to_owned(), Source::new("a.j2", "{{ x }}"))].into());
        let scope = Scope::new(
            &serde_json::json!({ "big": "x".repeat(LARGEST + 1) }),
            templates,
        );
        let frame = StepFrame {
            runbook: "t",
            reload_on: &[],
        };
        render(&node(text), &scope, &frame)
            .map_err(|said| said.iter().map(|d| d.message.clone()).collect())
    }

    #[test]
    fn every_mistake_is_said_at_its_place() {
        let mistakes = said("{path: etc/x, mode: 9999, owner: 'a b', content: x, template: y}");
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
        assert_eq!(
            mistakes[0],
            "8: `etc/x` is not valid: the path must be absolute"
        );
        assert!(mistakes[1].starts_with("21: `9999` is not valid: a file mode"));
        assert_eq!(
            mistakes[3],
            "63: `content` and `template` exclude each other"
        );
    }

    #[test]
    fn an_absent_file_has_no_properties_and_a_file_must_say_something() {
        let mistakes = said("{path: /x, absent: true, mode: '0644', follow: true}");
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
        assert_eq!(
            said("{path: /x}"),
            ["1: the step says nothing about the file"]
        );
        assert_eq!(said("{path: /x, absent: false, validate: [a]}").len(), 1);
        assert!(said("{path: /x, absent: '{{ gone }}', content: a}").is_empty());
        assert!(said("{path: /x, mode: '{{ mode }}'}").is_empty());
    }

    #[test]
    fn what_the_kernel_shows_as_files_is_not_for_this_kind() {
        assert_eq!(
            said("{path: /proc/sys/kernel/kptr_restrict, content: '2'}").len(),
            1
        );
        assert!(rendered("{path: '/sys/{{ 1 }}', content: '2'}").is_err());
    }

    #[test]
    fn all_mistakes_of_rendering_are_said_at_once() {
        let mistakes =
            rendered("{path: '{{ nope }}', template: a.j2, mode: '{{ 7 }}', owner: '{{ \"-\" }}'}")
                .unwrap_err();
        assert_eq!(mistakes.len(), 4, "{mistakes:?}");
        assert!(
            rendered("{path: /x, template: b.j2}").unwrap_err()[0].contains("there is no template")
        );
        let large = rendered("{path: /x, content: '{{ big }}'}").unwrap_err();
        assert_eq!(large, ["the content has 1048577 bytes, more than 1 MiB"]);
    }

    #[test]
    fn owners_are_names_or_numbers() {
        for good in ["root", "_apt", "Debian-exim", "1000", "systemd-network"] {
            assert!(good.parse::<Account>().is_ok(), "{good}");
        }
        for bad in ["", "-x", "a b", "a:b", "1a", "x\ny", &"x".repeat(33)] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_step_makes_it_panic(path in "\\PC{0,20}", mode in "\\PC{0,6}", content in "\\PC{0,20}") {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let step = format!("{{path: {}, mode: {}, content: {}}}", quoted(&path), quoted(&mode), quoted(&content));
            if let Ok(node) = yaml::parse(&Source::new("t.yaml", &*step)) {
                let mut out = Diagnostics::new();
                check(&node, &mut out);
                let scope = Scope::new(&serde_json::json!({}), Templates::default());
                let _ = render(&node, &scope, &StepFrame { runbook: "t", reload_on: &[] });
            }
        }
    }
}
