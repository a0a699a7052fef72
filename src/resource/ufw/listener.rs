//! Who listens on a port that is about to be closed: the answer of `hf_ufw_listener`.

use crate::change::{Known, StepNumber};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;

/// The folder whose files decide where sshd listens.
const SSH: &str = "/etc/ssh/";

/// Whether nobody listens on the port.
pub(super) enum Freed {
    /// Nobody does.
    Now,
    /// sshd does, and this step is to change that.
    After(StepNumber),
    /// Somebody does, as a clause.
    Never(String),
}

/// The question who listens on a TCP port.
pub(super) fn probe(port: u16) -> Probe {
    Probe::new("hf_ufw_listener", [port.to_string()])
}

/// Reads the answer.
///
/// # Errors
/// When the host does not say.
pub(super) fn judge(probe: &Probe, seen: &Answers, known: &Known) -> Result<Freed, ParseError> {
    let lines = Lines::of(seen, probe)?;
    if lines.get("told") != "yes" {
        return Err(lines.unreadable("ss(8) is missing"));
    }
    let port: u16 = lines.need("port")?;
    let names: Vec<&str> = lines.all("listens").collect();
    let Some(name) = names.first() else {
        return Ok(Freed::Now);
    };
    let of_ssh = names.iter().all(|name| matches!(*name, "sshd" | "systemd"));
    let moved = || known.files_below(SSH).filter(|_| of_ssh);
    let stays = moved().any(|(_, content)| names_port(content, port));
    match moved().map(|(step, _)| step).max() {
        Some(step) if !stays => Ok(Freed::After(step)),
        Some(_) | None => Ok(Freed::Never(format!("{name} still listens on port {port}"))),
    }
}

/// Whether a configuration of sshd that is to come names the port.
fn names_port(content: Option<&[u8]>, port: u16) -> bool {
    let text = String::from_utf8_lossy(content.unwrap_or_default()).into_owned();
    let port = port.to_string();
    text.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("port"))
            && words.next() == Some(&port)
    })
}
