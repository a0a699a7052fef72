//! The program in a home of its own: no variable of this machine reaches it, and what differs from
//! run to run is replaced in one place.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test programs, each of which uses a part of it"
)]

use std::path::PathBuf;
use std::process::Output;

use tempfile::TempDir;

/// A folder with the program's home, its project, and nothing else.
pub struct Sandbox {
    root: TempDir,
    variables: Vec<(String, String)>,
}

impl Sandbox {
    /// An empty project whose only host is this machine.
    pub fn new() -> Self {
        let sandbox = Self {
            root: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        };
        for folder in ["home", "project/inventory", "project/runbooks"] {
            std::fs::create_dir_all(sandbox.root.path().join(folder)).unwrap();
        }
        sandbox.file(
            "inventory/hosts.yaml",
            "hosts:\n  here: { connection: local }\n",
        );
        sandbox
    }

    /// Writes a file of the project.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The folder of the program's own state.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("home/.local/state/holdfast")
    }

    /// Runs the program and returns everything it said, as text to compare.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let text = format!(
            "status: {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        self.redact(&text)
    }

    /// Runs the program.
    pub fn output(&self, args: &[&str]) -> Output {
        let mut command = assert_cmd::Command::cargo_bin("holdfast").unwrap();
        command
            .env_clear()
            .env("HOME", self.root.path().join("home"))
            .env("PATH", std::env::var("PATH").unwrap());
        // No address is ever asked by accident.
        command
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("NO_PROXY", "127.0.0.1,localhost");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(self.project())
            .args(args)
            .timeout(std::time::Duration::from_mins(2));
        command.output().unwrap()
    }

    /// The program as a command for a terminal, for what touches no host.
    #[expect(clippy::disallowed_methods, reason = "a test starts the program")]
    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("holdfast"));
        command
            .args(args)
            .env("HOME", self.root.path().join("home"))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .current_dir(self.project());
        command
    }

    /// The program as a command for a terminal, with a `/run` and a `/var/lib/holdfast` of its own: what it does on
    /// this machine concerns nobody else. The project's folder `made` is `/mnt` there. Needs root.
    #[expect(clippy::disallowed_methods, reason = "a test starts the program")]
    pub fn alone(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new("/usr/bin/unshare");
        let script = "mount -t tmpfs none /run && mkdir -p /var/lib/holdfast && mount --bind \"$1\" /var/lib/holdfast && mount --bind \"$2\" /mnt && shift 2 && exec \"$@\"";
        let state = self.root.path().join("host");
        let made = self.project().join("made");
        for folder in [&state, &made] {
            std::fs::create_dir_all(folder).unwrap();
        }
        command
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(state)
            .arg(made);
        command
            .arg(assert_cmd::cargo::cargo_bin("holdfast"))
            .args(args);
        command
            .env("HOME", self.root.path().join("home"))
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .env("USER", "ops")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project());
        command
    }

    fn redact(&self, text: &str) -> String {
        let root = self.root.path().to_str().unwrap();
        let text = text.replace(root, "[ROOT]");
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            lines.push(redact_run(&redact_took(line)));
        }
        lines.join("\n") + "\n"
    }
}

/// `20261121-013000-abcdef` → `[RUN]`.
fn redact_run(line: &str) -> String {
    let is_run = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        parts.len() == 3
            && parts[0].len() == 8
            && parts[1].len() == 6
            && parts[2].len() == 6
            && parts[0].bytes().all(|b| b.is_ascii_digit())
    };
    let words = line.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            if is_run(bare) {
                word.replace(bare, "[RUN]")
            } else {
                word.to_owned()
            }
        })
        .collect()
}

/// `· 1.3 s ·` → `· [TIME] ·`.
fn redact_took(line: &str) -> String {
    let parts: Vec<&str> = line.split(" · ").collect();
    let is_time = |part: &str| {
        let number = part.trim_end_matches(" s").trim_end_matches(" ms");
        number != part && number.parse::<f64>().is_ok()
    };
    let redacted: Vec<&str> = parts
        .iter()
        .map(|part| if is_time(part) { "[TIME]" } else { part })
        .collect();
    redacted.join(" · ")
}
