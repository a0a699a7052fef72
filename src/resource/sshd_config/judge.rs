//! Compares sshd as it is, or as earlier steps will leave it, with what it should be.

use std::collections::BTreeSet;

use super::action::{self, Outcome, Rewrite};
use super::directive::{Directive, directives};
use super::listen::{self, Spot, Wanted};
use super::look::{Look, Mode, Sshd};
use super::setting::Setting;
use super::tell::property;
use super::trial::Trial;
use super::{MAIN, SshdConfig, drop_in, obstacle};
use crate::change::{Diff, Known, Note, StepNumber, Verdict};
use crate::probe::{Answers, ParseError};
use crate::resource::Resource;
use crate::resource::file::File;

/// What is looked at.
pub(super) struct Case<'a> {
    pub(super) config: &'a SshdConfig,
    pub(super) sshd: &'a Sshd,
    pub(super) trial: Option<&'a Trial>,
    seen: &'a Answers,
    known: &'a Known,
    /// Our drop-in before this step.
    pub(super) own: Option<String>,
    /// The main file before this step; `None`: it is no plain text that could be edited.
    pub(super) main: Option<String>,
    /// An earlier step writes the drop-in.
    pub(super) predicted: bool,
}

/// Where sshd's files make it listen, before and after.
struct Listeners {
    before: BTreeSet<Spot>,
    after: BTreeSet<Spot>,
}

/// How our drop-in and the main file change, and the earlier step that this rests on; or the obstacle.
type Rewrites = Result<(Option<Rewrite>, Option<Rewrite>, Option<StepNumber>), Box<Diff>>;

pub(super) fn judge(
    config: &SshdConfig,
    look: &Look,
    trial: Option<&Trial>,
    seen: &Answers,
    known: &Known,
) -> Result<Diff, ParseError> {
    let sshd = match look {
        Look::NoSshd => return Ok(no_sshd(known)),
        Look::Sshd(sshd) => sshd,
    };
    if let Some(diff) = obstacle::of_sshd(config, sshd) {
        return Ok(diff);
    }
    let [own, main] = config.files("", "");
    let text = |file: &File, path: &str| match known.file(path) {
        Some((_, content)) => Ok(content.map(|bytes| String::from_utf8_lossy(bytes).into_owned())),
        None => file.text_seen(seen),
    };
    Case {
        config,
        sshd,
        trial,
        seen,
        known,
        own: text(&own, config.path.as_str())?,
        main: text(&main, MAIN)?,
        predicted: known.file(config.path.as_str()).is_some(),
    }
    .judge()
}

fn no_sshd(known: &Known) -> Diff {
    match known.package("openssh-server") {
        Some(step) => Diff {
            verdict: Verdict::UnknownUntil {
                step,
                why: "the configuration that the package brings".to_owned(),
            },
            notes: Vec::new(),
        },
        None => Diff::blocked(
            "there is no sshd on the host",
            "install the package openssh-server in an earlier step",
        ),
    }
}

impl Case<'_> {
    fn judge(&self) -> Result<Diff, ParseError> {
        let (config, sshd) = (self.config, self.sshd);
        if let Some(diff) = self.foreign() {
            return Ok(diff);
        }
        let before = self.directives(self.own.as_deref(), self.main.as_deref());
        let settings = self
            .trial
            .and_then(|trial| obstacle::of_settings(config, sshd, trial, &before));
        if let Some(diff) = settings.or_else(|| obstacle::of_ports(config, sshd)) {
            return Ok(diff);
        }
        let ports = config.ports.as_deref();
        let wanted = ports.map(|ports| listen::wanted(&before, config.path.as_str(), ports));
        let wanted = wanted.unwrap_or_default();
        if let Some(diff) = obstacle::of_stale(&wanted.stale) {
            return Ok(diff);
        }
        let text = self.text(&wanted);
        let main = match (&self.main, wanted.stale.first()) {
            (Some(main), _) => Some(without(main, &wanted.stale, &config.name)),
            (None, None) => None,
            (None, Some(line)) => return Ok(no_text(line)),
        };
        let after = self.directives(text.as_deref(), main.as_deref());
        let listeners = match (ports, listen::spots(&before), listen::spots(&after)) {
            (None, _, _) => None,
            (Some(_), Ok(before), Ok(after)) => Some(Listeners { before, after }),
            (Some(_), Err(line), _) | (Some(_), _, Err(line)) => return Ok(named_by_host(&line)),
        };
        self.compare(text.as_deref(), main.as_deref(), listeners.as_ref())
    }

    /// A file of somebody else in the place of ours.
    fn foreign(&self) -> Option<Diff> {
        let own = self.own.as_deref()?;
        let path = &self.config.path;
        (!drop_in::is_ours(own)).then(|| {
            Diff::needs_human(
                format!("{path} is there already and not ours"),
                "choose another name for the drop-in, or move that file away",
            )
        })
    }

    /// All lines that sshd reads, with these texts of our drop-in and of the main file.
    pub(super) fn directives(&self, own: Option<&str>, main: Option<&str>) -> Vec<Directive> {
        let mut files = self.sshd.files.clone();
        let file = files.iter_mut().find(|file| file.path == MAIN);
        if let Some((file, main)) = file.zip(main) {
            main.clone_into(&mut file.text);
        }
        directives(&files, MAIN, (self.config.path.as_str(), own))
    }

    /// Settings that are left out, because this sshd does not know them.
    pub(super) fn left_out(&self, setting: &Setting) -> bool {
        self.trial.is_some_and(|trial| !trial.knows(setting))
    }

    /// The text of our drop-in; `None` when there is nothing to say and never was.
    fn text(&self, wanted: &Wanted) -> Option<String> {
        let settings = self.config.settings.iter();
        let settings = settings
            .filter(|setting| !self.left_out(setting))
            .map(Setting::line);
        let lines: Vec<String> = wanted.lines.iter().cloned().chain(settings).collect();
        (!lines.is_empty() || self.own.is_some()).then(|| drop_in::text(&lines))
    }

    fn compare(
        &self,
        text: Option<&str>,
        main: Option<&str>,
        listeners: Option<&Listeners>,
    ) -> Result<Diff, ParseError> {
        let (drop_in, edited, step) = match self.rewrites(text, main)? {
            Ok(found) => found,
            Err(diff) => return Ok(*diff),
        };
        let runs = self.sshd.mode != Mode::Idle;
        let (was, then) = self.spots(listeners);
        let seen: Vec<Spot> = was.iter().cloned().collect();
        let moves = runs && listeners.is_some() && !listen::fits(&then, &seen);
        if moves && let Some(diff) = obstacle::of_spots(&then, self.sshd) {
            return Ok(diff);
        }
        let mut notes = self.notes();
        if drop_in.is_none() && edited.is_none() && !moves && !(runs && self.sshd.pending) {
            return Ok(Diff::compliant().with_notes(notes));
        }
        if !runs {
            let note = "sshd does not run: this counts when it is started";
            notes.push(Note::info(note));
        }
        let moved = moves.then(|| {
            let words = [&was, &then].map(listen::in_words);
            let [before, after] = words;
            property("listens on", before, after)
        });
        let outcome = Outcome {
            drop_in,
            main: edited,
            values: moved.into_iter().chain(self.values()).collect(),
            spots: &then,
            effective: self.effective(listeners.map(|listeners| &listeners.after)),
            moves,
        };
        let change = action::change(self.config, self.sshd, outcome);
        Ok(Diff::of(vec![change]).after(step).with_notes(notes))
    }

    /// Where sshd listens before this step and after it, as far as it can be seen.
    fn spots(&self, listeners: Option<&Listeners>) -> (BTreeSet<Spot>, BTreeSet<Spot>) {
        let seen = &self.sshd.spots;
        let now: BTreeSet<Spot> = seen.iter().cloned().collect();
        let Some(listeners) = listeners else {
            return (now.clone(), now);
        };
        let was = if self.predicted {
            listen::visible(&listeners.before, seen)
        } else {
            now
        };
        (was, listen::visible(&listeners.after, seen))
    }

    /// How both files change; or what stands in the way.
    fn rewrites(&self, text: Option<&str>, main: Option<&str>) -> Result<Rewrites, ParseError> {
        let mut step = None;
        let [own_file, main_file] = self.config.files(text.unwrap_or(""), main.unwrap_or(""));
        let drop_in = match text {
            Some(text) => self.rewrite(&own_file, text, &mut step)?,
            None => Ok(None),
        };
        let edited = match main {
            Some(main) if self.main.as_deref() != Some(main) => {
                self.rewrite(&main_file, main, &mut step)?
            }
            Some(_) | None => Ok(None),
        };
        Ok(match (drop_in, edited) {
            (Ok(drop_in), Ok(edited)) => Ok((drop_in, edited, step)),
            (Err(diff), _) | (_, Err(diff)) => Err(Box::new(diff)),
        })
    }

    /// How a file changes, by the kind `file`; or what stands in the way.
    fn rewrite(
        &self,
        file: &File,
        text: &str,
        step: &mut Option<StepNumber>,
    ) -> Result<Result<Option<Rewrite>, Diff>, ParseError> {
        let diff = file.diff(self.seen, self.known)?;
        if let Verdict::ChangeAfter { step: after, .. } = &diff.verdict {
            *step = (*step).max(Some(*after));
        }
        Ok(match diff.verdict.changes() {
            [change, ..] => Ok(Some(Rewrite::of(change, text))),
            [] if diff.verdict == Verdict::Compliant => Ok(None),
            [] => Err(diff),
        })
    }
}

fn no_text(line: &Directive) -> Diff {
    Diff::needs_human(
        format!(
            "{} must go, and that file is no plain text that could be edited",
            line.place()
        ),
        "take the line away by hand",
    )
}

fn named_by_host(line: &Directive) -> Diff {
    Diff::needs_human(
        format!(
            "{} names a host (`ListenAddress {}`): where that is cannot be known beforehand",
            line.place(),
            line.args
        ),
        "write the address instead of the name",
    )
}

/// The main file with these of its lines commented out.
fn without(main: &str, stale: &[Directive], name: &str) -> String {
    let gone = |number: usize| {
        stale
            .iter()
            .any(|line| line.path == MAIN && line.line == number)
    };
    let lines = main.split_inclusive('\n').enumerate().map(|(index, line)| {
        if gone(index + 1) {
            format!("# Holdfast, for {name}: {line}")
        } else {
            line.to_owned()
        }
    });
    lines.collect()
}
