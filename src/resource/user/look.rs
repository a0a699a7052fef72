//! The answer of `hf_user`: an account as a host knows it.

use crate::probe::ParseError;
use crate::resource::Lines;

/// What a host says of an account, and of what a new one would meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// useradd, usermod and userdel are there.
    pub(super) tools: bool,
    pub(super) account: Option<Account>,
    /// There is no such user, but a group of that name.
    pub(super) own_group: bool,
    /// What is where its home would be made.
    pub(super) home_there: HomeThere,
    /// Those of the wanted groups that exist.
    pub(super) groups: Vec<String>,
    /// Those of the wanted groups that it is in.
    pub(super) member: Vec<String>,
}

/// An account that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) home: String,
    pub(super) shell: String,
    /// It stands in /etc/passwd, not in a directory somewhere else.
    pub(super) local: bool,
    pub(super) password: Password,
    /// The day of its expiry has come.
    pub(super) expired: bool,
}

/// The password field of shadow(5), in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    Set,
    /// A hash behind a `!`.
    Locked,
    /// No password fits: `!` or `*`.
    None,
    /// Whoever knows the name is in.
    Empty,
    /// Not readable without root, or not a line of shadow's.
    Unknown,
}

/// What is at the place of a new home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HomeThere {
    Nothing,
    /// A folder of this owner.
    Folder {
        owner: String,
    },
    /// Something else.
    Other,
}

impl Look {
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        let list = |key: &'static str| lines.all(key).map(str::to_owned).collect();
        let home_there = match lines.get("home_there") {
            "" => HomeThere::Nothing,
            "other" => HomeThere::Other,
            folder => HomeThere::Folder {
                owner: folder
                    .split_once(' ')
                    .map_or(folder, |(_, name)| name)
                    .to_owned(),
            },
        };
        let account = match lines.get("entry") {
            "" => None,
            entry => Some(account(entry, lines)?),
        };
        Ok(Self {
            tools: lines.is("tools"),
            account,
            own_group: lines.is("own_group"),
            home_there,
            groups: list("group"),
            member: list("member"),
        })
    }
}

fn account(entry: &str, lines: &Lines<'_>) -> Result<Account, ParseError> {
    let fields: Vec<&str> = entry.split(':').collect();
    let [_, _, uid, _, _, home, shell] = fields.as_slice() else {
        return Err(lines.unreadable("its entry has not seven fields"));
    };
    let uid = uid
        .parse()
        .map_err(|_| lines.unreadable(format!("its number is {uid:?}")))?;
    let password = match lines.get("password") {
        "set" => Password::Set,
        "locked" => Password::Locked,
        "none" => Password::None,
        "empty" => Password::Empty,
        "unreadable" | "" => Password::Unknown,
        other => return Err(lines.unreadable(format!("password is {other:?}"))),
    };
    Ok(Account {
        uid,
        home: (*home).to_owned(),
        // passwd(5): an empty field means /bin/sh.
        shell: if shell.is_empty() { "/bin/sh" } else { shell }.to_owned(),
        local: lines.is("local"),
        password,
        expired: lines.is("expired"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Answer, Answers, Probe};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "((entry|password|home_there|group|local)=(x:x:1:1::/h:/s|:::::::|[0-9]{1,12} \\PC{0,4}|\\PC{0,8})\n){0,8}") {
            let probe = Probe::new("hf_user", ["x"]);
            let seen = Answers::from_iter([(probe.clone(), Answer { status: 0, output: answer.into_bytes() })]);
            if let Ok(lines) = Lines::of(&seen, &probe) {
                let _ = Look::parse(&lines);
            }
        }
    }
}
