//! Compares sshd as it is, or as earlier steps will leave it, with what it should be.

use std::collections::BTreeSet;

use super::action::{self, Outcome, Rewrite};
use super::directive::{Directive, directives};
use super::listen::{self, Spot, Wanted};
use super::look::{Look, Mode, Sshd};
use super::setting::Setting;
use super::trial::{self, Trial};
use super::{MAIN, SshdConfig, drop_in, obstacle};
use crate::change::{Diff, Known, Note, Shown, StepNumber, Verdict};
use crate::probe::{Answers, ParseError};
use crate::resource::Resource;
use crate::resource::file::File;

/// What is looked at.
struct Case<'a> {
    config: &'a SshdConfig,
    sshd: &'a Sshd,
    trial: Option<&'a Trial>,
    seen: &'a Answers,
    known: &'a Known,
    /// Our drop-in and the main file before this step.
    own: Option<String>,
    main: String,
    /// An earlier step writes the drop-in.
    predicted: bool,
}

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
        main: text(&main, MAIN)?.unwrap_or_default(),
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
        let before = self.directives(self.own.as_deref(), &self.main);
        let settings = self
            .trial
            .and_then(|trial| obstacle::of_settings(config, sshd, trial, &before));
        if let Some(diff) = settings.or_else(|| obstacle::of_ports(config, sshd)) {
            return Ok(diff);
        }
        // Whether we would still get in is the business of src/resource/login.rs, and asked here.
        let ports = config.ports.as_deref();
        let wanted = ports.map(|ports| listen::wanted(&before, config.path.as_str(), ports));
        let wanted = wanted.unwrap_or_default();
        if let Some(diff) = obstacle::of_stale(&wanted.stale) {
            return Ok(diff);
        }
        let text = self.text(&wanted);
        let main = without(&self.main, &wanted.stale, &config.name);
        let after = self.directives(text.as_deref(), &main);
        let listeners =
            listen::spots(&before).and_then(|before| Ok((before, listen::spots(&after)?)));
        let listeners = match (listeners, ports) {
            (Ok((before, after)), Some(_)) => Some((before, after)),
            (_, None) => None,
            (Err(line), Some(_)) => return Ok(named_by_host(&line)),
        };
        self.compare(text.as_deref(), &main, listeners)
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

    fn directives(&self, own: Option<&str>, main: &str) -> Vec<Directive> {
        let mut files = self.sshd.files.clone();
        if let Some(file) = files.iter_mut().find(|file| file.path == MAIN) {
            main.clone_into(&mut file.text);
        }
        directives(&files, MAIN, (self.config.path.as_str(), own))
    }

    /// Settings that are left out, because this sshd does not know them.
    fn left_out(&self, setting: &Setting) -> bool {
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

    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is made for this call alone"
    )]
    fn compare(
        &self,
        text: Option<&str>,
        main: &str,
        listeners: Option<(BTreeSet<Spot>, BTreeSet<Spot>)>,
    ) -> Result<Diff, ParseError> {
        let sshd = self.sshd;
        let mut step = None;
        let [own_file, main_file] = self.config.files(text.unwrap_or(""), main);
        let drop_in = match text {
            Some(text) => self.rewrite(&own_file, text, &mut step)?,
            None => Ok(None),
        };
        let edited = if main == self.main {
            Ok(None)
        } else {
            self.rewrite(&main_file, main, &mut step)?
        };
        let (drop_in, edited) = match (drop_in, edited) {
            (Ok(drop_in), Ok(edited)) => (drop_in, edited),
            (Err(diff), _) | (_, Err(diff)) => return Ok(diff),
        };
        let now: BTreeSet<Spot> = sshd.spots.iter().cloned().collect();
        let (was, then) = match &listeners {
            Some((before, after)) if self.predicted => (
                listen::visible(before, &sshd.spots),
                listen::visible(after, &sshd.spots),
            ),
            Some((_, after)) => (now.clone(), listen::visible(after, &sshd.spots)),
            None => (now.clone(), now.clone()),
        };
        let seen: Vec<Spot> = was.iter().cloned().collect();
        let runs = sshd.mode != Mode::Idle;
        let moves = runs && listeners.is_some() && !listen::fits(&then, &seen);
        let mut notes = self.notes();
        if drop_in.is_none() && edited.is_none() && !moves && !(runs && sshd.pending) {
            return Ok(Diff::compliant().with_notes(notes));
        }
        if !runs {
            notes.push(Note::info(
                "sshd does not run: this counts when it is started",
            ));
        }
        let mut values = self.values();
        if moves {
            values.insert(
                0,
                property(
                    "listens on",
                    listen::in_words(&was),
                    listen::in_words(&then),
                ),
            );
        }
        let outcome = Outcome {
            drop_in,
            main: edited,
            values,
            spots: &then,
            effective: self.effective(listeners.as_ref().map(|(_, after)| after)),
            moves,
        };
        let change = action::change(self.config, sshd, outcome);
        Ok(Diff::of(vec![change]).after(step).with_notes(notes))
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

    /// The settings that sshd shows, with the name under which it does.
    fn shown(&self) -> impl Iterator<Item = (&Setting, &Trial, String)> {
        let trial = self.trial.into_iter();
        trial.flat_map(|trial| {
            let settings = self
                .config
                .settings
                .iter()
                .filter(|setting| trial.knows(setting));
            settings.filter_map(move |setting| Some((setting, trial, trial.name(setting)?)))
        })
    }

    /// Values in effect that change.
    fn values(&self) -> Vec<Shown> {
        let own = self.own.as_deref().filter(|_| self.predicted);
        let own = directives(&[], MAIN, (MAIN, own));
        let now = self.sshd.now.as_deref().unwrap_or_default();
        let shown = self.shown().filter_map(|(setting, trial, name)| {
            let predicted = own.iter().find(|line| line.keyword == setting.key());
            let before = predicted.map_or_else(
                || trial::values(now, &name).join(" "),
                |line| line.args.clone(),
            );
            let after = trial.after(&name).join(" ");
            (before != after).then(|| property(&setting.keyword, before, after))
        });
        shown.collect()
    }

    /// The lines that `sshd -T` must show afterwards.
    fn effective(&self, listeners: Option<&BTreeSet<Spot>>) -> Vec<String> {
        let spots = listeners.into_iter().flatten();
        let spots = spots.map(|spot| format!("listenaddress {spot}"));
        let settings = self.shown().flat_map(|(_, trial, name)| {
            let values: Vec<String> = trial
                .wanted(&name)
                .iter()
                .map(|value| format!("{name} {value}"))
                .collect();
            values
        });
        spots.chain(settings).collect()
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        let (config, sshd) = (self.config, self.sshd);
        for setting in &config.settings {
            if self.left_out(setting) {
                notes.push(Note::info(format!(
                    "{} does not know {}: left out",
                    sshd.version, setting.keyword
                )));
            } else if self
                .trial
                .is_some_and(|trial| trial.name(setting).is_none())
            {
                notes.push(Note::warning(format!(
                    "{} shows no value of {}: whether it counts cannot be told",
                    sshd.version, setting.keyword
                )));
            }
        }
        notes.extend(self.others());
        let new = config.ports.iter().flatten().map(|port| port.get());
        for port in new.filter(|port| {
            sshd.ephemeral
                .is_some_and(|(from, to)| (from..=to).contains(port))
        }) {
            notes.push(Note::warning(format!(
                "port {port} is among those for outgoing connections (net.ipv4.ip_local_port_range): one of them may have it when sshd starts"
            )));
        }
        notes
    }

    /// Lines of others that say something else for some, or add to ours.
    fn others(&self) -> Vec<Note> {
        let all = self.directives(self.own.as_deref(), &self.main);
        let ours = |line: &&Directive| line.path == self.config.path.as_str();
        let mut notes = Vec::new();
        for line in all.iter().filter(|line| !ours(line)) {
            let same_key = |setting: &&Setting| setting.key() == line.keyword;
            let Some(setting) = self.config.settings.iter().find(same_key) else {
                continue;
            };
            let says = format!("{} says `{} {}`", line.place(), setting.keyword, line.args);
            match &line.condition {
                Some(condition) if !line.args.eq_ignore_ascii_case(&setting.value()) => {
                    notes.push(Note::warning(format!(
                        "{says} for `Match {condition}`: there it stays so"
                    )));
                }
                None if setting.is_cumulative() => {
                    notes.push(Note::warning(format!("{says}: that counts as well")));
                }
                Some(_) | None => {}
            }
        }
        notes
    }
}

fn property(name: &str, before: String, after: String) -> Shown {
    Shown::Property {
        name: name.to_owned(),
        before,
        after,
    }
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
