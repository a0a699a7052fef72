//! The architecture as tests: who may import whom, and tables that must know every file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Modules that never meet, in either direction: doing and telling.
const APART: [[&str; 2]; 2] = [["transport", "engine"], ["journal", "report"]];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The modules in the order of `src/lib.rs`.
fn order() -> Vec<String> {
    let map = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let lines = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    lines.map(str::to_owned).collect()
}

/// The top-level module of a file below `src`.
fn module_of(path: &Path) -> Option<String> {
    let below = path.strip_prefix(Path::new(ROOT).join("src")).unwrap();
    let first = below.components().next()?.as_os_str().to_str()?;
    let module = first.trim_end_matches(".rs");
    (module != "lib" && module != "main").then(|| module.to_owned())
}

/// Every module that a source text names after `crate::`, with its line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        for part in code.split("crate::").skip(1) {
            if part.starts_with('{') {
                found.push((number + 1, "{…}".to_owned()));
                continue;
            }
            let name: String = part
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            if !name.is_empty() {
                found.push((number + 1, name));
            }
        }
    }
    found
}

/// What is wrong with an import, if anything.
fn problem(order: &[String], from: &str, to: &str) -> Option<String> {
    let place = |name: &str| order.iter().position(|module| module == name);
    if to == "{…}" {
        return Some(
            "groups modules in one `use crate::{…}`; name each on its own line".to_owned(),
        );
    }
    let (Some(from_place), Some(to_place)) = (place(from), place(to)) else {
        return Some(format!(
            "`{from}` or `{to}` has no `pub mod` line in src/lib.rs"
        ));
    };
    let side = |name: &str| APART.iter().position(|side| side.contains(&name));
    if let (Some(a), Some(b)) = (side(from), side(to))
        && a != b
    {
        return Some(format!(
            "`{from}` imports `{to}`: doing and telling never meet"
        ));
    }
    (to_place > from_place).then(|| format!("`{from}` imports `{to}`, which is listed below it"))
}

#[test]
fn modules_import_only_from_above() {
    let order = order();
    assert!(order.len() > 10, "src/lib.rs has lost its map");
    let mut wrong = Vec::new();
    for path in rust_files(&Path::new(ROOT).join("src")) {
        let Some(from) = module_of(&path) else {
            continue;
        };
        for (line, to) in imports(&fs::read_to_string(&path).unwrap()) {
            if let Some(why) = problem(&order, &from, &to) {
                wrong.push(format!(
                    "{}:{line}: {why}",
                    path.strip_prefix(ROOT).unwrap().display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_check_bites() {
    let order: Vec<String> = ["change", "plan", "transport", "engine", "journal", "report"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(problem(&order, "engine", "plan"), None);
    assert!(
        problem(&order, "plan", "engine")
            .unwrap()
            .contains("listed below")
    );
    assert!(
        problem(&order, "report", "engine")
            .unwrap()
            .contains("never meet")
    );
    assert_eq!(
        imports("use crate::plan::X; // crate::engine"),
        [(1, "plan".to_owned())]
    );
}

#[test]
fn every_kind_of_resource_is_in_the_table() {
    let folder = Path::new(ROOT).join("src/resource");
    let table = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let rows = table
        .split("KINDS: &[Kind] = &[")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // What all kinds have in common is no kind.
        let common = ["mod", "fields", "testing"];
        let Some(kind) = name
            .strip_suffix(".rs")
            .filter(|kind| !common.contains(kind))
        else {
            continue;
        };
        assert!(
            rows.contains(&format!("{kind}::KIND")),
            "src/resource/{name} has no row in KINDS"
        );
        let cases = Path::new(ROOT).join("tests/resources").join(kind);
        assert!(
            cases.is_dir(),
            "the kind `{kind}` has no cases in tests/resources/{kind}"
        );
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for path in rust_files(&Path::new(ROOT).join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} does not open with `//!`",
            path.display()
        );
    }
}

#[test]
fn host_functions_are_defined_once_and_read_files_never_write() {
    let mut defined: BTreeMap<String, String> = BTreeMap::new();
    for entry in fs::read_dir(Path::new(ROOT).join("src/host")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let sets = [".read.sh", ".write.sh", ".trial.sh"];
        assert!(
            sets.iter().any(|set| name.ends_with(set)),
            "src/host/{name} is none of {sets:?}, so it is never sent"
        );
        for line in text.lines() {
            if let Some(function) = line
                .strip_suffix("() {")
                .or_else(|| line.strip_suffix("() ("))
            {
                assert!(
                    function.starts_with("hf_"),
                    "src/host/{name}: {function} lacks our prefix"
                );
                let before = defined.insert(function.to_owned(), name.clone());
                assert_eq!(
                    before, None,
                    "{function} is defined twice (again in {name})"
                );
            }
        }
        if name.ends_with(".read.sh") {
            // A file descriptor or /dev/null may be written to; nothing that has a name, but in a mount
            // that only the process itself sees (`unshare -m`).
            for word in [
                "mktemp", " rm ", "mkdir", " mv ", " tee ", "chmod", "chown", "touch ",
            ] {
                let code = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with('#'))
                    .filter(|line| !line.contains("unshare -m sh -c 'mount -t tmpfs "));
                let found = code.into_iter().find(|line| line.contains(word));
                assert_eq!(found, None, "src/host/{name} uses{word}");
            }
        }
    }
}
