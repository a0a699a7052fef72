//! A line of an `authorized_keys` file (sshd(8)): options, kind, key, comment.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

/// A key that may log in, with what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyLine {
    /// As they stand in the line; empty when there are none.
    options: String,
    kind: String,
    /// `SHA256:…`, as ssh-keygen shows it.
    pub(super) fingerprint: String,
    comment: String,
    /// The whole line without blanks at its ends.
    pub(super) text: String,
}

/// Why a text is no [`KeyLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoKey {
    #[error("it is a private key; only the public half (`.pub`) ever leaves its machine")]
    Private,
    #[error("a public key is one line: `ssh-ed25519 AAAA… comment`")]
    Form,
    #[error("the key itself is damaged: its base64 does not hold a key of that kind")]
    Damaged,
    #[error("sshd takes no DSA keys any more")]
    Dsa,
    #[error(
        "a certificate does not belong here; name its authority with the option cert-authority"
    )]
    Certificate,
}

const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

impl FromStr for KeyLine {
    type Err = NoKey;
    fn from_str(text: &str) -> Result<Self, NoKey> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(NoKey::Private);
        }
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(NoKey::Form);
        }
        let (options, rest) = match text.split_whitespace().next() {
            Some(first) if is_kind(first) => ("", text),
            Some(_) => split_options(text).ok_or(NoKey::Form)?,
            None => return Err(NoKey::Form),
        };
        let mut words = rest.splitn(2, [' ', '\t']);
        let kind = words.next().unwrap_or("");
        let rest = words.next().unwrap_or("").trim_start();
        let (encoded, comment) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        match kind {
            "ssh-dss" => return Err(NoKey::Dsa),
            kind if kind.contains("-cert-v0") => return Err(NoKey::Certificate),
            kind if !KINDS.contains(&kind) || encoded.is_empty() => return Err(NoKey::Form),
            _ => {}
        }
        let blob = BASE64
            .decode(encoded)
            .ok()
            .filter(|blob| names_itself(blob, kind))
            .ok_or(NoKey::Damaged)?;
        Ok(Self {
            options: options.to_owned(),
            kind: kind.to_owned(),
            fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))),
            comment: comment.trim().to_owned(),
            text: text.to_owned(),
        })
    }
}

/// A key starts with the length and the name of its kind (RFC 4253, 6.6), and something follows.
fn names_itself(blob: &[u8], kind: &str) -> bool {
    let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
    blob.strip_prefix(&length)
        .and_then(|rest| rest.strip_prefix(kind.as_bytes()))
        .is_some_and(|key| key.len() > 32)
}

fn is_kind(word: &str) -> bool {
    word == "ssh-dss" || word.contains("-cert-v0") || KINDS.contains(&word)
}

/// The options end at the first blank that is not between quotes.
fn split_options(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.char_indices().find(|(_, c)| {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return true,
            _ => {}
        }
        escaped = *c == '\\' && !escaped;
        false
    });
    let (options, rest) = text.split_at(end?.0);
    Some((options, rest.trim_start()))
}

impl KeyLine {
    /// The options one by one, in an order of their own: names in lower case, for sshd ignores their case.
    fn option_set(&self) -> Vec<String> {
        let (mut quoted, mut escaped) = (false, false);
        let mut options = vec![String::new()];
        for c in self.options.chars() {
            match c {
                '"' if !escaped => quoted = !quoted,
                ',' if !quoted => {
                    options.push(String::new());
                    continue;
                }
                _ => {}
            }
            escaped = c == '\\' && !escaped;
            if let Some(option) = options.last_mut() {
                option.push(c);
            }
        }
        let lower = |option: String| match option.split_once('=') {
            Some((name, value)) => format!("{}={value}", name.to_ascii_lowercase()),
            None => option.to_ascii_lowercase(),
        };
        let mut options: Vec<String> = options.into_iter().map(lower).collect();
        options.retain(|option| !option.is_empty());
        options.sort();
        options
    }

    /// Whether it says what a key may do.
    pub(super) fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    fn is_authority(&self) -> bool {
        self.option_set()
            .iter()
            .any(|option| option == "cert-authority")
    }

    /// Whether it is about the same key in the same part: a login key, or an authority.
    pub(super) fn is_same_key(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.is_authority() == other.is_authority()
    }

    /// Whether a line that is there does for this wanted one: options that nobody asked for may stay.
    pub(super) fn is_met_by(&self, there: &Self) -> bool {
        self.is_same_key(there) && (!self.has_options() || self.option_set() == there.option_set())
    }
}

/// For people: kind, fingerprint, comment, and the options.
impl fmt::Display for KeyLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.fingerprint)?;
        if !self.comment.is_empty() {
            write!(f, " {}", self.comment)?;
        }
        if self.has_options() {
            write!(f, " ({})", self.options)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1xDGTRfbBkK04ZUEy0yNO1Sgeoz3WTfbQjzq5/ZEj";

    fn line(text: &str) -> Result<KeyLine, NoKey> {
        text.parse()
    }

    #[test]
    fn a_line_is_taken_apart_with_its_options() {
        let plain = line(&format!("{KEY} me@desk")).unwrap();
        assert!(plain.fingerprint.starts_with("SHA256:"));
        assert_eq!(plain.fingerprint.len(), 50);
        assert_eq!(plain.comment, "me@desk");
        let odd = format!(r#"from="10.0.0.0/8, *.a",command="say \"a b\"",No-Pty {KEY} x y"#);
        let odd = line(&odd).unwrap();
        assert_eq!(
            odd.option_set(),
            [
                r#"command="say \"a b\"""#,
                r#"from="10.0.0.0/8, *.a""#,
                "no-pty"
            ]
        );
        assert_eq!(odd.comment, "x y");
        assert!(plain.is_met_by(&odd) && !odd.is_met_by(&plain));
        let other_order = format!(r#"no-pty,from="10.0.0.0/8, *.a",COMMAND="say \"a b\"" {KEY}"#);
        assert!(odd.is_met_by(&line(&other_order).unwrap()));
    }

    #[test]
    fn an_authority_is_not_the_key_itself() {
        let authority = line(&format!("cert-authority {KEY}")).unwrap();
        assert!(!line(KEY).unwrap().is_met_by(&authority));
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        assert_eq!(
            line("-----BEGIN OPENSSH PRIVATE KEY-----"),
            Err(NoKey::Private)
        );
        assert_eq!(line("ssh-ed25519 AAAA"), Err(NoKey::Damaged));
        assert_eq!(line(&KEY[..60]), Err(NoKey::Damaged));
        assert_eq!(line("ssh-dss AAAA x"), Err(NoKey::Dsa));
        assert_eq!(line(&format!("{KEY}\nssh-rsa x")), Err(NoKey::Form));
        assert_eq!(line("~/.ssh/id.pub"), Err(NoKey::Form));
        assert_eq!(
            line("ssh-ed25519-cert-v01@openssh.com AAAA"),
            Err(NoKey::Certificate)
        );
        assert_eq!(line(""), Err(NoKey::Form));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in "\\PC{0,40}", options in "[a-z=\",\\\\ ]{0,20}") {
            let _ = line(&text);
            if let Ok(line) = line(&format!("{options} {KEY}")) {
                let _ = (line.option_set(), line.to_string());
            }
        }
    }
}
