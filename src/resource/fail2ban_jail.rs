//! The kind `fail2ban_jail`: the settings of one jail, in effect in the files and in the running server.
//!
//! ```yaml
//! fail2ban_jail:
//!   name: sshd
//!   settings: { enabled: true, backend: systemd, port: [22, 2222], maxretry: 5, findtime: 10m, bantime: 1h }
//!   ignore: [203.0.113.7]
//! ```
//!
//! Our file is `/etc/fail2ban/jail.d/90-holdfast-NAME.local`. It wins over `jail.local` for the keys that it
//! sets, and loses to a later `.local`, which is then named. Keys that a step does not name stay in our file as they
//! are, so that two runbooks can share a jail. `ignore` adds: what our file ignores already stays ignored,
//! so that no second runbook takes away the address of the first one's controller; `forget_others: true`
//! leaves exactly this list. What other files ignore is always kept (`%(known/ignoreip)s`).
//!
//! A step that does not say `enabled: true` changes a jail that is in use and is not applicable elsewhere.

use super::{Fields, Kind, Lines, Resource, StepFrame};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::Cidr;
use crate::yaml::Node;

mod setting;
mod look;
mod text;
mod change;
mod notes;
mod predicted;
mod due;
mod judge;

use look::Look;
use setting::{JailName, SETTINGS, Setting};

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "fail2ban_jail",
    help: "A jail of fail2ban: its settings in the files and in the running server.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a jail of fail2ban",
    fields: &[
        Field::required("name", Ty::Text, "The jail, such as sshd."),
        Field::optional(
            "settings",
            Ty::One(&SETTINGS),
            "Its settings; what is not named stays as it is.",
        ),
        Field::optional(
            "ignore",
            Ty::Texts,
            "Addresses and networks that are never banned, besides those that are ignored already; \
             the host itself is added.",
        ),
        Field::optional(
            "forget_others",
            Ty::Bool,
            "Of what our own file ignores, keep `ignore` alone.",
        ),
    ],
    shorthand: None,
};

/// A jail on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    name: JailName,
    settings: Vec<Setting>,
    /// `None`: the step says nothing about it.
    ignore: Option<Vec<Cidr>>,
    forget_others: bool,
}

impl Jail {
    fn probe(&self) -> Probe {
        Probe::new("hf_fail2ban", [self.name.as_str()])
    }

    /// Our file.
    fn path(&self) -> String {
        format!("/etc/fail2ban/jail.d/90-holdfast-{}.local", self.name)
    }

    /// What the step says about a key, in the words of the host's answer.
    fn wants(&self, key: &str) -> Option<&str> {
        let found = self.settings.iter().find(|setting| setting.key == key);
        found.map(|setting| setting.effect.as_str())
    }

    /// Whether the step wants the jail to be in use.
    fn enables(&self) -> bool {
        self.wants("enabled") == Some("yes")
    }
}

impl Resource for Jail {
    fn subject(&self) -> String {
        format!("fail2ban jail {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let look = Look::parse(&Lines::of(seen, &probe)?)?;
        Ok(judge::judge(self, &look, known))
    }

    fn runs_things(&self) -> bool {
        true
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    super::check_constant::<JailName>(&SHAPE, node, "name", out);
    if let Some(settings) = SHAPE.get(node, "settings") {
        setting::check(settings, out);
    }
    let texts = SHAPE.texts(node, "ignore").unwrap_or_default();
    for text in texts.iter().filter(|text| text.is_constant()) {
        if let Err(error) = setting::ignored(&text.text) {
            out.push(Diagnostic::error(error).at(&text.place));
        }
    }
    let says = ["settings", "ignore"].map(|key| SHAPE.get(node, key));
    if says.iter().all(Option::is_none) {
        let error = Diagnostic::error("the step says nothing about the jail");
        out.push(error.at(&node.place).hint("add `settings` or `ignore`"));
    }
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name: Option<JailName> = fields.value("name");
    let forget_others = fields.flag("forget_others");
    let ignore = fields.items("ignore").map(|texts| {
        let mut networks: Vec<Cidr> = Vec::new();
        for text in texts {
            let read = setting::ignored(&text.text)
                .map_err(|error| Diagnostic::error(error).at(&text.place));
            networks.extend(fields.keep(read));
        }
        networks.sort_unstable();
        networks.dedup();
        networks
    });
    let mut settings = Vec::new();
    if let Some(node) = SHAPE.get(node, "settings") {
        for read in setting::read(node, scope) {
            settings.extend(fields.keep(read));
        }
    }
    fields.finish(name.map(|name| Jail {
        name,
        settings,
        ignore,
        forget_others,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::testing::mistakes;

    fn said(text: &str) -> Vec<String> {
        mistakes(
            &KIND,
            text,
            &serde_json::json!({ "ports": [2222, 22], "none": [] }),
        )
    }

    #[test]
    fn what_fail2ban_would_take_in_another_way_is_a_mistake() {
        assert!(said("{name: sshd, settings: {port: '{{ ports }}', maxretry: 5}}").is_empty());
        assert_eq!(said("{name: 'a]b', ignore: []}").len(), 1);
        assert_eq!(
            said("{name: sshd}"),
            ["the step says nothing about the jail"]
        );
        assert_eq!(said("{name: sshd, settings: {port: [ssh]}}").len(), 1);
        assert_eq!(
            said("{name: sshd, settings: {port: '{{ none }}'}}").len(),
            1
        );
        assert_eq!(said("{name: sshd, settings: {maxretries: 5}}").len(), 1);
        assert_eq!(said("{name: sshd, settings: {bantime: 10}}").len(), 1);
    }

    #[test]
    fn nobody_ignores_the_whole_world() {
        assert!(said("{name: sshd, ignore: [0.0.0.0/0]}")[0].contains("everybody"));
        assert!(said("{name: sshd, ignore: ['::/0']}")[0].contains("everybody"));
        assert!(!said("{name: sshd, ignore: [10.0.0.1/8]}").is_empty());
    }
}
