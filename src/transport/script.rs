//! The shell texts that are sent to a host: the read set, the write set, and requests.

use std::fmt::Write as _;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use super::card::{RunCard, RunPapers};
use crate::change::Call;
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
    push_in_parts(&mut text, (0, Keep::No), probes);
    text.push_str("hf_end\n");
    text
}

/// The same, and the host keeps the answers: how the run left things.
pub(super) fn ask_and_keep<'a>(
    nonce: &str,
    probes: impl ExactSizeIterator<Item = &'a Probe>,
) -> String {
    let mut text = format!("HF_NONCE={nonce}\nhf_keep_in kept\n");
    let all = probes.len();
    push_in_parts(&mut text, (0, Keep::Yes), probes);
    let _ = writeln!(text, "hf_kept {all}\nhf_end");
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

/// Whether the host keeps what it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Yes,
    No,
}

pub(super) fn push_in_parts<'a>(
    text: &mut String,
    (first, keep): (usize, Keep),
    probes: impl Iterator<Item = &'a Probe>,
) {
    let mut parts: Vec<String> = Vec::new();
    for (index, probe) in probes.enumerate() {
        if index < PARTS {
            parts.push(String::new());
        }
        if let Some(part) = parts.get_mut(index % PARTS) {
            push_question(part, first + index, keep, probe);
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

fn push_question(text: &mut String, index: usize, keep: Keep, probe: &Probe) {
    match keep {
        Keep::No => {
            let _ = write!(text, "hf_answer {index} {}", probe.function);
        }
        Keep::Yes => {
            // A map of texts: this cannot fail.
            let question = serde_json::to_string(probe).unwrap_or_default();
            let question = shell_quoted(&question);
            let _ = write!(text, "hf_keep {index} {question} {}", probe.function);
        }
    }
    push_words(text, &probe.args);
}

pub(super) fn push_words(text: &mut String, words: &[String]) {
    for word in words {
        text.push(' ');
        text.push_str(&shell_quoted(word));
    }
    text.push('\n');
}

/// A request that loads the write set, takes the lock and opens the run's folder.
pub(super) fn open_run(nonce: &str, card: &RunCard, papers: RunPapers<'_>) -> String {
    let mut text = format!("HF_NONCE={nonce}\n");
    text.push_str(&WRITE_SET);
    let words = [card.run.clone(), card.holder(), card.card()];
    text.push_str("hf_open_run");
    push_words(&mut text, &words);
    // The functions for the steps, which run as scripts of their own. Nobody ever reads half of them: an undo that
    // runs by itself may do so at any moment.
    let library = format!("{ENVIRONMENT}{}{}", *READ_SET, *WRITE_SET);
    for (name, paper) in [
        ("lib.sh", library.as_str()),
        ("due", papers.due),
        ("steps.yaml", papers.steps),
        ("start", papers.start),
    ] {
        if !paper.is_empty() {
            push_paper(&mut text, nonce, name, paper);
        }
    }
    text.push_str("hf_sent\nhf_end\n");
    text
}

/// A file of the run's folder, which is there whole or as it was before; `hf_sent` must follow.
fn push_paper(text: &mut String, nonce: &str, name: &str, content: &str) {
    let place = format!("\"$HF_RUN/{name}.new\"");
    let mark = mark("HF", nonce);
    let _ = write!(
        text,
        "cat >{place} <<'{mark}' || rm -f {place}\n{content}{mark}\n"
    );
}

/// A request that replaces the record of the run's steps.
pub(super) fn keep_steps(nonce: &str, steps: &str) -> String {
    let mut text = format!("HF_NONCE={nonce}\n");
    push_paper(&mut text, nonce, "steps.yaml", steps);
    text.push_str("hf_sent\nhf_end\n");
    text
}

pub(super) fn push_file(text: &mut String, nonce: &str, path: &str, content: &str) {
    let mark = mark("HF", nonce);
    let _ = write!(text, "cat >{path} <<'{mark}'\n{content}{mark}\n");
}

/// A line that ends a text; no line of the text can be it, for nobody knows the nonce.
fn mark(word: &str, nonce: &str) -> String {
    format!("{word}_{}", nonce.replace('.', "_"))
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

/// The end of a run on a host, and what is tidied there afterwards, of which nothing is told.
pub(super) fn close_run(nonce: &str, call: &Call, tidy: &Call) -> String {
    let mut text = format!("HF_NONCE={nonce}\nhf_answer 0 hf_aloud {}", call.function);
    push_words(&mut text, &call.args);
    let _ = write!(text, "{} >/dev/null 2>&1", tidy.function);
    push_words(&mut text, &tidy.args);
    text.push_str("hf_end\n");
    text
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
