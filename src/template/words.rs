//! The filters and tests that a template names. `MiniJinja` looks them up only when it renders, which
//! may be on the tenth host.

use std::ops::Range;

/// A filter or test as it is named in a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Which of the two.
    pub(super) role: Role,
    /// Where it stands, in bytes.
    pub(super) range: Range<usize>,
}

/// What a name is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `| name`
    Filter,
    /// `is name`
    Test,
}

/// The filters there are, for hints.
pub(super) const FILTERS: [&str; 51] = [
    "safe",
    "escape",
    "e",
    "lower",
    "upper",
    "title",
    "capitalize",
    "replace",
    "length",
    "count",
    "dictsort",
    "items",
    "reverse",
    "trim",
    "join",
    "split",
    "lines",
    "default",
    "d",
    "round",
    "abs",
    "int",
    "float",
    "attr",
    "first",
    "last",
    "min",
    "max",
    "sort",
    "list",
    "string",
    "bool",
    "batch",
    "slice",
    "sum",
    "indent",
    "select",
    "reject",
    "map",
    "groupby",
    "unique",
    "chain",
    "zip",
    "pprint",
    "format",
    "sh",
    "network",
    "ipv4",
    "ipv6",
    "slot",
    "later",
];

/// The tests there are, for hints.
pub(super) const TESTS: [&str; 29] = [
    "undefined",
    "defined",
    "none",
    "safe",
    "escaped",
    "boolean",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "int",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "startingwith",
    "endingwith",
    "lower",
    "upper",
    "sameas",
    "eq",
    "ne",
    "in",
    "true",
    "false",
    "filter",
    "within",
];

/// Every filter and test named in a template, or in a bare expression, that is sound otherwise.
pub(super) fn called(text: &str, bare: bool) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    if bare {
        in_code(text, 0, &mut found);
        return found;
    }
    let mut at = 0;
    let mut raw = false;
    while let Some(start) = text[at..].find('{').map(|offset| at + offset) {
        let rest = &text[start..];
        if rest.starts_with("{##") && !raw {
            at = rest.find("##}").map_or(text.len(), |end| start + end + 3);
        } else if rest.starts_with("{%") || (rest.starts_with("{{") && !raw) {
            let close = if rest.starts_with("{{") { "}}" } else { "%}" };
            let inside = start + 2;
            let end = code_end(text, inside, close);
            let code = &text[inside..end];
            let first = code.trim_matches(['-', '+', ' ']);
            if raw || first == "raw" {
                raw = close == "%}" && first != "endraw";
            } else {
                in_code(code, inside, &mut found);
            }
            at = (end + 2).min(text.len());
        } else {
            at = start + 1;
        }
    }
    found
}

/// Where the code that begins at `start` ends; closing braces in its texts do not count.
fn code_end(text: &str, start: usize, close: &str) -> usize {
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(close) {
            return at;
        }
        at += text_length(&text[at..]).unwrap_or(c.len_utf8());
    }
    text.len()
}

/// How long the quoted text is that `code` begins with.
fn text_length(code: &str) -> Option<usize> {
    let quote = code.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (offset, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(offset + c.len_utf8()),
            _ => {}
        }
    }
    Some(code.len())
}

fn in_code<'a>(code: &'a str, offset: usize, found: &mut Vec<Word<'a>>) {
    let (mut at, mut role) = (0, None);
    // After a dot `is` is a name of a mapping.
    let mut dotted = false;
    while let Some(c) = code[at..].chars().next() {
        if let Some(length) = text_length(&code[at..]) {
            (at, role, dotted) = (at + length, None, false);
        } else if c.is_alphabetic() || c == '_' {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            let rest = &code[at..];
            let name = &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())];
            let range = offset + at..offset + at + name.len();
            at += name.len();
            role = match role {
                Some(Role::Test) if name == "not" => role,
                Some(role) => {
                    found.push(Word { name, role, range });
                    None
                }
                None => (name == "is" && !dotted).then_some(Role::Test),
            };
            dotted = false;
        } else {
            at += c.len_utf8();
            if !c.is_whitespace() {
                role = (c == '|').then_some(Role::Filter);
                dotted = c == '.';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(text: &str, bare: bool) -> Vec<(Role, &str)> {
        let words = called(text, bare);
        for word in &words {
            assert_eq!(&text[word.range.clone()], word.name);
        }
        words.iter().map(|word| (word.role, word.name)).collect()
    }

    #[test]
    fn words_are_found_in_code_only() {
        let text = "| no {## {{ x | no }} ##} {{ a|one | two('| no }} is no') }} \
                    {%- if b.is no is not three %}{% endif %} \
                    {% raw %}{{ x | no }}{% endraw %}{{ y is four(z | five) }}";
        let (filter, test) = (Role::Filter, Role::Test);
        assert_eq!(
            names(text, false),
            [
                (filter, "one"),
                (filter, "two"),
                (test, "three"),
                (test, "four"),
                (filter, "five")
            ]
        );
        assert_eq!(
            names("a is one and 'is no' == b|two", true),
            [(test, "one"), (filter, "two")]
        );
    }

    #[test]
    fn all_words_for_hints_are_known() {
        let env = super::super::environment();
        let known = |name, role| {
            let word = Word {
                name,
                role,
                range: 0..0,
            };
            super::super::check::unknown_word(&env, &word).is_none()
        };
        let unknown: Vec<&str> = FILTERS
            .into_iter()
            .filter(|name| !known(name, Role::Filter))
            .chain(TESTS.into_iter().filter(|name| !known(name, Role::Test)))
            .collect();
        assert_eq!(unknown, [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([{}%#'\"| .a\\\\é-]|is |not |raw){0,30}") {
            let _ = (called(&text, false), called(&text, true));
        }
    }
}
