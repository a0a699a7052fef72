//! The change of a jail: what is shown, what is done, and what must be true afterwards.

use super::look::Look;
use super::setting::Setting;
use super::{Jail, text};
use crate::change::{Call, Change, Gives, Shown, Undo};

/// What is wrong with a jail and how it comes right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Our file as it should be, when it is not.
    pub(super) text: Option<String>,
    /// Whether the server must be started.
    pub(super) starts: bool,
    /// How the server takes the change: `reload`, `restart` (of the jail), `leave` (it does not run).
    pub(super) verb: &'static str,
    /// Settings that the running server has otherwise: name, now, then.
    pub(super) live: Vec<(String, String, String)>,
}

impl Due {
    pub(super) fn change(&self, jail: &Jail, look: &Look) -> Change {
        let name = jail.name.to_string();
        let words = [name.clone(), self.verb.to_owned()];
        let mut act = Call::new(
            "hf_set_fail2ban_jail",
            words
                .into_iter()
                .chain(self.proof(jail, &look.files.actions)),
        );
        act.input = self.text.clone().map(String::into_bytes);
        let undo = Call::new("hf_undo_fail2ban_jail", [name.as_str(), self.verb]);
        let shown = self.shown(jail, look);
        let change = Change::new(self.summary(jail), shown, act, Undo::Call(undo));
        let gives = self.text.clone().map(|text| Gives::File {
            path: jail.path(),
            content: Some(text.into_bytes()),
        });
        change.expecting([jail.probe()]).giving(gives)
    }

    fn summary(&self, jail: &Jail) -> String {
        let does = match (self.text.is_some(), self.starts) {
            (true, true) => "set the jail {} and start fail2ban",
            (true, false) => "set the jail {}",
            (false, true) => "start fail2ban with the jail {}",
            (false, false) => "let fail2ban take the jail {} as its files say",
        };
        does.replace("{}", jail.name.as_str())
    }

    fn shown(&self, jail: &Jail, look: &Look) -> Vec<Shown> {
        let mut shown = Vec::new();
        if self.text.is_some() {
            shown.push(Shown::Text {
                path: jail.path(),
                before: look.file.clone(),
                after: self.text.clone(),
            });
        }
        if self.starts {
            shown.push(property("fail2ban runs", "no", "yes"));
        }
        // What the file brings needs no second mention.
        if self.text.is_none() {
            let live = self.live.iter();
            shown.extend(live.map(|(name, now, then)| {
                property(&format!("{name} in the running server"), now, then)
            }));
        }
        shown
    }

    /// Lines that `hf_fail2ban` answers when the change has taken effect.
    fn proof(&self, jail: &Jail, actions: &[String]) -> Vec<String> {
        let sides: &[&str] = if self.verb == "leave" {
            &["static"]
        } else {
            &["static", "live"]
        };
        let mut lines = Vec::new();
        if jail.wants("enabled") == Some("no") {
            return lines;
        }
        for side in sides {
            for setting in &jail.settings {
                lines.push(format!("{side}.{}={}", setting.key, effect(setting, side)));
            }
            if jail.ignore.is_some() {
                let ignored = ignored(jail);
                lines.extend(ignored.map(|network| format!("{side}.ignore={network}")));
            }
        }
        // A jail that was started anew, and one that stayed, must still do something.
        if sides.contains(&"live") {
            let actions = actions.iter();
            lines.extend(actions.map(|name| format!("live.action={name}")));
        }
        lines
    }
}

/// What the files or the server say when a setting is in effect. Of the backend the server only tells whether it
/// reads files.
pub(super) fn effect<'a>(setting: &'a Setting, side: &str) -> &'a str {
    match (setting.key, side, setting.effect.as_str()) {
        ("backend", "live", "systemd") => "journal",
        ("backend", "live", _) => "files",
        (_, _, effect) => effect,
    }
}

/// The networks that must be ignored in effect, in canonical text.
pub(super) fn ignored(jail: &Jail) -> impl Iterator<Item = String> {
    let named = jail.ignore.iter().flatten().map(ToString::to_string);
    text::OURSELVES.map(str::to_owned).into_iter().chain(named)
}

fn property(name: &str, before: &str, after: &str) -> Shown {
    Shown::Property {
        name: name.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    }
}
