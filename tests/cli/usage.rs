//! Mistakes on the command line: what is wrong, what to do, and nothing touched.

use crate::support::sandbox::Sandbox;

fn fails_with(sandbox: &Sandbox, args: &[&str], code: i32, words: &[&str]) {
    let said = sandbox.run(args);
    assert!(
        said.starts_with(&format!("status: {code}\n")),
        "{args:?}: {said}"
    );
    for word in words {
        assert!(
            said.contains(word),
            "{args:?} does not say {word:?}: {said}"
        );
    }
}

#[test]
fn mistakes_name_the_nearest_known_word() {
    let sandbox = Sandbox::new();
    fails_with(
        &sandbox,
        &["verfy"],
        1,
        &["similar subcommand exists: 'verify'"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refrsh", "-n"],
        1,
        &["did you mean `ufw-cf-refresh`?"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "-n", "-l", "hree"],
        1,
        &["hree", "here"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "-n", "-l", ","],
        1,
        &[],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "-n", "-e", "prots=1"],
        1,
        &["did you mean `ports`?"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "-n", "-e", "ports=0"],
        1,
        &["must be a port"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "-n", "-i", "nowhere"],
        1,
        &["nowhere"],
    );
}

#[test]
fn without_a_terminal_the_question_is_an_error_that_names_the_flags() {
    fails_with(
        &Sandbox::new(),
        &["run", "ufw-cf-refresh"],
        1,
        &["no terminal", "--yes", "--unattended", "--dry-run"],
    );
}

#[test]
fn help_shows_exit_codes_and_the_inputs_of_a_runbook() {
    let sandbox = Sandbox::new();
    fails_with(
        &sandbox,
        &["--help"],
        0,
        &["Exit codes:", "10   the outcome is unknown"],
    );
    fails_with(
        &sandbox,
        &["run", "ufw-cf-refresh", "--help"],
        0,
        &[
            "Inputs of this runbook",
            "ports",
            "list of port (default: [443])",
        ],
    );
    fails_with(&sandbox, &["run", "--help"], 0, &["--dry-run"]);
}

#[test]
fn flags_are_also_variables() {
    let sandbox = Sandbox::new().variable("HOLDFAST_LIMIT", "nobody");
    fails_with(&sandbox, &["run", "ufw-cf-refresh", "-n"], 1, &["nobody"]);
}

#[test]
fn guided_without_a_terminal_names_the_flags_to_use_instead() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/one.yaml",
        "name: one\nsummary: x\nsteps:\n- { name: a, file: { path: /tmp/x, content: x } }\n",
    );
    for flag in ["--guided", "--step"] {
        let said = sandbox.run(&["run", "one", flag]);
        for part in [
            "status: 1",
            "there is no terminal to ask on",
            "--guided asks before each step; without a terminal use --yes, --unattended or --dry-run",
        ] {
            assert!(said.contains(part), "no {part:?} in:\n{said}");
        }
    }
    let said = sandbox.run(&["run", "one", "--dry-run", "--start-at", "seven"]);
    assert!(
        said.contains("one has no step with the id or name `seven`"),
        "{said}"
    );
    assert!(said.starts_with("status: 1"), "{said}");
    let said = sandbox.run(&["run", "--resume", "--yes"]);
    assert!(said.contains("no run is left to go on from"), "{said}");
    assert!(said.starts_with("status: 1"), "{said}");
    sandbox.file(
        "inventory/groups.yaml",
        "hosts:\n  web: {}\ngroups:\n  canary: { hosts: [web] }\n",
    );
    for (serial, why) in [
        ("0", "a batch has at least one host"),
        (
            "canary,,1",
            "it is `all`, a number of hosts, or groups with commas between",
        ),
        ("canery", "did you mean `canary`?"),
    ] {
        let said = sandbox.run(&["run", "one", "--serial", serial, "--yes"]);
        assert!(said.starts_with("status: 1"), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_high_risk_is_refused_unattended() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/danger.yaml",
        "name: danger\nsummary: x\nrisk: high\nsteps:\n  - name: x\n    command: { argv: [\"true\"], always: true }\n",
    );
    fails_with(
        &sandbox,
        &["run", "danger", "--unattended"],
        9,
        &["high risk"],
    );
}

#[test]
fn a_type_error_without_help_has_no_empty_hint() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/plain.yaml",
        "name: plain\nsummary: x\ninputs: { n: { type: int } }\nsteps:\n  - name: x\n    command: { argv: [\"true\"], always: true }\n",
    );
    let said = sandbox.run(&["run", "plain", "-n", "-e", "n=x"]);
    assert!(said.contains("must be a whole number"), "{said}");
    assert!(!said.contains("hint"), "{said}");
}

#[test]
fn data_that_a_full_device_did_not_take_is_a_failure() {
    let sandbox = Sandbox::new();
    for args in [&["list"][..], &["--help"], &["lint"]] {
        let output = assert_cmd::Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" > /dev/full"])
            .arg(env!("CARGO_BIN_EXE_holdfast"))
            .args(args)
            .current_dir(sandbox.project())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}");
    }
}
