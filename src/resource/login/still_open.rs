//! What Match blocks leave open of what the global section closes: sshd takes them over it.

use super::look::{Login, MatchLine};
use crate::change::Note;

/// A way in that a Match block leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    /// `/etc/ssh/sshd_config line 12`.
    pub(crate) place: String,
    /// For whom, and what.
    pub(crate) note: Note,
}

/// What Match blocks keep open although the settings with these keywords (in lower case) close it.
pub(super) fn still_open(login: &Login, keywords: &[String]) -> Vec<Open> {
    let lines = login.matches.iter().filter(|line| is_open(line, keywords));
    let open = lines.map(|line| Open {
        place: line.place.clone(),
        note: Note::warning(left_open(line)),
    });
    open.collect()
}

fn is_open(line: &MatchLine, keywords: &[String]) -> bool {
    let keyword = line.keyword.to_ascii_lowercase();
    let value = line.value.to_ascii_lowercase();
    match keyword.as_str() {
        "authenticationmethods" => value.contains("password") || value.contains("keyboard"),
        _ => value == "yes" && keywords.iter().any(|set| same_gate(set, &keyword)),
    }
}

/// Whether closing `set` should close `keyword`: passwords have several gates, one of them with two names.
fn same_gate(set: &str, keyword: &str) -> bool {
    const PASSWORDS: [&str; 4] = [
        "passwordauthentication",
        "kbdinteractiveauthentication",
        "challengeresponseauthentication",
        "permitemptypasswords",
    ];
    set == keyword || (PASSWORDS.contains(&set) && PASSWORDS.contains(&keyword))
}

fn left_open(line: &MatchLine) -> String {
    let MatchLine {
        place,
        condition,
        keyword,
        value,
    } = line;
    let what = if keyword.eq_ignore_ascii_case("permitrootlogin") {
        "root's login stays possible"
    } else {
        "passwords stay possible"
    };
    format!("{what} for `Match {condition}`: {place} says `{keyword} {value}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keyword: &str, value: &str) -> MatchLine {
        MatchLine {
            place: "/etc/ssh/sshd_config line 9".to_owned(),
            condition: "User backup".to_owned(),
            keyword: keyword.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn what_a_match_block_allows_again_is_told() {
        let closed = ["passwordauthentication".to_owned()];
        assert!(is_open(
            &line("ChallengeResponseAuthentication", "Yes"),
            &closed
        ));
        assert!(is_open(
            &line("AuthenticationMethods", "password publickey"),
            &closed
        ));
        assert!(!is_open(&line("PasswordAuthentication", "no"), &closed));
        assert!(!is_open(&line("PermitRootLogin", "yes"), &closed));
        assert_eq!(
            left_open(&line("PasswordAuthentication", "yes")),
            "passwords stay possible for `Match User backup`: /etc/ssh/sshd_config line 9 says `PasswordAuthentication yes`"
        );
    }
}
