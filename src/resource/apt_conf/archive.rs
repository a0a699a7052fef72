//! What the origins of unattended-upgrade come to on a host: which of its archives they cover.
//!
//! The matching is that of unattended-upgrade itself: `origin=Debian,codename=*` with shell patterns, or in
//! the older list `Ubuntu:jammy-security`.

use super::dump::Dump;
use super::wish::Wish;
use crate::change::Note;
use crate::probe::Probe;
use crate::resource::Lines;

const PATTERNS: &str = "unattended-upgrade::origins-pattern";
const ALLOWED: &str = "unattended-upgrade::allowed-origins";

/// Releases of which nothing more comes by the ordinary archives, and why.
const ENDED: [(&str, &str); 2] = [
    (
        "debian 11",
        "Debian 11 is past its long-term support (August 2026): without extended support (ELTS) no update will come",
    ),
    (
        "ubuntu 20.04",
        "Ubuntu 20.04 is past its standard support (May 2025): without Ubuntu Pro (ESM) no update will come",
    ),
];

/// Whether the step decides about origins at all.
pub(super) fn concerns(wishes: &[Wish]) -> bool {
    wishes
        .iter()
        .any(|wish| [PATTERNS, ALLOWED].contains(&wish.key.folded().as_str()))
}

/// The question about archives. Lists come and go, so it is no precondition of anything.
pub(super) fn probe() -> Probe {
    Probe::new::<String>("hf_apt_archives", [])
}

/// An archive as its Release file names it.
struct Archive<'a> {
    origin: &'a str,
    label: &'a str,
    codename: &'a str,
    suite: &'a str,
    site: &'a str,
    component: &'a str,
}

/// The values of the variables in patterns.
struct Release {
    id: String,
    codename: String,
}

/// What the operator should know of the origins in effect.
pub(super) fn notes(then: &Dump, lines: &Lines<'_>) -> Vec<Note> {
    let mut os = lines.get("os").split(' ');
    let (id, version) = (os.next().unwrap_or(""), os.next().unwrap_or(""));
    let release = Release {
        id: capital(id),
        codename: os.next().unwrap_or("").to_owned(),
    };
    let name = format!("{id} {version}");
    let ended = ENDED.iter().find(|(ended, _)| *ended == name);
    let mut notes: Vec<Note> = ended
        .map(|(_, why)| Note::warning(*why))
        .into_iter()
        .collect();
    let archives: Vec<Archive<'_>> = lines.all("archive").filter_map(archive).collect();
    if archives.is_empty() {
        notes.push(Note::info(
            "the host has no package lists yet: which archives are covered cannot be said",
        ));
        return notes;
    }
    let covered = |archive: &Archive<'_>| covers(then, archive, &release);
    if !archives.iter().any(covered) {
        notes.push(Note::warning(
            "no archive that the host has lists of matches the origins in effect: nothing would be upgraded",
        ));
    }
    let foreign = archives.iter().filter(|archive| {
        !covered(archive)
            && archive.origin != release.id
            && !archive.origin.starts_with("UbuntuESM")
    });
    let mut names: Vec<String> = foreign.map(Archive::name).collect();
    names.dedup();
    if !names.is_empty() {
        notes.push(Note::info(format!(
            "not covered, so never upgraded unattended: {}",
            names.join(", ")
        )));
    }
    notes
}

fn capital(id: &str) -> String {
    let mut letters = id.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn archive(line: &str) -> Option<Archive<'_>> {
    let parts: Vec<&str> = line.split('|').collect();
    let [origin, label, codename, suite, site, component] = parts.as_slice() else {
        return None;
    };
    Some(Archive {
        origin,
        label,
        codename,
        suite,
        site,
        component,
    })
}

impl Archive<'_> {
    fn name(&self) -> String {
        match (self.origin, self.site) {
            ("", "") => "an archive without a name".to_owned(),
            ("", site) => site.to_owned(),
            (origin, "") => origin.to_owned(),
            (origin, site) => format!("{origin} ({site})"),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        Some(match name {
            "o" | "origin" => self.origin,
            "l" | "label" => self.label,
            "a" | "suite" | "archive" => self.suite,
            "n" | "codename" => self.codename,
            "c" | "component" => self.component,
            "site" => self.site,
            _ => return None,
        })
    }
}

fn covers(then: &Dump, archive: &Archive<'_>, release: &Release) -> bool {
    let pattern = |pattern: &str| {
        let quoted = pattern.replace("\\,", "%2C");
        quoted.split(',').all(|token| {
            let Some((what, value)) = token.split_once('=') else {
                return false;
            };
            let value = release.fill(value.trim()).replace("%2C", ",");
            let field = archive.field(what.trim());
            field.is_some_and(|field| glob(value.as_bytes(), field.as_bytes()))
        })
    };
    let pair = |pair: &str| {
        let parts = pair.split_once(':').or_else(|| pair.split_once(' '));
        parts.is_some_and(|(origin, suite)| {
            let same = |pattern: &str, field: &str| {
                glob(release.fill(pattern.trim()).as_bytes(), field.as_bytes())
            };
            same(origin, archive.origin) && same(suite, archive.suite)
        })
    };
    then.below(PATTERNS).into_iter().any(pattern) || then.below(ALLOWED).into_iter().any(pair)
}

impl Release {
    fn fill(&self, text: &str) -> String {
        text.replace("${distro_id}", &self.id)
            .replace("${distro_codename}", &self.codename)
    }
}

/// A shell pattern with `*` and `?`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            glob(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| glob(pattern, text))
        }
        (Some((b'?', rest)), Some((_, text))) => glob(rest, text),
        (Some((letter, rest)), Some((other, text))) => letter == other && glob(rest, text),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_the_shell() {
        for (pattern, text, same) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a?c", "ac", false),
            ("Debian*", "Debian-Security", true),
            ("Debian", "Debian-Security", false),
            ("**x", "aax", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), same, "{pattern}");
        }
    }
}
