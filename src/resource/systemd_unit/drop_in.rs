//! Names of drop-ins (systemd.unit(5)).

use crate::diagnostic::Diagnostic;

/// What is wrong with a name of a drop-in.
pub(super) fn wrong_drop_in(name: &str) -> Option<Diagnostic> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    let bad = name.contains(odd) || name.starts_with(['.', '-']) || name.len() > 200;
    // systemd compares the ending letter by letter.
    let ends = name
        .strip_suffix(".conf")
        .is_some_and(|stem| !stem.is_empty());
    (bad || !ends).then(|| {
        Diagnostic::error(format!("`{name}` is no name for a drop-in"))
            .hint("systemd reads drop-ins whose names end in `.conf`, such as 10-limits.conf")
    })
}
