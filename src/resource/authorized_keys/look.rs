//! The answers of `hf_authorized_keys` and `hf_session_key`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::probe::{ParseError, Probe};
use crate::resource::Lines;
use crate::resource::file::look as file;

/// Where the keys of a user are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// `None`: there is no such user.
    pub(super) account: Option<Account>,
    pub(super) sshd: Sshd,
    pub(super) files: Vec<KeyFile>,
}

/// The user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    /// As passwd(5) has it.
    pub(super) home: String,
    /// Where that really lies; empty when there is no such folder.
    pub(super) real_home: String,
}

/// What sshd says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sshd {
    /// Why it says nothing, when its configuration is broken.
    pub(super) broken: Option<String>,
    pub(super) strict: bool,
    pub(super) takes_keys: bool,
    /// A program that knows more keys.
    pub(super) command: Option<String>,
    /// `AuthorizedKeysFile` as it stands.
    pub(super) patterns: Vec<String>,
}

/// One of the files that sshd reads for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyFile {
    pub(super) path: String,
    pub(super) look: file::Look,
    /// Owner and mode of its folder; `None` when there is none.
    pub(super) folder: Option<(u32, u32)>,
    /// Folders above, its own included, that others could write to: path with owner and mode.
    pub(super) unsafe_folders: Vec<(String, String)>,
}

impl Look {
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        if lines.is("unreadable") {
            return Err(lines.unreadable("needs root to ask sshd where it reads keys"));
        }
        let patterns = lines
            .all("patterns")
            .next()
            .unwrap_or(".ssh/authorized_keys .ssh/authorized_keys2");
        let sshd = Sshd {
            broken: (lines.get("sshd") == "broken").then(|| lines.get("broken").to_owned()),
            strict: lines.get("strictmodes") != "no",
            takes_keys: lines.get("pubkeyauthentication") != "no",
            command: lines.all("command").next().map(str::to_owned),
            patterns: patterns.split_whitespace().map(str::to_owned).collect(),
        };
        let folders = lines.all("folder").map(folder);
        let files = lines.all("file").zip(lines.all("look")).zip(folders);
        let files = files.map(|((path, look), folder)| key_file(lines, path, look, folder));
        Ok(Self {
            account: account(lines)?,
            sshd,
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

fn account(lines: &Lines<'_>) -> Result<Option<Account>, ParseError> {
    let Some(entry) = lines.all("entry").next() else {
        return Ok(None);
    };
    let fields: Vec<&str> = entry.split(':').collect();
    let [_, _, uid, _, _, home, _] = fields.as_slice() else {
        return Err(lines.unreadable("its entry has not seven fields"));
    };
    let uid = uid
        .parse()
        .map_err(|_| lines.unreadable(format!("its number is {uid:?}")))?;
    Ok(Some(Account {
        uid,
        home: (*home).to_owned(),
        real_home: lines.get("home").to_owned(),
    }))
}

fn folder(line: &str) -> Option<(u32, u32)> {
    let (uid, mode) = line.split_once(' ')?;
    Some((uid.parse().ok()?, u32::from_str_radix(mode, 8).ok()?))
}

fn key_file(
    lines: &Lines<'_>,
    path: &str,
    look: &str,
    folder: Option<(u32, u32)>,
) -> Result<KeyFile, ParseError> {
    let bytes = BASE64
        .decode(look)
        .map_err(|_| lines.unreadable("look is no base64"))?;
    let inner = Lines {
        probe: lines.probe,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let of_this = format!("{path}: ");
    let unsafe_folders = lines
        .all("unsafe")
        .filter_map(|line| line.strip_prefix(&of_this));
    let unsafe_folders = unsafe_folders.filter_map(|line| {
        let (uid, rest) = line.split_once(' ')?;
        let (mode, name) = rest.split_once(' ')?;
        Some((name.to_owned(), format!("owner {uid}, mode {mode}")))
    });
    Ok(KeyFile {
        path: path.to_owned(),
        look: file::Look::parse(&inner)?,
        folder,
        unsafe_folders: unsafe_folders.collect(),
    })
}

/// How the connection that we use was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Session {
    /// By this key.
    Key(String),
    /// Not by a key: by a password, or not over SSH at all.
    NoKey,
    /// The host's log does not say.
    Unknown,
}

impl Session {
    pub(super) fn parse(lines: &Lines<'_>) -> Self {
        match (lines.get("key"), lines.get("method"), lines.get("session")) {
            ("", "", "local") => Self::NoKey,
            ("", "" | "publickey", _) => Self::Unknown,
            ("", _, _) => Self::NoKey,
            (key, _, _) => Self::Key(key.to_owned()),
        }
    }

    pub(super) fn probe(user: &str) -> Probe {
        Probe::new("hf_session_key", [user])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Answer, Answers};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "((entry|file|look|folder|unsafe|sshd|patterns)=(x:x:1:1::/h:/s|/a: 1 777 /|dHlwZT1hYnNlbnQK|[0-9]{1,3} [0-9]{3}|\\PC{0,8})\n){0,8}") {
            let probe = Probe::new("hf_authorized_keys", ["x"]);
            let seen = Answers::from_iter([(probe.clone(), Answer { status: 0, output: answer.into_bytes() })]);
            if let Ok(lines) = Lines::of(&seen, &probe) {
                let _ = Look::parse(&lines);
            }
        }
    }
}
