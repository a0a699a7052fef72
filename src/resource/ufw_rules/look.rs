//! Everything a look at a host tells about its firewall.

use crate::change::{Known, StepNumber};
use crate::probe::{Answers, ParseError, Probe};

use super::address::Family;
use super::kernel::{self, Chains};
use super::state::State;

/// What was seen, with what earlier steps will have done to it.
#[derive(Debug, Clone)]
pub struct Look {
    /// The settings and files.
    pub state: State,
    /// The kernel's rules. `None` when ufw is off, or when an earlier step will change them.
    pub kernel: Option<Kernel>,
    /// ufw is set to run, but packets come by its rules in no family: something flushed them.
    pub unloaded: bool,
    /// The answer of `hf_ufw_around`.
    pub around: String,
    /// The earlier step that all of this rests on.
    pub after: Option<StepNumber>,
}

/// The kernel's rules of both families.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    v4: Seen,
    v6: Seen,
}

/// The rules of one family, or why they cannot be told.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The chains.
    pub chains: Chains,
    /// Why the chains cannot be told, as a clause.
    pub unreadable: Option<String>,
}

impl Kernel {
    /// The rules of a family.
    pub fn of(&self, family: Family) -> &Seen {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// Whether it is seen that packets come by the rules of no family that ufw loads.
    fn is_without(&self, state: &State) -> bool {
        let without = |family: &Family| {
            let seen = self.of(*family);
            seen.unreadable.is_none() && kernel::no_jump(&seen.chains, *family).is_some()
        };
        state.families().iter().all(without)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut kernel = Self::default();
        for section in text.split("family=").skip(1) {
            let (name, lines) = section.split_once('\n').unwrap_or((section, ""));
            if lines.lines().any(|line| line == "root=no") {
                return Err("needs root to read the rules in the kernel".to_owned());
            }
            let seen = Seen::parse(lines);
            match name {
                "v4" => kernel.v4 = seen,
                "v6" => kernel.v6 = seen,
                _ => {}
            }
        }
        Ok(kernel)
    }
}

impl Seen {
    fn parse(lines: &str) -> Self {
        let status = lines.lines().find_map(|line| line.strip_prefix("status="));
        let unreadable = match status {
            _ if lines.lines().any(|line| line == "incompatible=yes") => {
                Some("the filter table holds rules that only nft can show".to_owned())
            }
            Some("0") => None,
            Some(status) => Some(format!("iptables-save fails (status {status})")),
            None => Some("the host did not say".to_owned()),
        };
        Self {
            chains: Chains::parse(lines),
            unreadable,
        }
    }
}

/// The question for settings and files.
pub fn files_probe() -> Probe {
    Probe::new::<String>("hf_ufw_files", [])
}

/// The question for the kernel's rules.
pub fn kernel_probe() -> Probe {
    Probe::new::<String>("hf_ufw_kernel", [])
}

/// The question for what else decides about packets. No condition of any change.
pub fn around_probe() -> Probe {
    Probe::new::<String>("hf_ufw_around", [])
}

impl Look {
    /// Reads the answers. `None`: ufw is neither installed nor will it be.
    pub fn parse(seen: &Answers, known: &Known) -> Result<Option<Self>, ParseError> {
        let probe = files_probe();
        let Some(state) = State::parse(&probe, seen.get(&probe)?)? else {
            let of_the_package = |step| Self::of_the_package(step, seen, known);
            return known.package("ufw").map(of_the_package).transpose();
        };
        let kernel = seen.get(&kernel_probe())?.text().into_owned();
        let around = seen.get(&around_probe())?.text().into_owned();
        let kernel = state
            .enabled
            .then(|| Kernel::parse(&kernel))
            .transpose()
            .map_err(|why| ParseError::new(&kernel_probe(), why))?;
        let look = Self {
            unloaded: kernel
                .as_ref()
                .is_some_and(|kernel| kernel.is_without(&state)),
            state,
            kernel,
            around,
            after: None,
        };
        Ok(Some(look.with(known)))
    }

    /// The package starts nothing by itself, not even a ufw that was removed while it was on.
    fn of_the_package(step: StepNumber, seen: &Answers, known: &Known) -> Result<Self, ParseError> {
        let probe = files_probe();
        let state = State::of_the_package(&probe, seen.get(&probe)?)?;
        let look = Self {
            unloaded: state.enabled,
            state,
            kernel: None,
            around: seen.get(&around_probe())?.text().into_owned(),
            after: Some(step),
        };
        Ok(look.with(known))
    }

    /// The files as an earlier step will leave them; the kernel will then be another as well.
    fn with(mut self, known: &Known) -> Self {
        for family in Family::BOTH {
            if let Some((step, content)) = known.file(family.file()) {
                self.state.set_content(family, content.map(<[u8]>::to_vec));
                self.after = self.after.max(Some(step));
                self.kernel = None;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_only_root_may_read_cannot_be_told() {
        let text = "family=v4\nstatus=4\nroot=no\nfamily=v6\nstatus=4\nroot=no\n";
        let why = Kernel::parse(text).unwrap_err();
        assert_eq!(why, "needs root to read the rules in the kernel");
        // For root the same status is a broken tool, which is another matter.
        let broken = Kernel::parse("family=v4\nstatus=4\n").unwrap();
        assert_eq!(
            broken.of(Family::V4).unreadable.as_deref(),
            Some("iptables-save fails (status 4)")
        );
    }
}
