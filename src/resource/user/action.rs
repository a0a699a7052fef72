//! The changes of an account: what is shown, the exact command, and how it is taken back.

use super::User;
use super::look::{Account, Look, Password};
use crate::change::{Call, Change, Gives, Shown, Undo};
use crate::value::UserName;

/// A day long ago: an account that expired then lets nobody in (usermod(8), at `-L`).
const EXPIRED: &str = "1970-01-02";

/// What is to be different of an account that exists.
pub(super) struct Amendment {
    pub(super) shell: Option<String>,
    groups: Vec<String>,
    /// Lock it, or unlock it.
    pub(super) lock: Option<bool>,
}

impl Amendment {
    pub(super) fn of(user: &User, look: &Look, account: &Account) -> Self {
        let shell = user.shell.as_ref().map(ToString::to_string);
        let groups = user.groups.iter().map(UserName::to_string);
        let usable = matches!(account.password, Password::Set | Password::Empty);
        let is_locked = account.expired && !usable;
        let is_open = !account.expired && account.password != Password::Locked;
        let lock = match user.locked {
            Some(true) if !is_locked => Some(true),
            Some(false) if !is_open => Some(false),
            Some(_) | None => None,
        };
        Self {
            shell: shell.filter(|shell| *shell != account.shell),
            groups: groups
                .filter(|group| !look.member.contains(group))
                .collect(),
            lock,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.shell.is_none() && self.groups.is_empty() && self.lock.is_none()
    }
}

pub(super) fn creation(user: &User, look: &Look) -> Change {
    let (name, home, shell) = (user.name.as_str(), user.new_home(), user.new_shell());
    let groups = joined(&user.groups);
    let mut argv = vec!["useradd", "-s", &shell, "-d", &home];
    argv.push(if user.makes_home() { "-m" } else { "-M" });
    if user.system {
        argv.push("-r");
    }
    if look.own_group {
        argv.extend(["-N", "-g", name]);
    } else {
        argv.push("-U");
    }
    if !groups.is_empty() {
        argv.extend(["-G", &groups]);
    }
    argv.push(name);
    let mut shown = vec![run(&argv), property("shell", "", &shell)];
    shown.push(property("home", "", &home));
    shown.extend((!groups.is_empty()).then(|| property("groups", "", &groups)));
    let made = if user.makes_home() { &home } else { "-" };
    let undo = Undo::Call(Call::new("hf_undo_account", [name, made]));
    let act = call("hf_create_user", [name, made], &argv);
    let gives = Gives::User {
        name: name.to_owned(),
        home: home.clone(),
    };
    Change::new(format!("create user {name}"), shown, act, undo).giving([gives])
}

/// The lock of a new account. useradd ignores `-e` for a system account; a new account has no password.
pub(super) fn lock_of_new(user: &User) -> Change {
    let name = user.name.as_str();
    let argv = ["usermod", "-e", EXPIRED, name];
    let shown = vec![property("locked", "no", "yes"), run(&argv)];
    change(format!("lock user {name}"), name, shown, &argv)
}

pub(super) fn amendment(user: &User, account: &Account, amendment: &Amendment) -> Change {
    let name = user.name.as_str();
    let groups = amendment.groups.join(",");
    let mut argv = vec!["usermod"];
    let mut shown = Vec::new();
    if let Some(shell) = &amendment.shell {
        argv.extend(["-s", shell]);
        shown.push(property("shell", &account.shell, shell));
    }
    if !groups.is_empty() {
        argv.extend(["-a", "-G", &groups]);
        shown.push(Shown::Lines {
            what: format!("groups of {name}"),
            removed: Vec::new(),
            added: amendment.groups.clone(),
        });
    }
    match amendment.lock {
        None => {}
        Some(true) => {
            argv.extend(["-e", EXPIRED]);
            if matches!(account.password, Password::Set | Password::Empty) {
                argv.push("-L");
            }
            shown.push(property("locked", "no", "yes"));
        }
        Some(false) => {
            argv.extend(["-e", ""]);
            if account.password == Password::Locked {
                argv.push("-U");
            }
            shown.push(property("locked", "yes", "no"));
        }
    }
    argv.push(name);
    shown.push(run(&argv));
    change(format!("change user {name}"), name, shown, &argv)
}

pub(super) fn removal(user: &User, account: &Account) -> Change {
    let name = user.name.as_str();
    let argv = ["userdel", name];
    let number = account.uid.to_string();
    let shown = vec![
        property("user", &format!("{name} ({number})"), ""),
        run(&argv),
    ];
    change(format!("remove user {name}"), name, shown, &argv)
}

fn change(summary: String, name: &str, shown: Vec<Shown>, argv: &[&str]) -> Change {
    let undo = Undo::Call(Call::new("hf_undo_account", [name, "-"]));
    Change::new(
        summary,
        shown,
        call("hf_change_user", [name, "-"], argv),
        undo,
    )
}

fn call(function: &str, first: [&str; 2], argv: &[&str]) -> Call {
    Call::new(function, first.iter().chain(argv).copied())
}

fn joined(groups: &[UserName]) -> String {
    let names: Vec<&str> = groups.iter().map(UserName::as_str).collect();
    names.join(",")
}

fn run(argv: &[&str]) -> Shown {
    Shown::Run {
        argv: argv.iter().copied().map(str::to_owned).collect(),
    }
}

fn property(name: &str, before: &str, after: &str) -> Shown {
    Shown::Property {
        name: name.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    }
}
