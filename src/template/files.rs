//! The template files of a project.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Text;
use crate::diagnostic::{Diagnostic, Source};

/// Template files by their name (`fail2ban/sshd-jail.conf.j2`). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Templates(Arc<BTreeMap<String, Result<Source, String>>>);

impl Templates {
    /// These files.
    pub fn new(files: BTreeMap<String, Source>) -> Self {
        let files = files.into_iter().map(|(name, source)| (name, Ok(source)));
        Self::of_files(files.collect())
    }

    /// These files; for one that cannot be read, why.
    pub fn of_files(files: BTreeMap<String, Result<Source, String>>) -> Self {
        Self(Arc::new(files))
    }

    /// The file of that name.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(name)?.as_ref().ok()
    }

    /// Why there is no file of that name to use, for the text that asks for it.
    pub fn missing(&self, name: &str, asked: &Text) -> Diagnostic {
        match self.0.get(name) {
            Some(Err(why)) => Diagnostic::error(why).at(&asked.place),
            Some(Ok(_)) | None => Diagnostic::error(format!("there is no template `{name}`"))
                .at(&asked.place)
                .nearest(name, self.names()),
        }
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
