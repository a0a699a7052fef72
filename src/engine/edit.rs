//! An input is edited in the middle of a guided run: the runbook is filled in anew with the facts and the data of
//! the run's start, and the host is looked at again. What is done shows as desired; questions are asked again, for
//! they may be about something else, and so may what is done for them.

use std::sync::Arc;

use serde_json::Value;

use super::worker::Worker;
use super::{Stop, survey};
use crate::event::{EventKind, Fault};
use crate::facts::Facts;
use crate::runbook::{self, Inputs, World};

/// What the runbook is filled in with on a host.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub(super) inputs: Inputs,
    pub(super) facts: Facts,
    pub(super) data: Arc<Value>,
}

impl Worker<'_> {
    /// Makes the plan anew with other inputs.
    ///
    /// # Errors
    /// Why it cannot be; nothing is different then.
    pub(super) async fn replan(&mut self, inputs: Inputs) -> Result<(), Stop> {
        let refused = |why: String| Stop::new(Fault::Failed, format!("not changed: {why}"));
        let Some(old) = self.ground.clone() else {
            return Err(refused("there is nothing to fill in".to_owned()));
        };
        let ground = Ground {
            inputs,
            ..old.clone()
        };
        if !self.same_data(&old, &ground)? {
            let why =
                "with it other data would be fetched, and that is done once, before the first step";
            return Err(
                refused(why.to_owned()).hint(Some("stop, and run again with -e".to_owned()))
            );
        }
        let world = self.world(&ground);
        let rendered = runbook::render(&self.job.runbook, &world);
        let rendered = rendered.map_err(|said| refused(said.to_string()))?;
        let rendered = survey::on_terms(rendered, self.job.guard);
        let steps = survey::concrete(self.job, &world, &rendered.steps);
        let looked = survey::look(self.job, self.host, self.link.reader(), &rendered.steps).await?;
        let plan = looked.plan;
        if let Some((step, obstacle)) = plan.obstacle() {
            let why = format!("{} ({}) {}", step.number, step.subject, obstacle.why);
            return Err(refused(why).hint(obstacle.hint.map(str::to_owned)));
        }
        self.link.keep_steps(&steps).await?;
        self.job
            .events
            .tell(EventKind::HostPlanned { plan: plan.clone() });
        self.past.rename(&self.plan.called_anew(&plan));
        self.past.forget_answers();
        self.rendered = Arc::new(rendered);
        self.plan = Arc::new(plan);
        self.ground = Some(ground);
        Ok(())
    }

    fn world<'g>(&'g self, ground: &'g Ground) -> World<'g> {
        World {
            host: self.host,
            inputs: &ground.inputs,
            facts: Some(&ground.facts),
            data: &ground.data,
        }
    }

    /// Whether the same data would be fetched.
    fn same_data(&self, old: &Ground, new: &Ground) -> Result<bool, Stop> {
        let unclear = |error: &dyn std::fmt::Display| {
            Stop::new(Fault::Failed, format!("not changed: {error}"))
        };
        let (old, new) = (self.world(old), self.world(new));
        let old = runbook::parts(&self.job.runbook, &old).map_err(|error| unclear(&error))?;
        let new = runbook::parts(&self.job.runbook, &new).map_err(|error| unclear(&error))?;
        if old.len() != new.len() {
            return Ok(false);
        }
        for (old, new) in old.iter().zip(&new) {
            for spec in &old.runbook.data {
                let same = spec.means_the_same(&old.scope, &new.scope);
                if !same.map_err(|error| unclear(&error))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
