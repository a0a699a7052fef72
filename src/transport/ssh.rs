//! Connections over OpenSSH: the user's own configuration, strict host keys, one master per host.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder, Stdio};
use tokio::sync::Semaphore;

use super::TransportError;
use super::channel::{Channel, Tail};
use crate::inventory::Host;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// A private folder for control sockets and our configuration; its path has at most 60 bytes,
    /// because socket paths are short.
    pub control: PathBuf,
    /// The time for connecting, key exchange and login.
    pub connect_timeout: Duration,
    /// At most so many logins at the same time: `MaxStartups` of a jump host is 10.
    pub logins: Arc<Semaphore>,
    /// Tries after the first when the server is too busy to shake hands.
    busy_retries: u32,
}

impl SshOptions {
    /// Our configuration file, which takes in the operator's.
    pub(super) fn config(&self) -> PathBuf {
        config_file(&self.control)
    }

    /// Options for a run: writes the ssh configuration into `control`. `config` stands in for the
    /// user's and the system's files.
    ///
    /// # Errors
    /// When our file cannot be written, or `config` is no file that can be read.
    pub fn prepare(
        control: &Path,
        config: Option<&Path>,
        logins: usize,
        connect_timeout: Duration,
    ) -> std::io::Result<Self> {
        // First value wins in ssh. How often is asked for a sign of life is ours, so this belongs to it: it is told
        // how soon a cut line is noticed.
        let mut text = format!("ServerAliveCountMax {UNHEARD}\n");
        match config {
            Some(path) => {
                let _ = writeln!(text, "Include \"{}\"", includable(control, path)?);
            }
            // Naming a file with -F turns the system's off, so both are taken in.
            None => text.push_str("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n"),
        }
        std::fs::write(config_file(control), text)?;
        Ok(Self {
            control: control.to_owned(),
            connect_timeout,
            logins: Arc::new(Semaphore::new(logins.clamp(1, 8))),
            busy_retries: BUSY_RETRIES,
        })
    }

    /// The same without tries of its own, for a caller that counts its connections.
    #[must_use]
    pub fn once(&self) -> Self {
        Self {
            busy_retries: 0,
            ..self.clone()
        }
    }

    /// The same with the tries of `other` again.
    #[must_use]
    pub fn patient(&self, other: &Self) -> Self {
        Self {
            busy_retries: other.busy_retries,
            ..self.clone()
        }
    }
}

/// What to call the operator's configuration in an `Include` line, which takes a relative path as
/// one below `~/.ssh` and says nothing when a file is missing.
fn includable(control: &Path, config: &Path) -> std::io::Result<String> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the ssh configuration {}: {error}", config.display());
        std::io::Error::new(error.kind(), message)
    };
    let path = config.canonicalize().map_err(unreadable)?;
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no file")));
    }
    std::fs::File::open(&path).map_err(unreadable)?;
    let plain = |c: char| c.is_alphanumeric() || "/._-+@=:, ".contains(c);
    if let Some(text) = path.to_str()
        && text.chars().all(plain)
    {
        return Ok(text.to_owned());
    }
    // Which characters must be escaped for Include, and how, is different from one OpenSSH to the
    // next (quotes since 8.7, `%` and `$` since 9.9); a link needs no escapes.
    let link = control.join("given_config");
    std::os::unix::fs::symlink(&path, &link)?;
    Ok(link.display().to_string())
}

/// Ends the connections whose control sockets are below `control`, for a run that cannot do it in
/// order. Waits a second at most; what does not end by then ends a minute after its last session.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
pub fn end_masters(control: &Path) {
    let sockets = std::fs::read_dir(control)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("master"))
        .filter(|path| path.symlink_metadata().is_ok());
    let mut enders: Vec<_> = sockets
        .filter_map(|socket| {
            std::process::Command::new("ssh")
                .args(["-F", "none", "-O", "exit", "-S"])
                .arg(socket)
                .arg("holdfast")
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .ok()
        })
        .collect();
    let end = std::time::Instant::now() + Duration::from_secs(1);
    while std::time::Instant::now() < end {
        enders.retain_mut(|ender| matches!(ender.try_wait(), Ok(None)));
        if enders.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn config_file(control: &Path) -> PathBuf {
    control.join("ssh_config")
}

/// The configuration for a host: one of its own when its key is trusted under another name than the
/// port in use has.
pub(super) fn config_for(host: &Host, options: &SshOptions) -> std::io::Result<PathBuf> {
    let common = config_file(&options.control);
    let Some(name) = &host.key_name else {
        return Ok(common);
    };
    let own = options.control.join(format!("ssh_config-{}", host.name));
    // Only for the host itself: a jump host is asked with the same file. The operator's own
    // HostKeyAlias stands above and wins.
    let address = &host.address;
    let text = std::fs::read_to_string(common)?;
    std::fs::write(&own, format!("{text}Host {address}\nHostKeyAlias {name}\n"))?;
    Ok(own)
}

/// An open connection. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct SshConnection {
    session: Arc<Session>,
}

/// Tries after the first when the server is too busy to shake hands.
const BUSY_RETRIES: u32 = 3;

impl SshConnection {
    pub(super) async fn open(host: &Host, options: &SshOptions) -> Result<Self, TransportError> {
        let mut tries = 0;
        loop {
            match login(host, options).await {
                Err(error) if error.is_busy() && tries < options.busy_retries => {
                    tries += 1;
                    // The address spreads hosts behind one jump host, so that they do not come back together.
                    let spread =
                        u64::from(host.name.as_str().bytes().map(u32::from).sum::<u32>() % 400);
                    tokio::time::sleep(Duration::from_millis(300 * u64::from(tries) + spread))
                        .await;
                }
                Err(error) => return Err(error),
                Ok(session) => {
                    return Ok(Self {
                        session: Arc::new(session),
                    });
                }
            }
        }
    }

    pub(super) async fn shell(&self, words: &[&str]) -> Result<Channel, TransportError> {
        let lost = |error: openssh::Error| {
            TransportError::exhausted(&error).unwrap_or_else(|| TransportError::Lost {
                message: format!("the connection broke: {}", chain(&error)),
            })
        };
        let (program, args) = words.split_first().unwrap_or((&"/bin/sh", &[]));
        let mut command = self.session.clone().arc_raw_command(*program);
        command
            .raw_args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(lost)?;
        let streams = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        );
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(TransportError::Lost {
                message: "the connection gave no pipes".to_owned(),
            });
        };
        Ok(Channel {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Tail::follow(stderr),
            keep: Box::new(child),
        })
    }

    /// Where others may share it.
    pub(super) fn socket(&self) -> PathBuf {
        self.session.control_socket().to_owned()
    }

    pub(super) async fn is_alive(&self) -> bool {
        self.session.check().await.is_ok()
    }

    pub(super) async fn close(self) {
        if let Ok(session) = Arc::try_unwrap(self.session) {
            let _ = session.close().await;
        }
    }
}

/// How often a silent server is asked for a sign of life, and how many may stay without an answer.
const ALIVE: Duration = Duration::from_secs(10);
const UNHEARD: u32 = 4;

/// After so long a silence a connection is lost: when the sign after those would be due.
pub const SILENCE: Duration = Duration::from_secs(ALIVE.as_secs() * (UNHEARD as u64 + 1));

async fn login(host: &Host, options: &SshOptions) -> Result<Session, TransportError> {
    let config = config_for(host, options).map_err(|error| TransportError::Unreachable {
        message: format!("our ssh configuration cannot be written: {error}"),
    })?;
    let _place = options.logins.acquire().await;
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .control_directory(&options.control)
        .config_file(config)
        .connect_timeout(options.connect_timeout)
        .server_alive_interval(ALIVE)
        // A killed controller must not leave the master behind for ever. Short is enough: a master
        // counts as idle only without sessions, and the host's shell is one for as long as we are there.
        .control_persist(ControlPersist::IdleFor(
            const { std::num::NonZeroUsize::new(60).expect("60 is not zero") },
        ));
    if let Some(port) = host.port {
        builder.port(port.get());
    }
    if let Some(user) = &host.user {
        builder.user(user.to_string());
    }
    // ConnectTimeout covers the banner, but not a server that stops answering during login.
    let limit = options.connect_timeout + Duration::from_secs(20);
    match tokio::time::timeout(limit, builder.connect_mux(host.address.as_str())).await {
        Err(_) => Err(TransportError::Unreachable {
            message: format!("no login within {} s", limit.as_secs()),
        }),
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(TransportError::exhausted(&error)
            .unwrap_or_else(|| TransportError::from_ssh(&chain(&error)))),
    }
}

fn chain(error: &openssh::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(folder: &Path, config: &Path) -> std::io::Result<String> {
        SshOptions::prepare(folder, Some(config), 1, Duration::from_secs(1))?;
        std::fs::read_to_string(config_file(folder))
    }

    #[test]
    fn a_given_configuration_must_be_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for wrong in [folder.path().join("missing"), folder.path().to_owned()] {
            let error = prepared(folder.path(), &wrong).unwrap_err().to_string();
            assert!(error.contains(&wrong.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_given_configuration_is_named_as_ssh_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        // A test runs in the package's folder, which has this file.
        let whole = Path::new("Cargo.toml").canonicalize().unwrap();
        let text = prepared(folder.path(), Path::new("Cargo.toml")).unwrap();
        let include = format!("Include \"{}\"\n", whole.display());
        assert_eq!(text, format!("ServerAliveCountMax 4\n{include}"));
        let odd = folder.path().join("a\"*b%h");
        std::fs::write(&odd, "").unwrap();
        let text = prepared(folder.path(), &odd).unwrap();
        let link = folder.path().join("given_config");
        assert!(text.ends_with(&format!("\nInclude \"{}\"\n", link.display())));
        assert_eq!(link.canonicalize().unwrap(), odd.canonicalize().unwrap());
    }
}
