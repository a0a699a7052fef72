//! Compares a unit as it is with what it should be.
//!
//! A change is shown as `no → yes` only: how exactly it was before ("failed", "not there") is told in a
//! note. So what is promised before a package brings the unit is word for word what is due afterwards.

use super::boot::{Boot, boot};
use super::unit::{Active, Load, Unit};
use super::{OnChange, Service};
use crate::change::{Call, Change, Diff, Known, Note, Shown, StepNumber, Timing, Undo, Verdict};

/// `start`, `stop` or `keep`; `enable`, `disable` or `keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verbs {
    run: &'static str,
    enable: &'static str,
}

pub(super) fn judge(service: &Service, unit: &Unit, known: &Known) -> Diff {
    match &unit.load {
        Load::NotFound => not_found(service, unit, known),
        Load::Bad(why) => Diff::blocked(
            format!("systemd cannot load {}: {why}", unit.id),
            "mend the unit file; `systemd-analyze verify` names the line",
        ),
        Load::Masked if service.running == Some(true) || service.enabled == Some(true) => {
            Diff::needs_human(
                format!("{} is masked", unit.id),
                "somebody forbade it to start; `systemctl unmask` takes that away",
            )
        }
        Load::Masked | Load::Loaded => loaded(service, unit, known),
    }
}

fn not_found(service: &Service, unit: &Unit, known: &Known) -> Diff {
    let stem = service.name.as_str().trim_end_matches(".service");
    let file = known.file(&format!("/etc/systemd/system/{}", service.name.full()));
    let written = file.and_then(|(step, content)| content.map(|_| step));
    let step = written
        .or_else(|| known.package(stem))
        .or_else(|| known.any_package());
    let off = service.running == Some(false) || service.enabled == Some(false);
    let on = service.running == Some(true) || service.enabled == Some(true);
    match step {
        Some(step) if off => {
            let why = format!("whether the package starts or enables {}", unit.id);
            Diff {
                verdict: Verdict::UnknownUntil { step, why },
                notes: Vec::new(),
            }
        }
        Some(step) => Diff::of(first_changes(service, unit, known)).after(Some(step)),
        None if on || !off => Diff::blocked(
            format!("there is no unit {} on the host", unit.id),
            "install the package that brings it in an earlier step",
        ),
        None => Diff::compliant(),
    }
}

/// What is due of a unit that a package brings, if the package does not do it by itself.
fn first_changes(service: &Service, unit: &Unit, known: &Known) -> Vec<Change> {
    let run = if service.running == Some(true) {
        "start"
    } else {
        "keep"
    };
    let enable = if service.enabled == Some(true) {
        "enable"
    } else {
        "keep"
    };
    let set = set(service, unit, Verbs { run, enable });
    set.into_iter()
        .chain(asks_reload(service, known).then(|| reload(service, unit)))
        .collect()
}

fn loaded(service: &Service, unit: &Unit, known: &Known) -> Diff {
    let run = match run(service, unit) {
        Ok(verb) => verb,
        Err(diff) => return *diff,
    };
    let (enable, boot_note) = match enable(service, unit) {
        Ok(found) => found,
        Err(diff) => return *diff,
    };
    // What is started reads its files anyway, and what does not run has nothing to read again.
    let reads_again = unit.active == Active::Running
        && run == "keep"
        && (unit.pending || asks_reload(service, known));
    let changes: Vec<Change> = set(service, unit, Verbs { run, enable })
        .into_iter()
        .chain(reads_again.then(|| reload(service, unit)))
        .collect();
    let mut notes = notes(service, unit, run, !changes.is_empty());
    notes.extend(boot_note);
    match may_ask_reload(service, known) {
        Some(step) if changes.is_empty() && unit.active == Active::Running => Diff {
            verdict: Verdict::UnknownUntil {
                step,
                why: format!(
                    "{} reads its files again if that changes something",
                    unit.id
                ),
            },
            notes,
        },
        Some(_) | None => Diff::of(changes).with_notes(notes),
    }
}

fn run(service: &Service, unit: &Unit) -> Result<&'static str, Box<Diff>> {
    let id = &unit.id;
    let blocked = |why: String, hint: &str| Err(Box::new(Diff::blocked(why, hint)));
    match (service.running, unit.active) {
        (None, _)
        | (Some(true), Active::Running)
        | (Some(false), Active::Stopped | Active::Failed) => Ok("keep"),
        (Some(true), _) if unit.runs_once => blocked(
            format!(
                "{id} runs once and is over (Type=oneshot without RemainAfterExit): it never stays running"
            ),
            "ask for `enabled` alone, or for the timer that starts it",
        ),
        (Some(true), _) if unit.refuses_start => blocked(
            format!("{id} refuses to be started by hand"),
            "start the unit that brings it along",
        ),
        (Some(true), Active::Changing | Active::Stopped | Active::Failed) => Ok("start"),
        (Some(false), _) if unit.refuses_stop => {
            blocked(format!("{id} refuses to be stopped by hand"), "")
        }
        (Some(false), Active::Running | Active::Changing) => Ok("stop"),
    }
}

type Enable = (&'static str, Option<Note>);

fn enable(service: &Service, unit: &Unit) -> Result<Enable, Box<Diff>> {
    let id = &unit.id;
    let starters = |by: &[String]| by.join(", ");
    match (service.enabled, boot(unit)) {
        (None, _) | (Some(true), Boot::On) | (Some(false), Boot::Off) => Ok(("keep", None)),
        (Some(true), Boot::Off) => Ok(("enable", None)),
        (Some(false), Boot::On) => Ok(("disable", None)),
        (Some(true), Boot::Fixed { why, by }) if by.is_empty() => Err(Box::new(Diff::blocked(
            format!("{id} cannot be enabled: {why}, and no unit starts it"),
            "name the unit that should start it, such as its timer or socket",
        ))),
        (Some(true), Boot::Fixed { by, .. }) => Ok((
            "keep",
            Some(Note::info(format!("{id} is started by {}", starters(&by)))),
        )),
        (Some(false), Boot::Fixed { by, .. }) if by.is_empty() => Ok(("keep", None)),
        (Some(false), Boot::Fixed { why, by }) => Err(Box::new(Diff::blocked(
            format!(
                "{id} cannot be disabled: {why}, and it is started by {}",
                starters(&by)
            ),
            "disable that unit; or mask this one by hand if it must never run",
        ))),
    }
}

fn asks_reload(service: &Service, known: &Known) -> bool {
    service.reload_on.iter().any(|id| known.will_change(id))
}

/// A step of which it cannot be known yet whether it asks for a reload.
fn may_ask_reload(service: &Service, known: &Known) -> Option<StepNumber> {
    let unsure = service
        .reload_on
        .iter()
        .filter_map(|id| known.unsure_step(id));
    unsure.max()
}

fn set(service: &Service, unit: &Unit, verbs: Verbs) -> Option<Change> {
    let property = |name: &str, on: bool| {
        let (before, after) = if on { ("no", "yes") } else { ("yes", "no") };
        Shown::Property {
            name: name.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        }
    };
    let running = (verbs.run != "keep").then(|| property("running", verbs.run == "start"));
    let enabled =
        (verbs.enable != "keep").then(|| property("starts at boot", verbs.enable == "enable"));
    let shown: Vec<Shown> = running.into_iter().chain(enabled).collect();
    if shown.is_empty() {
        return None;
    }
    let words: Vec<&str> = [verbs.run, verbs.enable]
        .into_iter()
        .filter(|verb| *verb != "keep")
        .collect();
    let id = unit.id.full();
    let arguments = [id.as_str(), verbs.run, verbs.enable];
    let undo = if unit.transient && verbs.run == "stop" {
        Undo::Impossible {
            why: format!("systemd forgets {id}, which systemd-run made, when it stops"),
        }
    } else {
        Undo::Call(Call::new("hf_undo_service", arguments))
    };
    let act = Call::new("hf_set_service", arguments);
    let change = Change::new(format!("{} {id}", words.join(" and ")), shown, act, undo);
    Some(change.expecting([service.probe()]))
}

/// Once, after all steps. What is behind it is read again then, so it has no precondition of its own.
fn reload(service: &Service, unit: &Unit) -> Change {
    let (word, verb) = match service.on_change {
        OnChange::Reload => ("reload", "reload-or-restart"),
        OnChange::Restart => ("restart", "restart"),
    };
    let id = unit.id.full();
    let call = Call::new("hf_reload_service", [service.name.full().as_str(), word]);
    let how = if unit.load == Load::Loaded && !unit.can_reload {
        "restart"
    } else {
        word
    };
    let shown = vec![Shown::Run {
        argv: ["systemctl", verb, id.as_str()].map(str::to_owned).into(),
    }];
    let mut change = Change::new(format!("{how} {id}"), shown, call.clone(), Undo::Call(call));
    change.timing = Timing::AtEnd;
    change
}

fn notes(service: &Service, unit: &Unit, run: &str, changes: bool) -> Vec<Note> {
    let id = &unit.id;
    let mut notes = Vec::new();
    let mut say = |when: bool, note: Note| notes.extend(when.then_some(note));
    say(
        unit.id.full() != service.name.full(),
        Note::info(format!("{} is another name of {id}", service.name.full())),
    );
    say(
        run == "start" && unit.active == Active::Failed,
        Note::info(format!("{id} has failed ({})", unit.result)),
    );
    say(
        run == "start" && unit.active == Active::Changing,
        Note::info(format!("{id} is on its way, or waits to be restarted")),
    );
    let triggers = unit.triggered_by.join(", ");
    say(
        run == "stop" && !unit.triggered_by.is_empty(),
        Note::warning(format!("{triggers} can start it again")),
    );
    say(
        unit.needs_daemon_reload && !changes,
        Note::warning(format!(
            "the unit files of {id} changed since systemd read them: it runs by the old ones"
        )),
    );
    say(
        unit.needs_daemon_reload && changes,
        Note::info("systemd reads its changed unit files first (daemon-reload)"),
    );
    notes
}
