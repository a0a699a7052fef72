//! A host whose SSH server does not answer on the port it should is looked for on the ports that the
//! runbook names: a move of the port may have ended half-way, or this inventory may not know of it.

use super::new_login::Logins;
use super::{Job, Stop};
use crate::change::Note;
use crate::event::Fault;
use crate::inventory::{Connection, Host};
use crate::probe::{Answers, Probe};
use crate::runbook;
use crate::transport::{ReadHost, TransportError, client_config, trusted_name};
use crate::value::Port;

/// A host that answered, perhaps on another port.
pub(super) struct Found {
    /// With that port, and the name its key is trusted under.
    pub(super) host: Host,
    pub(super) link: ReadHost,
    pub(super) answers: Answers,
    /// What the operator is told about another port.
    pub(super) note: Option<Note>,
}

/// Looks for `host`, of which `missed` was all that came on its own port.
///
/// # Errors
/// What came on its own port when no other answers either; else why the other cannot be used.
pub(super) async fn find(
    job: &Job,
    host: &Host,
    (root_needed, first): (bool, &[Probe]),
    missed: TransportError,
    logins: &mut Logins,
) -> Result<Found, Stop> {
    let ports = match job.inputs.get(host.name.as_str()) {
        Some(inputs) if host.connection == Connection::Ssh && missed.is_silence() => {
            let ports = runbook::other_ports(&job.runbook, host, inputs);
            ports.map_err(|said| Stop::new(Fault::Failed, said.to_string()))?
        }
        _ => Vec::new(),
    };
    if ports.is_empty() {
        return Err(missed.into());
    }
    let Some(config) = client_config(host, &job.ssh).await else {
        return Err(missed.into());
    };
    // It is the same machine, so its key must be the one that is trusted for the port it should answer
    // on; only without such a key the other port's own name counts.
    let key_name = trusted_name(host, &job.ssh).await;
    let mut tried = Vec::new();
    for port in ports.into_iter().filter(|port| *port != config.port) {
        let host = Host {
            port: Some(port),
            key_name: key_name.clone(),
            ..host.clone()
        };
        logins.make_room().await;
        match ReadHost::open(&host, &job.ssh, root_needed, first).await {
            Ok((link, answers)) => {
                return Ok(Found {
                    note: Some(note(port, config.port)),
                    host,
                    link,
                    answers,
                });
            }
            Err(error) if error.is_silence() => tried.push(port.to_string()),
            // A wrong key or a refused login ends it: that is never tried again.
            Err(error) => {
                let stop = Stop::from(error);
                let message = format!("on port {port}: {}", stop.message);
                return Err(Stop { message, ..stop });
            }
        }
    }
    let stop = Stop::from(missed);
    if tried.is_empty() {
        return Err(stop);
    }
    let message = format!("{}; nor on port {}", stop.message, tried.join(", "));
    Err(Stop { message, ..stop })
}

fn note(found: Port, expected: Port) -> Note {
    Note::warning(format!(
        "it answers on port {found}, not on {expected} as the inventory or the ssh configuration says; port {found} is used"
    ))
}
