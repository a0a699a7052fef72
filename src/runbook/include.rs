//! `include:`: the steps and checks of another runbook in the place of one step, with inputs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fill::tree;
use super::step::check_texts;
use super::{Inputs, Runbook, load};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::inventory::Host;
use crate::shape::{Field, Shape, Ty};
use crate::template::{Names, Scope, Templates, Text};
use crate::yaml::Node;

pub(super) const HELP: &str = "Another runbook's steps and checks in this place.";

/// `include: fail2ban` or `include: {runbook: fail2ban, inputs: {…}}`.
pub(super) const SHAPE: Shape = Shape {
    name: "an include",
    fields: &[
        Field::required("runbook", Ty::Text, "The name of the other runbook."),
        Field::optional(
            "inputs",
            Ty::Values,
            "Values for its inputs. What is not said here, or comes to `none`, comes from the inventory, then from its defaults.",
        ),
    ],
    shorthand: Some("runbook"),
};

/// How deep runbooks may include each other: far more than anybody can follow.
const DEEPEST: usize = 8;

/// Another runbook in the place of a step.
#[derive(Debug)]
pub struct Include {
    /// The other runbook, checked.
    pub runbook: Box<Runbook>,
    inputs: Vec<(String, Node)>,
}

/// Where included runbooks are found, and which ones are being read.
#[derive(Clone)]
pub(super) struct Shelf<'a> {
    find: Option<Find<'a>>,
    above: Vec<String>,
    templates: Templates,
}

/// Finds the text of a runbook by its name.
type Find<'a> = &'a dyn Fn(&str) -> Result<Source, Diagnostic>;

impl<'a> Shelf<'a> {
    /// Nothing can be included.
    pub(super) fn empty() -> Self {
        Self {
            find: None,
            above: Vec::new(),
            templates: Templates::default(),
        }
    }

    /// Runbooks are found by `find`.
    pub(super) fn of(find: Find<'a>) -> Self {
        Self {
            find: Some(find),
            ..Self::empty()
        }
    }

    /// The shelf as the runbook `name` sees it.
    pub(super) fn below(&self, name: &str, templates: &Templates) -> Self {
        let mut above = self.above.clone();
        above.push(name.to_owned());
        Self {
            find: self.find,
            above,
            templates: templates.clone(),
        }
    }

    fn load(&self, name: &str) -> Result<Runbook, Diagnostics> {
        let Some(find) = self.find else {
            let alone = "a runbook that stands alone includes nothing";
            return Err(Diagnostic::error(alone).into());
        };
        if let Some(first) = self.above.iter().position(|above| above == name) {
            let mut circle = self.above[first..].to_vec();
            circle.push(name.to_owned());
            let message = format!("runbooks include each other: {}", circle.join(" includes "));
            return Err(Diagnostic::error(message).into());
        }
        if self.above.len() > DEEPEST {
            let message = format!("runbooks include each other more than {DEEPEST} deep");
            return Err(Diagnostic::error(message).into());
        }
        let source = find(name)?;
        load::load_from(name, &source, self.templates.clone(), self)
    }
}

impl Include {
    /// Reads what stands below the key, and the other runbook with it.
    pub(super) fn read(
        node: &Node,
        names: &Names,
        shelf: &Shelf<'_>,
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let name = SHAPE.text(node, "runbook")?;
        if !name.is_constant() {
            out.push(
                Diagnostic::error("the name of an included runbook is no template")
                    .at(&name.place)
                    .hint("include each of them in a step of its own, with `when`"),
            );
            return None;
        }
        let runbook = match shelf.load(name.text.trim()) {
            Ok(runbook) => Box::new(runbook),
            Err(found) => {
                for one in found {
                    out.push(if one.place.is_some() {
                        one
                    } else {
                        one.at(&name.place)
                    });
                }
                return None;
            }
        };
        let entries = SHAPE.get(node, "inputs").map(Node::entries);
        let inputs: Vec<(String, Node)> = entries
            .unwrap_or_default()
            .iter()
            .map(|(key, value)| (key.text().unwrap_or_default().to_owned(), value.clone()))
            .collect();
        let include = Self { runbook, inputs };
        include.check_names(entries.unwrap_or_default(), out);
        if include.runbook.fetches() {
            // Data is fetched once for all hosts, so nothing of a single host can describe it.
            let once = names
                .clone()
                .without("facts")
                .without("host")
                .without("vars");
            include.check_texts(&once, out);
        }
        Some(include)
    }

    fn check_names(&self, entries: &[(Node, Node)], out: &mut Diagnostics) {
        let known = || self.runbook.inputs.iter().map(|spec| spec.name.as_str());
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !known().any(|known| known == name) {
                let message = format!("{} has no input `{name}`", self.runbook.name);
                let error = Diagnostic::error(message).at(&key.place);
                out.push(error.nearest(name, known()));
            }
        }
    }

    /// Checks the texts of the inputs.
    pub(super) fn check_texts(&self, names: &Names, out: &mut Diagnostics) {
        for (_, value) in &self.inputs {
            check_texts(value, names, out);
        }
    }

    /// The other runbook's inputs on a host: what is said here, then the inventory's, then defaults.
    ///
    /// # Errors
    /// Every refused value at once.
    pub(super) fn inputs(&self, scope: &Scope, host: &Host) -> Result<Inputs, Diagnostics> {
        let mut given = BTreeMap::new();
        let mut out = Diagnostics::new();
        for (name, node) in &self.inputs {
            match value(node, scope) {
                Ok(Some(value)) => {
                    given.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(found) => out.push(found),
            }
        }
        let inventory = host.inputs.get(self.runbook.name.as_str());
        match Inputs::gather(&self.runbook.inputs, &given, inventory) {
            Ok(inputs) => out.into_result(inputs),
            Err(found) => {
                out.append(found);
                Err(out)
            }
        }
    }
}

/// What is said for an input; `None` when it comes to none.
fn value(node: &Node, scope: &Scope) -> Result<Option<Value>, Diagnostic> {
    if let Some(text) = Text::from_node(node)
        && scope.is_none(&text)?
    {
        return Ok(None);
    }
    tree(node, scope).map(|value| Some(unwrapped(value)))
}

/// A list that holds one list, as a template that yields a list does inside brackets, is that list.
fn unwrapped(value: Value) -> Value {
    match value {
        Value::Array(mut items) if items.len() == 1 && items[0].is_array() => items.remove(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::runbook::{Library, World, render};

    const INNER: &str = "name: inner\nsummary: x\nrisk: medium\ninputs:\n  text: { type: text, default: own }\nsteps:\n  - name: file\n    id: file\n    file: { path: /x, content: \"{{ inputs.text }}\" }\n  - name: again\n    after: file\n    file: { path: /y, content: \"{{ runbook.name }}\" }\nverify:\n  - name: ok\n    command: [\"true\"]\n";

    fn library(files: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
        }
        let library = Library::open(folder.path()).unwrap();
        (folder, library)
    }

    fn outer(steps: &str) -> String {
        format!(
            "name: outer\nsummary: x\nrisk: medium\ninputs:\n  word: {{ type: text, default: given }}\nsteps:\n{steps}"
        )
    }

    fn mistakes(steps: &str) -> String {
        let (_folder, library) = library(&[("inner", INNER), ("outer", &outer(steps))]);
        library.load("outer").unwrap_err().to_string()
    }

    #[test]
    fn steps_and_checks_of_the_other_stand_in_the_place_of_the_step() {
        let steps = "  - name: first\n    tags: [one]\n    include: { runbook: inner, inputs: { text: \"{{ inputs.word }}\" } }\n  - name: second\n    id: two\n    include: inner\n  - name: third\n    id: three\n    when: inputs.word == 'no'\n    include: inner\n";
        let (folder, library) = library(&[("inner", INNER), ("outer", &outer(steps))]);
        let runbook = library.load("outer").unwrap();
        let hosts = folder.path().join("hosts.txt");
        std::fs::write(&hosts, "hosts:\n  web: {}\n").unwrap();
        let inventory = crate::inventory::load(&hosts).unwrap();
        let host = &inventory.hosts()[0];
        let inputs = Inputs::gather(&runbook.inputs, &BTreeMap::new(), None).unwrap();
        let world = World {
            host,
            inputs: &inputs,
            facts: None,
            data: &json!({}),
        };
        let rendered = render(&runbook, &world).unwrap();
        let ids: Vec<_> = rendered.steps.iter().map(|step| step.id.clone()).collect();
        let id = |text: &str| Some(text.to_owned());
        assert_eq!(
            ids,
            [id("inner/file"), None, id("two/file"), None, id("three")]
        );
        assert_eq!(rendered.steps[1].after, ["inner/file"]);
        assert_eq!(rendered.steps[0].tags.len(), 1);
        assert!(rendered.steps[4].resource.is_none());
        assert_eq!(
            rendered.checks.len(),
            2,
            "once per include whose `when` holds"
        );
        let tags = |check: usize| rendered.checks[check].tags.len();
        assert_eq!((tags(0), tags(1)), (1, 0), "those of the include");
        let shown = format!("{:?} {:?}", rendered.steps[0], rendered.steps[2]);
        assert!(shown.contains("given") && shown.contains("own"), "{shown}");
        assert!(format!("{:?}", rendered.steps[1]).contains("\"inner\""));
    }

    #[test]
    fn an_input_that_comes_to_none_is_not_said() {
        for (expression, wanted) in [("inputs.word or none", "given"), ("none", "own")] {
            let include = format!(
                "  - name: first\n    include: {{ runbook: inner, inputs: {{ text: \"{{{{ {expression} }}}}\" }} }}\n"
            );
            let (folder, library) = library(&[("inner", INNER), ("outer", &outer(&include))]);
            let runbook = library.load("outer").unwrap();
            let hosts = folder.path().join("hosts.txt");
            std::fs::write(&hosts, "hosts:\n  web: {}\n").unwrap();
            let inventory = crate::inventory::load(&hosts).unwrap();
            let inputs = Inputs::gather(&runbook.inputs, &BTreeMap::new(), None).unwrap();
            let world = World {
                host: &inventory.hosts()[0],
                inputs: &inputs,
                facts: None,
                data: &json!({}),
            };
            let rendered = render(&runbook, &world).unwrap();
            let step = format!("{:?}", rendered.steps[0]);
            assert!(step.contains(wanted), "{step}");
        }
    }

    #[test]
    fn mistakes_of_an_include_are_said() {
        let said = mistakes("  - name: x\n    include: { runbook: inner, inputs: { txt: a } }\n");
        assert!(
            said.contains("inner has no input `txt`") && said.contains("text"),
            "{said}"
        );
        let said = mistakes("  - name: x\n    include: iner\n");
        assert!(
            said.contains("there is no runbook `iner`") && said.contains("inner"),
            "{said}"
        );
        let said = mistakes("  - name: x\n    include: outer\n");
        assert!(said.contains("outer includes outer"), "{said}");
        let said = mistakes("  - name: x\n    include: inner\n  - name: y\n    include: inner\n");
        assert!(
            said.contains("give each include an `id` of its own"),
            "{said}"
        );
        let said = mistakes("  - name: x\n    include: inner\n    retry: 3\n    guard: true\n");
        assert!(
            said.matches("makes no sense beside `include`").count() == 2,
            "{said}"
        );
        let said = mistakes(
            "  - name: x\n    include: { runbook: inner, inputs: { text: \"{{ inputs.wrd }}\" } }\n",
        );
        assert!(said.contains("inputs.wrd"), "{said}");
    }

    #[test]
    fn a_runbook_is_as_risky_as_what_it_includes() {
        let low = outer("  - name: x\n    include: inner\n").replace("risk: medium", "risk: low");
        let (_folder, library) = library(&[("inner", INNER), ("outer", &low)]);
        let said = library.load("outer").unwrap_err().to_string();
        assert!(said.contains("write `risk: medium`"), "{said}");
    }
}
