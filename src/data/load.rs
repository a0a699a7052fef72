//! The flow: fetch and judge, or do without the publisher.

use ureq::tls::RootCerts;

use super::agent;
use super::drift::{self, Before};
use super::fetch::{self, Fault};
use super::lists::Lists;
use super::spec::{Asked, AskedSource, Spec};
use super::store::{self, Copy, FRESH};
use super::{Data, DataError, LoadOptions, Origin, Refusal, guards, parse};
use crate::change::Note;
use crate::diagnostic::Diagnostic;
use crate::template::Scope;

/// Fetches what `spec` describes and puts it before its guards. Blocks: the network is waited for.
///
/// Reads the last good copy, but writes nothing: a run that is not dry calls [`Data::keep`] once its
/// plan is approved (or nothing is to do), so that a list that a person said no to is not what the
/// next one is measured by.
///
/// `scope` needs `inputs` only: data is the same for all hosts of a run.
///
/// # Errors
/// [`DataError::Refused`] when a guard says no, or when the publisher cannot be reached, nobody
/// watches and there is no fresh copy.
pub fn load(spec: &Spec, scope: &Scope, options: &LoadOptions) -> Result<Data, DataError> {
    let asked = spec.render(scope)?;
    let trusted = trusted(spec, &asked)?;
    let mut loading = Loading {
        spec,
        options,
        last: None,
        notes: Vec::new(),
    };
    match store::read(&options.store, spec, &asked) {
        Ok(last) => loading.last = last,
        Err(why) => loading.notes.push(Note::warning(why.to_string())),
    }
    let loaded = match fetch::fetch(&asked, trusted) {
        Ok(answers) => loading.judge(&asked, &answers),
        Err(Fault::Refused(refusal)) => Err(refusal),
        Err(Fault::Unreachable(refusal)) => loading.without_publisher(refusal),
    };
    loaded.map_err(|refusal| DataError::Refused {
        name: spec.name.clone(),
        origin: format!("fetched from {}", refusal.url),
        why: refusal.why,
        hint: refusal.hint,
    })
}

fn trusted(spec: &Spec, asked: &Asked<'_>) -> Result<RootCerts, Diagnostic> {
    // The machine's store is only read when it is needed: it takes longer than the whole fetch.
    let Some(file) = &asked.ca_file else {
        return Ok(RootCerts::PlatformVerifier);
    };
    agent::authorities(file).map_err(|error| {
        let message = format!(
            "the authorities in {} cannot be used: {error}",
            file.display()
        );
        let error = Diagnostic::error(message)
            .hint("a PEM file, or nothing for the machine's own authorities");
        spec.ca_file
            .as_ref()
            .map_or(error.clone(), |text| error.at(&text.place))
    })
}

struct Loading<'a> {
    spec: &'a Spec,
    options: &'a LoadOptions,
    last: Option<Copy>,
    notes: Vec<Note>,
}

impl Loading<'_> {
    /// Everything that can be said against what was fetched.
    fn judge(mut self, asked: &Asked<'_>, answers: &[String]) -> Result<Data, Refusal> {
        let mut read = Vec::new();
        for (source, body) in asked.sources.iter().zip(answers) {
            read.push((source.url.as_str(), self.read(source, body, asked)?));
        }
        drift::same_everywhere(&read)?;
        let (url, lists) = read.into_iter().next().expect("something is always asked");
        let refuse = |why, hint| Refusal {
            url: url.to_owned(),
            why,
            hint,
        };
        drift::canary(self.spec, &lists).map_err(|why| refuse(why, None))?;
        let accepted_by = self.judge_change(&lists).map_err(|why| {
            let hint = "compare with what the publisher announces; --accept-change accepts it, with somebody watching";
            refuse(why, Some(hint.to_owned()))
        })?;
        let copy = Copy::new(url, self.options.now, lists, accepted_by);
        let origin = Origin::Fetched {
            url: url.to_owned(),
        };
        Ok(Data {
            fetched: Some(copy.clone()),
            ..self.data(&copy.lists, origin)
        })
    }

    /// The lists of one source, when each is as it should be by itself.
    fn read(
        &self,
        source: &AskedSource<'_>,
        body: &str,
        asked: &Asked<'_>,
    ) -> Result<Lists, Refusal> {
        let refuse = |why, hint| Refusal {
            url: source.url.clone(),
            why,
            hint,
        };
        let texts = parse::parse(body, source.spec, &self.spec.lists)
            .map_err(|(why, hint)| refuse(why, hint))?;
        guards::check(self.spec, &texts, &asked.allowed).map_err(|why| refuse(why, None))
    }

    /// Compares with the last good copy; who accepted a change that is beyond the bounds.
    fn judge_change(&mut self, lists: &Lists) -> Result<Option<String>, String> {
        match Before::of(self.spec, self.last.as_ref()).judge(self.spec, lists) {
            Ok(change) => {
                self.notes.extend(change.map(Note::info));
                Ok(None)
            }
            Err(change) => match &self.options.accept_change {
                Some(operator) if !self.options.unattended => {
                    self.notes
                        .push(Note::warning(format!("{change}; {operator} accepts that")));
                    Ok(Some(operator.clone()))
                }
                Some(_) | None => Err(change),
            },
        }
    }

    /// What is used when there is no connection: for a person anything, if it is said; for nobody
    /// only a fresh copy.
    fn without_publisher(mut self, refusal: Refusal) -> Result<Data, Refusal> {
        let (now, unattended) = (self.options.now, self.options.unattended);
        let why = format!("{}: {}", refusal.url, refusal.why);
        let old = format!("older than {} days", FRESH.as_hours() / 24);
        let (lists, origin, note) = match self.last.take() {
            Some(copy) => {
                let origin = copy.origin(now);
                let note = match (copy.is_fresh(now), unattended) {
                    (true, true) => Note::info(format!("{why}; the {origin} is used")),
                    (true, false) => Note::warning(format!("{why}; the {origin} is used")),
                    (false, false) => {
                        Note::warning(format!("{why}; the {origin} is used, although it is {old}"))
                    }
                    (false, true) => {
                        return Err(with_reason(refusal, &format!("the {origin} is {old}")));
                    }
                };
                (copy.lists, origin, note)
            }
            None if unattended => return Err(with_reason(refusal, "there is no last good copy")),
            None => {
                let origin = Origin::BuiltIn {
                    date: self.spec.built_in.date,
                };
                let note = Note::warning(format!(
                    "{why}; there is no last good copy, so the {origin} is used"
                ));
                (self.spec.built_in.lists.clone(), origin, note)
            }
        };
        self.notes.push(note);
        Ok(self.data(&lists, origin))
    }

    fn data(self, lists: &Lists, origin: Origin) -> Data {
        Data {
            name: self.spec.name.clone(),
            value: lists.to_value(),
            origin,
            entries: lists.len(),
            notes: self.notes,
            fetched: None,
        }
    }
}

fn with_reason(refusal: Refusal, copy: &str) -> Refusal {
    let hint = "check the network of this machine, or run once with somebody watching";
    Refusal {
        why: format!("{}, and {copy}", refusal.why),
        hint: Some(hint.to_owned()),
        ..refusal
    }
}
