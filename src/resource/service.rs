//! The kind `service`: a systemd unit that runs or not, starts at boot or not, and reads its files again
//! when an earlier step changed them.
//!
//! ```yaml
//! service: { name: fail2ban, running: true, enabled: true }
//! reload_on: [jail]
//! ```
//!
//! A reload or restart comes once, after all steps. A mark on the host (`/var/lib/holdfast/pending`) keeps
//! it from being forgotten when a run ends between the change and the reload.

use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::access;
use crate::change::{Call, Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::UnitName;
use crate::yaml::Node;

mod unit;
mod boot;
mod judge;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "service",
    help: "A systemd unit: running, enabled, reloaded after changes.",
    shape: &SHAPE,
    guarded: false,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "a service",
    fields: &[
        Field::required("name", Ty::Text, "The unit; without a suffix a service."),
        Field::optional("running", Ty::Bool, "Whether it runs now."),
        Field::optional("enabled", Ty::Bool, "Whether it starts at boot."),
        Field::optional(
            "on_change",
            Ty::Word(&["reload", "restart"]),
            "What `reload_on` asks for. Default reload; a unit that cannot reload is restarted.",
        ),
    ],
    shorthand: Some("name"),
};

/// A unit on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: UnitName,
    running: Option<bool>,
    enabled: Option<bool>,
    on_change: OnChange,
    reload_on: Vec<String>,
}

/// How a unit reads its files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnChange {
    Reload,
    Restart,
}

impl Service {
    fn probe(&self) -> Probe {
        Probe::new("hf_service", [self.name.full()])
    }
}

impl Resource for Service {
    fn subject(&self) -> String {
        format!("service {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        vec![self.probe()]
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let lines = Lines::of(seen, &probe)?;
        match lines.get("init") {
            "systemd" => Ok(judge::judge(self, &unit::Unit::parse(&lines)?, known)),
            "" => Err(lines.unreadable("no init in it")),
            other => Ok(Diff::blocked(
                format!("the host was not started by systemd but by {other}"),
                "this kind knows systemd only",
            )),
        }
    }

    fn mark_reload(&self) -> Option<Call> {
        let how = match self.on_change {
            OnChange::Reload => "reload",
            OnChange::Restart => "restart",
        };
        Some(Call::new(
            "hf_mark_reload",
            [self.name.full().as_str(), how],
        ))
    }

    fn can_cut(&self) -> bool {
        access::rests_on_unit(&self.name.full())
    }

    fn runs_things(&self) -> bool {
        true
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<UnitName>(&SHAPE, node, "name", out);
    if let Some(name) = SHAPE
        .text(node, "name")
        .filter(|name| is_template_unit(&name.text))
    {
        out.push(template_unit(&name.text).at(&name.place));
    }
}

fn is_template_unit(name: &str) -> bool {
    let name = name.trim();
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .ends_with('@')
        || name.ends_with('@')
}

fn template_unit(name: &str) -> Diagnostic {
    let instance = name.trim().replacen('@', "@INSTANCE", 1);
    Diagnostic::error(format!(
        "`{}` is a template of units, not a unit",
        name.trim()
    ))
    .hint(format!("name an instance: {instance}"))
}

fn render(
    node: &Node,
    scope: &Scope,
    frame: &StepFrame<'_>,
) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name: Option<UnitName> = fields.value("name");
    let (running, enabled) = (fields.value("running"), fields.value("enabled"));
    let on_change = match fields.text("on_change").as_deref().map(str::trim) {
        None | Some("reload") => OnChange::Reload,
        Some("restart") => OnChange::Restart,
        Some(other) => {
            fields.wrong(
                "on_change",
                Diagnostic::error(format!(
                    "`on_change` must be reload or restart, not `{other}`"
                )),
            );
            OnChange::Reload
        }
    };
    if let Some(name) = name.as_ref().filter(|name| is_template_unit(name.as_str())) {
        fields.wrong("name", template_unit(name.as_str()));
    }
    if running.is_none() && enabled.is_none() && frame.reload_on.is_empty() {
        let error = Diagnostic::error("the step says nothing about the service");
        fields.wrong(
            "name",
            error.hint("add `running: true`, `enabled: true`, or `reload_on` beside `service`"),
        );
    }
    let reload_on = frame.reload_on.to_vec();
    fields.finish(name.map(|name| Service {
        name,
        running,
        enabled,
        on_change,
        reload_on,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::template::Templates;
    use crate::yaml;

    fn said(text: &str, reload_on: &[String]) -> Vec<String> {
        let node = yaml::parse(&Source::new("t.yaml", text)).unwrap();
        let mut out = Diagnostics::new();
        check(&node, &mut out);
        let scope = Scope::new(&serde_json::json!({}), Templates::default());
        let frame = StepFrame {
            runbook: "t",
            reload_on,
        };
        if let Err(said) = render(&node, &scope, &frame) {
            out.append(said);
        }
        out.iter().map(|d| d.message.clone()).collect()
    }

    #[test]
    fn a_step_must_say_something_about_the_service() {
        assert_eq!(
            said("fail2ban", &[]),
            ["the step says nothing about the service"]
        );
        assert!(said("fail2ban", &["jail".to_owned()]).is_empty());
        assert!(said("{name: fail2ban, enabled: false}", &[]).is_empty());
    }

    #[test]
    fn names_that_are_no_units_are_mistakes() {
        assert!(!said("{name: 'a b', running: true}", &[]).is_empty());
        assert!(
            said("{name: getty@.service, running: true}", &[])[0].contains("template of units")
        );
        assert!(said("{name: 'getty@tty1', running: true}", &[]).is_empty());
        assert!(
            said("{name: x, running: true, on_change: reboot}", &[])[0]
                .contains("reload or restart")
        );
    }
}
