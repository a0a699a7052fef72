//! `holdfast render`.

use insta::assert_snapshot;

use crate::support::sandbox::Sandbox;

#[test]
fn steps_are_shown_with_everything_filled_in() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/motd.yaml",
        r#"name: motd
summary: Says hello
inputs:
  words: { type: list of text, default: [a, b] }
steps:
  - name: "{{ item }} is there on {{ host.name }}"
    for_each: "{{ inputs.words }}"
    file: { path: "/etc/{{ item }}", template: hello.j2 }
  - name: not here
    when: facts.os.id == 'plan9'
    file: { path: /x, content: "" }
"#,
    );
    sandbox.file("runbooks/templates/hello.j2", "hello {{ item }}\n");
    assert_snapshot!(sandbox.run(&["render", "motd", "--host", "here"]));
}

#[test]
fn exactly_one_host_is_rendered() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "inventory/hosts.yaml",
        "hosts:\n  here: { connection: local }\n  there: { connection: local }\n",
    );
    let said = sandbox.run(&["render", "ufw-cf-refresh", "--host", "*"]);
    assert!(said.starts_with("status: 1"), "{said}");
    assert!(
        said.contains("--host must name exactly one host; `*` names 2"),
        "{said}"
    );
    assert!(said.contains("hint: one of here, there"), "{said}");
}
