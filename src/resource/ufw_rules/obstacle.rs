//! What speaks against touching the firewall of a host.
//!
//! Rules files that are cut, chains that something flushed, rules of others that file and kernel
//! disagree about, a firewall that would not let us in again: with these nothing is changed, and the
//! reason is told.

use crate::change::Diff;

use super::act::Part;
use super::address::Family;
use super::exposure::{Admission, SshAccess};
use super::kernel;
use super::look::Look;
use super::oddity::{self, Oddity};
use super::report;
use super::rules_file::RulesFile;
use super::tuple::Tuple;
use super::turnover::Turnover;

/// Why nothing is done. Boxed, because it is the rare case and large.
pub type Obstacle = Box<Diff>;

/// Stops with this result.
///
/// # Errors
/// Always.
pub fn obstacle<T>(diff: Diff) -> Result<T, Obstacle> {
    Err(Box::new(diff))
}

/// Comments, and with them our tag, exist since ufw 0.35; this form of the files since 0.36.
///
/// # Errors
/// When the version is older.
pub fn supported(version: &str) -> Result<(), Obstacle> {
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version.is_empty() || found >= (0, 36) {
        return Ok(());
    }
    let why = format!("ufw {version} is too old");
    obstacle(Diff::blocked(why, "ufw 0.36 or later is needed"))
}

/// The rules file of a family, when it is there and whole.
///
/// # Errors
/// When it is missing or cut.
pub fn readable(look: &Look, family: Family) -> Result<RulesFile, Obstacle> {
    let path = family.file();
    let Some(content) = &look.state.file(family).content else {
        let why = format!("{path} is missing; at the next boot ufw would keep everybody out");
        return obstacle(Diff::needs_human(
            why,
            "restore it from a backup, or reinstall ufw",
        ));
    };
    let file = RulesFile::parse(content, family);
    for oddity in oddity::of(&file) {
        if matches!(oddity, Oddity::NoCommit | Oddity::NoRulesSection) {
            let why = format!("{path} {}", oddity.describe());
            let hint = "it is cut or broken, and at the next boot ufw would keep everybody out; \
                        restore it from a backup";
            return obstacle(Diff::needs_human(why, hint));
        }
    }
    Ok(file)
}

/// Whether packets reach the rules at all, and the policy is what it is set to unless `may_accept`.
///
/// # Errors
/// When they do not, or when the kernel's rules cannot be told.
pub fn hooked(look: &Look, family: Family, may_accept: bool) -> Result<(), Obstacle> {
    let Some(kernel) = &look.kernel else {
        return Ok(());
    };
    let seen = kernel.of(family);
    if let Some(why) = &seen.unreadable {
        let why = format!("the kernel's {} rules cannot be told: {why}", family.name());
        return obstacle(Diff::blocked(why, ""));
    }
    let Some(unhooked) = kernel::unhooked(&seen.chains, family, look.state.drops() && !may_accept)
    else {
        return Ok(());
    };
    let why = format!(
        "ufw is enabled, but the firewall rules are not loaded ({}: {})",
        family.name(),
        unhooked.describe()
    );
    let hint = if look.unloaded {
        "something flushed them, perhaps `nft flush ruleset`; the runbook `ufw-enable` loads them with an SSH \
         rule in place"
    } else {
        "something took a part of them away; when an SSH rule is in place, `sudo ufw reload` loads them all, \
         and is open to everybody for a moment"
    };
    obstacle(Diff::needs_human(why, hint))
}

/// Whether the kernel must take up the rules of a family. Rules of others that file and kernel
/// disagree about would come or go with it; that is a person's decision.
///
/// # Errors
/// When file and kernel disagree about a rule that is not among `ours`.
pub fn load(look: &Look, turnover: &Turnover, ours: &[Tuple]) -> Result<bool, Obstacle> {
    let Some(kernel) = &look.kernel else {
        return Ok(look.state.enabled && !turnover.is_empty());
    };
    let family = turnover.before.family();
    let chains = &kernel.of(family).chains;
    let foreign = kernel::drift_without(&turnover.before, chains, ours);
    if foreign.is_empty() {
        return Ok(!kernel::drift(turnover.result(), chains).is_empty());
    }
    let why = format!(
        "{} and the kernel disagree about rules that are not ours: {}",
        family.file(),
        report::drift(&foreign)
    );
    // Not `ufw reload`: that opens the firewall for a moment.
    let tool = match family {
        Family::V4 => "iptables-restore",
        Family::V6 => "ip6tables-restore",
    };
    let hint = format!(
        "loading the file would change them; add what is missing with ufw, or, if the file is right, \
         load it: sudo {tool} -n < {}",
        family.file()
    );
    obstacle(Diff::needs_human(why, &hint))
}

/// We never change a firewall that would not let us in again, nor make one of it. `or` is the rest of
/// the hint: what to do when something else than ufw admits us.
///
/// # Errors
/// When a new login by one of the ports of `access` would fail.
pub fn way_in(
    access: Option<&SshAccess>,
    look: &Look,
    parts: &[Part],
    or: &str,
) -> Result<(), Obstacle> {
    let effective = look.state.enabled && look.state.drops();
    let Some(access) = access.filter(|_| effective) else {
        return Ok(());
    };
    let Some(part) = parts
        .iter()
        .find(|part| part.turnover.before.family() == access.family())
    else {
        return Ok(());
    };
    let rules = |file: &RulesFile| file.tuples().cloned().collect::<Vec<Tuple>>();
    let before = access.admissions(&rules(&part.turnover.before));
    let after = access.admissions(&rules(part.turnover.result()));
    for ((port, before), (_, after)) in before.into_iter().zip(after) {
        let why = match after {
            Admission::Sure | Admission::Perhaps => continue,
            Admission::Refused => "a rule refuses",
            Admission::NoRule if before >= Admission::Perhaps => {
                "this would remove the rule that admits"
            }
            Admission::NoRule => "no rule admits",
        };
        let why = format!("{why} SSH from {} to port {port}", access.from);
        let hint = format!(
            "a new login would fail; add a rule first (sudo ufw allow {port}/tcp), or {or}"
        );
        return obstacle(Diff::needs_human(why, &hint));
    }
    Ok(())
}

/// Whether the files can be written at all.
///
/// # Errors
/// When one cannot.
pub fn writable<'a>(
    look: &Look,
    mut files: impl Iterator<Item = &'a RulesFile>,
) -> Result<(), Obstacle> {
    if let Some(file) = files.find(|file| look.state.file(file.family()).readonly) {
        let why = format!("{} cannot be written", file.family().file());
        let hint = "it is immutable (lsattr) or on a file system that is mounted read-only";
        return obstacle(Diff::blocked(why, hint));
    }
    Ok(())
}

/// Why the files cannot be replaced, as a clause.
pub fn no_batch<'a>(look: &Look, mut files: impl Iterator<Item = &'a RulesFile>) -> Option<String> {
    if !look.state.python {
        return Some("python3 is missing, which the lock of ufw needs".to_owned());
    }
    files.find_map(|file| {
        let path = file.family().file();
        let fixed = look.state.file(file.family()).fixed.as_ref();
        let odd = || {
            let mut found = oddity::of(file).into_iter();
            found.find(|oddity| matches!(oddity, Oddity::CarriageReturns | Oddity::NotText))
        };
        fixed
            .cloned()
            .or_else(|| odd().map(|o| o.describe()))
            .map(|why| format!("{path} {why}"))
    })
}

/// What ufw itself would take away when it writes the files next, as a clause.
pub fn lost<'a>(files: impl Iterator<Item = &'a RulesFile>) -> Option<String> {
    let mut odd = files.flat_map(|file| {
        let path = file.family().file();
        oddity::of(file)
            .into_iter()
            .map(move |oddity| (path, oddity))
    });
    let (path, oddity) = odd.find(|(_, oddity)| oddity.is_lost_by_ufw())?;
    Some(format!("{path} {}", oddity.describe()))
}
