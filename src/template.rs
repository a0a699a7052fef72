//! `MiniJinja` with our rules: strict, without clock or chance, and with errors that point.
//!
//! A [`Text`] is a template as it stands in a file; a [`Scope`] holds the values of one host. The
//! result is a pure function of the two. Block comments are `{## … ##}`, because `{#` is common in
//! shell (`${#array[@]}`).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use minijinja::Environment;
use minijinja::value::{Serde, Value, ValueKind};

use crate::diagnostic::Diagnostic;
use environment::{environment, plain};
use explain::explain;

mod check;
mod environment;
mod explain;
mod files;
mod names;
mod stagger;
mod text;
mod words;

pub use check::{Meaning, check};
pub use environment::shell_quoted;
pub use files::Templates;
pub use names::Names;
pub use text::Text;

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

    /// Whether the text is one `{{ expression }}` that comes to none: nothing is said.
    ///
    /// # Errors
    /// When the expression cannot be evaluated.
    pub fn is_none(&self, text: &Text) -> Result<bool, Diagnostic> {
        match text.single_expression() {
            Some(expression) => Ok(self.evaluate(expression, text)?.is_none()),
            None => Ok(false),
        }
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
    use crate::diagnostic::{Diagnostics, Source};
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
        assert_eq!(names::hint("x", &[]), "");
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
