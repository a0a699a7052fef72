//! What the rules of others make of those that a step asks for.

use crate::change::Note;
use crate::resource::ufw_rules::exposure;
use crate::resource::ufw_rules::report;
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::tuple::Tuple;
use crate::resource::ufw_rules::wanted::Wanted;

use super::rule::{Rule, Set};

/// Rules that take the effect from ours, or make a restriction void. `file` is as it will be.
pub(super) fn notes(set: &Set, file: &RulesFile) -> Vec<Note> {
    let all: Vec<Tuple> = file.tuples().cloned().collect();
    let mut notes = Vec::new();
    for wanted in set.rules.iter().filter_map(admitting) {
        // A rule that keeps only some of them out is a block list: that is meant.
        let shadows = exposure::shadows(&all, &wanted, file.family());
        for shadow in shadows.iter().filter(|shadow| !shadow.partly) {
            let by = report::named(&shadow.by);
            notes.push(Note::warning(format!(
                "an earlier rule takes the effect from what is asked here: {by}"
            )));
        }
        let openings = exposure::openings(&all, &wanted, file.family());
        for rule in openings.to_all.iter().chain(&openings.perhaps_to_all) {
            let by = report::named(rule);
            notes.push(Note::warning(format!(
                "the sources named here restrict nobody while another rule lets everybody in: {by}"
            )));
        }
    }
    notes
}

/// A rule that lets in, by whatever interface.
fn admitting(rule: &Rule) -> Option<Wanted> {
    let everywhere = rule.action.admits() && rule.interface.is_none();
    everywhere.then(|| Wanted {
        tag: rule.tag.text(),
        protocol: rule.protocol,
        ports: rule.ports.clone(),
        sources: rule.sources.clone(),
    })
}
