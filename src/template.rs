//! MiniJinja with our rules: strict, without clock or chance, and with errors that point.
//!
//! A [`Text`] is a template as it stands in a file; a [`Scope`] holds the values of one host. The
//! result is a pure function of the two. Block comments are `{## … ##}`, because `{#` is common in
//! shell (`${#array[@]}`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source, nearest};
use crate::value::Cidr;
use crate::yaml::{Node, Style};

/// A text of a file, perhaps with `{{ }}` in it, and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    /// As written, quotes resolved.
    pub text: String,
    /// Where it starts.
    pub place: Place,
    style: Style,
}

impl Text {
    /// The text of a scalar node.
    pub fn from_node(node: &Node) -> Option<Self> {
        node.text().map(|text| Self {
            text: text.to_owned(),
            place: node.place.clone(),
            style: node.style,
        })
    }

    /// A text of our own, for defaults.
    pub fn fixed(text: &str) -> Self {
        let source = Source::new("default", text);
        Self {
            text: text.to_owned(),
            place: Place {
                source,
                line: 1,
                column: 1,
                width: 1,
            },
            style: Style::Flow,
        }
    }

    /// Whether nothing is left to render.
    pub fn is_constant(&self) -> bool {
        !self.text.contains("{{") && !self.text.contains("{%")
    }

    /// The expression, when the whole text is one `{{ expression }}`.
    fn single_expression(&self) -> Option<&str> {
        let inner = self.text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        let one = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%");
        one.then_some(inner)
    }

    /// The place in the file of a byte range of the text.
    fn place_within(&self, range: Option<Range<usize>>) -> Place {
        let Some(range) = range.filter(|range| self.text.get(range.clone()).is_some()) else {
            return self.place.clone();
        };
        let before = &self.text[..range.start];
        let width = self.text[range]
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .count();
        let column = before.rsplit('\n').next().unwrap_or("").chars().count();
        match self.style {
            Style::Block => {
                let line = self.place.line + before.matches('\n').count();
                let shown = self.place.source.line(line).unwrap_or("");
                let own = self
                    .text
                    .lines()
                    .nth(before.matches('\n').count())
                    .unwrap_or("");
                let indent = shown.chars().count().saturating_sub(own.chars().count());
                Place {
                    line,
                    column: 1 + indent + column,
                    width: width.max(1),
                    source: self.place.source.clone(),
                }
            }
            Style::Flow => {
                let quote = self
                    .place
                    .source
                    .line(self.place.line)
                    .and_then(|line| line.chars().nth(self.place.column - 1));
                let shift = usize::from(matches!(quote, Some('"' | '\'')));
                self.place.shifted(column + shift, width)
            }
        }
    }
}

/// Template files by their name (`fail2ban/sshd-jail.conf.j2`). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Templates(Arc<BTreeMap<String, Source>>);

impl Templates {
    /// These files.
    pub fn new(files: BTreeMap<String, Source>) -> Self {
        Self(Arc::new(files))
    }

    /// The file of that name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Which names a template may use, known before any host is asked.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, Option<BTreeSet<String>>>);

impl Names {
    /// No name at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// `root` with exactly these names below it.
    #[must_use]
    pub fn with<'a>(mut self, root: &str, below: impl IntoIterator<Item = &'a str>) -> Self {
        let below = below.into_iter().map(str::to_owned).collect();
        self.0.insert(root.to_owned(), Some(below));
        self
    }

    /// `root` with anything below it.
    #[must_use]
    pub fn with_any(mut self, root: &str) -> Self {
        self.0.insert(root.to_owned(), None);
        self
    }

    fn problem(&self, path: &str) -> Option<String> {
        let (root, rest) = path
            .split_once('.')
            .map_or((path, None), |(a, b)| (a, Some(b)));
        match (self.0.get(root), rest) {
            (None, None) if FUNCTIONS.contains(&root) => None,
            (None, _) => {
                let known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                Some(hint(root, &known))
            }
            (Some(Some(below)), Some(rest)) => {
                let first = rest.split('.').next().unwrap_or(rest);
                let known: Vec<&str> = below.iter().map(String::as_str).collect();
                (!below.contains(first)).then(|| hint(first, &known))
            }
            (Some(_), _) => None,
        }
    }
}

/// MiniJinja's own functions, which count as names to it.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(found) => format!("did you mean `{found}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Text with `{{ }}` in it.
    Template,
    /// One expression without braces, as in `when:`.
    Expression,
}

/// Checks syntax and names of a text before any value is known.
pub fn check(text: &Text, meaning: Meaning, names: &Names, out: &mut Diagnostics) {
    let env = environment();
    let used = match meaning {
        Meaning::Template => env
            .template_from_str(&text.text)
            .map(|template| template.undeclared_variables(true)),
        Meaning::Expression => env
            .compile_expression(&text.text)
            .map(|expression| expression.undeclared_variables(true)),
    };
    match used {
        Err(error) => out.push(explain(&error, text, None)),
        Ok(used) => {
            let used: BTreeSet<String> = used.into_iter().collect();
            for path in used {
                if let Some(hint) = names.problem(&path) {
                    let place = text.place_within(find_name(&text.text, &path));
                    let message = format!("`{path}` is not defined");
                    out.push(Diagnostic::error(message).at(&place).hint(hint));
                }
            }
        }
    }
}

fn find_name(text: &str, path: &str) -> Option<Range<usize>> {
    text.find(path).map(|start| start..start + path.len())
}

/// The values of one host, and the template files, to render texts with.
#[derive(Debug, Clone)]
pub struct Scope {
    values: Value,
    templates: Templates,
}

impl Scope {
    /// A scope with these values at its top.
    pub fn new(values: &serde_json::Value, templates: Templates) -> Self {
        Self {
            values: Value::from(Serde(values)),
            templates,
        }
    }

    /// The template files.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The text with every `{{ }}` filled in.
    pub fn text(&self, text: &Text) -> Result<String, Diagnostic> {
        if text.is_constant() {
            return Ok(text.text.clone());
        }
        let env = self.environment();
        env.template_from_str(&text.text)
            .and_then(|template| template.render(&self.values))
            .map_err(|error| explain(&error, text, Some(&self.values)))
    }

    /// The rendered text as a checked value.
    pub fn parse<T>(&self, text: &Text) -> Result<T, Diagnostic>
    where
        T: FromStr,
        T::Err: Display,
    {
        let rendered = self.text(text)?;
        rendered.trim().parse().map_err(|error: T::Err| {
            Diagnostic::error(format!("`{}` is not valid: {error}", shorten(&rendered)))
                .at(&text.place)
        })
    }

    /// The rendered items: a text that is one `{{ expression }}` may yield a whole list.
    pub fn list(&self, texts: &[Text]) -> Result<Vec<Text>, Diagnostic> {
        let mut items = Vec::new();
        for text in texts {
            match text.single_expression() {
                None => items.push(Text {
                    text: self.text(text)?,
                    ..text.clone()
                }),
                Some(expression) => {
                    let value = self.evaluate(expression, text)?;
                    self.flatten(&value, text, &mut items)?;
                }
            }
        }
        Ok(items)
    }

    fn flatten(&self, value: &Value, text: &Text, items: &mut Vec<Text>) -> Result<(), Diagnostic> {
        if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            let inner = value
                .try_iter()
                .map_err(|error| explain(&error, text, None))?;
            for item in inner {
                self.flatten(&item, text, items)?;
            }
            return Ok(());
        }
        let shown = plain(value).map_err(|error| explain(&error, text, None))?;
        items.push(Text {
            text: shown,
            ..text.clone()
        });
        Ok(())
    }

    /// Each value of `for_each`: the items of a list expression or of a list in the file.
    pub fn values(&self, texts: &[Text]) -> Result<Vec<Value>, Diagnostic> {
        let mut values = Vec::new();
        for text in texts {
            let Some(expression) = text.single_expression() else {
                values.push(Value::from(self.text(text)?));
                continue;
            };
            let value = self.evaluate(expression, text)?;
            if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
                values.extend(
                    value
                        .try_iter()
                        .map_err(|error| explain(&error, text, None))?,
                );
            } else {
                values.push(value);
            }
        }
        Ok(values)
    }

    /// The same scope with one more name.
    #[must_use]
    pub fn with(&self, name: &str, value: Value) -> Self {
        let mut more = BTreeMap::new();
        more.insert(name.to_owned(), value);
        let values = minijinja::value::merge_maps([Value::from(more), self.values.clone()]);
        Self {
            values,
            templates: self.templates.clone(),
        }
    }

    /// Whether the expression holds. Anything but a boolean is an error: an undefined name must
    /// never skip a step silently.
    pub fn condition(&self, text: &Text) -> Result<bool, Diagnostic> {
        let expression = text.single_expression().unwrap_or(&text.text);
        let value = self.evaluate(expression, text)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            kind => Err(
                Diagnostic::error(format!("the condition is {kind}, not true or false"))
                    .at(&text.place)
                    .hint("compare it, for example `== …` or `is defined`"),
            ),
        }
    }

    fn evaluate(&self, expression: &str, text: &Text) -> Result<Value, Diagnostic> {
        let env = self.environment();
        let compiled = env.compile_expression(expression);
        let value = compiled
            .and_then(|compiled| compiled.eval(&self.values))
            .map_err(|error| explain(&error, text, Some(&self.values)))?;
        if value.is_undefined() {
            let name = expression.trim();
            return Err(Diagnostic::error(format!("`{name}` is not defined")).at(&text.place));
        }
        Ok(value)
    }

    /// A template file with every `{{ }}` filled in.
    pub fn file(&self, name: &str, asked: &Text) -> Result<String, Diagnostic> {
        let Some(source) = self.templates.get(name) else {
            let names: Vec<&str> = self.templates.names().collect();
            return Err(Diagnostic::error(format!("there is no template `{name}`"))
                .at(&asked.place)
                .nearest(name, names));
        };
        let text = Text {
            text: source.text().to_owned(),
            place: Place {
                source: source.clone(),
                line: 1,
                column: 1,
                width: 1,
            },
            style: Style::Block,
        };
        let env = self.environment();
        env.get_template(name)
            .and_then(|template| template.render(&self.values))
            .map_err(|error| explain(&error, &text, Some(&self.values)))
    }

    fn environment(&self) -> Environment<'static> {
        let mut env = environment();
        let templates = self.templates.clone();
        env.set_loader(move |name| Ok(templates.get(name).map(|source| source.text().to_owned())));
        env
    }
}

/// Enough for thousands of loop turns; stops a template that never ends.
const FUEL: u64 = 5_000_000;

fn environment() -> Environment<'static> {
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
    env.add_filter("ipv4", |list: Vec<String>| of_family(list, false));
    env.add_filter("ipv6", |list: Vec<String>| of_family(list, true));
    env
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
fn plain(value: &Value) -> Result<String, Error> {
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

/// Turns a template error into one of ours. MiniJinja's own long form is never shown: it prints
/// the values of variables, and those may be secret.
fn explain(error: &Error, text: &Text, values: Option<&Value>) -> Diagnostic {
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

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).filter(|c| !c.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;
    use serde_json::json;

    fn text(yaml_text: &str) -> Text {
        let node = yaml::parse(&Source::new("r.yaml", yaml_text)).unwrap();
        Text::from_node(node.get("x").unwrap()).unwrap()
    }

    fn scope() -> Scope {
        let values = json!({
            "inputs": {"ports": [443, 8443], "on": true, "name": "web"},
            "data": {"a": ["192.0.2.0/24"], "b": ["2001:db8::/32"]},
        });
        Scope::new(&values, Templates::default())
    }

    #[test]
    fn texts_render_strictly_with_place_and_name() {
        let scope = scope();
        assert_eq!(
            scope.text(&text("x: 'on={{ inputs.on }}'")).unwrap(),
            "on=true"
        );
        let error = scope
            .text(&text("a: 1\nx: \"host {{ inputs.nam }}\""))
            .unwrap_err();
        assert_eq!(error.message, "`inputs.nam` is not defined");
        assert_eq!(error.place.unwrap().to_string(), "r.yaml:2:13");
        assert_eq!(error.hint.unwrap(), "did you mean `inputs.name`?");
    }

    #[test]
    fn block_texts_point_at_the_right_line() {
        let error = scope()
            .text(&text("x: |\n  one\n  two {{ inputs.nope }}\n"))
            .unwrap_err();
        assert_eq!(error.place.unwrap().to_string(), "r.yaml:3:10");
    }

    #[test]
    fn an_expression_yields_a_list() {
        let list = scope().list(&[text("x: '{{ data.a + data.b }}'")]).unwrap();
        let texts: Vec<_> = list.into_iter().map(|t| t.text).collect();
        assert_eq!(texts, ["192.0.2.0/24", "2001:db8::/32"]);
        let ports = scope().list(&[text("x: '{{ inputs.ports }}'")]).unwrap();
        assert_eq!(ports[1].text, "8443");
    }

    #[test]
    fn lists_in_a_text_are_refused_with_the_cure() {
        let error = scope()
            .text(&text("x: 'p {{ inputs.ports }}'"))
            .unwrap_err();
        assert!(error.message.contains("join"), "{error}");
    }

    #[test]
    fn conditions_are_boolean_or_an_error() {
        let scope = scope();
        assert!(scope.condition(&text("x: inputs.on")).unwrap());
        assert!(!scope.condition(&text("x: inputs.name == 'db'")).unwrap());
        assert!(scope.condition(&text("x: nope")).is_err());
        assert!(scope.condition(&text("x: inputs.name")).is_err());
    }

    #[test]
    fn names_are_checked_before_any_value_is_known() {
        let names = Names::new().with("inputs", ["ports"]).with_any("vars");
        let mut out = Diagnostics::new();
        check(
            &text("x: '{{ inputs.port }} {{ vars.a.b }} {{ now() }}'"),
            Meaning::Template,
            &names,
            &mut out,
        );
        let said: Vec<_> = out.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(
            said,
            ["`inputs.port` is not defined", "`now` is not defined"]
        );
    }

    #[test]
    fn shell_array_lengths_are_no_comment_and_last_newlines_stay() {
        let rendered = scope()
            .text(&text("x: \"${#a[@]} {{ inputs.name }}\\n\""))
            .unwrap();
        assert_eq!(rendered, "${#a[@]} web\n");
    }

    #[test]
    fn shell_quoting_survives_quotes() {
        assert_eq!(shell_quoted("it's"), "'it'\\''s'");
        assert_eq!(shell_quoted(""), "''");
        assert_eq!(shell_quoted("a-b/c"), "a-b/c");
    }
}
