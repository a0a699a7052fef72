//! Every shipped runbook, and loaders that meet anything.

use std::path::Path;

use holdfast::diagnostic::Source;
use holdfast::runbook::{Act, Library, Step, load, reference};
use holdfast::template::Templates;
use proptest::prelude::*;

#[test]
fn every_shipped_runbook_loads_and_says_what_it_is_for() {
    let library = Library::open(Path::new("/nonexistent")).unwrap();
    let names: Vec<String> = library.entries().map(|entry| entry.name.clone()).collect();
    assert!(names.contains(&"ufw-cf-refresh".to_owned()));
    for name in names {
        let runbook = library
            .load(&name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            !runbook.summary.is_empty() && !runbook.why.is_empty(),
            "{name} says too little"
        );
        let includes = |step: &Step| matches!(step.act, Act::Include(_));
        assert!(
            !runbook.verify.is_empty() || runbook.steps.iter().any(includes),
            "{name} proves nothing"
        );
        for input in &runbook.inputs {
            assert!(
                !input.help.is_empty(),
                "{name}: the input {} has no help",
                input.name
            );
        }
    }
}

/// `HOLDFAST_UPDATE=1 cargo test reference` writes it anew.
#[test]
fn the_reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/REFERENCE.md");
    let text = reference();
    if std::env::var_os("HOLDFAST_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        text,
        "run it once with HOLDFAST_UPDATE=1"
    );
}

/// Pieces of runbooks, put together at random, reach deeper than arbitrary bytes.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name: x\n",
        "summary: y\n",
        "steps:\n",
        "  - name: a\n",
        "    file: {path: /x, content: \"{{ inputs.a }}\"}\n",
        "    package: [a, b]\n",
        "    when: inputs.a == 1\n",
        "inputs:\n",
        "  a: {type: int, default: 1}\n",
        "verify:\n",
        "    command: [\"true\"]\n",
        "    ufw_rules: {tag: a, allow: tcp, ports: 1, from: any}\n",
        "data:\n",
        "- ",
        "[",
        "{",
        "}",
        "\"",
        "|\n",
        "&a ",
        "*a ",
        "    retry: 3\n",
        "    service: x\n",
        "risk: high\n",
        "{{",
        "}}",
        "{% if %}",
        "\t",
        "é",
        ": ",
        "    for_each: [1, 2]\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_loads_or_is_refused_without_panic(text in any::<String>()) {
        let _ = load("x", &Source::new("x.yaml", text), Templates::default());
    }

    #[test]
    fn any_mixture_of_pieces_loads_or_is_refused_without_panic(text in pieces()) {
        if let Err(said) = load("x", &Source::new("x.yaml", text), Templates::default()) {
            prop_assert!(said.has_errors());
            let _ = said.to_string();
        }
    }
}
