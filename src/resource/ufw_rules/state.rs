//! What ufw on a host is set to and what its files hold: the answer of `hf_ufw_files`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::probe::{Answer, ParseError, Probe};

use super::address::Family;

/// ufw on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// As `ufw version` says, `0.36.2`; empty when it does not say.
    pub version: String,
    /// `ENABLED=yes`. Says nothing about the kernel.
    pub enabled: bool,
    /// Whether ufw handles IPv6.
    pub ipv6: Ipv6,
    /// `DEFAULT_INPUT_POLICY`: `DROP`, `REJECT` or `ACCEPT`.
    pub policy: String,
    /// There is a python3, which the lock of ufw needs.
    pub python: bool,
    v4: FileState,
    v6: FileState,
}

/// Whether ufw handles IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6 {
    /// It does.
    Handled,
    /// `IPV6=no` in `/etc/default/ufw`: ufw then keeps out all IPv6 but loopback.
    SetOff,
    /// The kernel has none.
    NotInKernel,
}

/// One rules file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileState {
    /// What it holds; `None` when it is no file or absent.
    pub content: Option<Vec<u8>>,
    /// What keeps us from replacing it by rename, as a clause.
    pub fixed: Option<String>,
    /// It cannot be written at all: immutable, or on a file system that is mounted read-only.
    pub readonly: bool,
}

/// The files as the package brings them; the same from ufw 0.36 to 0.36.2.
const PACKAGE_V4: &str = "*filter
:ufw-user-input - [0:0]
:ufw-user-output - [0:0]
:ufw-user-forward - [0:0]
:ufw-user-limit - [0:0]
:ufw-user-limit-accept - [0:0]
### RULES ###
-A ufw-user-limit -m limit --limit 3/minute -j LOG --log-prefix \"[UFW LIMIT BLOCK] \"
-A ufw-user-limit -j REJECT
-A ufw-user-limit-accept -j ACCEPT
COMMIT
";
const PACKAGE_V6: &str = "*filter
:ufw6-user-input - [0:0]
:ufw6-user-output - [0:0]
:ufw6-user-forward - [0:0]
### RULES ###
COMMIT
";

impl State {
    /// ufw as it will be right after the package is installed, which keeps what a removed ufw left.
    ///
    /// # Errors
    /// As those of [`State::parse`].
    pub fn of_the_package(probe: &Probe, answer: &Answer) -> Result<Self, ParseError> {
        let text = answer.text();
        let mut fresh = Self::fresh();
        if last_value(&text, "kernel6") == Some("no") {
            fresh.ipv6 = Ipv6::NotInKernel;
        }
        if last_value(&text, "left") != Some("yes") {
            return Ok(fresh);
        }
        let left = Self::read(probe, &text)?;
        if last_value(&text, "ipv6").is_some() && fresh.ipv6 == Ipv6::Handled {
            fresh.ipv6 = left.ipv6;
        }
        if !left.policy.is_empty() {
            fresh.policy = left.policy;
        }
        fresh.enabled = left.enabled;
        for (file, left) in [(&mut fresh.v4, left.v4), (&mut fresh.v6, left.v6)] {
            if left.content.is_some() || left.fixed.is_some() {
                *file = left;
            }
        }
        Ok(fresh)
    }

    fn fresh() -> Self {
        let file = |text: &str| FileState {
            content: Some(text.as_bytes().to_vec()),
            ..FileState::default()
        };
        Self {
            version: String::new(),
            enabled: false,
            ipv6: Ipv6::Handled,
            policy: "DROP".to_owned(),
            python: true,
            v4: file(PACKAGE_V4),
            v6: file(PACKAGE_V6),
        }
    }

    /// Reads the answer. `None`: ufw is not installed.
    ///
    /// # Errors
    /// When it is not of the form `key=value`, a file's content is not base64, or only root could
    /// have read it.
    pub fn parse(probe: &Probe, answer: &Answer) -> Result<Option<Self>, ParseError> {
        let text = answer.text();
        let value = |key: &str| last_value(&text, key).unwrap_or_default().to_owned();
        match value("installed").as_str() {
            "yes" => {}
            "no" => return Ok(None),
            _ => {
                return Err(ParseError::new(
                    probe,
                    "it does not say whether ufw is installed",
                ));
            }
        }
        Self::read(probe, &text).map(Some)
    }

    fn read(probe: &Probe, text: &str) -> Result<Self, ParseError> {
        let value = |key: &str| last_value(text, key).unwrap_or_default().to_owned();
        let file = |family| FileState::parse(text, family);
        let bad = |why: String| ParseError::new(probe, why);
        Ok(Self {
            version: value("version"),
            enabled: value("enabled") == "yes",
            ipv6: match value("ipv6").to_ascii_lowercase().as_str() {
                "yes" if value("kernel6") == "yes" => Ipv6::Handled,
                "yes" => Ipv6::NotInKernel,
                _ => Ipv6::SetOff,
            },
            policy: value("policy").to_ascii_uppercase(),
            python: value("python") == "yes",
            v4: file(Family::V4).map_err(bad)?,
            v6: file(Family::V6).map_err(bad)?,
        })
    }

    /// The rules file of a family.
    pub fn file(&self, family: Family) -> &FileState {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The same with another content of a file.
    pub fn set_content(&mut self, family: Family, content: Option<Vec<u8>>) {
        match family {
            Family::V4 => self.v4.content = content,
            Family::V6 => self.v6.content = content,
        }
    }

    /// Whether ufw handles IPv6.
    pub fn handles_ipv6(&self) -> bool {
        self.ipv6 == Ipv6::Handled
    }

    /// The families whose rules ufw loads.
    pub fn families(&self) -> Vec<Family> {
        let applies = |family: &Family| *family == Family::V4 || self.handles_ipv6();
        Family::BOTH.into_iter().filter(applies).collect()
    }

    /// Whether packets that no rule admits are kept out.
    pub fn drops(&self) -> bool {
        self.policy != "ACCEPT"
    }
}

impl FileState {
    fn parse(text: &str, family: Family) -> Result<Self, String> {
        let name = match family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        if last_value(text, &format!("{name}.unreadable")).is_some() {
            return Err(format!("needs root to read {}", family.file()));
        }
        let content = match last_value(text, &format!("{name}.data")) {
            Some(data) => {
                let decoded = BASE64.decode(data.trim());
                Some(decoded.map_err(|_| format!("{name}.data is not base64"))?)
            }
            None => None,
        };
        let mounted = last_value(text, &format!("{name}.mounted")).is_some();
        Ok(Self {
            content,
            fixed: fixed(text, family.file(), mounted),
            readonly: last_value(text, &format!("{name}.readonly")).is_some(),
        })
    }
}

/// What stands in the way of replacing a file, by its line `PATH KIND|LINKS|MODE|OWNER`.
fn fixed(text: &str, path: &str, mounted: bool) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(path)?.strip_prefix(' '));
    let mut fields = line.unwrap_or_default().split('|');
    let (kind, links) = (
        fields.next().unwrap_or_default(),
        fields.next().unwrap_or_default(),
    );
    if mounted {
        return Some("is mounted by itself".to_owned());
    }
    if !kind.is_empty() && !kind.starts_with("regular") {
        return Some(format!("is a {kind}"));
    }
    (!links.is_empty() && links != "1").then(|| format!("has {links} names (hard links)"))
}

/// The value behind the last `key=`; as in shell, the last one counts.
fn last_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    text.lines().rev().find_map(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::fixture;
    use super::*;

    fn parse(text: &str) -> Result<Option<State>, ParseError> {
        let probe = Probe::new::<String>("hf_ufw_files", []);
        let output = text.as_bytes().to_vec();
        State::parse(&probe, &Answer { status: 0, output })
    }

    #[test]
    fn the_answer_becomes_a_state() {
        let state = parse(
            "installed=yes\nenabled=yes\nkernel6=yes\npython=yes\nversion=0.36.2\nipv6=yes\n\
             policy=DROP\n/etc/ufw/user.rules regular file|1|640|0:0\n\
             /etc/ufw/user6.rules regular file|2|640|0:0\nv4.data=Q09NTUlUCg==\nv6.readonly=yes\n\
             v6.data=\n",
        );
        let state = state.unwrap().unwrap();
        assert_eq!(state.version, "0.36.2");
        assert_eq!(state.families(), Family::BOTH);
        assert_eq!(
            state.file(Family::V4).content.as_deref(),
            Some(b"COMMIT\n".as_slice())
        );
        assert_eq!(state.file(Family::V4).fixed, None);
        assert_eq!(
            state.file(Family::V6).fixed.as_deref(),
            Some("has 2 names (hard links)")
        );
        assert!(state.file(Family::V6).readonly);
    }

    #[test]
    fn a_link_is_not_replaced() {
        let text = "installed=yes\n/etc/ufw/user.rules symbolic link|1|777|0:0\nv4.data=\n";
        let state = parse(text).unwrap().unwrap();
        assert_eq!(
            state.file(Family::V4).fixed.as_deref(),
            Some("is a symbolic link")
        );
        assert_eq!(state.file(Family::V6).content, None);
        assert_eq!(state.families(), [Family::V4]);
    }

    #[test]
    fn no_ufw_is_an_answer_and_silence_is_none() {
        assert_eq!(parse("installed=no\n"), Ok(None));
        assert!(parse("").is_err());
        assert!(parse("installed=yes\nv4.data=%%%\n").is_err());
    }

    #[test]
    fn a_file_that_only_root_may_read_is_neither_missing_nor_broken() {
        let error = parse("installed=yes\nv4.unreadable=yes\n").unwrap_err();
        assert_eq!(error.why, "needs root to read /etc/ufw/user.rules");
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            text in "installed=yes\n((v4.data|v6.data|version|ipv6|policy)=.{0,20}\n|/etc/ufw/user.rules .{0,20}\n|.{0,20}\n){0,12}",
        ) {
            let _ = parse(&text);
        }
    }

    #[test]
    fn the_packages_files_are_the_packages_files() {
        for release in ["debian-11", "debian-12", "debian-13"] {
            assert_eq!(
                fixture(&format!("{release}/pristine.user.rules")),
                PACKAGE_V4.as_bytes()
            );
            assert_eq!(
                fixture(&format!("{release}/pristine.user6.rules")),
                PACKAGE_V6.as_bytes()
            );
        }
    }
}
