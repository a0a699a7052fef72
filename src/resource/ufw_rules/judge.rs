//! Compares what a step asks for with what was seen.

use crate::change::{Diff, Verdict};

use super::act::{self, Part, Way};
use super::address::Family;
use super::kernel::Drift;
use super::look::{self, Look};
use super::obstacle::{
    Obstacle, hooked, load, lost, no_batch, obstacle, readable, supported, way_in, writable,
};
use super::turnover::Turnover;
use super::{Backend, UfwRules, kernel, report};

/// How a step says that something else than ufw lets us in.
const HINT: &str = "set `keep_ssh: false` if something else than ufw admits us";

/// The result for one host.
pub(super) fn judge(desired: &UfwRules, look: &Look) -> Diff {
    match parts(desired, look) {
        Err(obstacle) => *obstacle,
        Ok(parts) => verdict(desired, look, &parts),
    }
}

/// What becomes of each family, when nothing speaks against touching it.
fn parts(desired: &UfwRules, look: &Look) -> Result<Vec<Part>, Obstacle> {
    supported(&look.state.version)?;
    let mut parts = Vec::new();
    for family in look.state.families() {
        let file = readable(look, family)?;
        let turnover = Turnover::of(file, &desired.wanted);
        sound(&turnover)?;
        hooked(look, family, false)?;
        let load = load(look, &turnover, &turnover.ours(&desired.wanted))?;
        parts.push(Part { turnover, load });
    }
    if desired.keep_ssh {
        way_in(desired.access.as_ref(), look, &parts, HINT)?;
    }
    Ok(parts)
}

fn sound(turnover: &Turnover) -> Result<(), Obstacle> {
    let Some(rule) = turnover.conflicting.first() else {
        return Ok(());
    };
    let why = format!(
        "a rule that is not ours decides otherwise about the same packets: {}",
        rule.describe()
    );
    let hint = "ufw keeps only one of two such rules; remove that one if it is not meant";
    obstacle(Diff::needs_human(why, hint))
}

fn verdict(desired: &UfwRules, look: &Look, parts: &[Part]) -> Diff {
    let notes = report::notes(desired, look, parts);
    let idle = parts.iter().all(|part| part.turnover.is_empty());
    if idle && !look.state.handles_ipv6() && desired.wanted.rules(Family::V4).is_empty() {
        let why = "all sources are IPv6 networks, and ufw does not handle IPv6 here".to_owned();
        let verdict = Verdict::NotApplicable { why };
        return Diff { verdict, notes };
    }
    let diff = if !idle {
        rewrite(desired, look, parts)
    } else if parts.iter().any(|part| part.load) {
        reload(desired, look, parts)
    } else {
        Diff::compliant()
    };
    diff.with_notes(notes).after(look.after)
}

fn rewrite(desired: &UfwRules, look: &Look, parts: &[Part]) -> Diff {
    match way(desired.backend, look, parts) {
        Err(obstacle) => *obstacle,
        Ok(way) => Diff::of(vec![act::change(
            parts,
            &desired.wanted.tag,
            way,
            expects(),
        )]),
    }
}

/// The files are right; the kernel lost rules of ours, or kept some that are gone.
fn reload(desired: &UfwRules, look: &Look, parts: &[Part]) -> Diff {
    if !look.state.python {
        return Diff::blocked("python3 is missing, which the lock of ufw needs", "");
    }
    let mut all = Drift::default();
    for (part, kernel) in parts
        .iter()
        .filter(|part| part.load)
        .zip(look.kernel.iter().cycle())
    {
        let file = &part.turnover.before;
        all.extend(kernel::drift(file, &kernel.of(file.family()).chains));
    }
    Diff::of(vec![act::reload(
        parts,
        &format!("tagged {}", desired.wanted.tag),
        all,
        expects(),
    )])
}

fn expects() -> Vec<crate::probe::Probe> {
    vec![look::files_probe(), look::kernel_probe()]
}

/// Batch, unless a file must not be replaced; commands, unless ufw would take away what a person
/// wrote into a file by hand.
fn way(backend: Backend, look: &Look, parts: &[Part]) -> Result<Way, Obstacle> {
    let written = || parts.iter().filter(|part| !part.turnover.is_empty());
    let files = || written().map(|part| &part.turnover.before);
    writable(look, files())?;
    let no_batch = no_batch(look, files());
    match (backend, no_batch) {
        (Backend::Auto | Backend::Batch, None) => Ok(Way::Batch),
        (Backend::Batch, Some(why)) => obstacle(Diff::blocked(
            why,
            "`backend: auto` uses ufw's own commands instead",
        )),
        (Backend::Auto | Backend::Cli, _) => match lost(files()) {
            None => Ok(Way::Commands),
            Some(why) => obstacle(Diff::needs_human(
                why,
                "ufw would drop that when it writes the file; `backend: batch` keeps it",
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD as BASE64;

    use crate::change::{Call, Change, Gives, Known, Shown, StepNumber, Undo};
    use crate::probe::{Answer, Answers};
    use crate::resource::Resource;

    use super::super::exposure::SshAccess;
    use super::super::testing::fixture;
    use super::super::tuple::Protocol;
    use super::super::wanted::Wanted;
    use super::*;

    const CLOUDFLARE: &str = "173.245.48.0/20 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 \
        141.101.64.0/18 108.162.192.0/18 190.93.240.0/20 188.114.96.0/20 197.234.240.0/22 \
        198.41.128.0/17 162.158.0.0/15 104.16.0.0/13 104.24.0.0/14 172.64.0.0/13 131.0.72.0/22 \
        2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 \
        2a06:98c0::/29 2c0f:f248::/32";
    const RELEASES: [&str; 3] = ["debian-11", "debian-12", "debian-13"];

    fn desired() -> UfwRules {
        UfwRules {
            wanted: Wanted {
                tag: "holdfast:ufw-cf-refresh:cf".to_owned(),
                protocol: Protocol::Tcp,
                ports: "443".parse().unwrap(),
                sources: CLOUDFLARE
                    .split_whitespace()
                    .map(|net| net.parse().unwrap())
                    .collect(),
            },
            backend: Backend::Auto,
            access: Some(SshAccess {
                from: "10.77.0.1".parse().unwrap(),
                ports: vec!["22".parse().unwrap()],
            }),
            keep_ssh: true,
        }
    }

    /// One range of each family replaced, as in the captured refresh.
    fn refreshed() -> UfwRules {
        let mut desired = desired();
        for source in &mut desired.wanted.sources {
            let text = source.to_string().replace("131.0.72.0", "131.0.76.0");
            *source = text.replace("2c0f:f248::", "2c0f:f249::").parse().unwrap();
        }
        desired
    }

    /// What a real host answered, perhaps altered.
    struct Host {
        files: String,
        kernel: String,
        around: String,
    }

    impl Host {
        fn captured(name: &str) -> Self {
            let read =
                |part: &str| String::from_utf8(fixture(&format!("answers/{name}/{part}"))).unwrap();
            Self {
                files: read("files"),
                kernel: read("kernel"),
                around: read("around"),
            }
        }

        /// The same with another setting, or with another text of the IPv4 rules file.
        fn with(mut self, from: &str, to: &str) -> Self {
            assert!(self.files.contains(from), "{from}");
            self.files = self.files.replace(from, to);
            self
        }

        fn with_rules(mut self, edit: impl Fn(String) -> String) -> Self {
            let lines = self
                .files
                .lines()
                .map(|line| match line.strip_prefix("v4.data=") {
                    Some(data) => {
                        let text = String::from_utf8(BASE64.decode(data).unwrap()).unwrap();
                        format!("v4.data={}\n", BASE64.encode(edit(text)))
                    }
                    None => format!("{line}\n"),
                });
            self.files = lines.collect::<Vec<_>>().concat();
            self
        }

        fn with_rule(self, tuple: &str, line: &str) -> Self {
            let block = format!("\n### tuple ### {tuple}\n{line}\n\n### END RULES");
            let mut host = self.with_rules(|text| text.replace("\n### END RULES", &block));
            let end = format!("status=0\n{}", "family=v6");
            host.kernel = host.kernel.replace(&end, &format!("{line}\n{end}"));
            host
        }

        fn content(&self, family: Family) -> Vec<u8> {
            let probe = look::files_probe();
            let output = self.files.clone().into_bytes();
            let state = super::super::state::State::parse(&probe, &Answer { status: 0, output });
            state
                .unwrap()
                .unwrap()
                .file(family)
                .content
                .clone()
                .unwrap()
        }

        fn answers(&self) -> Answers {
            let answer = |text: &str| Answer {
                status: 0,
                output: text.as_bytes().to_vec(),
            };
            Answers::from_iter([
                (look::files_probe(), answer(&self.files)),
                (look::kernel_probe(), answer(&self.kernel)),
                (look::around_probe(), answer(&self.around)),
            ])
        }

        fn diff(&self, desired: &UfwRules) -> Diff {
            desired.diff(&self.answers(), &Known::nothing()).unwrap()
        }
    }

    fn only(diff: &Diff) -> &Change {
        match diff.verdict.changes() {
            [change] => change,
            _ => panic!("{diff:#?}"),
        }
    }

    fn counts(change: &Change) -> (usize, usize) {
        match change.shown.as_slice() {
            [Shown::Lines { removed, added, .. }] => (added.len(), removed.len()),
            other => panic!("{other:?}"),
        }
    }

    fn text(call: &Call, digit: char) -> Vec<u8> {
        let input = String::from_utf8(call.input.clone().unwrap()).unwrap();
        let line = input
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{digit} ")));
        BASE64.decode(line.unwrap()).unwrap()
    }

    /// The reason and whether a person must decide.
    fn blocked(diff: &Diff) -> (&str, bool) {
        match &diff.verdict {
            Verdict::Blocked(blocked) => (&blocked.why, blocked.human),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_planned_is_byte_for_byte_what_real_hosts_then_held() {
        for release in RELEASES {
            let before = Host::captured(&format!("{release}-active"));
            let after = Host::captured(&format!("{release}-applied"));
            let diff = before.diff(&desired());
            let change = only(&diff);
            assert_eq!(counts(change), (22, 0), "{release}");
            assert_eq!(change.act.function, "hf_ufw_apply");
            assert_eq!(change.act.args[2..], ["4 6", "4 6"]);
            assert_eq!(
                text(&change.act, '4'),
                after.content(Family::V4),
                "{release}"
            );
            assert_eq!(
                text(&change.act, '6'),
                after.content(Family::V6),
                "{release}"
            );
            assert_eq!(
                after.diff(&desired()).verdict,
                Verdict::Compliant,
                "{release}"
            );
        }
    }

    #[test]
    fn one_range_more_and_one_less_moves_nothing_else() {
        for release in RELEASES {
            let before = Host::captured(&format!("{release}-applied"));
            let after = Host::captured(&format!("{release}-refreshed"));
            let diff = before.diff(&refreshed());
            assert_eq!(counts(only(&diff)), (2, 2), "{release}");
            assert_eq!(
                text(&only(&diff).act, '4'),
                after.content(Family::V4),
                "{release}"
            );
            assert_eq!(
                after.diff(&refreshed()).verdict,
                Verdict::Compliant,
                "{release}"
            );
        }
    }

    #[test]
    fn an_inactive_ufw_gets_the_files_and_a_warning() {
        for release in RELEASES {
            let diff = Host::captured(&format!("{release}-inactive")).diff(&desired());
            assert_eq!(counts(only(&diff)), (22, 0));
            assert_eq!(only(&diff).act.args[2..], ["4 6", ""], "nothing is loaded");
            assert!(diff.notes[0].warning && diff.notes[0].text.contains("not active"));
            assert!(
                diff.notes
                    .iter()
                    .any(|note| note.text.contains("before ufw is enabled"))
            );
        }
    }

    #[test]
    fn the_legacy_flavour_reads_the_same() {
        let diff = Host::captured("debian-12-legacy").diff(&refreshed());
        assert_eq!(diff.verdict, Verdict::Compliant);
    }

    #[test]
    fn rules_flushed_behind_ufws_back_are_for_a_person() {
        let diff = Host::captured("debian-12-flushed").diff(&desired());
        let (why, human) = blocked(&diff);
        assert!(human && why.contains("not loaded"), "{why}");
    }

    #[test]
    fn without_ufw_the_whole_set_comes_after_the_package() {
        let mut host = Host::captured("debian-12-active");
        host.files = "installed=no\n".to_owned();
        assert!(!blocked(&host.diff(&desired())).1);
        let mut known = Known::nothing();
        let undo = Undo::Impossible { why: String::new() };
        let package = Change::new("x", Vec::new(), Call::new::<String>("hf_x", []), undo);
        let package = package.giving([Gives::Package("ufw".to_owned())]);
        known.learn(StepNumber(1), None, &Verdict::Change(vec![package]));
        let diff = desired().diff(&host.answers(), &known).unwrap();
        assert!(matches!(
            diff.verdict,
            Verdict::ChangeAfter {
                step: StepNumber(1),
                ..
            }
        ));
        assert_eq!(counts(only(&diff)), (22, 0));
    }

    #[test]
    fn a_second_set_in_the_same_run_rests_on_the_first() {
        let host = Host::captured("debian-12-active");
        let first = host.diff(&desired());
        let mut known = Known::nothing();
        known.learn(StepNumber(1), None, &first.verdict);
        let mut second = desired();
        second.wanted.tag = "holdfast:ufw-cf-refresh:more".to_owned();
        second.wanted.ports = "8443".parse().unwrap();
        let diff = second.diff(&host.answers(), &known).unwrap();
        assert!(matches!(
            diff.verdict,
            Verdict::ChangeAfter {
                step: StepNumber(1),
                ..
            }
        ));
        let after = String::from_utf8(text(&only(&diff).act, '4')).unwrap();
        assert_eq!(after.matches("comment=686f6c6466617374").count(), 30);
    }

    #[test]
    fn without_ipv6_the_ipv6_rules_are_left_out_and_told() {
        let host = Host::captured("debian-12-active").with("ipv6=yes", "ipv6=no");
        let diff = host.diff(&desired());
        assert_eq!(counts(only(&diff)), (15, 0));
        assert_eq!(only(&diff).act.args[1], "-");
        assert!(
            diff.notes[0].text.contains("7 IPv6 rules are left out"),
            "{:?}",
            diff.notes
        );
        let mut only_v6 = desired();
        only_v6.wanted.sources.retain(|net| net.addr().is_ipv6());
        assert!(matches!(
            host.diff(&only_v6).verdict,
            Verdict::NotApplicable { .. }
        ));
    }

    #[test]
    fn cut_and_missing_files_are_for_a_person() {
        let cut =
            Host::captured("debian-12-active").with_rules(|text| text.replace("COMMIT\n", ""));
        assert!(
            blocked(&cut.diff(&desired()))
                .0
                .contains("does not end in COMMIT")
        );
        let missing = Host::captured("debian-12-active").with("v4.data=", "gone=");
        assert!(blocked(&missing.diff(&desired())).0.contains("is missing"));
    }

    #[test]
    fn files_that_must_not_be_replaced_are_left_to_ufw() {
        let host = || Host::captured("debian-12-active");
        let link = host().with("user.rules regular file", "user.rules symbolic link");
        let python = host().with("python=yes\n", "");
        for host in [&link, &python] {
            let diff = host.diff(&desired());
            let call = &only(&diff).act;
            assert_eq!(call.function, "hf_ufw_commands");
            assert_eq!(call.args[4], "holdfast:ufw-cf-refresh:cf");
            let input = String::from_utf8(call.input.clone().unwrap()).unwrap();
            assert!(
                input.starts_with("+4 ### tuple ### allow tcp 443 0.0.0.0/0 any 173.245.48.0/20")
            );
        }
        let batch = UfwRules {
            backend: Backend::Batch,
            ..desired()
        };
        assert!(blocked(&link.diff(&batch)).0.contains("symbolic link"));
        let immutable = host().with("v4.data=", "v4.readonly=yes\nv4.data=");
        assert!(
            blocked(&immutable.diff(&desired()))
                .0
                .contains("cannot be written")
        );
    }

    #[test]
    fn hand_edits_survive_and_are_never_left_to_ufw() {
        let line = "-A ufw-user-input -p tcp --dport 22 -i wg0 -j ACCEPT";
        let host = Host::captured("debian-12-active").with_rule("allow gopher", line);
        let diff = host.diff(&desired());
        let after = String::from_utf8(text(&only(&diff).act, '4')).unwrap();
        assert!(after.contains(line) && after.contains("### tuple ### allow gopher"));
        assert!(
            diff.notes
                .iter()
                .any(|note| note.warning && note.text.contains("edited by hand"))
        );
        let cli = UfwRules {
            backend: Backend::Cli,
            ..desired()
        };
        assert!(blocked(&host.diff(&cli)).1);
    }

    #[test]
    fn our_way_in_is_looked_after() {
        let host = Host::captured("debian-12-active");
        let from = |address: &str| UfwRules {
            access: Some(SshAccess {
                from: address.parse().unwrap(),
                ports: vec!["22".parse().unwrap(), "2200".parse().unwrap()],
            }),
            ..desired()
        };
        let diff = host.diff(&from("10.77.0.1"));
        assert_eq!(
            blocked(&diff),
            ("no rule admits SSH from 10.77.0.1 to port 2200", true)
        );
        let diff = host.diff(&from("198.51.100.9"));
        assert_eq!(
            blocked(&diff),
            ("a rule refuses SSH from 198.51.100.9 to port 2200", true)
        );
        let diff = host.diff(&UfwRules {
            keep_ssh: false,
            ..from("10.77.0.1")
        });
        assert_eq!(counts(only(&diff)), (22, 0));
        let told = "no rule admits SSH from 10.77.0.1 to port 2200";
        assert!(
            diff.notes
                .iter()
                .any(|note| note.warning && note.text.contains(told))
        );
    }

    #[test]
    fn the_rule_that_lets_us_in_is_not_taken_away() {
        let tuple = "allow tcp 2200 0.0.0.0/0 any 10.77.0.0/24 in \
                     comment=686f6c64666173743a7566772d63662d726566726573683a6366";
        let line = "-A ufw-user-input -p tcp --dport 2200 -s 10.77.0.0/24 -j ACCEPT";
        let host = Host::captured("debian-12-active").with_rule(tuple, line);
        let mut desired = desired();
        desired.access.as_mut().unwrap().ports = vec!["2200".parse().unwrap()];
        let diff = host.diff(&desired);
        let (why, human) = blocked(&diff);
        assert!(
            human && why.starts_with("this would remove the rule that admits SSH"),
            "{why}"
        );
    }

    #[test]
    fn a_rule_of_others_against_ours_is_for_a_person() {
        let line = "-A ufw-user-input -p tcp --dport 443 -s 103.21.244.0/22 -j DROP";
        let tuple = "deny tcp 443 0.0.0.0/0 any 103.21.244.0/22 in";
        let host = Host::captured("debian-12-active").with_rule(tuple, line);
        let diff = host.diff(&desired());
        assert!(
            blocked(&diff)
                .0
                .contains("deny tcp 443 from 103.21.244.0/22")
        );
    }

    #[test]
    fn rules_of_others_that_only_the_kernel_holds_are_for_a_person() {
        let mut host = Host::captured("debian-12-active");
        let more = "-A ufw-user-input -p tcp -m tcp --dport 9 -j ACCEPT\nstatus=0\nfamily=v6";
        host.kernel = host.kernel.replace("status=0\nfamily=v6", more);
        let diff = host.diff(&desired());
        let (why, human) = blocked(&diff);
        assert!(
            human && why.contains("only in the kernel: -A ufw-user-input -p tcp"),
            "{why}"
        );
    }

    #[test]
    fn rules_of_ours_that_the_kernel_lost_are_loaded_again() {
        let mut host = Host::captured("debian-12-applied");
        let lost = "-A ufw-user-input -s 104.16.0.0/13 -p tcp -m tcp --dport 443 -j ACCEPT\n";
        assert!(host.kernel.contains(lost));
        host.kernel = host.kernel.replace(lost, "");
        let diff = host.diff(&desired());
        assert_eq!(counts(only(&diff)), (1, 0));
        assert_eq!(only(&diff).act.args[2..], ["", "4"], "nothing is written");
    }

    #[test]
    fn what_makes_the_goal_untrue_is_told() {
        let host = Host::captured("debian-12-active")
            .with_rule(
                "allow any 443 0.0.0.0/0 any 0.0.0.0/0 in comment=1b5b324a",
                "-A ufw-user-input -p tcp --dport 443 -j ACCEPT\n\
                 -A ufw-user-input -p udp --dport 443 -j ACCEPT",
            )
            .with_rule(
                "allow tcp 443 0.0.0.0/0 any 104.16.0.0/13 in",
                "-A ufw-user-input -p tcp --dport 443 -s 104.16.0.0/13 -j ACCEPT",
            );
        let diff = host.diff(&desired());
        assert_eq!(counts(only(&diff)), (21, 0), "one is there already");
        let told: Vec<&str> = diff.notes.iter().map(|note| note.text.as_str()).collect();
        assert_eq!(
            told,
            [
                "1 rule that is not ours does the same already, and stays as it is: \
                 allow tcp 443 from 104.16.0.0/13",
                "a rule that is not ours lets everybody in, so these restrict nobody: \
                 allow any 443 from anywhere (\"\\u{1b}[2J\")",
                "others are admitted by rules that are not ours: \
                 allow tcp 443 from 192.0.2.66 (\"other\")",
            ]
        );
    }

    #[test]
    fn an_old_ufw_is_refused() {
        let host = Host::captured("debian-12-active").with("version=0.36.2", "version=0.35");
        assert_eq!(
            blocked(&host.diff(&desired())),
            ("ufw 0.35 is too old", false)
        );
    }
}
