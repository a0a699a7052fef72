//! The answer of `hf_sshd_trial`: what sshd makes of the settings, by themselves and in their place.

use super::setting::Setting;
use crate::resource::Lines;

/// What sshd said to the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trial {
    /// What it has against them.
    pub(super) error: Option<String>,
    /// What it has against them together with the lines of others.
    pub(super) conflict: Option<String>,
    /// Keywords that it does not know.
    pub(super) unknown: Vec<String>,
    /// Its values when there is nothing but the settings.
    alone: Vec<String>,
    /// Its values when they stand in the drop-in.
    after: Vec<String>,
}

/// Keywords that sshd shows by another name than it takes.
const SHOWN_AS: [(&str, &str); 8] = [
    (
        "challengeresponseauthentication",
        "kbdinteractiveauthentication",
    ),
    ("dsaauthentication", "pubkeyauthentication"),
    ("hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"),
    ("keepalive", "tcpkeepalive"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("dscp", "ipqos"),
    (
        "kbdinteractiveauthentication",
        "challengeresponseauthentication",
    ),
];

impl Trial {
    pub(super) fn parse(lines: &Lines<'_>) -> Self {
        let all = |key: &str| lines.all(key).map(str::to_owned).collect();
        let said = |key: &str| Some(lines.get(key).to_owned()).filter(|text| !text.is_empty());
        Self {
            error: said("error"),
            conflict: said("conflict"),
            unknown: all("unknown"),
            alone: all("alone"),
            after: all("after"),
        }
    }

    /// Whether sshd said that it does not know this keyword.
    pub(super) fn knows(&self, setting: &Setting) -> bool {
        !self
            .unknown
            .iter()
            .any(|word| word.eq_ignore_ascii_case(&setting.keyword))
    }

    /// The name under which sshd shows a setting; `None`: it does not show it.
    pub(super) fn name(&self, setting: &Setting) -> Option<String> {
        let key = setting.key();
        if !values(&self.alone, &key).is_empty() {
            return Some(key);
        }
        let shown = SHOWN_AS.iter().find(|(name, _)| *name == key)?.1;
        (!values(&self.alone, shown).is_empty()).then(|| shown.to_owned())
    }

    /// What the setting means, in sshd's words.
    pub(super) fn wanted(&self, name: &str) -> Vec<&str> {
        values(&self.alone, name)
    }

    /// What would be in effect.
    pub(super) fn after(&self, name: &str) -> Vec<&str> {
        values(&self.after, name)
    }
}

/// The values of a keyword among lines of `sshd -T`.
pub(super) fn values<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let value = |line: &'a String| line.strip_prefix(name)?.strip_prefix(' ');
    lines.iter().filter_map(value).collect()
}
