//! The terminal is handed over to a shell: on the host, over the connection that is there, or on this machine.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::ssh::config_for;
use super::{ReadHost, SshOptions};
use crate::inventory::{Connection as Way, Host};

/// How a person gets to a host as the run does.
#[derive(Debug, Clone)]
pub struct ShellWay {
    /// The host, on the port that is in use now.
    pub host: Host,
    /// How connections are made.
    pub ssh: SshOptions,
    /// The control socket of the connection that is there.
    pub socket: Option<PathBuf>,
}

impl ReadHost {
    /// The control socket of its connection.
    pub fn socket(&self) -> Option<PathBuf> {
        match &self.connection {
            super::Connection::Ssh(connection) => Some(connection.socket()),
            super::Connection::Local => None,
        }
    }
}

/// Runs a shell on the terminal until the person leaves it. Its exit status is theirs and means nothing here.
///
/// # Errors
/// When it cannot be started.
pub fn hand_over(way: &ShellWay) -> io::Result<()> {
    let terminal = io::stdin();
    let modes = tcgetattr(&terminal).ok();
    let mut command = match way.host.connection {
        Way::Local => here(),
        Way::Ssh => ssh(way)?,
    };
    let ended = command.status();
    if let Some(modes) = modes {
        // A shell that was killed leaves the terminal as it had it.
        let _ = tcsetattr(&terminal, OptionalActions::Drain, &modes);
    }
    ended.map(|_| ())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
fn here() -> Command {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    // A shell with job control makes the terminal its own, and one that is killed does not give it back: we could
    // neither read nor write it any more. A second one around it does that, and hands it back to us in its end.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-mc", "\"$0\"; :"])
        .arg(shell.unwrap_or_else(|| "/bin/sh".into()));
    command
}

/// With the operator's own configuration. Over the connection that is there nothing is asked anew; when that is
/// gone ssh makes one of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
fn ssh(way: &ShellWay) -> io::Result<Command> {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(config_for(&way.host, &way.ssh)?);
    command.args([
        "-t",
        "-o",
        "ControlMaster=no",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "RemoteCommand=none",
    ]);
    match &way.socket {
        Some(socket) => command.arg("-S").arg(socket),
        None => command.args(["-S", "none"]),
    };
    if let Some(port) = way.host.port {
        command.args(["-p", &port.get().to_string()]);
    }
    if let Some(user) = &way.host.user {
        command.args(["-l", user.as_str()]);
    }
    command.arg("--").arg(way.host.address.as_str());
    Ok(command)
}
