//! `holdfast run` on this machine: only what reads.

use insta::assert_snapshot;

use crate::support::lab::Snapshot;
use crate::support::sandbox::Sandbox;

/// Addresses at which nobody listens: the list that comes with the runbook is used.
const NOBODY: [&str; 6] = [
    "-e",
    "api_url=https://127.0.0.1:1/ips",
    "-e",
    "text_v4_url=https://127.0.0.1:1/v4",
    "-e",
    "text_v6_url=https://127.0.0.1:1/v6",
];

fn dry_run(sandbox: &Sandbox, more: &[&str]) -> String {
    let mut args = vec!["run", "ufw-cf-refresh", "--dry-run"];
    args.extend(NOBODY);
    args.extend(more);
    sandbox.run(&args)
}

#[test]
fn a_dry_run_on_this_machine_is_truthful_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let before = Snapshot::local("/etc");
    let said = dry_run(&sandbox, &[]);
    let after = Snapshot::local("/etc");
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert!(said.starts_with("status: 0"), "{said}");
    assert_eq!(said.matches("+ allow tcp 443 from ").count(), 22, "{said}");
    assert!(said.contains("built-in list of"), "{said}");
    assert!(said.contains("nothing was written"), "{said}");
}

#[test]
fn due_changes_are_an_exit_code_when_asked() {
    let said = dry_run(&Sandbox::new(), &["--detailed-exitcode"]);
    assert!(said.starts_with("status: 2"), "{said}");
}

#[test]
fn json_is_the_only_thing_on_standard_output() {
    let sandbox = Sandbox::new();
    let mut args = vec!["run", "ufw-cf-refresh", "--dry-run", "--format", "json"];
    args.extend(NOBODY);
    let output = sandbox.output(&args);
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=u64::try_from(events.len()).unwrap()).collect::<Vec<_>>()
    );
    assert_eq!(events[0]["kind"]["event"], "run_started");
    assert_eq!(events.last().unwrap()["kind"]["exit"], 0);
}

#[test]
fn very_verbose_shows_what_hosts_were_asked() {
    let said = dry_run(&Sandbox::new(), &["-vv"]);
    assert!(said.contains("hf_packages"), "{said}");
    assert!(said.contains("millis="), "{said}");
}

#[test]
fn the_journal_of_a_run_is_kept_and_holds_its_plan() {
    let sandbox = Sandbox::new();
    dry_run(&sandbox, &[]);
    let runs: Vec<_> = std::fs::read_dir(sandbox.state().join("runs"))
        .unwrap()
        .collect();
    assert_eq!(runs.len(), 1);
    let folder = runs[0].as_ref().unwrap().path();
    let text = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(text.contains("\"host_planned\""), "{text}");
}

#[test]
fn a_guarded_command_that_has_nothing_to_do_is_as_desired() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/calm.yaml",
        "name: calm\nsummary: Nothing to do\nsteps:\n  - name: the folder is there\n    command: { argv: [mkdir, /etc], creates: /etc }\n",
    );
    assert_snapshot!(sandbox.run(&["run", "calm", "--dry-run"]));
}

#[test]
fn an_undefined_variable_is_pointed_at_and_no_host_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/typo.yaml",
        "name: typo\nsummary: x\ninputs:\n  word: { type: text, default: a }\nsteps:\n  - name: x\n    file: { path: /etc/x, content: \"{{ inputs.wrod }}\" }\n",
    );
    assert_snapshot!(sandbox.run(&["run", "typo", "--dry-run"]));
}
