//! Why a host cannot be worked with. The classes are distinct, because what the operator does next
//! is different for each.

use crate::event::Fault;

/// "Too many open files in system" (errno.h, the same on every Linux).
const ENFILE: i32 = 23;
/// "Too many open files".
const EMFILE: i32 = 24;

/// Why a host cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection came about: name, network, port, time.
    #[error("{message}")]
    Unreachable {
        /// What ssh said.
        message: String,
    },
    /// This machine has no file descriptor left for a connection.
    #[error("this machine has too many files open for one more connection")]
    Exhausted,
    /// The host key is unknown or not the known one.
    #[error("{message}")]
    Identity {
        /// What ssh said.
        message: String,
        /// Whether a known key has changed (else it was never known).
        changed: bool,
    },
    /// The login was refused. Never tried again.
    #[error("{message}")]
    Authentication {
        /// What ssh said.
        message: String,
    },
    /// The login works, but not becoming root.
    #[error("{message}")]
    Sudo {
        /// What sudo said.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Another run has the host's lock.
    #[error("locked by {holder}")]
    Locked {
        /// Who, since when, which run.
        holder: String,
    },
    /// The connection broke, or the host did not answer in time. What was under way may have been
    /// done or not.
    #[error("{message}")]
    Lost {
        /// What happened.
        message: String,
    },
    /// Something else printed into an answer.
    #[error("{message}")]
    Garbled {
        /// What is wrong with it.
        message: String,
    },
    /// The host cannot keep a record of the run, so nothing of it is begun.
    #[error("the run's folder cannot be made: {message}")]
    Unwritable {
        /// What the host said.
        message: String,
    },
    /// The host answers, but cannot do what we need.
    #[error("{message}")]
    Unusable {
        /// What is missing.
        message: String,
    },
}

impl TransportError {
    /// The class for events and exit codes.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. }
            | Self::Exhausted
            | Self::Lost { .. }
            | Self::Garbled { .. } => Fault::Unreachable,
            Self::Identity { .. } => Fault::Identity,
            Self::Authentication { .. } => Fault::Authentication,
            Self::Sudo { .. } => Fault::Sudo,
            Self::Locked { .. } => Fault::Locked,
            Self::Unwritable { .. } => Fault::Failed,
            Self::Unusable { .. } => Fault::Unsupported,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => "check the address and port, and whether the machine is up".to_owned(),
            Self::Exhausted => {
                "raise the limit of open files (`ulimit -n`), or run on fewer hosts at a time (--limit)".to_owned()
            }
            Self::Identity { changed: true, .. } => {
                "if the machine was reinstalled, compare the new key at its console, then remove the old one with `ssh-keygen -R`; \
                 if it was not, somebody is in between"
                    .to_owned()
            }
            Self::Identity { changed: false, .. } => {
                "log in once with ssh and compare the fingerprint with the machine's console".to_owned()
            }
            Self::Authentication { .. } => {
                "try `ssh` with the same user; keys must be in an agent or need no passphrase".to_owned()
            }
            Self::Sudo { hint, .. } => hint.clone(),
            Self::Locked { .. } => "wait for that run to end; the lock goes with its holder".to_owned(),
            Self::Unwritable { .. } => "make room on its disk, below /var/lib/holdfast".to_owned(),
            Self::Lost { .. } | Self::Garbled { .. } | Self::Unusable { .. } => return None,
        })
    }

    /// Reads the words of OpenSSH's client (readconf.c, sshconnect.c).
    pub(super) fn from_ssh(text: &str) -> Self {
        let changed = text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED");
        if changed
            || text.contains("Host key verification failed")
            || text.contains("host key is known for")
        {
            let message = if changed {
                "the host key has changed"
            } else {
                "the host key is not known"
            };
            return Self::Identity {
                message: message.to_owned(),
                changed,
            };
        }
        let line = last_line(
            text.strip_prefix("failed to connect to the remote host: ")
                .unwrap_or(text),
        );
        let refused = [
            "Permission denied (",
            "Too many authentication failures",
            "No supported authentication methods",
        ];
        if refused.iter().any(|words| text.contains(words)) {
            return Self::Authentication { message: line };
        }
        Self::Unreachable {
            message: if line.is_empty() {
                "ssh ended without a word".to_owned()
            } else {
                line
            },
        }
    }

    /// Whether the server was only too busy to shake hands (`MaxStartups`), which is worth a retry.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Unreachable { message } if message.contains("kex_exchange_identification") || message.contains("Connection reset"))
    }

    /// Whether nobody spoke SSH to us there: refused, or no answer. Whoever answered and then refused is
    /// somebody.
    pub fn is_silence(&self) -> bool {
        let words = [
            "Connection refused",
            "timed out",
            "No route to host",
            "no login within",
        ];
        matches!(self, Self::Unreachable { message } if words.iter().any(|word| message.contains(word)))
    }

    /// A shell that ended before it answered: `nologin`, a forced command, a login script that exits.
    pub(super) fn from_shell(words: &str) -> Self {
        let words = if words.is_empty() {
            "it said nothing"
        } else {
            words
        };
        Self::Unusable {
            message: format!("the login works, but its shell ends at once: {words}"),
        }
    }

    /// A process or a pipe that could not be made, if that is for want of file descriptors.
    pub(super) fn exhausted(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            let code = error
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::raw_os_error);
            if matches!(code, Some(ENFILE | EMFILE)) {
                return Some(Self::Exhausted);
            }
            next = error.source();
        }
        None
    }

    /// Reads the words of sudo.
    pub(super) fn from_sudo(text: &str) -> Self {
        let (message, hint) = if text.contains("a password is required")
            || text.contains("a terminal is required")
        {
            (
                "sudo asks for a password",
                "allow it without one (a NOPASSWD line in /etc/sudoers.d), or log in as root; asking for the password comes in a later version",
            )
        } else if text.contains("must have a tty") {
            (
                "sudo demands a terminal (requiretty)",
                "remove `Defaults requiretty` for this user",
            )
        } else if text.contains("not allowed")
            || text.contains("not in the sudoers")
            || text.contains("may not run")
        {
            (
                "the user may not become root with sudo",
                "give the user a sudo right for /bin/sh, or log in as root",
            )
        } else if text.contains("not found") || text.contains("No such file") {
            (
                "there is no sudo, and the user is not root",
                "install sudo, or log in as root",
            )
        } else {
            return Self::Sudo {
                message: format!("sudo failed: {}", last_line(text)),
                hint: "try `sudo -n true` there".to_owned(),
            };
        };
        Self::Sudo {
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
    }
}

pub(super) fn last_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .next_back()
        .unwrap_or("")
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_ssh_become_classes() {
        let class = |text| TransportError::from_ssh(text).fault();
        assert_eq!(
            class("ssh: connect to host x port 22: Connection refused"),
            Fault::Unreachable
        );
        assert_eq!(
            class("ops@x: Permission denied (publickey)."),
            Fault::Authentication
        );
        assert_eq!(
            class("No ED25519 host key is known for x\nHost key verification failed."),
            Fault::Identity
        );
        let changed = TransportError::from_ssh(
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
        );
        assert!(matches!(
            changed,
            TransportError::Identity { changed: true, .. }
        ));
    }

    #[test]
    fn our_own_lack_of_files_is_not_the_hosts_fault() {
        let error = |code| openssh::Error::Connect(std::io::Error::from_raw_os_error(code));
        let found = TransportError::exhausted(&error(EMFILE)).unwrap();
        assert!(found.hint().unwrap().contains("ulimit -n"));
        assert_eq!(TransportError::exhausted(&error(2)), None);
    }

    #[test]
    fn a_shell_that_ends_at_once_is_told_in_its_own_words() {
        let error = TransportError::from_shell("This account is currently not available.");
        assert_eq!(
            error.to_string(),
            "the login works, but its shell ends at once: This account is currently not available."
        );
        assert_eq!(error.fault(), Fault::Unsupported);
    }

    #[test]
    fn the_words_of_sudo_become_advice() {
        let error = TransportError::from_sudo("sudo: a password is required\n");
        assert_eq!(error.to_string(), "sudo asks for a password");
    }
}
