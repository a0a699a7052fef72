//! Values that can cut a host off or break what runs on it, judged by what is there.

use super::key::{Key, Value};
use crate::resource::Lines;

/// What on the host needs the kernel to be as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Interfaces and programs that live on forwarding.
    forwards: Vec<String>,
    /// Interfaces with a default route.
    uplinks: Vec<String>,
    /// Interfaces with an IPv6 address that others can reach.
    six: Vec<String>,
    /// The controller came over IPv6.
    over_six: bool,
}

/// What is dangerous about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Danger {
    /// A person must have thought about it.
    Human(String),
    /// Worth knowing.
    Warning(String),
}

/// Keys that a running kernel does not take back.
const ONE_WAY: [&str; 4] = [
    "kernel/modules_disabled",
    "kernel/kexec_load_disabled",
    "kernel/unprivileged_bpf_disabled",
    "kernel/yama/ptrace_scope",
];

impl Around {
    pub(super) fn parse(lines: &Lines<'_>) -> Self {
        let all = |key: &str| lines.all(key).map(str::to_owned).collect();
        Self {
            forwards: all("forwards"),
            uplinks: all("uplink"),
            six: all("six"),
            over_six: lines.get("connection").contains(':'),
        }
    }

    /// What is dangerous about giving a key this value, when it has another one now.
    pub(super) fn danger(&self, key: &Key, value: &Value) -> Option<Danger> {
        let path: Vec<&str> = key.path().split('/').collect();
        match (path.as_slice(), value.as_str()) {
            (["kernel", "modules_disabled"], "1") => Some(Danger::Human(format!(
                "{key} = 1 keeps the kernel from loading any module until the next reboot: firewall rules, file systems and devices that need one stop working"
            ))),
            (["net", .., "ip_forward" | "forwarding"], "0") if !self.forwards.is_empty() => {
                Some(Danger::Human(format!(
                    "{key} = 0 cuts off what is forwarded here ({})",
                    self.forwards.join(", ")
                )))
            }
            (["net", "ipv4", "conf", _, "rp_filter"], "1") => self.strict(key),
            (["net", "ipv6", "conf", name, "disable_ipv6"], "1") => self.no_six(key, name),
            (["user", "max_user_namespaces"] | ["kernel", "unprivileged_userns_clone"], "0") => {
                Some(Danger::Warning(format!(
                    "{key} = 0 breaks rootless containers and the sandboxes of browsers"
                )))
            }
            (path, _) if ONE_WAY.contains(&path.join("/").as_str()) => {
                Some(Danger::Warning(format!(
                    "{key} may not go back before the next reboot: then an undo restores the file alone"
                )))
            }
            _ => None,
        }
    }

    fn strict(&self, key: &Key) -> Option<Danger> {
        let reason = if self.uplinks.len() > 1 {
            format!("there are several uplinks ({})", self.uplinks.join(", "))
        } else if let Some(name) = self.forwards.first() {
            format!("{name} is there")
        } else {
            return None;
        };
        Some(Danger::Human(format!(
            "{key} = 1 drops packets that come another way than answers go, and {reason}; 2 is the loose filter"
        )))
    }

    fn no_six(&self, key: &Key, name: &str) -> Option<Danger> {
        let here: Vec<&str> = self.six.iter().map(String::as_str).collect();
        if self.over_six && ["all", "default"].contains(&name) {
            return Some(Danger::Human(format!(
                "{key} = 1 would cut this very connection, which is over IPv6"
            )));
        }
        (name == "all" && !here.is_empty()).then(|| {
            Danger::Human(format!(
                "{key} = 1 takes the IPv6 addresses away that {} has",
                here.join(", ")
            ))
        })
    }
}
