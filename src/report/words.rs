//! Small pieces of prose: numbers with their nouns, durations, lists of hosts, command lines.

use console::measure_text_width;

use crate::event::Fault;

/// `1 change`, `2 changes`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1 change`, `2 changes`.
pub(super) fn changes(number: usize) -> String {
    counted(number, "change", "changes")
}

/// `1 host`, `2 hosts`.
pub(super) fn hosts(number: usize) -> String {
    counted(number, "host", "hosts")
}

/// `0.8 s`, and from ten seconds on as [`seconds`].
pub(super) fn duration(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        10_000.. => seconds(millis / 1000),
    }
}

/// `14 s`, `2 min 5 s`, `1 h 3 min`.
pub(super) fn seconds(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600.. => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `web-1, web-2 (+6)`: as many names as fit into `room` columns, at least one.
pub(super) fn listed<S: AsRef<str>>(names: &[S], room: Option<usize>) -> String {
    let whole = joined(names);
    let Some(room) = room else { return whole };
    if measure_text_width(&whole) <= room {
        return whole;
    }
    (1..names.len())
        .rev()
        .map(|shown| format!("{} (+{})", joined(&names[..shown]), names.len() - shown))
        .find(|text| measure_text_width(text) <= room)
        .unwrap_or_else(|| shortened(names))
}

fn shortened<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first, rest @ ..] => format!("{} (+{})", first.as_ref(), rest.len()),
    }
}

/// `a, b, c`.
pub(super) fn joined<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(", ")
}

/// A command line that a POSIX shell reads back as `argv`.
pub(super) fn command_line<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quoted(word.as_ref())).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"%+,-./:=@_^".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A sentence ends with a full stop, whoever wrote it.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?', ':']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// A sentence begins with a capital.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

/// The class of a fault in a word or two.
pub(super) const fn class(fault: Fault) -> &'static str {
    match fault {
        Fault::Unreachable => "unreachable",
        Fault::Identity => "host key",
        Fault::Authentication => "login refused",
        Fault::Sudo => "no root",
        Fault::Locked => "locked",
        Fault::Unsupported => "not supported",
        Fault::Failed => "failed",
        Fault::Stale => "stale plan",
        Fault::NeedsHuman => "needs a decision",
        Fault::Verification => "not so in effect",
        Fault::Reverted => "reverted",
        Fault::OutcomeUnknown => "outcome unknown",
        Fault::Interrupted => "interrupted",
        Fault::NotBegun => "not begun",
        Fault::Journal => "no record",
    }
}

/// What to do about a fault when nobody who knows more has said it.
pub(super) const fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Unreachable => "Check that it is up, and its address and port; then run again.",
        Fault::Identity => {
            "Compare the fingerprint with the host's own before you trust it; a key that changed \
             may be somebody else's."
        }
        Fault::Authentication => "Check the user and the key. It was tried once, not again.",
        Fault::Sudo => "Let this user become root there, or log in as one who can.",
        Fault::Locked => "Wait until the other run has ended; then run again.",
        Fault::Unsupported => "Leave it out with --limit, or use a runbook that supports it.",
        Fault::Failed => "Mend what it says; then run again: what is done stays done.",
        Fault::Stale => "Run again: the plan is made anew from what is there now.",
        Fault::NeedsHuman => "Look at it and decide; then run again.",
        Fault::Verification => "Look at the checks that say no.",
        Fault::Reverted => "The host is as it was before. Mend what it says; then run again.",
        Fault::OutcomeUnknown => {
            "Run again when it can be reached: it looks at what was done, and carries on."
        }
        Fault::Interrupted => "Run again to carry on.",
        Fault::NotBegun => "Mend the hosts that failed; then run again.",
        Fault::Journal => {
            "Make room for the journal on this machine; then run again: what is done stays done."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_right() {
        assert_eq!(
            [changes(0), changes(1), changes(2)].join(" "),
            "0 changes 1 change 2 changes"
        );
    }

    #[test]
    fn durations_read_like_a_clock_would_be_read() {
        let told = [0, 840, 14_300, 125_000, 3_780_000].map(duration);
        assert_eq!(told.join(", "), "0.0 s, 0.8 s, 14 s, 2 min 5 s, 1 h 3 min");
    }

    #[test]
    fn a_list_of_hosts_fits_its_room_and_counts_the_rest() {
        let names: Vec<String> = (1..=8).map(|n| format!("web-{n}")).collect();
        assert_eq!(listed(&names, Some(20)), "web-1, web-2 (+6)");
        assert_eq!(listed(&names, Some(3)), "web-1 (+7)");
        assert_eq!(listed(&names[..2], Some(12)), "web-1, web-2");
        assert_eq!(listed(&names[..1], Some(3)), "web-1");
        assert!(listed(&names, None).ends_with("web-8"));
    }

    #[test]
    fn command_lines_are_quoted_for_a_shell() {
        let argv = ["sh", "-c", "echo \"it's\"", "", "/etc/ufw", "a=b", "*"];
        assert_eq!(
            command_line(&argv),
            r#"sh -c 'echo "it'\''s"' '' /etc/ufw a=b '*'"#
        );
    }

    #[test]
    fn a_sentence_gets_exactly_one_full_stop() {
        assert_eq!(
            [sentence("x"), sentence("x. "), sentence("")].join("|"),
            "x.|x.|"
        );
    }
}
