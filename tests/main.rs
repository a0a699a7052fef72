//! The tests of the library and of the program that need neither root nor the lab. One binary:
//! a module that is not listed here does not run, so a test compares the list with the folder.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where something is not as it should be"
)]

mod architecture;
mod cli;
mod data;
mod hosts;
mod plans;
mod resources;
mod runbooks;
mod support;

/// Every file and folder beside this one is a module of it, or known to be something else.
#[test]
fn every_test_file_is_listed() {
    let other = [
        "main.rs",
        "audits",
        "fixtures",
        "lab",
        "run",
        "proptest-regressions",
    ];
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let known = other.contains(&name.as_str()) || listed.contains(&format!("mod {module};"));
        assert!(known, "tests/{name} is not listed in tests/main.rs");
    }
}
