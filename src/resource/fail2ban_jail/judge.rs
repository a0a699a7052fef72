//! Compares a jail as it is, in the files and in the server, with what it should be.

use super::change::Due;
use super::due::ignores;
use super::look::Look;
use super::predicted::predicted;
use super::setting::Setting;
use super::{Jail, notes, text};
use crate::change::{Diff, Known, Verdict};

pub(super) fn judge(jail: &Jail, look: &Look, known: &Known) -> Diff {
    if !look.installed {
        return absent(jail, look, known);
    }
    if !jail.enables() && !look.files.enabled && look.sound {
        let why = format!("the jail {} is not in use on this host", jail.name);
        return if jail.wants("enabled") == Some("no") && look.live.enabled {
            act(jail, look)
        } else if jail.wants("enabled") == Some("no") {
            Diff::compliant()
        } else {
            not_applicable(why)
        };
    }
    if let Some(diff) = obstacle(jail, look, known) {
        return diff;
    }
    if let Some(diff) = predicted(jail, look, known) {
        return diff;
    }
    let diff = act(jail, look);
    let reader = jail.wants("backend") == Some("systemd") && look.lacking("systemd").is_some();
    diff.after(known.package("python3-systemd").filter(|_| reader))
}

fn not_applicable(why: String) -> Diff {
    Diff {
        verdict: Verdict::NotApplicable { why },
        notes: Vec::new(),
    }
}

/// There is no fail2ban, but an earlier step may bring it.
fn absent(jail: &Jail, look: &Look, known: &Known) -> Diff {
    match known.package("fail2ban") {
        None if jail.enables() => Diff::blocked(
            "fail2ban is not on the host",
            "install it in an earlier step: package: [fail2ban, python3-systemd]",
        ),
        None => not_applicable("fail2ban is not on the host".to_owned()),
        Some(step) if !jail.enables() || look.leftover => Diff {
            verdict: Verdict::UnknownUntil {
                step,
                why: "what fail2ban's files say of the jail".to_owned(),
            },
            notes: Vec::new(),
        },
        Some(step) => {
            let due = Due {
                text: Some(text::wanted(jail, look)),
                starts: true,
                verb: "reload",
                live: Vec::new(),
            };
            let notes = notes::notes(jail, look, Some(&due));
            let diff = Diff::of(vec![due.change(jail, look)]).with_notes(notes);
            diff.after(Some(step))
        }
    }
}

/// Whether this very step mends a complaint of fail2ban.
fn is_ours(jail: &Jail, look: &Look, problem: &str) -> bool {
    let no_log = format!("any log file for {} jail", jail.name);
    let own_word = format!("'ignoreip' in section '{}'", jail.name);
    let goes_on = look
        .file
        .as_deref()
        .is_some_and(|text| text::goes_on(jail, text));
    (problem.contains(&no_log) && jail.wants("backend") == Some("systemd"))
        || (problem.contains(&own_word) && goes_on && jail.ignore.is_some())
}

/// Why nothing can be done, when something would have to be.
fn obstacle(jail: &Jail, look: &Look, known: &Known) -> Option<Diff> {
    if let Some(kind) = &look.odd_file {
        let what = if kind == "link" {
            "a symbolic link"
        } else {
            "no plain file"
        };
        let why = format!("{} is {what}", jail.path());
        return Some(Diff::needs_human(why, "look what it is and move it away"));
    }
    if let Some(lack) = look.lacking("fail2ban.server") {
        return Some(Diff::blocked(
            format!("fail2ban {} cannot run here: it lacks {lack}", look.package),
            "upgrade the package; Ubuntu 24.04 needs at least 1.0.2-3ubuntu0.1 from noble-updates",
        ));
    }
    if let Some(lack) = look.lacking("systemd")
        && jail.wants("backend") == Some("systemd")
        && known.package("python3-systemd").is_none()
    {
        return Some(Diff::blocked(
            format!("fail2ban cannot read the journal: it lacks {lack}"),
            "add python3-systemd to the packages of an earlier step",
        ));
    }
    let due = Due::of(jail, look)?;
    broken(jail, look)
        .or_else(|| won_by_others(jail, look, &due))
        .or_else(|| cannot_start(look, &due))
}

/// What others broke: with it fail2ban's own test fails, and a start would leave the host without any jail.
fn broken(jail: &Jail, look: &Look) -> Option<Diff> {
    let others = look.problems.iter();
    let others: Vec<&str> = others
        .map(String::as_str)
        .filter(|problem| !is_ours(jail, look, problem))
        .collect();
    let unread = !look.sound && look.problems.is_empty();
    if others.is_empty() && !unread {
        return None;
    }
    let why = if unread {
        "its files cannot be read".to_owned()
    } else {
        others.join("; ")
    };
    Some(Diff::blocked(
        format!("fail2ban's configuration is broken elsewhere: {why}"),
        "nothing was touched, and what runs goes on; mend that first (`fail2ban-client -t` must succeed)",
    ))
}

/// Files behind ours that say otherwise.
fn won_by_others(jail: &Jail, look: &Look, due: &Due) -> Option<Diff> {
    let differs = |setting: &&Setting| look.files.get(setting.key) != setting.effect;
    let settings = jail
        .settings
        .iter()
        .filter(differs)
        .map(|setting| setting.key);
    let ignore = jail
        .ignore
        .as_ref()
        .filter(|_| !ignores(jail, &look.files.ignore));
    for key in settings.chain(ignore.map(|_| "ignoreip")) {
        if let Some(other) = look.later.iter().find(|other| other.key == key) {
            let why = format!(
                "{} says {key} = {}, and wins over our file",
                other.file, other.value
            );
            return Some(Diff::needs_human(
                why,
                "change it there, or take the line away",
            ));
        }
        if due.text.is_none() && look.sound {
            let why = format!(
                "our file sets {key}, but fail2ban reads {} from another place",
                look.files.get(key)
            );
            return Some(Diff::needs_human(
                why,
                "look for it with `fail2ban-client -d`",
            ));
        }
    }
    None
}

fn cannot_start(look: &Look, due: &Due) -> Option<Diff> {
    if !due.starts {
        return None;
    }
    match (look.init.as_str(), look.unit.as_str()) {
        ("systemd", "masked") => Some(Diff::needs_human(
            "fail2ban.service is masked",
            "somebody forbade it to start; `systemctl unmask` takes that away",
        )),
        ("systemd", "loaded") => None,
        ("systemd", state) => Some(Diff::blocked(
            format!("fail2ban does not run, and its unit fail2ban.service is {state}"),
            "",
        )),
        (other, _) => Some(Diff::blocked(
            format!(
                "fail2ban does not run, and the host was not started by systemd but by {other}"
            ),
            "start it by hand",
        )),
    }
}

fn act(jail: &Jail, look: &Look) -> Diff {
    let due = Due::of(jail, look);
    let notes = notes::notes(jail, look, due.as_ref());
    Diff::of(due.map(|due| due.change(jail, look)).into_iter().collect()).with_notes(notes)
}
