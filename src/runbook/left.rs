//! The steps that a run left on a host ([`concrete`](super::concrete)), read back into the same resources. Their
//! values are those of then; what a kind asks of the facts by itself (who is logged in, where sshd listens) is
//! that of now.

use crate::diagnostic::{Diagnostics, Source};
use crate::resource::{self, Kind, Resource, StepFrame};
use crate::template::Scope;
use crate::yaml::{self, Node};

/// A step that described something on a host.
#[derive(Debug)]
pub struct Left {
    /// Its number in that run.
    pub number: usize,
    /// The desired state in words.
    pub name: String,
    /// What it described.
    pub what: What,
}

/// What a step described.
#[derive(Debug)]
pub enum What {
    /// A resource.
    Resource(&'static Kind, Box<dyn Resource>),
    /// Something that this version cannot read.
    Unknown {
        /// Why, as a clause.
        why: String,
    },
}

/// The keys of a step that are not those of a kind.
const OTHERS: [&str; 8] = [
    "step",
    "name",
    "runbook",
    "reload_on",
    "skipped",
    "include",
    "manual",
    "pause",
];

/// Reads the steps of a run of `runbook`. Steps that were skipped, questions and pauses are left out.
///
/// # Errors
/// When the text is no list of steps.
pub fn left(runbook: &str, text: &str, facts: &Scope) -> Result<Vec<Left>, Diagnostics> {
    let source = Source::finished("steps.yaml", text);
    let steps = yaml::parse(&source)?;
    let one = |node: &Node| {
        let (key, body) = node.entries().iter().find_map(|(key, value)| {
            let key = key.text()?;
            (!OTHERS.contains(&key)).then_some((key, value))
        })?;
        let text = |key: &str| node.get(key).and_then(Node::text);
        Some(Left {
            number: text("step")
                .and_then(|number| number.parse().ok())
                .unwrap_or(0),
            name: text("name").unwrap_or_default().to_owned(),
            what: what(text("runbook").unwrap_or(runbook), key, (node, body), facts),
        })
    };
    Ok(steps.items().iter().filter_map(one).collect())
}

fn what(runbook: &str, key: &str, (step, body): (&Node, &Node), facts: &Scope) -> What {
    let Some(kind) = resource::kind(key) else {
        let why = format!("this version knows no `{key}`");
        return What::Unknown { why };
    };
    let ids = step.get("reload_on").map(Node::items).unwrap_or_default();
    let reload_on: Vec<String> = ids
        .iter()
        .filter_map(|id| id.text().map(str::to_owned))
        .collect();
    let frame = StepFrame {
        runbook,
        reload_on: &reload_on,
    };
    match (kind.render)(body, facts, &frame) {
        Ok(resource) => What::Resource(kind, resource),
        Err(said) => What::Unknown {
            why: said
                .iter()
                .map(|one| one.message.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::facts::Facts;
    use crate::inventory;
    use crate::runbook::{Inputs, Library, Runbook, World, concrete, load, render, scope};
    use crate::template::Templates;

    fn facts() -> Facts {
        let mut facts = crate::facts::sample();
        facts["os"] = json!({"id": "debian", "version": "12", "codename": "bookworm", "like": [], "name": "Debian"});
        facts["init"] = json!("systemd");
        facts["sshd"] = json!({"ports": [22], "mode": "service"});
        facts["controller_ip"] = json!("192.0.2.7");
        facts["login_user"] = json!("ops");
        serde_json::from_value(facts).expect("facts")
    }

    /// What is rendered and what is read back from the text of the same, by number.
    fn both(
        runbook: &Runbook,
        given: &BTreeMap<String, Value>,
        data: &Value,
    ) -> Result<[Vec<String>; 2], Diagnostics> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hosts:\n  web-1: {}\n").unwrap();
        let inventory = inventory::load(file.path()).unwrap();
        let inputs = Inputs::gather(&runbook.inputs, given, None)?;
        let facts = facts();
        let world = World {
            host: &inventory.hosts()[0],
            inputs: &inputs,
            facts: Some(&facts),
            data,
        };
        let text = serde_yaml::to_string(&concrete(runbook, &world)?).unwrap();
        let now = scope(runbook, &world);
        let back = left(runbook.name.as_str(), &text, &now)?;
        let back = back.iter().map(|left| match &left.what {
            What::Resource(_, resource) => format!("{} {}: {resource:?}", left.number, left.name),
            What::Unknown { why } => format!("{} {}: {why}", left.number, left.name),
        });
        let rendered = render(runbook, &world)?;
        let then = rendered.steps.iter().filter_map(|step| {
            let resource = step.resource.as_ref()?;
            Some(format!("{} {}: {resource:?}", step.number.0, step.name))
        });
        Ok([then.collect(), back.collect()])
    }

    #[test]
    fn the_steps_of_every_shipped_runbook_are_read_back_as_they_were() {
        let library = Library::open(Path::new("/nonexistent")).unwrap();
        let names: Vec<String> = library.entries().map(|entry| entry.name.clone()).collect();
        let ranges = json!({"ipv4": ["173.245.48.0/20"], "ipv6": ["2400:cb00::/32"]});
        let mut steps = 0;
        for name in names {
            let runbook = library.load(&name).unwrap();
            let mut given = BTreeMap::new();
            for input in runbook
                .inputs
                .iter()
                .filter(|input| input.default.is_none())
            {
                let value = match input.name.as_str() {
                    "port" => json!("2222"),
                    other => panic!("{name}: say something for `{other}`"),
                };
                given.insert(input.name.clone(), value);
            }
            let mut data = json!({});
            for runbook in runbook.all() {
                for spec in &runbook.data {
                    data[spec.name()] = ranges.clone();
                    data[runbook.name.as_str()][spec.name()] = ranges.clone();
                }
            }
            let [then, back] =
                both(&runbook, &given, &data).unwrap_or_else(|said| panic!("{name}: {said}"));
            assert_eq!(then, back, "{name}");
            steps += then.len();
        }
        assert!(steps > 30, "only {steps} steps were compared");
    }

    fn of(steps: &str) -> [Vec<String>; 2] {
        let text = format!("name: t\nsummary: x\nrisk: high\nsteps:\n{steps}");
        let runbook = load("t", &Source::new("t", text), Templates::default()).unwrap();
        both(&runbook, &BTreeMap::new(), &json!({})).unwrap()
    }

    #[test]
    fn what_looks_like_a_template_or_a_number_stays_the_text_that_it_was() {
        let [then, back] = of("\
            - { name: a, id: a, file: { path: /a, mode: 0640, content: \"{{ '{{ not a template }}' }} {{ '{%' }}\" } }\n\
            - { name: b, file: { path: /b, content: 1.10 } }\n\
            - { name: c, file: { path: /c, content: \"\" } }\n\
            - { name: c2, file: { path: /c2, content: \"{{ 'x' }}\\n\" } }\n\
            - { name: d, when: 1 == 2, file: { path: /d, content: x } }\n\
            - { name: e, service: { name: cron }, reload_on: [a] }\n\
            - { name: f, pause: 3s }\n\
            - { name: g, package: ['{{ [\"aa\", \"bb\"] }}', cc] }\n");
        assert_eq!(then.len(), 6);
        assert!(then[0].contains("{{ not a template }} {%"), "{}", then[0]);
        assert_eq!(then, back);
    }

    #[test]
    fn what_this_version_does_not_know_is_told_and_the_rest_read() {
        let scope = Scope::new(&json!({}), Templates::default());
        let text = "- { step: 1, name: a, hologram: { of: x } }\n- { step: 2, name: b, package: [] }\n\
            - { step: 3, name: c, package: [ufw] }\n- { step: 4, name: d, skipped: so }\n";
        let steps = left("t", text, &scope).unwrap();
        let told: Vec<String> = steps
            .iter()
            .map(|left| match &left.what {
                What::Resource(kind, resource) => format!("{} {}", kind.key, resource.subject()),
                What::Unknown { why } => why.clone(),
            })
            .collect();
        assert_eq!(told[0], "this version knows no `hologram`");
        assert!(told[1].contains("empty"), "{}", told[1]);
        assert_eq!(told[2..], ["package package ufw"]);
        assert!(left("t", "a: [", &scope).is_err());
    }

    proptest! {
        #[test]
        fn any_content_is_read_back_as_it_was(text in prop_oneof![any::<String>(), "[a-z \n\t{}%#:'\"\\\\|>-]{0,60}"]) {
            let step = json!([{ "step": 1, "name": text, "file": { "path": "/x", "content": text } }]);
            let yaml = serde_yaml::to_string(&step).unwrap();
            let scope = Scope::new(&json!({}), Templates::default());
            let steps = left("t", &yaml, &scope).unwrap();
            prop_assert_eq!(&steps[0].name, &text);
            let What::Resource(_, resource) = &steps[0].what else {
                return Err(TestCaseError::fail("it is not read"));
            };
            let node = yaml::parse(&Source::finished("x", json!({"path": "/x", "content": text}).to_string())).unwrap();
            let frame = StepFrame { runbook: "t", reload_on: &[] };
            let direct = (crate::resource::file::KIND.render)(&node, &scope, &frame).unwrap();
            prop_assert_eq!(format!("{resource:?}"), format!("{direct:?}"));
        }
    }
}
