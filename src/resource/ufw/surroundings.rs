//! What ufw is set to beyond its rules, and what the kernel holds of that: the answers of
//! `hf_ufw_settings` and `hf_ufw_policies`.

use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::kernel::Chains;

use super::policy::{Level, Policies, Policy, Way};

/// The policies of the package, in the order of [`Way::ALL`].
const USUAL: [Policy; 3] = [Policy::Deny, Policy::Allow, Policy::Deny];

/// The question for the settings.
pub(super) fn settings_probe() -> Probe {
    Probe::new::<String>("hf_ufw_settings", [])
}

/// The question for the kernel's policies.
pub(super) fn policies_probe() -> Probe {
    Probe::new::<String>("hf_ufw_policies", [])
}

/// What ufw is set to, and what it would touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The policies in `/etc/default/ufw`.
    pub policies: Policies,
    /// The log level; `None` when ufw would not know it.
    pub level: Option<Level>,
    /// `MANAGE_BUILTINS=yes`: starting ufw takes away everybody's rules.
    pub manages_builtins: bool,
    /// Settings files that cannot be replaced.
    pub fixed: Vec<String>,
    /// Files beside the rules that are missing or cut.
    pub broken: Vec<String>,
    /// Tables other than `filter` in such files, with the file in front.
    pub tables: Vec<String>,
    /// Rules in such files that keep packets out before any rule of the user is asked, with the file in front.
    pub drops: Vec<String>,
    /// Programs that ufw runs when it starts.
    pub hooks: Vec<String>,
    /// The package is still to come.
    pub pending: bool,
    /// Whether the unit is enabled, in systemd's words; empty without systemd.
    pub unit: String,
    /// The same for nftables' own.
    pub nftables: String,
    /// Settings of the kernel that ufw makes: path, value now, value then.
    pub sysctls: Vec<[String; 3]>,
    /// Docker, Kubernetes.
    pub containers: Vec<String>,
}

impl Surroundings {
    /// Reads the answer. `pending`: the package is still to come, and brings what is not there yet.
    pub(super) fn parse(seen: &Answers, pending: bool) -> Result<Self, ParseError> {
        let probe = settings_probe();
        let lines = Lines::of(seen, &probe)?;
        let all = |key| lines.all(key).map(str::to_owned).collect::<Vec<String>>();
        let mut policies = Vec::new();
        for (way, usual) in Way::ALL.into_iter().zip(USUAL) {
            let target = lines.get(&format!("policy.{}", way.chain())).to_owned();
            let absent = pending && target.is_empty();
            let policy = if absent {
                Some(usual)
            } else {
                Policy::from_target(&target)
            };
            let why = || format!("the policy of {} is {target:?}", way.key());
            policies.push(policy.ok_or_else(|| lines.unreadable(why()))?);
        }
        let [incoming, outgoing, routed] = policies[..] else {
            return Err(lines.unreadable("a policy is missing"));
        };
        let sysctl = |line: &str| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            Some([words.next()?, words.next()?, words.next()?])
        };
        let level = match lines.get("loglevel").to_ascii_lowercase().as_str() {
            "" if pending => Some(Level::Low),
            word => Level::from_word(word),
        };
        let of_the_package = |found: Vec<String>| if pending { Vec::new() } else { found };
        let unit = if pending {
            "enabled"
        } else {
            lines.get("unit")
        };
        Ok(Self {
            policies: Policies([incoming, outgoing, routed]),
            level,
            manages_builtins: lines.get("builtins").eq_ignore_ascii_case("yes"),
            fixed: of_the_package(all("fixed")),
            broken: of_the_package(all("broken")),
            tables: all("table"),
            drops: all("drops"),
            hooks: all("hook"),
            pending,
            unit: unit.to_owned(),
            nftables: lines.get("nftables").to_owned(),
            sysctls: lines.all("sysctl").filter_map(sysctl).collect(),
            containers: all("containers"),
        })
    }
}

/// The policies, and the chains that carry them out, of each family.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    v4: Chains,
    v6: Chains,
}

impl Loaded {
    /// Reads the answer; empty when ufw is off.
    pub(super) fn parse(seen: &Answers) -> Result<Self, ParseError> {
        let text = seen.get(&policies_probe())?.text().into_owned();
        let mut loaded = Self::default();
        for section in text.split("family=").skip(1) {
            match section.split_once('\n') {
                Some(("v4", lines)) => loaded.v4 = Chains::parse(lines),
                Some(("v6", lines)) => loaded.v6 = Chains::parse(lines),
                _ => {}
            }
        }
        Ok(loaded)
    }

    /// Of a family.
    pub(super) fn of(&self, family: Family) -> &Chains {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}
