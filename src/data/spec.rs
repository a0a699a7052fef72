//! The YAML of one data entry, and its filling in for a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::Value;
use ureq::http::Uri;

use super::DataError;
use super::built_in::BuiltIn;
use super::drift::{ChangeBounds, Percent};
use super::guards::ListSpec;
use crate::diagnostic::{Diagnostic, Place};
use crate::template::{Scope, Text};
use crate::value::{Cidr, Duration, Name};

/// One entry below `data:`, as written.
#[derive(Debug)]
pub struct Spec {
    pub(super) name: Name,
    /// What it is, in one line.
    pub help: String,
    pub(super) sources: Vec<SourceSpec>,
    pub(super) ca_file: Option<Text>,
    pub(super) timeout: Duration,
    pub(super) lists: BTreeMap<String, ListSpec>,
    pub(super) allow_special: Vec<Text>,
    pub(super) change: ChangeBounds,
    pub(super) canary: Percent,
    pub(super) built_in: BuiltIn,
}

/// One source, as written.
#[derive(Debug)]
pub(super) struct SourceSpec {
    pub(super) url: Text,
    pub(super) format: Format,
    pub(super) require: Vec<(String, Value)>,
}

/// How an answer holds its lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// Lists and the pointers to their arrays.
    Json(Vec<(String, String)>),
    /// One network a line, for these lists.
    Lines(Vec<String>),
}

/// A [`Spec`] with its texts filled in: what this run asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Asked<'a> {
    pub(super) sources: Vec<AskedSource<'a>>,
    /// None: the machine's own authorities.
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: std::time::Duration,
    pub(super) allowed: Vec<Cidr>,
}

/// A source whose address is known.
#[derive(Debug)]
pub(super) struct AskedSource<'a> {
    pub(super) url: String,
    pub(super) spec: &'a SourceSpec,
}

impl PartialEq for AskedSource<'_> {
    /// Two of the same spec.
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url && std::ptr::eq(self.spec, other.spec)
    }
}

impl Spec {
    /// Its name: templates see its lists below `data.NAME`.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Every text that may hold a template. Only `inputs` can be used in them: data is the same for
    /// all hosts of a run.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        let urls = self.sources.iter().map(|source| &source.url);
        urls.chain(&self.ca_file).chain(&self.allow_special)
    }

    /// Whether both scopes ask for the same: data is fetched once, so the inputs of all hosts must
    /// describe it alike.
    ///
    /// # Errors
    /// When a text cannot be filled in.
    pub fn means_the_same(&self, one: &Scope, other: &Scope) -> Result<bool, DataError> {
        Ok(self.render(one)? == self.render(other)?)
    }

    /// Fills in the texts.
    pub(super) fn render(&self, scope: &Scope) -> Result<Asked<'_>, DataError> {
        let mut sources = Vec::new();
        for spec in &self.sources {
            let url = scope.text(&spec.url)?.trim().to_owned();
            if url.is_empty() {
                continue;
            }
            check_url(&url, &spec.url.place)?;
            sources.push(AskedSource { url, spec });
        }
        // What is asked first is the list, so it must have every list.
        let complete =
            |source: &AskedSource<'_>| self.lists.keys().all(|name| source.spec.format.has(name));
        if !sources.first().is_some_and(complete) {
            let message = format!(
                "no address is left from which data `{}` could be fetched as a whole",
                self.name
            );
            let error = Diagnostic::error(message).hint("the first source must not be empty");
            return Err(self
                .sources
                .first()
                .map_or(error.clone(), |source| error.at(&source.url.place))
                .into());
        }
        let mut allowed = Vec::new();
        for text in scope.list(&self.allow_special)? {
            allowed.push(constant_here(&text)?);
        }
        let ca_file = self
            .ca_file
            .as_ref()
            .map(|text| scope.text(text))
            .transpose()?;
        let ca_file = ca_file
            .map(|path| path.trim().to_owned())
            .filter(|path| !path.is_empty());
        Ok(Asked {
            sources,
            ca_file: ca_file.map(PathBuf::from),
            timeout: self.timeout.get(),
            allowed,
        })
    }
}

impl Format {
    pub(super) fn has(&self, list: &str) -> bool {
        match self {
            Format::Json(lists) => lists.iter().any(|(name, _)| name == list),
            Format::Lines(lists) => lists.iter().any(|name| name == list),
        }
    }
}

/// A text without templates in it, as its value.
pub(super) fn constant_here<T: FromStr<Err: std::fmt::Display>>(
    text: &Text,
) -> Result<T, Diagnostic> {
    text.text.trim().parse().map_err(|error: T::Err| {
        let message = format!("`{}` is not valid: {error}", text.text.trim());
        Diagnostic::error(message).at(&text.place)
    })
}

/// Only https, a host, and no password: addresses are shown and journalled.
pub(super) fn check_url(url: &str, place: &Place) -> Result<(), Diagnostic> {
    let wrong = |message: &str| Err(Diagnostic::error(format!("`{url}`: {message}")).at(place));
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("not an address");
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some("https"), Some(authority)) if authority.as_str().contains('@') => {
            wrong("a password in an address would be shown and journalled")
        }
        (Some("https"), Some(_)) => Ok(()),
        (Some(_) | None, Some(_) | None) => wrong("only https addresses can be trusted"),
    }
}
