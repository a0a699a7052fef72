//! What the language of runbooks does beside resources, on a real host: includes, questions, pauses.

use holdfast::event::{Event, EventKind};

use crate::operator::Operator;
use crate::support::lab::{HostSpec, Lab};

const INNER: &str = r#"
name: inner
summary: a file
why: it is a test
inputs:
  text: { type: text }
steps:
  - name: The file says what it was told
    id: file
    file: { path: /etc/holdfast-test, content: "{{ inputs.text }}\n" }
verify:
  - name: It is so
    command: [cat, /etc/holdfast-test]
    expect: { stdout: "{{ inputs.text }}" }
"#;

const OUTER: &str = r#"
name: outer
summary: a question, a pause, a file
why: it is a test
inputs:
  text: { type: text, default: hello }
steps:
  - name: Somebody looked
    id: looked
    manual: { question: Is it all right?, how: Look at it. }
  - name: It settles
    pause: 2s
  - name: The file
    include: { runbook: inner, inputs: { text: "{{ inputs.text }}" } }
"#;

#[test]
fn questions_and_pauses_come_before_what_is_due_and_never_for_nothing() {
    let lab = Lab::new("language");
    let hosts = [lab.boot(HostSpec::new("web"))];
    let host = &hosts[0];
    let operator = Operator::new(&lab, "ann", &hosts);
    operator.runbook("inner", INNER);
    operator.runbook("outer", OUTER);
    let written = || host.sh("cat /etc/holdfast-test 2>/dev/null || true");

    let dry = operator.run(&["run", "outer", "--dry-run"]);
    dry.exits(0).says("asks: Is it all right?").says("waits 2s");

    // Nobody is there, so nothing is begun.
    let nobody = operator.run(&["run", "outer", "--yes"]);
    nobody.exits(9).says("--answer looked=yes");
    let no = operator.run(&["run", "outer", "--yes", "--answer", "looked=no"]);
    no.exits(9).says("the answer to");
    let other = operator.run(&["run", "outer", "--yes", "--answer", "loked=yes"]);
    assert_eq!(other.status, 1, "{}", other.all());
    other.says("`looked`");
    assert_eq!(written(), "");

    let words = ["run", "outer", "--yes", "--answer", "looked=yes"];
    let done = operator.run(&words);
    done.exits(0).changed("web", 1);
    assert_eq!(written(), "hello\n");
    let answered = |event: &Event| matches!(event.kind, EventKind::Answered { yes: true, .. });
    assert!(done.events.iter().any(answered), "the answer is on record");

    // With nothing to do, nothing is asked and nothing is waited for.
    let again = operator.run(&["run", "outer", "--yes"]);
    again.exits(0).nothing_to_do("web");
}

/// Always due, and nothing takes it back.
const EVERY_TIME: &str = r"
name: every-time
summary: something that happens every time
why: it is a test
risk: high
steps:
  - name: It happens
    guard: true
    command: { argv: [touch, /etc/holdfast-test], always: true }
";

#[test]
fn what_a_person_accepted_for_the_plan_counts_when_it_is_planned_again() {
    let lab = Lab::new("languageever");
    let hosts = [lab.boot(HostSpec::new("web"))];
    let operator = Operator::new(&lab, "ann", &hosts);
    operator.runbook("every-time", EVERY_TIME);
    operator.run(&["run", "every-time", "--yes"]).exits(9);
    let accepted = operator.run(&["run", "every-time", "--yes", "--accept-irreversible"]);
    accepted.exits(0).changed("web", 1);
}

#[test]
fn without_root_a_condition_is_not_said_to_be_known() {
    let lab = Lab::new("languagedim");
    let hosts = [lab.boot(HostSpec::new("web"))];
    let operator = Operator::new(&lab, "ann", &hosts);
    operator.inventory("hosts:\n  web: { user: nosudo }\n");
    let told = operator.run(&["run", "ufw-enable", "--dry-run"]);
    told.exits(4)
        .says("its condition does not hold, as far as can be seen without root");
}

/// Nobody thought of a guard.
const NO_SSHD: &str = r"
name: no-sshd
summary: a service less
why: it is a test
steps:
  - name: Nothing listens on port 22
    service: { name: ssh, running: false }
";

#[test]
fn a_step_that_stops_what_logins_rest_on_is_guarded_without_saying_so() {
    let lab = Lab::new("languagecut");
    let hosts = [lab.boot(HostSpec::new("web"))];
    let operator = Operator::new(&lab, "ann", &hosts);
    operator.runbook("no-sshd", NO_SSHD);
    let told = operator.run(&["run", "no-sshd", "--yes", "--guard-time=40s"]);
    told.exits(6).says("restored itself");
    assert_eq!(hosts[0].sh("systemctl is-active ssh"), "active\n");
}
