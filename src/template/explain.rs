//! Errors of templates in our words, with their place.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::Text;
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::yaml::Style;

/// Turns a template error into one of ours. `MiniJinja`'s own long form is never shown: it prints
/// the values of variables, and those may be secret.
pub(super) fn explain(error: &Error, text: &Text, values: Option<&Value>) -> Diagnostic {
    let range = error
        .range()
        .filter(|_| error.template_source() == Some(text.text.as_str()));
    let place = match (&range, error.line()) {
        (None, Some(line)) if text.style == Style::Block && line > 1 => Place {
            line: text.place.line + line - 1,
            column: 1,
            width: 1,
            source: text.place.source.clone(),
        },
        _ => text.place_within(range.clone()),
    };
    let named = range
        .and_then(|range| text.text.get(range))
        .unwrap_or("")
        .trim();
    let detail = error.detail().unwrap_or("");
    match error.kind() {
        ErrorKind::UndefinedError => {
            let message = if named.is_empty() {
                "a variable is not defined".to_owned()
            } else {
                format!("`{named}` is not defined")
            };
            let diagnostic = Diagnostic::error(message).at(&place);
            match values.and_then(|values| near_name(named, values)) {
                Some(found) => diagnostic.hint(format!("did you mean `{found}`?")),
                None => diagnostic,
            }
        }
        kind if detail.is_empty() => Diagnostic::error(format!("template: {kind}")).at(&place),
        _ => Diagnostic::error(format!("template: {detail}")).at(&place),
    }
}

/// The known name that a dotted path was probably meant to be.
fn near_name(path: &str, values: &Value) -> Option<String> {
    let (parent, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = values.clone();
    for part in parent.split('.').filter(|part| !part.is_empty()) {
        at = at.get_attr(part).ok()?;
    }
    let keys: Vec<String> = at.try_iter().ok()?.map(|key| key.to_string()).collect();
    let known: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = nearest(last, &known)?;
    Some(if parent.is_empty() {
        found.to_owned()
    } else {
        format!("{parent}.{found}")
    })
}
