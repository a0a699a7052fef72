//! The kind `login`: a look at whether a new login would still succeed. It never changes anything.
//!
//! ```yaml
//! login: { by: key }                 # whoever is logged in now would get in again, by the same key
//! login: { by: key, user: ops }      # this account has a key that lets it in
//! ```
//!
//! Everything sshd and PAM ask is looked at: how sshd's log says this session was let in, the effective
//! configuration for this user and address (`sshd -T -C`), the files with keys, their options and the
//! modes of all that leads to them (`StrictModes`, with Debian's rule for a group of one's own), the state
//! of the account, and the lists of users and groups. What cannot be told (keys from a command, an
//! authority for certificates) needs a person, unless the step says `unproven: true`.
//!
//! Other kinds ask the same about a configuration that is not written yet: `Check`.

use super::{Fields, Kind, Resource, StepFrame};
use crate::change::{Blocked, Diff, Known, Note, Verdict};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::yaml::Node;

mod pattern;
mod key_line;
mod look;
mod judge;
mod key;
mod still_open;

use judge::By;
pub(crate) use still_open::Open;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "login",
    help: "A look at whether a new SSH login would succeed; never a change.",
    shape: &SHAPE,
    guarded: false,
    check: |_, _| {},
    render,
};

const SHAPE: Shape = Shape {
    name: "a login",
    fields: &[
        Field::optional(
            "by",
            Ty::Word(&["key", "any"]),
            "What it must rest on: a key (the default), or whatever this session used.",
        ),
        Field::optional(
            "user",
            Ty::Text,
            "The account; `current`, the default, is who is logged in now.",
        ),
        Field::optional(
            "unproven",
            Ty::Bool,
            "Go on, with a warning, when it cannot be told (keys from a command, certificates).",
        ),
    ],
    shorthand: Some("by"),
};

/// Who is logged in now.
const CURRENT: &str = "current";

/// A login that must be possible on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    by: By,
    user: String,
    unproven: bool,
}

impl Login {
    fn check(&self) -> Check {
        Check {
            user: self.user.clone(),
            drop_in: String::new(),
            text: String::new(),
            when_known: Vec::new(),
        }
    }
}

impl Resource for Login {
    fn subject(&self) -> String {
        match self.user.as_str() {
            CURRENT => "our login".to_owned(),
            user => format!("login of {user}"),
        }
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.check().probe()]
    }

    fn diff(&self, seen: &Answers, _: &Known) -> Result<Diff, ParseError> {
        let found = look::Login::of(seen, &self.check().probe())?;
        Ok(match judge::judge(&found, self.by) {
            Ok(how) => Diff::compliant()
                .with_notes(vec![Note::info(format!("a login would succeed by {how}"))]),
            Err(blocked) if blocked.human && self.unproven => {
                Diff::compliant().with_notes(vec![Note::warning(blocked.why)])
            }
            Err(blocked) => Diff {
                verdict: Verdict::Blocked(blocked),
                notes: Vec::new(),
            },
        })
    }
}

/// The question whether a user still gets in once a drop-in of sshd holds a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// The account, or `current`.
    pub(crate) user: String,
    /// Its name below `/etc/ssh/sshd_config.d`; empty: the configuration as it is.
    pub(crate) drop_in: String,
    /// What it will hold.
    pub(crate) text: String,
    /// Keywords whose lines are left out where this sshd does not know them.
    pub(crate) when_known: Vec<String>,
}

/// What a [`Check`] came to.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Why the change must not be made.
    pub(crate) refusal: Option<Blocked>,
    /// What Match blocks leave open.
    pub(crate) open: Vec<Open>,
}

impl Check {
    /// The login of whoever is logged in now.
    pub(crate) fn ours(drop_in: &str, text: &str, when_known: &[String]) -> Self {
        Self {
            user: CURRENT.to_owned(),
            drop_in: drop_in.to_owned(),
            text: text.to_owned(),
            when_known: when_known.to_vec(),
        }
    }

    /// What must be asked. Belongs into the preconditions of the change.
    pub(crate) fn probe(&self) -> Probe {
        let words = [&self.user, &self.drop_in, &self.text];
        Probe::new("hf_login", words.into_iter().chain(&self.when_known))
    }

    /// Whether we still get in, and what Match blocks leave open of what `keywords` (in lower case) close.
    ///
    /// # Errors
    /// When the answer cannot be read.
    pub(crate) fn judge(&self, seen: &Answers, keywords: &[String]) -> Result<Checked, ParseError> {
        let found = look::Login::of(seen, &self.probe())?;
        Ok(Checked {
            refusal: judge::judge(&found, By::Any).err(),
            open: still_open::still_open(&found, keywords),
        })
    }
}

/// Whether a setting of sshd with this keyword decides who gets in, or how.
pub(crate) fn restricts(keyword: &str) -> bool {
    const HARMLESS: [&str; 24] = [
        "acceptenv",
        "addressfamily",
        "allowagentforwarding",
        "allowstreamlocalforwarding",
        "allowtcpforwarding",
        "banner",
        "clientalivecountmax",
        "clientaliveinterval",
        "compression",
        "debianbanner",
        "disableforwarding",
        "gatewayports",
        "ipqos",
        "listenaddress",
        "loglevel",
        "permittunnel",
        "permituserenvironment",
        "port",
        "printlastlog",
        "printmotd",
        "syslogfacility",
        "tcpkeepalive",
        "versionaddendum",
        "x11forwarding",
    ];
    !HARMLESS.contains(&keyword.to_ascii_lowercase().as_str())
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let by = match fields.text("by").as_deref().map(str::trim) {
        Some("any") => By::Any,
        Some("key") | None => By::Key,
        Some(other) => {
            let error = Diagnostic::error(format!("`by` must be key or any, not `{other}`"));
            fields.wrong("by", error);
            By::Key
        }
    };
    let user = fields.text("user").unwrap_or_else(|| CURRENT.to_owned());
    let user = user.trim().to_owned();
    if !is_user(&user) {
        fields.wrong(
            "user",
            Diagnostic::error(format!("`{user}` is no name of an account")),
        );
    }
    let unproven = fields.flag("unproven");
    fields.finish(Some(Login { by, user, unproven }))
}

/// What the name service and `sshd -C` take as one word.
fn is_user(name: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || ":,=/".contains(c);
    !name.is_empty() && !name.starts_with('-') && !name.contains(odd)
}
