//! Compares an account as it is with what it should be.

use super::action::{self, Amendment};
use super::look::{Account, HomeThere, Look, Password};
use super::{SHELL, User};
use crate::change::{Diff, Known, Note, StepNumber, Verdict};
use crate::probe::ParseError;
use crate::resource::Resource;
use crate::value::UserName;

pub(super) fn judge(
    user: &User,
    look: &Look,
    shell_there: bool,
    known: &Known,
) -> Result<Diff, ParseError> {
    if let (Some((step, _)), None) = (known.user(user.name.as_str()), &look.account) {
        let why = format!("what the earlier step makes of the account {}", user.name);
        let verdict = Verdict::UnknownUntil { step, why };
        let notes = Vec::new();
        return Ok(Diff { verdict, notes });
    }
    match &look.account {
        None if user.absent => Ok(Diff::compliant()),
        None => Ok(create(user, look, shell_there, known)),
        Some(account) if user.absent => Ok(remove(user, look, account, known)),
        Some(account) => amend(user, look, account, shell_there, known),
    }
}

fn create(user: &User, look: &Look, shell_there: bool, known: &Known) -> Diff {
    let step = match needs(user, look, Some(user.new_shell()), shell_there, known) {
        Ok(step) => step,
        Err(diff) => return *diff,
    };
    let mut notes = Vec::new();
    if user.makes_home() {
        let home = user.new_home();
        match &look.home_there {
            HomeThere::Nothing => {}
            HomeThere::Folder { owner } => notes.push(Note::warning(format!(
                "{home} is there already and belongs to {owner}: it is left as it is"
            ))),
            HomeThere::Other => {
                return Diff::blocked(
                    format!("{home} is there already and is no folder"),
                    "choose another `home`",
                );
            }
        }
    }
    if look.own_group {
        notes.push(Note::info(format!(
            "the group {} is there already and becomes its primary group",
            user.name
        )));
    }
    let creation = action::creation(user, look).expecting(user.probes());
    let lock = (user.locked == Some(true)).then(|| action::lock_of_new(user));
    let changes = [creation].into_iter().chain(lock).collect();
    Diff::of(changes).after(step).with_notes(notes)
}

fn remove(user: &User, look: &Look, account: &Account, known: &Known) -> Diff {
    if let Some(diff) = spared(user, account, "removing it") {
        return diff;
    }
    if let Some(diff) = elsewhere(user, account) {
        return diff;
    }
    match needs(user, look, None, true, known) {
        Err(diff) => *diff,
        Ok(step) => {
            let change = action::removal(user, account).expecting(user.probes());
            let left = Note::info(format!("its home {} and its files stay", account.home));
            Diff::of(vec![change]).after(step).with_notes(vec![left])
        }
    }
}

fn amend(
    user: &User,
    look: &Look,
    account: &Account,
    shell_there: bool,
    known: &Known,
) -> Result<Diff, ParseError> {
    if let Some(home) = user
        .home
        .as_ref()
        .filter(|home| home.as_str() != account.home)
    {
        return Ok(Diff::needs_human(
            format!("the home of {} is {}, not {home}", user.name, account.home),
            "a home is never moved: write the one it has, or move it by hand (`usermod -d … -m`)",
        ));
    }
    let amendment = Amendment::of(user, look, account);
    if user.locked.is_some() && account.password == Password::Unknown && account.local {
        return Err(ParseError::new(
            &user.probe(),
            "needs root to read /etc/shadow",
        ));
    }
    if amendment.is_nothing() {
        return Ok(Diff::compliant().with_notes(foreign_note(user, account)));
    }
    if let Some(diff) = elsewhere(user, account) {
        return Ok(diff);
    }
    if amendment.lock == Some(true)
        && let Some(diff) = spared(user, account, "locking it")
    {
        return Ok(diff);
    }
    let shuts_out = |shell: &String| !lets_in(shell);
    if amendment.shell.as_ref().is_some_and(shuts_out)
        && let Some(diff) = spared(user, account, "a shell that lets nobody in")
    {
        return Ok(diff);
    }
    match needs(user, look, amendment.shell.clone(), shell_there, known) {
        Err(diff) => Ok(*diff),
        Ok(step) => {
            let change = action::amendment(user, account, &amendment).expecting(user.probes());
            Ok(Diff::of(vec![change]).after(step))
        }
    }
}

/// Whether a shell gives its user a session.
fn lets_in(shell: &str) -> bool {
    let name = shell.rsplit('/').next().unwrap_or(shell);
    !["nologin", "false", "true", "sync", "halt", "shutdown"].contains(&name)
}

/// What is missing on the host: the earlier step that brings it, or why the change cannot be made.
fn needs(
    user: &User,
    look: &Look,
    shell: Option<String>,
    shell_there: bool,
    known: &Known,
) -> Result<Option<StepNumber>, Box<Diff>> {
    let package = known.any_package();
    let mut step = None;
    if !look.tools {
        let why = "there are no useradd, usermod and userdel on the host";
        step = step.max(Some(package.ok_or_else(|| {
            Box::new(Diff::blocked(why, "install the package passwd"))
        })?));
    }
    if let Some(shell) = shell.filter(|_| !shell_there) {
        let why = format!("there is no shell {shell} on the host");
        let hint = if shell == SHELL {
            "name another `shell`, such as /bin/sh"
        } else {
            "install the package that brings it in an earlier step"
        };
        step = step.max(Some(
            package.ok_or_else(|| Box::new(Diff::blocked(why, hint)))?,
        ));
    }
    for group in user.groups.iter().map(UserName::as_str) {
        if look.groups.iter().any(|there| there == group) {
            continue;
        }
        let made = known.user(group).map(|(step, _)| step).or(package);
        let why = format!("there is no group {group} on the host");
        let hint = "install the package that brings it, or leave it out";
        step = step.max(Some(
            made.ok_or_else(|| Box::new(Diff::blocked(why, hint)))?,
        ));
    }
    Ok(step)
}

/// An account that the host knows from somewhere else is not ours to change.
fn elsewhere(user: &User, account: &Account) -> Option<Diff> {
    (!account.local).then(|| {
        Diff::blocked(
            format!(
                "{} is not in /etc/passwd: the host knows it from a directory (LDAP or the like)",
                user.name
            ),
            "change it there",
        )
    })
}

fn foreign_note(user: &User, account: &Account) -> Vec<Note> {
    let note = format!("{} comes from a directory, not from /etc/passwd", user.name);
    (!account.local)
        .then(|| Note::info(note))
        .into_iter()
        .collect()
}

/// Accounts that are never cut off: root, and the one we are logged in as.
fn spared(user: &User, account: &Account, what: &str) -> Option<Diff> {
    let name = user.name.as_str();
    if account.uid == 0 {
        let why = format!("{name} is root (number 0): {what} would leave the host without it");
        return Some(Diff::blocked(why, "this is never done"));
    }
    match user.login.as_deref() {
        Some(login) if login == name => Some(Diff::blocked(
            format!("{name} is the account we are logged in as: {what} would cut us off"),
            "log in as another user for that",
        )),
        Some(_) => None,
        None => Some(Diff::needs_human(
            format!("the host does not say whom we are logged in as: {what} might cut us off"),
            "log in over SSH",
        )),
    }
}
