//! Fetching and judging external data, against a TLS server of our own that is well-behaved or not.
//!
//! The entry is the one that ships in `runbooks/ufw-cf-refresh.yaml`; the server is
//! `tests/lab/web.py`, with a certificate that `openssl` makes at the start.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use holdfast::data::{Data, DataError, LoadOptions, Origin, Spec, check_url, load};
use holdfast::diagnostic::{Diagnostics, Source};
use holdfast::template::{Scope, Templates};
use holdfast::yaml;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An authority, a certificate of it, and the server that shows it.
struct Server {
    folder: TempDir,
    port: u16,
    // Its standard input is a pipe of ours: the server ends when it closes, at the latest with us.
    _process: Child,
}

static SERVER: LazyLock<Server> =
    LazyLock::new(|| Server::start("IP:127.0.0.1,DNS:localhost", &[]));

impl Server {
    fn start(names: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path(), names);
        let mut process = command("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/web.py"))
            .args(["--cert", "server.pem", "--key", "server.key"])
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            folder,
            port: line.trim().parse().unwrap(),
            _process: process,
        }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.port)
    }
}

fn command(program: &str) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start what they test against"
    )]
    Command::new(program)
}

/// An authority of our own and a certificate by it for `names`.
fn certificates(folder: &Path, names: &str) {
    let script = "
        set -eu
        openssl ecparam -name prime256v1 -genkey -noout -out authority.key
        openssl req -new -x509 -key authority.key -sha256 -days 2 -subj \"/CN=authority $$\" -out authority.pem
        openssl ecparam -name prime256v1 -genkey -noout -out server.key
        openssl req -new -key server.key -subj /CN=server -out server.csr
        printf 'subjectAltName=%s\\n' \"$1\" > extensions
        openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
            -days 2 -sha256 -extfile extensions -out server.pem
    ";
    let output = command("/bin/sh")
        .args(["-c", script, "sh", names])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Cloudflare's entry as it ships, with an impatient time limit.
fn spec() -> Spec {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/ufw-cf-refresh.yaml");
    let text = fs::read_to_string(path).unwrap();
    let text = text.replacen("    canary: 60%\n", "    canary: 60%\n    timeout: 2s\n", 1);
    let node = yaml::parse(&Source::new(path, text)).unwrap();
    let (key, value) = &node.get("data").unwrap().entries()[0];
    let mut out = Diagnostics::new();
    Spec::from_node(key, value, &mut out).unwrap_or_else(|| panic!("{out}"))
}

/// One attempt to load, with what may differ.
struct Attempt {
    inputs: Value,
    options: LoadOptions,
    _store: Option<TempDir>,
}

impl Attempt {
    /// All three addresses in one mode of the server.
    fn at(mode: &str) -> Self {
        Self::at_addresses(
            &SERVER.url(&format!("{mode}/client/v4/ips")),
            &SERVER.url(&format!("{mode}/ips-v4")),
            &SERVER.url(&format!("{mode}/ips-v6")),
        )
    }

    /// Only the API, so that its reason is the one that is told.
    fn at_api(mode: &str) -> Self {
        Self::at_addresses(&SERVER.url(&format!("{mode}/client/v4/ips")), "", "")
    }

    /// A good API, and texts in another mode.
    fn at_texts(mode: &str) -> Self {
        let good = SERVER.url("good/client/v4/ips");
        Self::at_addresses(
            &good,
            &SERVER.url(&format!("{mode}/ips-v4")),
            &SERVER.url(&format!("{mode}/ips-v6")),
        )
    }

    fn at_addresses(api: &str, v4: &str, v6: &str) -> Self {
        let store = tempfile::tempdir().unwrap();
        Self {
            inputs: json!({
                "api_url": api, "text_v4_url": v4, "text_v6_url": v6, "ca_file": SERVER.authority(),
            }),
            options: LoadOptions {
                store: store.path().join("data/ufw-cf-refresh"),
                unattended: true,
                accept_change: None,
                now: "2026-12-01T12:00:00Z".parse().unwrap(),
            },
            _store: Some(store),
        }
    }

    fn attended(mut self) -> Self {
        self.options.unattended = false;
        self
    }

    fn accepting(mut self) -> Self {
        self.options.accept_change = Some("anna@desk".to_owned());
        self
    }

    fn now(mut self, now: &str) -> Self {
        self.options.now = now.parse().unwrap();
        self
    }

    fn trusting(mut self, ca_file: &str) -> Self {
        self.inputs["ca_file"] = json!(ca_file);
        self
    }

    /// With the last good copies of an earlier attempt.
    fn after(mut self, earlier: &Attempt) -> Self {
        self.options.store.clone_from(&earlier.options.store);
        self
    }

    fn load(&self) -> Result<Data, DataError> {
        let scope = Scope::new(&json!({ "inputs": self.inputs }), Templates::default());
        load(&spec(), &scope, &self.options)
    }

    fn good(&self) -> Data {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The reason and the hint, without the changing port.
    fn refused(&self) -> (String, String) {
        match self.load() {
            Err(DataError::Refused {
                why, hint, origin, ..
            }) => {
                assert!(origin.starts_with("fetched from https://"), "{origin}");
                let port = format!(":{}", SERVER.port);
                (why.replace(&port, ""), hint.unwrap_or_default())
            }
            Err(DataError::Spec(diagnostics)) => panic!("{diagnostics}"),
            Ok(data) => panic!("accepted: {data:?}"),
        }
    }
}

fn notes(data: &Data) -> Vec<String> {
    let note = |note: &holdfast::change::Note| {
        format!(
            "{}: {}",
            if note.warning { "warning" } else { "note" },
            note.text
        )
    };
    data.notes.iter().map(note).collect()
}

#[test]
fn the_good_list_is_fetched_checked_twice_and_not_worth_a_word() {
    let data = Attempt::at("good").good();
    assert_eq!(data.entries, 22);
    assert_eq!(data.value["ipv4"].as_array().unwrap().len(), 15);
    assert_eq!(data.value["ipv6"][0], "2400:cb00::/32");
    assert_eq!(
        data.origin,
        Origin::Fetched {
            url: SERVER.url("good/client/v4/ips")
        }
    );
    assert_eq!(notes(&data), [] as [&str; 0]);
}

#[test]
fn harmless_differences_are_accepted() {
    for mode in ["extra", "newline", "crlf", "samehost"] {
        assert_eq!(Attempt::at(mode).good().entries, 22, "{mode}");
    }
    assert_eq!(Attempt::at_api("good").good().entries, 22);
}

/// Every poisoned list is refused for exactly what is wrong with it.
#[test]
fn poisoned_answers_of_the_api_are_refused_with_the_precise_reason() {
    let built_in = "since the built-in list of 2026-11-20, which a run does not accept by itself";
    for (mode, expected) in [
        ("alien", "only 0 of the 15 networks in the built-in list of 2026-11-20 are in `ipv4`; 60 % are expected".to_owned()),
        ("badjson", "the answer is not JSON: trailing comma at line 1 column 538".to_owned()),
        ("big", "the answer is longer than 65536 bytes".to_owned()),
        ("big-announced", "the answer has 5000537 bytes; at most 65536 are expected".to_owned()),
        ("contained", "104.16.128.0/20 in `ipv4` is contained in 104.16.0.0/13".to_owned()),
        ("cut", "the answer is not JSON: EOF while parsing a string at line 1 column 360".to_owned()),
        ("documentation", "`203.0.113.0/24` in `ipv4` reaches into 203.0.113.0/24 (documentation)".to_owned()),
        ("downgrade", "it redirects to the unprotected address `http://127.0.0.1/good/client/v4/ips`".to_owned()),
        ("duplicates", "103.31.4.0/22 stands twice in `ipv4`".to_owned()),
        ("elsewhere", "it redirects to another host: `https://localhost/good/client/v4/ips`".to_owned()),
        ("empty", "the answer is not JSON: EOF while parsing a value at line 1 column 0".to_owned()),
        ("emptylist", "`ipv4` has 0 entries; 10 to 40 are expected".to_owned()),
        ("errors", "/errors is `[{\"code\":7003,\"message\":\"Could not route\"}]`, not []".to_owned()),
        ("failed", "/success is `false`, not true".to_owned()),
        (
            "glued",
            "`131.0.72.0/222400:cb00::/32` in `ipv4` is refused: not a network such as 192.0.2.0/24 or 2001:db8::/32".to_owned(),
        ),
        ("grown", format!("34.3 % more addresses of `ipv4` are added (30 % is allowed) {built_in} (`ipv4`: added 80.0.0.0/14, 84.0.0.0/14)")),
        ("halved", "`ipv4` has 8 entries; 10 to 40 are expected".to_owned()),
        ("hostbits", "`173.245.48.1/20` in `ipv4` is refused: host bits are set; the network is 173.245.48.0/20".to_owned()),
        ("html", "the answer is of the type `text/html; charset=UTF-8`, not application/json".to_owned()),
        ("loop", "more than 3 redirects".to_owned()),
        ("nokey", "/result/ipv6_cidrs is missing in the answer".to_owned()),
        ("noprefix", "`131.0.72.0` in `ipv4` has no prefix length".to_owned()),
        ("nosuchmode", "it answers 404 Not Found".to_owned()),
        ("private", "`10.0.0.0/8` in `ipv4` reaches into 10.0.0.0/8 (private addresses)".to_owned()),
        ("shrunk", format!("34.3 % of the addresses of `ipv4` are lost (20 % is allowed) {built_in} (`ipv4`: removed 104.16.0.0/13)")),
        ("status403", "it answers 403 Forbidden".to_owned()),
        ("status429", "it answers 429 Too Many Requests".to_owned()),
        ("status500", "it answers 500 Internal Server Error".to_owned()),
        ("truncated", "the answer ends too early".to_owned()),
        ("uppercase", "`2400:CB00::/32` in `ipv6` is refused: not in canonical form; write 2400:cb00::/32".to_owned()),
        ("wrong-family", "`2001:67c::/32` in `ipv4` is IPv6, but the list is of IPv4 networks".to_owned()),
        ("wrong-type", "the answer is of the type `text/html; charset=UTF-8`, not application/json".to_owned()),
        ("zero", "`0.0.0.0/0` in `ipv4` has the prefix length 0; 11 to 24 are expected".to_owned()),
        ("zero6", "`::/0` in `ipv6` has the prefix length 0; 24 to 48 are expected".to_owned()),
    ] {
        assert_eq!(Attempt::at_api(mode).refused().0, expected, "{mode}");
    }
}

#[test]
fn poisoned_texts_are_refused_even_when_the_api_is_good() {
    for (mode, expected) in [
        (
            "badline",
            "`# end of list` in `ipv4` is refused: not a network such as 192.0.2.0/24 or 2001:db8::/32",
        ),
        (
            "cut",
            "`198.41.128.` in `ipv4` is refused: not a network such as 192.0.2.0/24 or 2001:db8::/32",
        ),
        ("empty", "`ipv4` has 0 entries; 10 to 40 are expected"),
        (
            "glued",
            "`131.0.72.0/222400:cb00::/32` in `ipv4` is refused: not a network such as 192.0.2.0/24 or 2001:db8::/32; 6 more entries are wrong",
        ),
        (
            "html",
            "the answer is of the type `text/html; charset=UTF-8`, not text/plain",
        ),
        ("status500", "it answers 500 Internal Server Error"),
    ] {
        assert_eq!(Attempt::at_texts(mode).refused().0, expected, "{mode}");
    }
}

#[test]
fn sources_that_disagree_are_refused_with_what_differs() {
    let (why, hint) = Attempt::at("disagree").refused();
    assert_eq!(
        why,
        "its `ipv4` is not that of https://127.0.0.1/disagree/client/v4/ips; \
         only there: 131.0.72.0/22; only here: 199.27.128.0/21"
    );
    assert!(hint.contains("try again later"), "{hint}");
}

#[test]
fn servers_that_say_nothing_or_little_cost_no_more_than_the_time_limit() {
    let mute = Server::start("IP:127.0.0.1", &["--mute"]);
    let attempts = [
        ("hang", Attempt::at("hang")),
        ("drip", Attempt::at("drip")),
        ("mute", Attempt::at_addresses(&mute.url("x"), "", "")),
    ];
    for (what, attempt) in attempts {
        let start = Instant::now();
        let why = attempt.attended().refused().0;
        assert_eq!(
            why, "it takes the connection, but has not answered completely after 2 s",
            "{what}"
        );
        let took = start.elapsed();
        assert!(
            (Duration::from_millis(1900)..Duration::from_secs(10)).contains(&took),
            "{what}: {took:?}"
        );
    }
}

#[test]
fn certificates_of_others_are_refused() {
    let stranger = tempfile::tempdir().unwrap();
    certificates(stranger.path(), "IP:127.0.0.1");
    let unknown =
        Attempt::at("good").trusting(stranger.path().join("authority.pem").to_str().unwrap());
    let (why, hint) = unknown.refused();
    assert_eq!(
        why,
        "its certificate is not trusted: invalid peer certificate: UnknownIssuer"
    );
    assert!(hint.contains("ca_file"), "{hint}");

    let elsewhere = Server::start("DNS:other.example", &[]);
    let name = Attempt::at_addresses(&elsewhere.url("good/client/v4/ips"), "", "");
    let name = name.trusting(elsewhere.authority().to_str().unwrap());
    assert!(name.refused().0.starts_with(
        "its certificate is not trusted: invalid peer certificate: certificate not valid for name"
    ));
}

#[test]
fn the_machines_own_authorities_do_not_know_ours() {
    let why = Attempt::at("good").trusting("").refused().0;
    assert!(why.starts_with("its certificate is not trusted: "), "{why}");
}

#[test]
fn an_authority_file_that_cannot_be_used_is_a_mistake_of_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nothing\n").unwrap();
    for file in ["/nonexistent/ca.pem", empty.to_str().unwrap()] {
        match Attempt::at("good").trusting(file).load() {
            Err(DataError::Spec(said)) => assert!(said.to_string().contains(file), "{said}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_address_that_is_not_https_is_never_asked() {
    for url in [
        "http://127.0.0.1:1/",
        "https://user:word@127.0.0.1:1/",
        "nonsense",
        "",
    ] {
        match Attempt::at_addresses(url, "", "").load() {
            Err(DataError::Spec(_)) => {}
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn hosts_whose_inputs_ask_for_something_else_are_noticed() {
    let scope = |api: &str| {
        let inputs = Attempt::at_addresses(api, "", "").inputs;
        Scope::new(&json!({ "inputs": inputs }), Templates::default())
    };
    let (one, other) = (scope("https://a.example/"), scope("https://b.example/"));
    assert!(spec().means_the_same(&one, &one).unwrap());
    assert!(!spec().means_the_same(&one, &other).unwrap());
}

// ── the last good copy ──────────────────────────────────────────────────────────────────────

#[test]
fn the_change_of_april_2021_passes_against_the_last_good_copy() {
    let before = Attempt::at("april2021-before");
    before.good().keep(&before.options.store).unwrap();
    let after = Attempt::at("april2021-after")
        .after(&before)
        .now("2026-12-02T12:00:00Z");
    assert_eq!(
        notes(&after.good()),
        [
            "note: changed since the last good copy of 2026-12-01: `ipv4`: added 104.16.0.0/13, 104.24.0.0/14, removed 104.16.0.0/12"
        ]
    );
}

#[test]
fn loading_writes_nothing_and_keeping_is_what_counts() {
    let first = Attempt::at("moved");
    let data = first.good();
    assert!(!first.options.store.exists());
    assert_eq!(
        notes(&first.good()).len(),
        1,
        "still measured by the built-in list"
    );
    data.keep(&first.options.store).unwrap();
    assert_eq!(notes(&first.good()), [] as [&str; 0]);
    let text = fs::read_to_string(first.options.store.join("cloudflare.json")).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(kept["time"], "2026-12-01T12:00:00Z");
    assert_eq!(kept["source"], SERVER.url("moved/client/v4/ips"));
    assert_eq!(kept["accepted_by"], Value::Null);
    assert_eq!(kept["lists"]["ipv6"].as_array().unwrap().len(), 7);
}

#[test]
fn only_a_person_accepts_a_change_beyond_the_bounds_and_is_remembered() {
    assert!(
        Attempt::at("shrunk")
            .attended()
            .refused()
            .1
            .contains("--accept-change")
    );
    Attempt::at("shrunk").accepting().refused();
    let attempt = Attempt::at("shrunk").attended().accepting();
    let data = attempt.good();
    let said = notes(&data);
    assert!(
        said[0].starts_with("warning: 34.3 % of the addresses")
            && said[0].ends_with("anna@desk accepts that"),
        "{said:?}"
    );
    data.keep(&attempt.options.store).unwrap();
    let text = fs::read_to_string(attempt.options.store.join("cloudflare.json")).unwrap();
    assert!(text.contains("\"accepted_by\": \"anna@desk\""), "{text}");
    // From then on it is the measure, also when nobody watches.
    assert_eq!(
        notes(&Attempt::at("shrunk").after(&attempt).good()),
        [] as [&str; 0]
    );
}

#[test]
fn nothing_but_a_change_can_be_accepted() {
    for mode in [
        "alien",
        "zero",
        "private",
        "halved",
        "disagree",
        "status500",
        "elsewhere",
    ] {
        Attempt::at(mode).attended().accepting().refused();
    }
}

#[test]
fn a_damaged_copy_is_told_and_the_built_in_list_takes_its_place() {
    let attempt = Attempt::at("good");
    fs::create_dir_all(&attempt.options.store).unwrap();
    fs::write(
        attempt.options.store.join("cloudflare.json"),
        "{\"source\": ",
    )
    .unwrap();
    let data = attempt.good();
    let said = notes(&data);
    assert!(
        said.len() == 1 && said[0].starts_with("warning: the last good copy "),
        "{said:?}"
    );
    data.keep(&attempt.options.store).unwrap();
    assert_eq!(notes(&attempt.good()), [] as [&str; 0]);
}

#[test]
fn a_block_for_labs_can_be_allowed() {
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/runbooks/ufw-cf-refresh.yaml"
    ))
    .unwrap();
    let text = text.replacen(
        "    canary: 60%\n",
        "    canary: 60%\n    allow_special: \"{{ inputs.lab }}\"\n",
        1,
    );
    let node = yaml::parse(&Source::new("r.yaml", text)).unwrap();
    let (key, value) = &node.get("data").unwrap().entries()[0];
    let spec = Spec::from_node(key, value, &mut Diagnostics::new()).unwrap();
    let mut attempt = Attempt::at("documentation");
    for (lab, good) in [
        (json!(["203.0.113.0/24"]), true),
        (json!([]), false),
        (json!(["198.51.100.0/24"]), false),
    ] {
        attempt.inputs["lab"] = lab;
        let scope = Scope::new(&json!({ "inputs": attempt.inputs }), Templates::default());
        assert_eq!(
            load(&spec, &scope, &attempt.options).is_ok(),
            good,
            "{}",
            attempt.inputs["lab"]
        );
    }
}

// ── no connection at all ────────────────────────────────────────────────────────────────────

/// An address of a port that nobody listens on.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("https://{}/ips", listener.local_addr().unwrap())
}

#[test]
fn without_a_publisher_a_person_gets_the_built_in_list_and_is_told() {
    let data = Attempt::at_addresses(&nobody(), "", "").attended().good();
    assert_eq!(
        (data.entries, data.origin.to_string().as_str()),
        (22, "built-in list of 2026-11-20")
    );
    let said = notes(&data);
    assert!(
        said[0].starts_with("warning: https://127.0.0.1:"),
        "{said:?}"
    );
    assert!(
        said[0].ends_with("no connection: Connection refused (os error 111); there is no last good copy, so the built-in list of 2026-11-20 is used"),
        "{said:?}"
    );
}

#[test]
fn without_a_publisher_and_a_fresh_copy_nothing_is_done_unattended() {
    let (why, hint) = Attempt::at_addresses(&nobody(), "", "").refused();
    assert_eq!(
        why,
        "no connection: Connection refused (os error 111), and there is no last good copy"
    );
    assert!(hint.contains("network of this machine"), "{hint}");
}

#[test]
fn the_last_good_copy_serves_for_35_days_unattended_and_with_a_warning_attended() {
    let first = Attempt::at("good");
    first.good().keep(&first.options.store).unwrap();
    let later = |now| {
        Attempt::at_addresses(&nobody(), "", "")
            .after(&first)
            .now(now)
    };
    let fresh = later("2026-12-04T18:00:00Z").good();
    assert_eq!(fresh.entries, 22);
    let said = notes(&fresh);
    assert!(
        said[0].starts_with("note: ")
            && said[0].contains("last good copy, fetched 3 days ago (2026-12-01) from "),
        "{said:?}"
    );
    assert!(notes(&later("2026-12-04T18:00:00Z").attended().good())[0].starts_with("warning: "));
    let stale = later("2027-01-10T12:00:00Z");
    assert!(
        stale.refused().0.contains("40 days ago"),
        "{:?}",
        stale.refused()
    );
    let said = notes(&stale.attended().good());
    assert!(
        said[0].starts_with("warning: ") && said[0].ends_with("although it is older than 35 days"),
        "{said:?}"
    );
    // What was not fetched is not kept: its age must not be forgotten.
    let offline = later("2026-12-05T12:00:00Z").good();
    offline.keep(&first.options.store).unwrap();
    let text = fs::read_to_string(first.options.store.join("cloudflare.json")).unwrap();
    assert!(text.contains("2026-12-01T12:00:00Z"), "{text}");
}

#[test]
fn a_cross_check_that_is_not_there_is_no_cross_check() {
    let api = SERVER.url("good/client/v4/ips");
    let attempt = Attempt::at_addresses(&api, &nobody(), "");
    assert!(attempt.refused().0.starts_with("no connection"));
    assert_eq!(
        attempt.attended().good().origin.to_string(),
        "built-in list of 2026-11-20"
    );
    // A refusal counts more than silence.
    let poisoned =
        Attempt::at_addresses(&SERVER.url("status500/client/v4/ips"), &nobody(), "").attended();
    assert_eq!(poisoned.refused().0, "it answers 500 Internal Server Error");
}

#[test]
fn names_that_nobody_knows_and_silence_count_as_no_connection() {
    let unknown = format!("https://{}.invalid/ips", "x".repeat(64));
    let said = notes(&Attempt::at_addresses(&unknown, "", "").attended().good());
    assert!(said[0].contains("no connection: "), "{said:?}");

    // A full queue of connections that nobody takes: further attempts get no answer at all.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(300);
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, patience) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the queue never fills");
    }
    let start = Instant::now();
    let said = notes(
        &Attempt::at_addresses(&format!("https://{address}/ips"), "", "")
            .attended()
            .good(),
    );
    assert!(
        said[0].contains("no connection: no answer to the attempt to connect"),
        "{said:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}

// ── a check in effect ───────────────────────────────────────────────────────────────────────

#[test]
fn a_site_that_does_not_answer_is_neither_good_nor_bad() {
    assert!(
        check_url(&nobody(), None, &[])
            .unwrap_err()
            .contains("no connection")
    );
    assert!(
        check_url("http://127.0.0.1:1/", None, &[])
            .unwrap_err()
            .contains("only https")
    );
    let untrusted = check_url(&SERVER.url("good/ips-v4"), Some("server"), &[522]);
    assert!(untrusted.unwrap_err().contains("certificate"));
}
