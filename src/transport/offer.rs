//! What a host's sshd offers to somebody without a key: one attempt to log in that has no password to give.

use std::process::Stdio;
use std::time::Duration;

use super::ssh::{self, SshOptions};
use crate::inventory::Host;

/// What sshd did with an attempt that had neither a key nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It refused, and named the methods that may go on.
    Refused {
        /// `publickey`, `password`, `keyboard-interactive` …
        methods: Vec<String>,
    },
    /// It let us in.
    LetIn,
    /// Nothing that could be called an answer.
    NoAnswer {
        /// ssh's last words.
        why: String,
    },
}

/// Not the connection that is open, no key, no password, no question: just the greeting and its answer.
/// The first value counts for ssh, and these come before the operator's configuration.
const EMPTY_HANDED: [&str; 12] = [
    "BatchMode=yes",
    "ControlMaster=no",
    "ControlPath=none",
    "PreferredAuthentications=password,keyboard-interactive",
    "PubkeyAuthentication=no",
    "HostbasedAuthentication=no",
    "GSSAPIAuthentication=no",
    "NumberOfPasswordPrompts=0",
    "StrictHostKeyChecking=yes",
    "LogLevel=ERROR",
    "RequestTTY=no",
    "RemoteCommand=none",
];

/// Tries once to log in to a host with nothing in hand.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
pub async fn password_offer(host: &Host, options: &SshOptions) -> Offer {
    let config = match ssh::config_for(host, options) {
        Ok(config) => config,
        Err(error) => {
            return Offer::NoAnswer {
                why: format!("our ssh configuration cannot be written: {error}"),
            };
        }
    };
    let mut command = tokio::process::Command::new("ssh");
    command.arg("-F").arg(config).arg("-o").arg(format!(
        "ConnectTimeout={}",
        options.connect_timeout.as_secs()
    ));
    for option in EMPTY_HANDED {
        command.arg("-o").arg(option);
    }
    if let Some(port) = host.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &host.user {
        command.arg("-l").arg(user.as_str());
    }
    command
        .args(["--", host.address.as_str(), "true"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let limit = options.connect_timeout + Duration::from_secs(20);
    match tokio::time::timeout(limit, command.output()).await {
        Err(_) => Offer::NoAnswer {
            why: format!("no answer within {} s", limit.as_secs()),
        },
        Ok(Err(error)) => Offer::NoAnswer {
            why: error.to_string(),
        },
        Ok(Ok(output)) if output.status.success() => Offer::LetIn,
        Ok(Ok(output)) => answer(&String::from_utf8_lossy(&output.stderr)),
    }
}

/// `ops@10.0.0.1: Permission denied (publickey,password).` as the very last line: a jump host that refuses
/// us says the same before it, about itself.
fn answer(stderr: &str) -> Offer {
    let last = super::fault::last_line(stderr);
    let list = last
        .split_once("Permission denied (")
        .and_then(|(_, rest)| rest.strip_suffix(")."));
    match list {
        Some(list) => Offer::Refused {
            methods: list.split(',').map(str::to_owned).collect(),
        },
        None if last.is_empty() => Offer::NoAnswer {
            why: "ssh failed without a word".to_owned(),
        },
        None => Offer::NoAnswer { why: last },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_names_the_methods() {
        let refused =
            answer("Warning: x\r\nops@10.77.0.10: Permission denied (publickey,password).\r\n");
        let methods = ["publickey", "password"].map(str::to_owned).to_vec();
        assert_eq!(refused, Offer::Refused { methods });
    }

    #[test]
    fn other_words_are_no_refusal() {
        for words in [
            "",
            "kex_exchange_identification: Connection closed by remote host",
            "me@jump: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535",
        ] {
            assert!(matches!(answer(words), Offer::NoAnswer { .. }), "{words}");
        }
    }
}
