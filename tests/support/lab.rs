//! Real Debian hosts for the tests: a handle on `tests/lab/lab`, which boots them.
//!
//! A [`Lab`] is a network of its own with an operator, addresses that play Cloudflare and strangers, and
//! the [`LabHost`]s that the test boots. It's torn down when dropped, also by a panic;
//! `HOLDFAST_LAB_KEEP=1` leaves it for a look (`tests/lab/lab list`, `tests/lab/lab sweep`).
//!
//! The images must be there: `tests/run` or `tests/lab/lab prepare` builds them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a module of several test programs, each of which uses a part of it and starts processes"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

/// The operator's own addresses, from which Holdfast reaches the hosts.
pub const OPERATOR_V4: &str = "10.77.0.1";
pub const OPERATOR_V6: &str = "fd77::1";
/// Addresses inside Cloudflare's published ranges.
pub const EDGE_V4: &str = "173.245.48.5";
pub const EDGE2_V4: &str = "104.16.0.9";
pub const EDGE_V6: &str = "2606:4700::5";
/// Addresses that nobody allows anything.
pub const STRANGER_V4: &str = "203.0.113.7";
pub const STRANGER2_V4: &str = "192.0.2.66";
pub const STRANGER_V6: &str = "2001:db8:1::7";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Bullseye,
    Bookworm,
    Trixie,
}

impl Release {
    pub const ALL: [Self; 3] = [Self::Bullseye, Self::Bookworm, Self::Trixie];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// How far a host is set up when it boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// No ufw, fail2ban, unattended-upgrades, fish (so no user `fishy`) and no python3.
    Bare,
    /// The packages are installed, ufw is inactive.
    Full,
    /// As `Full`, and ufw is active with `22/tcp ALLOW Anywhere`.
    UfwActive,
}

#[derive(Clone, Debug)]
pub struct HostSpec {
    pub name: String,
    pub release: Release,
    pub setup: Setup,
    /// The last part of `10.77.0.N` and `fd77::N` (which is written in decimal too); `None` takes a free one.
    pub address: Option<u8>,
    /// systemd listens for sshd, as on Ubuntu 24.04. Not on bullseye.
    pub socket: bool,
}

impl HostSpec {
    /// A Debian 12 host with ufw active.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            release: Release::Bookworm,
            setup: Setup::UfwActive,
            address: None,
            socket: false,
        }
    }

    pub fn release(self, release: Release) -> Self {
        Self { release, ..self }
    }

    pub fn setup(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }

    pub fn socket(self) -> Self {
        Self {
            socket: true,
            ..self
        }
    }

    pub fn address(self, address: u8) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab"))
}

/// Runs a command that must succeed and returns what it wrote.
#[track_caller]
fn must(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        both(&output)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command wrote, for a message about it.
fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// How long a lab may live, far longer than the longest test: whatever hangs then ends with its lab.
const LAB_LIMIT: Duration = Duration::from_mins(30);

pub struct Lab {
    name: String,
    /// Everything of this lab: key, known hosts, client configuration, hosts.
    dir: PathBuf,
    /// Its end tells [`end_when_late`] that the lab is over.
    _alive: Sender<()>,
}

impl Lab {
    /// Makes the network of a lab. Any number of labs live side by side.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{name:.16}-{:x}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        must(script().args(["up", &name]));
        let config = must(script().args(["ssh-config", &name]));
        let dir = Path::new(config.trim_end())
            .parent()
            .expect("a directory")
            .to_owned();
        let (alive, over) = mpsc::channel();
        let watched = name.clone();
        thread::spawn(move || end_when_late(&watched, &over));
        Self {
            name,
            dir,
            _alive: alive,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab's own directory; tests may put their files there too.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    #[track_caller]
    pub fn boot(&self, spec: HostSpec) -> LabHost<'_> {
        let mut command = script();
        command.args([
            "boot",
            &self.name,
            &spec.name,
            "--release",
            spec.release.name(),
        ]);
        command.args(match spec.setup {
            Setup::Bare => &["--bare"][..],
            Setup::Full => &["--full"],
            Setup::UfwActive => &["--ufw", "active"],
        });
        if spec.socket {
            command.args(["--sshd", "socket"]);
        }
        if let Some(number) = spec.address {
            command.args(["--address", &number.to_string()]);
        }
        must(&mut command);
        let number = fs::read_to_string(self.dir.join("hosts").join(&spec.name).join("address"))
            .expect("an address");
        LabHost {
            lab: self,
            name: spec.name,
            release: spec.release,
            number: number.trim_end().parse().expect("0-255"),
        }
    }

    /// Boots hosts at the same time, which takes little longer than one.
    #[track_caller]
    pub fn boot_all(&self, specs: Vec<HostSpec>) -> Vec<LabHost<'_>> {
        thread::scope(|scope| {
            let boots: Vec<_> = specs
                .into_iter()
                .map(|spec| scope.spawn(|| self.boot(spec)))
                .collect();
            boots
                .into_iter()
                .map(|boot| boot.join().expect("the host boots"))
                .collect()
        })
    }

    /// A host per release, named after it.
    #[track_caller]
    pub fn boot_releases(&self, setup: Setup) -> Vec<LabHost<'_>> {
        self.boot_all(
            Release::ALL
                .map(|release| HostSpec::new(release.name()).release(release).setup(setup))
                .into(),
        )
    }

    /// A command that will run as the operator, in the lab's network. Arguments, environment and files
    /// can be set as on any command; whatever it leaves running ends with the lab.
    pub fn operator(&self, program: impl AsRef<OsStr>) -> Command {
        // What `lab run` does, without the time it needs: benchmarks run through here.
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            r#"while read -r group; do echo $$ >"$group"; done <"$1/operator-groups"
            network=$2; shift 2; exec /usr/bin/nsenter --net="$network" -- "$@""#,
            "sh",
        ]);
        command
            .arg(&self.dir)
            .arg(format!("/run/netns/hf-{}", self.name))
            .arg(program);
        command
    }

    /// An `ssh` to a host of this lab as a user, for tests that compare with it.
    pub fn ssh(&self, user: &str, host: &str) -> Command {
        let mut command = self.operator("ssh");
        command
            .arg("-F")
            .arg(self.ssh_config())
            .args(["-l", user, host]);
        command
    }

    /// An OpenSSH client configuration with every host of the lab by its name: key, known hosts, strict.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// The private key that every user of every host admits.
    pub fn key(&self) -> PathBuf {
        self.dir.join("key")
    }

    /// Makes the operator know another key of the host than the host has.
    #[track_caller]
    pub fn forge_known_host(&self, host: &str) {
        let key = self.dir.join(format!("forged-{host}"));
        must(
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&key),
        );
        let public = fs::read_to_string(key.with_extension("pub")).expect("a public key");
        let known = fs::read_to_string(self.known_hosts()).expect("known hosts");
        let forged = known.lines().filter_map(|line| match line.split_once(' ') {
            Some((names, key)) if names.split(',').any(|name| name == host) => key
                .starts_with("ssh-ed25519 ")
                .then(|| format!("{names} {public}")),
            _ => Some(format!("{line}\n")),
        });
        fs::write(self.known_hosts(), forged.collect::<String>()).expect("known hosts");
    }

    /// The server that plays Cloudflare's endpoints, at the operator's address.
    #[track_caller]
    pub fn web(&self) -> Web {
        Web::start(
            self.operator(Web::PYTHON),
            &self.dir.join("web"),
            OPERATOR_V4,
            &[],
        )
    }

    /// The same with a certificate that an authority nobody knows has signed.
    #[track_caller]
    pub fn web_of_unknown_authority(&self) -> Web {
        Web::start(
            self.operator(Web::PYTHON),
            &self.dir.join("web-unknown"),
            OPERATOR_V4,
            &["--unknown"],
        )
    }

    /// Drops what the operator's side sends to a TCP port of any host, as a provider's firewall does it;
    /// `None`: lets everything pass again.
    #[track_caller]
    pub fn middle_box(&self, drops: Option<u16>) {
        let mut command = script();
        command.args(["middlebox", &self.name]);
        match drops {
            Some(port) => command.args(["drop", &port.to_string()]),
            None => command.arg("pass"),
        };
        must(&mut command);
    }

    /// From now on every new TCP connection to a host from this address of the operator is noted.
    #[track_caller]
    pub fn watch_connections(&self, from: &str) {
        must(script().args(["connections", &self.name, "watch", from]));
    }

    /// Those noted: to which address and port, and how many seconds ago.
    #[track_caller]
    pub fn connections(&self) -> Vec<(String, u16, u64)> {
        let listing = must(script().args(["connections", &self.name, "list"]));
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let address = words.next()?.to_owned();
            Some((
                address,
                words.next()?.parse().ok()?,
                words.next()?.parse().ok()?,
            ))
        };
        listing
            .lines()
            .map(|line| parse(line).unwrap_or_else(|| panic!("connections: {line:?}")))
            .collect()
    }

    /// Starts to connect to targets, each every few milliseconds.
    #[track_caller]
    pub fn probe(&self, targets: &[Target]) -> Prober {
        self.start_prober(&[], targets)
    }

    /// The same with the first packet of each connection only: what listens is not bothered. IPv4 only.
    #[track_caller]
    pub fn knock(&self, targets: &[Target]) -> Prober {
        self.start_prober(&["--half-open", "--interval", "0.01"], targets)
    }

    #[track_caller]
    fn start_prober(&self, options: &[&str], targets: &[Target]) -> Prober {
        let mut command = self.operator(Web::PYTHON);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/prober.py"));
        command.args(options);
        command.args(
            targets
                .iter()
                .map(|target| format!("{},{},{}", target.source, target.address, target.port)),
        );
        let mut helper = Helper::start(&mut command);
        assert_eq!(helper.line(), "ready");
        Prober { helper }
    }
}

/// A test that waits for something that never comes would hold up all the others, and nobody would learn for
/// what it waits: after [`LAB_LIMIT`] that is printed and its lab ends, so what it waits for fails.
fn end_when_late(lab: &str, over: &Receiver<()>) {
    if over.recv_timeout(LAB_LIMIT) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let processes = Command::new("ps")
        .args(["axfww", "-o", "pid,stat,etimes,args"])
        .output();
    let processes = processes.map_or_else(|error| error.to_string(), |output| both(&output));
    eprintln!(
        "lab {lab} is still there after {LAB_LIMIT:?} and ends now; all that runs:\n{processes}"
    );
    let _ = script().args(["down", lab]).stdin(Stdio::null()).output();
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::env::var_os("HOLDFAST_LAB_KEEP").is_some() {
            eprintln!("lab {} is left in {}", self.name, self.dir.display());
            return;
        }
        // No panic here: there may be one on its way already.
        match script()
            .args(["down", &self.name])
            .stdin(Stdio::null())
            .output()
        {
            Ok(output) if output.status.success() => {}
            Ok(output) => eprintln!(
                "lab down {}: {}\n{}",
                self.name,
                output.status,
                both(&output)
            ),
            Err(error) => eprintln!("lab down {}: {error}", self.name),
        }
    }
}

/// A running host. It ends with its lab.
pub struct LabHost<'lab> {
    lab: &'lab Lab,
    pub name: String,
    pub release: Release,
    number: u8,
}

impl LabHost<'_> {
    pub fn v4(&self) -> String {
        format!("10.77.0.{}", self.number)
    }

    pub fn v6(&self) -> String {
        format!("fd77::{}", self.number)
    }

    fn verb(&self, verb: &str) -> Command {
        let mut command = script();
        command.args([verb, &self.lab.name, &self.name]);
        command
    }

    /// A command that will run as root in the host, past its network and sshd.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.verb("exec");
        command.arg("--").arg(program);
        command
    }

    #[track_caller]
    pub fn exec(&self, argv: &[&str]) -> Output {
        let mut command = self.command(argv[0]);
        command.args(&argv[1..]).stdin(Stdio::null());
        command
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Runs a shell script that must succeed, and returns its stdout.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        must(self.command("/bin/sh").args(["-euc", script]))
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> Vec<u8> {
        let output = self.exec(&["cat", "--", path]);
        assert!(output.status.success(), "{}: {}", self.name, both(&output));
        output.stdout
    }

    /// Writes a file of the host in place, with whatever owner and mode it has.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let mut command = self.command("/bin/sh");
        command
            .args(["-euc", r#"cat >"$1""#, "sh", path])
            .stdin(Stdio::piped());
        let mut child = command.spawn().expect("lab exec");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), content.as_ref())
            .expect("lab exec");
        assert!(
            child.wait().expect("lab exec").success(),
            "{}: writing {path}",
            self.name
        );
    }

    /// What is under a directory: names, types, modes, owners, times and contents.
    #[track_caller]
    pub fn snapshot(&self, directory: &str) -> Snapshot {
        Snapshot::parse(&self.sh(&format!("cd '{directory}'; {}", Snapshot::SCRIPT)))
    }

    /// The same of several directories, asked for at once.
    #[track_caller]
    pub fn snapshots(&self, directories: &[&str]) -> Vec<Snapshot> {
        const END: &str = "\n-- end of a directory --\n";
        let look =
            |directory: &&str| format!("cd '{directory}'; {}; printf '{END}'\n", Snapshot::SCRIPT);
        let script: String = directories.iter().map(look).collect();
        let listings = self.sh(&script);
        let found: Vec<Snapshot> = listings
            .split_terminator(END)
            .map(Snapshot::parse)
            .collect();
        assert_eq!(found.len(), directories.len(), "{}", self.name);
        found
    }

    #[track_caller]
    pub fn boot_id(&self) -> String {
        self.sh("cat /proc/sys/kernel/random/boot_id")
            .trim_end()
            .to_owned()
    }

    #[track_caller]
    pub fn reboot(&self) {
        must(&mut self.verb("reboot"));
    }

    /// The same as a power failure does it. (What was written before is there: the host's disk has no cache.)
    #[track_caller]
    pub fn reset(&self) {
        must(self.verb("reboot").arg("--hard"));
    }

    /// Waits for the end of a reboot that something in the host has asked for. `before`: the boot it ends.
    #[track_caller]
    pub fn wait_for_boot_after(&self, before: &str) {
        must(self.verb("wait").arg(before));
    }

    #[track_caller]
    pub fn halt(&self) {
        must(&mut self.verb("halt"));
    }

    /// Cuts its power.
    #[track_caller]
    pub fn kill(&self) {
        must(self.verb("halt").arg("--hard"));
    }
}

/// The state of a directory tree at one time.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    /// Prints the tree under the current directory.
    const SCRIPT: &str = r"
        find . -xdev -printf '%p\t%y mode %m owner %U:%G time %T@ %l\0'
        find . -xdev -type f -exec sha256sum -z -- {} + | sed -z 's/^\([^ ]*\) .\(.*\)$/\2\tsha256 \1/'";

    /// Of a directory of this machine.
    #[track_caller]
    pub fn local(directory: impl AsRef<Path>) -> Self {
        Self::parse(&must(
            Command::new("/bin/sh")
                .args(["-euc", Self::SCRIPT])
                .current_dir(directory),
        ))
    }

    fn parse(listing: &str) -> Self {
        let mut entries: BTreeMap<String, String> = BTreeMap::new();
        for entry in listing.split_terminator('\0') {
            let (path, facts) = entry.split_once('\t').expect("a path and facts");
            let all = entries.entry(path.to_owned()).or_default();
            if !all.is_empty() {
                all.push(' ');
            }
            all.push_str(facts);
        }
        assert!(entries.contains_key("."), "not a listing: {listing}");
        Self(entries)
    }

    /// What differs, a line each; empty when nothing does.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let gone = self
            .0
            .iter()
            .filter(|(path, _)| !later.0.contains_key(*path));
        let mut lines: Vec<_> = gone
            .map(|(path, facts)| format!("- {path}: {facts}"))
            .collect();
        for (path, facts) in &later.0 {
            match self.0.get(path) {
                None => lines.push(format!("+ {path}: {facts}")),
                Some(before) if before != facts => {
                    lines.push(format!("~ {path}: {before} -> {facts}"));
                }
                Some(_) => {}
            }
        }
        lines
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// A process that ends when its stdin does, so at the latest with the test.
struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Helper {
    #[track_caller]
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            stdin: child.stdin.take(),
            stdout,
            child,
        }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Ends it and returns the rest of what it says.
    fn finish(&mut self) -> String {
        self.stdin = None;
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        self.child.wait().expect("an end");
        rest
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stdin = None;
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A server that plays Cloudflare's two publications; `tests/lab/web.py` tells which modes it has.
pub struct Web {
    helper: Helper,
    dir: PathBuf,
    authority: String,
}

impl Web {
    /// Debian's own, whatever else is in the PATH.
    const PYTHON: &str = "/usr/bin/python3";

    /// A server on this machine's loopback, for tests without a lab. `dir` is for its files.
    #[track_caller]
    pub fn local(dir: &Path) -> Self {
        Self::start(Command::new(Self::PYTHON), dir, "127.0.0.1", &[])
    }

    /// The same, and it never says a word, not even TLS.
    #[track_caller]
    pub fn local_mute(dir: &Path) -> Self {
        Self::start(Command::new(Self::PYTHON), dir, "127.0.0.1", &["--mute"])
    }

    /// The same with a certificate that an authority nobody knows has signed.
    #[track_caller]
    pub fn local_of_unknown_authority(dir: &Path) -> Self {
        Self::start(Command::new(Self::PYTHON), dir, "127.0.0.1", &["--unknown"])
    }

    #[track_caller]
    fn start(mut python: Command, dir: &Path, address: &str, options: &[&str]) -> Self {
        must(script().arg("authority").arg(dir));
        let mut pair = "server";
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/web.py"));
        for option in options {
            match *option {
                "--unknown" => pair = "unknown",
                other => _ = python.arg(other),
            }
        }
        python.arg("--cert").arg(dir.join(format!("{pair}.pem")));
        python.arg("--key").arg(dir.join(format!("{pair}.key")));
        python
            .arg("--live")
            .arg(dir.join("live"))
            .arg("--log")
            .arg(dir.join("log"));
        fs::write(dir.join("log"), "").expect("a log");
        let mut helper = Helper::start(python.args(["--bind", address]));
        let port: u16 = helper.line().parse().expect("a port");
        Self {
            helper,
            dir: dir.to_owned(),
            authority: format!("{address}:{port}"),
        }
    }

    /// The URL under which the server behaves as `mode` says; `client/v4/ips`, `ips-v4` and `ips-v6` follow.
    pub fn base(&self, mode: &str) -> String {
        format!("https://{}/{mode}", self.authority)
    }

    pub fn api(&self, mode: &str) -> String {
        format!("{}/client/v4/ips", self.base(mode))
    }

    pub fn text_v4(&self, mode: &str) -> String {
        format!("{}/ips-v4", self.base(mode))
    }

    pub fn text_v6(&self, mode: &str) -> String {
        format!("{}/ips-v6", self.base(mode))
    }

    /// The certificate of the authority that signed the server's (but for the one of an unknown authority).
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// What the mode `live` publishes from now on.
    pub fn set_live<'a>(&self, ranges: impl IntoIterator<Item = &'a str>) {
        let text = ranges.into_iter().collect::<Vec<_>>().join("\n");
        // Renamed into place: a request may come at any time.
        fs::write(self.dir.join("live.new"), text).expect("the list");
        fs::rename(self.dir.join("live.new"), self.dir.join("live")).expect("the list");
    }

    /// The requests that came so far, a line each.
    pub fn requests(&self) -> Vec<String> {
        fs::read_to_string(self.dir.join("log"))
            .expect("a log")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub fn pid(&self) -> u32 {
        self.helper.child.id()
    }
}

/// From where, and to what, a [`Prober`] connects.
#[derive(Clone, Debug)]
pub struct Target {
    pub source: IpAddr,
    pub address: IpAddr,
    pub port: u16,
}

impl Target {
    /// To the host's address of the source's family.
    pub fn new(source: &str, host: &LabHost<'_>, port: u16) -> Self {
        let source: IpAddr = source.parse().expect("an address");
        let address = if source.is_ipv4() {
            host.v4()
        } else {
            host.v6()
        };
        Self {
            source,
            address: address.parse().expect("an address"),
            port,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Open,
    Refused,
    /// No answer for 300 ms.
    Timeout,
    /// Another error, by its name in C.
    Error(String),
}

#[derive(Clone, Debug)]
pub struct Attempt {
    /// Which of the targets, by its place among them.
    pub target: usize,
    pub started: SystemTime,
    pub took: Duration,
    pub outcome: Outcome,
}

/// Connects to every target every few milliseconds, from [`Lab::probe`] until [`Prober::stop`].
pub struct Prober {
    helper: Helper,
}

impl Prober {
    /// All the attempts, in the order of their starts.
    #[track_caller]
    pub fn stop(mut self) -> Attempts {
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let mut number = || words.next()?.parse::<u64>().ok();
            Some(Attempt {
                target: usize::try_from(number()?).ok()?,
                started: SystemTime::UNIX_EPOCH + Duration::from_nanos(number()?),
                took: Duration::from_nanos(number()?),
                outcome: match words.next()? {
                    "open" => Outcome::Open,
                    "refused" => Outcome::Refused,
                    "timeout" => Outcome::Timeout,
                    other => Outcome::Error(other.to_owned()),
                },
            })
        };
        let report = self.helper.finish();
        Attempts(
            report
                .lines()
                .map(|line| parse(line).unwrap_or_else(|| panic!("prober: {line:?}")))
                .collect(),
        )
    }
}

#[derive(Clone, Debug)]
pub struct Attempts(pub Vec<Attempt>);

impl Attempts {
    pub fn of(&self, target: usize) -> impl Iterator<Item = &Attempt> {
        self.0
            .iter()
            .filter(move |attempt| attempt.target == target)
    }

    pub fn count(&self, target: usize, outcome: &Outcome) -> usize {
        self.of(target)
            .filter(|attempt| attempt.outcome == *outcome)
            .count()
    }

    /// The attempts at a target that ended otherwise than they all should have.
    pub fn other_than(&self, target: usize, outcome: &Outcome) -> Vec<&Attempt> {
        self.of(target)
            .filter(|attempt| attempt.outcome != *outcome)
            .collect()
    }

    /// The longest time in which no attempt was begun: a shorter hole may have been missed.
    pub fn longest_pause(&self, target: usize) -> Duration {
        let starts: Vec<_> = self.of(target).map(|attempt| attempt.started).collect();
        starts
            .windows(2)
            .filter_map(|pair| pair[1].duration_since(pair[0]).ok())
            .max()
            .unwrap_or_default()
    }
}
