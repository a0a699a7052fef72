//! Takes the last run on a host back by its own undo records, as the guard does it: last change first, by
//! the functions that were sent, without the controller.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::lab::LabHost;
use holdfast::change::Undo;
use holdfast::template::shell_quoted;
use holdfast::transport::{READ_SET, WRITE_SET};

/// Undoes every change of the last run of a host; each must say that it went well. Called twice it must
/// come to the same.
#[track_caller]
pub fn undo_last_run(host: &LabHost<'_>) {
    let run = host.sh("ls -t /var/lib/holdfast/runs | head -n 1");
    let run = format!("/var/lib/holdfast/runs/{}", run.trim());
    let found = host.sh(&format!("cd {run}; find . -name undo.json | sort -rV"));
    assert!(!found.is_empty(), "{}: nothing to undo in {run}", host.name);
    for record in found.lines() {
        let folder = format!("{run}/{}", record.trim_end_matches("/undo.json"));
        let text = host.sh(&format!("cat {folder}/undo.json"));
        let undo: Undo = serde_json::from_str(&text).expect("an undo record");
        let Undo::Call(call) = undo else { continue };
        // Packages stay unless somebody asks for it.
        if call.function == "hf_undo_package" {
            continue;
        }
        let words: Vec<String> = call.args.iter().map(|arg| shell_quoted(arg)).collect();
        let script = format!(
            "LC_ALL=C LANGUAGE=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            export LC_ALL LANGUAGE PATH\numask 022\nHF_RUN={run} HF_SAVE={folder} HF_AT_BOOT=\nexport HF_SAVE HF_AT_BOOT
            {}{}\n{} {}\n",
            *READ_SET,
            *WRITE_SET,
            call.function,
            words.join(" ")
        );
        let mut command = host.command("/bin/sh");
        let mut child = command
            .arg("-s")
            .stdin(Stdio::piped())
            .spawn()
            .expect("lab exec");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(script.as_bytes()).expect("lab exec");
        drop(input);
        let status = child.wait().expect("lab exec");
        assert!(status.success(), "{}: {} failed", host.name, call.function);
    }
}
