//! The keys of a check.

use crate::shape::{Field, Shape, Ty};

pub(in crate::runbook) const EXPECT: Shape = Shape {
    name: "what is expected",
    fields: &[
        Field::optional(
            "status",
            Ty::Int(0, 255),
            "The exit status; 0 when not said.",
        ),
        Field::optional(
            "stdout",
            Ty::Text,
            "The whole standard output, white space around it aside.",
        ),
        Field::optional(
            "contains",
            Ty::Texts,
            "Texts that the standard output must hold.",
        ),
    ],
    shorthand: None,
};

pub(in crate::runbook) const CONNECT: Shape = Shape {
    name: "a connection check",
    fields: &[
        Field::required(
            "ports",
            Ty::Texts,
            "The TCP ports, each of which is tried from the controller.",
        ),
        Field::required(
            "expect",
            Ty::Word(&["open", "filtered", "closed"]),
            "What must come of it. `filtered` needs packets to be dropped, a refused connection proves nothing; `closed` takes both.",
        ),
    ],
    shorthand: None,
};

pub(in crate::runbook) const HTTP: Shape = Shape {
    name: "an HTTP check",
    fields: &[
        Field::required(
            "url",
            Ty::Text,
            "Asked from the controller; `{{ nonce }}` keeps caches out.",
        ),
        Field::optional("header", Ty::Text, "A header that the answer must have."),
        Field::optional("not_status", Ty::Texts, "Answers that mean no."),
    ],
    shorthand: None,
};

/// One entry below `verify:`.
pub(in crate::runbook) const SHAPE: Shape = Shape {
    name: "a check",
    fields: &[
        Field::required("name", Ty::Text, "What is so when the check passes."),
        Field::optional(
            "when",
            Ty::Text,
            "An expression; the check is made only when it holds.",
        ),
        Field::optional(
            "command",
            Ty::Argv,
            "A program on the host that only reads, as a list of words.",
        ),
        Field::optional("expect", Ty::One(&EXPECT), "What the command must answer."),
        Field::optional(
            "timeout",
            Ty::Duration,
            "How long the command may take; 1m when not said. One that takes longer has told nothing.",
        ),
        Field::optional(
            "connect",
            Ty::One(&CONNECT),
            "Connections from the controller to the host; the live SSH connection is the positive control.",
        ),
        Field::optional("http", Ty::One(&HTTP), "A request from the controller."),
        Field::optional(
            "password_login",
            Ty::Word(&["refused"]),
            "One attempt to log in as the same user without a key: sshd must offer neither password nor keyboard-interactive.",
        ),
        Field::optional(
            "ban",
            Ty::One(&super::super::trial::BAN),
            "A ban of an address that nobody has, made for real, seen in the packet filter and lifted.",
        ),
        Field::optional(
            "retry",
            Ty::One(&super::super::step_shape::RETRY),
            "Ask again before the answer is no.",
        ),
    ],
    shorthand: None,
};
