//! The programs that stand in a runbook, as its author wrote them: what is hidden behind `when`, or behind values of
//! a host, is among them.

use super::Runbook;
use super::load::RUNBOOK;
use super::step_shape::{STEP, acts};
use crate::resource;
use crate::shape::Program;
use crate::yaml::{self, Node};

/// A program in a runbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The runbook.
    pub runbook: String,
    /// The name of its step or check, a template still.
    pub name: String,
    /// The key that it stands behind, such as `unless`.
    pub key: &'static str,
    /// Its words, templates still.
    pub argv: Vec<String>,
    /// What `item` stands for in it, each a template still.
    pub items: Vec<String>,
}

/// Every program in a runbook and in those that it includes, whatever any `when` says; the same one once.
pub fn programs(runbook: &Runbook) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for one in runbook.all() {
        for written in of(one) {
            if !all.contains(&written) {
                all.push(written);
            }
        }
    }
    all
}

fn of(runbook: &Runbook) -> Vec<Written> {
    // It was read from this very text.
    let Ok(top) = yaml::parse(&runbook.source) else {
        return Vec::new();
    };
    let below = |key| RUNBOOK.get(&top, key).map(Node::items).unwrap_or_default();
    let steps = below("steps").iter().map(|step| (step, in_step(step)));
    let checks = below("verify").iter().map(|check| (check, in_check(check)));
    let found = steps.chain(checks).flat_map(|(node, programs)| {
        let name = node.get("name").and_then(Node::text).unwrap_or_default();
        let items = STEP.texts(node, "for_each").unwrap_or_default();
        let items: Vec<String> = items.into_iter().map(|item| item.text).collect();
        programs.into_iter().map(move |program| Written {
            runbook: runbook.name.to_string(),
            name: name.to_owned(),
            key: program.key,
            argv: program.argv,
            items: items.clone(),
        })
    });
    found.collect()
}

/// What a step is may be a resource or another act.
fn in_step(step: &Node) -> Vec<Program> {
    let mut found = STEP.programs(step);
    for (key, value) in step.entries() {
        let key = key.text().unwrap_or_default();
        if let Some(kind) = resource::kind(key) {
            found.extend(kind.shape.programs(value));
        } else if let Some(act) = acts().into_iter().find(|act| act.name == key) {
            found.extend(act.ty.programs(act.name, value));
        }
    }
    found
}

fn in_check(check: &Node) -> Vec<Program> {
    super::check::SHAPE.programs(check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::resource::KINDS;
    use crate::runbook::load;

    use crate::runbook::load::SHAPES;
    use crate::shape::{Field, Shape, Ty};
    use crate::template::Templates;

    #[test]
    fn every_program_is_found_whatever_when_says() {
        let text = "name: x\nsummary: x\nsteps:\n  - name: s\n    when: facts.os.version == '9'\n    for_each: [a, 'b {{ host.name }}']\n    command: { argv: [do, '{{ item }}'], unless: [a, b], onlyif: c, undo: [d] }\n  - name: f\n    file: { path: /x, content: '', validate: [check, '{}'] }\n  - name: w\n    wait_for: { command: [is, up] }\n  - name: short\n    pause: 1s\nverify:\n  - name: v\n    when: facts.os.version == '12'\n    command: [sh, -c, evil]\n";
        let runbook = load("x", &Source::new("x.yaml", text), Templates::default()).unwrap();
        let found = programs(&runbook);
        let told: Vec<String> = found
            .iter()
            .map(|one| format!("{} {}: {}", one.name, one.key, one.argv.join(" ")))
            .collect();
        assert_eq!(
            told,
            [
                "s argv: do {{ item }}",
                "s unless: a b",
                "s onlyif: c",
                "s undo: d",
                "f validate: check {}",
                "w command: is up",
                "v command: sh -c evil",
            ]
        );
        assert_eq!(found[0].items, ["a", "b {{ host.name }}"]);
        assert!(found[4].items.is_empty());
    }

    /// Who adds a field with a program must give it its type: that is how it is found.
    #[test]
    fn whatever_is_called_a_program_has_the_type_of_one() {
        fn check(shape: &Shape, programs: &mut usize) {
            for field in shape.fields {
                check_field(field, programs);
            }
        }
        fn check_field(field: &Field, programs: &mut usize) {
            let told = field.help.starts_with("A program") || field.help.starts_with("The program");
            let named = ["argv", "command", "validate", "undo"].contains(&field.name);
            match field.ty {
                Ty::Argv => *programs += 1,
                Ty::One(shape) | Ty::Many(shape) | Ty::Named(shape) => check(shape, programs),
                _ => assert!(!told && !named, "{} is no Ty::Argv", field.name),
            }
        }
        let mut programs = 0;
        for shape in SHAPES {
            check(shape, &mut programs);
        }
        assert!(programs > 0, "those of checks");
        programs = 0;
        for kind in KINDS {
            check(kind.shape, &mut programs);
        }
        assert_eq!(programs, 6, "argv, unless, onlyif, undo, validate, command");
    }
}
