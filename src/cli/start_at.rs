//! Whether the step that `--start-at` names can be there, before any host is asked.

use crate::diagnostic::Diagnostic;
use crate::runbook::{Act, Runbook};

/// What is wrong with the name of a step; nothing when it is one, or may be one on some host.
pub(super) fn mistake(runbook: &Runbook, wanted: &str) -> Option<Diagnostic> {
    if wanted.parse::<usize>().is_ok_and(|number| number > 0) {
        return None;
    }
    let (mut names, mut open) = (Vec::new(), false);
    gather(runbook, "", &mut names, &mut open);
    if open || names.iter().any(|name| name == wanted) {
        return None;
    }
    let message = format!(
        "{} has no step with the id or name `{wanted}`",
        runbook.name
    );
    Some(Diagnostic::error(message).nearest(wanted, names.iter().map(String::as_str)))
}

/// The ids and names of all steps; `open` when a name is only known on a host.
fn gather(runbook: &Runbook, prefix: &str, names: &mut Vec<String>, open: &mut bool) {
    for step in &runbook.steps {
        let label = step.label();
        if let Act::Include(include) = &step.act {
            let prefix = format!("{prefix}{}/", label.unwrap_or_default());
            gather(&include.runbook, &prefix, names, open);
            continue;
        }
        names.extend(label.map(|label| format!("{prefix}{label}")));
        if step.name.is_constant() {
            names.push(step.name.text.clone());
        } else {
            *open = true;
        }
    }
}
