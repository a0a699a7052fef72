//! The answers of `hf_packages` and `hf_apt_weather`.

use super::simulation::{self, Install};
use crate::probe::ParseError;
use crate::resource::Lines;

/// What dpkg has and what apt would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// There is neither dpkg nor apt.
    pub(super) no_apt: bool,
    /// Named packages that are not installed.
    pub(super) wanted: Vec<String>,
    /// Packages on hold.
    pub(super) held: Vec<String>,
    /// The lines of the simulation, for the host to compare.
    pub(super) simulated: Vec<String>,
    pub(super) installs: Vec<Install>,
    pub(super) removes: Vec<String>,
    /// What apt said when it found no way.
    pub(super) refused: Option<Vec<String>>,
}

impl Look {
    /// Reads the answer of `hf_packages`.
    pub(super) fn parse(lines: &Lines<'_>) -> Result<Self, ParseError> {
        let all = |key: &'static str| lines.all(key).map(str::to_owned).collect::<Vec<_>>();
        let simulated = all("sim");
        let mut installs = Vec::new();
        let mut removes = Vec::new();
        for line in &simulated {
            match (simulation::install(line), simulation::removal(line)) {
                (Some(install), _) => installs.push(install),
                (None, Some(name)) => removes.push(name.to_owned()),
                (None, None) => return Err(lines.unreadable(format!("apt said {line:?}"))),
            }
        }
        let wanted = all("want");
        let refused = match lines.get("sim_status") {
            "" if wanted.is_empty() => None,
            "0" => None,
            "" => return Err(lines.unreadable("the simulation is missing")),
            _ => Some(all("said")),
        };
        Ok(Self {
            no_apt: lines.get("apt") == "missing",
            wanted,
            held: all("hold"),
            simulated,
            installs,
            removes,
            refused,
        })
    }
}

/// Passing things that are worth a remark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// Who holds the package lock.
    pub(super) lock: Option<String>,
    /// Packages that dpkg left half done, as "nginx (half-configured)".
    pub(super) broken: Vec<String>,
    /// dpkg was killed in the middle.
    pub(super) interrupted: bool,
    pub(super) lists_missing: bool,
    /// The day of the last update, when it is more than a week ago.
    pub(super) old: Option<String>,
}

impl Weather {
    /// Reads the answer of `hf_apt_weather`.
    pub(super) fn parse(lines: &Lines<'_>) -> Self {
        let some = |key: &str| Some(lines.get(key).to_owned()).filter(|value| !value.is_empty());
        Self {
            lock: some("lock"),
            broken: lines.all("broken").filter_map(broken).collect(),
            interrupted: lines.is("interrupted"),
            lists_missing: lines.get("lists") == "missing",
            old: some("updated").filter(|_| lines.is("old")),
        }
    }
}

/// In words; waiting for triggers is no damage: the next dpkg that runs takes care of it.
fn broken(line: &str) -> Option<String> {
    let (name, state) = line.split_once(' ')?;
    let state = state.trim_end();
    let word = match (state.chars().nth(1), state.chars().nth(2)) {
        (_, Some('R')) => "must be installed again",
        (Some('U'), _) => "unpacked, not configured",
        (Some('F'), _) => "half-configured",
        (Some('H'), _) => "half-installed",
        (Some('t' | 'W'), _) => return None,
        (_, _) => "in an unknown state",
    };
    Some(format!("{name} ({word})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Answer, Answers, Probe};
    use proptest::prelude::*;

    fn parsed<T>(output: &str, parse: impl Fn(&Lines<'_>) -> T) -> T {
        let probe = Probe::new("hf_packages", ["no-recommends", "ufw"]);
        let answer = Answer {
            status: 0,
            output: output.as_bytes().to_vec(),
        };
        let seen = Answers::from_iter([(probe.clone(), answer)]);
        parse(&Lines::of(&seen, &probe).unwrap())
    }

    #[test]
    fn packages_left_half_done_are_named_and_pending_triggers_are_not() {
        let answer = "broken=nginx iF \nbroken=man-db it \nbroken=x iHR\n";
        let broken = parsed(answer, Weather::parse).broken;
        assert_eq!(
            broken,
            ["nginx (half-configured)", "x (must be installed again)"]
        );
    }

    #[test]
    fn a_wanted_package_without_a_simulation_is_unreadable() {
        assert!(parsed("want=ufw\n", Look::parse).is_err());
        assert!(parsed("want=ufw\nsim_status=0\nsim=Wat\n", Look::parse).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(answer in "((want|sim|sim_status|said|broken|hold|state)=(0|100|Inst |Remv |[a-z]{1,3} ?\\(?)\\PC{0,12}\n){0,10}") {
            let _ = parsed(&answer, Look::parse);
            let _ = parsed(&answer, Weather::parse);
        }
    }
}
