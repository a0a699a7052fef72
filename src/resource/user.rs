//! The kind `user`: an account of the host with its shell, home and groups; locked, or not there at all.
//!
//! ```yaml
//! user: { name: ops, shell: /bin/bash, groups: [sudo] }
//! ```
//!
//! Groups are added, never taken away. No password is ever set. What would cut off the account we are
//! logged in as, or touch root's, is refused. A home is never deleted and never moved.

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{AbsolutePath, UserName};
use crate::yaml::Node;

mod action;
mod judge;
mod look;

use look::Look;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "user",
    help: "An account: shell, home, groups; locked; or its absence.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a user",
    fields: &[
        Field::required("name", Ty::Text, "The name of the account."),
        Field::optional(
            "system",
            Ty::Bool,
            "An account for a service: number below 1000, no home unless `home` is said, no login shell.",
        ),
        Field::optional(
            "shell",
            Ty::Text,
            "The login shell. When not said: as it is; /bin/bash for a new account.",
        ),
        Field::optional(
            "home",
            Ty::Text,
            "The home of a new account. When not said: /home/NAME. An existing home is never moved.",
        ),
        Field::optional(
            "groups",
            Ty::Texts,
            "Groups it must be a member of; others are left alone.",
        ),
        Field::optional(
            "locked",
            Ty::Bool,
            "true: expired and its password locked, so that neither password nor key lets anybody in. \
             false: neither of the two. When not said: as it is.",
        ),
        Field::optional(
            "absent",
            Ty::Bool,
            "There must be no such account. Its home and files stay.",
        ),
    ],
    shorthand: Some("name"),
};

/// Keys that say what an account should be like.
const DESIRES: [&str; 5] = ["system", "shell", "home", "groups", "locked"];

/// The shell of a new account for people, and of one for a service.
const SHELL: &str = "/bin/bash";
const NO_LOGIN: &str = "/usr/sbin/nologin";
/// What stands for "no home", as in Debian's own accounts for services.
const NO_HOME: &str = "/nonexistent";

/// An account on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: UserName,
    system: bool,
    shell: Option<AbsolutePath>,
    home: Option<AbsolutePath>,
    groups: Vec<UserName>,
    locked: Option<bool>,
    absent: bool,
    /// Whom we are logged in as; `None` when the host did not say.
    login: Option<String>,
}

impl User {
    fn probe(&self) -> Probe {
        let words = [self.name.to_string(), self.new_home()];
        let groups = self.groups.iter().map(UserName::to_string);
        Probe::new("hf_user", words.into_iter().chain(groups))
    }

    fn shell_probe(&self) -> Option<Probe> {
        let shell = self.new_shell();
        (!self.absent).then(|| Probe::new("hf_program", [shell]))
    }

    /// The home of the account if it is made.
    fn new_home(&self) -> String {
        match &self.home {
            Some(home) => home.to_string(),
            None if self.system => NO_HOME.to_owned(),
            None => format!("/home/{}", self.name),
        }
    }

    /// The shell of the account if it is made.
    fn new_shell(&self) -> String {
        let default = if self.system { NO_LOGIN } else { SHELL };
        self.shell
            .as_ref()
            .map_or_else(|| default.to_owned(), AbsolutePath::to_string)
    }

    /// Whether a home is made along with the account.
    fn makes_home(&self) -> bool {
        self.home.is_some() || !self.system
    }
}

impl Resource for User {
    fn subject(&self) -> String {
        format!("user {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        [self.probe()]
            .into_iter()
            .chain(self.shell_probe())
            .collect()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let look = Look::parse(&Lines::of(seen, &self.probe())?)?;
        let shell_there = match self.shell_probe() {
            Some(probe) => Lines::of(seen, &probe)?.is("program"),
            None => true,
        };
        judge::judge(self, &look, shell_there, known)
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<UserName>(&SHAPE, node, "name", out);
    check_constant::<UserName>(&SHAPE, node, "groups", out);
    check_constant::<AbsolutePath>(&SHAPE, node, "shell", out);
    check_constant::<AbsolutePath>(&SHAPE, node, "home", out);
    let absent = SHAPE.text(node, "absent").map(|text| text.text);
    if absent.as_deref() == Some("true") {
        for key in DESIRES.iter().filter_map(|key| SHAPE.get(node, key)) {
            let error = Diagnostic::error("an account that must be absent has no properties");
            out.push(error.at(&key.place));
        }
    }
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name: Option<UserName> = fields.value("name");
    let (system, absent) = (fields.flag("system"), fields.flag("absent"));
    let (shell, home) = (fields.value("shell"), fields.value("home"));
    let locked = fields.value("locked");
    let groups = groups(&mut fields);
    for path in [&shell, &home].into_iter().flatten() {
        check_field(&mut fields, path);
    }
    let login = login(scope);
    fields.finish(name.map(|name| User {
        name,
        system,
        shell,
        home,
        groups,
        locked,
        absent,
        login,
    }))
}

fn groups(fields: &mut Fields<'_>) -> Vec<UserName> {
    let items = fields.items("groups").unwrap_or_default();
    let mut groups: Vec<UserName> = Vec::new();
    for item in items {
        let parsed = item.text.trim().parse::<UserName>().map_err(|error| {
            let message = format!("`{}` is not valid: {error}", item.text.trim());
            Diagnostic::error(message).at(&item.place)
        });
        groups.extend(fields.keep(parsed).filter(|group| !groups.contains(group)));
    }
    groups
}

/// passwd(5) separates by colons.
fn check_field(fields: &mut Fields<'_>, path: &AbsolutePath) {
    if path.as_str().contains(':') {
        let error = Diagnostic::error(format!("`{path}` holds a colon"));
        fields.wrong(
            "name",
            error.hint("passwd(5) separates its fields by colons"),
        );
    }
}

/// Whom we are logged in as before sudo, by the facts.
pub(super) fn login(scope: &Scope) -> Option<String> {
    let name = scope.text(&Text::fixed("{{ facts.login_user }}")).ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes;

    fn said(text: &str) -> Vec<String> {
        mistakes(&KIND, text, &serde_json::json!({}))
    }

    #[test]
    fn names_groups_and_paths_are_checked_before_any_host_is_asked() {
        assert!(said("ops").is_empty());
        assert!(said("{name: ops, groups: [sudo, adm], shell: /bin/sh}").is_empty());
        for bad in [
            "Ops",
            "{name: -x}",
            "{name: ops, groups: ['a,b']}",
            "{name: ops, shell: bash}",
            "{name: ops, home: '/home/a:b'}",
            "{name: ops, home: '{{ \"/a:b\" }}'}",
            "{name: \"o\\nroot\"}",
        ] {
            assert!(!said(bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn an_absent_account_has_no_properties() {
        assert_eq!(said("{name: x, absent: true, groups: [a]}").len(), 1);
        assert!(said("{name: x, absent: true}").is_empty());
    }
}
