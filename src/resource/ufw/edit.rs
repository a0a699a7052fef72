//! What a step makes of the rules of one file.

use crate::change::{Diff, Note};
use crate::probe::Probe;
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::comment::Comment;
use crate::resource::ufw_rules::obstacle::{Obstacle, obstacle};
use crate::resource::ufw_rules::report;
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::tuple::{Action, Tuple};
use crate::resource::ufw_rules::turnover::Turnover;
use crate::value::Port;

use super::rule::Set;
use super::{close, listener, mirror, reach};

/// What a step asks for.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    /// Rules one by one.
    Rules(Set),
    /// The rules of one port for another as well.
    Mirror { from: Port, to: Port, tag: String },
    /// The rules of a port go.
    Close { port: Port, kept: Port, tag: String },
}

/// What becomes of one file.
#[derive(Debug)]
pub(super) struct Edited {
    /// Its rules.
    pub turnover: Turnover,
    /// What else was seen.
    pub notes: Vec<Note>,
}

impl Edit {
    /// What the step is about.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Rules(set) => format!("ufw rules {}", set.tags().join(", ")),
            Self::Mirror { from, to, .. } => format!("ufw rules of port {from} for port {to}"),
            Self::Close { port, .. } => format!("ufw rules of port {port}"),
        }
    }

    /// The change in words.
    pub(super) fn summary(&self, added: usize, removed: usize) -> String {
        let rules = |n: usize| report::plural(n, "firewall rule", "firewall rules");
        let what = match (added, removed) {
            (added, 0) => format!("add {}", rules(added)),
            (0, removed) => format!("remove {}", rules(removed)),
            (added, removed) => format!("add {added} and remove {}", rules(removed)),
        };
        format!("{what} {}", self.named())
    }

    /// The rules in words, behind the noun.
    pub(super) fn named(&self) -> String {
        match self {
            Self::Rules(set) => format!("tagged {}", set.tags().join(", ")),
            Self::Mirror { from, to, .. } => format!("for port {to}, like those of port {from}"),
            Self::Close { port, kept, .. } => format!("of port {port}, now that {kept} has them"),
        }
    }

    /// The question who listens on the port that is to be closed.
    pub(super) fn listener_probe(&self) -> Option<Probe> {
        match self {
            Self::Close { port, .. } => Some(listener::probe(port.get())),
            Self::Rules(_) | Self::Mirror { .. } => None,
        }
    }

    /// The ports by which a new login must work afterwards; `None`: those of sshd now.
    pub(super) fn way_in(&self) -> Option<Port> {
        match self {
            Self::Rules(_) => None,
            Self::Mirror { to, .. } => Some(*to),
            Self::Close { kept, .. } => Some(*kept),
        }
    }

    /// What becomes of a file.
    ///
    /// # Errors
    /// When a rule of others decides otherwise about the same packets.
    pub(super) fn of(&self, file: RulesFile) -> Result<Edited, Obstacle> {
        match self {
            Self::Rules(set) => rules(set, file),
            Self::Mirror { from, to, tag } => mirrored(file, from.get(), to.get(), tag),
            Self::Close { port, kept, tag } => {
                let closing = close::closing(&file, port.get(), kept.get(), tag);
                let turnover = turnover(file, Vec::new(), closing.gone);
                Ok(Edited {
                    turnover,
                    notes: closing.notes,
                })
            }
        }
    }
}

/// New rules at the end, others gone. The comment counts: rules that ufw takes for one another are told
/// apart by it.
fn turnover(before: RulesFile, added: Vec<Tuple>, removed: Vec<Tuple>) -> Turnover {
    let after = before.changed(|rule| removed.contains(rule), &added);
    let after = after.map(RulesFile::with_limits);
    Turnover {
        after,
        added,
        removed,
        ..Turnover::idle(before)
    }
}

fn of_ours(rule: &Tuple) -> bool {
    rule.comment.as_ref().is_some_and(Comment::is_a_tag)
}

fn conflict<T>(rule: &Tuple, wanted: &Tuple) -> Result<T, Obstacle> {
    let why = format!(
        "a rule that is not of this step decides otherwise about the same packets: {} (wanted: {})",
        report::named(rule),
        wanted.describe()
    );
    let hint = "ufw keeps only one of two such rules; remove that one if it is not meant";
    obstacle(Diff::needs_human(why, hint))
}

fn rules(set: &Set, file: RulesFile) -> Result<Edited, Obstacle> {
    let wanted = if set.absent {
        Vec::new()
    } else {
        set.wanted(file.family())
    };
    let (mut added, mut satisfying) = (Vec::new(), Vec::new());
    for rule in &wanted {
        match file.tuples().find(|other| other.same_rule(rule)) {
            Some(other) if set.is_ours(other) && other.action == rule.action => {}
            Some(other) if !set.is_ours(other) && does_for(other, rule) => {
                satisfying.push(other.clone());
            }
            Some(other) if !set.is_ours(other) => return conflict(other, rule),
            Some(_) | None => added.push(rule.clone()),
        }
    }
    let kept = |rule: &Tuple| {
        wanted
            .iter()
            .any(|other| other.same_rule(rule) && other.action == rule.action)
    };
    let ours = |rule: &&Tuple| set.is_ours(rule);
    let mut removed: Vec<Tuple> = file
        .tuples()
        .filter(|rule| set.is_ours(rule) && !kept(rule))
        .cloned()
        .collect();
    let impostors = file
        .tuples()
        .filter(|rule| set.tagged(rule) && !set.is_ours(rule));
    let impostors: Vec<Tuple> = impostors.cloned().collect();
    let order = turnover(file.clone(), added.clone(), removed.clone());
    let standing: Vec<&Tuple> = order.result().tuples().filter(ours).collect();
    let due = || wanted.iter().filter(|rule| standing.contains(rule));
    if set.is_ordered() && !due().eq(standing.iter().copied()) {
        added = due().cloned().collect();
        removed = file.tuples().filter(ours).cloned().collect();
    }
    let turnover = Turnover {
        satisfying,
        impostors,
        ..turnover(file, added, removed)
    };
    let mut notes = strict(&turnover, &wanted);
    if !set.absent {
        notes.extend(reach::notes(set, turnover.result()));
    }
    Ok(Edited { turnover, notes })
}

/// Whether a rule of others does what ours would: the same, or let in with a limit.
fn does_for(other: &Tuple, wanted: &Tuple) -> bool {
    other.action == wanted.action
        || (wanted.action == Action::Allow && other.action == Action::Limit)
}

fn strict(turnover: &Turnover, wanted: &[Tuple]) -> Vec<Note> {
    let stricter = |rule: &&Tuple| {
        let same = |other: &Tuple| other.same_rule(rule) && other.action == rule.action;
        !wanted.iter().any(same)
    };
    let rules = turnover.satisfying.iter().filter(stricter);
    let told = rules.map(|rule| {
        Note::info(format!(
            "a rule that is not ours lets in with a limit: {}",
            report::named(rule)
        ))
    });
    told.collect()
}

fn mirrored(file: RulesFile, from: u16, to: u16, tag: &str) -> Result<Edited, Obstacle> {
    let mut new: Vec<(usize, Tuple)> = Vec::new();
    let mut removed = Vec::new();
    for pair in mirror::pairs(&file, from, to, tag) {
        if new.iter().any(|(_, rule)| *rule == pair.like) {
            continue;
        }
        match file.tuples().find(|other| other.same_rule(&pair.like)) {
            Some(other) if other.action == pair.like.action => {}
            Some(other) if !of_ours(other) => return conflict(other, &pair.like),
            Some(other) => {
                removed.push(other.clone());
                new.push((pair.place, pair.like));
            }
            None => new.push((pair.place, pair.like)),
        }
    }
    let after = file.followed(&new);
    let after = after.changed(|rule| removed.contains(rule), &[]);
    let after = after.map(RulesFile::with_limits);
    let notes = differences(after.as_ref().unwrap_or(&file), from, to);
    let turnover = Turnover {
        after,
        ..turnover(
            file,
            new.into_iter().map(|(_, rule)| rule).collect(),
            removed,
        )
    };
    Ok(Edited { turnover, notes })
}

fn differences(after: &RulesFile, from: u16, to: u16) -> Vec<Note> {
    let sources = mirror::differences(after, from, to);
    if sources.is_empty() {
        return Vec::new();
    }
    let everything = after.family().everything();
    let name = |net: &ipnet::IpNet| {
        if *net == everything {
            "anywhere".to_owned()
        } else {
            net.to_string()
        }
    };
    vec![Note::warning(format!(
        "packets from {} are not treated alike for the ports {from} and {to}: other rules for {to} \
         were there before",
        report::list(sources.iter().map(name))
    ))]
}

/// The rules of Holdfast's in a file and those that come or go: file and kernel may disagree about
/// these.
pub(super) fn ours(edited: &Edited) -> Vec<Tuple> {
    let turnover = &edited.turnover;
    let held = turnover.before.tuples().filter(|rule| of_ours(rule));
    let moved = turnover.added.iter().chain(&turnover.removed);
    held.chain(moved).cloned().collect()
}

/// How many rules of IPv6 the step asks for.
pub(super) fn rules_of_v6(edit: &Edit) -> usize {
    match edit {
        Edit::Rules(set) if !set.absent => set.wanted(Family::V6).len(),
        Edit::Rules(_) | Edit::Mirror { .. } | Edit::Close { .. } => 0,
    }
}
