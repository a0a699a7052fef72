//! Plans as hosts would have them, for tests.

use crate::change::{Blocked, Call, Change, Note, Shown, StepNumber, Timing, Undo, Verdict};
use crate::plan::{Outcome, StepPlan};
use crate::risk::Risk;

pub(in crate::report) fn step(number: usize, name: &str, verdict: Verdict) -> StepPlan {
    StepPlan {
        number: StepNumber(number),
        id: None,
        name: name.into(),
        subject: "file /etc/motd".into(),
        risk: Risk::Low,
        guarded: false,
        outcome: Outcome::Seen(verdict),
        notes: Vec::new(),
        expects: Vec::new(),
    }
}

pub(in crate::report) fn change(summary: &str, shown: Vec<Shown>) -> Change {
    let nothing = || Call::new::<String>("hf_x", []);
    Change::new(summary, shown, nothing(), Undo::Call(nothing()))
}

pub(in crate::report) fn package() -> Change {
    let shown = Shown::Property {
        name: "ufw".into(),
        before: String::new(),
        after: "0.36.2-1".into(),
    };
    change("install the package ufw", vec![shown])
}

pub(in crate::report) fn rules(added: &[&str], removed: &[&str]) -> Change {
    let texts = |sources: &[&str]| {
        let texts = sources
            .iter()
            .map(|source| format!("allow 443/tcp from {source}"));
        texts.collect()
    };
    let shown = Shown::Lines {
        what: "firewall rules".into(),
        removed: texts(removed),
        added: texts(added),
    };
    change("change the firewall rules tagged cf", vec![shown])
}

pub(in crate::report) fn jail(before: Option<&str>) -> Change {
    let text = |ban: &str| format!("[sshd]\nenabled = true\nmaxretry = {ban}\nbantime = 1h\n");
    let shown = Shown::Text {
        path: "/etc/fail2ban/jail.d/90-holdfast.local".into(),
        before: before.map(text),
        after: Some(text("5")),
    };
    change("write /etc/fail2ban/jail.d/90-holdfast.local", vec![shown])
}

pub(in crate::report) fn reload() -> Change {
    let argv = ["systemctl", "reload", "fail2ban"]
        .map(str::to_owned)
        .into();
    let why = "a reload has no way back".into();
    let mut change = change("reload fail2ban", vec![Shown::Run { argv }]);
    change.timing = Timing::AtEnd;
    change.undo = Undo::Impossible { why };
    change
}

pub(super) const CF: [&str; 3] = ["103.21.244.0/22", "173.245.48.0/20", "2400:cb00::/32"];

/// The plan that most hosts of the sample have: four changes.
pub(in crate::report) fn common() -> Vec<StepPlan> {
    vec![
        step(1, "ufw is installed", Verdict::Compliant),
        step(
            2,
            "Only Cloudflare reaches the web ports",
            Verdict::Change(vec![rules(&CF, &["131.0.72.0/22"])]),
        ),
        step(
            3,
            "The sshd jail has our limit",
            Verdict::Change(vec![jail(Some("10")), reload()]),
        ),
    ]
}

/// The odd one out: no ufw yet.
pub(in crate::report) fn odd() -> Vec<StepPlan> {
    let mut steps = common();
    steps[0] = step(1, "ufw is installed", Verdict::Change(vec![package()]));
    steps[1] = step(
        2,
        "Only Cloudflare reaches the web ports",
        Verdict::ChangeAfter {
            step: StepNumber(1),
            changes: vec![rules(&CF, &[])],
        },
    );
    steps[1].notes = vec![Note::warning("Docker publishes 8080 past the firewall")];
    steps
}

/// One step of every kind that is not a change.
pub(in crate::report) fn peculiar() -> Vec<StepPlan> {
    let blocked = |why: &str, human| {
        Verdict::Blocked(Blocked {
            why: why.into(),
            hint: Some("remove it, or say `adopt: true`".into()),
            human,
            moved: Vec::new(),
        })
    };
    let mut steps = vec![
        step(1, "The package is there", Verdict::Change(vec![package()])),
        step(
            2,
            "The unit runs",
            Verdict::UnknownUntil {
                step: StepNumber(1),
                why: "its unit comes with the package".into(),
            },
        ),
        step(
            3,
            "The file is ours",
            blocked("/etc/motd is a symlink", false),
        ),
        step(
            4,
            "No foreign rule opens it",
            blocked("rule 3 opens 443", true),
        ),
        step(
            5,
            "Docker keeps its chain",
            Verdict::NotApplicable {
                why: "no Docker here".into(),
            },
        ),
    ];
    let mut other = |name: &str, outcome| {
        let mut step = step(steps.len() + 1, name, Verdict::Compliant);
        step.outcome = outcome;
        steps.push(step);
    };
    let why = "`when` does not hold".to_owned();
    other("IPv6 too", Outcome::Skipped { why });
    let why = "the answer has no status".to_owned();
    other("The state is known", Outcome::CouldNotTell { why });
    steps[0].risk = Risk::High;
    steps
}
