//! Whether a key lets a user in: it must be in a file where sshd looks, on a line that admits us, below
//! folders that nobody else can change.

use super::judge::{Refusal, refused, unknown};
use super::key_line::KeyLine;
use super::look::{Account, KeyFile, Login, Node, UsedKey};
use super::pattern::{Match, hosts};

/// The key (when it is known which) admits the user; in words.
pub(super) fn admitted(
    login: &Login,
    account: &Account,
    used: Option<&UsedKey>,
) -> Result<String, Refusal> {
    let mut first = None;
    for file in &login.files {
        let mut lines = file
            .keys
            .iter()
            .filter(|line| is_meant(line, used))
            .peekable();
        if lines.peek().is_none() {
            continue;
        }
        let verdict = file_counts(login, account, file).and_then(|()| any_line(login, file, lines));
        match verdict {
            Ok(line) => {
                return Ok(format!(
                    "{} of {}, {}:{}",
                    line.fingerprint, login.user, file.path, line.number
                ));
            }
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or_else(|| nowhere(login, used)))
}

/// Any key when none is known to be ours; an authority's for a certificate.
fn is_meant(line: &KeyLine, used: Option<&UsedKey>) -> bool {
    let authority = line.option("cert-authority").is_some();
    match used {
        Some(used) => line.fingerprint == used.fingerprint && authority == used.certificate,
        None => !authority,
    }
}

/// The first line that admits us decides, as for sshd: what it demands (`command=`) is not undone by another.
fn any_line<'a>(
    login: &Login,
    file: &KeyFile,
    lines: impl Iterator<Item = &'a KeyLine>,
) -> Result<&'a KeyLine, Refusal> {
    let mut first = None;
    for line in lines {
        match line_admits(login, file, line) {
            Ok(()) => return line_gives_a_shell(login, file, line).map(|()| line),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or_else(|| nowhere(login, None)))
}

fn line_admits(login: &Login, file: &KeyFile, line: &KeyLine) -> Result<(), Refusal> {
    let place = place_of(file, line);
    if file.over.contains(&line.number) {
        return Err(refused(
            format!("the `expiry-time` of the key at {place} is over"),
            "set a later one, or use another key",
        ));
    }
    if let Some(list) = line.option("from")
        && let Some(client) = login.client
        && hosts(client, list) != Match::Yes
    {
        let refusal = refused(
            format!("{place} admits this key only from {list}, and we come from {client}"),
            format!("add {client} to its `from=`"),
        );
        // With UseDNS a pattern may be the name of our address.
        return Err(Refusal {
            human: login.is_on("usedns"),
            ..refusal
        });
    }
    Ok(())
}

fn line_gives_a_shell(login: &Login, file: &KeyFile, line: &KeyLine) -> Result<(), Refusal> {
    let place = place_of(file, line);
    if let Some(command) = line.option("command") {
        return Err(refused(
            format!("{place} runs `{command}` for this key instead of a shell"),
            "use a key without `command=`",
        ));
    }
    if file.revoked.contains(&line.number) {
        return Err(refused(
            format!(
                "the key at {place} is among those that {} takes back (RevokedKeys)",
                login.value("revokedkeys")
            ),
            "use another key",
        ));
    }
    algorithm_stays(login, line, &place)
}

fn place_of(file: &KeyFile, line: &KeyLine) -> String {
    format!("{}:{}", file.path, line.number)
}

fn algorithm_stays(login: &Login, line: &KeyLine, place: &str) -> Result<(), Refusal> {
    let accepted = match login.value("pubkeyacceptedalgorithms") {
        "" => login.value("pubkeyacceptedkeytypes"),
        list => list,
    };
    let kind = line.kind.as_str();
    let names: &[&str] = match kind {
        // ssh-rsa as a signature is SHA-1: a client that can only do that is none of today.
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256"],
        _ => &[kind],
    };
    if line.option("cert-authority").is_none()
        && !accepted.is_empty()
        && !accepted.split(',').any(|name| names.contains(&name))
    {
        return Err(refused(
            format!("sshd would accept no {kind} keys, and the one at {place} is one"),
            "leave its algorithm in PubkeyAcceptedAlgorithms, or use another key",
        ));
    }
    let least = login.value("requiredrsasize").parse::<usize>().unwrap_or(0);
    match line.rsa_bits {
        Some(bits) if bits < least => Err(refused(
            format!("the RSA key at {place} has {bits} bits, and sshd wants {least}"),
            "use a longer key, or one of ed25519",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether sshd reads a file at all.
fn file_counts(login: &Login, account: &Account, file: &KeyFile) -> Result<(), Refusal> {
    let (path, user) = (&file.path, &login.user);
    if file
        .chain
        .first()
        .is_some_and(|node| !node.kind.contains("file"))
    {
        return Err(refused(
            format!("{path} is no plain file: sshd ignores it"),
            "",
        ));
    }
    if login.is_on("strictmodes") {
        for node in &file.chain {
            node_is_safe(login, account, node)?;
        }
    }
    if file.unreadable {
        return Err(refused(
            format!("{user} may not read {path}, and sshd reads it as {user}"),
            format!("chown {user} {path}, or open its folders for {user}"),
        ));
    }
    Ok(())
}

/// `StrictModes`: nobody but the user and root owns or writes what leads to the keys.
fn node_is_safe(login: &Login, account: &Account, node: &Node) -> Result<(), Refusal> {
    let (user, path, mode) = (&login.user, &node.path, node.mode & 0o7777);
    let below = if node.kind == "directory" {
        "the keys below it"
    } else {
        "its keys"
    };
    if node.uid != 0 && node.uid != account.uid {
        return Err(refused(
            format!(
                "{path} belongs to the user id {}, not to {user}: sshd ignores {below}",
                node.uid
            ),
            format!("chown {user} {path}"),
        ));
    }
    if mode & 0o002 != 0 {
        return Err(refused(
            format!("{path} is writable by everybody (mode {mode:04o}): sshd ignores {below}"),
            format!("chmod o-w {path}"),
        ));
    }
    if mode & 0o020 != 0 && !is_private_group(login, node) {
        let others: Vec<&str> = node
            .members
            .iter()
            .map(String::as_str)
            .filter(|name| name != user)
            .collect();
        let who = if others.is_empty() {
            String::new()
        } else {
            format!(", which {} is in", others.join(", "))
        };
        return Err(refused(
            format!("{path} is writable by its group{who} (mode {mode:04o}): sshd ignores {below}"),
            format!("chmod g-w {path}"),
        ));
    }
    Ok(())
}

/// Debian's sshd (user-group-modes.patch) lets the group write when the user is its only member.
fn is_private_group(login: &Login, node: &Node) -> bool {
    let debian = ["Debian", "Ubuntu", "Raspbian"];
    let patched = login
        .sshd
        .as_ref()
        .is_some_and(|version| debian.iter().any(|name| version.contains(name)));
    patched && node.members == [login.user.clone()]
}

/// The key is in none of the files.
fn nowhere(login: &Login, used: Option<&UsedKey>) -> Refusal {
    let user = &login.user;
    let files = login
        .files
        .iter()
        .map(state_of)
        .collect::<Vec<_>>()
        .join(", ");
    let files = if files.is_empty() {
        "no file at all".to_owned()
    } else {
        files
    };
    let key = match used {
        Some(UsedKey {
            fingerprint,
            certificate: true,
            ..
        }) => format!("the authority {fingerprint} of the certificate of this session"),
        Some(UsedKey {
            kind, fingerprint, ..
        }) => format!("the key of this session ({kind} {fingerprint})"),
        None => format!("a key of {user}"),
    };
    let command = login.value("authorizedkeyscommand");
    let authorities = login.value("trustedusercakeys");
    if !matches!(command, "" | "none") {
        return unknown(
            format!(
                "{key} is not in the files of {user} ({files}); whether {command} (AuthorizedKeysCommand) supplies it cannot be told"
            ),
            "put the key into a file, or make sure of it and say `unproven: true`",
        );
    }
    if !matches!(authorities, "" | "none") && used.is_none_or(|used| used.certificate) {
        return unknown(
            format!(
                "{key} is not in the files of {user} ({files}); whether {authorities} (TrustedUserCAKeys) admits it cannot be told"
            ),
            "put a key into a file, or make sure of it and say `unproven: true`",
        );
    }
    refused(
        format!("{key} is not where sshd looks for keys of {user}: {files}"),
        "put it there, or correct AuthorizedKeysFile",
    )
}

fn state_of(file: &KeyFile) -> String {
    let state = match file {
        KeyFile { missing: true, .. } => " (not there)",
        KeyFile { too_big: true, .. } => " (too long to look into)",
        _ => "",
    };
    format!("{}{state}", file.path)
}
