//! How output may look. Decided once by the caller; nothing here looks at the terminal.

/// What the renderers may use and how much they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are wanted. Everything is readable without.
    pub colour: bool,
    /// Columns; `None` when lines may be as long as they are (logs).
    pub width: Option<usize>,
    /// Whether signs beyond ASCII can be shown.
    pub unicode: bool,
    /// 0, or how many `-v` there were.
    pub verbosity: u8,
    /// Only data and what went wrong.
    pub quiet: bool,
}

impl Style {
    /// For logs: no colour, no limit.
    pub const fn plain() -> Self {
        Self {
            colour: false,
            width: None,
            unicode: true,
            verbosity: 0,
            quiet: false,
        }
    }

    /// Whether `-v` was given.
    pub(super) const fn verbose(&self) -> bool {
        self.verbosity > 0
    }

    /// `text` in a tone.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        match tone.code() {
            Some(code) if self.colour && !text.is_empty() => format!("\x1b[{code}m{text}\x1b[0m"),
            Some(_) | None => text.to_owned(),
        }
    }

    /// A sign, or its stand-in of ASCII.
    pub(super) const fn sign(&self, sign: Sign) -> &'static str {
        let (fine, plain) = match sign {
            Sign::Bar => ("│", "|"),
            Sign::Arrow => ("→", "->"),
            Sign::Dot => (" · ", " - "),
            Sign::Ellipsis => ("…", "..."),
            Sign::Minus => ("−", "-"),
            Sign::Good => ("✓", "ok"),
            Sign::Bad => ("✗", "no"),
        };
        if self.unicode { fine } else { plain }
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ordinary text.
    Plain,
    /// A name to find again.
    Strong,
    /// Good to know.
    Dim,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Comes.
    Added,
    /// Goes.
    Removed,
    /// The words of a line that come.
    AddedWord,
    /// The words of a line that go.
    RemovedWord,
    /// The head of a part of a diff.
    Hunk,
}

impl Tone {
    const fn code(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Strong => Some("1"),
            Tone::Dim => Some("2"),
            Tone::Good | Tone::Added => Some("32"),
            Tone::Warn => Some("33"),
            Tone::Bad | Tone::Removed => Some("31"),
            Tone::AddedWord => Some("32;7"),
            Tone::RemovedWord => Some("31;7"),
            Tone::Hunk => Some("36"),
        }
    }
}

/// Signs that not every terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Between a host and its text.
    Bar,
    /// From an old to a new value.
    Arrow,
    /// Between two facts in a line.
    Dot,
    /// Something was left out.
    Ellipsis,
    /// Before a number of things that go.
    Minus,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
}
