//! Takes the last run on a host back by its own undo records, as the guard does it: last change first, by
//! the functions that were sent, without the controller.

use crate::support::lab::LabHost;
use holdfast::change::Undo;
use holdfast::record::ChangeRecord;

/// Undoes every change of the last run of a host; each must say that it went well. Called twice it must
/// come to the same.
#[track_caller]
pub fn undo_last_run(host: &LabHost<'_>) {
    let run = host.sh("ls -t /var/lib/holdfast/runs | head -n 1");
    let run = run.trim();
    let found = host.sh(&format!(
        "cd /var/lib/holdfast/runs/{run}; ls -d */*/change.json | sort -rV"
    ));
    assert!(!found.is_empty(), "{}: nothing to undo in {run}", host.name);
    for record in found.lines() {
        let change = record.trim_end_matches("/change.json");
        let text = host.sh(&format!("cat /var/lib/holdfast/runs/{run}/{record}"));
        let record: ChangeRecord = serde_json::from_str(&text).expect("a record");
        let Undo::Call(call) = record.change.undo else {
            continue;
        };
        // Packages stay unless somebody asks for it.
        if call.function == "hf_undo_package" {
            continue;
        }
        host.sh(&format!(
            "sh -c '. /var/lib/holdfast/runs/{run}/lib.sh; hf_take_back {run} {change}'"
        ));
    }
}
