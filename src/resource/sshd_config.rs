//! The kind `sshd_config`: settings and ports of the SSH server, in a drop-in of our own that is named to win.
//!
//! ```yaml
//! sshd_config:
//!   drop_in: 00-holdfast-port.conf
//!   ports: [22, 2222]
//!   settings: { MaxAuthTries: 4 }
//! ```
//!
//! What counts is what sshd makes of all its files (`sshd -T`) and where it listens (`ss`), not what the
//! drop-in says. The survey asks sshd about the configuration as it would be, through a pipe; so the plan
//! shows the values in effect, and what sshd would refuse is refused before anything is touched. Values of
//! the global section only: `Match` blocks of others are reported where they say something else.

use super::file::File;
use super::{Fields, Kind, Lines, Resource, StepFrame, check_constant};
use crate::change::{Diff, Known};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::probe::{Answers, ParseError, Probe};
use crate::shape::{Field, Shape, Ty};
use crate::template::{Scope, Text};
use crate::value::{AbsolutePath, Port};
use crate::yaml::Node;

mod setting;
mod directive;
mod look;
mod trial;
mod listen;
mod drop_in;
mod action;
mod obstacle;
mod tell;
mod judge;
mod lockout;

use setting::Setting;

/// The row of the table of kinds.
pub const KIND: Kind = Kind {
    key: "sshd_config",
    help: "Ports and settings of the SSH server, in a drop-in of our own.",
    shape: &SHAPE,
    guarded: true,
    check,
    render,
};

const SHAPE: Shape = Shape {
    name: "an sshd configuration",
    fields: &[
        Field::required(
            "drop_in",
            Ty::Text,
            "The name of our file below /etc/ssh/sshd_config.d, such as 00-holdfast.conf. For nearly all \
             keywords the first file wins.",
        ),
        Field::optional(
            "ports",
            Ty::Texts,
            "All ports that sshd shall listen on: every other one is closed.",
        ),
        Field::optional(
            "settings",
            Ty::Values,
            "Keywords with a value, or with a list of values. An empty value leaves the keyword out.",
        ),
        Field::optional(
            "when_known",
            Ty::Texts,
            "Keywords that are left out where this sshd is too old or too new to know them.",
        ),
        Field::optional(
            "login_unproven",
            Ty::Bool,
            "Go on, with a warning, when it cannot be told that we still get in (see `login`).",
        ),
    ],
    shorthand: None,
};

/// Where the main file is, and the folder of drop-ins that Debian's main file includes first.
const MAIN: &str = "/etc/ssh/sshd_config";
const FOLDER: &str = "/etc/ssh/sshd_config.d";

/// What sshd should be told on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdConfig {
    /// The name of the drop-in.
    name: String,
    /// The same as a path.
    path: AbsolutePath,
    /// The main file, of which lines about ports may have to go.
    main: AbsolutePath,
    /// Ascending, without repetition; `None`: the ports are not our business.
    ports: Option<Vec<Port>>,
    settings: Vec<Setting>,
    when_known: Vec<String>,
    login_unproven: bool,
}

impl SshdConfig {
    /// Everything about sshd, and who else has the ports we want.
    fn probe(&self) -> Probe {
        let ports = self.ports.iter().flatten().map(Port::to_string);
        Probe::new("hf_sshd", [self.name.clone()].into_iter().chain(ports))
    }

    /// What sshd makes of the settings.
    fn trial_probe(&self) -> Option<Probe> {
        let words = [self.name.clone(), self.settings_text()];
        (!self.settings.is_empty()).then(|| {
            Probe::new(
                "hf_sshd_trial",
                words.into_iter().chain(self.when_known.iter().cloned()),
            )
        })
    }

    /// The settings as lines of a configuration, those of `when_known` included.
    fn settings_text(&self) -> String {
        let lines: Vec<String> = self.settings.iter().map(Setting::line).collect();
        lines.join("\n")
    }

    /// Our drop-in, and the main file, with these texts, as the kind `file` sees them.
    fn files(&self, drop_in: &str, main: &str) -> [File; 2] {
        [
            File::of_text(self.path.clone(), drop_in.to_owned()),
            File::of_text(self.main.clone(), main.to_owned()),
        ]
    }
}

impl Resource for SshdConfig {
    fn subject(&self) -> String {
        format!("sshd_config {}", self.name)
    }

    fn probes(&self) -> Vec<Probe> {
        let files = self.files("", "");
        let files = files.iter().flat_map(Resource::probes);
        let own = [self.probe()].into_iter().chain(files);
        let login = lockout::check(self).map(|check| check.probe());
        own.chain(self.trial_probe()).chain(login).collect()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let probe = self.probe();
        let look = look::Look::parse(&Lines::of(seen, &probe)?)?;
        let trial = match self.trial_probe() {
            Some(probe) => Some(trial::Trial::parse(&Lines::of(seen, &probe)?)),
            None => None,
        };
        let diff = judge::judge(self, &look, trial.as_ref(), seen, known)?;
        lockout::gate(self, diff, seen)
    }
}

fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Port>(&SHAPE, node, "ports", out);
    if let Some(name) = SHAPE.text(node, "drop_in").filter(Text::is_constant)
        && let Err(why) = drop_in::check_name(name.text.trim())
    {
        out.push(bad_name(&name.text, why).at(&name.place));
    }
    if let Some(settings) = SHAPE.get(node, "settings") {
        setting::check(settings, out);
    }
    if SHAPE.get(node, "ports").is_none() && SHAPE.get(node, "settings").is_none() {
        out.push(says_nothing().at(&node.place));
    }
}

fn bad_name(name: &str, why: &str) -> Diagnostic {
    Diagnostic::error(format!("`{}` is no name for a drop-in: {why}", name.trim()))
        .hint("such as 00-holdfast.conf: letters, digits, `-`, `_` and `.`, with .conf at the end")
}

fn says_nothing() -> Diagnostic {
    Diagnostic::error("the step says nothing about sshd").hint("add `ports` or `settings`")
}

fn render(node: &Node, scope: &Scope, _: &StepFrame<'_>) -> Result<Box<dyn Resource>, Diagnostics> {
    let mut fields = Fields::new(&SHAPE, node, scope);
    let name = fields
        .text("drop_in")
        .map_or_else(String::new, |name| name.trim().to_owned());
    if let Err(why) = drop_in::check_name(&name) {
        fields.wrong("drop_in", bad_name(&name, why));
    }
    let ports = ports(&mut fields);
    let settings = SHAPE
        .get(node, "settings")
        .map_or_else(Vec::new, |settings| {
            setting::render(settings, scope, &mut fields)
        });
    if ports.is_none() && SHAPE.get(node, "settings").is_none() {
        fields.wrong("drop_in", says_nothing());
    }
    let when_known = fields.items("when_known").unwrap_or_default();
    let when_known = when_known
        .into_iter()
        .map(|word| word.text.trim().to_owned())
        .collect();
    let login_unproven = fields.flag("login_unproven");
    let paths = (format!("{FOLDER}/{name}").parse().ok()).zip(MAIN.parse().ok());
    fields.finish(paths.map(|(path, main)| SshdConfig {
        name,
        path,
        main,
        ports,
        settings,
        when_known,
        login_unproven,
    }))
}

/// The ports, ascending; a list of none is a mistake, for sshd would listen on 22.
fn ports(fields: &mut Fields<'_>) -> Option<Vec<Port>> {
    let items = fields.items("ports")?;
    let mut ports = Vec::new();
    for item in &items {
        match item.text.trim().parse::<Port>() {
            Ok(port) => ports.push(port),
            Err(error) => {
                let message = format!("`{}` is not valid: {error}", item.text.trim());
                fields.wrong("ports", Diagnostic::error(message));
            }
        }
    }
    if items.is_empty() {
        let error = Diagnostic::error("`ports` names no port");
        fields.wrong(
            "ports",
            error.hint("leave the key out to leave the ports as they are"),
        );
    }
    ports.sort_unstable();
    ports.dedup();
    Some(ports)
}
