//! In which form a run is told, and how that looks: by the flags, the streams and the environment.

use std::io::IsTerminal as _;

use super::args::{ColorChoice, Format, Output};
use super::screen;
use crate::report::{Json, Plain, Quiet, Report, Streams, Style, Terminal};

/// Chooses the form of the report.
pub(super) fn report(output: &Output, unattended: bool) -> (Report, Style) {
    let streams = || Streams {
        data: Box::new(std::io::stdout()),
        status: Box::new(std::io::stderr()),
    };
    let term = console::Term::stderr();
    let live = term.is_term()
        && std::io::stdout().is_terminal()
        && output.verbose < 2
        && std::env::var_os("CI").is_none()
        && !dumb();
    let style = style(output, live);
    let report = match (output.format, unattended) {
        (Some(Format::Json), _) => Report::Json(Json::new(streams())),
        (_, true) => Report::Quiet(Quiet::new(style, streams())),
        (Some(Format::Human) | None, false) if live => {
            let (rows, _) = term.size();
            let target = screen::target();
            Report::Terminal(Box::new(Terminal::new(
                style,
                streams(),
                target,
                rows.into(),
            )))
        }
        (Some(Format::Human | Format::Plain) | None, false) => {
            Report::Plain(Plain::new(style, streams()))
        }
    };
    (report, style)
}

/// Whether the terminal can do nothing but lines.
pub(super) fn dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// How output may look.
pub(super) fn style(output: &Output, live: bool) -> Style {
    let colour = match output.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let width = columns.or_else(|| live.then(|| usize::from(console::Term::stdout().size().1)));
    let language = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    // Without any language set (cron) text goes to mails and logs, which take UTF-8.
    let unicode =
        language.is_none_or(|language| !matches!(language.as_str(), "C" | "POSIX") || !live);
    Style {
        colour,
        width,
        unicode,
        verbosity: output.verbose,
        quiet: output.quiet,
    }
}
