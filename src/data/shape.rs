//! The tables of what may stand below `data:`.

use crate::shape::{Field, Shape, Ty};

/// One entry below `data:`.
pub const SHAPE: Shape = Shape {
    name: "a data entry",
    fields: &[
        Field::required("help", Ty::Text, "Say in one line what it is."),
        Field::required(
            "sources",
            Ty::Many(&SOURCE),
            "Where it is published: the first is the list, the others must agree with it.",
        ),
        Field::optional(
            "ca_file",
            Ty::Text,
            "A PEM file with the authorities to trust instead of the machine's own.",
        ),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long one answer may take as a whole; 30s when not said, at most 5m.",
        ),
        Field::required(
            "lists",
            Ty::Named(&LIST),
            "The lists by name, and what each must look like.",
        ),
        Field::optional(
            "allow_special",
            Ty::Texts,
            "Special-purpose blocks that may be named all the same: for labs.",
        ),
        Field::optional(
            "change",
            Ty::One(&CHANGE),
            "How much a run accepts without a person.",
        ),
        Field::optional(
            "canary",
            Ty::Text,
            "How much of each list of `built_in` must still be there; 60% when not said.",
        ),
        Field::required(
            "built_in",
            Ty::Values,
            "The lists as they were on a `date`: what the first fetch is measured by.",
        ),
    ],
    shorthand: None,
};

/// One source.
pub const SOURCE: Shape = Shape {
    name: "a source",
    fields: &[
        Field::required(
            "url",
            Ty::Text,
            "The address, https only; a source whose address is empty is not asked.",
        ),
        Field::optional(
            "json",
            Ty::Values,
            "A JSON answer: for each list the JSON pointer (RFC 6901) of its array.",
        ),
        Field::optional(
            "lines",
            Ty::Texts,
            "A text with one network a line: the list it is, or one of each family.",
        ),
        Field::optional(
            "require",
            Ty::Values,
            "JSON pointers and the values that must stand there.",
        ),
    ],
    shorthand: None,
};

/// What one list must look like.
pub const LIST: Shape = Shape {
    name: "a list",
    fields: &[
        Field::required(
            "family",
            Ty::Word(&["ipv4", "ipv6"]),
            "The family of its networks.",
        ),
        Field::required("count", Ty::Text, "How many networks: 10-40."),
        Field::required("prefix", Ty::Text, "Their prefix lengths: 11-24."),
        Field::optional(
            "addresses",
            Ty::Text,
            "How many addresses they have together: 800000-3000000.",
        ),
    ],
    shorthand: None,
};

/// How much a list may differ from the last good copy.
pub const CHANGE: Shape = Shape {
    name: "the bounds of a change",
    fields: &[
        Field::optional(
            "removed",
            Ty::Text,
            "Networks gone, as a share of the networks there were; 25% when not said.",
        ),
        Field::optional(
            "lost",
            Ty::Text,
            "Addresses gone, as a share of the addresses there were; 20% when not said.",
        ),
        Field::optional(
            "added",
            Ty::Text,
            "New addresses, as a share of the addresses there were; 30% when not said.",
        ),
    ],
    shorthand: None,
};
