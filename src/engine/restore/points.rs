//! The restore points of hosts: what lies there, and its removal.

use std::sync::Arc;

use crate::engine::{Connected, Job, Stop};
use crate::probe::Probe;
use crate::record::RestorePoint;
use crate::transport::Keep;

/// What was removed on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The host.
    pub host: String,
    /// The runs whose records are gone.
    pub runs: Vec<String>,
}

impl Job {
    /// The restore points of hosts, by host and then the oldest first. A host that cannot say has a result then.
    pub async fn restore_points(self: &Arc<Self>, connected: Vec<Connected>) -> Vec<RestorePoint> {
        let mut all = Vec::new();
        for mut host in connected {
            let probe = Probe::new::<String>("hf_restore_points", []);
            let asked = host.link.ask(std::slice::from_ref(&probe)).await;
            let answer = asked.map_err(Stop::from).and_then(|answers| {
                let answer = answers.get(&probe);
                let text = answer.map(|answer| answer.text().into_owned());
                text.map_err(|error| Stop::new(crate::event::Fault::Failed, error.to_string()))
            });
            match answer {
                Ok(text) => all.extend(parse(host.host.name.as_str(), &text)),
                Err(stop) => self.finish(&host.host, stop.into()),
            }
            host.link.close().await;
        }
        all
    }

    /// Removes the restore points of hosts beyond those that are to be kept. A host where that cannot be done has a
    /// result then.
    pub async fn prune(self: &Arc<Self>, connected: Vec<Connected>, keep: Keep) -> Vec<Pruned> {
        let mut all = Vec::new();
        for mut host in connected {
            match host.link.prune(keep).await {
                Ok(runs) => all.push(Pruned {
                    host: host.host.name.to_string(),
                    runs,
                }),
                Err(error) => self.finish(&host.host, Stop::from(error).into()),
            }
            host.link.close().await;
        }
        all
    }
}

/// Reads `hf_restore_points`: lines `key=value`, a run from each `run=` on. Runs that changed nothing are left out.
fn parse(host: &str, text: &str) -> Vec<RestorePoint> {
    let mut points: Vec<RestorePoint> = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if key == "run" {
            points.push(RestorePoint {
                host: host.to_owned(),
                run: value.to_owned(),
                ..RestorePoint::default()
            });
            continue;
        }
        let Some(point) = points.last_mut() else {
            continue;
        };
        match key {
            "card" => card(point, value),
            "changes" => point.changes = value.parse().unwrap_or_default(),
            "taken" => point.taken = value.parse().unwrap_or_default(),
            "left" => point.left = value.parse().unwrap_or_default(),
            "size" => point.size = value.parse().unwrap_or_default(),
            "end" => value.clone_into(&mut point.end),
            "guard" => point.armed = true,
            _ => {}
        }
    }
    points.retain(|point| point.changes > 0);
    points
}

fn card(point: &mut RestorePoint, line: &str) {
    let Some((key, value)) = line.split_once('=') else {
        return;
    };
    let place = match key {
        "runbook" => &mut point.runbook,
        "operator" => &mut point.operator,
        "started" => &mut point.started,
        "undoes" => &mut point.undoes,
        _ => return,
    };
    value.clone_into(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restore_points_are_read_and_runs_without_changes_are_none() {
        let text = "run=r-1\ncard=runbook=web\ncard=operator=ada@desk\nchanges=3\ntaken=1\nleft=2\nsize=12\nend=closed done\n\
            run=r-2\nchanges=0\nrun=r-3\ncard=undoes=r-1\nchanges=1\nguard=armed\n";
        let points = parse("web-1", text);
        assert_eq!(points.len(), 2);
        assert_eq!((points[0].left, points[0].size), (2, 12));
        assert_eq!(points[0].end, "closed done");
        assert!(points[1].armed && points[1].undoes == "r-1");
    }
}
