//! The names that a template may use.

use std::collections::BTreeMap;

use crate::diagnostic::nearest;

/// Which names a template may use, known before any host is asked.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, Below>);

/// What may stand below a name: anything, or exactly these.
#[derive(Debug, Clone)]
enum Below {
    Anything,
    Only(Names),
}

impl Names {
    /// No name at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// `root` with exactly these names below it.
    #[must_use]
    pub fn with<'a>(mut self, root: &str, below: impl IntoIterator<Item = &'a str>) -> Self {
        let below = below.into_iter().fold(Self::new(), Self::with_any);
        self.0.insert(root.to_owned(), Below::Only(below));
        self
    }

    /// `root` with anything below it.
    #[must_use]
    pub fn with_any(mut self, root: &str) -> Self {
        self.0.insert(root.to_owned(), Below::Anything);
        self
    }

    /// All but `root`.
    #[must_use]
    pub fn without(mut self, root: &str) -> Self {
        self.0.remove(root);
        self
    }

    /// `root` with the names below it that the mappings of `sample` have, however deep.
    #[must_use]
    pub fn with_sample(mut self, root: &str, sample: &serde_json::Value) -> Self {
        let below = match sample.as_object() {
            None => Below::Anything,
            Some(map) => Below::Only(map.iter().fold(Self::new(), |names, (name, value)| {
                names.with_sample(name, value)
            })),
        };
        self.0.insert(root.to_owned(), below);
        self
    }

    /// The hint to a dotted name that is not among these; it may be empty.
    pub(super) fn problem(&self, path: &str) -> Option<String> {
        let mut names = self;
        for (depth, part) in path.split('.').enumerate() {
            if depth == 0 && !names.0.contains_key(part) && FUNCTIONS.contains(&part) {
                return None;
            }
            match names.0.get(part) {
                None => {
                    let known: Vec<&str> = names.0.keys().map(String::as_str).collect();
                    return Some(hint(part, &known));
                }
                Some(Below::Anything) => return None,
                Some(Below::Only(below)) => names = below,
            }
        }
        None
    }
}

/// `MiniJinja`'s own functions, which count as names to it.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// Empty when nothing is known.
pub(super) fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(found) => format!("did you mean `{found}`?"),
        None if known.is_empty() => String::new(),
        None => format!("known here: {}", known.join(", ")),
    }
}
