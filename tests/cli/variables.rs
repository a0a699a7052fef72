//! Every flag as a variable.

use crate::support::sandbox::Sandbox;

/// What a verb is called with so that it ends before any host is asked.
const CALLS: [(&str, &[&str]); 12] = [
    ("run", &["nothing-of-that-name"]),
    ("plan", &["nothing-of-that-name", "--out", "x"]),
    ("apply", &["nowhere"]),
    ("verify", &["nothing-of-that-name"]),
    ("list", &[]),
    ("lint", &["nothing-of-that-name"]),
    ("render", &["nothing-of-that-name", "--host", "here"]),
    ("drift", &["-i", "nowhere"]),
    ("history", &[]),
    ("show", &["nothing"]),
    ("rollback", &["nothing"]),
    ("restore-points", &["-i", "nowhere"]),
];

/// The variables of the flags of a verb that take no value, as its help lists them.
fn flags(verb: &str) -> Vec<String> {
    let help = Sandbox::new().run(&[verb, "--help"]);
    let (mut found, mut takes_value) = (Vec::new(), false);
    for line in help.lines() {
        // What is said of a flag is further to the right.
        if line.starts_with("  -") || line.starts_with("      -") {
            takes_value = line.contains(['<', '[']);
        }
        let line = line.trim();
        let variable = line
            .strip_prefix("[env: ")
            .and_then(|rest| rest.split('=').next());
        // It is a number: how often it is said.
        found.extend(
            variable
                .filter(|name| !takes_value && *name != "HOLDFAST_VERBOSE")
                .map(str::to_owned),
        );
    }
    found
}

#[test]
fn a_variable_that_says_no_counts_as_if_it_were_not_there_and_odd_words_name_it() {
    let mut seen = 0;
    for (verb, words) in CALLS {
        let call = [&[verb], words].concat();
        let without = Sandbox::new().run(&call);
        for variable in flags(verb) {
            let says = |value: &str| Sandbox::new().variable(&variable, value).run(&call);
            for no in ["", "Off"] {
                assert_eq!(says(no), without, "{verb}: {variable}={no}");
            }
            let said = says("1");
            assert!(
                !said.contains("invalid value"),
                "{verb}: {variable}=1: {said}"
            );
            let said = says("maybe");
            assert!(said.starts_with("status: 1"), "{verb}: {said}");
            assert!(
                said.contains(&format!("hint: the environment says {variable}=maybe")),
                "{verb}: {said}"
            );
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} flags were seen");
}

#[test]
fn a_mistake_in_the_environment_names_the_variable_and_one_on_the_command_line_does_not() {
    let sandbox = Sandbox::new().variable("HOLDFAST_FORKS", "many");
    let said = sandbox.run(&["run", "ufw-cf-refresh", "-n"]);
    assert!(
        said.contains("invalid value 'many' for '--forks <N>'"),
        "{said}"
    );
    assert!(
        said.contains("the environment says HOLDFAST_FORKS=many"),
        "{said}"
    );
    let sandbox = Sandbox::new().variable("HOLDFAST_FORKS", "5");
    let said = sandbox.run(&["run", "ufw-cf-refresh", "-n", "--forks", "few"]);
    assert!(
        said.contains("'few'") && !said.contains("environment"),
        "{said}"
    );
    // Two flags that cannot be together, one of them nowhere to be seen.
    let sandbox = Sandbox::new().variable("HOLDFAST_YES", "1");
    let said = sandbox.run(&["run", "ufw-cf-refresh", "--guided"]);
    assert!(said.contains("cannot be used with"), "{said}");
    assert!(
        said.contains("the environment says HOLDFAST_YES=1"),
        "{said}"
    );
    // Nothing is no run to go on from.
    let sandbox = Sandbox::new().variable("HOLDFAST_RESUME", "");
    let said = sandbox.run(&["run", "nothing-of-that-name", "--yes"]);
    assert!(!said.contains("go on from"), "{said}");
    let sandbox = Sandbox::new()
        .variable("HOLDFAST_LAST", "1")
        .variable("HOLDFAST_HOST", "nobody");
    assert!(
        sandbox
            .run(&["history"])
            .contains("No run on record here is like that.")
    );
}
