//! Compares the packages of a host with those that must be there.

use super::look::{Look, Weather};
use super::simulation::Install;
use super::{Package, UNDO_ON_REQUEST};
use crate::change::{Call, Change, Diff, Gives, Known, Note, Shown, StepNumber, Undo};

pub(super) fn judge(package: &Package, look: &Look, weather: &Weather, known: &Known) -> Diff {
    if look.no_apt {
        return Diff::blocked(
            "there is no apt on the host",
            "this kind knows Debian and its descendants only",
        );
    }
    // What an earlier step brings needs nothing from this one.
    let pending = |name: &str| {
        known
            .package(name)
            .or_else(|| known.package(name.split(':').next().unwrap_or(name)))
    };
    let wanted: Vec<&str> = look
        .wanted
        .iter()
        .map(String::as_str)
        .filter(|name| pending(name).is_none())
        .collect();
    if wanted.is_empty() {
        let notes = look
            .wanted
            .iter()
            .filter_map(|name| Some(Note::info(format!("{name} comes with {}", pending(name)?))));
        return Diff::compliant().with_notes(notes.collect());
    }
    let stopped = damaged(weather).or_else(|| held(look, &wanted));
    if stopped.is_none() && weather.lists_missing && look.refused.is_some() {
        return without_lists(package, &wanted);
    }
    if let Some(diff) = obstacle(look, weather, &wanted) {
        return diff;
    }
    let (shared, new): (Vec<&Install>, Vec<&Install>) = look
        .installs
        .iter()
        .partition(|install| pending(&install.name).is_some());
    let step: Option<StepNumber> = shared
        .iter()
        .filter_map(|install| pending(&install.name))
        .max();
    let change = change(package, look, &new, &wanted);
    Diff::of(vec![change])
        .after(step)
        .with_notes(notes(package, look, weather))
}

fn obstacle(look: &Look, weather: &Weather, wanted: &[&str]) -> Option<Diff> {
    damaged(weather)
        .or_else(|| held(look, wanted))
        .or_else(|| refused(look))
        .or_else(|| removes(look, wanted))
        .or_else(|| other_name(look, wanted))
}

/// While somebody holds the lock, packages are half done because they are being worked on.
fn damaged(weather: &Weather) -> Option<Diff> {
    if weather.lock.is_some() || (weather.broken.is_empty() && !weather.interrupted) {
        return None;
    }
    let what = if weather.broken.is_empty() {
        "dpkg was interrupted".to_owned()
    } else {
        format!(
            "dpkg left packages half done: {}",
            weather.broken.join(", ")
        )
    };
    Some(Diff::blocked(
        what,
        "look at `dpkg --audit`; `dpkg --configure -a` finishes the work, and may restart services",
    ))
}

fn refused(look: &Look) -> Option<Diff> {
    let said = look.refused.as_ref()?;
    let why = if said.is_empty() {
        "it gave no reason".to_owned()
    } else {
        said.join("; ")
    };
    // apt does not say that a hold is what stands in its way.
    let named = |held: &&String| {
        said.iter()
            .any(|line| line.split([' ', ':']).any(|word| word == held.as_str()))
    };
    if let Some(held) = look.held.iter().find(named) {
        return Some(on_hold(held));
    }
    let hint = "check the name, run `apt-get update` on the host, or add the archive that has it";
    Some(Diff::blocked(format!("apt cannot install it: {why}"), hint))
}

fn on_hold(name: &str) -> Diff {
    let why = format!("{name} is on hold (apt-mark hold) and would have to change");
    Diff::needs_human(
        why,
        "whoever set it on hold must decide; `apt-mark unhold` takes it away",
    )
}

fn removes(look: &Look, wanted: &[&str]) -> Option<Diff> {
    (!look.removes.is_empty()).then(|| {
        let why = format!(
            "installing {} would remove {}",
            wanted.join(", "),
            look.removes.join(", ")
        );
        Diff::needs_human(
            why,
            "nothing is removed unasked: remove it yourself if that is meant",
        )
    })
}

fn held(look: &Look, wanted: &[&str]) -> Option<Diff> {
    let changing = look.installs.iter().map(|install| install.name.as_str());
    wanted
        .iter()
        .copied()
        .chain(changing)
        .find(|name| look.held.iter().any(|held| held == name))
        .map(on_hold)
}

/// A virtual package or a pattern: after the installation the name still would not be installed.
fn other_name(look: &Look, wanted: &[&str]) -> Option<Diff> {
    let plain = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
    let missing = wanted.iter().find(|name| {
        !look
            .installs
            .iter()
            .any(|install| plain(&install.name) == plain(name))
    })?;
    let instead: Vec<&str> = look
        .installs
        .iter()
        .map(|install| install.name.as_str())
        .collect();
    let instead = if instead.is_empty() {
        "nothing".to_owned()
    } else {
        instead.join(", ")
    };
    Some(Diff::blocked(
        format!("{missing} is no package of its own: apt would install {instead}"),
        "name the real package",
    ))
}

/// A machine as new has no package lists: they are fetched first, and only then version and
/// dependencies are known.
fn without_lists(package: &Package, wanted: &[&str]) -> Diff {
    let added = wanted
        .iter()
        .map(|name| format!("{name} (version not known yet)"));
    let shown = vec![Shown::Lines {
        what: "packages".to_owned(),
        removed: Vec::new(),
        added: added.collect(),
    }];
    // In apt's own words, as the undo reads them.
    let saved: Vec<String> = wanted
        .iter()
        .map(|name| format!("Inst {name} (unknown)"))
        .collect();
    let (act, undo) = calls(package, wanted);
    let summary = format!("fetch the package lists and install {}", wanted.join(", "));
    let change = Change::new(summary, shown, act.with_input(saved.join("\n")), undo)
        .expecting([package.probe()])
        .giving(wanted.iter().map(|name| Gives::Package((*name).to_owned())));
    let note = "the host has no package lists: they are fetched first, and what else is needed is only known then";
    Diff::of(vec![change]).with_notes(vec![Note::warning(note)])
}

fn calls(package: &Package, wanted: &[&str]) -> (Call, Undo) {
    let seconds = package.timeout.get().as_secs().to_string();
    let words = [seconds.clone(), package.recommends_word().to_owned()];
    let names = wanted.iter().map(|name| (*name).to_owned());
    let act = Call::new("hf_install_packages", words.into_iter().chain(names));
    (act, Undo::Call(Call::new(UNDO_ON_REQUEST, [seconds])))
}

fn change(package: &Package, look: &Look, new: &[&Install], wanted: &[&str]) -> Change {
    let is_named = |install: &Install| {
        wanted
            .iter()
            .any(|name| name.split(':').next() == install.name.split(':').next())
    };
    let (named, needed): (Vec<&Install>, Vec<&Install>) = new
        .iter()
        .filter(|install| install.old.is_none())
        .partition(|install| is_named(install));
    let needed_lines = needed
        .iter()
        .map(|install| format!("{}, needed by the others", line(install)));
    let added = named
        .iter()
        .map(|install| line(install))
        .chain(needed_lines)
        .collect();
    let mut shown = vec![Shown::Lines {
        what: "packages".to_owned(),
        removed: Vec::new(),
        added,
    }];
    shown.extend(new.iter().filter_map(|install| {
        let before = install.old.clone()?;
        Some(Shown::Property {
            name: format!("package {}", install.name),
            before,
            after: install.version.clone(),
        })
    }));
    let (act, undo) = calls(package, wanted);
    let gives = named
        .iter()
        .chain(&needed)
        .map(|install| Gives::Package(install.name.clone()));
    Change::new(
        format!("install {}", wanted.join(", ")),
        shown,
        act.with_input(look.simulated.join("\n")),
        undo,
    )
    .expecting([package.probe()])
    .giving(gives)
}

fn line(install: &Install) -> String {
    let from = if install.origin.is_empty() {
        "a local archive"
    } else {
        install.origin.as_str()
    };
    format!("{} {} ({from})", install.name, install.version)
}

fn notes(package: &Package, look: &Look, weather: &Weather) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(holder) = &weather.lock {
        notes.push(Note::info(format!(
            "{holder} holds the package lock now; installing waits for it for up to {}",
            package.timeout
        )));
    }
    if let Some(day) = &weather.old {
        notes.push(Note::warning(format!("the host's package lists are of {day}: apt may find other versions, or none, when it fetches")));
    }
    let upgraded: Vec<&str> = look
        .installs
        .iter()
        .filter(|install| install.old.is_some())
        .map(|install| install.name.as_str())
        .collect();
    if !upgraded.is_empty() {
        notes.push(Note::warning(format!(
            "packages that are upgraded along the way cannot be taken back: {}",
            upgraded.join(", ")
        )));
    }
    notes
}
