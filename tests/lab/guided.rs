//! Guided runs before a real pseudo-terminal: every answer, what a person sees, and what is there afterwards.
//! On this machine, in a mount namespace of its own; hosts over SSH are in `guided_hosts.rs`.

use std::fs;
use std::path::PathBuf;

use crate::support::pty::Pty;
use crate::support::sandbox::Sandbox;

const SIZE: (u16, u16) = (50, 110);

/// A sandbox with a runbook of three files, one of which rests on another.
struct Stage {
    sandbox: Sandbox,
}

const THREE: &str = "\
name: three
summary: Three files
why: To see what happens.
inputs:
  word: { type: text, default: hello, help: what the second file says }
  port: { type: port, default: 22 }
steps:
  - id: one
    name: The first file is there
    why: Everything else stands on it.
    file: { path: FOLDER/one, content: \"first\\n\" }
  - id: two
    name: The second file says {{ inputs.word }}
    file: { path: FOLDER/two, content: \"{{ inputs.word }}\\n\" }
  - name: The third file is there
    after: [two]
    file: { path: FOLDER/three, content: \"third {{ inputs.port }}\\n\" }
verify:
  - name: The folder can be read
    command: [ls, FOLDER]
";

impl Stage {
    fn new() -> Self {
        Self::with(THREE)
    }

    fn with(runbook: &str) -> Self {
        let stage = Self {
            sandbox: Sandbox::new(),
        };
        fs::create_dir(stage.folder()).unwrap();
        stage.runbook(runbook);
        stage
    }

    fn runbook(&self, text: &str) {
        let text = text.replace("FOLDER", self.folder().to_str().unwrap());
        let name = text.lines().next().unwrap().trim_start_matches("name: ").to_owned();
        self.sandbox.file(&format!("runbooks/{name}.yaml"), &text);
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.project().join("made")
    }

    /// What a file holds; nothing when it is not there.
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    fn run(&self, args: &[&str]) -> Pty {
        Pty::start(&self.sandbox.alone(args), SIZE)
    }

    fn guided(&self) -> Pty {
        self.run(&["run", "three", "--guided"])
    }
}

#[track_caller]
fn ends(pty: &mut Pty, code: i32) -> String {
    let (status, rest) = pty.end();
    assert_eq!(status, code, "{}", pty.text());
    rest
}

#[test]
fn each_step_is_shown_and_asked_about() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    let first = pty.answer("a");
    for part in [
        "step 1 of 3 · The first file is there · here",
        "why    Everything else stands on it.",
        "risk   low; does not touch the way in",
        "+first",
        "proof  looked at again at once",
        "The folder can be read",
        "skip   it stays as it is, and no later step rests on it.",
        "[a]pply [s]kip [e]dit [r]etry s[h]ell [d]etails [f]inish [u]ndo and stop [k]eep and stop [?]",
    ] {
        assert!(first.contains(part), "no {part:?} in:\n{first}");
    }
    assert!(!first.contains("[b]ack"), "{first}");
    let second = pty.answer("apply");
    assert_eq!(stage.file("one"), "first\n");
    assert!(second.contains("step 2 of 3 · The second file says hello"), "{second}");
    assert!(second.contains("step 3 (The third file is there) is looked at again without it"), "{second}");
    assert!(second.contains("back   to step 1 (The first file is there), taking back its 1 change."), "{second}");
    assert!(second.contains("why    To see what happens."), "{second}");
    pty.answer("A");
    assert_eq!(stage.file("three"), "");
    ends(&mut pty, 0);
    assert_eq!(stage.file("three"), "third 22\n");
}
