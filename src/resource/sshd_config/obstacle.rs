//! What stands in the way, known before anything is touched, and the way out.

use super::look::{Mode, Sshd};
use super::setting::Setting;
use super::trial::Trial;
use super::{FOLDER, MAIN, SshdConfig};
use crate::change::Diff;
use crate::resource::sshd_config::directive::Directive;

/// Ports of Kubernetes: a node that gives them to sshd falls out of its cluster at the next restart.
const CLUSTER: [(u16, &str); 4] = [
    (2379, "etcd's"),
    (2380, "etcd's"),
    (6443, "the Kubernetes API's"),
    (10250, "the kubelet's"),
];

/// Words of `SSHD_OPTS` that make the files say something else than what is in effect.
const OVERRIDES: [&str; 5] = ["-p", "-f", "-o", "-4", "-6"];

/// Why the drop-in would not do what it says on this host.
pub(super) fn of_sshd(config: &SshdConfig, sshd: &Sshd) -> Option<Diff> {
    if let Err(error) = &sshd.now {
        return Some(Diff::blocked(
            format!("sshd does not accept its configuration as it is: {error}"),
            "mend that first; `sshd -t` names the line",
        ));
    }
    let overrides = |word: &&str| OVERRIDES.iter().any(|option| word.starts_with(option));
    if sshd.options.split_whitespace().any(|word| overrides(&word)) {
        let why = format!(
            "sshd is started with `{}`, which its files cannot change",
            sshd.options
        );
        return Some(Diff::needs_human(
            why,
            "take those words out of SSHD_OPTS in /etc/default/ssh",
        ));
    }
    if sshd.files.iter().all(|file| file.place.is_none()) {
        return Some(Diff::blocked(
            format!(
                "sshd would not read {}: no Include before the first Match of {MAIN} covers it",
                config.path
            ),
            &format!("make `Include {FOLDER}/*.conf` the first line of {MAIN}"),
        ));
    }
    None
}

/// Why sshd cannot take the settings, or would not go by them.
pub(super) fn of_settings(
    config: &SshdConfig,
    sshd: &Sshd,
    trial: &Trial,
    all: &[Directive],
) -> Option<Diff> {
    if let Some(error) = &trial.error {
        let unknown = config
            .settings
            .iter()
            .filter(|setting| !trial.knows(setting));
        let unknown: Vec<&str> = unknown.map(|setting| setting.keyword.as_str()).collect();
        let version = &sshd.version;
        return Some(if unknown.is_empty() {
            Diff::blocked(format!("{version} refuses the settings: {error}"), "")
        } else {
            let why = format!("{version} does not know {}", unknown.join(", "));
            Diff::blocked(
                why,
                "leave it out, or name it in `when_known` to have it left out here",
            )
        });
    }
    let lost = |setting: &&Setting| {
        let Some(name) = trial.name(setting) else {
            return false;
        };
        !setting.is_cumulative() && trial.wanted(&name) != trial.after(&name)
    };
    let setting = config.settings.iter().find(lost)?;
    let first = all.iter().find(|line| {
        line.keyword == setting.key()
            && line.condition.is_none()
            && line.path != config.path.as_str()
    });
    let winner = first.map_or_else(
        || "another line".to_owned(),
        |line| format!("{} (`{} {}`)", line.place(), setting.keyword, line.args),
    );
    Some(Diff::needs_human(
        format!(
            "{} would not take effect: {winner} comes first and wins",
            setting.keyword
        ),
        "take that line away, or give our drop-in a name that sorts before that file",
    ))
}

/// Why sshd cannot have these ports, or not by its files.
pub(super) fn of_ports(config: &SshdConfig, sshd: &Sshd) -> Option<Diff> {
    let ports = config.ports.as_ref()?;
    let new = ports
        .iter()
        .map(|port| port.get())
        .filter(|port| sshd.spots.iter().all(|spot| spot.port != *port));
    for port in new {
        if let Some((_, address, program)) = sshd.held.iter().find(|(held, _, _)| *held == port) {
            let who = if program == "?" {
                "another process"
            } else {
                program
            };
            return Some(Diff::blocked(
                format!("port {port} is taken: {who} listens on {address}"),
                "choose another port, or move that program first",
            ));
        }
        if sshd.forwarded.contains(&port) {
            return Some(Diff::blocked(
                format!(
                    "port {port} is sent elsewhere by the packet filter (a container publishes it?)"
                ),
                "choose another port: connections to it would never reach sshd",
            ));
        }
        if let Some((_, whose)) = CLUSTER.iter().find(|(taken, _)| *taken == port) {
            return Some(Diff::blocked(
                format!("port {port} is {whose}"),
                "choose another port",
            ));
        }
    }
    let listens: Vec<u16> = sshd.spots.iter().map(|spot| spot.port).collect();
    let same = ports.iter().all(|port| listens.contains(&port.get()))
        && listens
            .iter()
            .all(|at| ports.iter().any(|port| port.get() == *at));
    match &sshd.mode {
        Mode::Socket {
            unit,
            follows: Err(file),
        } if !same => Some(Diff::needs_human(
            if file == unit {
                format!(
                    "{unit} listens for sshd, and nothing on this host gives it the ports of sshd's files"
                )
            } else {
                format!(
                    "{unit} listens for sshd on the ports that {file} says, whatever sshd's files say"
                )
            },
            &format!(
                "change the ports there, or let sshd listen itself: systemctl disable --now {unit} && systemctl enable --now ssh.service"
            ),
        )),
        Mode::Socket { .. } | Mode::Service | Mode::Idle => None,
    }
}

/// Lines of files that are not ours to edit, which make sshd listen on ports that nobody asked for.
pub(super) fn of_stale(stale: &[Directive]) -> Option<Diff> {
    let line = stale.iter().find(|line| line.path != MAIN)?;
    let keyword = if line.keyword == "port" {
        "Port"
    } else {
        "ListenAddress"
    };
    Some(Diff::needs_human(
        format!(
            "{} says `{keyword} {}`: sshd would go on listening there",
            line.place(),
            line.args
        ),
        "that file is not ours; take the line away by hand, or name the port in `ports`",
    ))
}
