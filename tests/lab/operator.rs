//! The operator of a lab: a home and a project of their own, the lab's web server, and the program run
//! in the lab's network with nothing of this machine's environment.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use holdfast::change::{Shown, Verdict};
use holdfast::event::{Event, EventKind, Fault, HostResult, StepResult};
use holdfast::journal::{Integrity, Recording};
use holdfast::plan::{HostPlan, StepPlan};

use crate::support::lab::{Lab, LabHost, Snapshot, Web};

/// The longest that any run of a test may take; far more than each needs.
const PATIENCE: Duration = Duration::from_mins(4);

/// Somebody with the program, hosts and runbooks.
pub struct Operator<'lab> {
    lab: &'lab Lab,
    root: PathBuf,
    variables: RefCell<Vec<(String, String)>>,
}

impl<'lab> Operator<'lab> {
    /// Somebody with an empty home and a project whose hosts are these, reached as root.
    #[track_caller]
    pub fn new(lab: &'lab Lab, name: &str, hosts: &[LabHost<'_>]) -> Self {
        let root = lab.dir().join("operators").join(name);
        for folder in ["home", "project/runbooks"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let operator = Self {
            lab,
            root,
            variables: RefCell::default(),
        };
        let mut inventory = String::from("hosts:\n");
        for host in hosts {
            let _ = writeln!(inventory, "  {}: {{}}", host.name);
        }
        operator.inventory(&inventory);
        operator
    }

    /// Replaces the inventory.
    pub fn inventory(&self, yaml: &str) {
        fs::write(self.project().join("inventory.yaml"), yaml).expect("an inventory");
    }

    /// Adds a runbook.
    pub fn runbook(&self, name: &str, yaml: &str) {
        let path = self.project().join("runbooks").join(format!("{name}.yaml"));
        fs::write(path, yaml).expect("a runbook");
    }

    /// From now on with this environment variable.
    pub fn variable(&self, name: &str, value: &str) {
        let pair = (name.to_owned(), value.to_owned());
        self.variables.borrow_mut().push(pair);
    }

    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    fn runs(&self) -> BTreeSet<PathBuf> {
        let folder = self.home().join(".local/state/holdfast/runs");
        let entries = fs::read_dir(folder).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("a run").path());
        paths.filter(|path| path.is_dir()).collect()
    }

    /// The program with these words, ready to start.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.lab.operator(env!("CARGO_BIN_EXE_holdfast"));
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("HOLDFAST_INVENTORY", "inventory.yaml")
            .env("HOLDFAST_SSH_CONFIG", self.lab.ssh_config())
            .envs(self.variables.borrow().iter().cloned())
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// Starts the program with these words.
    #[track_caller]
    pub fn start(&self, words: &[&str]) -> Running<'_> {
        let before = self.runs();
        let output = tempfile::tempdir_in(&self.root).expect("a folder");
        let file = |name: &str| File::create(output.path().join(name)).expect("a file");
        let child = self
            .command(words)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .expect("the program starts");
        Running {
            operator: self,
            words: words.join(" "),
            before,
            output,
            child,
        }
    }

    /// Runs the program with these words to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Told {
        self.start(words).wait()
    }

    /// `ufw-cf-refresh` with the list that the server publishes in this mode.
    #[track_caller]
    pub fn refresh(&self, web: &Web, mode: &str, flags: &[&str]) -> Told {
        self.start_refresh(web, mode, flags).wait()
    }

    /// The same, started.
    #[track_caller]
    pub fn start_refresh(&self, web: &Web, mode: &str, flags: &[&str]) -> Running<'_> {
        let inputs = list_inputs(web, mode);
        let mut words = vec!["run", "ufw-cf-refresh"];
        words.extend(inputs.iter().flat_map(|input| ["-e", input.as_str()]));
        words.extend(flags);
        self.start(&words)
    }
}

/// The inputs of `ufw-cf-refresh` that make a server of the lab the source of its list.
pub fn list_inputs(web: &Web, mode: &str) -> [String; 4] {
    [
        format!("api_url={}", web.api(mode)),
        format!("text_v4_url={}", web.text_v4(mode)),
        format!("text_v6_url={}", web.text_v6(mode)),
        format!("ca_file={}", web.ca().display()),
    ]
}

/// The program under way.
pub struct Running<'a> {
    operator: &'a Operator<'a>,
    words: String,
    before: BTreeSet<PathBuf>,
    output: tempfile::TempDir,
    child: Child,
}

impl Running<'_> {
    /// The process of the program itself: what was started for it was replaced by it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its run's id, once there is one.
    pub fn id(&self) -> Option<String> {
        let folder = self.journal()?;
        let name = folder.parent()?.file_name()?;
        Some(name.to_str()?.to_owned())
    }

    /// Ends it without a chance to say or tidy anything.
    #[track_caller]
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits until its journal holds an event like this.
    #[track_caller]
    pub fn wait_for(&self, what: &str, matches: impl Fn(&EventKind) -> bool) {
        within(PATIENCE, &format!("{what} of `{}`", self.words), || {
            let record = self.record();
            record.is_some_and(|record| record.events.iter().any(|event| matches(&event.kind)))
        });
    }

    /// Waits until its journal holds so many events of a kind; `false` when it ends before.
    #[track_caller]
    pub fn reaches(&mut self, number: usize, counts: impl Fn(&EventKind) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            // Looked at in this order: what it wrote last is there when it has ended.
            let ended = self.child.try_wait().expect("a child").is_some();
            let journal = self.journal().and_then(|path| path.metadata().ok());
            let length = journal.map_or(0, |journal| journal.len());
            if length != seen {
                seen = length;
                let events = self.record().map(|record| record.events);
                let events = events.unwrap_or_default();
                if events.iter().filter(|event| counts(&event.kind)).count() >= number {
                    return true;
                }
            }
            if ended {
                return false;
            }
            assert!(Instant::now() < end, "`{}` does not go on", self.words);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a step has begun on its host.
    #[track_caller]
    pub fn wait_for_step(&self, step: usize) {
        self.wait_for(
            "the step's start",
            |kind| matches!(kind, EventKind::StepStarted { number, .. } if number.0 == step),
        );
    }

    /// What it told so far.
    pub fn events(&self) -> Vec<Event> {
        self.record()
            .map(|record| record.events)
            .unwrap_or_default()
    }

    fn record(&self) -> Option<Recording> {
        Recording::load(&self.journal()?).ok()
    }

    fn journal(&self) -> Option<PathBuf> {
        let now = self.operator.runs();
        let mut new = now.difference(&self.before);
        let folder = new.next()?;
        assert!(new.next().is_none(), "`{}` left two journals", self.words);
        Some(folder.join("events.jsonl"))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Told {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
                None => {
                    self.child.kill().expect("it runs");
                    panic!("`{}` does not end\n{}", self.words, self.read("stderr"));
                }
            }
        };
        let record = self.record();
        Told {
            words: self.words.clone(),
            status: code(status),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
            integrity: record.as_ref().map(|record| record.integrity.clone()),
            events: record.map(|record| record.events).unwrap_or_default(),
        }
    }

    fn read(&self, stream: &str) -> String {
        let bytes = fs::read(self.output.path().join(stream)).expect("what it said");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// What a run said and recorded.
#[derive(Debug)]
pub struct Told {
    pub words: String,
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    pub events: Vec<Event>,
    /// Of the journal; `None` when there is none.
    pub integrity: Option<Integrity>,
}

impl Told {
    /// Everything that was said.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Asserts the exit code, and that the record of the run is whole.
    #[track_caller]
    pub fn exits(&self, status: i32) -> &Self {
        let (words, all) = (&self.words, self.all());
        // The end comes first, too: whoever shortens a long report keeps its beginning.
        let lines: Vec<&str> = all.lines().collect();
        let end = lines[lines.len().saturating_sub(25)..].join("\n");
        let got = self.status;
        assert_eq!(
            got, status,
            "exit code {got} of `{words}`, which ends:\n{end}\n\nand in full:\n{all}"
        );
        let whole = self.integrity == Some(Integrity::Complete);
        assert!(whole, "journal of `{words}`: {:?}\n{all}", self.integrity);
        self
    }

    /// Asserts that a text is somewhere in the output.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let all = self.all();
        assert!(
            all.contains(text),
            "`{}` does not say: {text}\n{all}",
            self.words
        );
        self
    }

    /// Asserts that a text is nowhere in the output.
    #[track_caller]
    pub fn never_says(&self, text: &str) -> &Self {
        let all = self.all();
        assert!(!all.contains(text), "`{}` says: {text}\n{all}", self.words);
        self
    }

    /// Asserts that nothing at all was said.
    #[track_caller]
    pub fn says_nothing(&self) -> &Self {
        assert_eq!(self.all(), "", "`{}` is not silent", self.words);
        self
    }

    /// The run's id.
    #[track_caller]
    pub fn id(&self) -> String {
        let first = self.events.first().map(|event| &event.kind);
        match first {
            Some(EventKind::RunStarted { run, .. }) => run.clone(),
            other => panic!("no run: {other:?}\n{}", self.all()),
        }
    }

    /// How a host ended.
    #[track_caller]
    pub fn result(&self, host: &str) -> &HostResult {
        let found = self.events.iter().find_map(|event| match &event.kind {
            EventKind::HostFinished { host: name, result } if name == host => Some(result),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no end of {host}\n{}", self.all()))
    }

    /// Asserts that a host ended with so many changes made.
    #[track_caller]
    pub fn changed(&self, host: &str, changes: usize) -> &Self {
        let result = self.result(host);
        let expected = HostResult::Changed { changes };
        assert_eq!(*result, expected, "{host}\n{}", self.all());
        self
    }

    /// Asserts that nothing had to be done on a host.
    #[track_caller]
    pub fn nothing_to_do(&self, host: &str) -> &Self {
        let result = self.result(host);
        assert_eq!(*result, HostResult::NothingToDo, "{host}\n{}", self.all());
        self
    }

    /// Asserts that a host was stopped by a fault of this class, and returns its message.
    #[track_caller]
    pub fn stopped(&self, host: &str, class: Fault) -> &str {
        match self.result(host) {
            HostResult::Stopped { fault, message, .. } if *fault == class => message,
            other => panic!("{host} ended otherwise: {other:?}\n{}", self.all()),
        }
    }

    /// The plan of a host.
    #[track_caller]
    pub fn plan(&self, host: &str) -> &HostPlan {
        let found = self.events.iter().find_map(|event| match &event.kind {
            EventKind::HostPlanned { plan } if plan.host == host => Some(plan),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no plan of {host}\n{}", self.all()))
    }

    /// The step of a host's plan with this number.
    #[track_caller]
    pub fn step(&self, host: &str, number: usize) -> &StepPlan {
        let plan = self.plan(host);
        let found = plan.steps.iter().find(|step| step.number.0 == number);
        found.unwrap_or_else(|| panic!("no step {number} in {plan:?}"))
    }

    /// The firewall rules that go and those that come by a host's plan, in that order.
    #[track_caller]
    pub fn rules(&self, host: &str) -> (Vec<String>, Vec<String>) {
        self.lines(host, "firewall rules")
    }

    /// The members of a set that go and those that come by a host's plan, in that order.
    #[track_caller]
    pub fn lines(&self, host: &str, set: &str) -> (Vec<String>, Vec<String>) {
        let steps = self.plan(host).steps.iter();
        let changes = steps.flat_map(|step| step.verdict().map_or(&[][..], Verdict::changes));
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for shown in changes.flat_map(|change| &change.shown) {
            if let Shown::Lines {
                what,
                removed,
                added,
            } = shown
                && what == set
            {
                gone.extend(removed.clone());
                come.extend(added.clone());
            }
        }
        (gone, come)
    }

    /// What a step had to tell while it went on.
    pub fn progress(&self, host: &str) -> Vec<&str> {
        let texts = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::StepProgress {
                host: name, text, ..
            } if name == host => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The steps that ended with changes on a host, each time they did.
    pub fn done(&self, host: &str) -> Vec<usize> {
        let steps = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::StepFinished {
                host: name,
                number,
                result: StepResult::Done { .. },
                ..
            } if name == host => Some(number.0),
            _ => None,
        });
        steps.collect()
    }
}

/// Waits until something holds.
#[track_caller]
pub fn within(limit: Duration, what: &str, holds: impl FnMut() -> bool) {
    looking_every(Duration::from_millis(20), limit, what, holds);
}

/// Waits until something holds that is costly to look at.
#[track_caller]
pub fn looking_every(
    pause: Duration,
    limit: Duration,
    what: &str,
    mut holds: impl FnMut() -> bool,
) {
    let end = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(pause);
    }
}

/// Where a host keeps what lasts, and where somebody may leave something lying.
const PLACES: [&str; 8] = [
    "/etc",
    "/var",
    "/root",
    "/home",
    "/usr/local",
    "/run",
    "/tmp",
    "/dev/shm",
];

/// What changes at every login, at every sudo or by itself. `/run` is the folder alone: the message of the day is put
/// there by a rename.
const VOLATILE: [&str; 8] = [
    "/run/.",
    "/run/motd.dynamic",
    "/run/sudo",
    "/run/sudo/",
    "/run/log/",
    "/run/systemd/journal/",
    "/var/log/",
    "/var/lib/fail2ban/fail2ban.sqlite3",
];

/// All that a run could leave behind on a host: names, contents, modes, owners and times.
pub struct Footprint(Vec<(&'static str, Snapshot)>);

impl Footprint {
    #[track_caller]
    pub fn of(host: &LabHost<'_>) -> Self {
        let found = host.snapshots(&PLACES);
        Self(PLACES.into_iter().zip(found).collect())
    }

    /// What differs, a line each: the path and how.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for ((place, before), (_, after)) in self.0.iter().zip(&later.0) {
            for line in before.differences(after) {
                let (sign, rest) = line.split_at(2);
                let path = format!("{place}/{}", rest.trim_start_matches("./"));
                if !VOLATILE.iter().any(|volatile| is_at(&path, volatile)) {
                    lines.push(format!("{sign}{path}"));
                }
            }
        }
        lines
    }

    /// Asserts that nothing is different now.
    #[track_caller]
    pub fn is_that_of(&self, host: &LabHost<'_>) {
        let differences = self.differences(&Self::of(host));
        assert!(
            differences.is_empty(),
            "{} was touched:\n{}",
            host.name,
            differences.join("\n")
        );
    }

    /// The paths that are not as before: appeared, gone or different.
    #[track_caller]
    pub fn touched(&self, host: &LabHost<'_>) -> Vec<String> {
        let lines = self.differences(&Self::of(host));
        let path = |line: &String| line[2..].split(": ").next().expect("a path").to_owned();
        lines.iter().map(path).collect()
    }
}

/// Whether a path with what follows it is this file, or below this folder.
fn is_at(line: &str, place: &str) -> bool {
    match line.strip_prefix(place) {
        Some(rest) => place.ends_with('/') || rest.starts_with(": "),
        None => false,
    }
}

/// The tag of our rules in `ufw-cf-refresh`, as ufw writes comments.
pub fn our_comment() -> String {
    let digits = "holdfast:ufw-cf-refresh:cf"
        .bytes()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    format!("comment={digits}")
}

/// A file of ufw's rules taken apart: ours, and all the other bytes in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The tuples of ours.
    pub ours: Vec<String>,
    /// The file without the blocks of ours.
    pub others: Vec<u8>,
}

impl Rules {
    #[track_caller]
    pub fn of(host: &LabHost<'_>, file: &str) -> Self {
        Self::parse(&host.read(&format!("/etc/ufw/{file}")))
    }

    /// A block is an empty line, the tuple, and the rules for iptables up to the next empty line.
    pub fn parse(bytes: &[u8]) -> Self {
        let comment = our_comment();
        let (mut ours, mut others, mut within) = (Vec::new(), Vec::<u8>::new(), false);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line);
            if text.starts_with("### tuple ###") && text.trim_end().ends_with(&comment) {
                assert_eq!(others.pop(), Some(b'\n'), "no empty line before {text}");
                ours.push(text.trim_end().to_owned());
                within = true;
            } else if !(within && line.starts_with(b"-A ")) {
                within = false;
                others.extend_from_slice(line);
            }
        }
        Self { ours, others }
    }

    /// The networks of ours.
    pub fn sources(&self) -> BTreeSet<String> {
        let source = |tuple: &String| tuple.split(' ').nth(8).expect("a source").to_owned();
        self.ours.iter().map(source).collect()
    }
}

/// The filter rules in the kernel, without counters and comments.
#[track_caller]
pub fn kernel(host: &LabHost<'_>) -> String {
    host.sh(
        "{ iptables-save -t filter; ip6tables-save -t filter; } | sed -e '/^#/d' -e 's/ \\[[0-9:]*\\]$//'",
    )
}
