//! What stands in the way, known before anything is touched, and the way out.

use super::listen::Spot;
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
    if let Some(diff) = of_start(sshd) {
        return Some(diff);
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

/// sshd is told something by how it is started, and that goes before its files.
fn of_start(sshd: &Sshd) -> Option<Diff> {
    let overrides = |word: &str| OVERRIDES.iter().any(|option| word.starts_with(option));
    let places = [
        (&sshd.options, "SSHD_OPTS in /etc/default/ssh"),
        (
            &sshd.started,
            "ExecStart of its unit (systemctl cat shows where it is said)",
        ),
    ];
    let (words, place) = places
        .iter()
        .find(|(words, _)| words.split_whitespace().any(overrides))?;
    Some(Diff::needs_human(
        format!("sshd is started with `{words}`, which its files cannot change"),
        &format!("take those words out of {place}"),
    ))
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
    if let Some(said) = &trial.conflict {
        let version = &sshd.version;
        return Some(Diff::blocked(
            format!(
                "{version} refuses the settings together with what its files say already: {said}"
            ),
            "look for what says the opposite: `grep -ri KEYWORD /etc/ssh/sshd_config*`",
        ));
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
        let held = sshd.held.iter().find(|(held, _, _)| *held == port);
        if let Some((_, address, program)) = held {
            return Some(taken(port, program, &format!("listens on {address}")));
        }
        if let Some((_, program)) = sshd.used.iter().find(|(used, _)| *used == port) {
            return Some(taken(
                port,
                program,
                "has a connection from it at this moment",
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

/// A listener of somebody else where sshd is to listen as well. (That it may share the port with others, on
/// other addresses, is nothing to object to.)
pub(super) fn of_spots<'a>(
    wanted: impl IntoIterator<Item = &'a Spot>,
    sshd: &Sshd,
) -> Option<Diff> {
    wanted
        .into_iter()
        .filter(|spot| !sshd.spots.contains(spot))
        .find_map(|spot| {
            let held = sshd.held.iter().find(|(port, address, _)| {
                let there = Spot::parse(&format!("{address}:{port}"));
                *port == spot.port && (address == "*" || there.as_ref() == Some(spot))
            });
            held.map(|(port, address, program)| {
                taken(*port, program, &format!("listens on {address}"))
            })
        })
}

fn taken(port: u16, program: &str, how: &str) -> Diff {
    let who = if program == "?" {
        "another process"
    } else {
        program
    };
    Diff::blocked(
        format!("port {port} is taken: {who} {how}"),
        "choose another port, or move that program first",
    )
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
