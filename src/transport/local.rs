//! This machine as a host: the same shell and the same requests, without SSH.

use std::process::Stdio;

use super::TransportError;
use super::channel::{Channel, Tail};

/// Starts `words` on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the transport is where processes start"
)]
pub(super) fn shell(words: &[&str]) -> Result<Channel, TransportError> {
    let unusable = |why: String| TransportError::Unusable { message: why };
    let (program, args) = words
        .split_first()
        .ok_or_else(|| unusable("no program".to_owned()))?;
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in the terminal is for us: the shell must finish what it is doing.
        .process_group(0)
        .spawn()
        .map_err(|error| {
            TransportError::exhausted(&error)
                .unwrap_or_else(|| unusable(format!("cannot start {program}: {error}")))
        })?;
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
        return Err(unusable(format!("{program} has no pipes")));
    };
    Ok(Channel {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: Tail::follow(stderr),
        keep: Box::new(child),
    })
}
