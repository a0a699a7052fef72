//! Compares what a step asks for with what was seen.

use crate::change::{Diff, Note, Verdict};
use crate::probe::Probe;
use crate::resource::ufw_rules::act::{self, Part};
use crate::resource::ufw_rules::exposure::SshAccess;
use crate::resource::ufw_rules::kernel::{self, Drift};
use crate::resource::ufw_rules::look::{self, Look};
use crate::resource::ufw_rules::obstacle::{
    Obstacle, hooked, load, no_batch, readable, supported, way_in, writable,
};
use crate::resource::ufw_rules::report;
use crate::resource::ufw_rules::rules_file::RulesFile;

use super::Ufw;
use super::edit::{self, Edit};

/// The rest of the hint when no rule would let us in.
const OR: &str = "log in from an address that a rule admits";

/// The result for one host.
pub(super) fn judge(desired: &Ufw, look: &Look) -> Diff {
    match parts(desired, look) {
        Err(obstacle) => *obstacle,
        Ok((parts, notes)) => verdict(desired, look, &parts)
            .unwrap_or_else(|obstacle| *obstacle)
            .with_notes(notes)
            .after(look.after),
    }
}

/// What becomes of each family, when nothing speaks against touching it, and what is to be told.
fn parts(desired: &Ufw, look: &Look) -> Result<(Vec<Part>, Vec<Note>), Obstacle> {
    supported(&look.state.version)?;
    let (mut parts, mut notes) = (Vec::new(), Vec::new());
    for family in look.state.families() {
        let edited = desired.edit.of(readable(look, family)?)?;
        // Rules may be written before those that something flushed are loaded, or the policy is set again.
        let single = matches!(desired.edit, Edit::Rules(_));
        let load = if single && look.unloaded {
            false
        } else {
            hooked(look, family, single)?;
            load(look, &edited.turnover, &edit::ours(&edited))?
        };
        if hooked(look, family, false).is_err() && !look.unloaded {
            let text = "the kernel's policy lets in what no rule names, whatever ufw is set to";
            notes.push(Note::warning(format!("{}: {text}", family.name())));
        }
        let turnover = edited.turnover;
        let part = Part { turnover, load };
        notes.extend(report::others(&part));
        notes.extend(edited.notes);
        parts.push(part);
    }
    let access = desired.access.as_ref().map(|access| SshAccess {
        from: access.from,
        ports: desired
            .edit
            .way_in()
            .map_or_else(|| access.ports.clone(), |port| vec![port]),
    });
    way_in(access.as_ref(), look, &parts, OR)?;
    let v6 = edit::rules_of_v6(&desired.edit);
    let touched = parts
        .iter()
        .any(|part| !part.turnover.is_empty() || part.load);
    let mut told = report::settings(look, v6, Note::info);
    told.retain(|note| touched || !note.warning);
    told.extend(notes);
    Ok((parts, told))
}

fn verdict(desired: &Ufw, look: &Look, parts: &[Part]) -> Result<Diff, Obstacle> {
    let idle = parts.iter().all(|part| part.turnover.is_empty());
    if idle && !look.state.handles_ipv6() && is_only_v6(desired) {
        let why = "all sources are IPv6 networks, and ufw does not handle IPv6 here".to_owned();
        return Ok(Diff {
            verdict: Verdict::NotApplicable { why },
            notes: Vec::new(),
        });
    }
    if idle && !parts.iter().any(|part| part.load) {
        return Ok(Diff::compliant());
    }
    let touched = || {
        parts
            .iter()
            .filter(|part| part.load || !part.turnover.is_empty())
    };
    replaceable(look, touched().map(|part| &part.turnover.before))?;
    let change = if idle {
        act::reload(
            parts,
            &desired.edit.named(),
            drift(look, parts),
            expects(desired),
        )
    } else {
        let count = |of: fn(&Part) -> usize| parts.iter().map(of).sum();
        let summary = desired.edit.summary(
            count(|part| part.turnover.added.len()),
            count(|part| part.turnover.removed.len()),
        );
        act::edit(parts, summary, expects(desired))
    };
    Ok(Diff::of(vec![change]))
}

fn is_only_v6(desired: &Ufw) -> bool {
    use crate::resource::ufw_rules::address::Family;
    match &desired.edit {
        Edit::Rules(set) => !set.absent && set.wanted(Family::V4).is_empty(),
        Edit::Mirror { .. } | Edit::Close { .. } => false,
    }
}

/// Only whole files are replaced here; there is no second way by ufw's own commands.
fn replaceable<'a>(
    look: &Look,
    files: impl Iterator<Item = &'a RulesFile> + Clone,
) -> Result<(), Obstacle> {
    writable(look, files.clone())?;
    match no_batch(look, files) {
        None => Ok(()),
        Some(why) => Err(Box::new(Diff::blocked(
            why,
            "this step replaces the file as a whole, which is not possible there",
        ))),
    }
}

/// The files are right; the kernel lost rules of ours, or kept some that are gone.
fn drift(look: &Look, parts: &[Part]) -> Drift {
    let mut all = Drift::default();
    for (part, kernel) in parts
        .iter()
        .filter(|part| part.load)
        .zip(look.kernel.iter().cycle())
    {
        let file = &part.turnover.before;
        all.extend(kernel::drift(file, &kernel.of(file.family()).chains));
    }
    all
}

fn expects(desired: &Ufw) -> Vec<Probe> {
    let mut probes = vec![look::files_probe(), look::kernel_probe()];
    probes.extend(desired.edit.listener_probe());
    probes
}
