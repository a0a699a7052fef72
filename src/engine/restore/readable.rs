//! Answers of a host as a person reads them: what it packed for the way is unpacked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::change::Shown;
use crate::probe::{Answer, Probe};

/// Keys whose value is base64 of a text (`src/host/*.read.sh`).
const PACKED: [&str; 4] = ["content", "data", "look", "stdout"];

/// What a question is about, in a word.
pub(super) fn about(probe: &Probe) -> &str {
    let first = probe.args.first();
    first.map_or(probe.function.as_str(), String::as_str)
}

/// What moved, as a diff from the state that a run left to the one that was found.
pub(super) fn moved(probe: &Probe, left: Option<&Answer>, now: &Answer) -> Shown {
    Shown::Text {
        path: format!("{} (as the run left it, and as it is now)", about(probe)),
        before: left.map(text),
        after: Some(text(now)),
    }
}

/// How many differences a sentence holds.
const FEW: usize = 4;

/// The same in a few words: lines that went and lines that came.
pub(super) fn differences(left: &Answer, now: &Answer) -> String {
    let (left, now) = (text(left), text(now));
    let lines = |text: &str, other: &str, sign: char| -> Vec<String> {
        let others: Vec<&str> = other.lines().collect();
        let alone = text.lines().filter(|line| !others.contains(line));
        alone.map(|line| format!("{sign}{}", line.trim())).collect()
    };
    let mut all = lines(&left, &now, '-');
    all.extend(lines(&now, &left, '+'));
    if all.len() > FEW {
        all.truncate(FEW);
        all.push("…".to_owned());
    }
    all.join(", ")
}

fn text(answer: &Answer) -> String {
    readable(&answer.text(), "")
}

/// What was packed may hold what was packed.
fn readable(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        if let Some((key, inner)) = unpacked(line) {
            lines.push_str(indent);
            lines.push_str(key);
            lines.push_str(":\n");
            lines.push_str(&readable(&inner, &format!("{indent}  ")));
        } else {
            lines.push_str(indent);
            lines.push_str(line);
            lines.push('\n');
        }
    }
    lines
}

fn unpacked(line: &str) -> Option<(&str, String)> {
    let (key, value) = line.split_once('=')?;
    let last = key.rsplit('.').next()?;
    if !PACKED.contains(&last) {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(value).ok()?).ok()?;
    Some((key, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_shown_as_text() {
        let answer = |content: &str| Answer {
            status: 0,
            output: format!("type=file\ncontent={}\nmode=644\n", BASE64.encode(content))
                .into_bytes(),
        };
        let probe = Probe::new("hf_file", ["/etc/motd"]);
        let Shown::Text { before, after, .. } =
            moved(&probe, Some(&answer("a\n")), &answer("a\nb\n"))
        else {
            panic!("no text");
        };
        assert_eq!(
            before.as_deref(),
            Some("type=file\ncontent:\n  a\nmode=644\n")
        );
        assert_eq!(
            after.as_deref(),
            Some("type=file\ncontent:\n  a\n  b\nmode=644\n")
        );
    }
}
