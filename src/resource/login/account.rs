//! Whether an account may be used, and whether a shell runs then: what is asked beside keys and lists.

use super::judge::{Refusal, refused};
use super::look::{Account, Hurdle, Login};

/// Whether PAM, or sshd without it, lets this account in at all.
pub(super) fn lets_in(login: &Login, account: &Account) -> Result<(), Refusal> {
    let user = &login.user;
    if !login.is_on("usepam") && account.has(Hurdle::Locked) {
        return Err(refused(
            format!(
                "the account {user} is locked, and without PAM sshd lets nobody in whose password begins with `!`"
            ),
            format!("usermod -p '*' {user} (no password, but not locked), or UsePAM yes"),
        ));
    }
    if login.is_on("usepam") && account.has(Hurdle::Expired) {
        return Err(refused(
            format!("the account {user} has expired"),
            format!("chage -E -1 {user}"),
        ));
    }
    if login.is_on("usepam") && account.has(Hurdle::PasswordExpired) {
        return Err(refused(
            format!(
                "the password of {user} is too old: it must be changed in a terminal before any command runs"
            ),
            format!("passwd {user}, or chage -M -1 -d \"$(date +%F)\" {user}"),
        ));
    }
    if login.is_on("usepam") && account.has(Hurdle::NoLogin) && account.uid != 0 {
        return Err(refused(
            "/etc/nologin or /run/nologin keeps everybody but root out",
            "remove it, or wait until the host has started or stopped",
        ));
    }
    Ok(())
}

/// Whether what runs after the login is a shell of the host.
pub(super) fn shell_starts(login: &Login, account: &Account) -> Result<(), Refusal> {
    let (user, shell) = (&login.user, &account.shell);
    if let Some(problem) = &account.shell_problem {
        return Err(refused(
            format!("the shell of {user}, {shell}, is {problem}"),
            format!("chsh -s /bin/sh {user}"),
        ));
    }
    if ["nologin", "false"]
        .iter()
        .any(|name| shell.ends_with(&format!("/{name}")))
    {
        return Err(refused(
            format!("the shell of {user} is {shell}, which ends at once"),
            format!("chsh -s /bin/sh {user}"),
        ));
    }
    let forced = login.value("forcecommand");
    if !matches!(forced, "" | "none") {
        return Err(refused(
            format!("sshd runs `{forced}` for {user} instead of a shell (ForceCommand)"),
            "leave this account out of it",
        ));
    }
    let root = login.value("chrootdirectory");
    if !matches!(root, "" | "none") {
        return Err(refused(
            format!("sshd shuts {user} into {root} (ChrootDirectory), away from the host"),
            "leave this account out of it",
        ));
    }
    if login.value("maxsessions") == "0" {
        return Err(refused(
            "`MaxSessions 0` lets nobody run anything",
            "say at least 1",
        ));
    }
    Ok(())
}
