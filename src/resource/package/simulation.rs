//! The lines in which `apt-get -s` says what it would do.

/// One package that apt would install or upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Install {
    /// The name, with its architecture when that is a foreign one: `libc6:i386`.
    pub(super) name: String,
    /// The version that is there now.
    pub(super) old: Option<String>,
    /// The version that comes.
    pub(super) version: String,
    /// Where from: `Debian:12.11/stable`. May be empty for a repository without a name.
    pub(super) origin: String,
}

/// `Inst NAME [OLD] (VERSION ORIGIN, ORIGIN [ARCH]) [MORE]`, with or without the parts in brackets.
pub(super) fn install(line: &str) -> Option<Install> {
    let rest = line.strip_prefix("Inst ")?;
    let (head, rest) = rest.split_once(" (")?;
    let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
    let (name, old) = match head.split_once(' ') {
        None => (head, None),
        Some((name, old)) => (
            name,
            Some(
                old.trim()
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned(),
            ),
        ),
    };
    let (version, rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let origin = rest
        .rfind('[')
        .map_or(rest, |bracket| &rest[..bracket])
        .trim();
    (!name.is_empty() && !version.is_empty()).then(|| Install {
        name: name.to_owned(),
        old,
        version: version.to_owned(),
        origin: origin.to_owned(),
    })
}

/// The name in `Remv NAME [VERSION]`.
pub(super) fn removal(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("Remv ")?;
    rest.split(' ').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_three_releases_are_read() {
        let new = install("Inst ufw (0.36.2-1 Debian:12.11/stable [all])").unwrap();
        assert_eq!(
            (
                new.name.as_str(),
                new.old,
                new.version.as_str(),
                new.origin.as_str()
            ),
            ("ufw", None, "0.36.2-1", "Debian:12.11/stable")
        );
        let upgrade = install("Inst libc6 [2.36-9+deb12u8] (2.36-9+deb12u10 Debian-Security:12/stable-security, Debian:12.11/stable [amd64]) []").unwrap();
        assert_eq!(upgrade.old.as_deref(), Some("2.36-9+deb12u8"));
        assert_eq!(
            upgrade.origin,
            "Debian-Security:12/stable-security, Debian:12.11/stable"
        );
        let nameless = install("Inst hello (2.10-3 localhost [amd64])").unwrap();
        assert_eq!(nameless.origin, "localhost");
        assert_eq!(install("Inst a:i386 (1 [i386])").unwrap().name, "a:i386");
        assert_eq!(
            install("Conf ufw (0.36.2-1 Debian:12.11/stable [all])"),
            None
        );
        assert_eq!(removal("Remv rsyslog [8.2302.0-1]"), Some("rsyslog"));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(Inst|Remv) ?[a-z\\[\\]() .,:é]{0,40}", any in "\\PC*") {
            let _ = (install(&line), removal(&line), install(&any), removal(&any));
        }
    }
}
