//! The shell texts that are sent to a host: the read set, the write set, and requests.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use include_dir::{Dir, include_dir};

use super::guard;
use crate::change::{Call, Change};
use crate::plan::Expectation;
use crate::probe::Probe;
use crate::template::shell_quoted;

static HOST: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/host");

/// All read functions. The survey is made of these alone.
pub static READ_SET: LazyLock<String> = LazyLock::new(|| functions(".read.sh"));
/// All write functions. Only apply sends these.
pub static WRITE_SET: LazyLock<String> = LazyLock::new(|| functions(".write.sh"));

/// Functions of trials, which change something for a moment. Sent for a check that needs one.
static TRIAL_SET: LazyLock<String> = LazyLock::new(|| functions(".trial.sh"));

/// The same for every host: language, search path and file modes never come from the login.
const ENVIRONMENT: &str = "\
LC_ALL=C LANGUAGE=C LANG=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL LANGUAGE LANG PATH
umask 022
";

fn functions(suffix: &str) -> String {
    let mut files: Vec<_> = HOST
        .files()
        .filter(|file| file.path().to_string_lossy().ends_with(suffix))
        .collect();
    files.sort_by_key(|file| file.path());
    let texts = files.iter().filter_map(|file| file.contents_utf8());
    // Comments are for readers of the source; on the wire they cost time on every run.
    let lines = texts
        .flat_map(str::lines)
        .filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
    lines.fold(String::new(), |mut all, line| {
        all.push_str(line);
        all.push('\n');
        all
    })
}

/// What a new shell gets first. `connection` hands on what sudo drops.
pub(super) fn prelude(connection: Option<&str>) -> String {
    let mut text = ENVIRONMENT.to_owned();
    if let Some(connection) = connection {
        // Exported, because a step compares again in a shell of its own.
        let words = shell_quoted(connection);
        let _ = writeln!(text, "HF_CONNECTION={words}\nexport HF_CONNECTION");
    }
    text.push_str(&READ_SET);
    text
}

/// A request that asks probes, some of them at the same time.
pub(super) fn ask<'a>(nonce: &str, probes: impl Iterator<Item = &'a Probe>) -> String {
    let mut text = format!("HF_NONCE={nonce}\n");
    push_in_parts(&mut text, 0, probes);
    text.push_str("hf_end\n");
    text
}

/// A request that makes a trial, in a shell within the shell, which so never learns its functions.
pub(super) fn trial(nonce: &str, call: &Call) -> String {
    let mut text = format!(
        "HF_NONCE={nonce}\n(\n{}hf_answer 0 {}",
        *TRIAL_SET, call.function
    );
    push_words(&mut text, &call.args);
    text.push_str(")\nhf_end\n");
    text
}

/// A request that calls a write function in a shell within the shell, which so stays one that only reads.
pub(super) fn call_alone(nonce: &str, call: &Call) -> String {
    let mut text = format!(
        "HF_NONCE={nonce}\n(\n{}hf_answer 0 hf_aloud {}",
        *WRITE_SET, call.function
    );
    push_words(&mut text, &call.args);
    text.push_str(")\nhf_end\n");
    text
}

/// How many parts of a request run at the same time on the host.
const PARTS: usize = 3;

fn push_in_parts<'a>(text: &mut String, first: usize, probes: impl Iterator<Item = &'a Probe>) {
    let mut parts: Vec<String> = Vec::new();
    for (index, probe) in probes.enumerate() {
        if index < PARTS {
            parts.push(String::new());
        }
        if let Some(part) = parts.get_mut(index % PARTS) {
            push_questions(part, first + index, std::iter::once(probe));
        }
    }
    text.push_str(&at_once(&parts));
}

/// Shell text that runs the parts at the same time: the first prints as it goes, the others are held
/// back until it is done, so that frames never mix.
fn at_once(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        // Only that part is waited for: the watch over the lock never ends by itself. The point
        // keeps line breaks at the end, which a command substitution would drop.
        [now, held @ ..] => format!(
            "{{\n{now}}} &\nhf_part=$!\nhf_held=$(\n{}echo .\n)\nwait \"$hf_part\"\nprintf %s \"${{hf_held%.*}}\"\n",
            at_once(held)
        ),
    }
}

fn push_questions<'a>(text: &mut String, first: usize, probes: impl Iterator<Item = &'a Probe>) {
    for (index, probe) in probes.enumerate() {
        let _ = write!(text, "hf_answer {} {}", first + index, probe.function);
        push_words(text, &probe.args);
    }
}

pub(super) fn push_words(text: &mut String, words: &[String]) {
    for word in words {
        text.push(' ');
        text.push_str(&shell_quoted(word));
    }
    text.push('\n');
}

/// The format of a run's folder on a host. From 2 on, a journal says that its run came to its end.
const CARD_FORMAT: u32 = 2;

/// Who runs what: written on the host when a run opens.
#[derive(Debug, Clone)]
pub struct RunCard {
    /// The run's id.
    pub run: String,
    /// The runbook's name.
    pub runbook: String,
    /// `user@machine`.
    pub operator: String,
    /// When it started, RFC 3339.
    pub started: String,
}

impl RunCard {
    /// What a second run is told.
    fn holder(&self) -> String {
        format!(
            "{} since {}, runbook {}, run {}",
            self.operator, self.started, self.runbook, self.run
        )
    }

    fn card(&self) -> String {
        format!(
            "run={}\nformat={CARD_FORMAT}\nrunbook={}\noperator={}\nstarted={}\nversion={}",
            self.run,
            self.runbook,
            self.operator,
            self.started,
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// A request that loads the write set, takes the lock and opens the run's folder. `due`: the steps that are to
/// be performed, a line each; empty when they are there already.
pub(super) fn open_run(nonce: &str, card: &RunCard, due: &str) -> String {
    let mut text = format!("HF_NONCE={nonce}\n");
    text.push_str(&WRITE_SET);
    let words = [card.run.clone(), card.holder(), card.card()];
    text.push_str("hf_open_run");
    push_words(&mut text, &words);
    // The functions for the steps, which run as scripts of their own.
    let library = format!("{ENVIRONMENT}{}{}", *READ_SET, *WRITE_SET);
    push_file(&mut text, nonce, "\"$HF_RUN/lib.sh\"", &library);
    if !due.is_empty() {
        push_file(&mut text, nonce, "\"$HF_RUN/due\"", due);
    }
    text.push_str("hf_end\n");
    text
}

fn push_file(text: &mut String, nonce: &str, path: &str, content: &str) {
    push_text(text, &mark("HF", nonce), &format!("cat >{path}"), content);
}

/// A line that ends a text; no line of the text can be it, for nobody knows the nonce.
pub(super) fn mark(word: &str, nonce: &str) -> String {
    format!("{word}_{}", nonce.replace('.', "_"))
}

/// A command with this text on its standard input, up to `mark`.
pub(super) fn push_text(text: &mut String, mark: &str, command: &str, content: &str) {
    let _ = write!(text, "{command} <<'{mark}'\n{content}{mark}\n");
}

/// A request that tells the host that its controller is still there.
pub(super) fn alive(nonce: &str) -> String {
    format!("HF_NONCE={nonce}\nhf_alive\nhf_end\n")
}

/// A request that calls a write function in the shell that holds the lock.
pub(super) fn call(nonce: &str, call: &Call) -> String {
    let mut text = format!("HF_NONCE={nonce}\nhf_answer 0 hf_aloud {}", call.function);
    push_words(&mut text, &call.args);
    text.push_str("hf_end\n");
    text
}

/// A step to perform on a host.
#[derive(Debug, Clone, Copy)]
pub struct StepScript<'a> {
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
}

/// A request that performs a step and asks `probes` afterwards (answers from index 1).
pub(super) fn perform<'a>(
    nonce: &str,
    run: &str,
    step: &StepScript<'_>,
    probes: impl Iterator<Item = &'a Probe>,
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
    push_in_parts(&mut text, 1, probes);
    text.push_str("hf_end\n");
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
        push_change(&mut text, index + 1, change);
        if step.guarded {
            guard::push_undo(
                &mut text,
                nonce,
                run,
                (step.folder, index + 1),
                &change.undo,
            );
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

fn push_change(text: &mut String, number: usize, change: &Change) {
    // One line of JSON never equals the mark, which is a word of its own.
    let undo = serde_json::to_string(&change.undo).unwrap_or_else(|_| "null".to_owned());
    let _ = write!(text, "hf_change {number} <<'HF_UNDO'\n{undo}\nHF_UNDO\n");
    if let Some(input) = &change.act.input {
        push_bytes(text, "hf_input", input);
    }
}

/// A call with bytes on its standard input.
pub(super) fn push_bytes(text: &mut String, function: &str, bytes: &[u8]) {
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

    #[test]
    fn the_read_set_never_holds_a_write_function() {
        assert!(READ_SET.contains("hf_answer()"));
        assert!(!READ_SET.contains("hf_act"));
        assert!(WRITE_SET.contains("hf_act()"));
        assert!(TRIAL_SET.contains("hf_trial_ban()"));
        for set in [&READ_SET, &WRITE_SET] {
            assert!(!set.contains("hf_trial"));
        }
    }

    #[test]
    fn words_of_a_request_are_quoted() {
        let probe = Probe::new("hf_file", ["/etc/it's $(x)"]);
        let text = ask("n.1", [probe].iter());
        assert_eq!(
            text,
            "HF_NONCE=n.1\nhf_answer 0 hf_file '/etc/it'\\''s $(x)'\nhf_end\n"
        );
    }
}
