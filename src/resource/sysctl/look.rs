//! The answer of `hf_sysctl`: what each key is, and which files set it after ours.

use crate::probe::ParseError;
use crate::resource::Lines;

/// What was found about one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path below /proc/sys.
    pub(super) key: String,
    /// Its value; `None`: the kernel has no such key.
    pub(super) live: Option<String>,
    /// /proc/sys cannot be written to there.
    pub(super) readonly: bool,
    /// Who sets it after our file, in the order of reading.
    pub(super) later: Vec<Setting>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) how: How,
    pub(super) path: String,
    pub(super) value: String,
}

/// When a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// At boot.
    Boot,
    /// By `sysctl --system` and `sysctl -p` alone.
    ByHand,
    /// At each start of ufw.
    Ufw,
    /// The same, but ufw is not enabled.
    UfwDisabled,
}

pub(super) fn parse(lines: &Lines<'_>) -> Result<Vec<Found>, ParseError> {
    let mut all: Vec<Found> = Vec::new();
    for line in lines.text.lines() {
        let (what, value) = line
            .split_once('=')
            .ok_or_else(|| lines.unreadable(format!("{line:?} is no pair")))?;
        if what == "key" {
            let key = value.to_owned();
            all.push(Found {
                key,
                ..Found::default()
            });
            continue;
        }
        let found = all
            .last_mut()
            .ok_or_else(|| lines.unreadable("it names no key"))?;
        match (what, value) {
            ("live", value) => found.live = Some(value.to_owned()),
            ("readonly", "yes") => found.readonly = true,
            ("unreadable", "yes") => {
                let why = format!(
                    "/proc/sys/{} can only be read by root, or is no value",
                    found.key
                );
                return Err(lines.unreadable(why));
            }
            ("set", setting) => found.later.extend(self::setting(setting)),
            _ => {}
        }
    }
    Ok(all)
}

fn setting(text: &str) -> Option<Setting> {
    let mut parts = text.splitn(3, '\t');
    let how = match parts.next()? {
        "boot" => How::Boot,
        "later" => How::ByHand,
        "ufw" => How::Ufw,
        "ufw-disabled" => How::UfwDisabled,
        _ => return None,
    };
    Some(Setting {
        how,
        path: parts.next()?.to_owned(),
        value: parts.next()?.to_owned(),
    })
}
