//! Compares the firewall as a whole with what a step asks of it.
//!
//! Three acts: `hf_ufw_switch on`, `hf_ufw_switch off`, and `hf_ufw_set`, which makes policies and log
//! level of a running ufw so in one transaction of the kernel. `ufw default` and `ufw logging` would
//! stop and start it, and whoever is killed in between leaves it open (domain A5).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::change::{Call, Change, Diff, Gives, Note, Shown, Undo};
use crate::resource::ufw_rules::act::Part;
use crate::resource::ufw_rules::address::Family;
use crate::resource::ufw_rules::iptables_rule::IptablesRule;
use crate::resource::ufw_rules::kernel::{self, Chains};
use crate::resource::ufw_rules::look::Look;
use crate::resource::ufw_rules::obstacle::{Obstacle, hooked, load, obstacle, readable};
use crate::resource::ufw_rules::rules_file::RulesFile;
use crate::resource::ufw_rules::tuple::Tuple;
use crate::resource::ufw_rules::turnover::Turnover;

use super::closing::{self, Listener};
use super::policy::{self, Level, Policies, Policy, Way};
use super::safety;
use super::settings::{Firewall, expects, property};
use super::surroundings::{Loaded, Surroundings};

/// The result for one host.
pub(super) fn judge(
    desired: &Firewall,
    look: &Look,
    around: &Surroundings,
    loaded: &Loaded,
    listening: &[Listener],
) -> Diff {
    let on = desired.settings.enabled.unwrap_or(look.state.enabled);
    let diff = match (on, look.state.enabled) {
        (true, false) => switched_on(desired, look, around, "inactive", listening),
        (false, true) => Ok(switched_off(desired, look, around)),
        (false, false) => Ok(set_for_later(desired, look, around)),
        (true, true) if look.unloaded => switched_on(
            desired,
            look,
            around,
            "active, but its rules are not loaded",
            listening,
        ),
        (true, true) => set(desired, look, around, loaded),
    };
    diff.unwrap_or_else(|obstacle| *obstacle).after(look.after)
}

fn undo() -> Undo {
    Undo::Call(Call::new::<String>("hf_ufw_state_undo", []))
}

fn switched_on(
    desired: &Firewall,
    look: &Look,
    around: &Surroundings,
    before: &str,
    listening: &[Listener],
) -> Result<Diff, Obstacle> {
    let incoming = desired.settings.over(around.policies);
    let files = safety::of_switching_on(desired, look, around, incoming)?;
    let (lines, settings) = desired.settings.assignments(around);
    let mut shown = vec![property("ufw", before, "active")];
    shown.extend(settings);
    let mut words = vec!["on".to_owned()];
    words.extend(lines);
    let change = Change::new(
        "switch ufw on",
        shown,
        Call::new("hf_ufw_switch", words),
        undo(),
    );
    // ufw writes both files anew when it starts: later steps must look again.
    let gives = files.iter().map(|file| Gives::File {
        path: file.family().file().to_owned(),
        content: Some(file.render()),
    });
    let change = change
        .giving(gives.collect::<Vec<_>>())
        .expecting(expects());
    let mut notes = safety::notes(desired, look, around, &files, incoming);
    notes.extend(closing::note(listening, incoming, &files, look));
    Ok(Diff::of(vec![change]).with_notes(notes))
}

fn switched_off(desired: &Firewall, look: &Look, around: &Surroundings) -> Diff {
    let (lines, settings) = desired.settings.assignments(around);
    let mut shown = vec![property("ufw", "active", "inactive")];
    shown.extend(settings);
    let mut words = vec!["off".to_owned()];
    words.extend(lines);
    let gives = look.state.families().into_iter().filter_map(|family| {
        let content = look.state.file(family).content.clone()?;
        Some(Gives::File {
            path: family.file().to_owned(),
            content: Some(content),
        })
    });
    let change = Change::new(
        "switch ufw off",
        shown,
        Call::new("hf_ufw_switch", words),
        undo(),
    );
    let change = change
        .giving(gives.collect::<Vec<_>>())
        .expecting(expects());
    let open = Note::warning("without ufw everybody reaches every port that something listens on");
    Diff::of(vec![change]).with_notes(vec![open])
}

/// ufw is off and stays so: its settings are for when it is switched on.
fn set_for_later(desired: &Firewall, look: &Look, around: &Surroundings) -> Diff {
    let (lines, shown) = desired.settings.assignments(around);
    if lines.is_empty() {
        return Diff::compliant();
    }
    if let Err(obstacle) = safety::replaceable(look, around) {
        return *obstacle;
    }
    let text = "ufw is not active: the settings are written, but nothing enforces them";
    let act = Call::new("hf_ufw_set", lines).with_input(Vec::new());
    let change = Change::new("set ufw's defaults", shown, act, undo()).expecting(expects());
    Diff::of(vec![change]).with_notes(vec![Note::warning(text)])
}

/// One family of a running ufw.
struct Side {
    before: RulesFile,
    after: Vec<u8>,
    /// The kernel must take it up.
    load: bool,
}

fn set(
    desired: &Firewall,
    look: &Look,
    around: &Surroundings,
    loaded: &Loaded,
) -> Result<Diff, Obstacle> {
    let (lines, mut shown) = desired.settings.assignments(around);
    let mut sides = Vec::new();
    for family in look.state.families() {
        let may_accept = desired
            .settings
            .in_force(around.policies)
            .any(|(way, _)| way == Way::Incoming);
        hooked(look, family, may_accept)?;
        let file = readable(look, family)?;
        sides.push(side(
            desired,
            around,
            file,
            loaded.of(family),
            !lines.is_empty(),
        )?);
    }
    let due = |side: &Side| side.load || side.after != side.before.render();
    if lines.is_empty() && !sides.iter().any(due) {
        return Ok(Diff::compliant().with_notes(safety::past_ufw(look)));
    }
    safety::replaceable(look, around)?;
    safety::of_policies(desired, look, desired.settings.over(around.policies))?;
    for side in sides.iter().filter(|side| side.load) {
        let ours: Vec<Tuple> = Vec::new();
        load(look, &Turnover::idle(side.before.clone()), &ours)?;
    }
    if shown.is_empty() {
        shown.push(property(
            "ufw in the kernel",
            "not as it is set",
            "as it is set",
        ));
    }
    let ways: Vec<(Way, Policy)> = desired.settings.in_force(around.policies).collect();
    Ok(Diff::of(vec![change(&ways, lines, shown, &sides)]))
}

/// What becomes of one family. The file and its log chains only matter when a step names the level, or
/// when policies change, for the file depends on them.
fn side(
    desired: &Firewall,
    around: &Surroundings,
    before: RulesFile,
    chains: &Chains,
    changes: bool,
) -> Result<Side, Obstacle> {
    let family = before.family();
    let settings = &desired.settings;
    let policies = settings.over(around.policies);
    let level = settings.level.or(around.level).unwrap_or(Level::Low);
    let named = settings.level.is_some() || changes;
    let after = if named {
        logged(&before, level, policies)?
    } else {
        before.render()
    };
    let logs_differ = || {
        let file = RulesFile::parse(&after, family);
        let differs = |chain: &String| !holds(chains, chain, &kernel::loaded(&file, chain));
        policy::log_chains(family).iter().any(differs)
    };
    let differs = settings.in_force(around.policies).any(|(way, wanted)| {
        let (builtin, rules) = policy::rules(way, wanted, family);
        let rules: Vec<IptablesRule> = rules
            .iter()
            .filter_map(|r| IptablesRule::parse(r))
            .collect();
        let lacks = |chain: &String| {
            let of_chain: Vec<IptablesRule> = rules
                .iter()
                .filter(|r| r.chain == *chain)
                .cloned()
                .collect();
            !holds(chains, chain, &of_chain)
        };
        chains.policy(way.chain()) != Some(builtin) || policy::chains(way, family).iter().any(lacks)
    });
    let load = differs || (named && logs_differ());
    Ok(Side {
        before,
        after,
        load,
    })
}

fn holds(chains: &Chains, chain: &str, rules: &[IptablesRule]) -> bool {
    chains.chain(chain).eq(rules)
}

fn logged(file: &RulesFile, level: Level, policies: Policies) -> Result<Vec<u8>, Obstacle> {
    match policy::with_logging(&file.render(), level, policies, file.family()) {
        Some(text) => Ok(text),
        None => obstacle(Diff::needs_human(
            format!("{} has no section for logging", file.family().file()),
            "ufw writes one when it starts; was the file replaced by hand?",
        )),
    }
}

fn change(ways: &[(Way, Policy)], lines: Vec<String>, shown: Vec<Shown>, sides: &[Side]) -> Change {
    let digit = |side: &Side| match side.before.family() {
        Family::V4 => '4',
        Family::V6 => '6',
    };
    let mut input = String::new();
    let mut gives = Vec::new();
    for side in sides {
        if side.load {
            let text = transaction(ways, side);
            let _ = writeln!(input, "load{} {}", digit(side), BASE64.encode(text));
        }
        if side.after != side.before.render() {
            let _ = writeln!(input, "{} {}", digit(side), BASE64.encode(&side.after));
        }
        gives.push(Gives::File {
            path: side.before.family().file().to_owned(),
            content: Some(side.after.clone()),
        });
    }
    let act = Call::new("hf_ufw_set", lines).with_input(input);
    let change = Change::new("set ufw's defaults", shown, act, undo());
    change.giving(gives).expecting(expects())
}

/// The rules file with the policies in front of its `COMMIT`: one transaction.
fn transaction(ways: &[(Way, Policy)], side: &Side) -> Vec<u8> {
    let text = side.after.trim_ascii_end();
    let body = text.strip_suffix(b"COMMIT").unwrap_or(text);
    let policies: String = ways
        .iter()
        .map(|(way, policy)| policy::transaction(*way, *policy, side.before.family()))
        .collect();
    [body, policies.as_bytes(), b"COMMIT\n"].concat()
}

/// A family whose rules stay as they are.
pub(super) fn idle(file: RulesFile) -> Part {
    Part {
        turnover: Turnover::idle(file),
        load: false,
    }
}
