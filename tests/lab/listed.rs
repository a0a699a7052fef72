//! What a saved plan lists of a host, and whether that, and nothing else, became of the host.
//!
//! A path that is not as before must be explained by the plan: a file it shows, the folder that holds one, what
//! belongs to a package, an account, an enabled unit or the firewall rules it names. Whatever is left is a
//! surprise. The other way round, everything that it lists must be so, to the byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use holdfast::change::{Change, Shown, Verdict};
use holdfast::plan::HostPlan;

use crate::live::Live;
use crate::operator::Footprint;
use crate::support::lab::LabHost;

/// Where our own record of the run lies, and the lock.
const OURS: [&str; 3] = [
    "/var/lib/holdfast",
    "/run/holdfast.lock",
    "/run/holdfast.holder",
];

/// Folders that everybody uses: that something came and went in them changes their time.
const SHARED: [&str; 3] = ["/var/log", "/tmp", "/run"];

/// What every account is noted in.
const ACCOUNTS: [&str; 6] = ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"];

/// The books of dpkg, apt and the helpers of maintainer scripts, below which packages note themselves.
const BOOKS: [&str; 15] = [
    "/var/lib/dpkg/",
    "/var/lib/apt/",
    "/var/cache/",
    "/var/lib/ucf/",
    "/var/lib/systemd/deb-systemd-helper-enabled/",
    "/var/lib/systemd/deb-systemd-user-helper-enabled/",
    "/etc/ld.so.cache",
    "/etc/ufw/",
    "/etc/default/ufw",
    "/etc/systemd/system/multi-user.target.wants/ufw.service",
    "/usr/local/lib/python",
    "/run/ufw.lock",
    "/etc/inputrc",
    "/etc/python3/",
    "/var/lib/python/",
];

/// What a plan lists.
#[derive(Debug, Default)]
pub struct Listed {
    /// Files with their text, and with mode and owner where they are shown.
    files: BTreeMap<String, File>,
    gone: BTreeSet<String>,
    packages: BTreeMap<String, String>,
    users: BTreeSet<String>,
    enabled: BTreeSet<String>,
    running: BTreeSet<String>,
    rules: Vec<String>,
    kernel: BTreeMap<String, String>,
    /// Paths that a change names otherwise: keys, markers of commands, new folders.
    others: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct File {
    text: Option<String>,
    mode: Option<String>,
    owner: Option<String>,
}

impl Listed {
    /// Everything that the changes of a plan show.
    pub fn of(plan: &HostPlan) -> Self {
        let mut listed = Self::default();
        let verdicts = plan.steps.iter().filter_map(|step| step.verdict());
        for change in verdicts.flat_map(Verdict::changes) {
            listed.take(change);
        }
        listed
    }

    fn take(&mut self, change: &Change) {
        // What a change of mode alone is about, stands in its summary only.
        let mut words = change.summary.split(' ');
        let mut about = words.find(|word| word.starts_with('/')).map(str::to_owned);
        for shown in &change.shown {
            match shown {
                Shown::Text { path, after, .. } => {
                    about = Some(path.clone());
                    match after {
                        Some(text) => {
                            self.files.entry(path.clone()).or_default().text = Some(text.clone());
                        }
                        None => {
                            self.gone.insert(path.clone());
                        }
                    }
                }
                Shown::Lines { what, added, .. } => self.members(what, added),
                Shown::Property { name, after, .. } => {
                    self.property(change, about.as_deref(), name, after);
                }
                Shown::Run { .. } => {}
            }
        }
        if let Some(user) = change.summary.strip_prefix("create user ") {
            self.users.insert(user.to_owned());
        }
    }

    fn members(&mut self, what: &str, added: &[String]) {
        match what {
            "packages" => {
                for line in added {
                    let mut words = line.split(' ').map(str::to_owned);
                    let pair = words.next().zip(words.next());
                    self.packages.extend(pair);
                }
            }
            "firewall rules" => self.rules.extend(added.iter().cloned()),
            _ => {}
        }
    }

    fn property(&mut self, change: &Change, about: Option<&str>, name: &str, after: &str) {
        if let Some(path) = name.strip_suffix(" exists") {
            self.others.insert(path.to_owned());
        } else if let Some((_, path)) = name.split_once('/') {
            // `mode of /path`, `folder /path`
            self.others.insert(format!("/{path}"));
        } else if name == "starts at boot" {
            let unit = change.summary.rsplit(' ').next().expect("a unit");
            self.enabled.insert(unit.to_owned());
        } else if name == "running" {
            let unit = change.summary.rsplit(' ').next().expect("a unit");
            self.running.insert(unit.to_owned());
        } else if name.starts_with("net.") {
            self.kernel.insert(name.to_owned(), after.to_owned());
        } else if let Some(file) = about.map(|path| self.files.entry(path.to_owned()).or_default())
        {
            match name {
                "mode" => file.mode = Some(after.trim_start_matches('0').to_owned()),
                "owner" => file.owner = Some(after.to_owned()),
                _ => {}
            }
        }
    }

    /// How many things it is about.
    pub fn len(&self) -> usize {
        self.files.len()
            + self.gone.len()
            + self.packages.len()
            + self.users.len()
            + self.enabled.len()
            + self.rules.len()
            + self.kernel.len()
            + self.others.len()
    }

    /// What became of the host without being listed, and what is listed and did not; none when all is well.
    #[track_caller]
    pub fn surprises(&self, host: &LabHost<'_>, before: &Footprint) -> Vec<String> {
        let touched = before.touched(host);
        let owned = self.owned_by_packages(host);
        let mut surprises: Vec<String> = touched
            .iter()
            .filter(|path| !self.explains(path, &owned))
            .map(|path| format!("not listed: {path}"))
            .collect();
        surprises.extend(self.not_so(host));
        surprises
    }

    /// What the host does now and did not, or no more, without being listed. Nothing that it lists listens, and rules
    /// of a firewall that is off reach no kernel.
    #[track_caller]
    pub fn live_surprises(&self, host: &LabHost<'_>, before: &Live) -> Vec<String> {
        let owned = self.owned_by_packages(host);
        let differences = before.differences(&Live::of(host)).into_iter();
        let surprises = differences.filter(|(_, line)| !self.explains_live(line, &owned));
        surprises
            .map(|(sign, line)| format!("not listed: {sign} {line}"))
            .collect()
    }

    fn explains_live(&self, line: &str, owned: &BTreeSet<String>) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_of_packages = |unit: &str| {
            let places = ["/lib/systemd/system", "/usr/lib/systemd/system"];
            places
                .iter()
                .any(|place| owned.contains(&format!("{place}/{unit}")))
        };
        match words[..] {
            ["unit", unit, "active"] => self.running.contains(unit) || is_of_packages(unit),
            ["boot", unit, "enabled"] => self.enabled.contains(unit) || is_of_packages(unit),
            ["boot", unit, _] => {
                self.files
                    .contains_key(&format!("/etc/systemd/system/{unit}"))
                    || is_of_packages(unit)
            }
            // Before it was another value: what went is told by what came.
            ["sysctl", key, "=", ..] => self.kernel.contains_key(key),
            _ => false,
        }
    }

    /// The files that the listed packages brought, by dpkg's own word.
    fn owned_by_packages(&self, host: &LabHost<'_>) -> BTreeSet<String> {
        if self.packages.is_empty() {
            return BTreeSet::new();
        }
        let names: Vec<&str> = self.packages.keys().map(String::as_str).collect();
        let list = host.sh(&format!("dpkg-query -L {}", names.join(" ")));
        list.lines().map(str::to_owned).collect()
    }

    fn explains(&self, path: &str, owned: &BTreeSet<String>) -> bool {
        let path = path.trim_end_matches("/.");
        self.names(path)
            || OURS.iter().any(|ours| is_below(path, ours))
            || (!self.packages.is_empty() && is_of_packages(path, owned))
            || (!self.users.is_empty() && self.is_of_users(path))
            || self.is_of_units(path)
            || (!self.rules.is_empty() && path.starts_with("/etc/ufw/user"))
            || self.is_folder_of_something(path, owned)
    }

    fn names(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.gone.contains(path) || self.others.contains(path)
    }

    fn is_of_users(&self, path: &str) -> bool {
        let is_book = ACCOUNTS.iter().any(|book| {
            path.strip_prefix("/etc/")
                .is_some_and(|name| name.trim_end_matches('-') == *book)
        });
        let is_home = self
            .users
            .iter()
            .any(|user| is_below(path, &format!("/home/{user}")));
        is_book
            || is_home
            || self
                .users
                .iter()
                .any(|user| path == format!("/var/mail/{user}"))
    }

    fn is_of_units(&self, path: &str) -> bool {
        // systemd's own books of what is loaded, made anew by the reload that is listed.
        if is_below(path, "/run/systemd") && !self.enabled.is_empty() {
            return true;
        }
        let unit = path.rsplit('/').next().unwrap_or_default();
        path.contains(".wants/") && self.enabled.contains(unit)
    }

    /// A folder has another time, or is there, because of what lies in it.
    fn is_folder_of_something(&self, path: &str, owned: &BTreeSet<String>) -> bool {
        let below = format!("{path}/");
        let lists = [&self.gone, &self.others].into_iter().flatten();
        let mut known = self.files.keys().chain(lists).chain(owned);
        let of_units = path.rsplit('.').next() == Some("wants") || path == "/etc/systemd/system";
        known.any(|known| known.starts_with(&below))
            || SHARED.contains(&path)
            || (!self.users.is_empty() && ["/etc", "/home", "/var/mail"].contains(&path))
            || (!self.enabled.is_empty() && of_units)
            || OURS.iter().any(|ours| ours.starts_with(&below))
            || (!self.packages.is_empty() && BOOKS.iter().any(|book| book.starts_with(&below)))
            || (!self.packages.is_empty() && path.starts_with("/etc/rc"))
    }

    /// What is listed and is not so.
    fn not_so(&self, host: &LabHost<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (path, file) in &self.files {
            let found = host.sh(&format!("stat -c '%a %U:%G %u:%g' '{path}'"));
            let words: Vec<&str> = found.trim_end().split(' ').collect();
            let mode = file.mode.as_deref().unwrap_or(words[0]);
            let owner = file.owner.as_deref().unwrap_or(words[1]);
            if mode != words[0] || (owner != words[1] && owner != words[2]) {
                wrong.push(format!("{path} is {found}, not {mode} {owner}"));
            }
            let text = file.text.as_ref().map(String::as_bytes);
            if text.is_some_and(|text| host.read(path) != text) {
                wrong.push(format!("{path} has another text"));
            }
        }
        wrong.extend(
            self.gone
                .iter()
                .filter(|path| host.exec(&["test", "-e", path]).status.success())
                .map(|path| format!("{path} is there")),
        );
        let mut script = String::new();
        for user in &self.users {
            let _ = writeln!(
                script,
                "getent passwd {user} >/dev/null || echo no user {user}"
            );
        }
        for unit in &self.enabled {
            let _ = writeln!(
                script,
                "systemctl -q is-enabled {unit} || echo {unit} is not enabled"
            );
        }
        for (key, value) in &self.kernel {
            let path = key.replace('.', "/");
            let _ = writeln!(
                script,
                "grep -qx {value} /proc/sys/{path} || echo {key} is not {value}"
            );
        }
        wrong.extend(host.sh(&script).lines().map(str::to_owned));
        wrong
    }

    /// The packages it names, with their versions.
    pub fn packages(&self) -> &BTreeMap<String, String> {
        &self.packages
    }

    /// The firewall rules it names.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_of_packages(path: &str, owned: &BTreeSet<String>) -> bool {
    let rc_link = path.starts_with("/etc/rc") && path.contains(".d/");
    owned.contains(path) || rc_link || BOOKS.iter().any(|book| path.starts_with(book))
}
