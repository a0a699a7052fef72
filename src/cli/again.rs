//! How the past is told: runs that are told again, and lists of them.

use std::io::IsTerminal as _;

use jiff::Zoned;

use super::args::{Format, Output};
use super::form::{dumb, style};
use crate::report::{History, Json, Plain, Report, Streams, Style, Terminal};

/// The form of a run that is told again: as the run looked, without anything that moves. All of it is data.
pub(super) fn replay(output: &Output) -> Report {
    let streams = Streams {
        data: Box::new(std::io::stdout()),
        status: Box::new(std::io::stdout()),
    };
    let screen = is_screen(output);
    let style = style(output, screen);
    match output.format {
        Some(Format::Json) => Report::Json(Json::new(streams)),
        Some(Format::Human) | None if screen => {
            let target = indicatif::ProgressDrawTarget::hidden();
            Report::Terminal(Box::new(Terminal::new(style, streams, target, 24)))
        }
        Some(Format::Human | Format::Plain) | None => Report::Plain(Plain::new(style, streams)),
    }
}

/// How runs of the past are told.
pub(super) fn history(output: &Output) -> History {
    let screen = is_screen(output);
    let plain = match output.format {
        Some(Format::Human) => false,
        Some(Format::Plain | Format::Json) => true,
        None => !screen,
    };
    let style = style(output, screen);
    History {
        style: Style {
            // A line for each run, however long it is.
            width: style.width.filter(|_| !plain),
            ..style
        },
        plain,
        now: Zoned::now(),
    }
}

/// Whether standard output is a terminal that a person looks at.
fn is_screen(output: &Output) -> bool {
    let ci = std::env::var_os("CI").is_some();
    std::io::stdout().is_terminal() && output.verbose < 2 && !ci && !dumb()
}
