//! How the aspects of a change look: unified diffs, members of sets, properties, commands.

use std::time::Duration;

use similar::{ChangeTag, DiffOp, InlineChange, TextDiff, TextDiffConfig};

use super::line::Line;
use super::style::{Sign, Style, Tone};
use super::words::{command_line, counted};
use crate::change::Shown;

/// Lines of one diff or set that are shown without `-v`.
const MOST_LINES: usize = 100;

/// Characters of one line that are shown without `-v`.
const MOST_CHARACTERS: usize = 500;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// How long the search for the shortest diff may take; after that a longer one is shown.
const PATIENCE: Duration = Duration::from_millis(300);

/// What `shown` looks like.
pub(super) fn shown(shown: &Shown, style: &Style) -> Vec<Line> {
    match shown {
        Shown::Text {
            path,
            before,
            after,
        } => text(path, before.as_deref(), after.as_deref(), style),
        Shown::Lines {
            what,
            removed,
            added,
        } => set(what, removed, added, style),
        Shown::Property {
            name,
            before,
            after,
        } => vec![property(name, before, after, style)],
        Shown::Run { argv } => vec![run(argv)],
    }
}

fn text(path: &str, before: Option<&str>, after: Option<&str>, style: &Style) -> Vec<Line> {
    let side = |text: Option<&str>| text.map_or("/dev/null", |_| path).to_owned();
    let mut lines = vec![
        Line::exact(Tone::Removed, &format!("--- {}", side(before))),
        Line::exact(Tone::Added, &format!("+++ {}", side(after))),
    ];
    let hunks = unified(before.unwrap_or_default(), after.unwrap_or_default(), style);
    if hunks.is_empty() {
        lines.push(Line::of(Tone::Dim, "(an empty file)"));
    }
    lines.extend(capped(hunks, style));
    lines
}

fn unified(before: &str, after: &str, style: &Style) -> Vec<Line> {
    // Cut at line feeds alone, as diff(1) does: a lone carriage return is part of its line.
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let diff = TextDiffConfig::default()
        .newline_terminated(true)
        .timeout(PATIENCE)
        .diff_slices(&before, &after);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(Line::exact(Tone::Hunk, &hunk.header().to_string()));
        for op in hunk.ops() {
            lines.extend(changed_lines(&diff, op, style));
        }
    }
    lines
}

/// The lines of one operation. Words are compared only when colour can show them.
fn changed_lines(diff: &TextDiff<'_, '_, str>, op: &DiffOp, style: &Style) -> Vec<Line> {
    if style.colour {
        return diff
            .iter_inline_changes(op)
            .flat_map(|change| emphasised(&change, style))
            .collect();
    }
    diff.iter_changes(op)
        .flat_map(|change| diff_line(change.tag(), &[(false, change.value())], style))
        .collect()
}

fn emphasised(change: &InlineChange<'_, str>, style: &Style) -> Vec<Line> {
    diff_line(change.tag(), change.values(), style)
}

/// One line of a diff; a second one when the file ends in it without a line break.
fn diff_line(tag: ChangeTag, pieces: &[(bool, &str)], style: &Style) -> Vec<Line> {
    let (sign, tone, word) = match tag {
        ChangeTag::Equal => (" ", Tone::Plain, Tone::Plain),
        ChangeTag::Delete => ("-", Tone::Removed, Tone::RemovedWord),
        ChangeTag::Insert => ("+", Tone::Added, Tone::AddedWord),
    };
    let mut line = Line::exact(tone, sign);
    let mut room = most(MOST_CHARACTERS, style);
    let mut left_out = 0;
    for (emphasis, piece) in pieces {
        let piece = piece.strip_suffix('\n').unwrap_or(piece);
        let (fits, rest) = split_at_char(piece, room);
        room -= fits.chars().count();
        left_out += rest.chars().count();
        line = line.push_exact(if *emphasis { word } else { tone }, fits);
    }
    if left_out > 0 {
        let more = counted(left_out, "character", "characters");
        let ellipsis = style.sign(Sign::Ellipsis);
        line = line.push(Tone::Dim, format!(" {ellipsis} {more} more"));
    }
    let ends = pieces.last().is_none_or(|(_, last)| last.ends_with('\n'));
    let hint = (!ends).then(|| Line::exact(Tone::Dim, "\\ No newline at end of file"));
    std::iter::once(line).chain(hint).collect()
}

fn split_at_char(text: &str, number: usize) -> (&str, &str) {
    let at = text.char_indices().nth(number).map(|(at, _)| at);
    text.split_at(at.unwrap_or(text.len()))
}

fn set(what: &str, removed: &[String], added: &[String], style: &Style) -> Vec<Line> {
    let mut counts = Vec::new();
    if !added.is_empty() {
        counts.push(format!("+{}", added.len()));
    }
    if !removed.is_empty() {
        counts.push(format!("{}{}", style.sign(Sign::Minus), removed.len()));
    }
    let mut lines = vec![
        Line::of(Tone::Plain, format!("{what}: "))
            .push(Tone::Strong, counts.join(" "))
            .hanging(2),
    ];
    let gone = removed
        .iter()
        .map(|member| Line::exact(Tone::Removed, "- ").push(Tone::Removed, member));
    let come = added
        .iter()
        .map(|member| Line::exact(Tone::Added, "+ ").push(Tone::Added, member));
    lines.extend(capped(gone.chain(come).collect(), style));
    lines
}

fn property(name: &str, before: &str, after: &str, style: &Style) -> Line {
    let value = |text: &str| match text {
        "" => "(none)".to_owned(),
        text => text.to_owned(),
    };
    Line::of(Tone::Plain, format!("{name}: "))
        .push(Tone::Removed, value(before))
        .push(Tone::Plain, format!(" {} ", style.sign(Sign::Arrow)))
        .push(Tone::Added, value(after))
        .hanging(2)
}

fn run(argv: &[String]) -> Line {
    Line::of(Tone::Plain, "run: ")
        .push(Tone::Strong, command_line(argv))
        .hanging(5)
}

/// The first lines, and how many more there are. With `-v` all.
fn capped(mut lines: Vec<Line>, style: &Style) -> Vec<Line> {
    let most = most(MOST_LINES, style);
    if lines.len() > most {
        let more = counted(lines.len() - most, "line", "lines");
        lines.truncate(most);
        let text = format!("{} {more} more (-v shows all)", style.sign(Sign::Ellipsis));
        lines.push(Line::of(Tone::Dim, text));
    }
    lines
}

const fn most(number: usize, style: &Style) -> usize {
    if style.verbose() { usize::MAX } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOUR: Style = Style {
        colour: true,
        ..Style::plain()
    };

    fn rendered(what: &Shown, style: &Style) -> String {
        let rows = shown(what, style).into_iter();
        let rows = rows.flat_map(|line| line.rows(style, style.width));
        rows.collect::<Vec<_>>().join("\n")
    }

    fn file(before: Option<&str>, after: Option<&str>) -> Shown {
        Shown::Text {
            path: "/etc/motd".into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    #[test]
    fn a_changed_file_is_a_unified_diff() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "a\nb\nc\nd\nE\nf\ng\nh\ni";
        insta::assert_snapshot!(rendered(&file(Some(before), Some(after)), &Style::plain()), @r"
        --- /etc/motd
        +++ /etc/motd
        @@ -2,7 +2,8 @@
         b
         c
         d
        -e
        +E
         f
         g
         h
        +i
        \ No newline at end of file
        ");
    }

    #[test]
    fn new_and_removed_files_name_dev_null() {
        insta::assert_snapshot!(rendered(&file(None, Some("hi\n")), &Style::plain()), @r"
        --- /dev/null
        +++ /etc/motd
        @@ -0,0 +1 @@
        +hi
        ");
        insta::assert_snapshot!(rendered(&file(Some(""), None), &Style::plain()), @r"
        --- /etc/motd
        +++ /dev/null
        (an empty file)
        ");
    }

    #[test]
    fn a_final_line_break_that_comes_is_seen() {
        insta::assert_snapshot!(rendered(&file(Some("a"), Some("a\n")), &Style::plain()), @r"
        --- /etc/motd
        +++ /etc/motd
        @@ -1 +1 @@
        -a
        \ No newline at end of file
        +a
        ");
    }

    #[test]
    fn carriage_returns_and_control_characters_are_visible() {
        let diff = file(Some("a\n"), Some("a\r\n\u{1b}[31mred\rover\n\u{202e}\tx\n"));
        insta::assert_snapshot!(rendered(&diff, &Style::plain()), @r"
        --- /etc/motd
        +++ /etc/motd
        @@ -1 +1,3 @@
        -a
        +a\r
        +\x1b[31mred\rover
        +\u{202e}	x
        ");
    }

    #[test]
    fn colour_marks_the_words_that_differ() {
        let diff = file(Some("maxretry = 5 tries\n"), Some("maxretry = 3 tries\n"));
        let coloured = rendered(&diff, &COLOUR).replace('\u{1b}', "^");
        insta::assert_snapshot!(coloured, @r"
        ^[31m--- /etc/motd^[0m
        ^[32m+++ /etc/motd^[0m
        ^[36m@@ -1 +1 @@^[0m
        ^[31m-maxretry = ^[0m^[31;7m5^[0m^[31m tries^[0m
        ^[32m+maxretry = ^[0m^[32;7m3^[0m^[32m tries^[0m
        ");
    }

    #[test]
    fn colour_does_not_change_the_text() {
        let diff = file(Some("a b\nc\nd\n"), Some("a x\n\nd\ne"));
        let coloured = rendered(&diff, &COLOUR);
        let plain = console::strip_ansi_codes(&coloured).into_owned();
        assert_eq!(plain, rendered(&diff, &Style::plain()));
    }

    #[test]
    fn long_diffs_and_lines_are_cut_and_say_so() {
        let long = format!("{}\n{}", "x".repeat(600), "y\n".repeat(150));
        let cut = rendered(&file(None, Some(&long)), &Style::plain());
        let lines: Vec<&str> = cut.lines().collect();
        assert!(lines[3].ends_with("xxx … 100 characters more"));
        assert_eq!(lines.last(), Some(&"… 52 lines more (-v shows all)"));
        let verbose = Style {
            verbosity: 1,
            ..Style::plain()
        };
        let whole = rendered(&file(None, Some(&long)), &verbose);
        assert_eq!(whole.lines().count(), 3 + 151);
        assert!(whole.contains(&"x".repeat(600)));
    }

    #[test]
    fn sets_show_what_goes_and_what_comes() {
        let set = Shown::Lines {
            what: "firewall rules".into(),
            removed: vec!["allow 443/tcp from 131.0.72.0/22".into()],
            added: vec!["allow 443/tcp\nfrom anywhere".into()],
        };
        insta::assert_snapshot!(rendered(&set, &Style::plain()), @r"
        firewall rules: +1 −1
        - allow 443/tcp from 131.0.72.0/22
        + allow 443/tcp\nfrom anywhere
        ");
    }

    #[test]
    fn properties_and_commands_take_a_line() {
        let mode = |before: &str, after: &str| Shown::Property {
            name: "mode".into(),
            before: before.into(),
            after: after.into(),
        };
        let plain = Style::plain();
        assert_eq!(rendered(&mode("0600", "0644"), &plain), "mode: 0600 → 0644");
        assert_eq!(rendered(&mode("", "0644"), &plain), "mode: (none) → 0644");
        let argv = ["ufw", "allow from me"].map(str::to_owned).into();
        assert_eq!(
            rendered(&Shown::Run { argv }, &plain),
            "run: ufw 'allow from me'"
        );
    }
}
