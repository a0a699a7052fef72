//! `holdfast lint`: all mistakes at once, each with its place.

use insta::assert_snapshot;

use crate::support::sandbox::Sandbox;

#[test]
fn every_mistake_is_shown_with_its_line_and_the_nearest_word() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/bad.yaml",
        r#"name: bad
summary: Has mistakes
risk: hihg
inputs:
  port: { type: prot, default: 22 }
steps:
  - name: a file with {{ inputs.prt }}
    fil:
      path: /etc/x
  - name: a wrong mode
    file: { path: etc/x, content: "", mode: "9999" }
  - name: a service
    service: { name: x, running: true }
    reload_on: [jial]
"#,
    );
    assert_snapshot!(sandbox.run(&["lint", "bad"]));
}

#[test]
fn what_is_right_is_said_in_one_line() {
    let said = Sandbox::new().run(&["lint"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(
        said.contains("1 host in the inventory: no mistakes"),
        "{said}"
    );
}

#[test]
fn a_question_needs_an_id_and_has_no_retry() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/ask.yaml",
        "name: ask\nsummary: x\nsteps:\n  - name: ask\n    manual: Did you look?\n    retry: 3\n",
    );
    let said = sandbox.run(&["lint", "ask"]);
    assert!(
        said.contains("a step with `manual` needs an `id`")
            && said.contains("`retry` makes no sense beside `manual`"),
        "{said}"
    );
}

#[test]
fn what_would_fail_on_the_host_is_found_before() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/late.yaml",
        r#"name: late
summary: Would fail on its first host
steps:
  - name: "{{ host.name | uper }} {{ facts.os.idd }}"
    when: "{{ facts.ufw.enabled }}"
    file: { path: /x, content: "" }
  - name: x
    when: "'abc'"
    file: { path: /x, content: "" }
  - name: x
    when: facts.init is zork
    file: { path: /x, content: "" }
verify:
  - name: x
    connect: { ports: [0, 70000], expect: open }
  - name: x
    http: { url: "ftp://x", not_status: [99, x] }
"#,
    );
    assert_snapshot!(sandbox.run(&["lint", "late"]));
}
