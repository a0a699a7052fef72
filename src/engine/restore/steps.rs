//! The steps that take a run back: its changes in the opposite order, what was put off to the end comes last again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::here::HereChange;
use super::point::{Look, Restore};
use super::record::{Point, RunRecord, State};
use super::reread::Reread;
use super::trail::Trail;
use super::{Returns, Undoes};
use crate::access;
use crate::change::{Call, StepNumber, Timing, Undo};
use crate::plan::Expectation;
use crate::probe::Probe;
use crate::resource::Resource;
use crate::risk::Risk;
use crate::runbook::{RenderedGuard, RenderedStep, Retry};
use crate::value::Duration;

/// How long one change may take to be taken back: as long as a step.
const LIMIT: Duration = Duration::seconds(3600);

/// What installs packages; those stay unless somebody asks for it.
const INSTALL: &str = "hf_undo_package";

/// Ways back that leave every way in as it is: values of the kernel and jails as they were, and what only reads anew
/// or does nothing.
const HARMLESS: [&str; 5] = [
    "hf_undo_sysctl",
    "hf_undo_sysctl_live",
    "hf_undo_fail2ban_jail",
    "hf_undo_reread",
    "hf_undo_wait",
];

/// Ways back that are as harmless as the file is.
const OF_FILES: [&str; 2] = ["hf_undo_file", "hf_undo_file_attributes"];

/// Of a command only its author knows what it does, and of what is made again that it was made before: whether those
/// are guarded is on record.
const ON_RECORD: [&str; 2] = ["hf_undo_command", "hf_give_again"];

/// Questions whose answers depend on who asks: they say nothing of what somebody changed.
const ABOUT_US: [&str; 2] = ["hf_login", "hf_session_key"];

/// Whether it may cut us off to take this back, though making it could not: a key, a service or a package that came
/// may be what we come in by now. What nobody knows to be harmless may.
fn cuts_backwards(undo: &Undo) -> bool {
    let Undo::Call(call) = undo else {
        return false;
    };
    let function = call.function.as_str();
    if OF_FILES.contains(&function) {
        let path = call.args.first();
        return path.is_none_or(|path| access::rests_on_file(path));
    }
    !HARMLESS.contains(&function) && !ON_RECORD.contains(&function)
}

/// Everything that is to be taken back on a host, in order, and the state that it comes to.
pub(super) fn steps(
    record: RunRecord,
    undoes: &Undoes,
    here: &[HereChange],
) -> (Vec<RenderedStep>, Returns) {
    let mut page = Page::new(&record, undoes);
    let mut here: Vec<&HereChange> = here.iter().filter(|one| undoes.wants(one.step)).collect();
    let RunRecord { points, .. } = record;
    let mut packages = Vec::new();
    for (index, point) in points.iter().enumerate().rev() {
        // The service reads its files again after they are back: see below.
        if point.is_at_end() {
            continue;
        }
        if !undoes.wants(point.record.step) {
            page.returns.stay(point);
            continue;
        }
        while let Some(one) = here.pop_if(|one| one.step > point.record.step) {
            page.add_here(one);
        }
        if is_package(point) && undoes.packages {
            packages.push(index);
            continue;
        }
        page.add(&points, index);
    }
    while let Some(one) = here.pop() {
        page.add_here(one);
    }
    page.add_rereads();
    for index in packages {
        page.add(&points, index);
    }
    (page.steps, page.returns)
}

/// Whether its answer depends on who asks.
pub(super) fn is_about_us(probe: &Probe) -> bool {
    ABOUT_US.contains(&probe.function.as_str())
}

/// Whether it is the installation of packages.
fn is_package(point: &Point) -> bool {
    matches!(&point.record.change.undo, Undo::Call(call) if call.function == INSTALL)
}

struct Page<'a> {
    undoes: &'a Undoes,
    left: BTreeMap<Probe, crate::probe::Answer>,
    start: BTreeMap<Probe, crate::probe::Digest>,
    trail: Arc<Trail>,
    steps: Vec<RenderedStep>,
    /// Which services read what is taken back, and the ids of those steps.
    marks: Vec<(Call, Vec<String>)>,
    returns: Returns,
}

impl<'a> Page<'a> {
    fn new(record: &RunRecord, undoes: &'a Undoes) -> Self {
        Self {
            undoes,
            left: record.left.clone(),
            start: record.start.clone(),
            trail: Arc::new(Trail::of(record)),
            steps: Vec::new(),
            marks: Vec::new(),
            returns: Returns::default(),
        }
    }

    fn add(&mut self, points: &[Point], index: usize) {
        let Some(point) = points.get(index) else {
            return;
        };
        let stays = self.stays(points, index);
        let id = format!("back-{}", self.steps.len() + 1);
        if stays.is_some() {
            self.returns.stay(point);
        } else {
            self.goes(points, index, &id);
        }
        let record = &point.record;
        let mut earlier = points[..index].iter();
        let is_first = !earlier.any(|other| other.folder() == point.folder());
        let is_guarded = record.guarded || (stays.is_none() && cuts_backwards(&record.change.undo));
        let guard = is_guarded.then_some(RenderedGuard {
            port: record.port_before,
            irreversible: false,
        });
        let restore = Restore {
            run: self.undoes.run.clone(),
            place: point.place.clone(),
            subject: record.subject.clone(),
            change: record.change.clone(),
            looks: self.looks(point),
            trail: self.trail.clone(),
            stays,
            done: point.done,
            is_first,
            timing: if is_package(point) {
                Timing::AtEnd
            } else {
                Timing::InOrder
            },
        };
        let name = format!("{}: {}", record.step, record.name);
        self.push(Some(id), name, Box::new(restore), guard);
    }

    /// It is taken back: what the host answers afterwards, and who reads its files again.
    fn goes(&mut self, points: &[Point], index: usize, id: &str) {
        let point = &points[index];
        if is_package(point) {
            // Removed packages leave their configuration and data.
            self.returns.stay(point);
        }
        // What was found with a package in place says nothing about the host without it.
        if !self.undoes.packages || !points[..index].iter().any(is_package) {
            self.returns.come_back(point, &self.start);
        }
        for mark in point.marks() {
            match self.marks.iter_mut().find(|(known, _)| known == mark) {
                Some((_, ids)) => ids.push(id.to_owned()),
                None => self.marks.push((mark.clone(), vec![id.to_owned()])),
            }
        }
    }

    /// Why it stays, when it does.
    fn stays(&self, points: &[Point], index: usize) -> Option<String> {
        let point = &points[index];
        match &point.record.change.undo {
            Undo::Impossible { why } => return Some(format!("it cannot be taken back: {why}")),
            Undo::Call(_) if is_package(point) && !self.undoes.packages => {
                return Some(
                    "packages stay; --packages removes those that it installed".to_owned(),
                );
            }
            Undo::Call(_) => {}
        }
        let looks = |other: &Point, probe: &Probe| {
            let mut before = other.record.before.iter();
            before.any(|expected| expected.probe == *probe)
        };
        let later = points.iter().skip(index + 1).find(|other| {
            let touches = || {
                let mut before = point.record.before.iter();
                before.any(|expected| looks(other, &expected.probe))
            };
            !self.undoes.wants(other.record.step)
                && other.state != State::Taken
                && !other.is_at_end()
                && touches()
        });
        later.map(|other| {
            format!(
                "{} of the same run changed it afterwards and is not taken back",
                other.record.step
            )
        })
    }

    fn looks(&self, point: &Point) -> Vec<Look> {
        let before = point.record.before.iter();
        let of_host = before.filter(|expected| !is_about_us(&expected.probe));
        let look = |expected: &Expectation| Look {
            probe: expected.probe.clone(),
            before: expected.digest.clone(),
            left: self.left.get(&expected.probe).cloned(),
        };
        of_host.map(look).collect()
    }

    fn add_here(&mut self, change: &HereChange) {
        let name = format!("{}: {}", change.step, change.name);
        self.push(None, name, Box::new(change.clone()), None);
    }

    fn add_rereads(&mut self) {
        for (mark, ids) in std::mem::take(&mut self.marks) {
            let Some(unit) = Reread::of(&mark, &ids) else {
                continue;
            };
            let name = format!("{} reads its files again", unit.unit());
            let guard = unit.can_cut().then_some(RenderedGuard {
                port: None,
                irreversible: false,
            });
            self.push(None, name, Box::new(unit), guard);
            if let Some(step) = self.steps.last_mut() {
                step.reload_on = ids;
            }
        }
    }

    fn push(
        &mut self,
        id: Option<String>,
        name: String,
        resource: Box<dyn Resource>,
        guard: Option<RenderedGuard>,
    ) {
        self.steps.push(RenderedStep {
            number: StepNumber(self.steps.len() + 1),
            id,
            name,
            why: None,
            risk: Risk::Low,
            resource: Some(resource),
            interlude: None,
            after: Vec::new(),
            reload_on: Vec::new(),
            guard,
            retry: Retry::NONE,
            timeout: LIMIT,
            tags: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_leave_every_way_in_is_taken_back_without_a_guard() {
        let cuts =
            |function: &str, arg: &str| cuts_backwards(&Undo::Call(Call::new(function, [arg])));
        for (function, arg) in [
            ("hf_undo_service", "wg-quick@wg0.service"),
            ("hf_undo_unit", "tunnel.service"),
            ("hf_undo_package", "300"),
            ("hf_undo_keys", "/home/ops/.ssh/authorized_keys"),
            ("hf_undo_account", "ops"),
            ("hf_ufw_undo", ""),
            ("hf_undo_sshd", "/etc/ssh/sshd_config"),
            ("hf_undo_file", "/etc/ssh/sshd_config.d/10-x.conf"),
            ("hf_undo_file_attributes", "/etc/sudoers"),
            ("hf_undo_of_times_to_come", "x"),
        ] {
            assert!(cuts(function, arg), "{function} {arg}");
        }
        for (function, arg) in [
            ("hf_undo_file", "/etc/motd"),
            ("hf_undo_file", "/etc/apt/apt.conf.d/20auto-upgrades"),
            ("hf_undo_file_attributes", "/etc/motd"),
            ("hf_undo_sysctl", "/etc/sysctl.d/90-x.conf"),
            ("hf_undo_fail2ban_jail", "sshd"),
            ("hf_undo_command", "true"),
            ("hf_give_again", "r-1"),
        ] {
            assert!(!cuts(function, arg), "{function} {arg}");
        }
        let why = "it is gone".to_owned();
        assert!(!cuts_backwards(&Undo::Impossible { why }));
    }
}
