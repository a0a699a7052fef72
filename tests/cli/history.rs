//! `holdfast history` and `holdfast show`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use insta::assert_snapshot;

use crate::support::sandbox::Sandbox;

/// A journal as a run writes it: the events with their numbers, from the time of its id on, sealed line by line.
fn journal(sandbox: &Sandbox, run: &str, kinds: &[&str]) -> PathBuf {
    use holdfast::event::Event;
    use holdfast::journal::Chain;
    let mut chain = Chain::new();
    let mut text = String::new();
    let (date, time) = run.split_once('-').unwrap();
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute) = (&time[..2], &time[2..4]);
    for (index, kind) in kinds.iter().enumerate() {
        let json = format!(
            r#"{{"seq":{},"at":"{year}-{month}-{day}T{hour}:{minute}:{index:02}Z","kind":{kind}}}"#,
            index + 1
        );
        let event: Event = serde_json::from_str(&json).expect("an event");
        text.push_str(&chain.seal(&event).unwrap());
    }
    let folder = sandbox.state().join("runs").join(run);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("events.jsonl");
    fs::write(&path, text).unwrap();
    path
}

fn started(runbook: &str, mode: &str, hosts: &str, more: &str) -> String {
    format!(
        r#"{{"event":"run_started","format":1,"run":"x","version":"0.1.0","runbook":"{runbook}","summary":"It is so","digest":"3fa9c1d27b","mode":"{mode}","unattended":false,"operator":"ada@desk","hosts":[{hosts}]{more}}}"#
    )
}

const PLANNED: &str = r#"{"event":"host_planned","plan":{"host":"web-1","steps":[{"number":1,"id":null,"name":"The greeting is ours","subject":"file /etc/motd","risk":"low","outcome":{"seen":{"change":[{"summary":"/etc/motd","shown":[{"text":{"path":"/etc/motd","before":"a\n","after":"b\n"}}],"expects":[],"act":{"function":"hf_x","args":[],"input":null},"undo":{"impossible":{"why":"a test"}},"timing":"in_order","gives":[]}]}},"notes":[],"expects":[]}]}}"#;

const CHANGED: &str =
    r#"{"event":"host_finished","host":"web-1","result":{"changed":{"changes":1}}}"#;

fn finished(exit: u8) -> String {
    format!(r#"{{"event":"run_finished","exit":{exit},"millis":2300}}"#)
}

/// Three runs and a dry run, of which one was killed.
fn past() -> Sandbox {
    let sandbox = Sandbox::new().variable("TZ", "UTC");
    let both = r#""web-1","db-1""#;
    let from = r#","from":"192.0.2.7""#;
    journal(
        &sandbox,
        "20261119-180000-aaaaaa",
        &[
            &started("motd", "apply", r#""web-1""#, from),
            CHANGED,
            &finished(0),
        ],
    );
    journal(
        &sandbox,
        "20261120-180000-bbbbbb",
        &[&started("fail2ban", "apply", both, ""), &finished(6)],
    );
    journal(
        &sandbox,
        "20261121-180000-cccccc",
        &[&started("motd", "dry_run", both, ""), &finished(0)],
    );
    journal(
        &sandbox,
        "20261121-190000-dddddd",
        &[&started("motd", "apply", r#""web-1""#, from), CHANGED],
    );
    sandbox
}

/// Ages differ from day to day.
fn without_ages(text: &str) -> String {
    let line = |line: &str| match (line.find(" ("), line.find(" ago)")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 5..]),
        _ => line.replace(" (in the future, by this clock)", ""),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_runs_of_the_past_are_listed_newest_last() {
    let sandbox = past();
    let said = sandbox.run(&["history"]);
    assert_snapshot!(said.replace("[RUN]", "RUN"));
}

#[test]
fn a_person_sees_two_lines_for_each_run_also_on_a_narrow_terminal() {
    let sandbox = past().variable("COLUMNS", "40");
    let said = without_ages(&sandbox.run(&["history", "--format", "human", "--all"]));
    assert!(
        said.lines().all(|line| line.chars().count() <= 40),
        "{said}"
    );
    assert_snapshot!(said);
    assert!(!said.contains('\u{1b}'));
    let coloured = sandbox.run(&["history", "--format", "human", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[32mdone"), "{coloured}");
}

#[test]
fn the_list_as_json_is_one_object_for_each_run() {
    let said = past().run(&["history", "--format", "json", "--all"]);
    assert_snapshot!(said);
}

#[test]
fn runs_are_filtered_by_host_runbook_time_and_outcome() {
    let sandbox = past();
    let ids = |args: &[&str]| {
        let words = [&["history", "--format", "json"], args].concat();
        let output = sandbox.output(&words);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let id = |line: &str| {
            let run: serde_json::Value = serde_json::from_str(line).unwrap();
            run["run"].as_str().unwrap()[16..].to_owned()
        };
        text.lines().map(id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&[]), "aaaaaa bbbbbb dddddd");
    assert_eq!(ids(&["--all"]), "aaaaaa bbbbbb cccccc dddddd");
    assert_eq!(ids(&["--host", "db-1"]), "bbbbbb");
    assert_eq!(ids(&["--runbook", "motd"]), "aaaaaa dddddd");
    assert_eq!(ids(&["--outcome", "reverted"]), "bbbbbb");
    assert_eq!(ids(&["--outcome", "unfinished"]), "dddddd");
    assert_eq!(ids(&["--last", "1"]), "dddddd");
    assert_eq!(ids(&["--since", "2026-11-21T18:00:01"]), "dddddd");
    assert_eq!(ids(&["--since", "2026-11-20"]), "bbbbbb dddddd");
    assert_eq!(ids(&["--since", "2026-11-22"]), "");
    assert_eq!(ids(&["--until", "2026-11-20"]), "aaaaaa bbbbbb");
    assert_eq!(ids(&["--until", "2026-11-20", "--last", "1"]), "bbbbbb");
    assert_eq!(
        ids(&["--since", "2026-11-20", "--until", "2026-11-20"]),
        "bbbbbb"
    );
    assert_eq!(ids(&["--until", "2026-11-18"]), "");
    assert_eq!(ids(&["bbb", "cccccc"]), "bbbbbb cccccc");
}

#[test]
fn a_word_that_is_no_outcome_and_a_time_that_is_none_are_mistakes() {
    let sandbox = past();
    let said = sandbox.run(&["history", "--outcome", "fine"]);
    assert!(said.starts_with("status: 1"), "{said}");
    assert!(said.contains("done, due, refused"), "{said}");
    let said = sandbox.run(&["history", "--since", "soon"]);
    assert!(said.contains("write a span such as 2h"), "{said}");
}

#[test]
fn a_run_that_cannot_be_read_is_a_line_with_its_reason() {
    let sandbox = past();
    let runs = sandbox.state().join("runs");
    fs::create_dir_all(runs.join("20261120-190000-eeeeee")).unwrap();
    let newer = runs.join("20261120-200000-ffffff");
    fs::create_dir_all(&newer).unwrap();
    let line = r#"{"seq":1,"at":[1],"kind":{"event":"run_started","format":9},"prev":""}"#;
    fs::write(newer.join("events.jsonl"), line).unwrap();
    let said = sandbox.run(&["history"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert_eq!(
        said.lines()
            .filter(|line| line.contains("cannot be read"))
            .count(),
        2
    );
    assert!(said.contains("No such file"), "{said}");
    assert!(
        said.contains("has format 9, this version reads up to 1"),
        "{said}"
    );
    assert!(said.contains("reverted (exit 6)"), "{said}");
}

#[test]
fn a_changed_record_is_marked_in_the_list_and_found_by_verify() {
    let sandbox = past();
    let said = sandbox.run(&["history", "--verify"]);
    assert_snapshot!(said);
    let path = sandbox
        .state()
        .join("runs/20261119-180000-aaaaaa/events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"changes\":1", "\"changes\":0")).unwrap();
    let said = sandbox.run(&["history", "--verify"]);
    assert!(said.starts_with("status: 5"), "{said}");
    assert!(
        said.contains("[RUN] · not as it was written: line 3: it does not follow the line before"),
        "{said}"
    );
    assert!(
        said.contains("1 of 4 runs are not as they were written."),
        "{said}"
    );
    let said = sandbox.run(&["history", "--verify", "bbbbbb"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(
        sandbox
            .run(&["history"])
            .contains("its record was changed: line 3")
    );
    let shown = sandbox.run(&["show", "aaaaaa"]);
    assert!(shown.starts_with("status: 5"), "{shown}");
    let json = sandbox.run(&["history", "--verify", "--format", "json"]);
    assert!(json.contains(r#""found":"tampered","line":3"#), "{json}");
}

#[test]
fn runs_of_the_program_itself_are_linked_and_a_missing_one_is_noticed() {
    let sandbox = Sandbox::new().variable("SSH_CONNECTION", "192.0.2.9 50022 192.0.2.1 22");
    sandbox.file(
        "runbooks/calm.yaml",
        "name: calm\nsummary: Nothing to do\nsteps:\n  - name: the folder is there\n    command: { argv: [mkdir, /etc], creates: /etc }\n",
    );
    for _ in 0..3 {
        let said = sandbox.run(&["run", "calm", "--dry-run"]);
        assert!(said.starts_with("status: 0"), "{said}");
    }
    let said = sandbox.run(&["history", "--verify"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(
        said.contains("The records of 3 runs are untouched."),
        "{said}"
    );
    assert!(!said.contains("which run was before it"), "{said}");
    let listed = sandbox.run(&["history", "--all", "--last", "1"]);
    assert!(listed.contains("from 192.0.2.9"), "{listed}");
    let mut runs: Vec<PathBuf> = fs::read_dir(sandbox.state().join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    runs.sort();
    let name = |run: &PathBuf| run.file_name().unwrap().to_str().unwrap().to_owned();
    // Ids sort by time. Whoever came after a run has seen it; what is before the first may have been cleared away.
    fs::remove_dir_all(&runs[1]).unwrap();
    let said = sandbox.output(&["history", "--verify"]);
    assert_eq!(said.status.code(), Some(5), "{said:?}");
    let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    let gone = said
        .lines()
        .find(|line| line.contains("it is gone, and was there when"));
    assert!(gone.unwrap_or(&said).contains(&name(&runs[1])), "{said}");
    fs::remove_dir_all(&runs[0]).unwrap();
    let said = sandbox.run(&["history", "--verify"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(said.contains("the record begins here"), "{said}");
}

#[test]
fn a_run_is_told_again_as_it_was() {
    let sandbox = Sandbox::new().variable("TZ", "UTC");
    journal(
        &sandbox,
        "20261121-180000-abcdef",
        &[
            &started("motd", "apply", r#""web-1""#, r#","from":"192.0.2.7""#),
            PLANNED,
            r#"{"event":"step_started","host":"web-1","number":1,"name":"The greeting is ours"}"#,
            r#"{"event":"step_finished","host":"web-1","number":1,"name":"The greeting is ours","result":{"done":{"changes":1}}}"#,
            CHANGED,
            &finished(0),
        ],
    );
    assert_snapshot!(without_ages(&sandbox.run(&["show", "last"])));
    let json = sandbox.output(&["show", "abcd", "--format", "json"]);
    let text = String::from_utf8(json.stdout).unwrap();
    let path = sandbox
        .state()
        .join("runs/20261121-180000-abcdef/events.jsonl");
    assert_eq!(text, fs::read_to_string(path).unwrap());
    let narrow = sandbox.variable("COLUMNS", "40");
    assert_snapshot!(
        "show_narrow",
        without_ages(&narrow.run(&["show", "20261121", "--color", "always"]))
    );
}

#[test]
fn a_dry_run_looks_the_same_when_it_is_told_again() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/motd.yaml",
        "name: motd\nsummary: Says hello\nsteps:\n  - name: the greeting is there\n    file: { path: /etc/holdfast-test-motd, content: hello }\n",
    );
    let then = sandbox.output(&["run", "motd", "--dry-run"]);
    let again = sandbox.output(&["show", "last"]);
    let (then_out, then_err) = (
        String::from_utf8(then.stdout).unwrap(),
        String::from_utf8(then.stderr).unwrap(),
    );
    let again = String::from_utf8(again.stdout).unwrap();
    for line in then_out.lines() {
        assert!(again.contains(line), "{line:?} is not in {again}");
    }
    // The end of the run names the folder of the record, which is what is read now.
    for line in then_err.lines().filter(|line| !line.starts_with("Run ")) {
        assert!(again.contains(line), "{line:?} is not in {again}");
    }
}

#[test]
fn a_run_that_was_killed_shows_what_it_had_planned_and_how_it_stands() {
    let sandbox = Sandbox::new().variable("TZ", "UTC");
    let both = r#""web-1","db-1""#;
    let start = started("motd", "apply", both, "");
    journal(&sandbox, "20261121-180000-abcdef", &[&start, PLANNED]);
    assert_snapshot!(without_ages(
        &sandbox.run(&["show", "last", "--host", "web-1"])
    ));
    let said = sandbox.run(&["show", "last", "--host", "web-9"]);
    assert!(said.contains("was not about a host `web-9`"), "{said}");
    assert!(said.starts_with("status: 1"), "{said}");
}

#[test]
fn a_run_that_is_not_there_is_a_mistake() {
    let said = past().run(&["show", "nonsense"]);
    assert!(said.starts_with("status: 1"), "{said}");
    assert!(
        said.contains("there is no run `nonsense` on record here"),
        "{said}"
    );
    assert!(Sandbox::new().run(&["history"]).starts_with("status: 0"));
}

/// Whatever happened to the folder of the journal, nothing is changed without one.
#[test]
fn no_step_starts_when_the_journal_cannot_be_written() {
    let sandbox = Sandbox::new();
    let touched = sandbox.project().join("touched");
    let argv = format!("[touch, {}]", touched.display());
    sandbox.file(
        "runbooks/touch.yaml",
        &format!(
            "name: touch\nsummary: x\nsteps:\n  - name: it is there\n    guard: false\n    command: {{ argv: {argv}, creates: {} }}\n",
            touched.display()
        ),
    );
    let state = sandbox.state();
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    // Neither root nor anybody else can make a folder below a file.
    fs::write(&state, "").unwrap();
    let said = sandbox.run(&["run", "touch", "--yes"]);
    assert!(said.starts_with("status: 3"), "{said}");
    assert!(said.contains("cannot create the journal"), "{said}");
    assert!(
        said.contains("without a journal nothing is changed"),
        "{said}"
    );
    fs::remove_file(&state).unwrap();
    // Root writes everywhere, so the folder is made one that takes no entry: a link to a device's file system.
    fs::create_dir_all(&state).unwrap();
    std::os::unix::fs::symlink("/proc/self", state.join("runs")).unwrap();
    let said = sandbox.run(&["run", "touch", "--yes"]);
    assert!(said.starts_with("status: 3"), "{said}");
    assert!(!touched.exists());
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn what_a_person_declined_is_no_run_without_anything_to_do() {
    let sandbox = Sandbox::new();
    let ended =
        |result: &str| format!(r#"{{"event":"host_finished","host":"web-1","result":"{result}"}}"#);
    let start = started("motd", "apply", r#""web-1""#, "");
    let run = |id: &str, result: &str| {
        journal(
            &sandbox,
            id,
            &[&start, PLANNED, &ended(result), &finished(0)],
        )
    };
    run("20261121-180000-aaaaaa", "declined");
    run("20261121-190000-bbbbbb", "nothing_to_do");
    let said = sandbox.run(&["history"]);
    let ends: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("motd"))
        .filter_map(|line| line.rsplit(" · ").next())
        .collect();
    assert_eq!(ends, ["declined", "nothing to do"], "{said}");
}

/// A run that was stopped with one of its hosts left to do.
fn stopped(sandbox: &Sandbox, run: &str, host: &str, question: &str) -> PathBuf {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let invoked = format!(
        r#"{{"event":"invoked","invocation":{{"runbook":"motd","hosts":[{}],"inputs":{{}},"tags":[],"answers":{{}},"guided":false,"serial":null,"start_at":null,"resumes":null}}}}"#,
        quoted(host)
    );
    let answered = format!(
        r#"{{"event":"answered","host":{},"number":1,"name":"x","question":{},"yes":true,"by":"ada@desk","beforehand":false}}"#,
        quoted(host),
        quoted(question)
    );
    let start = started("motd", "apply", &quoted(host), "");
    journal(sandbox, run, &[&start, &invoked, &answered, &finished(130)])
}

#[test]
fn a_run_is_gone_on_from_by_enough_of_its_id_and_never_when_its_record_was_changed() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/motd.yaml",
        "name: motd\nsummary: x\nsteps:\n  - name: x\n    file: { path: /etc/hf-x, content: x }\n",
    );
    // Nobody answers there, so nothing is ever done.
    sandbox.file(
        "inventory/hosts.yaml",
        "hosts:\n  web-1: { address: 127.0.0.1, port: 1 }\n",
    );
    let path = stopped(&sandbox, "20261121-180000-abcdef", "web-1", "Is it off?");
    for id in ["abcd", "20261121", "20261121-180000-abcdef", "last"] {
        let said = sandbox.run(&["run", "--resume", id, "--yes"]);
        assert!(said.contains("Goes on from run [RUN]."), "{id}: {said}");
        assert!(said.starts_with("status: 4"), "{id}: {said}");
        // Otherwise that is the run to go on from.
        let runs = fs::read_dir(sandbox.state().join("runs")).unwrap();
        for run in runs.map(|run| run.unwrap().path()) {
            if run.is_dir() && run != path.parent().unwrap() {
                fs::remove_dir_all(run).unwrap();
            }
        }
    }
    let said = sandbox.run(&["run", "--resume", "zz", "--yes"]);
    assert!(
        said.contains("there is no run `zz` on record here"),
        "{said}"
    );
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Is it off?", "Is it on?")).unwrap();
    for id in ["abcd", "last"] {
        let said = sandbox.run(&["run", "--resume", id, "--yes"]);
        assert!(said.starts_with("status: 1"), "{said}");
        assert!(
            said.contains("cannot be gone on from: its record was changed: line "),
            "{said}"
        );
    }
}

#[test]
fn nothing_that_stands_in_a_journal_reaches_the_terminal_as_it_is() {
    let hostile = "web\u{1b}]0;pwn\u{7}\u{1b}[31m\u{202e}\u{9b}2J\nerror: fake\r\n  hint: fake";
    let sandbox = Sandbox::new();
    let path = stopped(&sandbox, "20261121-180000-abcdef", hostile, hostile);
    let whole = fs::read_to_string(&path).unwrap();
    let runbook = whole.replace(
        r#""runbook":"motd""#,
        &format!(r#""runbook":{}"#, serde_json::to_string(hostile).unwrap()),
    );
    for text in [whole.clone(), runbook] {
        fs::write(&path, text).unwrap();
        for words in [
            &["show", "last"][..],
            &["show", "last", "--host", "nosuch"],
            &["show", "last", "--format", "json"],
            &["history"],
            &["history", "--verify"],
            &["run", "--resume", "last", "--yes"],
            &["run", "other", "--resume", "abcd", "--yes"],
            &["rollback", "abcd", "--yes"],
        ] {
            let output = sandbox.output(words);
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
            let acts =
                |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
            assert_eq!(
                said.chars().filter(acts).collect::<String>(),
                "",
                "{words:?}: {said:?}"
            );
            let forged = |line: &str| {
                let line = line.trim_start();
                line.starts_with("error: fake") || line.starts_with("hint: fake")
            };
            assert!(!said.lines().any(forged), "{words:?}: {said}");
            assert!(!said.is_empty(), "{words:?} says nothing");
        }
    }
    fs::write(&path, whole).unwrap();
    let said = sandbox.run(&["show", "last", "--host", "nosuch"]);
    assert!(said.contains("pwn"), "its name is not even said: {said}");
}
