//! Where output goes: data to one stream, everything else to the other.

use std::io::{self, Write};

use super::line::Line;
use super::style::{Style, Tone};

/// The two streams of a run.
pub struct Streams {
    /// What was asked for: plans, results of checks, JSON. Standard output.
    pub data: Box<dyn Write + Send>,
    /// Everything else. Standard error.
    pub status: Box<dyn Write + Send>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

/// One of the [`Streams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// What was asked for.
    Data,
    /// Everything else.
    Status,
}

/// Something to tell: lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// Where it goes.
    pub(super) stream: Stream,
    /// The host whose name stands before every line.
    pub(super) host: Option<String>,
    /// The lines.
    pub(super) lines: Vec<Line>,
}

impl Notice {
    /// About the whole run.
    pub(super) fn of_run(stream: Stream, lines: Vec<Line>) -> Self {
        Self {
            stream,
            host: None,
            lines,
        }
    }

    /// About one host.
    pub(super) fn of_host(host: &str, lines: Vec<Line>) -> Self {
        Self {
            stream: Stream::Status,
            host: Some(host.to_owned()),
            lines,
        }
    }

    /// The same on the stream for data.
    #[must_use]
    pub(super) fn for_data_stream(mut self) -> Self {
        self.stream = Stream::Data;
        self
    }

    /// The text of it, every row ended by a line break. `pad` aligns the names of hosts.
    pub(super) fn text(&self, style: &Style, pad: usize) -> String {
        let prefix = self.prefix(style, pad);
        let taken = prefix.as_ref().map_or(0, |(_, taken)| *taken);
        let width = style.width.map(|width| width.saturating_sub(taken).max(16));
        let mut text = String::new();
        for row in self.lines.iter().flat_map(|line| line.rows(style, width)) {
            if let Some((prefix, _)) = &prefix {
                text.push_str(prefix);
            }
            text.push_str(&row);
            text.push('\n');
        }
        text
    }

    fn prefix(&self, style: &Style, pad: usize) -> Option<(String, usize)> {
        let host = super::clean::clean(self.host.as_deref()?);
        let bar = style.sign(super::style::Sign::Bar);
        let name = style.paint(Tone::Strong, &host);
        let wide = console::measure_text_width(&host);
        let fill = " ".repeat(pad.saturating_sub(wide));
        let bar = style.paint(Tone::Dim, bar);
        Some((format!("{name}{fill} {bar} "), wide.max(pad) + 3))
    }
}

impl Streams {
    /// Writes a text, at once.
    pub(super) fn write(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let to = match stream {
            Stream::Data => &mut self.data,
            Stream::Status => &mut self.status,
        };
        to.write_all(text.as_bytes())?;
        to.flush()
    }
}
