//! What a host does beyond what lies in its files: where it listens, its units, the rules in its kernel, and the
//! kernel's own settings.

use std::collections::BTreeSet;

use crate::support::lab::LabHost;

/// A line for each thing. Units of logins, of the bus and of timers' own work come and go by themselves, and tables
/// without a rule are made by looking at them.
const LOOK: &str = r#"
    ss -Hlntu | awk '{ print "port", $1, $5 }'
    systemctl list-units --no-legend --no-pager --plain --state=active,failed --type=service,socket,timer,path,mount |
        awk '{ print "unit", $1, $3 }' |
        grep -v -e '^unit user' -e '^unit run-user' -e '^unit systemd-' -e '^unit apt-' -e '^unit dpkg-' -e '^unit e2scrub' -e '^unit logrotate'
    systemctl list-unit-files --no-legend --no-pager | awk '{ print "boot", $1, $2 }' | grep -v -e ' transient$' -e ' generated$'
    for save in iptables-save ip6tables-save; do
        $save 2>/dev/null | sed -n -e "s/^-A /rule $save -A /p" -e "s/^:\([A-Z]*\) DROP.*/rule $save -P \1 DROP/p"
    done
    sysctl -a 2>/dev/null | grep -e '^net\.' -e '^kernel\.[a-z_]*_restrict' -e '^fs\.protected' | grep -v nf_conntrack_count | sed 's/^/sysctl /'
"#;

/// All of that at one time.
#[derive(Debug, PartialEq, Eq)]
pub struct Live(BTreeSet<String>);

impl Live {
    #[track_caller]
    pub fn of(host: &LabHost<'_>) -> Self {
        let found = host.sh(LOOK);
        let lines: BTreeSet<String> = found.lines().map(str::to_owned).collect();
        for kind in ["port ", "unit ", "boot ", "sysctl "] {
            assert!(
                lines.iter().any(|line| line.starts_with(kind)),
                "no {kind}was seen:\n{found}"
            );
        }
        Self(lines)
    }

    /// What came and what went: `+` or `-`, and the line.
    pub fn differences(&self, later: &Self) -> Vec<(char, String)> {
        let gone = self.0.difference(&later.0).map(|line| ('-', line.clone()));
        let come = later.0.difference(&self.0).map(|line| ('+', line.clone()));
        gone.chain(come).collect()
    }
}
