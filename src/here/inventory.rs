//! The port of a host in the inventory file that names it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::{Desk, file};
use crate::inventory::{Hunk, own_port, replaced, with_port};
use crate::transport::client_config;
use crate::value::Port;

/// What the inventory says about the port, and what would have to be different in its file. Lines:
/// `way=ssh`, `file=` as the operator calls it, `host=`, `port=` in effect by inventory and ssh
/// configuration, `own=` the entry's own, `client=` the port of a plain `ssh`, and `before=` and
/// `after=` in base64, or `cannot=` with a reason.
pub(super) async fn look(desk: &Desk<'_>, port: Port) -> Result<String, String> {
    let host = desk.listed.name.as_str();
    let path = desk.listed.place.source.path();
    // What a plain `ssh` does, without the inventory's port.
    let mut plain = desk.listed.clone();
    plain.port = None;
    let client = client_config(&plain, desk.ssh).await;
    let client = client.map(|config| config.port);
    let text = fs::read_to_string(path);
    let own = text.as_ref().ok().and_then(|text| own_port(text, host));
    let own = own.flatten();
    let effective = own.or(desk.listed.port).or(client);
    let show = |port: Option<Port>| port.map(|port| port.to_string()).unwrap_or_default();
    let mut lines = format!(
        "way=ssh\nfile={}\nhost={host}\nport={}\nown={}\nclient={}\n",
        super::one_line(&path.display().to_string()),
        show(effective),
        show(own),
        show(client),
    );
    if effective == Some(port) {
        return Ok(lines);
    }
    let hunk = match (text, &desk.listed.again) {
        (_, Some(again)) => Err(format!("the host is defined again at {again}")),
        (Ok(text), None) => with_port(&text, host, port),
        (Err(_), None) => Err("it is no file here but what a program prints".to_owned()),
    };
    match hunk {
        Ok(hunk) => {
            for (key, text) in [("before", hunk.before), ("after", hunk.after)] {
                let _ = writeln!(lines, "{key}={}", BASE64.encode(text));
            }
        }
        Err(why) => {
            let _ = writeln!(lines, "cannot={}", super::one_line(&why));
        }
    }
    Ok(lines)
}

/// The input of `here_edit_inventory`, as JSON.
#[derive(Serialize, Deserialize)]
struct Lines {
    before: String,
    after: String,
}

/// Replaces the lines of a host's entry.
pub(super) async fn edit(path: &Path, host: &str, input: &str) -> Result<(), String> {
    let lines: Lines = serde_json::from_str(input).map_err(|error| error.to_string())?;
    let hunk = Hunk {
        before: lines.before,
        after: lines.after,
    };
    file::change(path, |text| replaced(text, host, &hunk)).await
}

/// Whether the lines of a host's entry can be replaced; `false` when they have been already.
///
/// # Errors
/// When they are neither as they were nor as they will be.
pub(super) fn can(path: &Path, host: &str, input: &str) -> Result<bool, String> {
    let lines: Lines = serde_json::from_str(input).map_err(|error| error.to_string())?;
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let hunk = |before: &str, after: &str| Hunk {
        before: before.to_owned(),
        after: after.to_owned(),
    };
    let there = replaced(&text, host, &hunk(&lines.before, &lines.after));
    let back = replaced(&text, host, &hunk(&lines.after, &lines.before));
    match (there, back) {
        (Ok(_), _) => Ok(true),
        (Err(_), Ok(_)) => Ok(false),
        (Err(why), Err(_)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn two_hosts_of_a_run_change_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts.yaml");
        let text = "hosts:\n  a: { port: 22 } # first\n  b: { port: 22 }\n";
        fs::write(&file, text).unwrap();
        let port: Port = "2222".parse().unwrap();
        // Both were planned from the same text.
        let hunks = ["a", "b"].map(|host| (host, with_port(text, host, port).unwrap()));
        for (host, hunk) in &hunks {
            let (before, after) = (&hunk.before, &hunk.after);
            let input = serde_json::json!({"before": before, "after": after}).to_string();
            assert_eq!(can(&file, host, &input), Ok(true));
            edit(&file, host, &input).await.unwrap();
            assert_eq!(can(&file, host, &input), Ok(false));
            assert!(edit(&file, host, &input).await.is_err(), "moved by now");
        }
        let now = fs::read_to_string(&file).unwrap();
        assert_eq!(
            now,
            "hosts:\n  a: { port: 2222 } # first\n  b: { port: 2222 }\n"
        );
    }
}
