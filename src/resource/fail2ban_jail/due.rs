//! What of a jail is not as it should be, in the files and in the running server.

use super::change::{self, Due};
use super::look::{Look, OthersIgnore};
use super::{Jail, text};

impl Due {
    /// What is due of a jail; `None` when everything is as it should be, in the files and in the server.
    pub(super) fn of(jail: &Jail, look: &Look) -> Option<Self> {
        let disabled = jail.wants("enabled") == Some("no");
        let starts = jail.enables() && !look.serves;
        let live = if disabled {
            let running = look.live.enabled;
            let off = ("enabled".to_owned(), "yes".to_owned(), "no".to_owned());
            running.then_some(off).into_iter().collect()
        } else if look.serves {
            differences(jail, look)
        } else {
            Vec::new()
        };
        let differs = files_differ(jail, look);
        if !differs && !starts && live.is_empty() {
            return None;
        }
        let text = Some(text::wanted(jail, look)).filter(|_| differs);
        let text = text.filter(|text| look.file.as_ref() != Some(text));
        Some(Self {
            verb: verb(jail, look, starts),
            text,
            starts,
            live,
        })
    }
}

fn verb(jail: &Jail, look: &Look, starts: bool) -> &'static str {
    let moves = jail.wants("port").is_some_and(|port| {
        look.live.enabled && (look.live.get("port") != port || look.stale_port.is_some())
    });
    if moves || !lost_actions(look).is_empty() {
        "restart"
    } else if look.serves || starts {
        "reload"
    } else {
        "leave"
    }
}

/// Actions that the files name and the server does not have. After a reload with another one fail2ban has none at
/// all: it bans, and nobody is kept out. What somebody gave the server besides is none of our business.
fn lost_actions(look: &Look) -> Vec<String> {
    if !look.files.enabled || !look.live.enabled {
        return Vec::new();
    }
    let wanted = look.files.actions.iter();
    wanted
        .filter(|name| !look.live.actions.contains(name))
        .cloned()
        .collect()
}

/// Whether the files say something else than the step.
fn files_differ(jail: &Jail, look: &Look) -> bool {
    if jail.wants("enabled") == Some("no") {
        return look.files.enabled;
    }
    let settings = jail.settings.iter();
    settings
        .filter(|setting| look.files.get(setting.key) != setting.effect)
        .count()
        > 0
        || jail.ignore.is_some() && ignore_differs(jail, look)
}

fn ignore_differs(jail: &Jail, look: &Look) -> bool {
    let ours = look.file.as_deref().unwrap_or("");
    let goes_on = text::goes_on(jail, ours);
    // Ours stands in the way of what others ignore, or names what is no longer there.
    let hides = !text::own_ignored(jail, ours).is_empty()
        && !goes_on
        && look.others_ignore == OthersIgnore::Yes;
    let dangles = goes_on && look.others_ignore != OthersIgnore::Yes;
    let forgets = jail.forget_others && text::wanted(jail, look) != ours;
    !ignores(jail, &look.files.ignore) || hides || dangles || forgets
}

/// What the running server has otherwise.
fn differences(jail: &Jail, look: &Look) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    if !look.live.enabled {
        found.push(("enabled".to_owned(), "no".to_owned(), "yes".to_owned()));
        return found;
    }
    for setting in &jail.settings {
        let (now, then) = (look.live.get(setting.key), change::effect(setting, "live"));
        if now != then {
            found.push((setting.key.to_owned(), now.to_owned(), then.to_owned()));
        }
    }
    if let (Some(stale), Some(port)) = (&look.stale_port, jail.wants("port")) {
        found.push((
            "port in the packet filter".to_owned(),
            stale.clone(),
            port.to_owned(),
        ));
    }
    if !lost_actions(look).is_empty() {
        let (now, then) = (look.live.actions.join(", "), look.files.actions.join(", "));
        found.push(("action".to_owned(), now, then));
    }
    if jail.ignore.is_some() && !ignores(jail, &look.live.ignore) {
        let missing = change::ignored(jail).filter(|network| !look.live.ignore.contains(network));
        let missing: Vec<String> = missing.collect();
        found.push(("ignored".to_owned(), String::new(), missing.join(", ")));
    }
    found
}

/// Whether all that the step wants ignored is.
pub(super) fn ignores(jail: &Jail, effective: &[String]) -> bool {
    change::ignored(jail).all(|network| effective.contains(&network))
}
