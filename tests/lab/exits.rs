//! Exit codes that no other topic shows: a failed step, a proof that says no, due changes, an
//! interruption.

use crate::operator::Operator;
use crate::support::lab::{HostSpec, Lab, Setup};
use holdfast::event::Fault;

const FAILING: &str = r#"
name: failing
summary: The second step fails
steps:
  - name: a note is there
    file: { path: /etc/holdfast-note, content: "x\n" }
  - name: this cannot work
    command: { argv: ["false"], always: true }
  - name: never reached
    file: { path: /etc/holdfast-never, content: "x\n" }
"#;

const UNPROVED: &str = r#"
name: unproved
summary: Its proof says no
steps:
  - name: a note is there
    file: { path: /etc/holdfast-note, content: "y\n" }
verify:
  - name: The note says z
    command: [cat, /etc/holdfast-note]
    expect: { stdout: z }
"#;

const SLOW: &str = r#"
name: slow
summary: Takes a while
steps:
  - name: a slow thing
    command: { argv: [sleep, "4"], always: true }
  - name: after the slow thing
    file: { path: /etc/holdfast-after, content: "x\n" }
"#;

#[test]
fn every_end_has_its_own_exit_code_and_what_was_done_stays_true() {
    let lab = Lab::new("exits");
    let host = lab.boot(HostSpec::new("web").setup(Setup::Bare));
    let operator = Operator::new(&lab, "ops", std::slice::from_ref(&host));
    operator.runbook("failing", FAILING);
    operator.runbook("unproved", UNPROVED);
    operator.runbook("slow", SLOW);

    let told = operator.run(&["run", "failing", "--yes"]);
    told.exits(3).says("step 2");
    told.stopped("web", Fault::Failed);
    assert_eq!(told.done("web"), [1], "the first step stays done");
    assert_eq!(
        host.sh("cat /etc/holdfast-note; ls /etc/holdfast-never 2>/dev/null || true"),
        "x\n"
    );

    let told = operator.run(&["run", "unproved", "--yes"]);
    told.exits(5).says("not so in effect");
    told.stopped("web", Fault::Verification);

    let told = operator.run(&["verify", "failing"]);
    told.exits(2);

    let running = operator.start(&["run", "slow", "--yes"]);
    running.wait_for_step(1);
    lab.operator("kill")
        .args(["-INT", &running.pid().to_string()])
        .status()
        .expect("kill runs");
    let told = running.wait();
    told.exits(130);
    assert_eq!(told.done("web"), [1], "the running step ends");
    assert_eq!(
        host.sh("ls /etc/holdfast-after 2>/dev/null || true"),
        "",
        "nothing new begins"
    );
    assert_eq!(host.sh("flock -n /run/holdfast.lock echo free"), "free\n");
}
