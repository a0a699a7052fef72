//! What is told of a saved plan: whose it is and how old, and what moved on a host since it was made.

use super::diff;
use super::line::Line;
use super::streams::{Notice, Stream};
use super::style::{Sign, Style, Tone};
use super::words::{class, command_line, joined, seconds, sentence};
use crate::event::{SavedCommand, SavedPlan, WrittenCommand};
use crate::plan::Moved;

/// The run shows or performs a saved plan.
pub(super) fn plan_opened(saved: &SavedPlan, style: &Style) -> Option<Notice> {
    if style.quiet && saved.sealed_by_us {
        return None;
    }
    let dot = style.sign(Sign::Dot);
    let at = saved.made_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let head = Line::of(Tone::Plain, "plan ")
        .push(Tone::Strong, &saved.file)
        .push(
            Tone::Plain,
            format!(
                ": made by {} on {at}, {}, with Holdfast {}",
                saved.operator,
                age(saved.age),
                saved.version
            ),
        )
        .hanging(2);
    let digest = format!("sha256 {}{dot}run {}", saved.sha256, saved.made_by_run);
    let mut lines = vec![head, Line::of(Tone::Dim, digest).indented(2).hanging(2)];
    if !saved.sealed_by_us {
        lines.push(
            Line::of(Tone::Warn, "warning")
                .push(
                    Tone::Plain,
                    ": it is not sealed with your key, so only you can tell whether it is what was reviewed: look at it, and compare its sha256.",
                )
                .indented(2)
                .hanging(2),
        );
    }
    // Who cannot trust the seal must see all that will run.
    if style.verbose() || !saved.sealed_by_us {
        lines.extend(saved.commands.iter().map(command));
    }
    lines.extend(written(&saved.written));
    for (host, fault) in &saved.without_plan {
        let why = fault.map_or(String::new(), |fault| format!(" ({})", class(fault)));
        let text = format!("no plan in it for {host}{why}");
        lines.push(Line::of(Tone::Warn, text).indented(2).hanging(2));
    }
    Some(Notice::of_run(Stream::Status, lines))
}

/// The programs in the texts of a plan, under a heading of their own.
fn written(programs: &[WrittenCommand]) -> Vec<Line> {
    if programs.is_empty() {
        return Vec::new();
    }
    let filled = programs.iter().any(|one| {
        let mut words = one.argv.iter().chain(&one.items);
        words.any(|word| word.contains("{{") || word.contains("{%"))
    });
    let head = if filled {
        "programs in its runbooks as written, whatever any `when` says; what its inputs and variables put into {{ }} stands in the file:"
    } else {
        "programs in its runbooks as written, whatever any `when` says:"
    };
    let lines = programs.iter().map(|one| {
        let mut words = format!(
            "{}, {} ({}): {}",
            one.runbook,
            one.name,
            one.key,
            command_line(&one.argv)
        );
        if !one.items.is_empty() {
            words.push_str(" for each of ");
            words.push_str(&command_line(&one.items));
        }
        Line::of(Tone::Plain, words).indented(4).hanging(2)
    });
    let head = Line::of(Tone::Plain, head).indented(2).hanging(2);
    [head].into_iter().chain(lines).collect()
}

/// A command that verifies hosts.
fn command(command: &SavedCommand) -> Line {
    let words = format!(
        "verifies {} by running: {}",
        joined(&command.hosts),
        command_line(&command.argv)
    );
    Line::of(Tone::Plain, words).indented(2).hanging(4)
}

/// `2 h 3 min ago`.
fn age(age: i64) -> String {
    let far = match age.unsigned_abs() {
        far if far >= 2 * DAY => format!("{} days {} h", far / DAY, far % DAY / 3600),
        near => seconds(near),
    };
    let side = if age < 0 {
        "ahead of this clock"
    } else {
        "ago"
    };
    format!("{far} {side}")
}

/// In seconds.
const DAY: u64 = 86_400;

/// A step is not what it was. `like` names a host where it moved the same way.
pub(super) fn step_moved(host: &str, moved: &Moved, like: Option<&str>, style: &Style) -> Notice {
    let about = match (moved.subject.as_str(), moved.name.as_str()) {
        ("", name) => name,
        (subject, _) => subject,
    };
    let head = Line::of(
        Tone::Bad,
        format!("{} {} moved ", style.sign(Sign::Bad), moved.number),
    )
    .push(Tone::Strong, format!("({about})"))
    .hanging(2);
    if let Some(like) = like {
        let head = head.push(Tone::Plain, format!(": as on {like}"));
        return Notice::of_host(host, vec![head]).for_data_stream();
    }
    let mut lines = vec![head.push(Tone::Plain, format!(": {}", sentence(&moved.why)))];
    if !moved.shown.is_empty() {
        lines.push(Line::of(Tone::Dim, "from then to now:").indented(2));
    }
    let shown = moved.shown.iter().flat_map(|one| diff::shown(one, style));
    lines.extend(shown.map(|line| line.indented(2)));
    Notice::of_host(host, lines).for_data_stream()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_words_and_a_clock_that_is_behind_too() {
        let told = [
            0,
            59,
            3_700,
            DAY.cast_signed(),
            3 * DAY.cast_signed() + 7_200,
            -90,
            -800_000 * DAY.cast_signed(),
        ]
        .map(age);
        assert_eq!(
            told.join(" | "),
            "0 s ago | 59 s ago | 1 h 1 min ago | 24 h 0 min ago | 3 days 2 h ago | 1 min 30 s ahead of this clock | 800000 days 0 h ahead of this clock"
        );
    }
}
