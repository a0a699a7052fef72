//! The kind `apt_conf`: a file of ours in apt's configuration, judged by what apt makes of it.
//!
//! ```yaml
//! apt_conf:
//!   file: 52holdfast-unattended
//!   settings: { "APT::Periodic::Unattended-Upgrade": "1" }
//!   lists: { "Unattended-Upgrade::Allowed-Origins": [] }
//!   additions: { "Unattended-Upgrade::Package-Blacklist": ["^docker-ce$"] }
//! ```
//!
//! apt's lists append: what another file says of one stays, unless it is cleared. So `lists` are cleared
//! before they are written, `additions` are not. The effective values count, by `apt-config dump`: what a
//! later file of somebody else makes of a setting is seen, named, and left alone.

use super::file::File;
use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::AbsolutePath;
use crate::yaml::Node;

mod word;
mod wish;
mod dump;
mod archive;
mod judge;

use wish::Wish;
use word::ConfName;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "apt_conf",
    help: "Settings of apt in a file of ours below /etc/apt/apt.conf.d, judged by their effect.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "apt settings",
    fields: &[
        Field::required(
            "file",
            Ty::Text,
            "The name below /etc/apt/apt.conf.d: letters, digits, `-` and `_`. Later names win.",
        ),
        Field::optional("settings", Ty::Values, "Keys and their values."),
        Field::optional(
            "lists",
            Ty::Values,
            "Keys and all their members: what other files say of these lists is cleared first.",
        ),
        Field::optional(
            "additions",
            Ty::Values,
            "Keys and members that are added to what other files say.",
        ),
    ],
    shorthand: None,
};

/// Settings of apt on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AptConf {
    name: ConfName,
    wishes: Vec<Wish>,
    file: File,
}

impl AptConf {
    /// The question what apt makes of our file.
    fn probe(&self) -> Probe {
        let words = [self.name.as_str().to_owned(), self.file_text()];
        Probe::new(
            "hf_apt_conf",
            words.into_iter().chain(self.wishes.iter().map(Wish::word)),
        )
    }

    fn file_text(&self) -> String {
        self.file.text().unwrap_or_default().to_owned()
    }
}

impl Resource for AptConf {
    fn subject(&self) -> String {
        format!("apt settings {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        let archives = archive::concerns(&self.wishes).then(archive::probe);
        let mut probes = self.file.probes();
        probes.push(self.probe());
        probes.extend(archives);
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        let look = match dump::Look::parse(&lines)? {
            Ok(look) => look,
            Err(obstacle) => return Ok(obstacle),
        };
        let file = self.file.diff(seen, known)?;
        let mut notes = Vec::new();
        if archive::concerns(&self.wishes) {
            let probe = archive::probe();
            notes = archive::notes(&look.then, &Lines::of(seen, &probe)?);
        }
        Ok(judge::judge(self, &look, file, known).with_notes(notes))
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<ConfName>(&SHAPE, node, "file", out);
    wish::check(node, out);
}

fn render(
    node: &Node,
    scope: &Scope,
    frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name: Option<ConfName> = fields.value("file");
    let wishes = wish::read(&mut fields);
    if wishes.is_empty() && !fields.said.has_errors() {
        fields.wrong("file", Diagnostic::error("the step sets nothing"));
    }
    let path = name.as_ref().and_then(|name| {
        let path: Result<AbsolutePath, _> = format!("/etc/apt/apt.conf.d/{name}").parse();
        path.ok()
    });
    let made = name.zip(path).map(|(name, path)| AptConf {
        name,
        file: File::of_text(path, wish::text(&wishes, frame.runbook)),
        wishes,
    });
    fields.finish(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::template::Templates;
    use crate::yaml;

    fn made(text: &str) -> Result<AptConf, Vec<String>> {
        let node = yaml::parse(&Source::new("t.yaml", text)).unwrap();
        let mut out = Diagnostics::new();
        SHAPE.check(&node, &mut out);
        check(&node, &mut out);
        let scope = Scope::new(
            &serde_json::json!({ "all": ["a", "b"] }),
            Templates::default(),
        );
        let mut fields = Fields::new(&SHAPE, &node, &scope);
        let wishes = wish::read(&mut fields);
        out.append(fields.said);
        if out.has_errors() {
            let mut said: Vec<String> = out.iter().map(|d| d.message.clone()).collect();
            said.dedup();
            return Err(said);
        }
        let path: AbsolutePath = "/etc/apt/apt.conf.d/52x".parse().unwrap();
        Ok(AptConf {
            name: "52x".parse().unwrap(),
            file: File::of_text(path, wish::text(&wishes, "t")),
            wishes,
        })
    }

    #[test]
    fn the_text_clears_lists_before_it_writes_them_and_adds_without() {
        let text = "{ file: 52x, settings: { 'A::B': 1 }, lists: { 'C::D': '{{ all }}', E: [] }, additions: { F: [x] } }";
        assert_eq!(
            made(text).unwrap().file_text(),
            "// Written by Holdfast for the runbook t, which replaces any other text.\n\
             #clear C::D;\n#clear E;\n\
             A::B \"1\";\nC::D:: \"a\";\nC::D:: \"b\";\nF:: \"x\";\n"
        );
    }

    #[test]
    fn what_apt_would_ignore_or_read_in_another_way_is_a_mistake_before_any_host_is_asked() {
        let said = |text: &str| made(text).unwrap_err().join("; ");
        for name in ["52x.y", "a/b", "''", "'-x y'", ".x", "5é"] {
            assert!(
                said(&format!("{{ file: {name}, settings: {{ A: 1 }} }}")).contains("is not valid"),
                "{name}"
            );
        }
        for value in [
            "'a\"b'",
            "'a;b'",
            "'a{b'",
            "'a}b'",
            "\"a\\nb\"",
            "\"a\\tb\"",
            "'${x'",
        ] {
            assert!(
                said(&format!("{{ file: x, settings: {{ A: {value} }} }}"))
                    .contains("is not valid"),
                "{value}"
            );
        }
        for key in [
            "'A::'", "'::A'", "'A B'", "'A:::B'", "'A::{'", "'A:B'", "+A",
        ] {
            assert!(
                said(&format!("{{ file: x, settings: {{ {key}: 1 }} }}")).contains("is not valid"),
                "{key}"
            );
        }
        assert!(said("{ file: x, settings: { A: [1] } }").contains("must be a text"));
        assert!(said("{ file: x, lists: { A: { b: c } } }").contains("must be a list"));
        assert!(said("{ file: x, settings: { A: 1 }, lists: { a: [] } }").contains("twice"));
    }

    #[test]
    fn variables_of_unattended_upgrade_and_regular_expressions_are_values() {
        let good = "{ file: x, lists: { A: ['codename=${distro_codename}-security', '^linux-.*$', 'a\\.b'] } }";
        assert!(made(good).is_ok());
    }
}
