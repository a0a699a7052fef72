//! `MiniJinja` with our rules: strict, without clock or chance, and with errors that point.
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

mod stagger;
mod words;

use words::{Role, Word};

/// A text of a file, perhaps with `{{ }}` in it, and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    /// As written, quotes resolved.
    pub text: String,
    /// Where it starts.
    pub place: Place,
    /// How it is written, which decides where its lines are.
    pub style: Style,
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

    /// The whole text of a file.
    pub fn of_file(source: &Source) -> Self {
        Self {
            text: source.text().to_owned(),
            place: Place {
                source: source.clone(),
                line: 1,
                column: 1,
                width: 1,
            },
            style: Style::Block,
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
pub struct Templates(Arc<BTreeMap<String, Result<Source, String>>>);

impl Templates {
    /// These files.
    pub fn new(files: BTreeMap<String, Source>) -> Self {
        let files = files.into_iter().map(|(name, source)| (name, Ok(source)));
        Self::of_files(files.collect())
    }

    /// These files; for one that cannot be read, why.
    pub fn of_files(files: BTreeMap<String, Result<Source, String>>) -> Self {
        Self(Arc::new(files))
    }

    /// The file of that name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(name)?.as_ref().ok()
    }

    /// Why there is no file of that name to use, for the text that asks for it.
    pub fn missing(&self, name: &str, asked: &Text) -> Diagnostic {
        match self.0.get(name) {
            Some(Err(why)) => Diagnostic::error(why).at(&asked.place),
            Some(Ok(_)) | None => Diagnostic::error(format!("there is no template `{name}`"))
                .at(&asked.place)
                .nearest(name, self.names()),
        }
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Which names a template may use, known before any host is asked.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, Below>);

/// What may stand below a name: anything, or exactly these.
#[derive(Debug, Clone)]
enum Below {
    Anything,
    Only(Names),
}

impl Names {
    /// No name at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// `root` with exactly these names below it.
    #[must_use]
    pub fn with<'a>(mut self, root: &str, below: impl IntoIterator<Item = &'a str>) -> Self {
        let below = below.into_iter().fold(Self::new(), Self::with_any);
        self.0.insert(root.to_owned(), Below::Only(below));
        self
    }

    /// `root` with anything below it.
    #[must_use]
    pub fn with_any(mut self, root: &str) -> Self {
        self.0.insert(root.to_owned(), Below::Anything);
        self
    }

    /// All but `root`.
    #[must_use]
    pub fn without(mut self, root: &str) -> Self {
        self.0.remove(root);
        self
    }

    /// `root` with the names below it that the mappings of `sample` have, however deep.
    #[must_use]
    pub fn with_sample(mut self, root: &str, sample: &serde_json::Value) -> Self {
        let below = match sample.as_object() {
            None => Below::Anything,
            Some(map) => Below::Only(map.iter().fold(Self::new(), |names, (name, value)| {
                names.with_sample(name, value)
            })),
        };
        self.0.insert(root.to_owned(), below);
        self
    }

    /// The hint to a dotted name that is not among these; it may be empty.
    fn problem(&self, path: &str) -> Option<String> {
        let mut names = self;
        for (depth, part) in path.split('.').enumerate() {
            if depth == 0 && !names.0.contains_key(part) && FUNCTIONS.contains(&part) {
                return None;
            }
            match names.0.get(part) {
                None => {
                    let known: Vec<&str> = names.0.keys().map(String::as_str).collect();
                    return Some(hint(part, &known));
                }
                Some(Below::Anything) => return None,
                Some(Below::Only(below)) => names = below,
            }
        }
        None
    }
}

/// `MiniJinja`'s own functions, which count as names to it.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// Empty when nothing is known.
fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(found) => format!("did you mean `{found}`?"),
        None if known.is_empty() => String::new(),
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
fn unknown_word(env: &Environment<'_>, word: &Word<'_>) -> Option<(String, String)> {
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
                    flatten(&value, text, &mut items)?;
                }
            }
        }
        Ok(items)
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
        let value = self.evaluate(&text.text, text)?;
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
            return Err(self.templates.missing(name, asked));
        };
        let text = Text::of_file(source);
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

/// Takes the items out of nested lists as texts.
fn flatten(value: &Value, text: &Text, items: &mut Vec<Text>) -> Result<(), Diagnostic> {
    if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        let inner = value
            .try_iter()
            .map_err(|error| explain(&error, text, None))?;
        for item in inner {
            flatten(&item, text, items)?;
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

/// Turns a template error into one of ours. `MiniJinja`'s own long form is never shown: it prints
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
    fn addresses_are_found_within_networks() {
        let scope = scope();
        let holds = |yaml_text| scope.condition(&text(yaml_text)).unwrap();
        assert!(holds("x: \"'192.0.2.9' is within(data.a + data.b)\""));
        assert!(!holds("x: \"'192.0.3.9' is within(data.a)\""));
        assert!(holds("x: \"'2001:db8::7' is within(data.b)\""));
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

    fn said(yaml_text: &str, meaning: Meaning) -> Vec<(String, String)> {
        let sample = json!({"os": {"id": "", "like": []}, "init": ""});
        let names = Names::new()
            .with("inputs", ["on"])
            .with_sample("facts", &sample);
        let mut out = Diagnostics::new();
        check(&text(yaml_text), meaning, &names, &mut out);
        out.into_iter()
            .map(|d| (d.message, d.hint.unwrap_or_default()))
            .collect()
    }

    fn pair(message: &str, hint: &str) -> (String, String) {
        (message.to_owned(), hint.to_owned())
    }

    #[test]
    fn deeper_names_are_checked_as_far_as_the_sample_goes() {
        let found = said(
            "x: '{{ facts.os.idd }} {{ facts.os.like[0] }} {{ facts.init.x }}'",
            Meaning::Template,
        );
        assert_eq!(
            found,
            [pair("`facts.os.idd` is not defined", "did you mean `id`?")]
        );
    }

    #[test]
    fn nothing_known_is_no_hint() {
        assert_eq!(hint("x", &[]), "");
    }

    #[test]
    fn unknown_filters_and_tests_are_found_before_any_value_is_known() {
        let found = said(
            "x: \"{{ inputs.on | uper }} {% if inputs.on is not defned %}{% endif %} | foo\"",
            Meaning::Template,
        );
        assert_eq!(
            found,
            [
                pair("there is no filter `uper`", "did you mean `upper`?"),
                pair("there is no test `defned`", "did you mean `defined`?"),
            ]
        );
        let found = said("x: inputs.on is zork", Meaning::Expression);
        assert_eq!(found[0].0, "there is no test `zork`");
    }

    #[test]
    fn a_constant_condition_that_is_no_boolean_is_found() {
        let found = said("x: \"'abc'\"", Meaning::Expression);
        assert_eq!(found[0].0, "the condition is string, not true or false");
        assert!(said("x: 'true'", Meaning::Expression).is_empty());
        assert!(said("x: inputs.on", Meaning::Expression).is_empty());
    }

    #[test]
    fn a_condition_takes_no_braces() {
        let found = said("x: '{{ inputs.on }}'", Meaning::Expression);
        assert_eq!(
            found,
            [pair(
                "an expression stands here, without braces",
                "write `inputs.on`"
            )]
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
