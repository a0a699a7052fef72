//! The firewall as a whole: what a step asks of it, and which of its settings are not so.

use crate::change::{Diff, Known, Shown};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::ufw_rules::exposure::SshAccess;
use crate::resource::ufw_rules::look::{self, Look};
use crate::resource::{Fields, Resource};
use crate::yaml::Node;

use super::closing;
use super::policy::{Level, Policies, Policy, Way};
use super::surroundings::{self, Loaded, Surroundings};
use super::switch;

/// The keys of a step that are settings of the firewall.
const KEYS: [&str; 6] = [
    "enabled",
    "incoming",
    "outgoing",
    "routed",
    "logging",
    "beside_containers",
];

/// The settings that a step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub enabled: Option<bool>,
    pub policies: [Option<Policy>; 3],
    pub level: Option<Level>,
    pub beside_containers: bool,
}

/// The firewall of one host.
#[derive(Debug, Clone)]
pub(super) struct Firewall {
    pub settings: Settings,
    /// Our own way in. `None` for a local connection.
    pub access: Option<SshAccess>,
}

/// Whether a step names one of them.
pub(super) fn is_given(node: &Node) -> bool {
    KEYS.iter().any(|key| node.get(key).is_some())
}

impl Settings {
    /// Reads the fields of a step; `None` when a word makes no sense.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut policies = [None; 3];
        for (policy, way) in policies.iter_mut().zip(Way::ALL) {
            *policy = super::rule::optional_word(fields, way.key(), Policy::from_word)?;
        }
        Some(Self {
            enabled: fields.value("enabled"),
            policies,
            level: super::rule::optional_word(fields, "logging", Level::from_word)?,
            beside_containers: fields.flag("beside_containers"),
        })
    }

    /// The ways whose policy is named.
    fn ways(&self) -> impl Iterator<Item = (Way, Policy)> {
        let pairs = Way::ALL.into_iter().zip(self.policies);
        pairs.filter_map(|(way, policy)| Some((way, policy?)))
    }

    /// The ways whose policy the kernel must carry out: a ufw that is on does so for all of them.
    pub(super) fn in_force(&self, now: Policies) -> impl Iterator<Item = (Way, Policy)> {
        let (on, then) = (self.enabled == Some(true), self.over(now));
        let named = move |(way, policy): (Way, Option<Policy>)| {
            (on || policy.is_some()).then(|| (way, then.of(way)))
        };
        Way::ALL.into_iter().zip(self.policies).filter_map(named)
    }

    /// The policies as they will be.
    pub(super) fn over(&self, now: Policies) -> Policies {
        let mut policies = now.0;
        for (policy, named) in policies.iter_mut().zip(self.policies) {
            *policy = named.unwrap_or(*policy);
        }
        Policies(policies)
    }

    /// The lines of the settings files that are not so, as `FILE:KEY=VALUE`, and how they are shown.
    pub(super) fn assignments(&self, now: &Surroundings) -> (Vec<String>, Vec<Shown>) {
        let (mut lines, mut shown) = (Vec::new(), Vec::new());
        for (way, policy) in self.ways() {
            let before = now.policies.of(way);
            if before != policy {
                let (chain, target) = (way.chain(), policy.target());
                lines.push(format!(
                    "/etc/default/ufw:DEFAULT_{chain}_POLICY=\"{target}\""
                ));
                shown.push(property(
                    &format!("default {}", way.key()),
                    before.word(),
                    policy.word(),
                ));
            }
        }
        if let Some(level) = self.level.filter(|level| now.level != Some(*level)) {
            lines.push(format!("/etc/ufw/ufw.conf:LOGLEVEL={}", level.word()));
            let before = now.level.map_or("unknown", Level::word);
            shown.push(property("logging", before, level.word()));
        }
        (lines, shown)
    }
}

/// A property that changes.
pub(super) fn property(name: &str, before: &str, after: &str) -> Shown {
    Shown::Property {
        name: name.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    }
}

impl Resource for Firewall {
    fn subject(&self) -> String {
        "ufw".to_owned()
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = expects();
        probes.extend([look::around_probe(), closing::probe()]);
        probes
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        let Some(look) = Look::parse(seen, known)? else {
            return Ok(match self.settings.enabled {
                Some(false) => Diff::compliant(),
                Some(true) | None => Diff::blocked(
                    "ufw is not installed",
                    "put a step with `package: ufw` before this one",
                ),
            });
        };
        let pending = seen
            .get(&look::files_probe())?
            .text()
            .starts_with("installed=no");
        let around = Surroundings::parse(seen, pending)?;
        let listening = closing::parse(seen)?;
        let loaded = Loaded::parse(seen)?;
        Ok(switch::judge(self, &look, &around, &loaded, &listening))
    }
}

/// What the host must still answer when the change is made.
pub(super) fn expects() -> Vec<Probe> {
    vec![
        look::files_probe(),
        look::kernel_probe(),
        surroundings::settings_probe(),
        surroundings::policies_probe(),
    ]
}
