//! The checks of a run, brought together over its hosts.

use super::line::Line;
use super::style::{Sign, Style, Tone};
use super::words::{hosts, joined, listed};
use crate::event::Proof;

/// The checks so far, in the order in which each was first made.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks(Vec<Check>);

#[derive(Debug, Clone)]
struct Check {
    name: String,
    outcomes: Vec<(Proof, Vec<String>)>,
}

impl Checks {
    /// Keeps a check of a host.
    pub(super) fn add(&mut self, host: &str, name: &str, proof: &Proof) {
        let at = self.0.iter().position(|check| check.name == name);
        let at = at.unwrap_or_else(|| {
            self.0.push(Check {
                name: name.to_owned(),
                outcomes: Vec::new(),
            });
            self.0.len() - 1
        });
        let outcomes = &mut self.0[at].outcomes;
        match outcomes.iter_mut().find(|(known, _)| known == proof) {
            Some((_, hosts)) => hosts.push(host.to_owned()),
            None => outcomes.push((proof.clone(), vec![host.to_owned()])),
        }
    }

    /// All checks; nothing when none was made. What is not so stands first within a check.
    pub(super) fn lines(&self, style: &Style) -> Vec<Line> {
        let lines = self.0.iter().flat_map(|check| check.lines(style));
        let mut lines: Vec<Line> = lines.map(|line| line.indented(2)).collect();
        if !lines.is_empty() {
            let head = [Line::new(), Line::of(Tone::Strong, "Checks")];
            lines.splice(0..0, head);
            lines.push(Line::new());
        }
        lines
    }
}

impl Check {
    fn lines(&self, style: &Style) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut so: Vec<(&str, &[String])> = Vec::new();
        for (proof, on) in &self.outcomes {
            match proof {
                Proof::Yes { seen } => so.push((seen, on)),
                Proof::No { .. } => lines.insert(0, one(&self.name, proof, Some(on), style)),
                Proof::CouldNotTell { .. } => lines.push(one(&self.name, proof, Some(on), style)),
            }
        }
        lines.extend(self.agreed(&so, style));
        lines
    }

    /// The hosts where it is so. What was seen is told when all saw the same.
    fn agreed(&self, so: &[(&str, &[String])], style: &Style) -> Option<Line> {
        let all: Vec<&String> = so.iter().flat_map(|(_, on)| on.iter()).collect();
        if all.is_empty() {
            return None;
        }
        let on = if self.outcomes.len() > so.len() {
            listed(&all, style.width.map(|width| width / 2))
        } else {
            hosts(all.len())
        };
        let seen = match so {
            [(seen, _)] if !seen.is_empty() => format!(": {seen}"),
            [] | [_, ..] => String::new(),
        };
        let told = format!("{}yes on {on}{seen}", style.sign(Sign::Dot));
        let so = Proof::Yes {
            seen: String::new(),
        };
        Some(one(&self.name, &so, None, style).push(Tone::Dim, told))
    }
}

/// One outcome of a check: `✗ The jail answers · no on web-2: 5 instead of 3`.
pub(super) fn one(name: &str, proof: &Proof, on: Option<&[String]>, style: &Style) -> Line {
    let (sign, tone, word, seen) = match proof {
        Proof::Yes { seen } => (style.sign(Sign::Good), Tone::Good, "yes", seen),
        Proof::No { seen } => (style.sign(Sign::Bad), Tone::Bad, "no", seen),
        Proof::CouldNotTell { why } => ("?", Tone::Warn, "could not tell", why),
    };
    let mut line = Line::of(tone, sign)
        .push(Tone::Plain, format!(" {name}"))
        .hanging(2);
    let on = on
        .map(|on| format!(" on {}", joined(on)))
        .unwrap_or_default();
    let told = match proof {
        Proof::Yes { .. } => seen.clone(),
        Proof::No { .. } | Proof::CouldNotTell { .. } => format!("{word}{on}: {seen}"),
    };
    let tone = match proof {
        Proof::Yes { .. } => Tone::Dim,
        Proof::No { .. } | Proof::CouldNotTell { .. } => tone,
    };
    if !told.is_empty() {
        line = line.push(Tone::Dim, style.sign(Sign::Dot)).push(tone, told);
    }
    line
}
