//! Plans that older versions saved: they load, are shown and mean the same for ever. Files of a format are added
//! here when it is new, and never changed.

use std::fs;
use std::path::PathBuf;

use holdfast::change::{Change, Known, Shown, StepNumber, Verdict};
use holdfast::plan::{HostPlan, Look, Measure, Outcome, moves};
use holdfast::plan_file::envelope::{Key, Seal};
use holdfast::plan_file::{Opened, PlanFile};
use holdfast::runbook::{self, World};

use crate::support::sandbox::Sandbox;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plans"))
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder()).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = files
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn opened(bytes: &[u8]) -> Opened {
    PlanFile::open(bytes, Some(&Key::new([1; 32]))).unwrap()
}

#[test]
fn plans_of_every_format_load_and_their_runbooks_are_understood() {
    let files = fixtures();
    assert!(files.len() >= 3);
    for (name, bytes) in files {
        let Opened { plan, header } = opened(&bytes);
        assert_eq!(header.seal, Seal::Unknown, "{name}");
        plan.load_runbook(&name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!plan.hosts.is_empty(), "{name}");
        for host in &plan.hosts {
            let planned = plan.plan_of(&host.name).unwrap();
            assert!(planned.is_pending(), "{name}: {}", host.name);
            assert!(plan.facts_of(&host.name).is_some(), "{name}");
            let answers = host.answers();
            let look = Look {
                plan: planned,
                answers: &answers,
                facts: plan.facts_of(&host.name),
            };
            // Each change that would be another one is seen, and only in its own step.
            for measure in [Measure::Exact, Measure::Shown] {
                assert!(moves(look, look, measure, &|_| Vec::new()).is_empty());
                for number in due(planned) {
                    let other = otherwise(planned, number);
                    let now = Look {
                        plan: &other,
                        ..look
                    };
                    let moves = moves(look, now, measure, &|_| Vec::new());
                    let numbers: Vec<StepNumber> =
                        moves.steps.iter().map(|moved| moved.number).collect();
                    assert_eq!(numbers, [number], "{name}: {}", host.name);
                }
            }
        }
    }
}

/// The steps that change something.
fn due(plan: &HostPlan) -> Vec<StepNumber> {
    let due = plan.steps.iter().filter(|step| step.count() > 0);
    due.map(|step| step.number).collect()
}

/// The same plan, in which one step shows something else.
fn otherwise(plan: &HostPlan, number: StepNumber) -> HostPlan {
    let mut plan = plan.clone();
    let step = plan.steps.iter_mut().find(|step| step.number == number);
    if let Outcome::Seen(Verdict::Change(changes) | Verdict::ChangeAfter { changes, .. }) =
        &mut step.expect("the step").outcome
    {
        changes[0].shown.push(Shown::Run {
            argv: vec!["true".to_owned()],
        });
    }
    plan
}

/// The saved answers of the hosts, read by the code of today, come to the changes that were saved.
#[test]
fn the_answers_in_old_plans_still_mean_the_same_changes() {
    let sandbox = Sandbox::new();
    for (name, bytes) in fixtures() {
        let plan = opened(&bytes).plan;
        let runbook = plan.load_runbook(&name).unwrap();
        let names = plan
            .hosts
            .iter()
            .map(|host| format!("  {}: {{}}\n", host.name));
        sandbox.file(
            "hosts.yaml",
            &format!("hosts:\n{}", names.collect::<String>()),
        );
        let inventory = holdfast::inventory::load(&sandbox.project().join("hosts.yaml")).unwrap();
        for saved in &plan.hosts {
            let host = saved.in_inventory(&inventory, &name).unwrap();
            let world = World {
                host: &host,
                inputs: &saved.inputs,
                facts: plan.facts_of(&saved.name),
                data: &plan.data,
            };
            let rendered = runbook::render(&runbook, &world).unwrap();
            let planned = plan.plan_of(&saved.name).unwrap();
            assert_eq!(rendered.steps.len(), planned.steps.len(), "{name}");
            let (answers, mut known) = (saved.answers(), Known::nothing());
            for (step, then) in rendered.steps.iter().zip(&planned.steps) {
                let Some(resource) = &step.resource else {
                    continue;
                };
                let verdict = resource.diff(&answers, &known).unwrap().verdict;
                known.learn(step.number, step.id.as_deref(), &verdict);
                let before = then.verdict().unwrap().changes();
                assert_eq!(
                    shown(verdict.changes()),
                    shown(before),
                    "{name}: {}, {}",
                    saved.name,
                    step.number
                );
            }
            let due = planned.steps.iter().filter_map(|step| step.verdict());
            let due: usize = due.map(Verdict::changes).map(<[Change]>::len).sum();
            assert!(due > 0, "{name}: nothing was compared");
        }
    }
}

fn shown(changes: &[Change]) -> Vec<(&str, &[Shown])> {
    let shown = changes.iter();
    shown
        .map(|change| (change.summary.as_str(), change.shown.as_slice()))
        .collect()
}

#[test]
fn what_is_written_today_is_what_is_read() {
    for (name, bytes) in fixtures() {
        let plan = opened(&bytes).plan;
        let key = Key::new([9; 32]);
        let again = plan.to_bytes(Some(&key)).unwrap();
        assert!(again.is_ascii(), "{name}");
        let back = PlanFile::open(&again, Some(&key)).unwrap();
        assert_eq!(back.header.seal, Seal::Ours);
        assert_eq!(back.plan, plan, "{name}");
    }
}
