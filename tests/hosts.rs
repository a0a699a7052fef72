//! The shell that runs on hosts, on other shells than Debian's: it must at least parse and answer.

use std::io::Write as _;
use std::process::{Command, Stdio};

use holdfast::transport::{READ_SET, WRITE_SET};

fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
    #[expect(clippy::disallowed_methods, reason = "a test looks for shells")]
    let there = |shell: &Vec<&str>| Command::new(shell[0]).arg("--help").output().is_ok();
    all.into_iter().filter(there).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test starts shells")]
fn run(shell: &[&str], script: &str) -> String {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.stderr.is_empty(),
        "{shell:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn both_sets_parse_in_every_shell_at_hand() {
    for shell in shells() {
        let script = format!("{}{}echo fine\n", *READ_SET, *WRITE_SET);
        assert_eq!(run(&shell, &script), "fine\n", "{shell:?}");
    }
}

/// As `transport/script.rs` nests them.
#[test]
fn held_back_parts_come_whole_and_in_order_in_every_shell_at_hand() {
    for shell in shells() {
        let script = format!(
            "LC_ALL=C\n{}hf_two() {{ sleep 0.$1; printf 'x%s\\n\\n' \"$1\"; }}\nHF_NONCE=n.1\n{{\nhf_answer 0 hf_two 2\n}} &\nhf_part=$!\nhf_held=$(\n{{\nhf_answer 1 hf_two 1\n}} &\nhf_part=$!\nhf_held=$(\nhf_answer 2 hf_two 0\necho .\n)\nwait \"$hf_part\"\nprintf %s \"${{hf_held%.*}}\"\necho .\n)\nwait \"$hf_part\"\nprintf %s \"${{hf_held%.*}}\"\nhf_end\n",
            *READ_SET
        );
        let wanted =
            "n.1 a 0 0 4\nx2\n\n\nn.1 a 1 0 4\nx1\n\n\nn.1 a 2 0 4\nx0\n\n\nn.1 e 0 0 0\n\n";
        assert_eq!(run(&shell, &script), wanted, "{shell:?}");
    }
}

#[test]
fn answers_are_framed_alike_in_every_shell_at_hand() {
    for shell in shells() {
        let script = format!(
            "LC_ALL=C\n{}hf_two() {{ printf 'a\\n\\n'; return 3; }}\nHF_NONCE=n.1\nhf_answer 5 hf_two\nhf_end\n",
            *READ_SET
        );
        assert_eq!(
            run(&shell, &script),
            "n.1 a 5 3 3\na\n\n\nn.1 e 0 0 0\n\n",
            "{shell:?}"
        );
    }
}

/// A folder of a run; `full` runs something while the disk takes no file longer than a line; and as
/// `transport/script.rs` sends papers.
const FULL: &str = r#"
HF_RUN=$(mktemp -d)
HF_NONCE=n.1
long() { printf '%02000d\n' 0; }
short() { echo x; }
full() { (trap '' XFSZ && ulimit -f 1 && "$@") 2>/dev/null; }
keep() { hf_keep_in kept; hf_keep 1 q short; hf_keep 2 q "$1"; hf_kept 2; }
paper() { "$1" | cat >"$HF_RUN/paper.new" || rm -f "$HF_RUN/paper.new"; hf_sent; }
there() { (cd "$HF_RUN" && for one in "$@"; do if [ -e "$one" ]; then echo "$one"; else echo "no $one"; fi; done); }
"#;

#[test]
fn what_a_full_disk_does_not_take_whole_is_not_there() {
    for shell in shells() {
        let script = format!(
            "LC_ALL=C\n{}{}{FULL}
            printf '1 step 3 sta' >$HF_RUN/journal
            hf_log closed done && hf_log settled x
            cut -d ' ' -f 2- $HF_RUN/journal
            keep long >/dev/null && there kept/1 kept/2
            full keep long >/dev/null || there kept kept.new
            full keep short >/dev/null && there kept/1 kept/2
            paper short && full paper long; cat $HF_RUN/paper; there paper.new
            : >$HF_RUN/late.new; mkdir $HF_RUN/1 $HF_RUN/1/after.new; hf_sweep $HF_RUN; there late.new 1/after.new paper
            rm -rf $HF_RUN\n",
            *READ_SET, *WRITE_SET
        );
        let wanted = "step 3 sta\nclosed done\nsettled x\nkept/1\nkept/2\nno kept\nno kept.new\nkept/1\nkept/2\nx\nno paper.new\n\
            no late.new\nno 1/after.new\npaper\n";
        assert_eq!(run(&shell, &script), wanted, "{shell:?}");
    }
}

/// In dash a redirection of the special builtin `:` that fails ends the whole shell.
#[test]
fn a_mark_that_cannot_be_set_ends_no_shell() {
    let bare = |line: &str| {
        let before = line.split_once(": >").map(|(before, _)| before);
        !line.starts_with('#') && before.is_some_and(|before| !before.contains('('))
    };
    for set in [&*READ_SET, &*WRITE_SET] {
        let found: Vec<&str> = set.lines().filter(|line| bare(line)).collect();
        assert_eq!(found, [""; 0]);
    }
}

/// A folder in the place of the mark stands for a disk that takes nothing more, which root would not notice either.
#[test]
fn the_guard_takes_all_back_also_where_it_cannot_mark_that_in_every_shell_at_hand() {
    for shell in shells() {
        let script = format!(
            "LC_ALL=C\n{}{}{FULL}
            mkdir $HF_RUN/guard
            for one in 1/1 2/1 3/1; do
                mkdir -p $HF_RUN/$one; echo $one >>$HF_RUN/guard/changes
                echo \"echo $one >>$HF_RUN/undone; : >$HF_RUN/$one/taking\" >$HF_RUN/$one/undo.sh
            done
            mkdir $HF_RUN/3/1/taken; : >$HF_RUN/guard/armed
            HF_AT_BOOT=1; hf_guard_name
            hf_guard_take_back 2>/dev/null
            cat $HF_RUN/undone; grep -e changes -e failed $HF_RUN/guard/restored
            there guard/fired 1/1/taken 2/1/taken 2/1/taking 3/1/taking
            rm -rf $HF_RUN\n",
            *READ_SET, *WRITE_SET
        );
        let wanted = "3/1\n2/1\n1/1\nchanges=3\nfailed=0\nguard/fired\n1/1/taken\n2/1/taken\nno 2/1/taking\n3/1/taking\n";
        assert_eq!(run(&shell, &script), wanted, "{shell:?}");
    }
}

#[test]
fn what_was_taken_back_and_made_again_counts_as_made_in_every_shell_at_hand() {
    let cases = [
        ("3", "3", "3"),
        ("3 3-back", "3 3-back", "3 3-back"),
        ("3 3-back 3-2", "3 3-back", ""),
        // The way back was begun, and the guard was at work.
        ("3 3-back 3-2", "3 3-back 3-2", "3 3-2 3-back"),
        ("3 3-2 3-back 3-3", "3 3-2 3-back", ""),
        ("3 3-2", "3-2", "3-2"),
        ("3 30 30-2 4", "3", "3"),
        // The second try came to nothing.
        ("3 3-back 3-2:failed", "3 3-back", "3 3-back"),
        ("3 3-back 3-2:", "3 3-back", "3 3-back"),
        // Only a part of it was made again.
        ("3 3-end 3-2", "3 3-end", "3-end"),
        ("3 3-end 3-2 3-end-2", "3 3-end", ""),
        ("3 3-end", "3", "3"),
        // Without a journal.
        ("", "3", "3"),
    ];
    for shell in shells() {
        for (begun, taken, counts) in cases {
            let script = format!(
                "LC_ALL=C\n{}{FULL}
                for one in {begun}; do
                    case $one in *:*) how=${{one#*:}} one=${{one%:*}} ;; *) how=done ;; esac
                    echo \"1 step $one started\" >>$HF_RUN/journal
                    echo \"1 step $one change 1 started\" >>$HF_RUN/journal
                    [ -z \"$how\" ] || echo \"1 step $one $how\" >>$HF_RUN/journal
                done
                for one in {taken}; do mkdir -p $HF_RUN/$one/1; : >$HF_RUN/$one/1/taken; done
                echo $(hf_taken $HF_RUN | sort)
                rm -rf $HF_RUN\n",
                *READ_SET
            );
            let wanted = format!("{counts}\n");
            assert_eq!(run(&shell, &script), wanted, "{shell:?} {begun}: {taken}");
        }
    }
}
