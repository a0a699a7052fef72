//! The rules that a step names one by one.

use ipnet::IpNet;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::resource::ufw_rules::address::{Address, Family};
use crate::resource::ufw_rules::comment::Comment;
use crate::resource::ufw_rules::list;
use crate::resource::ufw_rules::ports::{PortRange, Ports, PortsError};
use crate::resource::ufw_rules::tuple::{Action, Direction, Log, Match, Protocol, Tuple};
use crate::resource::ufw_rules::tuple_line;
use crate::resource::ufw_rules::wanted::Source;
use crate::resource::{Fields, check_constant};
use crate::shape::{Field, Shape, Ty};
use crate::template::Scope;
use crate::value::Name;
use crate::yaml::{Kind, Node};

pub(super) const SHAPE: Shape = Shape {
    name: "a firewall rule",
    fields: &[
        Field::required(
            "tag",
            Ty::Text,
            "The name of the set it belongs to; part of its comment.",
        ),
        Field::required(
            "action",
            Ty::Word(&["allow", "limit", "deny", "reject"]),
            "What becomes of the packets. `limit` lets in, but refuses the sixth new connection of one \
             address within 30 seconds.",
        ),
        Field::optional(
            "ports",
            Ty::Texts,
            "Ports or ranges (6000:6007), at most fifteen; or `any`. Default any.",
        ),
        Field::optional(
            "protocol",
            Ty::Word(&["tcp", "udp", "any"]),
            "Default any; a list or range of ports needs tcp or udp.",
        ),
        Field::optional(
            "from",
            Ty::Texts,
            "Networks, addresses or `any`. Default any.",
        ),
        Field::optional(
            "interface",
            Ty::Text,
            "Only packets that come in by this interface.",
        ),
    ],
    shorthand: None,
};

/// The rules of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// They shall not be there.
    pub absent: bool,
}

/// One rule of a step: as many rules of ufw as it has sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub tag: Comment,
    pub action: Action,
    pub protocol: Protocol,
    pub ports: Ports,
    pub sources: Vec<IpNet>,
    pub interface: Option<Interface>,
}

/// A name that ufw takes for an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface(String);

/// What may stand in the list of ports.
enum PortItem {
    Any,
    Range(PortRange),
}

impl std::str::FromStr for PortItem {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        match text {
            "any" => Ok(Self::Any),
            text => text.parse().map(Self::Range),
        }
    }
}

/// Why a text is no such name.
#[derive(Debug, thiserror::Error)]
#[error("no name of an interface such as eth0")]
pub(super) struct NoInterface;

impl std::str::FromStr for Interface {
    type Err = NoInterface;

    fn from_str(text: &str) -> Result<Self, NoInterface> {
        tuple_line::interface(text).map(Self).ok_or(NoInterface)
    }
}

impl Set {
    /// The rules of one family, each once, in their order.
    pub(super) fn wanted(&self, family: Family) -> Vec<Tuple> {
        let mut rules: Vec<Tuple> = Vec::new();
        for rule in self.rules.iter().flat_map(|rule| rule.tuples(family)) {
            if !rules.iter().any(|other| other.same_rule(&rule)) {
                rules.push(rule);
            }
        }
        rules
    }

    /// Whether a rule bears a tag of this set.
    pub(super) fn tagged(&self, rule: &Tuple) -> bool {
        let tags = || self.rules.iter().map(|rule| &rule.tag);
        rule.comment
            .as_ref()
            .is_some_and(|comment| tags().any(|tag| tag == comment))
    }

    /// Whether a rule is of this set: it bears a tag and is of a form that a step can ask for.
    pub(super) fn is_ours(&self, rule: &Tuple) -> bool {
        let m = &rule.matching;
        let form = !m.route
            && m.direction == Direction::In
            && m.dst == Address::Anywhere
            && m.sport.is_any()
            && m.dapp.is_none()
            && m.sapp.is_none();
        self.tagged(rule) && form && rule.log == Log::Off
    }

    /// Whether the order of the rules can matter: not when all of them let in.
    pub(super) fn is_ordered(&self) -> bool {
        self.rules.iter().any(|rule| !rule.action.admits())
    }

    /// The tags, each once.
    pub(super) fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = self.rules.iter().map(|rule| rule.tag.text()).collect();
        tags.dedup();
        tags
    }
}

impl Rule {
    fn tuples(&self, family: Family) -> impl Iterator<Item = Tuple> {
        let sources = self
            .sources
            .iter()
            .filter(move |net| Family::of(**net) == family);
        sources.map(move |net| Tuple {
            family,
            action: self.action,
            log: Log::Off,
            matching: Match {
                interface_in: self.interface.clone().map(|name| name.0),
                ..Match::incoming(self.protocol, self.ports.clone(), Address::from_net(*net))
            },
            comment: Some(self.tag.clone()),
        })
    }
}

/// The mappings below `rules`.
pub(super) fn items(node: &Node) -> impl Iterator<Item = &Node> {
    match node.get("rules").map(|rules| &rules.kind) {
        Some(Kind::List(items)) => items.as_slice(),
        _ => &[],
    }
    .iter()
}

/// Says what is wrong with one rule and can be known without a host.
pub(super) fn check(node: &Node, out: &mut Diagnostics) {
    check_constant::<Name>(&SHAPE, node, "tag", out);
    check_constant::<PortItem>(&SHAPE, node, "ports", out);
    check_constant::<Source>(&SHAPE, node, "from", out);
    check_constant::<Interface>(&SHAPE, node, "interface", out);
}

/// The rules of a step for one host.
pub(super) fn render(
    outer: &mut Fields<'_>,
    node: &Node,
    scope: &Scope,
    runbook: &str,
) -> Option<Vec<Rule>> {
    let rules: Vec<Option<Rule>> = items(node)
        .map(|item| {
            let mut fields = Fields::new(&SHAPE, item, scope);
            let rule = one(&mut fields, item, runbook);
            outer.said.append(fields.said);
            rule
        })
        .collect();
    if rules.is_empty() {
        outer.wrong("rules", Diagnostic::error("the list `rules` is empty"));
        return None;
    }
    rules.into_iter().collect()
}

fn one(fields: &mut Fields<'_>, node: &Node, runbook: &str) -> Option<Rule> {
    let tag: Option<Name> = fields.value("tag");
    let action = word(fields, "action", Action::from_word);
    let protocol = match node.get("protocol") {
        Some(_) => word(fields, "protocol", Protocol::from_word),
        None => Some(Protocol::Any),
    };
    let ports = match node.get("ports") {
        Some(_) => ports(fields),
        None => Some(Ports::Any),
    };
    let sources = match node.get("from") {
        Some(_) => list::<Source>(fields, "from", "leave `from` out to mean everybody")
            .map(|sources| Source::networks(&sources)),
        None => Some(Family::BOTH.map(Family::everything).to_vec()),
    };
    let interface = fields.value("interface");
    if node.get("interface").is_some() && interface.is_none() {
        return None;
    }
    let rule = Rule {
        tag: Comment::of(&format!("holdfast:{runbook}:{}", tag?)),
        action: action?,
        protocol: protocol?,
        ports: ports?,
        sources: sources?,
        interface,
    };
    possible(fields, rule)
}

/// What ufw itself refuses.
fn possible(fields: &mut Fields<'_>, rule: Rule) -> Option<Rule> {
    let wrong = if rule.protocol == Protocol::Any && rule.ports.is_multi() {
        "a list or range of ports needs `protocol: tcp` or `udp`"
    } else if rule.action == Action::Limit && rule.ports.is_any() {
        "`limit` needs ports"
    } else {
        return Some(rule);
    };
    fields.wrong("ports", Diagnostic::error(wrong));
    None
}

fn ports(fields: &mut Fields<'_>) -> Option<Ports> {
    let items = list::<PortItem>(fields, "ports", "leave `ports` out to mean all of them")?;
    let range = |item: &PortItem| match item {
        PortItem::Any => None,
        PortItem::Range(range) => Some(*range),
    };
    let Some(ranges) = items.iter().map(range).collect::<Option<Vec<PortRange>>>() else {
        return Some(Ports::Any);
    };
    let place = fields.place("ports").clone();
    let ports = Ports::sorted(ranges);
    fields.keep(ports.map_err(|error| Diagnostic::error(error.to_string()).at(&place)))
}

/// A word that may have come out of a template.
fn word<T>(fields: &mut Fields<'_>, key: &str, read: fn(&str) -> Option<T>) -> Option<T> {
    let text = fields.text(key)?;
    let value = read(text.trim());
    if value.is_none() {
        let message = format!("`{key}` must not be `{}`", text.trim());
        fields.wrong(key, Diagnostic::error(message));
    }
    value
}

/// A word that may be left out: `Some(None)`. `None` when it makes no sense.
#[expect(
    clippy::option_option,
    reason = "the outer one is a mistake, the inner one a word that is not there"
)]
pub(super) fn optional_word<T>(
    fields: &mut Fields<'_>,
    key: &str,
    read: fn(&str) -> Option<T>,
) -> Option<Option<T>> {
    if fields.shape.get(fields.node, key).is_none() {
        return Some(None);
    }
    word(fields, key, read).map(Some)
}
