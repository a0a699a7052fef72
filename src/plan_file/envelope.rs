//! The first line of a plan file, and what it is worth.
//!
//! ```text
//! holdfast-plan 1 sha256=<64 hex> bytes=<length of the rest> seal=<16 hex of the key's name>:<64 hex>
//! ```
//!
//! The digest is of everything behind the first line and tells accident from intent: a cut copy, a stray edit,
//! a broken disk. It cannot tell a forgery, for whoever edits the file can write a new digest. The seal can: it
//! is an HMAC-SHA256 (RFC 2104) with a key that never leaves the state folder of the operator who made the plan,
//! so nobody who can write the file alone (a shared folder, a ticket, a build's artefacts) can make another one
//! that this operator applies unaware. Who has no such key sees that the seal cannot be checked, and must look at
//! the plan or name its digest.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::probe::Digest;

/// What the file begins with.
pub const MAGIC: &str = "holdfast-plan ";

/// The format that this version writes.
pub const FORMAT: u32 = 1;

/// A block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// What an operator seals plans with.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Key {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What it is called in a seal: nothing of the key itself can be found from it.
    pub fn name(&self) -> String {
        hex(&hmac(&self.0, b"holdfast plan key"))[..16].to_owned()
    }

    fn seal(&self, body: &[u8]) -> String {
        let head = format!("{MAGIC}{FORMAT}\n");
        hex(&hmac(&self.0, &[head.as_bytes(), body].concat()))
    }
}

/// What the first line says, once it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The digest of the rest.
    pub digest: Digest,
    /// Whether it is ours.
    pub seal: Seal,
}

/// What is known of a file's seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Our own key made it.
    Ours,
    /// Another operator's key made it, or none: it cannot be checked here.
    Unknown,
}

/// Why a file is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not begin as plans do.
    #[error("it is no plan: it does not begin with `holdfast-plan`")]
    NoPlan,
    /// A newer format.
    #[error(
        "its format is {0}, and this version of Holdfast reads up to {FORMAT}: use a newer one"
    )]
    TooNew(u32),
    /// The first line is not whole.
    #[error("its first line is damaged")]
    Header,
    /// The rest is shorter or longer than it was.
    #[error("it is not whole: {expected} bytes were written, {found} are there")]
    Length {
        /// As the first line says.
        expected: usize,
        /// As it is.
        found: usize,
    },
    /// The rest is not what was written.
    #[error("it was changed after it was made: its digest does not fit")]
    Digest,
    /// Somebody wrote it anew without the key.
    #[error("it was forged: its digest fits, but its seal was not made by your key")]
    Seal,
}

/// Whether bytes begin as plan files do.
pub fn is_plan(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC.as_bytes())
}

/// The file with this content.
pub(super) fn seal(body: &[u8], key: Option<&Key>) -> Vec<u8> {
    let mut head = format!(
        "{MAGIC}{FORMAT} sha256={} bytes={}",
        Digest::of(body),
        body.len()
    );
    if let Some(key) = key {
        let _ = write!(head, " seal={}:{}", key.name(), key.seal(body));
    }
    head.push('\n');
    [head.as_bytes(), body].concat()
}

/// The content of a file, when it is what was written.
pub(super) fn open<'a>(bytes: &'a [u8], key: Option<&Key>) -> Result<(Header, &'a [u8]), Damage> {
    if !is_plan(bytes) {
        return Err(Damage::NoPlan);
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[][..]),
    };
    let line = std::str::from_utf8(line).map_err(|_| Damage::Header)?;
    let mut words = line[MAGIC.len()..].split(' ');
    let format: u32 = words
        .next()
        .and_then(|word| word.parse().ok())
        .filter(|format| *format > 0)
        .ok_or(Damage::Header)?;
    if format > FORMAT {
        return Err(Damage::TooNew(format));
    }
    let mut fields = Fields::default();
    for word in words {
        fields.take(word)?;
    }
    fields.check(body, key)
}

/// The named words of the first line.
#[derive(Default)]
struct Fields<'a> {
    digest: Option<&'a str>,
    length: Option<usize>,
    seal: Option<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, word: &'a str) -> Result<(), Damage> {
        let (name, value) = word.split_once('=').ok_or(Damage::Header)?;
        match name {
            "sha256" => self.digest = Some(value),
            "bytes" => self.length = Some(value.parse().map_err(|_| Damage::Header)?),
            "seal" => self.seal = Some(value.split_once(':').ok_or(Damage::Header)?),
            // A later version of the same format may say more.
            _ => {}
        }
        Ok(())
    }

    fn check(self, body: &'a [u8], key: Option<&Key>) -> Result<(Header, &'a [u8]), Damage> {
        let (Some(digest), Some(expected)) = (self.digest, self.length) else {
            return Err(Damage::Header);
        };
        if body.len() != expected {
            return Err(Damage::Length {
                expected,
                found: body.len(),
            });
        }
        let found = Digest::of(body);
        if found.as_str() != digest {
            return Err(Damage::Digest);
        }
        let ours = key
            .zip(self.seal)
            .filter(|(key, (name, _))| key.name() == *name);
        let seal = match ours {
            Some((key, (_, seal))) if key.seal(body) == seal => Seal::Ours,
            Some(_) => return Err(Damage::Seal),
            None => Seal::Unknown,
        };
        let digest = found;
        Ok((Header { digest, seal }, body))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|b| b ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key::new([7; 32]);

    #[test]
    fn the_seal_is_the_hmac_of_rfc_4231() {
        // Test cases 1, 2 and 6.
        for (key, message, expected) in [
            (
                vec![0x0b; 20],
                b"Hi There".to_vec(),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?".to_vec(),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&hmac(&key, &message)), expected);
        }
    }

    #[test]
    fn what_was_sealed_opens_and_says_whose_it_is() {
        let bytes = seal(b"{}\n", Some(&KEY));
        let (header, body) = open(&bytes, Some(&KEY)).unwrap();
        assert_eq!((header.seal, body), (Seal::Ours, &b"{}\n"[..]));
        let other = Key::new([8; 32]);
        assert_eq!(open(&bytes, Some(&other)).unwrap().0.seal, Seal::Unknown);
        assert_eq!(open(&bytes, None).unwrap().0.seal, Seal::Unknown);
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let bytes = seal(b"{\"a\":1}\n", Some(&KEY));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let opened = open(&changed, Some(&KEY));
            // A key with another name cannot be checked, which is told.
            let seal = opened.map(|(header, _)| header.seal);
            assert!(matches!(seal, Err(_) | Ok(Seal::Unknown)), "byte {at}");
            assert!(open(&bytes[..at], Some(&KEY)).is_err(), "cut at {at}");
        }
        let longer = [&bytes[..], b" "].concat();
        assert!(matches!(open(&longer, None), Err(Damage::Length { .. })));
    }

    #[test]
    fn a_new_digest_does_not_make_an_edit_good() {
        let name = KEY.name();
        let ours = String::from_utf8(seal(b"{}\n", Some(&KEY))).unwrap();
        let seal_word = ours.lines().next().unwrap().rsplit(' ').next().unwrap();
        let edited = b"{ }\n";
        let forged = format!(
            "{MAGIC}1 sha256={} bytes=4 {seal_word}\n{{ }}\n",
            Digest::of(edited)
        );
        assert!(seal_word.contains(&name));
        assert_eq!(open(forged.as_bytes(), Some(&KEY)), Err(Damage::Seal));
    }

    #[test]
    fn newer_formats_and_other_files_are_told_apart() {
        let newer = b"holdfast-plan 2 whatever comes then\n\x00";
        assert_eq!(open(newer, None), Err(Damage::TooNew(2)));
        assert_eq!(open(b"{}\n", None), Err(Damage::NoPlan));
        assert_eq!(open(b"", None), Err(Damage::NoPlan));
        assert_eq!(open(b"holdfast-plan x\n", None), Err(Damage::Header));
    }
}
