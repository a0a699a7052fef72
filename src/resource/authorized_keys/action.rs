//! The changes of files of keys: what is shown, what is done, and how it is taken back.

use super::AuthorizedKeys;
use super::look::{Account, KeyFile};
use super::place::{below_home, folder, makes_folder, mendable, real};
use super::turnover::Turnover;
use crate::change::{Call, Change, Gives, Shown, Undo};
use crate::resource::file::look::{Plain, What};

/// The file of a user who is not there yet.
pub(super) fn first(wanted: &AuthorizedKeys, patterns: &[String], home: &str) -> Change {
    let user = wanted.user.as_str();
    let pattern = patterns.iter().find(|pattern| *pattern != "none");
    let pattern = pattern.map_or(".ssh/authorized_keys", String::as_str);
    let path = pattern
        .replace("%h", home)
        .replace("%u", user)
        .replace("%%", "%");
    let path = if path.starts_with('/') {
        path
    } else {
        format!("{home}/{path}")
    };
    let mut turnover = Turnover::default();
    wanted.keys.iter().for_each(|key| turnover.append(key));
    let in_home = path
        .strip_prefix(home)
        .is_some_and(|rest| rest.starts_with('/'));
    let how = if in_home && folder(folder(&path)) == home {
        "make"
    } else {
        "keep"
    };
    let plan = Put {
        real: path.clone(),
        mode: new_mode(in_home),
        owner: new_owner(in_home),
        how,
    };
    let mut shown = vec![keys(user, &turnover)];
    shown.extend(new_properties(user, &path, &plan));
    put(wanted, &path, &plan, turnover.content, shown)
}

/// How a file is put.
struct Put {
    real: String,
    mode: String,
    owner: &'static str,
    how: &'static str,
}

/// sshd reads a file outside of the home as the user it is for.
fn new_mode(in_home: bool) -> String {
    if in_home { "0600" } else { "0644" }.to_owned()
}

fn new_owner(in_home: bool) -> &'static str {
    if in_home { "user" } else { "root" }
}

fn new_properties(user: &str, path: &str, plan: &Put) -> Vec<Shown> {
    let owner = if plan.owner == "user" { user } else { "root" };
    let mut shown = vec![
        property(&format!("mode of {path}"), String::new(), plan.mode.clone()),
        property(&format!("owner of {path}"), String::new(), owner.to_owned()),
    ];
    if plan.how == "make" {
        let name = format!("folder {}", folder(path));
        shown.push(property(&name, String::new(), format!("0700 {user}")));
    }
    shown
}

/// The change of one file, if any is due. `distrust`: what sshd would not trust is put right, too.
pub(super) fn change(
    wanted: &AuthorizedKeys,
    account: &Account,
    file: &KeyFile,
    turnover: &Turnover,
    distrust: bool,
) -> Option<Change> {
    let user = wanted.user.as_str();
    let mut plan = Put {
        real: real(account, file)?,
        mode: "-".to_owned(),
        owner: "-",
        how: "keep",
    };
    let mut shown: Vec<Shown> = turnover
        .is_due()
        .then(|| keys(user, turnover))
        .into_iter()
        .collect();
    match &file.look.what {
        What::Plain(plain) if distrust => {
            shown.extend(mended_file(&mut plan, user, account, file, plain));
        }
        What::Plain(_) => {}
        _ if turnover.is_due() => {
            let in_home = below_home(account, &file.path).is_some();
            plan.mode = new_mode(in_home);
            plan.owner = new_owner(in_home);
            plan.how = if makes_folder(account, file) {
                "make"
            } else {
                "keep"
            };
            shown.extend(new_properties(user, &file.path, &plan));
        }
        _ => {}
    }
    if distrust {
        shown.extend(mended_folder(&mut plan, account, file));
    }
    (!shown.is_empty()).then(|| put(wanted, &file.path, &plan, turnover.content.clone(), shown))
}

/// Mode and owner of a file as sshd wants them.
fn mended_file(
    plan: &mut Put,
    user: &str,
    account: &Account,
    file: &KeyFile,
    plain: &Plain,
) -> Vec<Shown> {
    let path = &file.path;
    let mut shown = Vec::new();
    let mode = plain.mode.to_string();
    let bits = u32::from_str_radix(&mode, 8).unwrap_or(0);
    if bits & 0o022 != 0 {
        plan.mode = format!("{:04o}", bits & !0o022);
        shown.push(property(
            &format!("mode of {path}"),
            mode,
            plan.mode.clone(),
        ));
    }
    if ![0, account.uid].contains(&plain.owner.number) {
        plan.owner = "user";
        let name = format!("owner of {path}");
        shown.push(property(&name, plain.owner.name.clone(), user.to_owned()));
    }
    shown
}

/// Mode and owner of its folder as sshd wants them.
fn mended_folder(plan: &mut Put, account: &Account, file: &KeyFile) -> Option<Shown> {
    let mut unsafe_folders = file.unsafe_folders.iter();
    let (name, how) = unsafe_folders.find(|(name, _)| mendable(account, file, name))?;
    let (_, bits) = file.folder?;
    plan.how = "mend";
    let after = format!("owner {}, mode {:o}", account.uid, bits & !0o022);
    Some(property(&format!("folder {name}"), how.clone(), after))
}

fn put(
    wanted: &AuthorizedKeys,
    path: &str,
    plan: &Put,
    content: Vec<u8>,
    shown: Vec<Shown>,
) -> Change {
    let words = [
        wanted.user.as_str(),
        &plan.real,
        &plan.mode,
        plan.owner,
        plan.how,
    ];
    let act = Call::new("hf_put_keys", words).with_input(content.clone());
    let undo = Undo::Call(Call::new("hf_undo_keys", [plan.real.as_str()]));
    let gives = Gives::File {
        path: path.to_owned(),
        content: Some(content),
    };
    let summary = format!("write the keys of {} to {path}", wanted.user);
    Change::new(summary, shown, act, undo)
        .expecting([wanted.probe()])
        .giving([gives])
}

fn keys(user: &str, turnover: &Turnover) -> Shown {
    Shown::Lines {
        what: format!("keys of {user}"),
        removed: turnover.removed.clone(),
        added: turnover.added.clone(),
    }
}

fn property(name: &str, before: String, after: String) -> Shown {
    let name = name.to_owned();
    Shown::Property {
        name,
        before,
        after,
    }
}
