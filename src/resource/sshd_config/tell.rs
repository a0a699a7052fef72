//! What is told beside the change: values in effect, and what others say.

use std::collections::BTreeSet;

use super::MAIN;
use super::directive::{Directive, directives};
use super::judge::Case;
use super::listen::Spot;
use super::setting::Setting;
use super::trial::{self, Trial};
use crate::change::{Note, Shown};

impl Case<'_> {
    /// The settings that sshd shows, with the name under which it does.
    fn shown(&self) -> impl Iterator<Item = (&Setting, &Trial, String)> {
        let trial = self.trial.into_iter();
        trial.flat_map(|trial| {
            let settings = self
                .config
                .settings
                .iter()
                .filter(|setting| trial.knows(setting));
            settings.filter_map(move |setting| Some((setting, trial, trial.name(setting)?)))
        })
    }

    /// Values in effect that change: those of the settings, and what else follows from the files.
    pub(super) fn values(&self) -> Vec<Shown> {
        let own = self.own.as_deref().filter(|_| self.predicted);
        let own = directives(&[], MAIN, (MAIN, own));
        let now = self.sshd.now.as_deref().unwrap_or_default();
        let shown = self.shown().filter_map(|(setting, trial, name)| {
            let predicted = own.iter().find(|line| line.keyword == setting.key());
            let before = predicted.map_or_else(
                || trial::values(now, &name).join(" "),
                |line| line.args.clone(),
            );
            let after = trial.after(&name).join(" ");
            (before != after).then(|| property(&setting.keyword, before, after))
        });
        shown.chain(self.side_effects(now)).collect()
    }

    /// A setting that is no longer ours falls back to what others say. With an earlier step in between
    /// there is no "now" to compare with; ports and addresses are told on their own.
    fn side_effects(&self, now: &[String]) -> Vec<Shown> {
        let Some(trial) = self.trial.filter(|_| !self.predicted) else {
            return Vec::new();
        };
        let told: BTreeSet<String> = self.shown().map(|(_, _, name)| name).collect();
        let names: BTreeSet<&str> = now.iter().filter_map(|line| name_of(line)).collect();
        let other = names
            .into_iter()
            .filter(|name| !told.contains(*name) && !matches!(*name, "port" | "listenaddress"));
        let changed = other.filter_map(|name| {
            let [before, after] = [trial::values(now, name), trial.after(name)];
            (before != after).then(|| property(name, before.join(" "), after.join(" ")))
        });
        changed.collect()
    }

    /// The lines that `sshd -T` must show afterwards.
    pub(super) fn effective(&self, listeners: Option<&BTreeSet<Spot>>) -> Vec<String> {
        let spots = listeners.into_iter().flatten();
        let spots = spots.map(|spot| format!("listenaddress {spot}"));
        let settings = self.shown().flat_map(|(_, trial, name)| {
            let values: Vec<String> = trial
                .wanted(&name)
                .iter()
                .map(|value| format!("{name} {value}"))
                .collect();
            values
        });
        spots.chain(settings).collect()
    }

    /// What the operator should know beside the change.
    pub(super) fn notes(&self) -> Vec<Note> {
        let settings = self.config.settings.iter();
        let unsure = settings.filter_map(|setting| self.unsure(setting));
        unsure
            .chain(self.others())
            .chain(self.ephemeral())
            .collect()
    }

    /// A setting that does not count, or of which that cannot be told.
    fn unsure(&self, setting: &Setting) -> Option<Note> {
        let (version, keyword) = (&self.sshd.version, &setting.keyword);
        if self.left_out(setting) {
            return Some(Note::info(format!(
                "{version} does not know {keyword}: left out"
            )));
        }
        let shown = self.trial.is_none_or(|trial| trial.name(setting).is_some());
        (!shown).then(|| {
            Note::warning(format!(
                "{version} shows no value of {keyword}: whether it counts cannot be told"
            ))
        })
    }

    /// Ports that an outgoing connection may have at the wrong moment.
    fn ephemeral(&self) -> Vec<Note> {
        let within = |port: &u16| {
            let range = self.sshd.ephemeral;
            range.is_some_and(|(from, to)| (from..=to).contains(port))
        };
        let ports = self.config.ports.iter().flatten().map(|port| port.get());
        let note = |port: u16| {
            Note::warning(format!(
                "port {port} is among those for outgoing connections (net.ipv4.ip_local_port_range): \
                 one of them may have it when sshd starts"
            ))
        };
        ports.filter(within).map(note).collect()
    }

    /// Lines of others that say something else for some, or add to ours.
    fn others(&self) -> Vec<Note> {
        let all = self.directives(self.own.as_deref(), self.main.as_deref());
        let ours = |line: &&Directive| line.path == self.config.path.as_str();
        let mut notes = Vec::new();
        for line in all.iter().filter(|line| !ours(line)) {
            let same_key = |setting: &&Setting| setting.key() == line.keyword;
            let Some(setting) = self.config.settings.iter().find(same_key) else {
                continue;
            };
            let says = format!("{} says `{} {}`", line.place(), setting.keyword, line.args);
            match &line.condition {
                Some(condition) if !line.args.eq_ignore_ascii_case(&setting.value()) => {
                    notes.push(Note::warning(format!(
                        "{says} for `Match {condition}`: there it stays so"
                    )));
                }
                None if setting.is_cumulative() => {
                    notes.push(Note::warning(format!("{says}: that counts as well")));
                }
                Some(_) | None => {}
            }
        }
        notes
    }
}

/// The keyword of a line of `sshd -T`.
fn name_of(line: &str) -> Option<&str> {
    line.split_once(' ').map(|(name, _)| name)
}

/// A value in effect.
pub(super) fn property(name: &str, before: String, after: String) -> Shown {
    Shown::Property {
        name: name.to_owned(),
        before,
        after,
    }
}
