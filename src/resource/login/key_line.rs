//! The lines of an `authorized_keys` file: sshd(8), "`AUTHORIZED_KEYS` FILE FORMAT".

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD as UNPADDED};
use sha2::{Digest as _, Sha256};

/// One key with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyLine {
    /// The number of the line, from 1.
    pub(super) number: usize,
    /// `SHA256:` and the digest as OpenSSH writes it.
    pub(super) fingerprint: String,
    /// `ssh-ed25519`, `ssh-rsa` …
    pub(super) kind: String,
    /// The size of an RSA key in bits.
    pub(super) rsa_bits: Option<usize>,
    options: Vec<(String, String)>,
}

impl KeyLine {
    /// The value of an option (names are in lower case); empty for an option without one.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The keys of a file. Lines that sshd would not understand are left out, as by sshd.
pub(super) fn parse(content: &[u8]) -> Vec<KeyLine> {
    let text = String::from_utf8_lossy(content);
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| key_line(index + 1, line))
        .collect()
}

fn key_line(number: usize, line: &str) -> Option<KeyLine> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (options, (kind, blob)) = if let Some(key) = key(line) {
        (Vec::new(), key)
    } else {
        let end = unquoted(line, char::is_whitespace)?;
        (options(&line[..end]), key(line[end..].trim_start())?)
    };
    Some(KeyLine {
        number,
        fingerprint: format!("SHA256:{}", UNPADDED.encode(Sha256::digest(&blob))),
        rsa_bits: (kind == "ssh-rsa").then(|| rsa_bits(&blob)).flatten(),
        kind,
        options,
    })
}

/// A type and a key of that type at the beginning of a text.
fn key(text: &str) -> Option<(String, Vec<u8>)> {
    let mut words = text.split_whitespace();
    let (kind, encoded) = (words.next()?, words.next()?);
    let blob = BASE64.decode(encoded).ok()?;
    let (inner, _) = string(&blob)?;
    (inner == kind.as_bytes()).then(|| (kind.to_owned(), blob))
}

/// A string of the SSH protocol (RFC 4251 §5): four bytes of length, then so many; and the rest.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// An RSA key is its type, the exponent and the modulus (RFC 4253 §6.6).
fn rsa_bits(blob: &[u8]) -> Option<usize> {
    let (_, rest) = string(blob)?;
    let (_, rest) = string(rest)?;
    let (modulus, _) = string(rest)?;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let first = modulus.get(start)?;
    Some((modulus.len() - start) * 8 - first.leading_zeros() as usize)
}

/// Where the first such character outside of quotes stands.
fn unquoted(text: &str, is: impl Fn(char) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && is(c) => return Some(at),
            _ => {}
        }
    }
    None
}

fn options(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = unquoted(rest, |c| c == ',').unwrap_or(rest.len());
        let (name, value) = rest[..end].split_once('=').unwrap_or((&rest[..end], ""));
        let value = value.strip_prefix('"').unwrap_or(value);
        let value = value.strip_suffix('"').unwrap_or(value);
        found.push((name.to_ascii_lowercase(), value.replace("\\\"", "\"")));
        rest = rest.get(end + 1..).unwrap_or("");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `ssh-keygen`; the fingerprints and the size are what `ssh-keygen -lf` says.
    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIEjS1OmNBsBOjRvDz7HoOK9Ysz6AkMr8aVEU7gzicMfF";
    const PRINT: &str = "SHA256:5lTZ54rS8BKHwvE8a9uIDYLOf8hL3cNxgBfLp03eZSU";

    #[test]
    fn a_line_is_a_key_with_or_without_options() {
        let text = format!(
            "# comment\n\nssh-ed25519 {ED25519} me\n\
             from=\"10.0.0.0/8,!10.0.0.9\",command=\"echo \\\"a, b\\\"\",no-pty  ssh-ed25519 {ED25519}\n\
             ssh-rsa {ED25519}\nrubbish\nCert-Authority ssh-ed25519 {ED25519}"
        );
        let lines = parse(text.as_bytes());
        let numbers: Vec<usize> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [3, 4, 7]);
        assert!(lines.iter().all(|line| line.fingerprint == PRINT));
        assert_eq!(lines[0].option("from"), None);
        assert_eq!(lines[1].option("from"), Some("10.0.0.0/8,!10.0.0.9"));
        assert_eq!(lines[1].option("command"), Some("echo \"a, b\""));
        assert_eq!(lines[1].option("no-pty"), Some(""));
        assert_eq!(lines[2].option("cert-authority"), Some(""));
    }

    #[test]
    fn the_size_of_an_rsa_key_is_known() {
        let text = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCrUyzpMC7+ydjzN5YY2swrgZXDdHCLLyRpTsqpMSRJtpeY5yWRYd7b6DCzCy8HqviQZC4gWyt4esTbl6sJuEP+3Nm3ECTQPJOEUANJ4idRio9oMI92eSgJRLeRlvhneRPXemtORxGI7CeN6SKbuO5U+kIW2pQEsstEPqE2+QKzCw== x";
        let line = parse(text.as_bytes()).remove(0);
        assert_eq!(line.rsa_bits, Some(1024));
        assert_eq!(
            line.fingerprint,
            "SHA256:5JSt3dERIWiQqh/p8xtjDeJCIwc6vnMZMEdVKYzQXD4"
        );
    }

    #[test]
    fn bytes_that_are_no_keys_do_no_harm() {
        assert!(parse(b"\xff\xfe \x00\nssh-ed25519 AAAA\nfrom=\"x ssh-ed25519 AAAA\n").is_empty());
        assert_eq!(string(&[0xff; 8]), None);
    }
}
