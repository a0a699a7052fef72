//! What earlier steps of a plan will make true, for the steps behind them.

use std::collections::BTreeMap;

use super::{Gives, StepNumber, Verdict};

/// What earlier steps of the same plan will make true: the prediction later steps are diffed against.
#[derive(Debug, Clone, Default)]
pub struct Known {
    packages: BTreeMap<String, StepNumber>,
    files: BTreeMap<String, (StepNumber, Option<Vec<u8>>)>,
    users: BTreeMap<String, (StepNumber, String)>,
    changed: BTreeMap<String, StepNumber>,
    unsure: BTreeMap<String, StepNumber>,
}

impl Known {
    /// Nothing is pending.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Takes in what a step (with its id, when it has one) will do.
    pub fn learn(&mut self, step: StepNumber, id: Option<&str>, verdict: &Verdict) {
        let unknown = matches!(verdict, Verdict::UnknownUntil { .. });
        if verdict.changes().is_empty() && !unknown {
            return;
        }
        let steps = if unknown {
            &mut self.unsure
        } else {
            &mut self.changed
        };
        steps.extend(id.map(|id| (id.to_owned(), step)));
        for gives in verdict.changes().iter().flat_map(|change| &change.gives) {
            match gives {
                Gives::Package(name) => {
                    self.packages.insert(name.clone(), step);
                }
                Gives::File { path, content } => {
                    if content.is_some() {
                        self.files.insert(path.clone(), (step, content.clone()));
                    }
                }
                Gives::Gone { path } => {
                    self.files.insert(path.clone(), (step, None));
                }
                Gives::User { name, home } => {
                    self.users.insert(name.clone(), (step, home.clone()));
                }
            }
        }
    }

    /// The step that will install this package.
    pub fn package(&self, name: &str) -> Option<StepNumber> {
        self.packages.get(name).copied()
    }

    /// The last step that will install any package: it may bring a missing unit, folder or program.
    pub fn any_package(&self) -> Option<StepNumber> {
        self.packages.values().max().copied()
    }

    /// What an earlier step will make of this file: its content, or `None` when it will be gone.
    pub fn file(&self, path: &str) -> Option<(StepNumber, Option<&[u8]>)> {
        let (step, content) = self.files.get(path)?;
        Some((*step, content.as_deref()))
    }

    /// The step that will create this user and the group of its name, and its home.
    pub fn user(&self, name: &str) -> Option<(StepNumber, &str)> {
        let (step, home) = self.users.get(name)?;
        Some((*step, home))
    }

    /// The step that will create the user whose home this is.
    pub fn home(&self, path: &str) -> Option<StepNumber> {
        let mut homes = self.users.values();
        homes.find_map(|(step, home)| (home == path).then_some(*step))
    }

    /// What earlier steps will make of the files below a folder (`/etc/ssh/`), by path.
    pub fn files_below(&self, folder: &str) -> impl Iterator<Item = (StepNumber, Option<&[u8]>)> {
        let below = self
            .files
            .iter()
            .filter(move |(path, _)| path.starts_with(folder));
        below.map(|(_, (step, content))| (*step, content.as_deref()))
    }

    /// Whether the step with this id will change something.
    pub fn will_change(&self, id: &str) -> bool {
        self.changed.contains_key(id)
    }

    /// The step with this id, when it will or may change something.
    pub fn changing_step(&self, id: &str) -> Option<StepNumber> {
        self.changed
            .get(id)
            .copied()
            .or_else(|| self.unsure_step(id))
    }

    /// The step with this id, when it cannot be known whether it will change something.
    pub fn unsure_step(&self, id: &str) -> Option<StepNumber> {
        self.unsure.get(id).copied()
    }

    /// Drops what was predicted, and keeps which steps changed something: after a step was done,
    /// the host itself says what is there.
    pub fn forget_predictions(&mut self) {
        self.packages.clear();
        self.files.clear();
        self.users.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Call, Change, Shown, Undo};

    fn change(gives: Gives) -> Verdict {
        let call = Call::new("hf_x", ["a"]);
        let undo = Undo::Impossible { why: "test".into() };
        let shown = vec![Shown::Run {
            argv: vec!["x".into()],
        }];
        Verdict::Change(vec![Change::new("x", shown, call, undo).giving([gives])])
    }

    #[test]
    fn later_steps_know_what_earlier_ones_bring() {
        let mut known = Known::nothing();
        known.learn(
            StepNumber(1),
            Some("pkg"),
            &change(Gives::Package("ufw".into())),
        );
        known.learn(StepNumber(2), None, &Verdict::Compliant);
        assert_eq!(known.package("ufw"), Some(StepNumber(1)));
        assert!(known.will_change("pkg"));
        assert_eq!(known.package("nginx"), None);
    }

    #[test]
    fn a_user_is_known_with_its_home_until_the_step_is_done() {
        let mut known = Known::nothing();
        let (name, home) = ("ops".to_owned(), "/home/ops".to_owned());
        known.learn(StepNumber(3), None, &change(Gives::User { name, home }));
        assert_eq!(known.user("ops"), Some((StepNumber(3), "/home/ops")));
        known.forget_predictions();
        assert_eq!(known.user("ops"), None);
    }
}
