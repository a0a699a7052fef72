//! The answer of `hf_sshd`: what sshd is told, what it makes of it, and where it listens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::listen::Spot;
use crate::probe::ParseError;
use crate::resource::Lines;

/// sshd as the host shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// There is no such program.
    NoSshd,
    /// It is there.
    Sshd(Box<Sshd>),
}

/// sshd, its files and its listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sshd {
    /// `OpenSSH_9.2p1`.
    pub(super) version: String,
    /// The files that it reads, the main one first.
    pub(super) files: Vec<ConfigFile>,
    /// The values in effect, or what it has against its files.
    pub(super) now: Result<Vec<String>, String>,
    pub(super) mode: Mode,
    /// The unit that reads the files, when systemd started the host.
    pub(super) unit: Option<String>,
    /// A change of ours that it has not read yet.
    pub(super) pending: bool,
    /// Whether that unit runs now.
    pub(super) active: bool,
    /// Words that it is started with beyond its files (`SSHD_OPTS`).
    pub(super) options: String,
    /// The same, of the unit itself.
    pub(super) started: String,
    /// Where it listens.
    pub(super) spots: Vec<Spot>,
    /// Listeners of others on ports that we want: (port, address, program).
    pub(super) held: Vec<(u16, String, String)>,
    /// Ports that we want and that are the near end of a connection of others: (port, program).
    pub(super) used: Vec<(u16, String)>,
    /// Ports that the packet filter sends elsewhere.
    pub(super) forwarded: Vec<u16>,
    /// The ports of outgoing connections, both ends included.
    pub(super) ephemeral: Option<(u16, u16)>,
}

/// Who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nobody.
    Idle,
    /// sshd itself.
    Service,
    /// systemd's socket unit. `follows`: its ports come from sshd's files, by a generator; else the file
    /// that says them.
    Socket {
        unit: String,
        follows: Result<(), String>,
    },
}

/// A file that sshd reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigFile {
    pub(super) path: String,
    /// Its text; bytes that are no UTF-8 are marked.
    pub(super) text: String,
    /// The line whose Include would read our drop-in.
    pub(super) place: Option<usize>,
    /// Line and path of each file that it includes outside of `Match` blocks.
    pub(super) includes: Vec<(usize, String)>,
}

impl Look {
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        if lines.get("root") == "no" {
            return Err(lines.unreadable("needs root to ask sshd"));
        }
        match lines.get("sshd") {
            "no" => return Ok(Self::NoSshd),
            "yes" => {}
            other => return Err(lines.unreadable(format!("sshd is {other:?}"))),
        }
        let spots = lines
            .all("spot")
            .filter_map(Spot::parse)
            .collect::<Vec<_>>();
        let error = lines.get("error");
        let now = lines.all("now").map(str::to_owned).collect();
        let unit = lines.get("unit");
        Ok(Self::Sshd(Box::new(Sshd {
            version: lines.get("version").to_owned(),
            files: files(lines)?,
            now: if error.is_empty() {
                Ok(now)
            } else {
                Err(error.to_owned())
            },
            mode: mode(lines, !spots.is_empty()),
            unit: (!unit.is_empty()).then(|| unit.to_owned()),
            pending: lines.is("pending"),
            active: lines.is("active"),
            started: lines.get("started").to_owned(),
            options: lines
                .get("options")
                .trim_matches(['"', '\'', ' '])
                .to_owned(),
            spots,
            held: lines.all("held").filter_map(held).collect(),
            used: lines.all("used").filter_map(used).collect(),
            forwarded: lines
                .all("nat")
                .filter_map(|port| port.parse().ok())
                .collect(),
            ephemeral: ephemeral(lines.get("ephemeral")),
        })))
    }
}

fn mode(lines: &Lines<'_>, listens: bool) -> Mode {
    let unit = lines.get("socket").to_owned();
    let by_hand = |file: &&str| !file.starts_with("/run/systemd/generator");
    if !unit.is_empty() {
        let follows = match lines.all("socket_file").find(by_hand) {
            Some(file) => Err(file.to_owned()),
            None if lines.is("generator") => Ok(()),
            None => Err(unit.clone()),
        };
        return Mode::Socket { unit, follows };
    }
    if lines.is("active") || listens {
        Mode::Service
    } else {
        Mode::Idle
    }
}

fn held(line: &str) -> Option<(u16, String, String)> {
    let mut words = line.splitn(3, ' ');
    let port = words.next()?.parse().ok()?;
    Some((port, words.next()?.to_owned(), words.next()?.to_owned()))
}

fn used(line: &str) -> Option<(u16, String)> {
    let (port, program) = line.split_once(' ')?;
    Some((port.parse().ok()?, program.to_owned()))
}

fn ephemeral(line: &str) -> Option<(u16, u16)> {
    let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
    numbers.next()?.zip(numbers.next()?)
}

fn files(lines: &Lines<'_>) -> Result<Vec<ConfigFile>, ParseError> {
    let mut files: Vec<ConfigFile> = Vec::new();
    for (key, value) in lines.every().filter_map(|line| line.split_once('=')) {
        let last = files.last_mut();
        match (key, last) {
            ("file", _) => files.push(ConfigFile {
                path: value.to_owned(),
                text: String::new(),
                place: None,
                includes: Vec::new(),
            }),
            ("content", Some(file)) => {
                let bytes = BASE64.decode(value);
                let bytes = bytes.map_err(|_| lines.unreadable("content is no base64"))?;
                file.text = String::from_utf8_lossy(&bytes).into_owned();
            }
            ("place", Some(file)) => file.place = file.place.or(value.parse().ok()),
            ("include", Some(file)) => {
                let (line, path) = value.split_once(' ').unwrap_or((value, ""));
                let line = line.parse();
                let line = line.map_err(|_| lines.unreadable(format!("include is {value:?}")))?;
                file.includes.push((line, path.to_owned()));
            }
            _ => {}
        }
    }
    Ok(files)
}
