//! The change of a step: what is shown, the call that does it, and the call that takes it back.
//!
//! Two ways lead there. *Batch* (`hf_ufw_apply`) replaces both files and loads them in one
//! transaction of the kernel, in a tenth of a second and without a gap; it is the rule, also when
//! ufw is off: then the same files are written and nothing is loaded, so that what a dry run shows is
//! what comes. *Commands* (`hf_ufw_commands`) runs `ufw allow` and `ufw delete` one by one, where a
//! file must not be replaced (a symbolic link, a mount of its own, CR LF line ends).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::change::{Call, Change, Gives, Shown, Undo};
use crate::probe::{Digest, Probe};

use super::address::Family;
use super::kernel::Drift;
use super::tuple::Tuple;
use super::turnover::Turnover;

/// How the rules get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both files replaced, both families loaded, in one go.
    Batch,
    /// ufw's own commands.
    Commands,
}

/// One family in a change.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its rules.
    pub turnover: Turnover,
    /// The kernel must take them up; not so when ufw is off.
    pub load: bool,
}

/// The change that makes `parts` so. `tag` is the text of our comment.
pub fn change(parts: &[Part], tag: &str, way: Way, expects: Vec<Probe>) -> Change {
    let act = match way {
        Way::Batch => batch(parts),
        Way::Commands => commands(parts, tag),
    };
    rewritten(parts, summary(parts, tag), act, expects)
}

/// The change that makes `parts` so, whatever their rules are. `summary` says what it does.
pub fn edit(parts: &[Part], summary: String, expects: Vec<Probe>) -> Change {
    rewritten(parts, summary, batch(parts), expects)
}

fn rewritten(parts: &[Part], summary: String, act: Call, expects: Vec<Probe>) -> Change {
    let gives = written(parts).map(|part| Gives::File {
        path: part.turnover.before.family().file().to_owned(),
        content: Some(part.turnover.result().render()),
    });
    let gives: Vec<Gives> = gives.collect();
    let change = Change::new(summary, vec![shown(parts)], act, undo());
    change.expecting(expects).giving(gives)
}

/// Puts back the files that the action found, and loads them.
fn undo() -> Undo {
    Undo::Call(Call::new::<String>("hf_ufw_undo", []))
}

/// The change that only loads what the files say: the kernel lost rules of ours, or holds some that
/// are gone. `what` names them.
pub fn reload(parts: &[Part], what: &str, mut drift: Drift, expects: Vec<Probe>) -> Change {
    if drift.not_in_file.is_empty() && drift.not_loaded.is_empty() {
        drift
            .not_loaded
            .push("the same rules in the order of the file".to_owned());
    }
    let shown = Shown::Lines {
        what: "loaded rules".to_owned(),
        removed: drift.not_in_file,
        added: drift.not_loaded,
    };
    let summary = format!("load the firewall rules {what}: the kernel holds others");
    Change::new(summary, vec![shown], batch(parts), undo()).expecting(expects)
}

fn summary(parts: &[Part], tag: &str) -> String {
    let count = |of: fn(&Turnover) -> usize| parts.iter().map(|part| of(&part.turnover)).sum();
    let (added, removed): (usize, usize) = (count(|t| t.added.len()), count(|t| t.removed.len()));
    let rules = |n: usize| if n == 1 { "rule" } else { "rules" };
    match (added, removed) {
        (added, 0) => format!("add {added} firewall {} tagged {tag}", rules(added)),
        (0, removed) => format!("remove {removed} firewall {} tagged {tag}", rules(removed)),
        (added, removed) => {
            format!("add {added} and remove {removed} firewall rules tagged {tag}")
        }
    }
}

fn shown(parts: &[Part]) -> Shown {
    let texts = |of: fn(&Turnover) -> &Vec<Tuple>| {
        let rules = parts
            .iter()
            .flat_map(|part| of(&part.turnover).iter().map(move |rule| (part, rule)));
        rules.map(|(part, rule)| described(part, rule)).collect()
    };
    Shown::Lines {
        what: "firewall rules".to_owned(),
        removed: texts(|turnover| &turnover.removed),
        added: texts(|turnover| &turnover.added),
    }
}

/// With the family where no address tells it.
fn described(part: &Part, rule: &Tuple) -> String {
    let text = rule.describe();
    match part.turnover.before.family() {
        Family::V6 if !rule.names_an_address() => format!("{text} (IPv6)"),
        Family::V4 | Family::V6 => text,
    }
}

fn batch(parts: &[Part]) -> Call {
    let input: String = written(parts)
        .filter_map(|part| {
            let text = part.turnover.after.as_ref()?.render();
            Some(format!("{} {}\n", digit(part), BASE64.encode(text)))
        })
        .collect();
    Call::new("hf_ufw_apply", arguments(parts)).with_input(input)
}

fn commands(parts: &[Part], tag: &str) -> Call {
    let lines = |sign: char, of: fn(&Turnover) -> &Vec<Tuple>| -> String {
        let rules = parts
            .iter()
            .flat_map(|part| of(&part.turnover).iter().map(move |t| (part, t)));
        let lines = rules.map(|(part, tuple)| format!("{sign}{} {tuple}\n", digit(part)));
        lines.collect::<Vec<_>>().concat()
    };
    let input = lines('+', |turnover| &turnover.added) + &lines('-', |turnover| &turnover.removed);
    let mut arguments = arguments(parts);
    arguments.push(tag.to_owned());
    Call::new("hf_ufw_commands", arguments).with_input(input)
}

/// Digests of both files as the plan saw them, the families to write, the families to load.
fn arguments(parts: &[Part]) -> Vec<String> {
    let digest = |family: Family| {
        let part = parts
            .iter()
            .find(|part| part.turnover.before.family() == family);
        part.map_or_else(
            || "-".to_owned(),
            |part| Digest::of(&part.turnover.before.render()).to_string(),
        )
    };
    let load = parts.iter().filter(|part| part.load).map(digit);
    vec![
        digest(Family::V4),
        digest(Family::V6),
        written(parts).map(digit).collect::<Vec<_>>().join(" "),
        load.collect::<Vec<_>>().join(" "),
    ]
}

fn written(parts: &[Part]) -> impl Iterator<Item = &Part> {
    parts.iter().filter(|part| !part.turnover.is_empty())
}

fn digit(part: &Part) -> &'static str {
    match part.turnover.before.family() {
        Family::V4 => "4",
        Family::V6 => "6",
    }
}
