//! What should be known about a jail although it is no change of ours.

use std::net::IpAddr;

use super::change::Due;
use super::look::Look;
use super::{Jail, text};
use crate::change::Note;
use crate::value::{Cidr, Duration};

/// Notes about a jail that is as it should be, or will be.
pub(super) fn notes(jail: &Jail, look: &Look, due: Option<&Due>) -> Vec<Note> {
    let mut notes = Vec::new();
    match due {
        Some(due) => {
            notes.extend(overridden(jail, look));
            notes.extend(restart(look, due));
        }
        None => notes.extend(look.problems.iter().map(|problem| {
            Note::warning(format!(
                "fail2ban would not start anew with its files as they are: {problem}"
            ))
        })),
    }
    if look.installed && !look.serves && !jail.enables() {
        notes.push(Note::warning("fail2ban does not run"));
    }
    notes.extend(missing_jails(jail, look));
    notes.extend(slow_firewall(look));
    notes.extend(short_memory(jail, look));
    notes.extend(ignored(jail, look));
    notes
}

/// Values of the host's owner that lose to ours.
fn overridden<'a>(jail: &'a Jail, look: &'a Look) -> impl Iterator<Item = Note> + 'a {
    jail.settings.iter().filter_map(|setting| {
        let other = look
            .earlier
            .iter()
            .rfind(|other| other.key == setting.key)?;
        let now = look.files.get(setting.key);
        (now != setting.effect && !now.is_empty()).then(|| {
            Note::info(format!(
                "{} says {} = {}; that file stays as it is, and our {} wins for this jail",
                other.file, other.key, other.value, setting.text
            ))
        })
    })
}

fn restart(look: &Look, due: &Due) -> Option<Note> {
    if due.verb != "restart" {
        return None;
    }
    let how = "the jail is ended and started again, for fail2ban takes new ports and actions in no other way";
    Some(if look.database {
        Note::info(format!(
            "{how}; bans are lifted for a moment and come back from its database"
        ))
    } else {
        Note::warning(format!(
            "{how}; it keeps no database, so the bans of now are lost"
        ))
    })
}

/// Jails that the files put in use and the server does not have: a mistake that `fail2ban-client -t` does not see.
fn missing_jails<'a>(jail: &'a Jail, look: &'a Look) -> impl Iterator<Item = Note> + 'a {
    let missing = look.static_jails.iter().filter(move |name| {
        look.serves && name.as_str() != jail.name.as_str() && !look.live_jails.contains(name)
    });
    missing.map(|name| {
        Note::warning(format!(
            "the jail {name} is in use by the files, but fail2ban does not run it"
        ))
    })
}

fn slow_firewall(look: &Look) -> Option<Note> {
    let actions = look.files.actions.iter().chain(&look.live.actions);
    let ufw = actions.into_iter().any(|name| name.starts_with("ufw"));
    ufw.then(|| {
        Note::warning(
            "bans go through ufw here: each is a rule of ufw, and changes of ours and of fail2ban can \
             overwrite each other; the distribution's own banaction has no such trouble",
        )
    })
}

fn short_memory(jail: &Jail, look: &Look) -> Option<Note> {
    if jail.wants("bantime.increment") != Some("yes") {
        return None;
    }
    let (age, longest) = (
        look.purge_age?,
        jail.wants("bantime.maxtime")?.parse().ok()?,
    );
    (age < longest).then(|| {
        Note::info(format!(
            "bans grow up to {}, but fail2ban forgets an address {} after its last ban (dbpurgeage in fail2ban.local)",
            Duration::seconds(longest),
            Duration::seconds(age)
        ))
    })
}

fn ignored(jail: &Jail, look: &Look) -> Vec<Note> {
    let mut notes = Vec::new();
    let Some(wanted) = &jail.ignore else {
        return notes;
    };
    let shared = wanted.iter().filter(|network| is_shared(network));
    notes.extend(shared.map(|network| {
        Note::warning(format!(
            "{network} is of a provider's shared range (carrier-grade NAT): others come from it, too, and it may change"
        ))
    }));
    let ours = look.file.as_deref().unwrap_or("");
    let asked = |word: &String| match Cidr::lenient(word) {
        Ok(network) => {
            wanted.contains(&network) || text::OURSELVES.contains(&network.to_string().as_str())
        }
        Err(_) => false,
    };
    let surplus: Vec<String> = text::own_ignored(jail, ours)
        .into_iter()
        .filter(|word| !asked(word))
        .collect();
    if !surplus.is_empty() && !jail.forget_others {
        notes.push(Note::info(format!(
            "our file ignores more than this step asks for, and goes on to: {}",
            surplus.join(", ")
        )));
    }
    notes
}

/// 100.64.0.0/10 of RFC 6598.
fn is_shared(network: &Cidr) -> bool {
    match network.net().addr() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            first == 100 && (64..128).contains(&second)
        }
        IpAddr::V6(_) => false,
    }
}
