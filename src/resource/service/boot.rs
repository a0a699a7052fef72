//! What `UnitFileState` means for "starts at boot".

use super::unit::Unit;

/// Whether a unit starts at boot, and whether that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Boot {
    /// By its own links.
    On,
    /// Not, or only until the next boot.
    Off,
    /// Not by links of its own: nothing to enable or disable. Why, as a clause; who starts it, if anybody.
    Fixed { why: &'static str, by: Vec<String> },
}

pub(super) fn boot(unit: &Unit) -> Boot {
    let by = || {
        unit.wanted_by
            .iter()
            .chain(&unit.triggered_by)
            .cloned()
            .collect()
    };
    let fixed = |why| Boot::Fixed { why, by: by() };
    match unit.file_state.as_str() {
        "enabled" | "alias" => Boot::On,
        "disabled" | "enabled-runtime" | "linked" | "linked-runtime" | "masked"
        | "masked-runtime" => Boot::Off,
        "static" => fixed("it has no [Install] section"),
        "indirect" => fixed("it is enabled through another unit (Also=)"),
        "generated" => fixed("a generator makes it"),
        "transient" => fixed("it was made by systemd-run and has no unit file"),
        "bad" => fixed("its unit file cannot be read"),
        _ => fixed("it has no unit file"),
    }
}
