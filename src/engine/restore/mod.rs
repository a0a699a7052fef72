//! The way back: the changes of an earlier run are the steps of a run of its own, made from the record that lies on
//! the host. So it is shown, asked, guarded, compared and swapped, read back and kept on record like any other, and
//! can be taken back itself.

mod here;
mod point;
mod points;
mod readable;
mod record;
mod reread;
mod returns;
mod steps;
mod trail;

use std::collections::BTreeMap;

use super::Stop;
use crate::change::{StepNumber, Verdict};
use crate::event::Fault;
use crate::inventory::Host;
use crate::plan::{HostPlan, Outcome};
use crate::probe::Probe;
use crate::record::ChangeRecord;
use crate::runbook::{Rendered, RenderedStep};
use crate::transport::ReadHost;

pub use here::HereChange;
pub use points::Pruned;
pub(super) use returns::{Returns, proof};

/// What is to be taken back.
#[derive(Debug, Clone, Default)]
pub struct Undoes {
    /// The run.
    pub run: String,
    /// Only these of its steps; all when empty.
    pub steps: Vec<StepNumber>,
    /// Whether packages that it installed are removed.
    pub packages: bool,
    /// What it changed on this machine, by host, in order.
    pub here: BTreeMap<String, Vec<HereChange>>,
}

impl Undoes {
    fn wants(&self, step: StepNumber) -> bool {
        self.steps.is_empty() || self.steps.contains(&step)
    }
}

/// How many changes of a step's folder the host has on record; `None` when it does not say.
pub(super) async fn begun(link: &mut ReadHost, run: &str, folder: &str) -> Option<usize> {
    let probe = record::points_probe(run);
    let answers = link.ask(std::slice::from_ref(&probe)).await.ok()?;
    let states = record::states(&answers.get(&probe).ok()?.text());
    let of_step = |place: &&String| place.split('/').next() == Some(folder);
    Some(states.keys().filter(of_step).count())
}

/// Makes the steps of a host from the record that lies there.
///
/// # Errors
/// When there is none.
pub(super) async fn rendered(
    undoes: &Undoes,
    host: &Host,
    link: &mut ReadHost,
) -> Result<(Rendered, Returns), Stop> {
    let probe = record::probe(&undoes.run);
    let answers = link.ask(std::slice::from_ref(&probe)).await?;
    let text = answers.get(&probe).ok();
    let found = text.and_then(|answer| record::RunRecord::parse(&answer.output));
    let Some(found) = found else {
        let message = format!("the host has no record of run {}", undoes.run);
        let hint =
            "`holdfast restore-points` lists the runs that it knows; reading them takes root";
        return Err(Stop::new(Fault::Failed, message).hint(Some(hint.to_owned())));
    };
    let here = undoes.here.get(host.name.as_str());
    let (steps, returns) = steps::steps(found, undoes, here.map_or(&[], Vec::as_slice));
    let checks = Vec::new();
    Ok((Rendered { steps, checks }, returns))
}

/// Names the later runs that changed what moved.
pub(super) async fn name_later(
    undoes: &Undoes,
    link: &mut ReadHost,
    plan: &mut HostPlan,
    steps: &[RenderedStep],
) {
    let stale = |outcome: &Outcome| matches!(outcome, Outcome::Seen(Verdict::Blocked(blocked)) if !blocked.moved.is_empty());
    if !plan.steps.iter().any(|step| stale(&step.outcome)) {
        return;
    }
    let probe = Probe::new("hf_later_changes", [undoes.run.as_str()]);
    // What cannot be asked is not named; that it moved is known all the same.
    let Ok(answers) = link.ask(std::slice::from_ref(&probe)).await else {
        return;
    };
    let text = answers.get(&probe).map(|answer| answer.text().into_owned());
    let later = later_runs(&text.unwrap_or_default());
    for step in &mut plan.steps {
        let rendered = steps.iter().find(|rendered| rendered.number == step.number);
        let probes = rendered
            .and_then(|rendered| rendered.resource.as_ref())
            .map(|resource| resource.probes());
        let probes = probes.unwrap_or_default();
        if let Outcome::Seen(Verdict::Blocked(blocked)) = &mut step.outcome
            && !blocked.moved.is_empty()
            && let Some(run) = later.iter().rev().find(|run| run.touches(&probes))
        {
            blocked.why = format!("it was changed since, by {}", run.words());
            blocked.hint = Some(format!(
                "take that back first: holdfast rollback {}",
                run.run
            ));
        }
    }
}

/// A run after the one that is taken back.
#[derive(Debug, Default)]
struct Later {
    run: String,
    card: BTreeMap<String, String>,
    probes: Vec<Probe>,
}

impl Later {
    fn touches(&self, probes: &[Probe]) -> bool {
        self.probes.iter().any(|probe| probes.contains(probe))
    }

    fn words(&self) -> String {
        let card = |key: &str| self.card.get(key).map_or("", String::as_str);
        format!(
            "run {} (runbook {}, {}, {})",
            self.run,
            card("runbook"),
            card("operator"),
            card("started")
        )
    }
}

fn later_runs(text: &str) -> Vec<Later> {
    let mut runs: Vec<Later> = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key == "run" {
            runs.push(Later {
                run: value.to_owned(),
                ..Later::default()
            });
        }
        let Some(run) = runs.last_mut() else { continue };
        match key {
            "card" => run.card.extend(
                value
                    .split_once('=')
                    .map(|(k, v)| (k.to_owned(), v.to_owned())),
            ),
            "change" => {
                let record = serde_json::from_str::<ChangeRecord>(value);
                let before = record.map(|record| record.before).unwrap_or_default();
                run.probes
                    .extend(before.into_iter().map(|expected| expected.probe));
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Digest;

    #[test]
    fn a_later_run_is_named_by_what_it_looked_at() {
        let probe = Probe::new("hf_file", ["/etc/motd", "nofollow"]);
        let json = serde_json::to_string(&probe).unwrap();
        let digest = Digest::of(b"x");
        let text = format!(
            "run=r-2\ncard=runbook=web\ncard=operator=ada@desk\nchange={{\"step\":1,\"name\":\"x\",\"change\":{{\
             \"summary\":\"x\",\"shown\":[],\"expects\":[],\"act\":{{\"function\":\"hf_x\",\"args\":[]}},\
             \"undo\":{{\"impossible\":{{\"why\":\"x\"}}}},\"timing\":\"in_order\",\"gives\":[]}},\
             \"before\":[{{\"probe\":{json},\"digest\":\"{digest}\"}}]}}\nrun=r-3\n"
        );
        let later = later_runs(&text);
        assert_eq!(later.len(), 2);
        assert!(later[0].touches(&[probe]));
        assert!(
            later[0]
                .words()
                .starts_with("run r-2 (runbook web, ada@desk")
        );
    }
}
