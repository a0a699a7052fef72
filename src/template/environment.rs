//! `MiniJinja` set up by our rules, with the filters and tests that runbooks need.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::stagger;
use crate::value::Cidr;

/// Enough for thousands of loop turns; stops a template that never ends.
const FUEL: u64 = 5_000_000;

pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder()
        .comment_delimiters("{##", "##}")
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    if let Ok(syntax) = syntax {
        env.set_syntax(syntax);
    }
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_formatter(format_value);
    env.set_fuel(Some(FUEL));
    env.set_debug(true);
    env.add_filter("sh", |text: &str| shell_quoted(text));
    env.add_filter("network", |text: &str| match Cidr::lenient(text) {
        Ok(cidr) => Ok(cidr.to_string()),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("`{text}`: {error}"),
        )),
    });
    env.add_test("within", within);
    stagger::add_to(&mut env);
    env.add_filter("ipv4", |list: Vec<String>| of_family(list, false));
    env.add_filter("ipv6", |list: Vec<String>| of_family(list, true));
    env
}

/// Whether an address or network lies in one of the networks.
#[expect(
    clippy::needless_pass_by_value,
    reason = "MiniJinja hands lists over by value"
)]
fn within(text: &str, networks: Vec<String>) -> Result<bool, Error> {
    let read = |text: &str| {
        Cidr::lenient(text)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("`{text}`: {error}")))
    };
    let inner = read(text)?.net();
    for network in &networks {
        if read(network)?.net().contains(&inner) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn of_family(list: Vec<String>, v6: bool) -> Vec<String> {
    list.into_iter()
        .filter(|item| item.contains(':') == v6)
        .collect()
}

/// A POSIX shell word that means exactly `text`.
pub fn shell_quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn format_value(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    out.write_str(&plain(value)?).map_err(Error::from)
}

/// Scalars print as YAML writes them; a list or mapping in a text is a mistake.
pub(super) fn plain(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::None => Err(Error::new(
            ErrorKind::InvalidOperation,
            "a value that is none cannot stand in a text",
        )),
        ValueKind::Number | ValueKind::String => Ok(value.to_string()),
        kind => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a {kind} cannot stand in a text; write `| join(\", \")`"),
        )),
    }
}
