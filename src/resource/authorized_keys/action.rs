//! The changes of files of keys: what is shown, what is done, and how it is taken back.

use super::AuthorizedKeys;
use super::look::{Account, KeyFile, Look};
use super::place::{below_home, folder, makes_folder, mendable, real};
use super::turnover::Turnover;
use crate::change::{Call, Change, Gives, Shown, Undo};
use crate::resource::file::look::What;

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

#[expect(
    clippy::too_many_arguments,
    reason = "all that is known of a file of keys meets here"
)]
pub(super) fn change(
    wanted: &AuthorizedKeys,
    look: &Look,
    account: &Account,
    file: &KeyFile,
    turnover: &Turnover,
    mend: bool,
) -> Option<Change> {
    let user = wanted.user.as_str();
    let path = &file.path;
    let mut shown = Vec::new();
    let mut plan = Put {
        real: real(account, file)?,
        mode: "-".to_owned(),
        owner: "-",
        how: "keep",
    };
    if turnover.is_due() {
        shown.push(keys(user, turnover));
    }
    if let What::Plain(plain) = &file.look.what {
        let distrusted = look.sshd.strict && mend;
        let bits = u32::from_str_radix(&plain.mode.to_string(), 8).unwrap_or(0);
        if distrusted && bits & 0o022 != 0 {
            plan.mode = format!("{:04o}", bits & !0o022);
            shown.push(property(
                &format!("mode of {path}"),
                plain.mode.to_string(),
                plan.mode.clone(),
            ));
        }
        if distrusted && ![0, account.uid].contains(&plain.owner.number) {
            plan.owner = "user";
            shown.push(property(
                &format!("owner of {path}"),
                plain.owner.name.clone(),
                user.to_owned(),
            ));
        }
    } else if turnover.is_due() {
        let in_home = below_home(account, path).is_some();
        plan.mode = new_mode(in_home);
        plan.owner = new_owner(in_home);
        plan.how = if makes_folder(account, file) {
            "make"
        } else {
            "keep"
        };
        shown.extend(new_properties(user, path, &plan));
    }
    let unsafe_own = file
        .unsafe_folders
        .iter()
        .find(|(name, _)| mendable(account, file, name));
    if look.sshd.strict
        && mend
        && let (Some((name, how)), Some((_, bits))) = (unsafe_own, file.folder)
    {
        plan.how = "mend";
        let after = format!("owner {}, mode {:o}", account.uid, bits & !0o022);
        shown.push(property(&format!("folder {name}"), how.clone(), after));
    }
    (!shown.is_empty()).then(|| put(wanted, path, &plan, turnover.content.clone(), shown))
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
