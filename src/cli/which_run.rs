//! The run that an operator means: its id, enough of its beginning or its end, or `last`.

use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::journal::{self, RunId};

/// Finds it among the runs below a state folder. `last` is the newest of all, dry runs included.
///
/// # Errors
/// When there is none, or more than one.
pub(super) fn find(state: &Path, text: &str) -> Result<RunId, Diagnostic> {
    let runs = journal::runs(state).map_err(|error| Diagnostic::error(error.to_string()))?;
    if text == "last" {
        let newest = runs.into_iter().next_back();
        return newest.ok_or_else(|| Diagnostic::error("no run is on record here yet"));
    }
    if let Some(exact) = runs.iter().find(|run| run.as_str() == text) {
        return Ok(exact.clone());
    }
    let fits = |run: &&RunId| {
        let id = run.as_str();
        let random = id.rsplit('-').next().unwrap_or(id);
        text.len() >= 2 && (id.starts_with(text) || random.starts_with(text) || id.ends_with(text))
    };
    let found: Vec<&RunId> = runs.iter().filter(fits).collect();
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(
            Diagnostic::error(format!("there is no run `{text}` on record here"))
                .hint("`holdfast history --all` lists them"),
        ),
        [first, .., last] => {
            let message = format!("{} runs are called like `{text}`", found.len());
            Err(Diagnostic::error(message).hint(format!("say more of it: {first} … {last}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;

    #[test]
    fn a_run_is_found_by_enough_of_its_id() {
        let state = tempfile::tempdir().unwrap();
        let find = |text: &str| match find(state.path(), text) {
            Ok(run) => run.to_string(),
            Err(error) => error.message,
        };
        assert_eq!(find("last"), "no run is on record here yet");
        for run in [
            "20261120-100000-aaaaaa",
            "20261121-100000-bbbbbb",
            "20261121-100001-cccccc",
        ] {
            Journal::create(state.path(), &run.parse().unwrap()).unwrap();
        }
        assert_eq!(find("last"), "20261121-100001-cccccc");
        assert_eq!(find("20261120-100000-aaaaaa"), "20261120-100000-aaaaaa");
        assert_eq!(find("20261120"), "20261120-100000-aaaaaa");
        assert_eq!(find("bbbb"), "20261121-100000-bbbbbb");
        assert_eq!(find("00-bbbbbb"), "20261121-100000-bbbbbb");
        assert_eq!(find("20261121"), "2 runs are called like `20261121`");
        assert_eq!(find("x"), "there is no run `x` on record here");
        assert_eq!(find("../x"), "there is no run `../x` on record here");
    }
}
