//! Compares the keys that may log in with those that should.

use super::AuthorizedKeys;
use super::action::{change, first};
use super::look::{Account, KeyFile, Look, Session};
use super::obstacle;
use super::turnover::Turnover;
use crate::change::{Diff, Known, Note};
use crate::resource::file::look::{Content, Plain, What};

pub(super) fn judge(
    wanted: &AuthorizedKeys,
    look: &Look,
    session: &Session,
    known: &Known,
) -> Diff {
    let user = &wanted.user;
    if let Some(why) = &look.sshd.broken {
        let why = format!("sshd does not say where it reads keys: {why}");
        return Diff::blocked(why, "mend its configuration; `sshd -t` names the line");
    }
    let patterns = &look.sshd.patterns;
    if patterns.iter().all(|pattern| pattern == "none") {
        let why = format!("sshd reads no file of keys for {user} (AuthorizedKeysFile none)");
        return Diff::blocked(why, "");
    }
    let Some(account) = &look.account else {
        return match known.user(user.as_str()) {
            Some((step, home)) => Diff::of(vec![first(wanted, patterns, home)]).after(Some(step)),
            None => Diff::blocked(
                format!("there is no user {user} on the host"),
                "make it in an earlier step: `user: { name: … }`",
            ),
        };
    };
    let turnovers = match turnovers(wanted, look, account) {
        Ok(turnovers) => turnovers,
        Err(diff) => return *diff,
    };
    if let Some(diff) = cuts_us_off(wanted, &turnovers, session) {
        return diff;
    }
    let changes = look.files.iter().zip(&turnovers).enumerate();
    let changes = changes.filter_map(|(index, (file, turnover))| {
        let distrust = look.sshd.strict && (index == 0 || turnover.is_due());
        change(wanted, account, file, turnover, distrust)
    });
    Diff::of(changes.collect()).with_notes(notes(wanted, look, &turnovers))
}

/// What becomes of each file. Missing keys come into the first.
fn turnovers(
    wanted: &AuthorizedKeys,
    look: &Look,
    account: &Account,
) -> Result<Vec<Turnover>, Box<Diff>> {
    let mut turnovers = Vec::new();
    for (index, file) in look.files.iter().enumerate() {
        if let Some(diff) = obstacle::of_file(wanted, look, account, file, index == 0) {
            return Err(Box::new(diff));
        }
        turnovers.push(Turnover::of(wanted, content(file)));
    }
    let there = |key| {
        turnovers
            .iter()
            .any(|t: &Turnover| t.there.iter().any(|line| line.is_same_key(key)))
    };
    let missing: Vec<_> = wanted.keys.iter().filter(|key| !there(key)).collect();
    match turnovers.first_mut() {
        Some(first) => missing.into_iter().for_each(|key| first.append(key)),
        None => return Err(Box::new(Diff::blocked("sshd names no file of keys", ""))),
    }
    Ok(turnovers)
}

fn content(file: &KeyFile) -> &[u8] {
    match &file.look.what {
        What::Plain(Plain {
            content: Content::Bytes(bytes),
            ..
        }) => bytes,
        _ => &[],
    }
}

/// Refuses to take away the key that this very session uses.
fn cuts_us_off(wanted: &AuthorizedKeys, turnovers: &[Turnover], session: &Session) -> Option<Diff> {
    let mut losing = turnovers.iter().flat_map(|turnover| &turnover.losing);
    match session {
        Session::NoKey => None,
        Session::Key(key) => losing.any(|lost| lost == key).then(|| {
            let why = format!("the key {key} is the one that this session uses, and it would go or change its options");
            Diff::blocked(why, "list it as it is, or log in by one of the listed keys")
        }),
        Session::Unknown => losing.next().map(|_| {
            let why = format!(
                "the host's log does not say which key this session of {} uses, so it might be one that goes",
                wanted.user
            );
            Diff::needs_human(why, "log in as another user for that")
        }),
    }
}

fn notes(wanted: &AuthorizedKeys, look: &Look, turnovers: &[Turnover]) -> Vec<Note> {
    let user = &wanted.user;
    let mut notes = Vec::new();
    let others: Vec<&str> = turnovers
        .iter()
        .flat_map(|t| &t.others)
        .map(String::as_str)
        .collect();
    if !others.is_empty() {
        let text = format!(
            "other keys may log in as {user}, too: {}",
            others.join("; ")
        );
        notes.push(Note::info(text));
    }
    for line in turnovers.iter().flat_map(|turnover| &turnover.there) {
        let asked = wanted
            .keys
            .iter()
            .any(|key| key.is_same_key(line) && key.has_options());
        if line.has_options() && !asked {
            notes.push(Note::info(format!(
                "a listed key keeps its options: {line}"
            )));
        }
    }
    if !look.sshd.takes_keys {
        notes.push(Note::warning(
            "sshd takes no keys at all (PubkeyAuthentication no)",
        ));
    }
    if let Some(command) = &look.sshd.command {
        let text = format!("sshd asks {command} for more keys (AuthorizedKeysCommand)");
        notes.push(Note::info(text));
    }
    notes
}
