//! What Match blocks leave open of what the global section closes: sshd takes them over it.

use super::look::{Login, MatchLine};
use crate::change::Note;

/// What Match blocks keep open although the settings with these keywords (in lower case) close it.
pub(super) fn still_open(login: &Login, keywords: &[String]) -> Vec<Note> {
    let about = |line: &&MatchLine| {
        let keyword = line.keyword.to_ascii_lowercase();
        let value = line.value.to_ascii_lowercase();
        let open = match keyword.as_str() {
            "authenticationmethods" => value.contains("password") || value.contains("keyboard"),
            "permitrootlogin" => value != "no" && keywords.contains(&keyword),
            _ => value == "yes",
        };
        open && (keyword == "authenticationmethods"
            || keywords.iter().any(|set| same_gate(set, &keyword)))
    };
    let lines = login.matches.iter().filter(about);
    lines.map(|line| Note::warning(left_open(line))).collect()
}

/// The two names of one setting, old and new; and passwords have two gates.
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
    format!("{what} for `Match {condition}`: {place} says {keyword} {value}")
}
