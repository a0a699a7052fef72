//! The change: what is shown, what is done in one go, and how it is taken back.

use std::collections::BTreeSet;

use super::SshdConfig;
use super::listen::{self, Spot};
use super::look::{Mode, Sshd};
use crate::change::{Call, Change, Gives, Shown, Undo};
use crate::probe::Probe;

/// A file that changes: where it really lies, and what the kind `file` shows of the change.
pub(super) struct Rewrite {
    pub(super) text: String,
    real: String,
    shown: Vec<Shown>,
    expects: Vec<Probe>,
    gives: Vec<Gives>,
}

impl Rewrite {
    /// The change of a file, as the kind `file` plans it.
    pub(super) fn of(change: &Change, text: &str) -> Self {
        Self {
            text: text.to_owned(),
            real: change.act.args.first().cloned().unwrap_or_default(),
            shown: change.shown.clone(),
            expects: change.expects.clone(),
            gives: change.gives.clone(),
        }
    }
}

/// Everything that will be different.
pub(super) struct Outcome<'a> {
    pub(super) drop_in: Option<Rewrite>,
    pub(super) main: Option<Rewrite>,
    /// Values in effect: name, before, after.
    pub(super) values: Vec<Shown>,
    /// Where sshd listens afterwards.
    pub(super) spots: &'a BTreeSet<Spot>,
    /// Lines that `sshd -T` must have afterwards.
    pub(super) effective: Vec<String>,
    /// Whether the listeners are others than now.
    pub(super) moves: bool,
}

pub(super) fn change(config: &SshdConfig, sshd: &Sshd, outcome: Outcome<'_>) -> Change {
    let summary = summary(config, sshd, &outcome);
    let activation = activation(sshd, outcome.moves);
    let Outcome {
        drop_in,
        main,
        values,
        spots,
        effective,
        ..
    } = outcome;
    let real = |rewrite: &Option<Rewrite>, otherwise: &str| {
        rewrite
            .as_ref()
            .map_or_else(|| otherwise.to_owned(), |rewrite| rewrite.real.clone())
    };
    let paths = [real(&drop_in, config.path.as_str()), real(&main, "-")];
    let mut words = paths.to_vec();
    words.extend([
        config.name.clone(),
        listen::in_words(spots),
        effective.join("\n"),
    ]);
    words.extend(main.as_ref().map(|main| main.text.clone()));
    let mut act = Call::new("hf_set_sshd", words);
    if let Some(drop_in) = &drop_in {
        act = act.with_input(drop_in.text.as_str());
    }
    let undo = Undo::Call(Call::new("hf_undo_sshd", paths));
    let rewrites: Vec<Rewrite> = drop_in.into_iter().chain(main).collect();
    let texts = rewrites.iter().flat_map(|rewrite| rewrite.shown.clone());
    let shown: Vec<Shown> = texts.chain(values).chain(activation).collect();
    let expects: Vec<Probe> = rewrites
        .iter()
        .flat_map(|rewrite| rewrite.expects.clone())
        .collect();
    let gives: Vec<Gives> = rewrites
        .into_iter()
        .flat_map(|rewrite| rewrite.gives)
        .collect();
    Change::new(summary, shown, act, undo)
        .expecting([config.probe()])
        .expecting(expects)
        .giving(gives)
}

fn summary(config: &SshdConfig, sshd: &Sshd, outcome: &Outcome<'_>) -> String {
    let unit = runs_in(sshd).unwrap_or("sshd");
    let takes = match &sshd.mode {
        Mode::Idle => String::new(),
        Mode::Socket { .. } if !outcome.moves && !sshd.active => String::new(),
        Mode::Socket { unit, .. } if outcome.moves => format!("restart {unit}"),
        Mode::Socket { .. } => format!("restart {unit}"),
        Mode::Service => format!("reload {unit}"),
    };
    let writes = match (&outcome.drop_in, &outcome.main) {
        (Some(_), Some(_)) => format!("write {} and change {}", config.path, config.main),
        (Some(_), None) => format!("write {}", config.path),
        (None, Some(_)) => format!("change {}", config.main),
        (None, None) => return format!("{takes}, for sshd does not go by its files yet"),
    };
    if takes.is_empty() {
        writes
    } else {
        format!("{writes}, {takes}")
    }
}

/// The unit to tell; one that was started by hand is none of systemd's.
fn runs_in(sshd: &Sshd) -> Option<&str> {
    sshd.unit.as_deref().filter(|_| sshd.active)
}

/// How the change comes into effect.
fn activation(sshd: &Sshd, moves: bool) -> Vec<Shown> {
    let run = |words: &[&str]| Shown::Run {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    match (&sshd.mode, runs_in(sshd)) {
        (Mode::Idle, _) => Vec::new(),
        // Each login starts an sshd of its own, which reads the files then.
        (Mode::Socket { .. }, _) if !moves && !sshd.active => Vec::new(),
        (Mode::Socket { unit, .. }, _) if moves => vec![
            run(&["systemctl", "daemon-reload"]),
            run(&["systemctl", "restart", unit]),
        ],
        (Mode::Socket { .. }, Some(unit)) => vec![run(&["systemctl", "restart", unit])],
        (Mode::Service, Some(unit)) => vec![run(&["systemctl", "reload", unit])],
        (Mode::Service | Mode::Socket { .. }, None) => vec![run(&["kill", "-HUP", "sshd"])],
    }
}
