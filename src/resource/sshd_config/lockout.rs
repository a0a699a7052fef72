//! Settings that decide who gets in are not changed unless a new login of ours would still succeed.

use super::SshdConfig;
use super::setting::Setting;
use crate::change::{Change, Diff, Note, Verdict};
use crate::probe::{Answers, ParseError};
use crate::resource::login::{self, Check};

/// What must be known of our login before these settings; `None` when they shut nobody out.
pub(super) fn check(config: &SshdConfig) -> Option<Check> {
    let keys = config.settings.iter().map(Setting::key);
    let restricts = keys.into_iter().any(|key| login::restricts(&key));
    restricts.then(|| Check::ours(&config.name, &config.settings_text(), &config.when_known))
}

/// Lets a change through when we still get in after it, and tells what `Match` blocks leave open.
pub(super) fn gate(config: &SshdConfig, diff: Diff, seen: &Answers) -> Result<Diff, ParseError> {
    let Some(check) = check(config) else {
        return Ok(diff);
    };
    if matches!(
        diff.verdict,
        Verdict::Blocked(_) | Verdict::UnknownUntil { .. }
    ) {
        return Ok(diff);
    }
    let keys: Vec<String> = config.settings.iter().map(Setting::key).collect();
    let checked = check.judge(seen, &keys)?;
    let mut notes = diff.notes;
    notes.retain(|note| {
        !checked
            .open
            .iter()
            .any(|open| note.text.starts_with(&open.place))
    });
    notes.extend(checked.open.into_iter().map(|open| open.note));
    let verdict = match (checked.refusal, diff.verdict) {
        (None, verdict) => with_precondition(verdict, &check),
        (Some(refusal), Verdict::Compliant | Verdict::NotApplicable { .. }) => {
            // Nothing is changed, so nothing of ours shuts anybody out.
            notes.push(Note::warning(refusal.why));
            Verdict::Compliant
        }
        (Some(refusal), verdict) if refusal.human && config.login_unproven => {
            notes.push(Note::warning(refusal.why));
            with_precondition(verdict, &check)
        }
        (Some(refusal), _) => Verdict::Blocked(refusal),
    };
    Ok(Diff { verdict, notes })
}

/// What we get in by must still be so when the change is made.
fn with_precondition(verdict: Verdict, check: &Check) -> Verdict {
    let expecting = |changes: Vec<Change>| {
        let changes = changes.into_iter();
        changes
            .map(|change| change.expecting([check.probe()]))
            .collect()
    };
    match verdict {
        Verdict::Change(changes) => Verdict::Change(expecting(changes)),
        Verdict::ChangeAfter { step, changes } => Verdict::ChangeAfter {
            step,
            changes: expecting(changes),
        },
        Verdict::Compliant
        | Verdict::UnknownUntil { .. }
        | Verdict::Blocked(_)
        | Verdict::NotApplicable { .. } => verdict,
    }
}
