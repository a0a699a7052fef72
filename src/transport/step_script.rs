//! A step as a script for the host: each change with its record, on the disk before the change is made.

use std::fmt::Write as _;

use super::script::{Keep, push_file, push_in_parts, push_words};
use crate::change::{Call, Change, StepNumber, Undo};
use crate::plan::Expectation;
use crate::probe::Probe;
use crate::record::ChangeRecord;
use crate::value::Port;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A step to perform on a host.
#[derive(Debug, Clone, Copy)]
pub struct StepScript<'a> {
    /// Its number.
    pub number: StepNumber,
    /// Its name.
    pub name: &'a str,
    /// What it is about.
    pub subject: &'a str,
    /// The name of its folder: the step's number, and the try when it is not the first.
    pub folder: &'a str,
    /// What the host must still answer.
    pub expects: &'a [Expectation],
    /// Calls before the changes that need no undo (marks for pending reloads).
    pub before: &'a [Call],
    /// The changes.
    pub changes: &'a [&'a Change],
    /// How long it may take, in seconds.
    pub seconds: u64,
    /// Whether the guard takes its changes back: it must be armed.
    pub guarded: bool,
    /// For a step whose new login must come by another port of sshd: the one that is in use, and that one.
    pub ports: Option<(Port, Port)>,
}

/// A request that performs a step and asks `probes` afterwards (answers from index 1).
pub(super) fn perform<'a>(
    nonce: &str,
    run: &str,
    step: &StepScript<'_>,
    probes: impl ExactSizeIterator<Item = &'a Probe>,
) -> String {
    let mut text = format!("HF_NONCE={nonce}\n");
    let folder = step.folder;
    let _ = writeln!(text, "(umask 077 && mkdir -p \"$HF_RUN/{folder}\")");
    push_file(
        &mut text,
        nonce,
        &format!("\"$HF_RUN/{folder}/step.sh\""),
        &step_script(nonce, run, step),
    );
    let _ = writeln!(text, "hf_perform {folder} {}", step.seconds);
    let _ = writeln!(text, "hf_keep_in {folder}/after");
    let all = probes.len();
    push_in_parts(&mut text, (1, Keep::Yes), probes);
    let _ = writeln!(text, "hf_kept {all}\nhf_end");
    text
}

fn step_script(nonce: &str, run: &str, step: &StepScript<'_>) -> String {
    let mut text =
        format!("HF_NONCE={nonce}\nHF_RUN=/var/lib/holdfast/runs/{run}\n. \"$HF_RUN/lib.sh\"\n");
    let _ = writeln!(text, "hf_begin {}", step.folder);
    if step.guarded {
        text.push_str("hf_guard_enter\n");
    }
    for expectation in step.expects {
        let probe = &expectation.probe;
        let _ = write!(text, "hf_expect {} {}", expectation.digest, probe.function);
        push_words(&mut text, &probe.args);
    }
    for call in step.before {
        let _ = write!(text, "{}", call.function);
        push_words(&mut text, &call.args);
    }
    for (index, change) in step.changes.iter().enumerate() {
        let number = index + 1;
        push_change(&mut text, (run, number), step, change);
        if step.guarded {
            text.push_str("hf_guard_note\n");
        }
        let _ = write!(text, "hf_act {}", change.act.function);
        push_words(&mut text, &change.act.args);
    }
    if step.guarded {
        text.push_str("hf_guard_leave\n");
    }
    text.push_str("hf_done\n");
    text
}

/// The record of a change, on the host's disk before the change is made: what it is, and scripts of its own that
/// make it again and take it back.
fn push_change(
    text: &mut String,
    (run, number): (&str, usize),
    step: &StepScript<'_>,
    change: &Change,
) {
    let record = record(step, change).to_line();
    let place = (run, step.folder, number);
    let act = script_of(place, "act", &change.act);
    let undo = match &change.undo {
        Undo::Call(call) => script_of(place, "undo", call),
        Undo::Impossible { .. } => format!("exit {CANNOT}\n"),
    };
    let _ = write!(text, "hf_change {number}");
    push_words(text, &[record, act, undo]);
    if let Some(input) = &change.act.input {
        push_bytes(text, "hf_input act", input);
    }
    if let Undo::Call(Call {
        input: Some(input), ..
    }) = &change.undo
    {
        push_bytes(text, "hf_input undo", input);
    }
    text.push_str("hf_recorded\n");
}

fn record(step: &StepScript<'_>, change: &Change) -> ChangeRecord {
    ChangeRecord {
        step: step.number,
        name: step.name.to_owned(),
        subject: step.subject.to_owned(),
        change: change.clone(),
        before: step.expects.to_vec(),
        guarded: step.guarded,
        port_before: step.ports.map(|(before, _)| before),
        port_after: step.ports.map(|(_, after)| after),
        marks: step.before.to_vec(),
    }
}

/// A call as a script of its own, with the functions of the run that it belongs to (or the guard's copy of them).
fn script_of((run, folder, number): (&str, &str, usize), word: &str, call: &Call) -> String {
    let mut script = format!(
        "HF_RUN=/var/lib/holdfast/runs/{run}\n. \"${{HF_LIB:-$HF_RUN/lib.sh}}\"\nHF_LIB=\n\
         HF_STEP={folder} HF_CHANGE={number} HF_SAVE=$HF_RUN/{folder}/{number}\n\
         HF_INPUT=$HF_SAVE/{word}.input\nexport HF_SAVE HF_INPUT HF_LIB\n{}",
        call.function
    );
    push_words(&mut script, &call.args);
    script
}

/// What an undo script says that cannot take its change back.
const CANNOT: i32 = 77;

/// A call with bytes on its standard input.
fn push_bytes(text: &mut String, function: &str, bytes: &[u8]) {
    let _ = writeln!(text, "{function} <<'HF_INPUT'");
    for line in BASE64.encode(bytes).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("HF_INPUT\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::shell_quoted;

    #[test]
    fn an_argument_cannot_end_the_undo_script() {
        let undo = Undo::Call(Call::new("hf_undo_x", ["a\nHF_UNDO\nrm -rf it's"]));
        let change = Change::new("x", Vec::new(), Call::new("hf_x", ["a"]), undo);
        let step = StepScript {
            number: StepNumber(3),
            name: "it's",
            subject: "x",
            folder: "3",
            expects: &[],
            before: &[],
            changes: &[&change],
            seconds: 1,
            guarded: false,
            ports: None,
        };
        let text = step_script("n.2", "r", &step);
        // Quoted once for the script, and the script once more as a word of the step.
        let words = shell_quoted(&format!(
            "hf_undo_x {}\n",
            shell_quoted("a\nHF_UNDO\nrm -rf it's")
        ));
        assert!(text.contains(words.trim_matches('\'')), "{text}");
        assert!(
            text.ends_with("hf_recorded\nhf_act hf_x a\nhf_done\n"),
            "{text}"
        );
    }

    /// The functions that make a change again, with the record of a run.
    const RECORD: &str = include_str!("../host/record.write.sh");

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a shell, as on a host")]
    fn a_try_that_failed_is_not_made_again_beside_one_that_did_not() {
        let run = tempfile::tempdir().unwrap();
        let path = |name: &str| run.path().join(name);
        let journal = "1 step 2 change 1 rc 1\n1 step 2-2 change 1 rc 1\n1 step 2-3 change 1 rc 0\n\
             1 step 3 change 1 rc 1\n1 step 3-2 change 1 rc 0\n1 step 4 change 1 rc 1\n\
             1 step 5 change 1 rc 1\n1 step 5-2 change 1 rc 0\n1 step 23 change 1 rc 0\n";
        std::fs::write(path("journal"), journal).unwrap();
        for (folder, word, input) in [
            ("2", "same", None),
            ("2-2", "same", None),
            ("2-3", "same", None),
            ("3", "first", None),
            ("3-2", "second", None),
            ("4", "alone", None),
            ("5", "same", Some("one")),
            ("5-2", "same", Some("two")),
            ("23", "same", None),
        ] {
            let act = Call::new("hf_run_command", [word]);
            std::fs::create_dir_all(path(&format!("{folder}/1"))).unwrap();
            let script = script_of(("r", folder, 1), "act", &act);
            std::fs::write(path(&format!("{folder}/1/act.sh")), script).unwrap();
            if let Some(input) = input {
                std::fs::write(path(&format!("{folder}/1/act.input")), input).unwrap();
            }
        }
        let is_tried = |place: &str| {
            let script = format!("{RECORD}\nhf_point_tried \"$1\" \"$2\"");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &script, "sh"]).arg(run.path()).arg(place);
            shell.status().unwrap().success()
        };
        for (place, tried) in [
            ("2/1", true),
            ("2-2/1", true),
            ("2-3/1", false),
            ("3/1", false),
            ("3-2/1", false),
            ("4/1", false),
            ("5/1", false),
        ] {
            assert_eq!(is_tried(place), tried, "{place}");
        }
    }
}
