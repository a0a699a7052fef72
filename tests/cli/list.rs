//! `holdfast list`.

use crate::support::sandbox::Sandbox;

#[test]
fn shipped_runbooks_are_listed_with_summary_risk_and_origin() {
    let said = Sandbox::new().run(&["list"]);
    assert!(said.starts_with("status: 0"), "{said}");
    assert!(said.contains("ufw-cf-refresh       low     Let only Cloudflare's published ranges reach the web ports"), "{said}");
    assert!(said.contains("shipped"), "{said}");
}

#[test]
fn a_file_of_the_project_wins_and_that_is_said() {
    let sandbox = Sandbox::new();
    sandbox.file(
        "runbooks/ufw-cf-refresh.yaml",
        "name: ufw-cf-refresh\nsummary: Mine\nsteps:\n  - name: x\n    command: { argv: [\"true\"], always: true }\n",
    );
    let said = sandbox.run(&["list"]);
    assert!(said.contains("Mine"), "{said}");
    assert!(
        said.contains("runbooks/ufw-cf-refresh.yaml (instead of the shipped one)"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_no_text_is_only_its_own_mistake() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.project().join("runbooks/odd.yaml"), b"name: \xff").unwrap();
    let said = sandbox.run(&["list"]);
    assert!(
        said.contains("has mistakes: see `holdfast lint odd`"),
        "{said}"
    );
    assert!(said.contains("ufw-cf-refresh       low"), "{said}");
    let said = sandbox.run(&["lint", "odd"]);
    assert!(said.contains("cannot read runbooks/odd.yaml"), "{said}");
    let said = sandbox.run(&["lint", "ufw-cf-refresh"]);
    assert!(said.starts_with("status: 0"), "{said}");
}
