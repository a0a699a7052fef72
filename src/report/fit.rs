//! Texts that must fit into so many columns.

use console::{measure_text_width, truncate_str};

use super::style::{Sign, Style};

/// One column stays free: a full row makes some terminals wrap.
pub(super) fn usable(style: &Style) -> usize {
    style.width.unwrap_or(80).saturating_sub(1)
}

/// A text cut at its end.
pub(super) fn fitted(text: &str, width: usize, style: &Style) -> String {
    truncate_str(text, width, style.sign(Sign::Ellipsis)).into_owned()
}

/// A name cut in its middle: hosts often differ at one end only.
pub(super) fn squeezed(name: &str, width: usize, style: &Style) -> String {
    let length = name.chars().count();
    if measure_text_width(name) <= width || length < 4 {
        return fitted(name, width, style);
    }
    let ellipsis = style.sign(Sign::Ellipsis);
    let keep = width.saturating_sub(ellipsis.chars().count());
    let tail = keep * 2 / 5;
    let head: String = name.chars().take(keep - tail).collect();
    let tail: String = name.chars().skip(length.saturating_sub(tail)).collect();
    fitted(&format!("{head}{ellipsis}{tail}"), width, style)
}
