//! Files that other kinds put somewhere.

use super::account::Account;
use super::look::Look;
use super::{Body, File};
use crate::probe::{Answers, ParseError};
use crate::resource::Lines;
use crate::value::{AbsolutePath, FileMode};

impl File {
    /// A file that another kind writes: this text; mode and owner stay as they are.
    pub(in crate::resource) fn of_text(path: AbsolutePath, text: String) -> Self {
        Self {
            path,
            body: Body::Text(text),
            mode: None,
            owner: None,
            group: None,
            validate: Vec::new(),
            follow: false,
            in_place: false,
            makes_folder: false,
        }
    }

    /// Where it is wanted.
    pub(in crate::resource) fn path(&self) -> &AbsolutePath {
        &self.path
    }

    /// What a host shows of the file behind the path; `None`: no plain file, or none that is a text.
    pub(in crate::resource) fn text_seen(
        &self,
        seen: &Answers,
    ) -> Result<Option<String>, ParseError> {
        let look = Look::parse(&Lines::of(seen, &self.probe())?)?;
        Ok(look.text().map(str::to_owned))
    }

    /// A file of root's with this content and mode, or none: what other kinds put somewhere.
    pub(in crate::resource) fn of_root(
        path: AbsolutePath,
        content: Option<String>,
        mode: FileMode,
    ) -> Self {
        let present = content.is_some();
        let root = present.then_some(Account::Number(0));
        Self {
            path,
            body: content.map_or(Body::Gone, Body::Text),
            mode: present.then_some(mode),
            owner: root.clone(),
            group: root,
            validate: Vec::new(),
            follow: false,
            in_place: false,
            makes_folder: false,
        }
    }

    /// The same, where a missing folder is made along with it.
    pub(in crate::resource) fn with_its_folder(mut self) -> Self {
        self.makes_folder = true;
        self
    }

    /// The text it should hold, when that is what is wanted of it.
    pub(in crate::resource) fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::AsItIs | Body::Gone => None,
        }
    }

    /// Whether it says that there must be no file.
    pub(in crate::resource) fn is_absence(&self) -> bool {
        self.body == Body::Gone
    }
}
