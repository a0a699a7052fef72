//! How far may a list be from what was good before, and from what others say? Pure functions.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::Refusal;
use super::lists::{self, Lists};
use super::spec::Spec;
use super::store::Copy;
use crate::value::Cidr;

/// A part of a whole, written `25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Percent(u32);

impl Percent {
    pub(super) const fn new(percent: u32) -> Self {
        Self(percent)
    }

    /// Whether `part` is more than this of `whole`.
    fn exceeded(self, part: u128, whole: u128) -> bool {
        part.saturating_mul(100) > whole.saturating_mul(self.0.into())
    }
}

impl FromStr for Percent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse().ok());
        match number {
            Some(percent @ 0..=100) => Ok(Self(percent)),
            Some(_) | None => Err("a share is written 0% to 100%".to_owned()),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// How much a list may differ from the last good one without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChangeBounds {
    /// Networks gone, of those there were.
    pub(super) removed: Percent,
    /// Addresses gone, of those there were.
    pub(super) lost: Percent,
    /// Addresses that were not there, of those there were.
    pub(super) added: Percent,
}

/// What a fetched list is measured by.
#[derive(Debug)]
pub(super) struct Before<'a> {
    lists: &'a Lists,
    /// As in "since …".
    name: String,
}

impl<'a> Before<'a> {
    /// The last good copy or, the first time, the list in the runbook.
    pub(super) fn of(spec: &'a Spec, last: Option<&'a Copy>) -> Self {
        match last {
            Some(copy) => Self {
                lists: &copy.lists,
                name: format!("the last good copy of {}", day(copy.time)),
            },
            None => Self {
                lists: &spec.built_in.lists,
                name: format!("the built-in list of {}", spec.built_in.date),
            },
        }
    }

    /// What changed, in a sentence; `None` when nothing did.
    ///
    /// # Errors
    /// The same sentence with the bounds that are exceeded.
    pub(super) fn judge(&self, spec: &Spec, after: &Lists) -> Result<Option<String>, String> {
        let mut changes = Vec::new();
        let mut beyond = Vec::new();
        for (name, list) in after.iter() {
            let before = self.lists.get(name);
            changes.extend(change(name, before, list));
            beyond.extend(excess(name, before, list, spec.change));
        }
        let since = &self.name;
        match (changes.is_empty(), beyond.is_empty()) {
            (true, _) => Ok(None),
            (false, true) => Ok(Some(format!(
                "changed since {since}: {}",
                changes.join("; ")
            ))),
            (false, false) => Err(format!(
                "{} since {since}, which a run does not accept by itself ({})",
                beyond.join("; "),
                changes.join("; ")
            )),
        }
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// `ipv4: added a, b; removed c`.
fn change(name: &str, before: &[Cidr], after: &[Cidr]) -> Option<String> {
    let (added, removed) = (lists::missing(after, before), lists::missing(before, after));
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("added {}", lists::enumerate(&added)));
    }
    if !removed.is_empty() {
        parts.push(format!("removed {}", lists::enumerate(&removed)));
    }
    (!parts.is_empty()).then(|| format!("`{name}`: {}", parts.join(", ")))
}

/// The bounds that a change exceeds, each with the measured share.
fn excess(name: &str, before: &[Cidr], after: &[Cidr], bounds: ChangeBounds) -> Vec<String> {
    let removed = lists::missing(before, after).len() as u128;
    let (old, new) = (lists::addresses(before), lists::addresses(after));
    let kept = lists::shared(before, after);
    let measures = [
        (
            removed,
            before.len() as u128,
            bounds.removed,
            "of the networks",
            "are gone",
        ),
        (
            old.saturating_sub(kept),
            old,
            bounds.lost,
            "of the addresses",
            "are lost",
        ),
        (
            new.saturating_sub(kept),
            old,
            bounds.added,
            "more addresses",
            "are added",
        ),
    ];
    let exceeded = measures
        .into_iter()
        .filter(|(part, whole, bound, ..)| bound.exceeded(*part, *whole));
    let said = exceeded.map(|(part, whole, bound, of, how)| {
        format!(
            "{} {of} of `{name}` {how} ({bound} is allowed)",
            share(part, whole)
        )
    });
    said.collect()
}

/// `34.4 %`.
fn share(part: u128, whole: u128) -> String {
    match part.saturating_mul(1000).checked_div(whole) {
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        None => "infinitely many".to_owned(),
    }
}

/// Enough of the list in the runbook must still be there, whatever was accepted in between.
///
/// # Errors
/// A sentence with the numbers.
pub(super) fn canary(spec: &Spec, lists: &Lists) -> Result<(), String> {
    for (name, known) in spec.built_in.lists.iter() {
        let gone = lists::missing(known, lists.get(name)).len();
        let there = known.len() - gone;
        if (there as u128) * 100 < (known.len() as u128) * u128::from(spec.canary.0) {
            return Err(format!(
                "only {there} of the {} networks in the built-in list of {} are in `{name}`; {} are expected",
                known.len(),
                spec.built_in.date,
                spec.canary
            ));
        }
    }
    Ok(())
}

/// Every source must say the same as the first about each list that both have.
pub(super) fn same_everywhere(read: &[(&str, Lists)]) -> Result<(), Refusal> {
    let Some(((first, lists), others)) = read.split_first() else {
        return Ok(());
    };
    for (url, others) in others {
        for (name, theirs) in others.iter() {
            let ours = lists.get(name);
            let (only_ours, only_theirs) =
                (lists::missing(ours, theirs), lists::missing(theirs, ours));
            if only_ours.is_empty() && only_theirs.is_empty() {
                continue;
            }
            let mut parts = vec![format!("its `{name}` is not that of {first}")];
            if !only_ours.is_empty() {
                parts.push(format!("only there: {}", lists::enumerate(&only_ours)));
            }
            if !only_theirs.is_empty() {
                parts.push(format!("only here: {}", lists::enumerate(&only_theirs)));
            }
            return Err(Refusal {
                url: (*url).to_owned(),
                why: parts.join("; "),
                hint: Some(
                    "the publisher may be in the middle of an update: try again later".to_owned(),
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::cloudflare;
    use super::*;

    /// Cloudflare's lists of today, without and with some networks.
    fn lists(gone: &[&str], new: &[&str]) -> Lists {
        let spec = cloudflare();
        let mut changed = Lists::default();
        for (name, list) in spec.built_in.lists.iter() {
            let mut list: Vec<Cidr> = list.to_vec();
            list.retain(|cidr| !gone.contains(&cidr.to_string().as_str()));
            let new = new.iter().map(|text| text.parse::<Cidr>().unwrap());
            list.extend(new.filter(|cidr| cidr.is_ipv4() == (name == "ipv4")));
            changed.insert(name, list);
        }
        changed
    }

    fn last(lists: Lists) -> Copy {
        Copy::new(
            "https://x.example/",
            "2021-04-01T00:00:00Z".parse().unwrap(),
            lists,
            None,
        )
    }

    fn judge(last: Option<&Copy>, after: &Lists) -> Result<Option<String>, String> {
        let spec = cloudflare();
        Before::of(&spec, last).judge(&spec, after)
    }

    const OF_2021: (&[&str], &[&str]) = (&["104.16.0.0/13", "104.24.0.0/14"], &["104.16.0.0/12"]);

    #[test]
    fn the_real_change_of_april_2021_passes_and_is_told() {
        let before = last(lists(OF_2021.0, OF_2021.1));
        let told = judge(Some(&before), &lists(&[], &[])).unwrap().unwrap();
        assert_eq!(
            told,
            "changed since the last good copy of 2021-04-01: `ipv4`: added 104.16.0.0/13, 104.24.0.0/14, removed 104.16.0.0/12"
        );
        // And so does the way back.
        assert!(judge(None, &lists(OF_2021.0, OF_2021.1)).is_ok());
    }

    #[test]
    fn one_range_of_ipv6_may_come_and_go() {
        assert!(judge(None, &lists(&["2c0f:f248::/32"], &[])).is_ok());
    }

    #[test]
    fn no_change_is_not_told() {
        assert_eq!(judge(None, &lists(&[], &[])), Ok(None));
    }

    #[test]
    fn a_third_of_the_space_lost_in_one_range_needs_a_person() {
        let why = judge(None, &lists(&["104.16.0.0/13"], &[])).unwrap_err();
        assert_eq!(
            why,
            "34.3 % of the addresses of `ipv4` are lost (20 % is allowed) since the built-in list of 2025-06-01, \
             which a run does not accept by itself (`ipv4`: removed 104.16.0.0/13)"
        );
    }

    #[test]
    fn growth_and_many_small_losses_need_a_person() {
        let grown = judge(None, &lists(&[], &["80.0.0.0/14", "84.0.0.0/14"])).unwrap_err();
        assert!(
            grown.starts_with("34.3 % more addresses of `ipv4` are added (30 % is allowed)"),
            "{grown}"
        );
        let small = [
            "103.21.244.0/22",
            "103.22.200.0/22",
            "103.31.4.0/22",
            "197.234.240.0/22",
        ];
        let removed = judge(None, &lists(&small, &[])).unwrap_err();
        assert!(
            removed.starts_with("26.6 % of the networks of `ipv4` are gone (25 % is allowed)"),
            "{removed}"
        );
    }

    #[test]
    fn a_swap_of_everything_is_loss_and_growth() {
        let all: Vec<String> = cloudflare()
            .built_in
            .lists
            .get("ipv6")
            .iter()
            .map(ToString::to_string)
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let why = judge(None, &lists(&all, &["2a00::/29", "2a00:8::/32"])).unwrap_err();
        for part in [
            "100.0 % of the networks",
            "100.0 % of the addresses",
            "more addresses of `ipv6`",
        ] {
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn the_last_good_copy_is_what_counts_once_there_is_one() {
        let shrunk = last(lists(&["104.16.0.0/13"], &[]));
        assert_eq!(
            judge(Some(&shrunk), &lists(&["104.16.0.0/13"], &[])),
            Ok(None)
        );
    }

    #[test]
    fn the_canary_does_not_depend_on_what_was_accepted_before() {
        let spec = cloudflare();
        assert_eq!(
            canary(&spec, &lists(&["131.0.72.0/22", "2c0f:f248::/32"], &[])),
            Ok(())
        );
        let three = ["2400:cb00::/32", "2606:4700::/32", "2803:f800::/32"];
        assert_eq!(
            canary(&spec, &lists(&three, &[])).unwrap_err(),
            "only 4 of the 7 networks in the built-in list of 2025-06-01 are in `ipv6`; 60 % are expected"
        );
    }

    #[test]
    fn sources_agree_as_sets_and_name_what_differs() {
        let (here, there) = (
            lists(&[], &[]),
            lists(&["131.0.72.0/22"], &["199.27.128.0/21"]),
        );
        assert!(same_everywhere(&[("a", here.clone()), ("b", here.clone())]).is_ok());
        let refusal = same_everywhere(&[("a", here), ("b", there)]).unwrap_err();
        assert_eq!(refusal.url, "b");
        assert_eq!(
            refusal.why,
            "its `ipv4` is not that of a; only there: 131.0.72.0/22; only here: 199.27.128.0/21"
        );
    }

    #[test]
    fn shares_are_percents() {
        assert!("25%".parse::<Percent>().is_ok());
        for bad in ["25", "101%", "-1%", "%", "1.5%", ""] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
        assert!(!Percent(25).exceeded(25, 100));
        assert!(Percent(25).exceeded(26, 100));
        assert!(Percent(25).exceeded(1, 0));
    }
}
