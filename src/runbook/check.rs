//! Checks in effect: what `verify:` asks from inside and from outside of a host.

use std::str::FromStr;

use super::Retry;
use super::trial::{self, Ban};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::check_constant;
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{Duration, Port};
use crate::yaml::Node;

/// One check as written.
#[derive(Debug)]
pub struct Check {
    /// What is so when the check passes, a template.
    pub name: Text,
    /// Only when this holds.
    pub when: Option<Text>,
    /// How often it is asked again before the answer is no.
    pub retry: Retry,
    kind: CheckKind,
}

#[derive(Debug)]
enum CheckKind {
    Command {
        argv: Vec<Text>,
        expect: Option<Node>,
        limit: Duration,
    },
    Connect(Node),
    Http(Node),
    PasswordLogin,
    Ban(Node),
}

/// A check ready to be made on one host.
#[derive(Debug)]
pub struct RenderedCheck {
    /// What is so when it passes.
    pub name: String,
    /// How often it is asked again.
    pub retry: Retry,
    /// How it is made.
    pub probe: RenderedProbe,
}

/// How a check is made.
#[derive(Debug)]
pub enum RenderedProbe {
    /// By a program on the host that only reads.
    Command {
        /// Its words.
        argv: Vec<String>,
        /// What it must answer.
        expect: Expect,
        /// How long it may take.
        limit: Duration,
    },
    /// By connections from the controller to the host's address.
    Connect {
        /// The TCP ports, each of which is tried.
        ports: Vec<Port>,
        /// What must come of it.
        reach: Reach,
    },
    /// By an HTTP request from the controller.
    Http {
        /// Where to.
        url: String,
        /// A header that the answer must have.
        header: Option<String>,
        /// Answers that mean no.
        not_status: Vec<u16>,
    },
    /// By one attempt to log in without a key: sshd must refuse it and offer nothing that takes a password.
    PasswordLogin,
    /// By a ban of an address that nobody has, seen in the packet filter and lifted.
    Ban(Ban),
}

/// What a command must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The exit status.
    pub status: i32,
    /// The whole standard output, without white space around it.
    pub stdout: Option<String>,
    /// Texts that the standard output must hold.
    pub contains: Vec<String>,
}

/// What a connection attempt must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A connection comes about.
    Open,
    /// Packets are dropped: no answer at all.
    Filtered,
    /// No connection comes about, whether it is refused or not answered.
    Closed,
}

pub(super) const EXPECT: Shape = Shape {
    name: "what is expected",
    fields: &[
        Field::optional(
            "status",
            Ty::Int(0, 255),
            "The exit status; 0 when not said.",
        ),
        Field::optional(
            "stdout",
            Ty::Text,
            "The whole standard output, white space around it aside.",
        ),
        Field::optional(
            "contains",
            Ty::Texts,
            "Texts that the standard output must hold.",
        ),
    ],
    shorthand: None,
};

pub(super) const CONNECT: Shape = Shape {
    name: "a connection check",
    fields: &[
        Field::required(
            "ports",
            Ty::Texts,
            "The TCP ports, each of which is tried from the controller.",
        ),
        Field::required(
            "expect",
            Ty::Word(&["open", "filtered", "closed"]),
            "What must come of it. `filtered` needs packets to be dropped, a refused connection proves nothing; `closed` takes both.",
        ),
    ],
    shorthand: None,
};

pub(super) const HTTP: Shape = Shape {
    name: "an HTTP check",
    fields: &[
        Field::required(
            "url",
            Ty::Text,
            "Asked from the controller; `{{ nonce }}` keeps caches out.",
        ),
        Field::optional("header", Ty::Text, "A header that the answer must have."),
        Field::optional("not_status", Ty::Texts, "Answers that mean no."),
    ],
    shorthand: None,
};

/// How long a command may take when nothing is said.
const COMMAND_LIMIT: Duration = Duration::seconds(60);

/// One entry below `verify:`.
pub(super) const SHAPE: Shape = Shape {
    name: "a check",
    fields: &[
        Field::required("name", Ty::Text, "What is so when the check passes."),
        Field::optional(
            "when",
            Ty::Text,
            "An expression; the check is made only when it holds.",
        ),
        Field::optional(
            "command",
            Ty::Texts,
            "A program on the host that only reads, as a list of words.",
        ),
        Field::optional("expect", Ty::One(&EXPECT), "What the command must answer."),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long the command may take; 1m when not said. One that takes longer has told nothing.",
        ),
        Field::optional(
            "connect",
            Ty::One(&CONNECT),
            "Connections from the controller to the host; the live SSH connection is the positive control.",
        ),
        Field::optional("http", Ty::One(&HTTP), "A request from the controller."),
        Field::optional(
            "password_login",
            Ty::Word(&["refused"]),
            "One attempt to log in as the same user without a key: sshd must offer neither password nor keyboard-interactive.",
        ),
        Field::optional(
            "ban",
            Ty::One(&trial::BAN),
            "A ban of an address that nobody has, made for real, seen in the packet filter and lifted.",
        ),
        Field::optional(
            "retry",
            Ty::One(&super::step_shape::RETRY),
            "Ask again before the answer is no.",
        ),
    ],
    shorthand: None,
};

impl Check {
    /// Reads one entry that fits the shape.
    pub(super) fn from_node(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let command = SHAPE.texts(node, "command").map(|argv| CheckKind::Command {
            argv,
            expect: SHAPE.get(node, "expect").cloned(),
            limit: SHAPE.parse(node, "timeout").unwrap_or(COMMAND_LIMIT),
        });
        let connect = SHAPE.get(node, "connect").cloned().map(CheckKind::Connect);
        let http = SHAPE.get(node, "http").cloned().map(CheckKind::Http);
        let login = SHAPE.get(node, "password_login");
        let login = login.map(|_| CheckKind::PasswordLogin);
        let ban = SHAPE.get(node, "ban").cloned().map(CheckKind::Ban);
        let kinds = [command, connect, http, login, ban];
        let mut kinds: Vec<CheckKind> = kinds.into_iter().flatten().collect();
        if kinds.len() != 1 {
            let message =
                "a check has exactly one of command, connect, http, password_login and ban";
            out.push(Diagnostic::error(message).at(&node.place));
            return None;
        }
        match kinds.first() {
            Some(CheckKind::Connect(node)) => check_constant::<Port>(&CONNECT, node, "ports", out),
            Some(CheckKind::Http(node)) => {
                check_constant::<Status>(&HTTP, node, "not_status", out);
                check_url(node, out);
            }
            Some(CheckKind::Ban(node)) => trial::check(node, out),
            Some(CheckKind::Command { .. } | CheckKind::PasswordLogin) | None => {}
        }
        Some(Self {
            name: SHAPE.text(node, "name")?,
            when: SHAPE.text(node, "when"),
            retry: super::step::retry(SHAPE.get(node, "retry")),
            kind: kinds.remove(0),
        })
    }

    /// Fills in one host's values; `None` when `when` does not hold.
    pub(super) fn render(&self, scope: &Scope) -> Result<Option<RenderedCheck>, Diagnostic> {
        if let Some(when) = &self.when
            && !scope.condition(when)?
        {
            return Ok(None);
        }
        let probe = match &self.kind {
            CheckKind::Command {
                argv,
                expect,
                limit,
            } => RenderedProbe::Command {
                argv: texts(scope, argv)?,
                expect: render_expect(scope, expect.as_ref())?,
                limit: *limit,
            },
            CheckKind::Connect(node) => render_connect(scope, node)?,
            CheckKind::Http(node) => render_http(scope, node)?,
            CheckKind::PasswordLogin => RenderedProbe::PasswordLogin,
            CheckKind::Ban(node) => RenderedProbe::Ban(trial::render(scope, node)?),
        };
        Ok(Some(RenderedCheck {
            name: scope.text(&self.name)?,
            retry: self.retry,
            probe,
        }))
    }
}

/// What of an address is known before any value is: how it begins.
fn check_url(node: &Node, out: &mut Diagnostics) {
    let Some(text) = HTTP.text(node, "url") else {
        return;
    };
    let written = text.text.trim();
    let known = written.split(['{', ' ']).next().unwrap_or(written);
    let web = ["http://", "https://"].into_iter().any(|scheme| {
        let rest = known.strip_prefix(scheme);
        // Without a host name it can only go on with a value.
        rest.is_some_and(|rest| !rest.is_empty() || !text.is_constant())
            || (!text.is_constant() && scheme.starts_with(known))
    });
    if !web || (text.is_constant() && written.contains(char::is_whitespace)) {
        let message = format!("`{written}` is not valid: an http or https address is needed");
        out.push(Diagnostic::error(message).at(&text.place));
    }
}

/// An answer of an HTTP server.
#[derive(Debug, Clone, Copy)]
struct Status(u16);

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok();
        let status = number.filter(|number| (100..=599).contains(number));
        status
            .map(Self)
            .ok_or_else(|| "a status is a number from 100 to 599".to_owned())
    }
}

fn texts(scope: &Scope, texts: &[Text]) -> Result<Vec<String>, Diagnostic> {
    Ok(scope
        .list(texts)?
        .into_iter()
        .map(|text| text.text)
        .collect())
}

fn render_expect(scope: &Scope, node: Option<&Node>) -> Result<Expect, Diagnostic> {
    let Some(node) = node else {
        return Ok(Expect {
            status: 0,
            stdout: None,
            contains: Vec::new(),
        });
    };
    Ok(Expect {
        status: EXPECT
            .text(node, "status")
            .map_or(Ok(0), |text| scope.parse(&text))?,
        stdout: EXPECT
            .text(node, "stdout")
            .map(|text| scope.text(&text))
            .transpose()?,
        contains: texts(scope, &EXPECT.texts(node, "contains").unwrap_or_default())?,
    })
}

fn render_connect(scope: &Scope, node: &Node) -> Result<RenderedProbe, Diagnostic> {
    let ports = scope.list(&CONNECT.texts(node, "ports").unwrap_or_default())?;
    let reach = match CONNECT
        .text(node, "expect")
        .map(|text| scope.text(&text))
        .transpose()?
        .as_deref()
    {
        Some("open") => Reach::Open,
        Some("closed") => Reach::Closed,
        Some(_) | None => Reach::Filtered,
    };
    Ok(RenderedProbe::Connect {
        ports: ports
            .iter()
            .map(|port| scope.parse(port))
            .collect::<Result<_, _>>()?,
        reach,
    })
}

fn render_http(scope: &Scope, node: &Node) -> Result<RenderedProbe, Diagnostic> {
    // Not in a rendered file, so chance is allowed here: a cached answer would prove nothing.
    let scope = scope.with("nonce", uuid::Uuid::now_v7().simple().to_string().into());
    let refused = scope.list(&HTTP.texts(node, "not_status").unwrap_or_default())?;
    Ok(RenderedProbe::Http {
        url: HTTP
            .text(node, "url")
            .map(|text| scope.text(&text))
            .transpose()?
            .unwrap_or_default(),
        header: HTTP
            .text(node, "header")
            .map(|text| scope.text(&text))
            .transpose()?,
        not_status: refused
            .iter()
            .map(|status| scope.parse::<Status>(status).map(|status| status.0))
            .collect::<Result<_, _>>()?,
    })
}

impl Expect {
    /// What is wrong with an answer; `None` when it is as expected.
    pub fn problem(&self, status: i32, stdout: &str) -> Option<String> {
        if status != self.status {
            return Some(format!("exit status {status}, expected {}", self.status));
        }
        let got = stdout.trim();
        if let Some(wanted) = &self.stdout
            && got != wanted.trim()
        {
            return Some(format!("it printed {got:?}, expected {:?}", wanted.trim()));
        }
        let missing = self.contains.iter().find(|part| !stdout.contains(*part));
        missing.map(|part| format!("it did not print {part:?}"))
    }
}

/// A quick look for the wait between tries; checks without `retry` are made once.
pub(super) fn default_pause() -> Duration {
    Duration::seconds(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;

    fn mistakes(text: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t", text)).unwrap();
        let mut out = Diagnostics::new();
        let _ = Check::from_node(&node, &mut out);
        out.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn constants_are_checked_before_any_host_is_asked() {
        let ports = "{ name: x, connect: { ports: [0, 443, 70000, \"{{ p }}\"], expect: open } }";
        assert_eq!(mistakes(ports).len(), 2);
        let http = |url, status| {
            mistakes(&format!(
                "{{ name: x, http: {{ url: \"{url}\", not_status: [{status}] }} }}"
            ))
        };
        assert_eq!(
            http("ftp://x", "99, x, 404").len(),
            3,
            "{:?}",
            http("ftp://x", "99, x, 404")
        );
        for good in [
            "https://x/y?{{ nonce }}",
            "{{ inputs.url }}",
            "http{{ s }}://x",
            "https://{{ host.name }}/",
        ] {
            assert!(http(good, "\"{{ inputs.no }}\"").is_empty(), "{good}");
        }
        for bad in ["https://", "x", "ftp://{{ x }}", "https://a b"] {
            assert_eq!(http(bad, "404").len(), 1, "{bad}");
        }
    }
}
