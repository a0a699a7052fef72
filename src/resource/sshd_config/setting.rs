//! A keyword of `sshd_config` with its value, as the runbook says it.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::Fields;
use crate::template::{Scope, Text};
use crate::yaml::{Kind, Node};

/// A keyword with at least one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) keyword: String,
    values: Vec<String>,
}

/// Keywords that are no settings of the global section, and what to write instead.
const ELSEWHERE: [(&str, &str); 4] = [
    ("port", "say it with `ports`"),
    (
        "listenaddress",
        "the addresses stay as they are; say the ports with `ports`",
    ),
    ("match", "only settings for everybody can stand here"),
    ("include", "write the settings themselves"),
];

/// Keywords whose values stand in one word with commas between.
const WITH_COMMAS: [&str; 11] = [
    "casignaturealgorithms",
    "ciphers",
    "hostbasedacceptedalgorithms",
    "hostbasedacceptedkeytypes",
    "hostkeyalgorithms",
    "kexalgorithms",
    "macs",
    "persourcepenaltyexemptlist",
    "pubkeyacceptedalgorithms",
    "pubkeyacceptedkeytypes",
    "pubkeyauthoptions",
];

/// Keywords of which every line counts; of all others the first.
const CUMULATIVE: [&str; 8] = [
    "acceptenv",
    "allowgroups",
    "allowusers",
    "denygroups",
    "denyusers",
    "hostcertificate",
    "hostkey",
    "setenv",
];

impl Setting {
    /// The keyword in the case of `sshd -T`.
    pub(super) fn key(&self) -> String {
        self.keyword.to_ascii_lowercase()
    }

    /// Whether other files add to it rather than lose against it.
    pub(super) fn is_cumulative(&self) -> bool {
        CUMULATIVE.contains(&self.key().as_str())
    }

    /// What stands behind the keyword.
    pub(super) fn value(&self) -> String {
        if WITH_COMMAS.contains(&self.key().as_str()) {
            return self.values.join(",");
        }
        // One value may be several words (`ClientAliveInterval`, `MaxStartups`, `Banner`): it stays as written.
        let [only] = self.values.as_slice() else {
            let words: Vec<String> = self.values.iter().map(|value| quoted(value)).collect();
            return words.join(" ");
        };
        only.clone()
    }

    /// The line of the drop-in.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.keyword, self.value())
    }
}

fn quoted(value: &str) -> String {
    if value.contains(' ') && !value.starts_with('"') {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}

/// Says what is wrong with the keywords, whatever their values will be.
pub(super) fn check(settings: &Node, out: &mut Diagnostics) {
    let mut seen: Vec<String> = Vec::new();
    for (key, value) in settings.entries() {
        let keyword = key.text().unwrap_or_default();
        if let Err(error) = check_keyword(keyword) {
            out.push(error.at(&key.place));
        }
        if seen.contains(&keyword.to_ascii_lowercase()) {
            out.push(Diagnostic::error(format!("`{keyword}` stands here twice")).at(&key.place));
        }
        seen.push(keyword.to_ascii_lowercase());
        for text in texts(value).iter().filter(|text| text.is_constant()) {
            if let Err(error) = check_value(&text.text) {
                out.push(error.at(&text.place));
            }
        }
        if matches!(value.kind, Kind::Map(_)) {
            let error =
                Diagnostic::error(format!("`{keyword}` must be a value or a list of values"));
            out.push(error.at(&value.place));
        }
    }
}

fn check_keyword(keyword: &str) -> Result<(), Diagnostic> {
    let lower = keyword.to_ascii_lowercase();
    if let Some((_, hint)) = ELSEWHERE.iter().find(|(name, _)| *name == lower) {
        let error = Diagnostic::error(format!("`{keyword}` cannot stand among the settings"));
        return Err(error.hint(*hint));
    }
    if keyword.is_empty() || !keyword.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Diagnostic::error(format!(
            "`{}` is no keyword of sshd_config",
            keyword.escape_debug()
        )));
    }
    Ok(())
}

/// A value ends with its line, and a comment would begin at `#`.
fn check_value(value: &str) -> Result<(), Diagnostic> {
    if value.trim().chars().any(char::is_control) {
        return Err(Diagnostic::error(
            "a value of sshd_config has no line breaks or control characters",
        ));
    }
    if value.starts_with('#') || value.contains(" #") {
        return Err(Diagnostic::error(
            "sshd would read what follows `#` as a comment",
        ));
    }
    Ok(())
}

fn texts(value: &Node) -> Vec<Text> {
    let items = value.items().iter().filter_map(Text::from_node);
    Text::from_node(value).into_iter().chain(items).collect()
}

/// The settings with their values filled in; those without a value are left out.
pub(super) fn render(settings: &Node, scope: &Scope, fields: &mut Fields<'_>) -> Vec<Setting> {
    let mut rendered = Vec::new();
    for (key, value) in settings.entries() {
        let items = fields.keep(scope.list(&texts(value))).unwrap_or_default();
        let mut values = Vec::new();
        for item in items {
            match check_value(&item.text) {
                Ok(()) if item.text.trim().is_empty() => {}
                Ok(()) => values.push(item.text.trim().to_owned()),
                Err(error) => fields.wrong("settings", error),
            }
        }
        if !values.is_empty() {
            rendered.push(Setting {
                keyword: key.text().unwrap_or_default().to_owned(),
                values,
            });
        }
    }
    rendered
}
