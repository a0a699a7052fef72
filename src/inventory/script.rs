//! Programs as inventory: `PROGRAM --list` prints the hosts as JSON.
//!
//! What it prints is our own structure, or Ansible's (see [`ansible`](super::ansible)). It becomes a
//! text with line breaks that is read like a file, so that messages can point into it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ansible;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than this is not read: a program that prints for ever must not fill the memory.
const MOST: u64 = 32 * 1024 * 1024;
/// How many `--host` calls run at a time.
const AT_ONCE: usize = 8;

/// Runs the program and returns what it says as a text in our own structure.
pub(super) fn run(program: &Path, out: &mut Diagnostics) -> Result<Source, Diagnostic> {
    let listed = json(program, &["--list"])?;
    let own = if ansible::speaks(&listed) {
        let vars = match ansible::host_vars(&listed) {
            Some(vars) => vars,
            None => ask_each(program, &ansible::hosts(&listed))?,
        };
        let (own, odd) = ansible::translate(&listed, &vars);
        let odd = odd
            .into_iter()
            .map(|text| format!("{}: {text}", program.display()));
        odd.for_each(|message| out.push(Diagnostic::warning(message)));
        own
    } else {
        listed
    };
    let text = serde_json::to_string_pretty(&own).unwrap_or_default();
    let name = format!("{} --list", program.display());
    Ok(Source::new(name, text))
}

/// Ansible's old way: one call for the variables of each host.
fn ask_each(program: &Path, hosts: &[String]) -> Result<BTreeMap<String, Value>, Diagnostic> {
    let mut vars = BTreeMap::new();
    for some in hosts.chunks(AT_ONCE) {
        let ask = |host: &String| json(program, &["--host", host]).map(|vars| (host.clone(), vars));
        let answers: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = some
                .iter()
                .map(|host| scope.spawn(move || ask(host)))
                .collect();
            running
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect()
        });
        for answer in answers {
            vars.extend([answer?]);
        }
    }
    Ok(vars)
}

fn json(program: &Path, args: &[&str]) -> Result<Value, Diagnostic> {
    let output = call(program, args, PATIENCE)?;
    serde_json::from_slice(&output).map_err(|error| {
        let message = format!("{} prints no JSON: {error}", shown(program, args));
        let start = printable(&String::from_utf8_lossy(&output[..output.len().min(200)]));
        Diagnostic::error(message).hint(format!("it begins with: {start}"))
    })
}

/// What it prints, when it ends well and in time.
fn call(program: &Path, args: &[&str], patience: Duration) -> Result<Vec<u8>, Diagnostic> {
    let deadline = Instant::now() + patience;
    let mut child = start(program, args)?;
    let said = mpsc::channel();
    read_aside(child.stdout.take(), true, &said.0);
    read_aside(child.stderr.take(), false, &said.0);
    let (mut stdout, mut stderr) = (None, None);
    while stdout.is_none() || stderr.is_none() {
        let left = deadline.saturating_duration_since(Instant::now());
        match said.1.recv_timeout(left) {
            Ok((true, bytes)) => stdout = Some(bytes),
            Ok((false, bytes)) => stderr = Some(bytes),
            Err(_) => return Err(too_slow(&mut child, &shown(program, args), patience)),
        }
    }
    let Some(status) = wait(&mut child, deadline) else {
        return Err(too_slow(&mut child, &shown(program, args), patience));
    };
    if status.success() {
        Ok(stdout.unwrap_or_default())
    } else {
        let stderr = stderr.unwrap_or_default();
        Err(failed(
            &shown(program, args),
            status,
            &String::from_utf8_lossy(&stderr),
        ))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an inventory may be a program of the operator; it runs on the controller only"
)]
fn start(program: &Path, args: &[&str]) -> Result<Child, Diagnostic> {
    // A bare file name would be searched in PATH.
    let path = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
    let child = Command::new(path)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own group, so that what it started ends with it.
        .process_group(0)
        .spawn();
    child.map_err(|error| {
        let message = format!("cannot start {}: {error}", program.display());
        Diagnostic::error(message)
            .hint("a script begins with a line such as #!/usr/bin/env python3")
    })
}

fn read_aside(
    stream: Option<impl Read + Send + 'static>,
    is_stdout: bool,
    said: &mpsc::Sender<(bool, Vec<u8>)>,
) {
    let said = said.clone();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What arrived before an error is still worth showing.
            let _ = stream.take(MOST).read_to_end(&mut bytes);
        }
        let _ = said.send((is_stdout, bytes));
    });
}

/// Both streams are at their end, so it is about to end, or has closed them and lives on.
fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn too_slow(child: &mut Child, shown: &str, patience: Duration) -> Diagnostic {
    end_group(child.id());
    let _ = child.kill();
    let _ = child.wait();
    let seconds = patience.as_secs();
    Diagnostic::error(format!(
        "{shown} did not end within {seconds} s and was stopped"
    ))
    .hint("run it by hand to see what it waits for")
}

#[expect(
    clippy::disallowed_methods,
    reason = "std cannot signal a process group; every shell can"
)]
fn end_group(leader: u32) {
    let script = "kill -s KILL -- \"-$1\"";
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", script, "sh", &leader.to_string()]);
    kill.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _ = kill.status();
}

fn failed(shown: &str, status: ExitStatus, stderr: &str) -> Diagnostic {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".to_owned(),
    };
    let lines: Vec<&str> = stderr.lines().collect();
    let tail = lines[lines.len().saturating_sub(10)..]
        .iter()
        .map(|line| printable(line));
    let tail: Vec<String> = tail.collect();
    let error = format!("{shown} ended with {how}");
    if tail.is_empty() {
        Diagnostic::error(error).hint("it printed nothing on stderr")
    } else {
        Diagnostic::error(format!("{error}:\n  | {}", tail.join("\n  | ")))
    }
}

fn shown(program: &Path, args: &[&str]) -> String {
    format!("{} {}", program.display(), args.join(" "))
}

/// Output of a program may hold anything; a terminal gets only what can be printed.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Inventory;
    use super::super::load;
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// Another process writes the file: were it open for writing here, a child that another test
    /// starts at the same moment could inherit it, and to run it would fail with "text file busy".
    fn named(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        #[expect(clippy::disallowed_methods, reason = "see above")]
        let mut writer = Command::new("/bin/sh");
        writer
            .args([
                "-c",
                "printf %s \"$1\" > \"$2\"; chmod 755 \"$2\"",
                "sh",
                text,
            ])
            .arg(&path);
        assert!(writer.status().unwrap().success());
        path
    }

    fn script(folder: &Path, text: &str) -> PathBuf {
        named(folder, "hosts.sh", text)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn names(inventory: &Inventory) -> Vec<&str> {
        inventory
            .hosts()
            .iter()
            .map(|host| host.name.as_str())
            .collect()
    }

    #[test]
    fn programs_and_files_of_a_folder_add_up_in_alphabetical_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        mode(path, 0o755);
        fs::write(path.join("20.yml"), "groups: { web: { hosts: [c, d] } }").unwrap();
        fs::write(path.join("notes.md"), "# notes").unwrap();
        fs::write(path.join("old.ini"), "[web]").unwrap();
        fs::write(path.join(".hidden.yaml"), "nonsense: 1").unwrap();
        fs::create_dir(path.join("group_vars")).unwrap();
        let own = r#"{"hosts": {"c": {"vars": {"by": "own \ud83d\ude00"}}}}"#;
        named(
            path,
            "10-own",
            &format!("#!/bin/sh\n[ \"$1\" = --list ] && echo '{own}'\n"),
        );
        let ansible = r#"{"web": {"hosts": ["d"], "vars": {"x": 1}}, "_meta": {"hostvars": {"d": {"ansible_host": "192.0.2.4"}}}}"#;
        named(
            path,
            "11-ansible",
            &format!("#!/bin/sh\necho '{ansible}'\n"),
        );
        let inventory = load(path).unwrap();
        assert_eq!(names(&inventory), ["c", "d"]);
        assert_eq!(inventory.host("c").unwrap().vars["by"], "own \u{1f600}");
        assert_eq!(inventory.host("d").unwrap().address.as_str(), "192.0.2.4");
        assert_eq!(inventory.host("c").unwrap().vars["x"], 1);
        let warned: Vec<_> = inventory.warnings().iter().map(|d| &d.message).collect();
        assert_eq!(warned.len(), 2, "{warned:?}");
        assert!(warned[0].ends_with("group_vars is not read"), "{warned:?}");
        assert!(warned[1].ends_with("old.ini is not read"), "{warned:?}");
    }

    #[test]
    fn without_meta_each_host_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\nif [ \"$1\" = --host ]; then echo \"{\\\"ansible_user\\\": \\\"u-$2\\\"}\"; else echo '{\"web\": [\"a\", \"b\"]}'; fi\n";
        let inventory = load(&script(folder.path(), text)).unwrap();
        assert_eq!(names(&inventory), ["a", "b"]);
        assert_eq!(
            inventory.host("b").unwrap().user.as_ref().unwrap().as_str(),
            "u-b"
        );
    }

    #[test]
    fn mistakes_of_a_program_point_into_what_it_printed() {
        let folder = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\necho '{\"hosts\": {\"a\": {\"prot\": 1}}}'\n";
        let errors = load(&script(folder.path(), text)).unwrap_err().to_string();
        assert!(errors.contains("hosts.sh --list:4:7"), "{errors}");
        assert!(errors.contains("did you mean `port`?"), "{errors}");
    }

    #[test]
    fn what_everybody_may_change_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "#!/bin/sh\necho '{}'; touch \"$0.ran\"\n");
        mode(&path, 0o757);
        let error = load(&path).unwrap_err().to_string();
        assert!(
            error.contains(&format!("chmod o-w {}", path.display())),
            "{error}"
        );
        assert!(!path.with_extension("sh.ran").exists());
        mode(&path, 0o755);
        mode(folder.path(), 0o777);
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("can be changed by every user"), "{error}");
    }

    #[test]
    fn what_is_not_there_is_said_with_the_option_that_names_it() {
        let error = load(Path::new("/nonexistent/inventory"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("-i names another file"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_stopped_with_all_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(
            folder.path(),
            "#!/bin/sh\nsleep 300 & echo $! > \"$0.pid\"; wait\n",
        );
        let before = Instant::now();
        let error = call(&path, &["--list"], Duration::from_secs(1)).unwrap_err();
        assert!(error.message.contains("did not end within"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(20));
        let pid = fs::read_to_string(path.with_extension("sh.pid")).unwrap();
        // A killed process takes a moment to end, and another until its new parent has noticed.
        let lives = || {
            let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        let patience = Instant::now() + Duration::from_secs(10);
        while lives() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!lives(), "what it started lives on");
    }

    #[test]
    fn a_failure_shows_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(
            folder.path(),
            "#!/bin/sh\nprintf 'no \\033[31mcredentials\\n' >&2; exit 3\n",
        );
        let error = json(&path, &["--list"]).unwrap_err();
        assert!(error.message.contains("exit status 3"), "{error}");
        assert!(error.message.contains("| no  [31mcredentials"), "{error}");
    }

    #[test]
    fn what_is_no_json_is_shown_by_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "#!/bin/sh\necho 'Loading profile...'\n");
        let error = json(&path, &["--list"]).unwrap_err();
        assert!(error.hint.unwrap().contains("Loading profile"));
    }
}
