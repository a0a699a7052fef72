//! Checks with the values of one host filled in.

use std::str::FromStr;

use super::shape::{CONNECT, EXPECT, HTTP};
use crate::diagnostic::Diagnostic;
use crate::runbook::Retry;
use crate::runbook::trial::Ban;
use crate::template::{Scope, Text};
use crate::value::{Duration, Name, Port};
use crate::yaml::Node;

/// A check ready to be made on one host.
#[derive(Debug)]
pub struct RenderedCheck {
    /// What is so when it passes.
    pub name: String,
    /// The tags of the includes around it.
    pub tags: Vec<Name>,
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

/// An answer of an HTTP server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Status(u16);

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

pub(super) fn texts(scope: &Scope, texts: &[Text]) -> Result<Vec<String>, Diagnostic> {
    Ok(scope
        .list(texts)?
        .into_iter()
        .map(|text| text.text)
        .collect())
}

pub(super) fn render_expect(scope: &Scope, node: Option<&Node>) -> Result<Expect, Diagnostic> {
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

pub(super) fn render_connect(scope: &Scope, node: &Node) -> Result<RenderedProbe, Diagnostic> {
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

pub(super) fn render_http(scope: &Scope, node: &Node) -> Result<RenderedProbe, Diagnostic> {
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
