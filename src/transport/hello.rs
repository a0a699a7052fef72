//! The first words with a host: a shell, who we are there, and root.

use std::time::Duration;

use super::host::answers;
use super::wire::Wire;
use super::{Connection, ReadHost, TransportError, script};
use crate::probe::{Answers, Probe};

/// Time for the first answer: login scripts and a slow sudo (dead DNS) come before it.
const HELLO_LIMIT: Duration = Duration::from_mins(1);

/// Starts a shell on a connection, becomes root where that is possible, and asks the first questions on the way.
pub(super) async fn shell(
    connection: Connection,
    root_needed: bool,
    first: &[Probe],
) -> Result<(ReadHost, Answers), TransportError> {
    let mut wire = Wire::new(connection.shell(&["/bin/sh", "-s"]).await?);
    let plain = match hello(&mut wire, None, first).await {
        Err(_) if shell_ended(&mut wire, &connection).await => {
            let words = wire.last_words().await;
            return Err(TransportError::from_shell(&words));
        }
        other => other?,
    };
    if plain.uid == "0" {
        return Ok((host(connection, wire, true), plain.answers));
    }
    let mut raised = Wire::new(connection.shell(&["sudo", "-n", "/bin/sh", "-s"]).await?);
    match hello(&mut raised, Some(&plain.peer), first).await {
        Ok(hello) if hello.uid == "0" => Ok((host(connection, raised, true), hello.answers)),
        // A lost connection or a time limit says nothing about sudo.
        Err(error) if !shell_ended(&mut raised, &connection).await => Err(error),
        _ if !root_needed => Ok((host(connection, wire, false), plain.answers)),
        Ok(_) => Err(TransportError::from_sudo("sudo did not make us root")),
        Err(_) => Err(TransportError::from_sudo(&raised.complaints().await)),
    }
}

fn host(connection: Connection, wire: Wire, root: bool) -> ReadHost {
    ReadHost {
        connection,
        wire,
        root,
    }
}

/// What a new shell says first.
struct Hello {
    uid: String,
    /// The connection as the host sees it, in the words of `SSH_CONNECTION`.
    peer: String,
    answers: Answers,
}

/// Whether the shell has ended although the connection is still there.
async fn shell_ended(wire: &mut Wire, connection: &Connection) -> bool {
    wire.has_ended() && connection.is_alive().await
}

/// Loads the read set, asks who we are and the first questions.
async fn hello(
    wire: &mut Wire,
    peer: Option<&str>,
    first: &[Probe],
) -> Result<Hello, TransportError> {
    let prelude = script::prelude(peer);
    let mut probes = vec![Probe::new::<String>("hf_hello", [])];
    probes.extend_from_slice(first);
    let request = |nonce: &str| format!("{prelude}{}", script::ask(nonce, probes.iter()));
    let count = probes.len();
    let raw = match wire.request(HELLO_LIMIT, count, &|_| {}, request).await {
        // A login script's background job printed into the answer. Questions can be repeated.
        Err(TransportError::Garbled { .. }) => {
            wire.request(HELLO_LIMIT, count, &|_| {}, request).await?
        }
        other => other?,
    };
    let answers = answers(raw, 0, &probes);
    let text = answers
        .get(&probes[0])
        .map(|answer| answer.text().into_owned())
        .unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
            .to_owned()
    };
    Ok(Hello {
        uid: value("uid="),
        peer: value("connection="),
        answers,
    })
}
