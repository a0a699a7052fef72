//! What a person should know beside the changes: what makes the goal of a step untrue or doubtful.

use crate::change::Note;

use super::UfwRules;
use super::act::Part;
use super::address::Family;
use super::around;
use super::exposure::{self, Admission};
use super::kernel::Drift;
use super::look::Look;
use super::oddity::{self, Oddity};
use super::state::Ipv6;
use super::tuple::Tuple;

/// All notes of a look.
pub(super) fn notes(desired: &UfwRules, look: &Look, parts: &[Part]) -> Vec<Note> {
    let mut notes = settings(look, desired.wanted.rules(Family::V6).len(), Note::warning);
    notes.extend(way_in(desired, look, parts));
    for part in parts {
        notes.extend(others(part));
        notes.extend(exposed(desired, part));
    }
    notes.extend(around::notes(&look.around, &desired.wanted));
    let mut told = Vec::new();
    notes.retain(|note| {
        let new = !told.contains(note);
        told.push(note.clone());
        new
    });
    notes
}

/// What the settings of ufw mean for the rules of a step, `v6` of which are of IPv6. `idle` makes the note that
/// they decide nothing for now.
pub fn settings(look: &Look, v6: usize, idle: fn(&'static str) -> Note) -> Vec<Note> {
    let mut notes = Vec::new();
    if !look.state.enabled {
        notes.push(idle(
            "ufw is not active: the rules are written, but nothing enforces them",
        ));
    } else if look.unloaded {
        notes.push(idle(
            "something flushed ufw's rules: they are written, but nothing enforces them until they are loaded",
        ));
    }
    if !look.state.handles_ipv6() && v6 > 0 {
        let why = match look.state.ipv6 {
            Ipv6::NotInKernel => "the kernel has no IPv6",
            Ipv6::Handled | Ipv6::SetOff => "IPV6=no in /etc/default/ufw",
        };
        let closed = if look.state.enabled {
            "; ufw keeps all IPv6 out"
        } else {
            ""
        };
        let text = format!(
            "{why}: {} left out{closed}",
            plural(v6, "IPv6 rule is", "IPv6 rules are")
        );
        notes.push(Note::info(text));
    }
    if !look.state.drops() {
        let text = "the default policy lets in what no rule names: these rules restrict nobody";
        notes.push(Note::warning(text));
    }
    notes
}

/// What is not sure about our own way in, when nothing speaks against going on.
fn way_in(desired: &UfwRules, look: &Look, parts: &[Part]) -> Vec<Note> {
    let Some(access) = desired.access.as_ref().filter(|_| look.state.drops()) else {
        return Vec::new();
    };
    let part = parts
        .iter()
        .find(|part| part.turnover.before.family() == access.family());
    let Some(part) = part else {
        return Vec::new();
    };
    let rules: Vec<Tuple> = part.turnover.result().tuples().cloned().collect();
    let note = |(port, admission)| match (admission, look.state.enabled) {
        (Admission::Perhaps, true) => Some(Note::warning(format!(
            "whether SSH from {} to port {port} is admitted depends on the interface or address",
            access.from
        ))),
        (Admission::NoRule | Admission::Refused, false) => Some(Note::info(format!(
            "no rule admits SSH from {} to port {port}: add one before ufw is enabled",
            access.from
        ))),
        (Admission::NoRule | Admission::Refused, true) => Some(Note::warning(format!(
            "no rule admits SSH from {} to port {port}: a new login fails unless something else \
             than ufw lets it in",
            access.from
        ))),
        (Admission::Sure, _) | (Admission::Perhaps, false) => None,
    };
    access
        .admissions(&rules)
        .into_iter()
        .filter_map(note)
        .collect()
}

/// What others wrote.
pub fn others(part: &Part) -> Vec<Note> {
    let turnover = &part.turnover;
    let mut notes = Vec::new();
    if !turnover.satisfying.is_empty() {
        let some = list(turnover.satisfying.iter().map(named));
        let count = plural(
            turnover.satisfying.len(),
            "rule that is not ours does the same already, and stays as it is",
            "rules that are not ours do the same already, and stay as they are",
        );
        notes.push(Note::info(format!("{count}: {some}")));
    }
    for rule in &turnover.impostors {
        notes.push(Note::warning(format!(
            "a rule bears our tag but is none that we write; it is left alone: {}",
            rule.describe()
        )));
    }
    let path = turnover.before.family().file();
    for oddity in oddity::of(&turnover.before) {
        match oddity {
            Oddity::HandEdit(_) | Oddity::UnreadTuple(_) | Oddity::NotText => {
                notes.push(Note::warning(format!(
                    "{path} {}; ufw drops that when it writes next",
                    oddity.describe()
                )));
            }
            Oddity::CarriageReturns => {
                notes.push(Note::warning(format!("{path} {}", oddity.describe())));
            }
            Oddity::NoCommit | Oddity::NoRulesSection => {}
        }
    }
    notes
}

/// What the rules mean for the ports.
fn exposed(desired: &UfwRules, part: &Part) -> Vec<Note> {
    let family = part.turnover.before.family();
    let rules: Vec<Tuple> = part.turnover.result().tuples().cloned().collect();
    let wanted = &desired.wanted;
    let mut notes = Vec::new();
    for shadow in exposure::shadows(&rules, wanted, family) {
        let how = if shadow.partly { "partly" } else { "wholly" };
        let of = plural(shadow.rules, "rule", "rules");
        notes.push(Note::warning(format!(
            "an earlier rule {how} takes the effect from {of} of this step: {}",
            named(&shadow.by)
        )));
    }
    let openings = exposure::openings(&rules, wanted, family);
    for rule in &openings.to_all {
        let text = format!(
            "a rule that is not ours lets everybody in, so these restrict nobody: {}",
            named(rule)
        );
        notes.push(Note::warning(text));
    }
    for rule in &openings.perhaps_to_all {
        let text = format!(
            "a rule that is not ours may let everybody in: {}",
            named(rule)
        );
        notes.push(Note::warning(text));
    }
    if !openings.to_some.is_empty() {
        let some = list(openings.to_some.iter().map(named));
        notes.push(Note::info(format!(
            "others are admitted by rules that are not ours: {some}"
        )));
    }
    notes
}

/// A rule with its comment.
pub fn named(rule: &Tuple) -> String {
    match rule.comment_shown() {
        comment if comment.is_empty() => rule.describe(),
        comment => format!("{} (\"{comment}\")", rule.describe()),
    }
}

/// The first of some items, and how many more there are.
pub fn list(items: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let items: Vec<String> = items.collect();
    let more = items.len().saturating_sub(SHOWN);
    let text = items
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if more == 0 {
        text
    } else {
        format!("{text}; and {more} more")
    }
}

/// A count with its noun.
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How file and kernel differ, on one line.
pub fn drift(drift: &Drift) -> String {
    let missing = drift
        .not_loaded
        .iter()
        .map(|rule| format!("only in the file: {rule}"));
    let surplus = drift
        .not_in_file
        .iter()
        .map(|rule| format!("only in the kernel: {rule}"));
    let order = drift
        .reordered
        .then(|| "the same rules in another order".to_owned());
    list(missing.chain(surplus).chain(order))
}
