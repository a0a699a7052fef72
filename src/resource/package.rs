//! The kind `package`: packages that must be installed, by apt.
//!
//! ```yaml
//! package: [fail2ban, python3-systemd]
//! ```
//!
//! What apt would do is simulated on the host and shown whole, dependencies included. A plan that would
//! remove something is refused. Packages that are there are left alone, whatever newer version there is.

use super::{Fields, Kind, Lines, Resource, StepFrame};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{Duration, PackageName};
use crate::yaml::Node;

mod simulation;
mod look;
mod judge;

use look::{Look, Weather};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "package",
    help: "Packages that must be installed (apt).",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "packages",
    fields: &[
        Field::required("names", Ty::Texts, "The packages."),
        Field::optional(
            "recommends",
            Ty::Bool,
            "Install what they recommend as well.",
        ),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long to wait for the package lock; 2m when not said.",
        ),
    ],
    shorthand: Some("names"),
};

/// How long a held lock is waited for.
const PATIENCE: Duration = Duration::seconds(120);

/// The undo of an installation. It removes what the step newly installed; the engine calls it only when
/// the operator asks for packages to be removed, never when it undoes a step by itself.
pub const UNDO_ON_REQUEST: &str = "hf_undo_package";

/// Packages on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    names: Vec<PackageName>,
    recommends: bool,
    timeout: Duration,
}

impl Package {
    fn recommends_word(&self) -> &'static str {
        if self.recommends {
            "recommends"
        } else {
            "no-recommends"
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(PackageName::as_str)
    }

    fn probe(&self) -> Probe {
        Probe::new(
            "hf_packages",
            [self.recommends_word()].into_iter().chain(self.names()),
        )
    }
}

/// What passes by itself, so that it is no precondition of anything.
fn weather_probe() -> Probe {
    Probe::new::<String>("hf_apt_weather", [])
}

impl Resource for Package {
    fn subject(&self) -> String {
        let names: Vec<&str> = self.names().collect();
        format!("package {}", names.join(", "))
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe(), weather_probe()]
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let look = Look::parse(&Lines::of(seen, &self.probe())?)?;
        let weather = Weather::parse(&Lines::of(seen, &weather_probe())?);
        Ok(judge::judge(self, &look, &weather, known))
    }

    fn runs_things(&self) -> bool {
        true
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    for name in SHAPE
        .texts(node, "names")
        .unwrap_or_default()
        .iter()
        .filter(|name| name.is_constant())
    {
        if let Err(diagnostic) = package_name(name) {
            out.push(diagnostic);
        }
    }
    if SHAPE
        .texts(node, "names")
        .is_some_and(|names| names.is_empty())
    {
        out.push(Diagnostic::error("the list of packages is empty").at(&node.place));
    }
}

fn package_name(text: &Text) -> Result<PackageName, Diagnostic> {
    let name = text.text.trim();
    let wrong = |message: String| Diagnostic::error(message).at(&text.place);
    if name.ends_with('-') {
        return Err(wrong(format!(
            "`{name}` would tell apt to remove a package"
        )));
    }
    if name.contains('=') {
        return Err(wrong(format!("`{name}` names a version"))
            .hint("name the package alone; apt's pinning decides about versions"));
    }
    name.parse()
        .map_err(|error| wrong(format!("`{name}` is not valid: {error}")))
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let items = fields.items("names").unwrap_or_default();
    let mut names: Vec<PackageName> = Vec::new();
    for item in &items {
        match fields.keep(package_name(item)) {
            Some(name) if !names.contains(&name) => names.push(name),
            Some(_) | None => {}
        }
    }
    let recommends = fields.flag("recommends");
    let timeout = fields.value("timeout").unwrap_or(PATIENCE);
    if items.is_empty() {
        fields.wrong("names", Diagnostic::error("the list of packages is empty"));
    }
    fields.finish(Some(Package {
        names,
        recommends,
        timeout,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::resource::testing::mistakes_at_load;
    use crate::template::Templates;
    use crate::yaml;

    fn said(text: &str) -> Vec<String> {
        mistakes_at_load(&KIND, text)
    }

    #[test]
    fn names_that_apt_would_understand_in_another_way_are_mistakes() {
        assert!(said("[g++, libc6:i386, 0ad, \"{{ x }}\"]").is_empty());
        assert_eq!(said("ufw-"), ["`ufw-` would tell apt to remove a package"]);
        assert_eq!(said("[ufw=0.36]"), ["`ufw=0.36` names a version"]);
        assert_eq!(said("[./ufw.deb, UFW]").len(), 2);
        assert_eq!(said("[]"), ["the list of packages is empty"]);
    }

    #[test]
    fn a_list_of_the_inputs_is_rendered_and_each_package_named_once() {
        let node = yaml::parse(&Source::new("t.yaml", "names: ['{{ more }}', ufw]")).unwrap();
        let scope = |more| Scope::new(&serde_json::json!({ "more": more }), Templates::default());
        let frame = StepFrame {
            runbook: "t",
            reload_on: &[],
        };
        let made = render(&node, &scope(vec!["ufw", "curl"]), &frame).unwrap();
        assert_eq!(made.subject(), "package ufw, curl");
        let mistakes = render(&node, &scope(vec!["a b", "c-"]), &frame).unwrap_err();
        assert_eq!(mistakes.errors(), 2);
    }
}
