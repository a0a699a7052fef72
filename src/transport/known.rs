//! What OpenSSH's client makes of a host: its configuration (`ssh -G`, which connects to nothing) and
//! the keys that the operator trusts (`ssh-keygen -F`, which reads hashed files too).

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use super::SshOptions;
use crate::inventory::Host;
use crate::value::Port;

/// What `ssh` would do for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The name or address that it connects to.
    pub target: String,
    /// The port that it connects to.
    pub port: Port,
    /// The name under which the key is looked up, when the configuration gives one.
    pub alias: Option<String>,
    /// The operator's files of trusted keys; none when the configuration says so.
    pub files: Vec<PathBuf>,
    /// The machine's files of trusted keys.
    pub machine_files: Vec<PathBuf>,
    /// Names in new lines of those files are hashed.
    pub hashes: bool,
    /// The key is looked up by the address, too.
    pub checks_address: bool,
    /// Nothing is in between: no jump host, no proxy command.
    pub direct: bool,
}

impl ClientConfig {
    /// The name that `ssh` looks the host's key up by on `port` (sshconnect.c,
    /// `get_hostfile_hostname_ipaddr`).
    pub fn key_name(&self, port: Port) -> String {
        match &self.alias {
            Some(alias) => alias.clone(),
            None => key_name(&self.target, port),
        }
    }

    /// All files of trusted keys.
    pub fn all_files(&self) -> impl Iterator<Item = &Path> {
        let files = self.files.iter().chain(&self.machine_files);
        files.map(PathBuf::as_path)
    }
}

/// How a host on a port is called in a file of trusted keys (misc.c, `put_host_port`).
pub fn key_name(target: &str, port: Port) -> String {
    let target = target.to_ascii_lowercase();
    if port.get() == 22 {
        target
    } else {
        format!("[{target}]:{port}")
    }
}

/// What `ssh` would do for a host; `None` when it cannot say.
pub async fn client_config(host: &Host, options: &SshOptions) -> Option<ClientConfig> {
    let mut command = program("ssh");
    command.arg("-G").arg("-F").arg(options.config());
    if let Some(port) = host.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &host.user {
        command.arg("-l").arg(user.as_str());
    }
    command.arg("--").arg(host.address.as_str());
    let output = in_time(&mut command).await.ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// The name under which a key of the host is trusted, by the files, for the port it has; `None` when no
/// file has one.
pub async fn trusted_name(host: &Host, options: &SshOptions) -> Option<String> {
    let config = client_config(host, options).await?;
    let name = config.key_name(config.port);
    for file in config.all_files() {
        if !known_lines(&name, file).await.is_empty() {
            return Some(name);
        }
    }
    None
}

/// Whether a key is trusted under this very name.
pub async fn is_trusted_as(name: &str, host: &Host, options: &SshOptions) -> bool {
    let Some(config) = client_config(host, options).await else {
        return false;
    };
    for file in config.all_files() {
        if !known_lines(name, file).await.is_empty() {
            return true;
        }
    }
    false
}

/// Reads lines `keyword value` of `ssh -G`.
fn parse(text: &str) -> Option<ClientConfig> {
    let value = |keyword: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '))
    };
    let says = |keyword: &str, word: &str| value(keyword) == Some(word);
    let between = ["proxyjump", "proxycommand"]
        .iter()
        .any(|keyword| value(keyword).is_some_and(|v| v != "none"));
    Some(ClientConfig {
        target: value("hostname")?.to_owned(),
        port: value("port")?.parse().ok()?,
        alias: value("hostkeyalias")
            .filter(|alias| !alias.is_empty() && *alias != "none")
            .map(str::to_owned),
        files: files(value("userknownhostsfile")),
        machine_files: files(value("globalknownhostsfile")),
        hashes: says("hashknownhosts", "yes"),
        checks_address: says("checkhostip", "yes"),
        direct: !between,
    })
}

fn files(words: Option<&str>) -> Vec<PathBuf> {
    let words = words.unwrap_or_default().split_whitespace();
    words
        .filter(|word| !matches!(*word, "none" | "/dev/null"))
        .map(at_home)
        .collect()
}

/// ssh of OpenSSH 8 prints its own files with a tilde.
fn at_home(word: &str) -> PathBuf {
    match (word.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => PathBuf::from(word),
    }
}

/// The lines of a file of trusted keys that are about a name. A file that is not there has none.
pub async fn known_lines(name: &str, file: &Path) -> Vec<String> {
    let mut command = program("ssh-keygen");
    command.arg("-F").arg(name).arg("-f").arg(file);
    let Ok(output) = in_time(&mut command).await else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The same lines with their names hashed, as the operator's configuration wants them.
///
/// # Errors
/// What `ssh-keygen` said.
pub async fn hashed(lines: &str) -> std::io::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, lines)?;
    let mut command = program("ssh-keygen");
    let done = in_time(command.arg("-H").arg("-f").arg(&file)).await?;
    if done.status.success() {
        std::fs::read_to_string(&file)
    } else {
        let words = super::fault::last_line(&String::from_utf8_lossy(&done.stderr));
        Err(std::io::Error::other(words))
    }
}

/// How long a program of OpenSSH may take that connects to nothing: a configuration can start others
/// (`Match exec`), and a file can lie on a disk that hangs.
const LONGEST: Duration = Duration::from_secs(20);

async fn in_time(command: &mut tokio::process::Command) -> std::io::Result<Output> {
    timeout(LONGEST, command.output()).await?
}

#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
fn program(name: &str) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(name);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ClientConfig {
        parse(&format!("user ops\nhostname 192.0.2.7\n{text}")).unwrap()
    }

    #[test]
    fn a_jump_host_is_in_between() {
        assert!(config("port 22\n").direct);
        assert!(!config("port 22\nproxyjump bastion\n").direct);
        assert!(config("port 22\nproxycommand none\n").direct);
    }

    #[test]
    fn a_port_other_than_22_is_part_of_the_name_of_a_key() {
        let plain = config("port 22\n");
        assert_eq!(plain.key_name("22".parse().unwrap()), "192.0.2.7");
        assert_eq!(plain.key_name("2222".parse().unwrap()), "[192.0.2.7]:2222");
        let alias = config("port 2222\nhostkeyalias web\n");
        assert_eq!(alias.key_name(alias.port), "web");
    }

    #[test]
    fn no_file_of_trusted_keys_is_none() {
        let files = config("port 22\nuserknownhostsfile /dev/null /a/b\n").files;
        assert_eq!(files, [PathBuf::from("/a/b")]);
    }

    #[tokio::test]
    async fn hashed_lines_are_found_by_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known");
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEM8q9KdFyzG7St46UlspPNrR+vGKktzTJf3QXV/bf0";
        let text = hashed(&format!("[web]:2222 {key}\n")).await.unwrap();
        assert!(text.starts_with("|1|"), "{text}");
        std::fs::write(&file, text).unwrap();
        let found = known_lines("[web]:2222", &file).await;
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with(key));
        assert!(known_lines("web", &file).await.is_empty());
        assert!(
            known_lines("web", &folder.path().join("none"))
                .await
                .is_empty()
        );
    }
}
