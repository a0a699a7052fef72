//! A line of output before it is bytes. All text goes through here and is cleaned on the way in,
//! so no renderer can pass on a control character that a host sent.

use console::measure_text_width;

use super::clean::{clean, clean_keeping_tabs};
use super::style::{Sign, Style, Tone};
use super::words::sentence;

/// A line: pieces of text with their tones, and how to break them when the terminal is narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line {
    indent: usize,
    hang: usize,
    exact: bool,
    pieces: Vec<Piece>,
}

type Piece = (Tone, String);

impl Line {
    /// An empty line.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A line of one piece.
    pub(super) fn of(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::new().push(tone, text)
    }

    /// A line of a file or of a host's output: never broken, tabs kept.
    pub(super) fn exact(tone: Tone, text: &str) -> Self {
        let mut line = Self::new().push_exact(tone, text);
        line.exact = true;
        line
    }

    /// The same with further text.
    #[must_use]
    pub(super) fn push(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.pieces.push((tone, clean(text.as_ref()).into_owned()));
        self
    }

    /// The same with further text of a file.
    #[must_use]
    pub(super) fn push_exact(mut self, tone: Tone, text: &str) -> Self {
        self.pieces
            .push((tone, clean_keeping_tabs(text).into_owned()));
        self
    }

    /// The same, `by` columns further right.
    #[must_use]
    pub(super) fn indented(mut self, by: usize) -> Self {
        self.indent += by;
        self
    }

    /// The same, with `by` columns before its second and further rows.
    #[must_use]
    pub(super) fn hanging(mut self, by: usize) -> Self {
        self.hang = by;
        self
    }

    /// The rows it takes in `width` columns, painted.
    pub(super) fn rows(&self, style: &Style, width: Option<usize>) -> Vec<String> {
        let indent = " ".repeat(self.indent);
        match width {
            Some(width) if !self.exact => self
                .broken(width)
                .iter()
                .map(|(margin, row)| format!("{}{}", " ".repeat(*margin), painted(row, style)))
                .collect(),
            Some(_) | None => vec![format!("{indent}{}", painted(&self.pieces, style))],
        }
    }

    /// Breaks between words; a word longer than a row gets a row of its own.
    fn broken(&self, width: usize) -> Vec<(usize, Vec<Piece>)> {
        let mut rows = Vec::new();
        let mut margin = self.indent;
        let (mut row, mut used): (Vec<Piece>, usize) = (Vec::new(), 0);
        for word in words(&self.pieces) {
            let wide: usize = word.iter().map(|(_, text)| measure_text_width(text)).sum();
            let blank = word.last().is_some_and(|(_, text)| text.ends_with(' '));
            let needed = wide - usize::from(blank);
            if !row.is_empty() && margin + used + needed > width {
                rows.push((margin, std::mem::take(&mut row)));
                margin = self.indent + self.hang;
                used = 0;
            }
            used += wide;
            row.extend(word);
        }
        rows.push((margin, row));
        rows
    }
}

/// A message behind its head. Line breaks in it are structure, as those of a mistake with its place:
/// each further line stands behind a bar, so that none can pass for a line of ours.
pub(super) fn message(head: Line, text: &str, style: &Style) -> Vec<Line> {
    let mut lines = text.trim().lines();
    let (first, rest) = (lines.next().unwrap_or_default(), lines);
    let bar = format!("{} ", style.sign(Sign::Bar));
    let rest: Vec<Line> = rest
        .map(|line| Line::exact(Tone::Dim, &bar).push_exact(Tone::Plain, line))
        .map(|line| line.indented(2))
        .collect();
    let first = if rest.is_empty() {
        sentence(first)
    } else {
        first.to_owned()
    };
    let head = head.push(Tone::Plain, first).hanging(2);
    std::iter::once(head).chain(rest).collect()
}

/// The pieces cut behind every blank; what has no blank between it stays together across tones.
fn words(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut words = vec![Vec::new()];
    for (tone, text) in pieces {
        for part in text.split_inclusive(' ') {
            if let Some(word) = words.last_mut() {
                word.push((*tone, part.to_owned()));
            }
            if part.ends_with(' ') {
                words.push(Vec::new());
            }
        }
    }
    words
}

/// One row with colours; neighbours of one tone share their colour codes, blanks at the end go.
fn painted(pieces: &[Piece], style: &Style) -> String {
    let mut runs: Vec<Piece> = Vec::new();
    for (tone, text) in pieces {
        match runs.last_mut() {
            Some((last, run)) if last == tone => run.push_str(text),
            Some(_) | None => runs.push((*tone, text.clone())),
        }
    }
    if let Some((_, last)) = runs.last_mut() {
        last.truncate(last.trim_end_matches(' ').len());
    }
    runs.iter()
        .map(|(tone, text)| style.paint(*tone, text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &Line, width: Option<usize>) -> String {
        line.rows(&Style::plain(), width).join("\n")
    }

    #[test]
    fn a_long_line_breaks_between_words_and_hangs() {
        let line = Line::of(Tone::Good, "+ ")
            .push(Tone::Strong, "The firewall lets Cloudflare in")
            .push(Tone::Plain, ", ")
            .push(Tone::Dim, "and nobody else")
            .indented(2)
            .hanging(2);
        insta::assert_snapshot!(plain(&line, Some(24)), @"
          + The firewall lets
            Cloudflare in, and
            nobody else
        ");
        insta::assert_snapshot!(plain(&line, None), @"  + The firewall lets Cloudflare in, and nobody else");
    }

    #[test]
    fn a_word_without_blanks_is_never_cut() {
        let line = Line::of(Tone::Plain, "see /var/lib/holdfast/runs/019a for more");
        insta::assert_snapshot!(plain(&line, Some(12)), @"
        see
        /var/lib/holdfast/runs/019a
        for more
        ");
    }

    #[test]
    fn exact_lines_are_never_broken() {
        let line = Line::exact(Tone::Plain, "a b c d\te");
        assert_eq!(line.rows(&Style::plain(), Some(3)), ["a b c d\te"]);
    }

    #[test]
    fn a_message_of_several_lines_is_several_lines_behind_a_bar() {
        let text = "error: `x` is not defined\n --> r.yaml:2:13\n  |\n  \u{1b}[2J\n";
        let lines = message(Line::of(Tone::Bad, "failed: "), text, &Style::plain());
        let rows: Vec<String> = lines.iter().map(|line| plain(line, Some(20))).collect();
        insta::assert_snapshot!(rows.join("\n"), @r"
        failed: error: `x`
          is not defined
          │  --> r.yaml:2:13
          │   |
          │   \x1b[2J
        ");
        let one = message(Line::new(), "it is so", &Style::plain());
        assert_eq!(plain(&one[0], None), "it is so.");
    }

    #[test]
    fn text_cannot_break_out_of_its_line() {
        let line = Line::of(Tone::Plain, "a\nb\u{1b}[0m");
        assert_eq!(line.rows(&Style::plain(), None), ["a\\nb\\x1b[0m"]);
    }
}
