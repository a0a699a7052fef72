//! The text of our drop-in, and how it is told from a file of somebody else.

/// How every drop-in of ours begins.
const MARK: &str = "# Written by Holdfast";

/// The text: a header, the lines about ports, the settings.
pub(super) fn text(lines: &[String]) -> String {
    let mut text = format!(
        "{MARK}. The next run writes it anew; to keep a change of yours, put it in another file.\n"
    );
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Whether a text is ours.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// Whether sshd's Include would take it and nothing else could be meant.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    // As the pattern `*.conf` does it: the case counts.
    if name.strip_suffix(".conf").is_none_or(str::is_empty) {
        Err("sshd reads only names that end in .conf")
    } else if name.starts_with(['.', '-']) || !name.chars().all(known) {
        Err("it has characters that do not belong into a file name there")
    } else {
        Ok(())
    }
}
