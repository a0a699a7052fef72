//! `holdfast plan`, `show FILE`, `apply`: what is refused, and how a plan is shown. The rest needs hosts.

use insta::assert_snapshot;

use crate::support::sandbox::Sandbox;
use holdfast::plan_file::PlanFile;
use holdfast::plan_file::envelope::Key;

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plans/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// A project with this file.
fn project(bytes: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.project().join("x.plan"), bytes).unwrap();
    sandbox.file(
        "inventory/hosts.yaml",
        "hosts:\n  web-1: { address: 127.0.0.1, port: 1 }\n  web-2: { address: 127.0.0.1, port: 1 }\n  db: {}\n",
    );
    sandbox
}

/// How old a plan is differs from day to day.
fn ageless(said: &str) -> String {
    let ageless = said.lines().map(|line| match line.split_once(" UTC, ") {
        Some((before, after)) => {
            let (_, after) = after.split_once(", with ").unwrap_or(("", after));
            format!("{before} UTC, [AGE], with {after}")
        }
        None => line.to_owned(),
    });
    ageless.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_saved_plan_is_shown_as_its_dry_run_was() {
    let sandbox = project(&fixture("v1-include.plan"));
    assert_snapshot!(ageless(&sandbox.run(&["show", "x.plan"])));
    let json = sandbox.run(&["show", "x.plan", "--format", "json"]);
    for word in ["\"plan_opened\"", "\"sha256\":\"b4a6ed", "\"host_planned\""] {
        assert!(json.contains(word), "{json}");
    }
    let one = sandbox.run(&["show", "x.plan", "--host", "web-2"]);
    assert!(one.contains("web-2 ·") && !one.contains("web-1"), "{one}");
    let none = sandbox.run(&["show", "x.plan", "--host", "web-3"]);
    assert!(none.starts_with("status: 1"), "{none}");
    assert!(
        none.contains("has no plan for `web-3`") && none.contains("web-"),
        "{none}"
    );
}

#[test]
fn every_fixture_is_shown() {
    for (name, word) in [
        ("v1-include.plan", "asks: Is the app off?"),
        ("v1-forty.plan", "56 changes are due"),
        ("v1-data.plan", "data cloudflare: 22 entries"),
    ] {
        let said = project(&fixture(name)).run(&["show", "x.plan", "-v"]);
        assert!(said.starts_with("status: 0"), "{said}");
        assert!(said.contains(word), "{name} does not say {word}:\n{said}");
    }
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let sandbox = project(bytes);
    for verb in [&["show", "x.plan"][..], &["apply", "x.plan", "--yes"]] {
        let said = sandbox.run(verb);
        assert!(said.starts_with("status: 1"), "{verb:?}: {said}");
        assert!(said.contains(why), "{verb:?} does not say {why}: {said}");
    }
}

#[test]
fn a_file_that_is_not_as_it_was_written_is_refused() {
    let whole = fixture("v1-include.plan");
    let text = String::from_utf8(whole.clone()).unwrap();
    refused(
        text.replace("Cron knows the app", "Cron knows the spy")
            .as_bytes(),
        "it was changed after it was made",
    );
    refused(&whole[..whole.len() - 7], "it is not whole");
    refused(&whole[..40], "its first line is damaged");
    refused(
        text.replacen("holdfast-plan 1 ", "holdfast-plan 2 ", 1)
            .as_bytes(),
        "its format is 2, and this version of Holdfast reads up to 1",
    );
    refused(b"name: app\nsteps: []\n", "no ");
}

#[test]
fn a_forgery_with_a_right_digest_is_refused_by_whose_key_it_names() {
    let sandbox = project(b"");
    let key = [3_u8; 32];
    std::fs::create_dir_all(sandbox.state()).unwrap();
    std::fs::write(sandbox.state().join("plan.key"), key).unwrap();
    let mut plan = PlanFile::open(&fixture("v1-include.plan"), None)
        .unwrap()
        .plan;
    let ours = plan.to_bytes(Some(&Key::new(key))).unwrap();
    let path = sandbox.project().join("x.plan");
    std::fs::write(&path, &ours).unwrap();
    let said = sandbox.run(&["show", "x.plan"]);
    assert!(
        said.starts_with("status: 0") && !said.contains("not sealed"),
        "{said}"
    );
    // The digest of another plan, with the seal of this one.
    plan.runbook.runbooks[0].text.push_str("\n# more\n");
    let forged = plan.to_bytes(None).unwrap();
    let line = |bytes: &[u8]| {
        let end = bytes.iter().position(|b| *b == b'\n').unwrap();
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    };
    let seal = line(&ours).rsplit_once(' ').unwrap().1.to_owned();
    let head = line(&forged);
    let body = &forged[head.len()..];
    std::fs::write(&path, [format!("{head} {seal}").as_bytes(), body].concat()).unwrap();
    let said = sandbox.run(&["apply", "x.plan", "--yes"]);
    assert!(
        said.starts_with("status: 1") && said.contains("it was forged"),
        "{said}"
    );
}

#[test]
fn a_plan_of_somebody_else_needs_eyes_or_its_digest() {
    let sandbox = project(&fixture("v1-include.plan"));
    for flag in ["--yes", "--unattended"] {
        let said = sandbox.run(&["apply", "x.plan", flag]);
        assert!(said.starts_with("status: 9"), "{said}");
        assert!(said.contains("--sha256"), "{said}");
    }
    let other = "0".repeat(64);
    let said = sandbox.run(&["apply", "x.plan", "--yes", "--sha256", &other]);
    assert!(
        said.starts_with("status: 1") && said.contains("its own is b4a6"),
        "{said}"
    );
    let own = "b4a6edff6a9db4f492d40a9df307d66479b7aeee66f7a14ec1534af9003b89ac";
    // From here on it is about the hosts, which nobody answers for.
    let said = sandbox.run(&[
        "apply",
        "x.plan",
        "--yes",
        "--sha256",
        own,
        "--answer",
        "ready=yes",
    ]);
    assert!(said.starts_with("status: 4"), "{said}");
    let said = sandbox.run(&["apply", "x.plan"]);
    assert!(
        said.starts_with("status: 1") && said.contains("no terminal"),
        "{said}"
    );
}

#[test]
fn hosts_are_those_of_the_plan_that_the_inventory_still_has() {
    let sandbox = project(&fixture("v1-include.plan"));
    let own = "b4a6edff6a9db4f492d40a9df307d66479b7aeee66f7a14ec1534af9003b89ac";
    let apply = |words: &[&str]| {
        let words = [&["apply", "x.plan", "--yes", "--sha256", own], words].concat();
        sandbox.run(&words)
    };
    let said = apply(&["-l", "db"]);
    assert!(said.starts_with("status: 1"), "{said}");
    assert!(
        said.contains("has no plan for what --limit names"),
        "{said}"
    );
    let said = apply(&["-l", "db,web-1"]);
    assert!(
        said.contains("has no plan for db: nothing is done there"),
        "{said}"
    );
    let said = apply(&["--answer", "redy=yes"]);
    assert!(
        said.contains("asks no question with the id `redy`"),
        "{said}"
    );
    sandbox.file("inventory/hosts.yaml", "hosts:\n  web-1: {}\n");
    let said = apply(&[]);
    assert!(said.starts_with("status: 1"), "{said}");
    assert!(
        said.contains("web-2 has a plan but is no longer in the inventory"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_there_is_not_overwritten_and_a_folder_that_is_not_is_said_before_any_host_is_asked()
 {
    let sandbox = project(b"precious");
    sandbox.file("runbooks/note.yaml", "name: note\nsummary: x\nsteps:\n  - name: x\n    file: { path: /etc/hf-x, content: \"\" }\n");
    let said = sandbox.run(&["plan", "note", "--out", "x.plan"]);
    assert!(
        said.starts_with("status: 1") && said.contains("--force"),
        "{said}"
    );
    assert!(!said.contains("Dry run"), "{said}");
    let text = std::fs::read(sandbox.project().join("x.plan")).unwrap();
    assert_eq!(text, b"precious");
    let said = sandbox.run(&["plan", "note", "--out", "nowhere/x.plan"]);
    assert!(
        said.starts_with("status: 1") && said.contains("cannot write nowhere/x.plan"),
        "{said}"
    );
    // Nobody can be reached: there is no plan to save.
    let said = sandbox.run(&["plan", "note", "--out", "new.plan", "-l", "web-1"]);
    assert!(
        said.starts_with("status: 4") && said.contains("no plan was saved"),
        "{said}"
    );
    let left: Vec<_> = std::fs::read_dir(sandbox.project())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_str().unwrap().starts_with(".holdfast-plan")),
        "{left:?}"
    );
}
