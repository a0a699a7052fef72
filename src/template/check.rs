//! What is wrong with a template can mostly be said before any value is known.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::value::Value;
use minijinja::{Environment, ErrorKind};

use super::environment::environment;
use super::explain::explain;
use super::names::{Names, hint};
use super::words::{self, Role, Word};
use super::{Scope, Templates, Text};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Text with `{{ }}` in it.
    Template,
    /// One expression without braces, as in `when:`.
    Expression,
}

/// Checks syntax, names, filters and tests of a text before any value is known.
pub fn check(text: &Text, meaning: Meaning, names: &Names, out: &mut Diagnostics) {
    if meaning == Meaning::Expression
        && let Some(start) = text.text.find("{{").or_else(|| text.text.find("{%"))
    {
        let place = text.place_within(Some(start..start + 2));
        let message = "an expression stands here, without braces";
        let hint = text
            .single_expression()
            .map(|inner| format!("write `{}`", inner.trim()));
        let hint = hint.unwrap_or_default();
        out.push(Diagnostic::error(message).at(&place).hint(hint));
        return;
    }
    let env = environment();
    let used = match meaning {
        Meaning::Template => env
            .template_from_str(&text.text)
            .map(|template| template.undeclared_variables(true)),
        Meaning::Expression => env
            .compile_expression(&text.text)
            .map(|expression| expression.undeclared_variables(true)),
    };
    let used: BTreeSet<String> = match used {
        Ok(used) => used.into_iter().collect(),
        Err(error) => return out.push(explain(&error, text, None)),
    };
    let mut sound = true;
    for path in &used {
        if let Some(hint) = names.problem(path) {
            let place = text.place_within(find_name(&text.text, path));
            let message = format!("`{path}` is not defined");
            out.push(Diagnostic::error(message).at(&place).hint(hint));
            sound = false;
        }
    }
    for word in words::called(&text.text, meaning == Meaning::Expression) {
        if let Some((message, hint)) = unknown_word(&env, &word) {
            let place = text.place_within(Some(word.range));
            out.push(Diagnostic::error(message).at(&place).hint(hint));
            sound = false;
        }
    }
    // What depends on no value can be looked at now.
    if sound && meaning == Meaning::Expression && used.is_empty() {
        let scope = Scope::new(&serde_json::json!({}), Templates::default());
        if let Err(problem) = scope.condition(text) {
            out.push(problem);
        }
    }
}

/// What is wrong with a filter or test that `MiniJinja` does not know, and the hint.
pub(super) fn unknown_word(env: &Environment<'_>, word: &Word<'_>) -> Option<(String, String)> {
    let mut state = env.empty_state();
    let (failed, what, known) = match word.role {
        Role::Filter => {
            let asked = state.apply_filter(word.name, &[Value::from(())]);
            (asked.err(), "filter", &words::FILTERS[..])
        }
        Role::Test => {
            let asked = state.perform_test(word.name, &[Value::from(())]);
            (asked.err(), "test", &words::TESTS[..])
        }
    };
    let kind = failed?.kind();
    matches!(kind, ErrorKind::UnknownFilter | ErrorKind::UnknownTest).then(|| {
        let message = format!("there is no {what} `{}`", word.name);
        (message, hint(word.name, known))
    })
}

fn find_name(text: &str, path: &str) -> Option<Range<usize>> {
    text.find(path).map(|start| start..start + path.len())
}
