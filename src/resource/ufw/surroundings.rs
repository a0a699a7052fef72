//! What ufw is set to beyond its rules, and what the kernel holds of that: the answers of
//! `hf_ufw_settings` and `hf_ufw_policies`.

use crate::probe::{Answers, ParseError, Probe};
use crate::resource::Lines;
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::kernel::Chains;

use super::policy::{Level, Policies, Policy, Way};

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
    /// Programs that ufw runs when it starts.
    pub hooks: Vec<String>,
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
    /// Reads the answer.
    pub(super) fn parse(seen: &Answers) -> Result<Self, ParseError> {
        let probe = settings_probe();
        let lines = Lines::of(seen, &probe)?;
        let all = |key| lines.all(key).map(str::to_owned).collect::<Vec<String>>();
        let mut policies = Vec::new();
        for way in Way::ALL {
            let target = lines.get(&format!("policy.{}", way.chain())).to_owned();
            let policy = Policy::from_target(&target);
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
        Ok(Self {
            policies: Policies([incoming, outgoing, routed]),
            level: Level::from_word(&lines.get("loglevel").to_ascii_lowercase()),
            manages_builtins: lines.get("builtins").eq_ignore_ascii_case("yes"),
            fixed: all("fixed"),
            broken: all("broken"),
            tables: all("table"),
            hooks: all("hook"),
            unit: lines.get("unit").to_owned(),
            nftables: lines.get("nftables").to_owned(),
            sysctls: lines.all("sysctl").filter_map(sysctl).collect(),
            containers: all("containers"),
        })
    }

    /// Right after the package is installed.
    pub(super) fn of_the_package() -> Self {
        Self {
            policies: Policies([Policy::Deny, Policy::Allow, Policy::Deny]),
            level: Some(Level::Low),
            manages_builtins: false,
            fixed: Vec::new(),
            broken: Vec::new(),
            tables: Vec::new(),
            hooks: Vec::new(),
            unit: "enabled".to_owned(),
            nftables: String::new(),
            sysctls: Vec::new(),
            containers: Vec::new(),
        }
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
