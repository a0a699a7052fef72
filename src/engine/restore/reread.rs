//! A service that reads its files again after some of them were taken back.

use crate::change::{Call, Diff, Known};
use crate::diagnostic::{Diagnostics, Source};
use crate::probe::{Answers, ParseError, Probe};
use crate::resource::{self, Resource, StepFrame};
use crate::template::{Scope, Templates};
use crate::yaml;

/// A unit, as the kind `service` sees it; one that is gone has nothing to read.
#[derive(Debug)]
pub(super) struct Reread {
    service: Box<dyn Resource>,
    unit: String,
}

impl Reread {
    /// From the call that marked it. `None` when the record holds no unit.
    pub(super) fn of(mark: &Call, reload_on: &[String]) -> Option<Self> {
        let unit = mark.args.first()?;
        let how = mark.args.get(1).map_or("reload", String::as_str);
        let body = serde_json::json!({ "name": unit, "on_change": how }).to_string();
        let node = yaml::parse(&Source::new("the record of the run", body)).ok()?;
        let scope = Scope::new(&serde_json::json!({}), Templates::default());
        let frame = StepFrame {
            runbook: "rollback",
            reload_on,
        };
        let kind = resource::kind("service")?;
        let rendered: Result<Box<dyn Resource>, Diagnostics> = (kind.render)(&node, &scope, &frame);
        Some(Self {
            service: rendered.ok()?,
            unit: unit.clone(),
        })
    }

    /// The unit's name.
    pub(super) fn unit(&self) -> &str {
        &self.unit
    }
}

impl Resource for Reread {
    fn subject(&self) -> String {
        self.service.subject()
    }

    fn probes(&self) -> Vec<Probe> {
        self.service.probes()
    }

    fn diff(&self, seen: &Answers, known: &Known) -> Result<Diff, ParseError> {
        for probe in self.probes() {
            if seen
                .get(&probe)?
                .text()
                .lines()
                .any(|line| line == "LoadState=not-found")
            {
                return Ok(Diff::compliant());
            }
        }
        self.service.diff(seen, known)
    }

    fn mark_reload(&self) -> Option<Call> {
        self.service.mark_reload()
    }

    fn can_cut(&self) -> bool {
        self.service.can_cut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_gone_has_nothing_to_read() {
        let mark = Call::new("hf_mark_reload", ["fail2ban.service", "restart"]);
        let unit = Reread::of(&mark, &["back-1".to_owned()]).unwrap();
        let probe = unit.probes().remove(0);
        let answer = crate::probe::Answer {
            status: 0,
            output: b"init=systemd\nLoadState=not-found\n".to_vec(),
        };
        let seen = Answers::from_iter([(probe, answer)]);
        assert_eq!(
            unit.diff(&seen, &Known::nothing()).unwrap(),
            Diff::compliant()
        );
        let odd = Call::new("hf_mark_reload", ["a b; rm -rf /"]);
        assert!(Reread::of(&odd, &["back-1".to_owned()]).is_none());
    }
}
