//! Checks in effect: what `verify:` asks from inside and from outside of a host.

use super::Retry;
use super::trial;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::check_constant;
use crate::template::{Scope, Text};
use crate::value::{Duration, Name, Port};
use crate::yaml::Node;

mod rendered;
mod shape;

pub use rendered::{Expect, Reach, RenderedCheck, RenderedProbe};
use rendered::{Status, render_connect, render_expect, render_http, texts};
pub(super) use shape::{CONNECT, EXPECT, HTTP, SHAPE};

/// How long a command may take when nothing is said.
const COMMAND_LIMIT: Duration = Duration::seconds(60);

/// One check as written.
#[derive(Debug)]
pub struct Check {
    /// What is so when the check passes, a template.
    pub name: Text,
    /// Only when this holds.
    pub when: Option<Text>,
    /// How often it is asked again before the answer is no.
    pub retry: Retry,
    kind: CheckKind,
}

#[derive(Debug)]
enum CheckKind {
    Command {
        argv: Vec<Text>,
        expect: Option<Node>,
        limit: Duration,
    },
    Connect(Node),
    Http(Node),
    PasswordLogin,
    Ban(Node),
}

impl Check {
    /// Reads one entry that fits the shape.
    pub(super) fn from_node(node: &Node, out: &mut Diagnostics) -> Option<Self> {
        let command = SHAPE.texts(node, "command").map(|argv| CheckKind::Command {
            argv,
            expect: SHAPE.get(node, "expect").cloned(),
            limit: SHAPE.parse(node, "timeout").unwrap_or(COMMAND_LIMIT),
        });
        let connect = SHAPE.get(node, "connect").cloned().map(CheckKind::Connect);
        let http = SHAPE.get(node, "http").cloned().map(CheckKind::Http);
        let login = SHAPE.get(node, "password_login");
        let login = login.map(|_| CheckKind::PasswordLogin);
        let ban = SHAPE.get(node, "ban").cloned().map(CheckKind::Ban);
        let kinds = [command, connect, http, login, ban];
        let mut kinds: Vec<CheckKind> = kinds.into_iter().flatten().collect();
        if kinds.len() != 1 {
            let message =
                "a check has exactly one of command, connect, http, password_login and ban";
            out.push(Diagnostic::error(message).at(&node.place));
            return None;
        }
        match kinds.first() {
            Some(CheckKind::Connect(node)) => check_constant::<Port>(&CONNECT, node, "ports", out),
            Some(CheckKind::Http(node)) => {
                check_constant::<Status>(&HTTP, node, "not_status", out);
                check_url(node, out);
            }
            Some(CheckKind::Ban(node)) => trial::check(node, out),
            Some(CheckKind::Command { .. } | CheckKind::PasswordLogin) | None => {}
        }
        Some(Self {
            name: SHAPE.text(node, "name")?,
            when: SHAPE.text(node, "when"),
            retry: super::step::retry(SHAPE.get(node, "retry")),
            kind: kinds.remove(0),
        })
    }

    /// The words of its command before any value is filled in, if it is one.
    pub fn written(&self) -> Option<Vec<String>> {
        match &self.kind {
            CheckKind::Command { argv, .. } => {
                Some(argv.iter().map(|word| word.text.clone()).collect())
            }
            CheckKind::Connect(_)
            | CheckKind::Http(_)
            | CheckKind::PasswordLogin
            | CheckKind::Ban(_) => None,
        }
    }

    /// Fills in one host's values, and the tags of the includes around it; `None` when `when` does not hold.
    pub(super) fn render(
        &self,
        scope: &Scope,
        tags: &[Name],
    ) -> Result<Option<RenderedCheck>, Diagnostic> {
        if let Some(when) = &self.when
            && !scope.condition(when)?
        {
            return Ok(None);
        }
        let probe = match &self.kind {
            CheckKind::Command {
                argv,
                expect,
                limit,
            } => RenderedProbe::Command {
                argv: texts(scope, argv)?,
                expect: render_expect(scope, expect.as_ref())?,
                limit: *limit,
            },
            CheckKind::Connect(node) => render_connect(scope, node)?,
            CheckKind::Http(node) => render_http(scope, node)?,
            CheckKind::PasswordLogin => RenderedProbe::PasswordLogin,
            CheckKind::Ban(node) => RenderedProbe::Ban(trial::render(scope, node)?),
        };
        Ok(Some(RenderedCheck {
            name: scope.text(&self.name)?,
            tags: tags.to_vec(),
            retry: self.retry,
            probe,
        }))
    }
}

/// What of an address is known before any value is: how it begins.
fn check_url(node: &Node, out: &mut Diagnostics) {
    let Some(text) = HTTP.text(node, "url") else {
        return;
    };
    let written = text.text.trim();
    let known = written.split(['{', ' ']).next().unwrap_or(written);
    let web = ["http://", "https://"].into_iter().any(|scheme| {
        let rest = known.strip_prefix(scheme);
        // Without a host name it can only go on with a value.
        rest.is_some_and(|rest| !rest.is_empty() || !text.is_constant())
            || (!text.is_constant() && scheme.starts_with(known))
    });
    if !web || (text.is_constant() && written.contains(char::is_whitespace)) {
        let message = format!("`{written}` is not valid: an http or https address is needed");
        out.push(Diagnostic::error(message).at(&text.place));
    }
}

/// A quick look for the wait between tries; checks without `retry` are made once.
pub(super) fn default_pause() -> Duration {
    Duration::seconds(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::yaml;

    fn mistakes(text: &str) -> Vec<String> {
        let node = yaml::parse(&Source::new("t", text)).unwrap();
        let mut out = Diagnostics::new();
        let _ = Check::from_node(&node, &mut out);
        out.into_iter().map(|found| found.message).collect()
    }

    #[test]
    fn constants_are_checked_before_any_host_is_asked() {
        let ports = "{ name: x, connect: { ports: [0, 443, 70000, \"{{ p }}\"], expect: open } }";
        assert_eq!(mistakes(ports).len(), 2);
        let http = |url, status| {
            mistakes(&format!(
                "{{ name: x, http: {{ url: \"{url}\", not_status: [{status}] }} }}"
            ))
        };
        assert_eq!(
            http("ftp://x", "99, x, 404").len(),
            3,
            "{:?}",
            http("ftp://x", "99, x, 404")
        );
        for good in [
            "https://x/y?{{ nonce }}",
            "{{ inputs.url }}",
            "http{{ s }}://x",
            "https://{{ host.name }}/",
        ] {
            assert!(http(good, "\"{{ inputs.no }}\"").is_empty(), "{good}");
        }
        for bad in ["https://", "x", "ftp://{{ x }}", "https://a b"] {
            assert_eq!(http(bad, "404").len(), 1, "{bad}");
        }
    }
}
