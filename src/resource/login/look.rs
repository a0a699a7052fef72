//! What a host answers about a login. See `src/host/login.read.sh` for how it finds out.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::key_line::{self, KeyLine};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;

/// Everything that decides whether a login succeeds.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// Whether the host could be looked at with the rights that this takes.
    pub(super) root: bool,
    /// What the OpenSSH of the host calls itself; none without an sshd.
    pub(super) sshd: Option<String>,
    /// Our address as the host sees it; none when we did not come over SSH.
    pub(super) client: Option<IpAddr>,
    /// Whose login is meant.
    pub(super) user: String,
    /// Whether that is who is logged in now.
    pub(super) is_session: bool,
    /// How sshd let the session in; none when its log does not say.
    pub(super) session: Option<Session>,
    /// The account; none when there is no such user.
    pub(super) account: Option<Account>,
    /// What sshd says of a configuration that it does not accept.
    pub(super) error: Option<String>,
    effective: Vec<(String, String)>,
    /// The file with revoked keys cannot be read: sshd takes no key at all then.
    pub(super) revocations_unreadable: bool,
    /// The files with keys, in the order in which sshd looks into them.
    pub(super) files: Vec<KeyFile>,
    /// What Match blocks allow or forbid apart from the rest.
    pub(super) matches: Vec<MatchLine>,
}

/// How a session was let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// `publickey`, `password`, `keyboard-interactive/pam`, `none` …
    pub(super) method: String,
    /// The key, for `publickey`.
    pub(super) key: Option<UsedKey>,
}

/// A key as sshd's log names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsedKey {
    /// `ED25519`, `RSA`, `ECDSA-SK`, `ED25519-CERT` …
    pub(super) kind: String,
    /// `SHA256:…`; of a certificate that of the authority that signed it.
    pub(super) fingerprint: String,
    /// Whether it is a certificate.
    pub(super) certificate: bool,
}

/// An account of the host.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) shell: String,
    /// Why the shell is none: "missing".
    pub(super) shell_problem: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) hurdles: Vec<Hurdle>,
}

/// What about an account may keep it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurdle {
    /// Its password is locked (`!`).
    Locked,
    /// The account has expired.
    Expired,
    /// Its password is too old and must be changed in a terminal.
    PasswordExpired,
    /// A nologin file keeps everybody but root out.
    NoLogin,
}

impl Account {
    pub(super) fn has(&self, hurdle: Hurdle) -> bool {
        self.hurdles.contains(&hurdle)
    }
}

/// A file in which sshd looks for keys.
#[derive(Debug, Default)]
pub(super) struct KeyFile {
    pub(super) path: String,
    pub(super) missing: bool,
    /// The user may not read it, and sshd reads it as the user.
    pub(super) unreadable: bool,
    /// Longer than is looked at.
    pub(super) too_big: bool,
    /// The file and its folders up to the one where sshd stops to look.
    pub(super) chain: Vec<Node>,
    pub(super) keys: Vec<KeyLine>,
    /// Numbers of lines whose `expiry-time` is over.
    pub(super) over: Vec<usize>,
    /// Numbers of lines whose key is revoked (`RevokedKeys`).
    pub(super) revoked: Vec<usize>,
}

/// A file or folder on the way to a file with keys.
#[derive(Debug)]
pub(super) struct Node {
    /// In the words of `stat`: "regular file", "directory".
    pub(super) kind: String,
    pub(super) mode: u32,
    pub(super) uid: u32,
    /// Who is in its group, when that may write.
    pub(super) members: Vec<String>,
    pub(super) path: String,
}

/// A setting inside of a Match block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MatchLine {
    /// `/etc/ssh/sshd_config line 12`.
    pub(super) place: String,
    /// What stands behind `Match`.
    pub(super) condition: String,
    /// As written.
    pub(super) keyword: String,
    /// As written, without quotes.
    pub(super) value: String,
}

impl Login {
    /// Reads the answer to `hf_login`.
    pub(super) fn of(seen: &Answers, probe: &Probe) -> Result<Self, ParseError> {
        let lines = Lines::of(seen, probe)?;
        let user = lines.get("user").to_owned();
        if user.is_empty() {
            return Err(lines.unreadable("no user in it"));
        }
        Ok(Self {
            root: lines.get("uid") == "0",
            sshd: Some(lines.get("sshd").to_owned())
                .filter(|text| !matches!(text.as_str(), "" | "no")),
            client: lines
                .get("client")
                .parse()
                .ok()
                .map(|ip: IpAddr| ip.to_canonical()),
            is_session: user == lines.get("session_user"),
            session: session(lines.get("session")),
            account: account(&lines)?,
            error: lines.all("error").next().map(str::to_owned),
            effective: effective(&lines),
            revocations_unreadable: lines.is("revocations_unreadable"),
            files: files(&lines)?,
            matches: lines.all("match").filter_map(match_line).collect(),
            user,
        })
    }

    /// The effective values of a keyword (in lower case), one for each line of `sshd -T`.
    pub(super) fn values(&self, keyword: &str) -> Vec<&str> {
        let found = self.effective.iter().filter(|(key, _)| key == keyword);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The effective value of a keyword; empty when this sshd does not know it.
    pub(super) fn value(&self, keyword: &str) -> &str {
        self.values(keyword).first().copied().unwrap_or("")
    }

    /// Whether a keyword is on.
    pub(super) fn is_on(&self, keyword: &str) -> bool {
        self.value(keyword) == "yes"
    }
}

/// "publickey ED25519 SHA256:…", "publickey RSA-CERT SHA256:… ID x (serial 1) CA ED25519 SHA256:…", "password".
fn session(text: &str) -> Option<Session> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let method = (*words.first()?).to_owned();
    let certificate = words.get(1).is_some_and(|kind| kind.ends_with("-CERT"));
    // The name of the certificate comes before the authority and may hold anything.
    let fingerprint = if certificate {
        words.last()
    } else {
        words.get(2)
    };
    let key = words.get(1).zip(fingerprint).map(|(kind, print)| UsedKey {
        kind: (*kind).to_owned(),
        fingerprint: (*print).to_owned(),
        certificate,
    });
    Some(Session { method, key })
}

fn account(lines: &Lines<'_>) -> Result<Option<Account>, ParseError> {
    if matches!(lines.get("account"), "" | "no") {
        return Ok(None);
    }
    let problem = lines.get("shell_problem");
    Ok(Some(Account {
        uid: lines.need("account")?,
        shell: lines.get("shell").to_owned(),
        shell_problem: (!problem.is_empty()).then(|| problem.to_owned()),
        groups: lines
            .get("groups")
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        hurdles: hurdles(lines),
    }))
}

fn hurdles(lines: &Lines<'_>) -> Vec<Hurdle> {
    let expired = |what: &str| lines.all("expired").any(|found| found == what);
    let found = [
        (lines.is("locked"), Hurdle::Locked),
        (expired("account"), Hurdle::Expired),
        (expired("password"), Hurdle::PasswordExpired),
        (lines.is("nologin"), Hurdle::NoLogin),
    ];
    found
        .into_iter()
        .filter_map(|(there, hurdle)| there.then_some(hurdle))
        .collect()
}

fn effective(lines: &Lines<'_>) -> Vec<(String, String)> {
    let pairs = lines
        .every()
        .filter_map(|line| line.strip_prefix("after.")?.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn files(lines: &Lines<'_>) -> Result<Vec<KeyFile>, ParseError> {
    let mut files: Vec<KeyFile> = Vec::new();
    for (key, value) in lines.every().filter_map(|line| line.split_once('=')) {
        if key == "file" {
            files.push(KeyFile {
                path: value.to_owned(),
                ..KeyFile::default()
            });
            continue;
        }
        let Some(file) = files.last_mut() else {
            continue;
        };
        match key {
            "missing" => file.missing = true,
            "unreadable" => file.unreadable = true,
            "too_big" => file.too_big = true,
            "over" => file.over.extend(value.parse::<usize>().ok()),
            "revoked" => file.revoked.extend(value.parse::<usize>().ok()),
            "path" => file
                .chain
                .push(node(value).ok_or_else(|| lines.unreadable(format!("a path is {value:?}")))?),
            "content" => {
                let content = BASE64
                    .decode(value)
                    .map_err(|_| lines.unreadable("a file is no base64"))?;
                file.keys = key_line::parse(&content);
            }
            _ => {}
        }
    }
    Ok(files)
}

/// `TYPE|MODE|UID|MEMBERS|PATH`.
fn node(text: &str) -> Option<Node> {
    let mut parts = text.splitn(5, '|');
    let mut next = || parts.next();
    Some(Node {
        kind: next()?.to_owned(),
        mode: u32::from_str_radix(next()?, 8).ok()?,
        uid: next()?.parse().ok()?,
        members: next()?
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        path: next()?.to_owned(),
    })
}

/// `FILE line LINE|CONDITION|KEYWORD VALUE`.
fn match_line(text: &str) -> Option<MatchLine> {
    let (place, rest) = text.split_once('|')?;
    let (condition, setting) = rest.rsplit_once('|')?;
    let (keyword, value) = setting.split_once(' ').unwrap_or((setting, ""));
    Some(MatchLine {
        place: place.to_owned(),
        condition: condition.to_owned(),
        keyword: keyword.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_line_of_a_session_names_its_key() {
        let plain = session("publickey ED25519 SHA256:abc").unwrap();
        assert_eq!(plain.method, "publickey");
        assert_eq!(plain.key.unwrap().fingerprint, "SHA256:abc");
        let signed =
            session("publickey ED25519-CERT SHA256:abc ID ops CA x (serial 7) CA RSA SHA256:ca")
                .unwrap();
        let key = signed.key.unwrap();
        assert!(key.certificate);
        assert_eq!(key.fingerprint, "SHA256:ca");
        assert_eq!(session("none").unwrap().key, None);
        assert_eq!(session(""), None);
    }
}
