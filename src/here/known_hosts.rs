//! The keys of a host that `ssh` trusts: what is trusted under its known name is trusted for another
//! port of the same host, too. No key is ever fetched, none is asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::{Desk, file};
use crate::transport::{ClientConfig, addresses, client_config, hashed, key_name, known_lines};
use crate::value::Port;

/// Which trusted keys are not known for the port. Lines: `way=ssh`, `file=` that takes new lines,
/// `hashed=yes|no`, `name=` of the host on the port, `known=yes|no` whether any key is trusted,
/// `alias=` when the port is no part of the name, `need=` a line that is missing.
pub(super) async fn look(desk: &Desk<'_>, port: Port) -> Result<String, String> {
    let config = client_config(desk.listed, desk.ssh).await;
    let config = config.ok_or("ssh -G does not say how it would connect")?;
    let mut text = format!("way=ssh\nname={}\n", config.key_name(port));
    if let Some(alias) = &config.alias {
        let _ = writeln!(text, "alias={alias}");
        return Ok(text);
    }
    if let Some(file) = config.files.first() {
        let _ = writeln!(text, "file={}", file.display());
    }
    let hashes = if config.hashes { "yes" } else { "no" };
    let _ = writeln!(text, "hashed={hashes}");
    let mut known = false;
    for target in targets(&config).await {
        let wanted = key_name(&target, port);
        let mut trusted = BTreeSet::new();
        for port in [Some(config.port), desk.used.port].into_iter().flatten() {
            trusted.extend(lines(&key_name(&target, port), &config).await);
        }
        let there = lines(&wanted, &config).await;
        known |= trusted.iter().chain(&there).any(Line::is_trusted);
        for line in missing(&trusted, &there) {
            let _ = writeln!(text, "need={}", line.under(&wanted));
        }
    }
    text.push_str(if known { "known=yes\n" } else { "known=no\n" });
    Ok(text)
}

/// The name, and the addresses where ssh looks at those, too.
async fn targets(config: &ClientConfig) -> Vec<String> {
    let mut targets = vec![config.target.clone()];
    if config.checks_address && config.direct {
        let found = addresses(&config.target).await;
        targets.extend(found.iter().map(ToString::to_string));
        targets.dedup();
    }
    targets
}

async fn lines(name: &str, config: &ClientConfig) -> BTreeSet<Line> {
    let mut all = BTreeSet::new();
    for file in config.all_files() {
        let found = known_lines(name, file).await;
        all.extend(found.iter().filter_map(|line| Line::parse(line)));
    }
    all
}

/// A line of a file of trusted keys, without its names and its comment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// `@cert-authority`, `@revoked` or nothing.
    mark: String,
    /// Type and key.
    key: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let (mark, rest) = match line.split_once(' ') {
            Some((mark, rest)) if mark.starts_with('@') => (mark, rest),
            _ => ("", line),
        };
        let mut words = rest.split_whitespace();
        let (_names, kind, key) = (words.next()?, words.next()?, words.next()?);
        Some(Self {
            mark: mark.to_owned(),
            key: format!("{kind} {key}"),
        })
    }

    fn is_trusted(&self) -> bool {
        self.mark != "@revoked"
    }

    fn under(&self, name: &str) -> String {
        let gap = if self.mark.is_empty() { "" } else { " " };
        format!("{}{gap}{name} {}", self.mark, self.key)
    }
}

/// What is trusted, or revoked, under the known name and not yet under the other.
fn missing<'a>(trusted: &'a BTreeSet<Line>, there: &BTreeSet<Line>) -> Vec<&'a Line> {
    let revoked = |line: &Line| {
        let mut all = trusted.iter().chain(there);
        all.any(|other| !other.is_trusted() && other.key == line.key)
    };
    let lines = trusted.iter().filter(|line| !there.contains(line));
    lines
        .filter(|line| !line.is_trusted() || !revoked(line))
        .collect()
}

/// Adds lines to a file of trusted keys.
pub(super) async fn trust(path: &Path, lines: &str, hashes: bool) -> Result<(), String> {
    // Names with a mark stay readable: ssh-keygen leaves some of them alone, too.
    let lines = if hashes {
        hashed(lines).await.map_err(|error| error.to_string())?
    } else {
        lines.to_owned()
    };
    file::append(path, &lines).await
}

/// Whether every one of these lines is there, hashed or not.
pub(super) async fn has_all(path: &Path, lines: &str) -> bool {
    let mut found = 0;
    for line in lines.lines() {
        found += usize::from(!same(path, line).await.is_empty());
    }
    found == lines.lines().count()
}

/// Whether any of them is.
pub(super) async fn has_any(path: &Path, lines: &str) -> bool {
    for line in lines.lines() {
        if !same(path, line).await.is_empty() {
            return true;
        }
    }
    false
}

/// The lines of the file that say the same as this one.
async fn same(path: &Path, line: &str) -> Vec<String> {
    let wanted = Line::parse(line);
    let mut words = line.split_whitespace();
    let Some(name) = words.find(|word| !word.starts_with('@')) else {
        return Vec::new();
    };
    let found = known_lines(name, path).await;
    found
        .into_iter()
        .filter(|line| Line::parse(line) == wanted)
        .collect()
}

/// Takes such lines away again, hashed or not.
pub(super) async fn distrust(path: &Path, lines: &str) -> Result<(), String> {
    let mut gone = BTreeSet::new();
    for line in lines.lines() {
        gone.extend(same(path, line).await);
    }
    if gone.is_empty() {
        return Ok(());
    }
    let keep = |text: &str| {
        let kept = text.split_inclusive('\n');
        kept.filter(|line| !gone.contains(line.trim_end_matches('\n')))
            .collect()
    };
    file::change(path, |text| Ok(keep(text))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEM8q9KdFyzG7St46UlspPNrR+vGKktzTJf3QXV/bf0";

    fn set(lines: &[&str]) -> BTreeSet<Line> {
        lines.iter().filter_map(|line| Line::parse(line)).collect()
    }

    #[test]
    fn what_is_trusted_is_carried_over_with_its_mark() {
        let trusted = set(&[
            "web,10.0.0.1 ssh-ed25519 AAAA me@here",
            "@cert-authority *.example ssh-rsa BBBB",
        ]);
        let there = set(&["@cert-authority * ssh-rsa BBBB"]);
        let missing: Vec<String> = missing(&trusted, &there)
            .iter()
            .map(|line| line.under("[web]:2222"))
            .collect();
        assert_eq!(missing, ["[web]:2222 ssh-ed25519 AAAA"]);
    }

    #[test]
    fn a_revoked_key_is_not_carried_over_as_trusted() {
        let trusted = set(&["web ssh-ed25519 AAAA", "@revoked web ssh-ed25519 AAAA"]);
        let missing: Vec<String> = missing(&trusted, &BTreeSet::new())
            .iter()
            .map(|line| line.under("w"))
            .collect();
        assert_eq!(missing, ["@revoked w ssh-ed25519 AAAA"]);
    }

    #[tokio::test]
    async fn what_was_added_can_be_taken_away_hashed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let before = format!("web {KEY}\n# mine\n[db]:2222 {KEY}\n");
        let added = format!("[web]:2222 {KEY}\n");
        for hashes in [false, true] {
            std::fs::write(&file, &before).unwrap();
            trust(&file, &added, hashes).await.unwrap();
            let now = std::fs::read_to_string(&file).unwrap();
            assert!(now.starts_with(&before) && now.len() > before.len());
            assert_eq!(now.contains("|1|"), hashes, "{now}");
            assert_eq!(known_lines("[web]:2222", &file).await.len(), 1);
            assert!(has_all(&file, &added).await && has_any(&file, &added).await);
            distrust(&file, &added).await.unwrap();
            assert!(!has_any(&file, &added).await);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        }
    }
}
