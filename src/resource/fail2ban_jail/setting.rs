//! The settings of a jail that can be compared with what fail2ban does: how each is written in a file, and in
//! which words the host answers.

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{Cidr, Duration, Port};
use crate::yaml::Node;

/// What may stand below `settings`. A setting whose effect cannot be read back is not among them.
pub(super) const SETTINGS: Shape = Shape {
    name: "the settings of a jail",
    fields: &[
        Field::optional("enabled", Ty::Bool, "Whether the jail is in use."),
        Field::optional(
            "backend",
            Ty::Word(&["auto", "systemd", "polling", "pyinotify"]),
            "Where failures are read: `systemd` is the journal, the others read log files.",
        ),
        Field::optional(
            "port",
            Ty::Texts,
            "The ports that a banned address can no longer reach.",
        ),
        Field::optional("maxretry", Ty::Int(1, 1000), "Failures before a ban."),
        Field::optional(
            "findtime",
            Ty::Duration,
            "The time within which these failures count.",
        ),
        Field::optional("bantime", Ty::Duration, "How long a ban lasts."),
        Field::optional(
            "bantime.increment",
            Ty::Bool,
            "Whether each further ban of an address lasts longer.",
        ),
        Field::optional("bantime.maxtime", Ty::Duration, "The longest ban."),
        Field::optional(
            "usedns",
            Ty::Word(&["yes", "warn", "no", "raw"]),
            "Whether names in the log are looked up.",
        ),
    ],
    shorthand: None,
};

/// One setting of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The key, in our YAML and in the file.
    pub(super) key: &'static str,
    /// As it is written in the file: "10m".
    pub(super) text: String,
    /// As the host answers it when it is in effect: "600".
    pub(super) effect: String,
}

/// The name of a jail: what can stand in a section of the file and in the name of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JailName(String);

impl JailName {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JailName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let reserved = ["DEFAULT", "INCLUDES", "KNOWN"].contains(&text);
        if text.is_empty() || text.len() > 64 || text.starts_with('-') || reserved {
            return Err("a jail's name is letters, digits, - and _");
        }
        if !text.chars().all(allowed) {
            return Err("a jail's name is letters, digits, - and _");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for JailName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address or network to ignore.
pub(super) fn ignored(text: &str) -> Result<Cidr, String> {
    let text = text.trim();
    let network = Cidr::lenient(text).map_err(|error| format!("`{text}` is not valid: {error}"))?;
    if network.net().prefix_len() == 0 {
        return Err(format!(
            "`{text}` would never ban everybody: that is everybody"
        ));
    }
    Ok(network)
}

/// An address or network as it is written in a file: a single address without its prefix.
pub(super) fn shown(network: &Cidr) -> String {
    let net = network.net();
    if net.prefix_len() == net.max_prefix_len() {
        net.addr().to_string()
    } else {
        network.to_string()
    }
}

/// Says what is wrong with values that need no rendering.
pub(super) fn check(node: &Node, out: &mut Diagnostics) {
    let texts = SETTINGS.texts(node, "port").unwrap_or_default();
    for text in texts.iter().filter(|text| text.is_constant()) {
        for word in words(&text.text) {
            if let Err(error) = word.parse::<Port>() {
                let message = format!("`{word}` is not valid: {error}");
                out.push(Diagnostic::error(message).at(&text.place));
            }
        }
    }
}

/// The settings for one host, in the order of the shape.
pub(super) fn read(node: &Node, scope: &Scope) -> Vec<Result<Setting, Diagnostic>> {
    let present = SETTINGS.fields.iter();
    let present = present.filter(|field| SETTINGS.get(node, field.name).is_some());
    present.map(|field| read_one(field, node, scope)).collect()
}

fn read_one(field: &'static Field, node: &Node, scope: &Scope) -> Result<Setting, Diagnostic> {
    let key = field.name;
    let texts = SETTINGS.texts(node, key).unwrap_or_default();
    if key == "port" {
        return ports(key, &texts, scope, node);
    }
    let Some(text) = SETTINGS.text(node, key) else {
        return Err(Diagnostic::error(format!("`{key}` has no value")).at(&node.place));
    };
    let (text, effect) = match field.ty {
        Ty::Bool => {
            let on: bool = scope.parse(&text)?;
            (on.to_string(), if on { "yes" } else { "no" }.to_owned())
        }
        Ty::Duration => {
            let span: Duration = scope.parse(&text)?;
            (span.to_string(), span.get().as_secs().to_string())
        }
        Ty::Int(least, most) => {
            let number = within(scope.parse(&text)?, least, most)
                .map_err(|error| Diagnostic::error(error).at(&text.place))?;
            (number.to_string(), number.to_string())
        }
        _ => {
            let word = word(field.ty, scope.text(&text)?.trim())
                .map_err(|error| Diagnostic::error(format!("`{key}` {error}")).at(&text.place))?;
            (word.clone(), word)
        }
    };
    Ok(Setting { key, text, effect })
}

fn within(number: i64, least: i64, most: i64) -> Result<i64, String> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{number} is not within {least} to {most}"))
    }
}

fn word(ty: Ty, word: &str) -> Result<String, String> {
    match ty {
        Ty::Word(words) if !words.contains(&word) => {
            Err(format!("must be one of {}", words.join(", ")))
        }
        _ => Ok(word.to_owned()),
    }
}

fn ports(
    key: &'static str,
    texts: &[Text],
    scope: &Scope,
    node: &Node,
) -> Result<Setting, Diagnostic> {
    let mut ports: Vec<Port> = Vec::new();
    let mut place = &node.place;
    let rendered = scope.list(texts)?;
    for text in &rendered {
        place = &text.place;
        for word in words(&text.text) {
            let port = word.parse().map_err(|error| {
                Diagnostic::error(format!("`{word}` is not valid: {error}")).at(&text.place)
            })?;
            ports.push(port);
        }
    }
    if ports.is_empty() {
        let message = "the jail would watch no port at all";
        return Err(Diagnostic::error(message).at(place));
    }
    ports.sort_unstable();
    ports.dedup();
    let ports: Vec<String> = ports.iter().map(Port::to_string).collect();
    let text = ports.join(",");
    Ok(Setting {
        key,
        effect: text.clone(),
        text,
    })
}

/// The parts of a list that is written with commas or blanks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|word| !word.is_empty())
}
