//! The kind `authorized_keys`: the keys that may log in as a user, by their fingerprints.
//!
//! ```yaml
//! authorized_keys: { user: ops, keys: ["ssh-ed25519 AAAA… me@desk"] }
//! ```
//!
//! The files are those that sshd itself names for the user, in the state that sshd trusts. Keys that nobody
//! listed are reported and stay, unless `exclusive: true`; then they go, but never the one in use.

use super::{Fields, Kind, Lines, Resource, StepFrame, user};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::UserName;
use crate::yaml::Node;

mod action;
mod judge;
mod line;
mod look;
mod obstacle;
mod place;
mod turnover;

use line::KeyLine;
use look::{Look, Session};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "authorized_keys",
    help: "The SSH keys that may log in as a user.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "keys of a user",
    fields: &[
        Field::required("user", Ty::Text, "The user they log in as."),
        Field::required(
            "keys",
            Ty::Texts,
            "Public keys, a line each as in a `.pub` file, perhaps with options in front (sshd(8)). A key \
             without options leaves those that it has on the host.",
        ),
        Field::optional(
            "exclusive",
            Ty::Bool,
            "Remove every key that is not listed. Refused when that is the key in use.",
        ),
    ],
    shorthand: None,
};

/// The keys of a user on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedKeys {
    user: UserName,
    keys: Vec<KeyLine>,
    exclusive: bool,
    /// Whom we are logged in as; `None` when the host did not say.
    login: Option<String>,
    /// Where we come from, and the port of sshd we come to.
    from: [String; 2],
}

impl AuthorizedKeys {
    fn probe(&self) -> Probe {
        let [address, port] = self.from.clone();
        Probe::new("hf_authorized_keys", [self.user.to_string(), address, port])
    }

    /// Only what takes something away from our own user needs to know the key in use.
    fn session_probe(&self) -> Option<Probe> {
        let ours = self
            .login
            .as_deref()
            .is_none_or(|login| login == self.user.as_str());
        let takes = self.exclusive || self.keys.iter().any(KeyLine::has_options);
        (ours && takes).then(|| Session::probe(self.user.as_str()))
    }
}

impl Resource for AuthorizedKeys {
    fn subject(&self) -> String {
        format!("keys of {}", self.user)
    }

    fn probes(&self) -> Vec<Probe> {
        [self.probe()]
            .into_iter()
            .chain(self.session_probe())
            .collect()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let look = Look::parse(&Lines::of(seen, &self.probe())?)?;
        let session = match self.session_probe() {
            Some(probe) => Session::parse(&Lines::of(seen, &probe)?),
            None => Session::NoKey,
        };
        Ok(judge::judge(self, &look, &session, known))
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    super::check_constant::<UserName>(&SHAPE, node, "user", out);
    super::check_constant::<KeyLine>(&SHAPE, node, "keys", out);
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let user: Option<UserName> = fields.value("user");
    let exclusive = fields.flag("exclusive");
    let keys = keys(&mut fields);
    if keys.is_empty() {
        let error = Diagnostic::error("the list of keys is empty");
        fields.wrong(
            "keys",
            error.hint("to let nobody in, lock the user: `user: { name: …, locked: true }`"),
        );
    }
    let fact = |name: &str, default: &str| {
        let text = scope.text(&Text::fixed(name)).unwrap_or_default();
        let text = text.trim().to_owned();
        let odd = text.is_empty() || text == "none" || text.contains([',', ' ']);
        if odd { default.to_owned() } else { text }
    };
    let from = [
        fact("{{ facts.controller_ip }}", "127.0.0.1"),
        fact("{{ facts.sshd.ports | first }}", "22"),
    ];
    let login = user::login(scope);
    fields.finish(user.map(|user| AuthorizedKeys {
        user,
        keys,
        exclusive,
        login,
        from,
    }))
}

/// Each key once.
fn keys(fields: &mut Fields<'_>) -> Vec<KeyLine> {
    let mut keys: Vec<KeyLine> = Vec::new();
    for item in fields.items("keys").unwrap_or_default() {
        if item.text.trim().is_empty() {
            continue;
        }
        let parsed = item.text.parse::<KeyLine>().map_err(|error| {
            let start: String = item.text.trim().chars().take(24).collect();
            Diagnostic::error(format!("`{start}…` is no public key: {error}")).at(&item.place)
        });
        let Some(key) = fields.keep(parsed) else {
            continue;
        };
        match keys.iter().find(|known| known.is_same_key(&key)) {
            None => keys.push(key),
            Some(twice) if twice.is_met_by(&key) && key.is_met_by(twice) => {}
            Some(_) => {
                let message = format!(
                    "the key {} stands here twice with different options",
                    key.fingerprint
                );
                fields.wrong("keys", Diagnostic::error(message).at(&item.place));
            }
        }
    }
    keys
}
