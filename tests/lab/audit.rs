//! What two programs that audit hosts find on one: Lynis, and ssh-audit from Debian's packages.

use std::collections::BTreeSet;

use crate::support::lab::LabHost;

/// What they found.
#[derive(Debug)]
pub struct Audit {
    /// Lynis' hardening index, 0 to 100.
    pub index: u32,
    /// Each finding under the name by which `runbooks/BASELINE.md` explains it: `SSH-7408 Compression`,
    /// `[fail] using weak elliptic curves`.
    pub lynis: BTreeSet<String>,
    /// The same for ssh-audit, with what it is about: `kex ecdh-sha2-nistp256 [fail] …`.
    pub ssh: BTreeSet<String>,
}

/// Installs both on a host, from the lab's own pool of packages.
#[track_caller]
pub fn install(host: &LabHost<'_>) {
    host.sh("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install lynis ssh-audit >/dev/null 2>&1");
}

impl Audit {
    /// Looks at a host, which takes half a minute.
    #[track_caller]
    pub fn of(host: &LabHost<'_>) -> Self {
        host.sh("lynis audit system --quick --no-colors --quiet >/dev/null 2>&1; test -s /var/log/lynis-report.dat");
        let report = host.sh("cat /var/log/lynis-report.dat");
        let index = report
            .lines()
            .find_map(|line| line.strip_prefix("hardening_index="));
        let index = index.and_then(|number| number.trim().parse().ok());
        let said = host.sh("ssh-audit -n -l warn localhost 2>/dev/null | cat");
        Self {
            index: index.unwrap_or_else(|| panic!("no index: {report}")),
            lynis: report.lines().filter_map(finding).collect(),
            ssh: weaknesses(&said),
        }
    }

    /// The names under which what is found is explained.
    pub fn names(&self) -> BTreeSet<String> {
        let reason = |line: &String| match line.find('[') {
            Some(at) => line[at..].to_owned(),
            None => line.clone(),
        };
        self.lynis
            .iter()
            .cloned()
            .chain(self.ssh.iter().map(reason))
            .collect()
    }
}

/// A warning or suggestion of Lynis: `suggestion[]=ID|text|detail|…`.
fn finding(line: &str) -> Option<String> {
    let rest = line
        .strip_prefix("suggestion[]=")
        .or_else(|| line.strip_prefix("warning[]="))?;
    let mut fields = rest.split('|');
    let id = fields.next()?;
    let option = match id {
        // One test for all options of sshd: `Compression (set YES to NO)`.
        "SSH-7408" => fields.nth(1).and_then(|detail| detail.split(' ').next()),
        _ => None,
    };
    Some(option.map_or_else(|| id.to_owned(), |option| format!("{id} {option}")))
}

/// The algorithms that ssh-audit has something against: `(kex) NAME -- [fail] reason`, with more reasons below.
fn weaknesses(said: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut about = String::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["(rec)" | "(nfo)" | "(gen)" | "(fin)" | "(cve)", ..] => continue,
            [kind, name, ..] if kind.starts_with('(') => {
                about = format!("{} {name}", kind.trim_matches(['(', ')']));
            }
            _ => {}
        }
        let reason = line.find("[fail]").or_else(|| line.find("[warn]"));
        if let Some(at) = reason.filter(|_| !about.is_empty()) {
            found.insert(format!("{about} {}", line[at..].trim_end()));
        }
    }
    found
}
