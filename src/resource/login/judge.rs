//! Whether a login would succeed: everything that sshd and PAM ask, in their order. The first refusal is
//! the reason; it names its cure.

use super::look::{Account, Login, Session};
use super::{account, key, pattern};
use crate::change::Blocked;

/// What a login must rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// A key.
    Key,
    /// Whatever the session used that we have.
    Any,
}

/// Why a login would fail, or why that cannot be told.
pub(super) type Refusal = Blocked;

/// It would fail for this reason.
pub(super) fn refused(why: impl Into<String>, hint: impl Into<String>) -> Refusal {
    let hint = hint.into();
    Blocked {
        why: why.into(),
        hint: (!hint.is_empty()).then_some(hint),
        human: false,
        moved: Vec::new(),
    }
}

/// It cannot be told: a person must decide.
pub(super) fn unknown(why: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Blocked {
        human: true,
        moved: Vec::new(),
        ..refused(why, hint)
    }
}

/// Whether the login would succeed; in words, by what.
pub(super) fn judge(login: &Login, by: By) -> Result<String, Refusal> {
    let account = can_be_told(login)?;
    let session = if login.is_session {
        Some(session(login)?)
    } else {
        None
    };
    if let Some(session) = session.filter(|session| by == By::Key && session.method != "publickey")
    {
        return Err(no_key(login, session));
    }
    account::lets_in(login, account)?;
    users_admit(login, account)?;
    account::shell_starts(login, account)?;
    match session {
        Some(session) if session.method != "publickey" => method_stays(login, session),
        Some(_) | None => {
            key_is_enough(login)?;
            key::admitted(
                login,
                account,
                session.and_then(|session| session.key.as_ref()),
            )
        }
    }
}

/// The account, when there is all that an answer needs.
fn can_be_told(login: &Login) -> Result<&Account, Refusal> {
    if login.sshd.is_none() {
        return Err(refused("there is no sshd on the host", ""));
    }
    if !login.root {
        let why = "whether a login would succeed can only be told as root";
        return Err(refused(
            why,
            "log in as root, or allow sudo without a password",
        ));
    }
    let user = &login.user;
    let account = login
        .account
        .as_ref()
        .ok_or_else(|| refused(format!("there is no account {user}"), ""))?;
    match &login.error {
        Some(said) => Err(refused(
            format!("sshd does not accept the configuration: {said}"),
            "see `sshd -t` on the host",
        )),
        None => Ok(account),
    }
}

/// How we came in.
fn session(login: &Login) -> Result<&Session, Refusal> {
    if login.client.is_none() {
        return Err(unknown(
            "this run did not come over SSH, so nothing shows that anybody gets in that way",
            "run it over SSH, or name the account that must be able to log in (`user:`)",
        ));
    }
    login.session.as_ref().ok_or_else(|| {
        unknown(
            format!("the host's log does not say how {} was let in", login.user),
            "sshd writes it with `LogLevel INFO` to the journal or /var/log/auth.log; log in again then",
        )
    })
}

fn no_key(login: &Login, session: &Session) -> Refusal {
    let user = &login.user;
    let how = match session.method.as_str() {
        "none" => "without any proof (an empty password)".to_owned(),
        "password" => "by a password".to_owned(),
        other => format!("by {other}"),
    };
    refused(
        format!("this session of {user} was let in {how}, not by a key"),
        format!(
            "put your public key into the authorized_keys of {user} (ssh-copy-id) and log in with it"
        ),
    )
}

/// `DenyUsers`, `AllowUsers`, `DenyGroups`, `AllowGroups`: sshd's order.
fn users_admit(login: &Login, account: &Account) -> Result<(), Refusal> {
    let (user, client) = (&login.user, login.client);
    let from = client
        .map(|address| format!(" from {address}"))
        .unwrap_or_default();
    let names_us = |pattern: &&str| pattern::user(user, client, pattern);
    let in_group = |pattern: &&str| {
        account
            .groups
            .iter()
            .any(|group| pattern::wildcard(group, pattern))
    };
    if let Some(pattern) = login.values("denyusers").into_iter().find(names_us) {
        return Err(refused(
            format!("`DenyUsers {pattern}` refuses {user}{from}"),
            "take it out of the configuration of sshd",
        ));
    }
    let allowed = login.values("allowusers");
    if !allowed.is_empty() && !allowed.iter().any(names_us) {
        let list = allowed.join(" ");
        let refusal = refused(
            format!("`AllowUsers {list}` does not admit {user}{from}"),
            format!("add {user} to it"),
        );
        // A pattern may name a host that only the name service knows.
        let by_name = login.is_on("usedns") && allowed.iter().any(|pattern| pattern.contains('@'));
        return Err(Blocked {
            human: by_name,
            moved: Vec::new(),
            ..refusal
        });
    }
    if let Some(pattern) = login.values("denygroups").into_iter().find(in_group) {
        return Err(refused(
            format!("`DenyGroups {pattern}` refuses {user}"),
            format!("take {user} out of that group, or the group out of the configuration of sshd"),
        ));
    }
    let allowed = login.values("allowgroups");
    if !allowed.is_empty() && !allowed.iter().any(in_group) {
        let (list, groups) = (allowed.join(" "), account.groups.join(", "));
        return Err(refused(
            format!("`AllowGroups {list}` does not admit {user}, who is in {groups}"),
            format!("add {user} to such a group, or add a group of {user} to it"),
        ));
    }
    Ok(())
}

/// Whether a key, and nothing besides, lets this user in.
fn key_is_enough(login: &Login) -> Result<(), Refusal> {
    if login.value("pubkeyauthentication") == "no" {
        return Err(refused(
            "keys are off (`PubkeyAuthentication no`)",
            "turn them on",
        ));
    }
    if login.revocations_unreadable {
        let file = login.value("revokedkeys");
        return Err(refused(
            format!("sshd cannot read {file} (RevokedKeys), and takes no key at all then"),
            format!("put the file there (an empty one revokes nothing: touch {file})"),
        ));
    }
    root_may_come(login)?;
    let methods = login.value("authenticationmethods");
    let enough = |list: &str| matches!(list, "any" | "publickey");
    if !methods.is_empty() && !methods.split_whitespace().any(enough) {
        return Err(refused(
            format!(
                "`AuthenticationMethods {methods}` wants more than a key, and nobody is there to type it"
            ),
            "add `publickey` to it as a list of its own",
        ));
    }
    Ok(())
}

fn root_may_come(login: &Login) -> Result<(), Refusal> {
    match (login.user.as_str(), login.value("permitrootlogin")) {
        ("root", "no") => Err(refused(
            "`PermitRootLogin no` refuses root, and root is who logs in",
            "log in as another user with sudo, or keep `prohibit-password`",
        )),
        ("root", "forced-commands-only") => Err(refused(
            "`PermitRootLogin forced-commands-only` gives root no shell, and root is who logs in",
            "log in as another user with sudo, or use `prohibit-password`",
        )),
        _ => Ok(()),
    }
}

/// A session that was not let in by a key: whether the same way stays open.
fn method_stays(login: &Login, session: &Session) -> Result<String, Refusal> {
    let stays = match session.method.as_str() {
        "password" => login.is_on("passwordauthentication"),
        "none" => login.is_on("passwordauthentication") && login.is_on("permitemptypasswords"),
        "keyboard-interactive/pam" | "keyboard-interactive" => {
            login.is_on("kbdinteractiveauthentication")
                || login.is_on("challengeresponseauthentication")
        }
        other => {
            return Err(unknown(
                format!(
                    "this session was let in by {other}, and whether that stays possible cannot be told"
                ),
                "log in with a key",
            ));
        }
    };
    let root = login.user != "root" || login.is_on("permitrootlogin");
    if stays && root && login.value("authenticationmethods") == "any" {
        return Ok(format!("{}, as now", session.method));
    }
    Err(no_key(login, session))
}
