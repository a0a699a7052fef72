//! Where runbooks come from: those in the binary, overridden by the project's folder.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::Runbook;
use super::include::Shelf;
use super::load::load_from;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::template::Templates;

static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/runbooks");

/// The folder of a runbook folder that holds template files.
const TEMPLATES: &str = "templates";

/// Where a runbook was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the binary.
    Shipped,
    /// A file of the project; `hides` when the binary has one of the same name.
    Project {
        /// The file.
        path: PathBuf,
        /// Whether it stands in for a shipped one.
        hides: bool,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Shipped => f.write_str("shipped"),
            Origin::Project { path, hides: false } => write!(f, "{}", path.display()),
            Origin::Project { path, hides: true } => {
                write!(f, "{} (instead of the shipped one)", path.display())
            }
        }
    }
}

/// One runbook of the library, not yet read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
    /// Its text; why there is none is this entry's own mistake, not that of the whole library.
    source: Result<Source, Diagnostic>,
}

/// Why the library, or a runbook of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no runbook of that name.
    #[error("{0}")]
    Unknown(Diagnostic),
    /// The runbook has mistakes.
    #[error("{0}")]
    Mistakes(Diagnostics),
}

/// Template files by name; for one that cannot be read, why.
type TemplateFiles = BTreeMap<String, Result<Source, String>>;

/// All runbooks and template files at hand.
#[derive(Debug)]
pub struct Library {
    entries: BTreeMap<String, Entry>,
    templates: Templates,
}

impl Library {
    /// The shipped runbooks, and those of `folder` when it exists.
    ///
    /// # Errors
    /// When the folder is there but cannot be read.
    pub fn open(folder: &Path) -> Result<Self, LibraryError> {
        let mut entries = BTreeMap::new();
        let mut templates = BTreeMap::new();
        for file in SHIPPED.files().filter(|file| is_yaml(file.path())) {
            let text = file.contents_utf8().unwrap_or_default();
            let name = stem(file.path());
            let source = Source::new(Path::new("<shipped>").join(file.path()), text);
            let origin = Origin::Shipped;
            entries.insert(
                name.clone(),
                Entry {
                    name,
                    origin,
                    source: Ok(source),
                },
            );
        }
        collect_shipped(SHIPPED.get_dir(TEMPLATES), &mut templates);
        if folder.is_dir() {
            for path in files_below(folder, false)? {
                if is_yaml(&path) {
                    add_project_file(path, &mut entries);
                }
            }
            collect_project(&folder.join(TEMPLATES), &mut templates)?;
        }
        Ok(Self {
            entries,
            templates: Templates::of_files(templates),
        })
    }

    /// All runbooks by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Reads and checks the runbook of that name, or the file when it is a path.
    ///
    /// # Errors
    /// When there is none, or it has mistakes.
    pub fn load(&self, name: &str) -> Result<Runbook, LibraryError> {
        let path = Path::new(name);
        if is_yaml(path) {
            let source = read(path)?;
            return self
                .read(&stem(path), &source)
                .map_err(LibraryError::Mistakes);
        }
        let Some(entry) = self.entries.get(name) else {
            return Err(LibraryError::Unknown(self.unknown(name)));
        };
        match &entry.source {
            Ok(source) => self.read(&entry.name, source),
            Err(unreadable) => Err(unreadable.clone().into()),
        }
        .map_err(LibraryError::Mistakes)
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let names = self.entries.keys().map(String::as_str);
        Diagnostic::error(format!("there is no runbook `{name}`")).nearest(name, names)
    }

    fn read(&self, name: &str, source: &Source) -> Result<Runbook, Diagnostics> {
        let find = |name: &str| match self.entries.get(name) {
            Some(entry) => entry.source.clone(),
            None => Err(self.unknown(name)),
        };
        load_from(name, source, self.templates.clone(), &Shelf::of(&find))
    }
}

/// Reads and checks a runbook whose text was kept, with those of the runbooks that it includes.
///
/// # Errors
/// When it is not among them, or has mistakes.
pub fn load_saved(
    name: &str,
    runbooks: &BTreeMap<String, Source>,
    templates: Templates,
) -> Result<Runbook, LibraryError> {
    let find = |name: &str| {
        let known = runbooks.keys().map(String::as_str);
        runbooks.get(name).cloned().ok_or_else(|| {
            Diagnostic::error(format!("there is no runbook `{name}`")).nearest(name, known)
        })
    };
    let source = find(name).map_err(LibraryError::Unknown)?;
    load_from(name, &source, templates, &Shelf::of(&find)).map_err(LibraryError::Mistakes)
}

fn add_project_file(path: PathBuf, entries: &mut BTreeMap<String, Entry>) {
    let name = stem(&path);
    let source = fs::read_to_string(&path)
        .map(|text| Source::new(&path, text))
        .map_err(|error| Diagnostic::error(unreadable(&path, &error)));
    // The folder of this very checkout holds what is in the binary: no override.
    let text = |source: &Result<Source, Diagnostic>| {
        let source = source.as_ref().ok();
        source.map(|source| source.text().to_owned())
    };
    let hides = entries.get(&name).is_some_and(|entry| {
        entry.origin == Origin::Shipped && text(&entry.source) != text(&source)
    });
    let origin = Origin::Project { path, hides };
    entries.insert(
        name.clone(),
        Entry {
            name,
            origin,
            source,
        },
    );
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn collect_project(folder: &Path, out: &mut TemplateFiles) -> Result<(), LibraryError> {
    if folder.is_dir() {
        for path in files_below(folder, true)? {
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path);
            let source = text.map(|text| Source::new(&path, text));
            out.insert(name, source.map_err(|error| unreadable(&path, &error)));
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn read(path: &Path) -> Result<Source, LibraryError> {
    let unreadable = |source| LibraryError::Unreadable {
        path: path.to_owned(),
        source,
    };
    fs::read_to_string(path)
        .map(|text| Source::new(path, text))
        .map_err(unreadable)
}

fn files_below(folder: &Path, deep: bool) -> Result<Vec<PathBuf>, LibraryError> {
    let unreadable = |source| LibraryError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            files.push(path);
        } else if deep && path.is_dir() {
            files.extend(files_below(&path, deep)?);
        }
    }
    files.sort();
    Ok(files)
}

fn collect_shipped(dir: Option<&'static Dir<'static>>, out: &mut TemplateFiles) {
    let Some(dir) = dir else { return };
    for file in dir.files() {
        let name = file
            .path()
            .strip_prefix(TEMPLATES)
            .unwrap_or(file.path())
            .to_string_lossy()
            .into_owned();
        let source = Source::new(
            Path::new("<shipped>").join(file.path()),
            file.contents_utf8().unwrap_or_default(),
        );
        out.insert(name, Ok(source));
    }
    dir.dirs()
        .for_each(|below| collect_shipped(Some(below), out));
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "name: good\nsummary: x\nsteps:\n  - name: x\n    file: { path: /x, content: \"\" }\n";

    #[test]
    fn a_file_that_cannot_be_read_is_only_its_own_mistake() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(TEMPLATES)).unwrap();
        fs::write(folder.path().join("good.yaml"), GOOD).unwrap();
        fs::write(folder.path().join("bad.yaml"), b"name: \xff").unwrap();
        fs::write(folder.path().join("templates/bad.j2"), b"\xff").unwrap();
        let uses = GOOD
            .replace("good", "uses")
            .replace("content: \"\"", "template: bad.j2");
        fs::write(folder.path().join("uses.yaml"), uses).unwrap();
        let library = Library::open(folder.path()).unwrap();
        assert!(library.load("good").is_ok());
        for name in ["bad", "uses"] {
            let said = library.load(name).unwrap_err().to_string();
            assert!(said.contains("cannot read "), "{said}");
            assert!(said.contains("UTF-8"), "{said}");
        }
    }
}
