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
        fs::create_dir_all(stage.folder()).unwrap();
        stage.runbook(runbook);
        stage
    }

    fn runbook(&self, text: &str) {
        let text = text.replace("FOLDER", "/mnt");
        let name = text
            .lines()
            .next()
            .unwrap()
            .trim_start_matches("name: ")
            .to_owned();
        self.sandbox.file(&format!("runbooks/{name}.yaml"), &text);
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.project().join("made")
    }

    /// What a file holds; nothing when it is not there.
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    /// The record of the last run.
    fn journal(&self) -> String {
        let runs = fs::read_dir(self.sandbox.state().join("runs")).unwrap();
        let mut runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
        runs.sort();
        fs::read_to_string(runs.last().unwrap().join("events.jsonl")).unwrap()
    }

    /// The id of the last run.
    fn run_id(&self) -> String {
        let runs = fs::read_dir(self.sandbox.state().join("runs")).unwrap();
        let ids = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
        ids.max().unwrap()
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
    assert!(
        second.contains("step 2 of 3 · The second file says hello"),
        "{second}"
    );
    assert!(
        second.contains("step 3 (The third file is there) is looked at again without it"),
        "{second}"
    );
    assert!(
        second.contains("back   to step 1 (The first file is there), taking back its 1 change."),
        "{second}"
    );
    assert!(second.contains("why    To see what happens."), "{second}");
    pty.answer("A");
    assert_eq!(stage.file("three"), "");
    ends(&mut pty, 0);
    assert_eq!(stage.file("three"), "third 22\n");
}

#[test]
fn what_is_skipped_stays_out_and_is_on_record() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("s");
    let third = pty.answer("a");
    assert!(
        third.contains("- step 2: The second file says hello · skipped by ops@"),
        "{third}"
    );
    assert!(
        third.contains("step 3 (The third file is there) is looked at again without it"),
        "{third}"
    );
    assert!(
        third.contains("back   to step 2 (The second file says hello), which was skipped."),
        "{third}"
    );
    ends(&mut pty, 0);
    assert_eq!([stage.file("one"), stage.file("two")], ["first\n", ""]);
    assert_eq!(stage.file("three"), "third 22\n");
    assert!(stage.journal().contains(r#""skip""#));

    // Everything left out is nothing done, and that is said.
    let stage = Stage::new();
    let mut pty = stage.guided();
    for _ in 0..3 {
        pty.answer("skip");
    }
    ends(&mut pty, 0);
    assert!(!stage.folder().join("one").exists());
}

#[test]
fn an_edited_input_makes_the_plan_anew_and_what_is_done_stays_done() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("e");
    let asked = pty.expect("NAME=VALUE, or Enter for none ");
    assert!(
        asked.contains("word=hello (text): what the second file says"),
        "{asked}"
    );
    pty.write("wort=x\n");
    let said = pty.expect("NAME=VALUE, or Enter for none ");
    assert!(
        said.contains("there is no input `wort`") && said.contains("`word`"),
        "{said}"
    );
    pty.write("port=70000\n");
    let said = pty.expect("NAME=VALUE, or Enter for none ");
    assert!(said.contains("input `port` must be"), "{said}");
    pty.write("\n");
    pty.expect("Nothing was edited.");
    pty.answer("e word=bonjour");
    let anew = pty.answer("a");
    assert!(anew.contains("step 2: word=bonjour, says ops@"), "{anew}");
    assert!(
        anew.contains("step 2 of 3 · The second file says bonjour"),
        "{anew}"
    );
    assert!(anew.contains("+bonjour"), "{anew}");
    pty.answer("e port=2222");
    let third = pty.answer("a");
    assert!(
        third.contains("step 3 of 3") && third.contains("+third 2222"),
        "{third}"
    );
    ends(&mut pty, 0);
    assert_eq!(stage.file("two"), "bonjour\n");
    assert_eq!(stage.file("three"), "third 2222\n");
    assert_eq!(stage.file("one"), "first\n");
}

#[test]
fn the_diff_is_live_and_a_step_that_moved_is_not_done_unseen() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.expect("\n> ");
    fs::write(stage.folder().join("two"), "a colleague\n").unwrap();
    pty.write("a\n");
    let second = pty.answer("s");
    assert!(
        second.contains("-a colleague") && second.contains("+hello"),
        "{second}"
    );
    assert!(second.contains("is not what the plan showed"), "{second}");
    // Between the question and the answer.
    pty.expect("\n> ");
    fs::write(stage.folder().join("three"), "a colleague\n").unwrap();
    pty.write("a\n");
    let again = pty.expect("\n> ");
    assert!(
        again.contains("no longer as it was when the plan was made"),
        "{again}"
    );
    assert!(
        again.contains("-a colleague") && again.contains("[r]etry"),
        "{again}"
    );
    assert_eq!(stage.file("three"), "a colleague\n");
    pty.write("r\n");
    ends(&mut pty, 0);
    assert_eq!(stage.file("three"), "third 22\n");
}

#[test]
fn back_takes_the_last_step_back_and_asks_about_it_again() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("a");
    let third = pty.answer("b");
    assert!(third.contains("step 3 of 3"), "{third}");
    let second = pty.expect("\n> ");
    assert!(
        second.contains("step 2: The second file says hello · taken back · 1 change"),
        "{second}"
    );
    assert!(second.contains("step 2 of 3"), "{second}");
    assert!(!stage.folder().join("two").exists());
    pty.write("b\n");
    let first = pty.expect("\n> ");
    assert!(first.contains("step 1 of 3"), "{first}");
    assert!(!stage.folder().join("one").exists());
    pty.write("b\n");
    pty.expect("Not back: nothing was decided before on these hosts.");
    pty.answer("s");
    // A step that was skipped by mistake comes again.
    pty.answer("b");
    for _ in 0..3 {
        pty.answer("a");
    }
    ends(&mut pty, 0);
    let all = || ["one", "two", "three"].map(|name| stage.file(name));
    assert_eq!(all(), ["first\n", "hello\n", "third 22\n"]);
    // A step that was taken back on the way and made again is looked at like any other.
    let run = stage.run_id();
    fs::write(stage.folder().join("two"), "by hand\n").unwrap();
    let said = ends(&mut stage.run(&["drift"]), 2);
    assert!(
        said.contains("-by hand") && said.contains("+hello"),
        "{said}"
    );
    fs::write(stage.folder().join("two"), "hello\n").unwrap();
    ends(&mut stage.run(&["drift"]), 0);
    // What was taken back on the way is no part of what the run did.
    let mut pty = stage.run(&["rollback", &run, "--yes"]);
    ends(&mut pty, 0);
    assert_eq!(all(), ["", "", ""]);
}

#[test]
fn undo_and_stop_leaves_everything_as_before() {
    let stage = Stage::new();
    fs::write(stage.folder().join("two"), "mine\n").unwrap();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("a");
    pty.expect("\n> ");
    assert_eq!(stage.file("two"), "hello\n");
    pty.write("undo\n");
    let said = ends(&mut pty, 130);
    assert!(
        said.contains("the 2 changes of this run were taken back"),
        "{said}"
    );
    assert!(!stage.folder().join("one").exists());
    assert_eq!(stage.file("two"), "mine\n");
}

#[test]
fn keep_and_stop_says_how_to_go_on_and_resume_does() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("e word=hallo");
    pty.answer("s");
    pty.answer("keep");
    let said = ends(&mut pty, 130);
    assert!(said.contains("stopped before step 3 by ops@"), "{said}");
    assert!(said.contains("the change made before stays"), "{said}");
    assert!(said.contains("--resume 2"), "{said}");
    assert_eq!([stage.file("one"), stage.file("three")], ["first\n", ""]);
    let mut pty = stage.run(&["run", "--resume"]);
    let third = pty.answer("a");
    assert!(third.contains("step 3 of 3"), "{third}");
    assert!(
        third.contains("step 2: The second file says hallo · skipped, as in the run before"),
        "{third}"
    );
    ends(&mut pty, 0);
    assert_eq!([stage.file("two"), stage.file("three")], ["", "third 22\n"]);
    let mut pty = stage.run(&["run", "--resume"]);
    let said = ends(&mut pty, 1);
    assert!(said.contains("no run is left to go on from"), "{said}");
}

#[test]
fn what_was_skipped_in_the_run_before_can_be_decided_anew() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("s");
    pty.answer("k");
    ends(&mut pty, 130);
    let mut pty = stage.run(&["run", "--resume"]);
    let third = pty.answer("b");
    assert!(
        third.contains("back   to step 2 (The second file says hello), which was skipped."),
        "{third}"
    );
    let second = pty.answer("a");
    assert!(
        second.contains("no longer skipped") && second.contains("step 2 of 3"),
        "{second}"
    );
    assert!(!second.contains("[b]ack"), "{second}");
    let third = pty.answer("b");
    assert!(third.contains("taking back its 1 change."), "{third}");
    pty.answer("s");
    pty.answer("k");
    ends(&mut pty, 130);
    assert_eq!([stage.file("one"), stage.file("two")], ["first\n", ""]);
    // What this run did is taken back, what the run before did stays.
    let mut pty = stage.run(&["run", "--resume"]);
    pty.answer("b");
    pty.answer("a");
    pty.answer("u");
    let said = ends(&mut pty, 130);
    assert!(
        said.contains("the change of this run was taken back"),
        "{said}"
    );
    assert_eq!([stage.file("one"), stage.file("two")], ["first\n", ""]);
}

#[test]
fn finish_does_the_rest_without_asking() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("f");
    let rest = ends(&mut pty, 0);
    assert!(!rest.contains("step 3 of 3"), "{rest}");
    assert_eq!(stage.file("three"), "third 22\n");
}

#[test]
fn details_show_what_is_run_and_the_way_back() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("d");
    let details = pty.expect("\n> ");
    for part in [
        "about  file ",
        "runs   hf_",
        "undo   hf_undo_",
        "only if hf_",
        "must answer as now",
    ] {
        assert!(details.contains(part), "no {part:?} in:\n{details}");
    }
    pty.write("k\n");
    ends(&mut pty, 130);
}

#[test]
fn a_shell_has_the_terminal_and_gives_it_back() {
    let mut stage = Stage::new();
    let shell = stage.folder().join("shell");
    fs::write(
        &shell,
        "#!/bin/sh\nstty -a | grep -o -- '-*icanon'\nprintf 'in the shell? '\nread -r answer\n\
        echo \"you said $answer\"\necho changed > /mnt/one\nstty raw\n",
    )
    .unwrap();
    fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    stage.sandbox = stage.sandbox.variable("SHELL", shell.to_str().unwrap());
    let mut pty = stage.guided();
    pty.answer("h");
    pty.expect("in the shell? ");
    pty.write("a word\n");
    pty.expect("you said a word");
    // The step is looked at again, and lines are read as before.
    let again = pty.answer("a");
    assert!(
        again.contains("-changed") && again.contains("+first"),
        "{again}"
    );
    pty.answer("k");
    ends(&mut pty, 130);
    assert_eq!(stage.file("one"), "first\n");
}

#[test]
fn what_is_no_answer_is_explained_and_nothing_happens() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    for (written, said) in [
        ("", "Enter alone chooses nothing"),
        ("yes", "Not yes or no here"),
        ("q", "To stop: k keeps what was done"),
        ("x", "`x` is no answer here"),
        ("a now", "Nothing may stand behind apply"),
        ("?", "take back all that this run did here"),
        ("h nowhere", "`nowhere` is none of these hosts: here."),
    ] {
        pty.answer(written);
        pty.expect(said);
    }
    assert!(!stage.folder().join("one").exists());
    pty.answer("k");
    ends(&mut pty, 130);
}

#[test]
fn answers_typed_ahead_and_pasted_lines_answer_one_question() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    // Before anything was asked.
    pty.write("a\na\na\n");
    pty.expect("\n> ");
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert!(!stage.folder().join("one").exists());
    // A paste of several lines.
    pty.write("a\na\na\na\n");
    let second = pty.expect("\n> ");
    assert!(second.contains("step 2 of 3"), "{second}");
    std::thread::sleep(std::time::Duration::from_millis(400));
    assert_eq!([stage.file("one"), stage.file("two")], ["first\n", ""]);
    pty.write("k\n");
    ends(&mut pty, 130);
}

#[test]
fn interrupt_and_end_of_input_and_a_lost_terminal_stop_cleanly() {
    for how in ["\u{3}", "\u{4}", "gone"] {
        let stage = Stage::new();
        let mut pty = stage.guided();
        pty.answer("a");
        pty.expect("\n> ");
        if how == "gone" {
            pty.hang_up();
        } else {
            pty.write(how);
        }
        let said = ends(&mut pty, 130);
        assert!(how == "gone" || said.contains("--resume 2"), "{said}");
        let journal = stage.journal();
        assert!(journal.contains("run_finished"), "{how:?}: {journal}");
        assert_eq!([stage.file("one"), stage.file("two")], ["first\n", ""]);
        let mut pty = stage.run(&["run", "--resume"]);
        pty.answer("a");
        pty.answer("a");
        ends(&mut pty, 0);
        assert_eq!(stage.file("three"), "third 22\n", "{how:?}");
    }
}

#[test]
fn it_fits_a_narrow_terminal_without_colour_and_one_that_is_resized() {
    let mut stage = Stage::new();
    stage.sandbox = stage.sandbox.variable("NO_COLOR", "1");
    let command = stage.sandbox.alone(&["run", "three", "--guided"]);
    let mut pty = Pty::start(&command, (60, 40));
    let narrow = pty.expect("\n> ");
    let prose = narrow.lines().filter(|line| !line.contains("/mnt/"));
    for line in prose.skip_while(|line| !line.contains("step 1 of 3")) {
        assert!(
            console::measure_text_width(line) <= 40,
            "{line:?} in\n{narrow}"
        );
    }
    assert!(!pty.raw().contains("\u{1b}[3"), "{:?}", pty.raw());
    insta::assert_snapshot!("narrow", pty.screen());
    pty.resize(60, 100);
    pty.write("a\n");
    let wide = pty.answer("k");
    assert!(wide.lines().any(|line| line.len() > 60), "{wide}");
    ends(&mut pty, 130);
    assert_eq!(stage.file("one"), "first\n");

    // A terminal that can do nothing at all.
    let mut stage = Stage::new();
    stage.sandbox = stage.sandbox.variable("TERM", "dumb");
    let mut pty = stage.guided();
    pty.answer("f");
    ends(&mut pty, 0);
    assert!(!pty.raw().contains('\u{1b}'), "{:?}", pty.raw());
    assert_eq!(stage.file("three"), "third 22\n");
}

#[test]
fn a_question_as_a_person_sees_it() {
    let stage = Stage::new();
    let mut pty = stage.guided();
    pty.answer("a");
    pty.expect("\n> ");
    insta::assert_snapshot!("wide", pty.screen());
    assert!(pty.raw().contains("\u{1b}[32m"), "no colour");
    pty.write("k\n");
    ends(&mut pty, 130);
}

#[test]
fn it_starts_at_a_step_and_says_what_it_leaves_out() {
    let stage = Stage::new();
    for step in ["two", "2", "The second file says hello"] {
        let mut pty = stage.run(&["run", "three", "--guided", "--start-at", step]);
        let first = pty.answer("k");
        assert!(first.contains("step 2 of 3"), "{first}");
        assert!(
            first.contains(
                "- 1  The first file is there · skipped: before the step that --start-at names"
            ),
            "{first}"
        );
        ends(&mut pty, 130);
    }
    let mut pty = stage.run(&["run", "three", "--guided", "--start-at", "tow"]);
    let said = ends(&mut pty, 3);
    assert!(
        said.contains("there is no step `tow` to start at"),
        "{said}"
    );
}

#[test]
fn a_failed_step_is_asked_about_again() {
    let stage = Stage::with(
        "name: three\nsummary: x\nsteps:\n\
        - { name: It works, file: { path: FOLDER/one, content: x } }\n\
        - { id: bad, name: It may fail, command: { argv: [sh, -c, 'test -e FOLDER/allowed && touch FOLDER/done'], creates: FOLDER/done, undo: [rm, FOLDER/done] } }\n\
        - { name: The last, file: { path: FOLDER/three, content: x } }\n",
    );
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("a");
    let failed = pty.answer("r");
    assert!(failed.contains("✗ step 2"), "{failed}");
    assert!(failed.contains("[r]etry"), "{failed}");
    pty.expect("\n> ");
    fs::write(stage.folder().join("allowed"), "").unwrap();
    pty.write("r\n");
    pty.answer("a");
    ends(&mut pty, 0);
    assert!(stage.folder().join("done").exists());
    assert_eq!(stage.file("three"), "x");
}

/// A step that does half of its work and fails, until it is allowed to do all of it; and one that says that it works.
const HALF: &str = "\
name: three
summary: x
steps:
  - { name: It works, file: { path: FOLDER/one, content: x } }
  - name: It may fail
    command:
      argv: [sh, -c, 'echo x >>FOLDER/half; test -e FOLDER/allowed && touch FOLDER/done']
      creates: FOLDER/done
      undo: [sh, -c, 'rm FOLDER/half && rm -f FOLDER/done']
  - name: It says that it works
    command:
      argv: [touch, FOLDER/said]
      creates: FOLDER/something
      undo: [rm, FOLDER/said]
";

#[test]
fn what_a_failed_step_left_is_known_to_undo_back_and_keep() {
    let stage = Stage::with(HALF);
    let there = || {
        let names = ["one", "half", "done", "said"];
        names.map(|name| stage.folder().join(name).exists())
    };
    // Undo.
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("a");
    pty.answer("u");
    let said = ends(&mut pty, 130);
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let all = "the change of this run and what was tried of step 2 and failed were taken back, and it is as before";
    assert!(flat(&said).contains(all), "{said}");
    assert_eq!(there(), [false; 4]);

    // Back: first what failed, however often, then the step before.
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("a");
    pty.answer("r");
    let twice = pty.expect("\n> ");
    assert!(
        twice.contains("back   to step 2 (It may fail), taking back what failed of it."),
        "{twice}"
    );
    assert_eq!(stage.file("half"), "x\nx\n");
    pty.write("b\n");
    let again = pty.expect("\n> ");
    assert!(
        again.contains("It may fail · taken back · what failed of it"),
        "{again}"
    );
    assert!(again.contains("step 2 of 3") && !again.contains("[r]etry, "));
    assert_eq!(there(), [true, false, false, false]);
    pty.write("b\n");
    pty.answer("a");
    assert!(!there()[0]);
    // A try that failed and one that came about are taken back together.
    pty.answer("a");
    pty.expect("\n> ");
    fs::write(stage.folder().join("allowed"), "").unwrap();
    pty.write("r\n");
    pty.answer("b");
    pty.expect("It may fail · taken back · 1 change");
    pty.expect("\n> ");
    assert_eq!(there(), [true, false, false, false]);
    pty.write("a\n");
    // What ran to its end without effect is there as well.
    pty.answer("a");
    pty.expect("it ran, but did not take effect");
    let keep = pty.answer("k");
    assert!(keep.contains("to step 3"), "{keep}");
    let said = ends(&mut pty, 3);
    let all = "the 2 changes made before and what was tried of step 3 and failed stay";
    assert!(flat(&said).contains(all), "{said}");
    assert_eq!(there(), [true; 4]);
    let mut pty = stage.run(&["rollback", "last", "--yes"]);
    ends(&mut pty, 0);
    assert_eq!(there(), [false; 4]);
}

#[test]
fn manual_steps_record_the_answer_and_high_risks_ask_without_the_flag() {
    let stage = Stage::with(
        "name: three\nsummary: x\nrisk: high\nsteps:\n\
        - { name: low, file: { path: FOLDER/one, content: x } }\n\
        - { id: seen, name: Somebody looked, manual: { question: Did you look? } }\n\
        - { name: high, risk: high, guard: false, file: { path: FOLDER/two, content: x } }\n",
    );
    let mut pty = stage.run(&["run", "three"]);
    pty.answer("a");
    pty.expect("Did you look? [y/N] ");
    pty.write("y\n");
    let high = pty.answer("k");
    assert!(
        high.contains("high; it is not guarded: nothing takes it back by itself."),
        "{high}"
    );
    ends(&mut pty, 130);
    // The answer is not asked for again.
    let mut pty = stage.run(&["run", "--resume"]);
    pty.answer("a");
    ends(&mut pty, 0);
    assert_eq!(stage.file("two"), "x");
}

#[test]
fn an_answer_counts_no_more_when_what_it_was_about_is_taken_back_or_it_asks_something_else() {
    let text = "name: three\nsummary: x\nsteps:\n\
        - { name: low, file: { path: FOLDER/one, content: x } }\n\
        - { id: seen, name: Somebody looked, manual: { question: Did you look? } }\n\
        - { name: high, file: { path: FOLDER/two, content: x } }\n";
    let question = "Did you look? [y/N] ";
    let stage = Stage::with(text);
    let mut pty = stage.guided();
    pty.answer("a");
    pty.expect(question);
    pty.write("y\n");
    pty.answer("u");
    ends(&mut pty, 130);
    // All is done anew, and so the question is asked anew.
    let mut pty = stage.run(&["run", "--resume"]);
    pty.answer("a");
    pty.expect(question);
    pty.write("y\n");
    pty.answer("k");
    ends(&mut pty, 130);
    stage.runbook(&text.replace("Did you look?", "Did you look twice?"));
    let mut pty = stage.run(&["run", "--resume"]);
    pty.expect("Did you look twice? [y/N] ");
    pty.write("y\n");
    pty.answer("a");
    ends(&mut pty, 0);
}

#[test]
fn an_answer_of_the_command_line_counts_in_a_later_run_only_where_nothing_is_changed_anew() {
    let stage = Stage::with(ASKS);
    let question = "Did you look? [y/N] ";
    let mut pty = stage.run(&["run", "three", "--guided", "--answer", "seen=yes"]);
    pty.answer("a");
    let after = pty.answer("k");
    assert!(!after.contains(question), "{after}");
    ends(&mut pty, 130);
    // Nothing is done before it.
    let run = stage.run_id();
    let mut pty = stage.run(&["run", "--resume", &run]);
    let after = pty.answer("k");
    assert!(!after.contains(question), "{after}");
    ends(&mut pty, 130);
    let mut pty = stage.run(&["rollback", &run, "--yes"]);
    ends(&mut pty, 0);
    // Left out or done: in either case it is not what the answer was about.
    for decision in ["s", "a"] {
        let mut pty = stage.run(&["run", "--resume", &run]);
        pty.answer(decision);
        pty.expect(question);
        pty.write("n\n");
        ends(&mut pty, 9);
    }
}

#[test]
fn an_answer_counts_no_more_when_an_input_is_edited() {
    let stage = Stage::with(
        "name: three\nsummary: x\ninputs: { port: { type: port, default: 1 } }\nsteps:\n\
        - { name: low, file: { path: FOLDER/one, content: '{{ inputs.port }}' } }\n\
        - { id: seen, name: It was tried, manual: { question: 'Does port {{ inputs.port }} work?' } }\n\
        - { name: high, file: { path: FOLDER/two, content: x } }\n\
        - { name: last, file: { path: FOLDER/three, content: x } }\n",
    );
    let mut pty = stage.guided();
    pty.answer("a");
    pty.expect("Does port 1 work? [y/N] ");
    pty.write("y\n");
    pty.answer("a");
    pty.answer("e port=2");
    let low = pty.answer("a");
    assert!(low.contains("step 1 of 4"), "{low}");
    pty.expect("Does port 2 work? [y/N] ");
    pty.write("y\n");
    pty.answer("f");
    ends(&mut pty, 0);
    assert_eq!([stage.file("one"), stage.file("three")], ["2", "x"]);
}

#[test]
fn steps_that_are_called_alike_are_each_a_step() {
    // Restarts of one thing, in the words that anybody would use for each.
    let restart = "- { name: The app is restarted, command: { argv: [sh, -c, 'echo x >>FOLDER/restarts'], always: true } }\n";
    let pause = "- { name: It settles, pause: 1s }\n";
    let text =
        format!("name: twice\nsummary: x\nsteps:\n{restart}{pause}{restart}{pause}{restart}");
    let stage = Stage::with(&text);
    let mut pty = stage.run(&["run", "twice", "--yes"]);
    let said = ends(&mut pty, 0);
    assert_eq!(stage.file("restarts"), "x\nx\nx\n", "{said}");
    assert_eq!(stage.journal().matches("\"step_started\"").count(), 5);

    // Of the items of a step that does not name them, one is left out.
    let stage = Stage::with(
        "name: items\nsummary: x\nsteps:\n\
        - { name: A file is there, for_each: [one, two, three], file: { path: 'FOLDER/{{ item }}', content: x } }\n",
    );
    let mut pty = stage.run(&["run", "items", "--guided"]);
    for answer in ["a", "s", "a"] {
        pty.answer(answer);
    }
    ends(&mut pty, 0);
    let there = ["one", "two", "three"].map(|name| stage.file(name));
    assert_eq!(there, ["x", "", "x"]);
}

#[test]
fn a_command_that_ran_is_not_run_again_when_its_name_says_another_value() {
    let stage = Stage::with(
        "name: three\nsummary: x\ninputs: { word: { type: text, default: one } }\nsteps:\n\
        - { name: 'It is run for {{ inputs.word }}', command: { argv: [sh, -c, 'echo x >>FOLDER/runs'], always: true, undo: ['rm', FOLDER/runs] } }\n\
        - { name: The last, file: { path: FOLDER/three, content: '{{ inputs.word }}' } }\n",
    );
    let mut pty = stage.guided();
    pty.answer("a");
    pty.answer("e word=two");
    let last = pty.answer("b");
    assert!(last.contains("step 2 of 2"), "{last}");
    let first = pty.answer("a");
    assert!(first.contains("It is run for two"), "{first}");
    assert_eq!(stage.file("runs"), "");
    pty.answer("f");
    ends(&mut pty, 0);
    assert_eq!(
        [stage.file("runs"), stage.file("three")],
        ["x\n".to_owned(), "two".to_owned()]
    );
}

#[test]
fn a_shell_that_was_killed_gives_the_terminal_back() {
    let mut stage = Stage::new();
    stage.sandbox = stage.sandbox.variable("SHELL", "/bin/bash");
    let mut pty = stage.guided();
    pty.answer("h");
    pty.expect("# ");
    pty.write("echo killed >/mnt/one; kill -KILL $$\n");
    let again = pty.answer("a");
    assert!(again.contains("-killed"), "{again}");
    pty.answer("k");
    ends(&mut pty, 130);
    assert_eq!(stage.file("one"), "first\n");
}

const ASKS: &str = "\
name: three
summary: x
steps:
  - { name: low, file: { path: FOLDER/one, content: x } }
  - { id: seen, name: Somebody looked, manual: { question: Did you look? } }
  - { name: after, file: { path: FOLDER/two, content: x } }
";

#[test]
fn who_is_gone_said_neither_yes_nor_no() {
    for gone in [false, true] {
        let stage = Stage::with(ASKS);
        let mut pty = stage.guided();
        pty.answer("a");
        pty.expect("Did you look? [y/N] ");
        if gone {
            pty.hang_up();
        } else {
            pty.write("\u{4}");
        }
        let said = ends(&mut pty, 130);
        assert!(gone || said.contains("--resume 2"), "{said}");
        let journal = stage.journal();
        assert!(!journal.contains("\"answered\""), "{journal}");
        assert!(journal.contains("run_finished"), "{journal}");
        let mut pty = stage.run(&["run", "--resume"]);
        pty.expect("Did you look? [y/N] ");
        // That is a no.
        pty.write("\n");
        ends(&mut pty, 9);
        assert_eq!(stage.file("two"), "");
    }
    // The same for the question about all of it: no is a decision, the end of input is none.
    let stage = Stage::new();
    for (answer, exit) in [("\u{4}", 130), ("n\n", 0)] {
        let mut pty = stage.run(&["run", "three"]);
        pty.expect("Make 3 changes on 1 host? [y/N] ");
        pty.write(answer);
        ends(&mut pty, exit);
        assert_eq!(stage.file("one"), "");
    }
}

/// What takes a while, so that something may happen meanwhile: until the file `go` is there.
const SLOW: &str = "\
name: slow
summary: x
steps:
  - { name: It takes a while, command: { argv: [sh, -c, 'touch FOLDER/begun; for i in $(seq 600); do test ! -e FOLDER/go || break; sleep 0.1; done; touch FOLDER/done'], creates: FOLDER/done } }
  - { name: The last, file: { path: FOLDER/last, content: ours } }
";

impl Stage {
    fn wait_for(&self, name: &str) {
        let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !self.folder().join(name).exists() {
            assert!(std::time::Instant::now() < end, "no {name}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn a_terminal_that_is_closed_under_a_shell_says_so_more_than_once_and_the_step_ends() {
    let is_over = |stage: &Stage| {
        let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !stage.journal().contains("run_finished") {
            assert!(std::time::Instant::now() < end, "{}", stage.journal());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(stage.journal().contains("\"done\""), "{}", stage.journal());
        assert_eq!(stage.file("last"), "");
    };
    // However far apart they come.
    let stage = Stage::with(SLOW);
    let mut pty = stage.run(&["run", "slow", "--yes"]);
    stage.wait_for("begun");
    for _ in 0..2 {
        let pid = i32::try_from(pty.pid()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    fs::write(stage.folder().join("go"), "").unwrap();
    ends(&mut pty, 130);
    is_over(&stage);

    // In a shell with job control, which hands the signal on.
    let stage = Stage::with(SLOW);
    let program = stage.sandbox.alone(&["run", "slow", "--yes"]);
    let mut shell = std::process::Command::new("/bin/bash");
    shell
        .args(["--norc", "-i"])
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        shell.env(name, value.unwrap());
    }
    let mut pty = Pty::start(&shell, SIZE);
    pty.expect("# ");
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    pty.write(&format!("{}\n", words.join(" ")));
    stage.wait_for("begun");
    pty.hang_up();
    pty.end();
    fs::write(stage.folder().join("go"), "").unwrap();
    is_over(&stage);
}

#[test]
fn a_saved_plan_is_gone_through_and_nothing_else_is_done() {
    let stage = Stage::new();
    let plan = |words: &[&str]| {
        let words = [&["plan", "three", "--force", "--out", "three.plan"], words].concat();
        ends(&mut stage.run(&words), 0);
    };
    let apply = || stage.run(&["apply", "three.plan", "--guided"]);
    plan(&[]);
    let mut pty = apply();
    pty.answer("a");
    let second = pty.expect("\n> ");
    assert!(!second.contains("[e]dit"), "{second}");
    pty.write("k\n");
    let said = ends(&mut pty, 130);
    assert!(
        said.contains("Go on by applying the plan again") && !said.contains("--resume"),
        "{said}"
    );
    // While a person thinks somebody else writes: that may be left out, not done.
    let mut pty = apply();
    let second = pty.answer("a");
    assert!(second.contains("step 2 of 3"), "{second}");
    pty.expect("\n> ");
    fs::write(stage.folder().join("three"), "a colleague\n").unwrap();
    pty.write("r\n");
    let third = pty.answer("a");
    assert!(
        third.contains("✗ step 3") && third.contains("moved since the plan was made"),
        "{third}"
    );
    assert!(third.contains("-a colleague"), "{third}");
    assert!(
        !third.contains("[a]pply") && !third.contains("[f]inish"),
        "{third}"
    );
    pty.expect("Not apply: it is not what the saved plan says.");
    // As it was, it may be done; and as it is not, whoever leaves it out is told in the end.
    fs::remove_file(stage.folder().join("three")).unwrap();
    pty.answer("r");
    let third = pty.expect("\n> ");
    assert!(third.contains("[a]pply"), "{third}");
    fs::write(stage.folder().join("three"), "a colleague\n").unwrap();
    pty.write("a\n");
    pty.expect("no longer as it was when the plan was made");
    pty.answer("s");
    let said = ends(&mut pty, 8);
    assert!(said.contains("nothing was proved in effect"), "{said}");
    assert_eq!(
        ["one", "two", "three"].map(|name| stage.file(name)),
        ["first\n", "hello\n", "a colleague\n"]
    );

    // Whoever is not asked any more is not asked about that either.
    plan(&["-e", "word=other"]);
    let mut pty = apply();
    pty.expect("\n> ");
    fs::write(stage.folder().join("two"), "a colleague\n").unwrap();
    pty.write("f\n");
    ends(&mut pty, 8);
    assert_eq!(
        ["two", "three"].map(|name| stage.file(name)),
        ["a colleague\n", "a colleague\n"]
    );
    fs::write(stage.folder().join("two"), "hello\n").unwrap();
    let mut pty = apply();
    for _ in 0..2 {
        pty.answer("a");
    }
    ends(&mut pty, 0);
    assert_eq!(
        ["two", "three"].map(|name| stage.file(name)),
        ["other\n", "third 22\n"]
    );
}

#[test]
fn a_rollback_is_gone_through() {
    let stage = Stage::new();
    ends(&mut stage.run(&["run", "three", "--yes"]), 0);
    let files = || ["one", "two", "three"].map(|name| stage.file(name));
    let all = files();
    let run = stage.run_id();
    let mut pty = stage.run(&["rollback", &run, "--guided"]);
    let first = pty.answer("a");
    assert!(
        first.contains("step 1 of 3 · step 3: The third file is there"),
        "{first}"
    );
    let second = pty.answer("b");
    assert!(second.contains("step 2 of 3"), "{second}");
    let first = pty.answer("a");
    assert!(
        first.contains("taken back") && first.contains("step 1 of 3"),
        "{first}"
    );
    pty.answer("k");
    let said = ends(&mut pty, 130);
    assert!(
        said.contains(&format!("Go on with `holdfast rollback {run}`")),
        "{said}"
    );
    assert_eq!(files(), ["first\n", "hello\n", ""]);
    let mut pty = stage.run(&["rollback", &run, "--guided"]);
    pty.answer("a");
    pty.answer("u");
    ends(&mut pty, 130);
    assert_eq!(files(), ["first\n", "hello\n", ""]);
    let mut pty = stage.run(&["rollback", &run, "--guided"]);
    pty.answer("s");
    pty.answer("a");
    ends(&mut pty, 0);
    assert_eq!(files(), ["", "hello\n", ""]);
    assert_ne!(files(), all);
}
