//! Typed inputs: declared with type, default, bounds and help; checked before the first connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics, Place};
use crate::shape::{Field, Shape, Ty};
use crate::yaml::Node;

mod kind;

pub use kind::InputType;
use kind::SCALARS;

/// One declared input.
#[derive(Debug, Clone)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: InputType,
    /// Its value when none is given; without one it must be given.
    pub default: Option<Value>,
    /// What it is for.
    pub help: String,
    min: Option<i64>,
    max: Option<i64>,
    choices: Vec<String>,
    place: Place,
}

/// One input below `inputs:`.
pub(super) const SHAPE: Shape = Shape {
    name: "an input",
    fields: &[
        Field::required(
            "type",
            Ty::Text,
            "text, int, bool, port, duration, cidr, address, hostname, user, path, url, or `list of` one of these.",
        ),
        Field::optional(
            "default",
            Ty::Any,
            "The value when none is given; without it the input must be given.",
        ),
        Field::optional(
            "help",
            Ty::Text,
            "What it is for, shown by `run RUNBOOK --help`.",
        ),
        Field::optional(
            "min",
            Ty::Int(i64::MIN, i64::MAX),
            "Lowest number, or fewest items of a list.",
        ),
        Field::optional(
            "max",
            Ty::Int(i64::MIN, i64::MAX),
            "Highest number, or most items of a list.",
        ),
        Field::optional("choices", Ty::Texts, "The only values allowed."),
    ],
    shorthand: None,
};

impl InputSpec {
    /// Reads one declaration that fits the shape of an input.
    pub fn from_node(name: &Node, node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let ty_text = SHAPE.text(node, "type")?;
        let ty = match ty_text.text.parse::<InputType>() {
            Ok(ty) => ty,
            Err(message) => {
                let word = ty_text.text.trim_start_matches("list of ");
                let names = SCALARS.iter().map(|(name, _)| *name);
                out.push(
                    Diagnostic::error(message)
                        .at(&ty_text.place)
                        .nearest(word, names),
                );
                return None;
            }
        };
        let choices = SHAPE.texts(node, "choices").unwrap_or_default();
        let spec = Self {
            name: name.text().unwrap_or_default().to_owned(),
            ty,
            default: None,
            help: SHAPE.text(node, "help").map(|t| t.text).unwrap_or_default(),
            min: SHAPE.parse(node, "min"),
            max: SHAPE.parse(node, "max"),
            choices: choices.into_iter().map(|t| t.text).collect(),
            place: name.place.clone(),
        };
        let Some(default) = SHAPE.get(node, "default") else {
            return Some(spec);
        };
        match spec.accept(&default.to_value()) {
            Ok(value) => Some(Self {
                default: Some(value),
                ..spec
            }),
            Err(why) => {
                let message = format!("the default of `{}` {why}", spec.name);
                out.push(Diagnostic::error(message).at(&default.place));
                Some(spec)
            }
        }
    }

    /// Checks a value and brings it into the form that templates see.
    ///
    /// # Errors
    /// Why it is refused, as a clause that fits after the input's name: "must be a port, …".
    pub fn accept(&self, value: &Value) -> Result<Value, String> {
        if !self.ty.list {
            let value = self.scalar(value)?;
            self.in_bounds(value.as_i64())?;
            return Ok(value);
        }
        let items: Vec<Value> = match value {
            Value::Array(items) => items.clone(),
            // On the command line a list is written with commas.
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            Value::String(text) => text
                .split(',')
                .map(|part| Value::from(part.trim()))
                .collect(),
            other => vec![other.clone()],
        };
        let count = i64::try_from(items.len()).ok();
        self.in_bounds(count)?;
        items.iter().map(|item| self.scalar(item)).collect()
    }

    fn in_bounds(&self, number: Option<i64>) -> Result<(), String> {
        let what = if self.ty.list { "items" } else { "" };
        match number {
            Some(n) if self.min.is_some_and(|min| n < min) => {
                Err(format!("must be at least {} {what}", self.min.unwrap_or(n))
                    .trim_end()
                    .to_owned())
            }
            Some(n) if self.max.is_some_and(|max| n > max) => {
                Err(format!("must be at most {} {what}", self.max.unwrap_or(n))
                    .trim_end()
                    .to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn scalar(&self, value: &Value) -> Result<Value, String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(format!("must be a {}, not {value}", self.ty));
            }
        };
        if text.chars().any(char::is_control) {
            return Err("must not hold line breaks or control characters".to_owned());
        }
        if !self.choices.is_empty() && !self.choices.contains(&text) {
            return Err(format!(
                "must be one of {}, not `{text}`",
                self.choices.join(", ")
            ));
        }
        self.ty
            .scalar
            .accept(&text)
            .map_err(|why| format!("must be {why}, not `{text}`"))
    }

    /// Where it is declared.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Values for all inputs of a runbook on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(BTreeMap<String, Value>);

impl Inputs {
    /// Puts together the values: `given` on the command line, then the inventory's, then defaults.
    ///
    /// # Errors
    /// Every unknown name, refused value and missing input at once.
    pub fn gather(
        specs: &[InputSpec],
        given: &BTreeMap<String, Value>,
        inventory: Option<&BTreeMap<String, (Value, Place)>>,
    ) -> Result<Self, Diagnostics> {
        let mut out = Diagnostics::new();
        let names = || specs.iter().map(|spec| spec.name.as_str());
        for name in given
            .keys()
            .filter(|name| !names().any(|known| known == *name))
        {
            out.push(
                Diagnostic::error(format!("there is no input `{name}`")).nearest(name, names()),
            );
        }
        for (name, (_, place)) in inventory.into_iter().flatten() {
            if !names().any(|known| known == name) {
                out.push(
                    Diagnostic::error(format!("there is no input `{name}`"))
                        .at(place)
                        .nearest(name, names()),
                );
            }
        }
        let mut values = BTreeMap::new();
        for spec in specs {
            if let Some(value) = choose(spec, given, inventory, &mut out) {
                values.insert(spec.name.clone(), value);
            }
        }
        out.into_result(Self(values))
    }

    /// The same with another value for one of them.
    ///
    /// # Errors
    /// As for [`Inputs::gather`]: an unknown name, a refused value.
    pub fn with(&self, specs: &[InputSpec], name: &str, value: Value) -> Result<Self, Diagnostics> {
        let mut values = self.0.clone();
        values.insert(name.to_owned(), value);
        Self::gather(specs, &values, None)
    }

    /// The values as templates see them.
    pub fn to_value(&self) -> Value {
        self.0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

fn choose(
    spec: &InputSpec,
    given: &BTreeMap<String, Value>,
    inventory: Option<&BTreeMap<String, (Value, Place)>>,
    out: &mut Diagnostics,
) -> Option<Value> {
    let refused = |why: String| Diagnostic::error(format!("input `{}` {why}", spec.name));
    let accepted = if let Some(value) = given.get(&spec.name) {
        spec.accept(value)
            .map_err(|why| refused(why).hint(spec.help.clone()))
    } else if let Some((value, place)) = inventory.and_then(|values| values.get(&spec.name)) {
        spec.accept(value).map_err(|why| refused(why).at(place))
    } else if let Some(default) = &spec.default {
        Ok(default.clone())
    } else {
        let hint = format!("give it with -e {}=…: {}", spec.name, spec.help);
        Err(refused("has no value".to_owned()).hint(hint.trim_end_matches(": ").to_owned()))
    };
    accepted.map_err(|diagnostic| out.push(diagnostic)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;
    use serde_json::json;

    fn spec(text: &str) -> InputSpec {
        let node = yaml::parse(&Source::new("t", text)).unwrap();
        let (key, value) = &node.entries()[0];
        let mut out = Diagnostics::new();
        let spec = InputSpec::from_node(key, value, &mut out).unwrap();
        assert!(out.is_empty(), "{out}");
        spec
    }

    #[test]
    fn values_are_checked_by_type_and_bounds() {
        let ports = spec("ports: {type: list of port, default: [443], min: 1}");
        assert_eq!(
            ports.accept(&json!("443, 8443")).unwrap(),
            json!([443, 8443])
        );
        assert_eq!(ports.accept(&json!(80)).unwrap(), json!([80]));
        assert!(ports.accept(&json!([])).unwrap_err().contains("at least 1"));
        assert!(ports.accept(&json!("022")).is_err());
        let cidr = spec("from: {type: cidr}");
        assert_eq!(
            cidr.accept(&json!("192.0.2.7")).unwrap(),
            json!("192.0.2.7/32")
        );
        assert!(
            cidr.accept(&json!("192.0.2.7/24"))
                .unwrap_err()
                .contains("host bits")
        );
        assert!(spec("t: {type: text}").accept(&json!("a\nb")).is_err());
    }

    #[test]
    fn the_command_line_wins_over_the_inventory_and_both_over_defaults() {
        let specs = [spec("n: {type: int, default: 1}")];
        let place = specs[0].place().clone();
        let inventory = BTreeMap::from([("n".to_owned(), (json!(2), place))]);
        let value = |given: &BTreeMap<String, Value>, inv| {
            Inputs::gather(&specs, given, inv).unwrap().to_value()
        };
        let none = BTreeMap::new();
        assert_eq!(value(&none, None), json!({"n": 1}));
        assert_eq!(value(&none, Some(&inventory)), json!({"n": 2}));
        let given = BTreeMap::from([("n".to_owned(), json!("3"))]);
        assert_eq!(value(&given, Some(&inventory)), json!({"n": 3}));
    }

    #[test]
    fn every_mistake_is_said() {
        let specs = [spec("n: {type: int}"), spec("m: {type: bool}")];
        let given = BTreeMap::from([("x".to_owned(), json!(1)), ("m".to_owned(), json!("maybe"))]);
        assert_eq!(
            Inputs::gather(&specs, &given, None).unwrap_err().errors(),
            3
        );
    }
}
