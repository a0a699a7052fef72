//! Acts and undos that are killed: each before one of the programs that it starts, whichever that is, and then taken
//! back by the undo alone. Afterwards everything is as it was, and nothing of ours is left lying.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Child, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::operator::Operator;
use crate::support::lab::{Lab, LabHost, Setup};
use holdfast::change::{Call, Change, Undo, Verdict};
use holdfast::plan::HostPlan;
use holdfast::template::shell_quoted;
use holdfast::transport::{READ_SET, WRITE_SET};

/// A step of each kind that acts by several programs and is not shown elsewhere to survive this.
const STEPS: &str = r#"
name: many
summary: Many kinds
risk: medium
steps:
  - name: Values of the kernel, of which one sweeps others along
    sysctl: { values: { net.ipv4.conf.all.accept_redirects: 0, net.ipv4.ip_forward: 1 } }
  - name: Settings of apt
    apt_conf: { file: 52x, lists: { "Unattended-Upgrade::Origins-Pattern": [ origin=x ] } }
  - name: A drop-in
    systemd_unit: { name: lab-listen, drop_in: 10-nice.conf, content: "[Service]\nNice=5\n" }
  - name: A key
    authorized_keys: { user: nosudo, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1xDGTRfbBkK04ZUEy0yNO1Sgeoz3WTfbQjzq5/ZEj eve@elsewhere"] }
  - name: An account with a home where no folder is
    user: { name: dora, groups: [sudo], home: /srv/homes/dora }
  - name: Rules of sudo
    sudoers: { name: 90-x, content: "ops ALL=(ALL) NOPASSWD: ALL\n" }
  - name: Rules of the firewall
    ufw_rules: { tag: office, allow: tcp, ports: 443, from: [198.51.100.0/24, "2001:db8:2::/48"] }
  - name: Settings of the firewall
    ufw: { enabled: true, incoming: reject, logging: medium }
"#;

/// What must be the same, and the machinery: programs that kill their session when it is their turn.
const MACHINERY: &str = r#"
cut=/root/cut
mkdir -p $cut/bin $cut/run
ip link add name brx type bridge
echo 1 >/proc/sys/net/ipv4/conf/brx/forwarding
state() {
    {
        cd /etc
        set -- apt sysctl.d systemd/system sudoers.d passwd shadow group gshadow subuid subgid /home /srv ufw default/ufw
        find "$@" -printf '%p %y %m %u:%g %l\n' | sort
        find "$@" -type f -exec sha256sum {} + | sort -k 2
        ls -d .holdfast* *.lock
        apt-config dump
        systemctl show -p Nice --value lab-listen
        cd /proc/sys/net/ipv4
        grep . ip_forward conf/*/forwarding conf/all/accept_redirects
        for save in iptables-save ip6tables-save; do $save -t filter | sed -e '/^#/d' -e 's/ \[[0-9:]*\]$//'; done
    } 2>&1
}
cat >$cut/wrap <<'EOF'
#!/bin/sh
turn=$(($(/bin/cat /root/cut/turn) + 1))
echo $turn >/root/cut/turn
if [ "$turn" = "$(/bin/cat /root/cut/at)" ]; then
    : >/root/cut/killed
    /usr/bin/pkill -KILL -s "$(/bin/cat /root/cut/session)"
    /bin/sleep 5
fi
for folder in /usr/sbin /usr/bin /sbin /bin; do
    if [ -x "$folder/${0##*/}" ]; then exec "$folder/${0##*/}" "$@"; fi
done
EOF
chmod 0755 $cut/wrap
for tool in cat mv cp rm sync mkdir rmdir chmod chown ln mktemp stat sed awk grep tr sort head tail truncate timeout \
    systemctl useradd groupadd visudo runuser systemd-analyze apt-config id cut cmp diff find sleep readlink getfacl \
    setfacl sha256sum base64 mkfifo iptables-restore ip6tables-restore iptables-save ip6tables-save; do ln -s ../wrap $cut/bin/$tool; done
# call act|undo [cut]: runs it in a session of its own; cut: by programs that kill it when it is their turn.
call() {
    echo 0 >$cut/turn
    WRAP=${2:-} setsid -w sh $cut/$1 </dev/null >>$cut/said 2>&1
}
# places FIRST: kills the act at every fifth place from FIRST on, until it comes through; and then the undo.
places() {
    for victim in act undo; do
        at=$1
        killed=0
        while :; do
            rm -rf $cut/save $cut/killed $cut/said
            mkdir $cut/save
            echo $at >$cut/at
            if [ $victim = act ]; then
                call act cut
            else
                call act || { echo "the act failed"; cat $cut/said; exit 1; }
                call undo cut
            fi
            call undo || { echo "$victim killed at $at: the undo failed"; cat $cut/said; exit 1; }
            state >$cut/after
            diff $cut/before $cut/after >$cut/differences || { echo "$victim killed at $at"; cat $cut/differences $cut/said; exit 1; }
            [ -e $cut/killed ] || break
            killed=$((killed + 1))
            at=$((at + 5))
        done
        echo "$victim killed $killed times"
    done
}
state >$cut/before
"#;

/// The script of an act or of its undo.
fn call(name: &str, call: &Call) -> String {
    let words: String = call.args.iter().fold(String::new(), |mut words, word| {
        let _ = write!(words, " {}", shell_quoted(word));
        words
    });
    let input = call.input.as_ref().map_or_else(String::new, |input| {
        format!("echo {} | base64 -d >$HF_INPUT\n", BASE64.encode(input))
    });
    format!(
        "cat >$cut/{name} <<'EOF-OF-CALL'\ncut=/root/cut\n. $cut/lib.sh\nHF_RUN=$cut/run HF_SAVE=$cut/save HF_STEP=1 HF_NONCE=x\n\
         HF_INPUT=$HF_SAVE/input\nexport HF_RUN HF_SAVE HF_INPUT\n{input}\
         read -r pid comm state parent group session rest </proc/$$/stat\necho \"$session\" >$cut/session\n\
         [ -z \"$WRAP\" ] || PATH=$cut/bin:$PATH\n{}{words}\nEOF-OF-CALL\n",
        call.function
    )
}

fn script(plan: &HostPlan, first: usize) -> String {
    let mut script = format!(
        "{MACHINERY}\ncat >$cut/lib.sh <<'EOF-OF-LIBRARY'\n\
         LC_ALL=C LANGUAGE=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         export LC_ALL LANGUAGE PATH\numask 022\n{}{}\nEOF-OF-LIBRARY\n",
        *READ_SET, *WRITE_SET
    );
    for step in &plan.steps {
        let changes = step.verdict().map_or(&[][..], Verdict::changes);
        let [
            Change {
                act,
                undo: Undo::Call(undo),
                ..
            },
        ] = changes
        else {
            panic!("{changes:?}");
        };
        script.push_str(&call("act", act));
        script.push_str(&call("undo", undo));
        let _ = writeln!(script, "places {first}");
    }
    script
}

fn start(host: &LabHost<'_>, script: &str) -> Child {
    let mut child = host
        .command("/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("lab exec");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(script.as_bytes()).expect("lab exec");
    child
}

#[test]
fn an_act_or_an_undo_that_is_killed_anywhere_is_taken_back_exactly() {
    let lab = Lab::new("cutshort");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("many", STEPS);
    let shown = operator.run(&["run", "many", "--dry-run"]);
    shown.exits(0);
    // All hosts at the same time, each from another place on.
    let start = |(index, host): (usize, _)| start(host, &script(shown.plan(&host.name), index + 1));
    let children: Vec<Child> = hosts.iter().enumerate().map(start).collect();
    for (host, child) in hosts.iter().zip(children) {
        let output = child.wait_with_output().expect("lab exec");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {told}", host.name);
        let times: Vec<u32> = told
            .lines()
            .filter_map(|line| {
                let (_, times) = line.strip_suffix(" times")?.split_once(" killed ")?;
                times.parse().ok()
            })
            .collect();
        assert_eq!(times.len(), 16, "{}: {told}", host.name);
        // An act is the longer of the two.
        assert!(
            times
                .iter()
                .enumerate()
                .all(|(nth, times)| *times >= [2, 1][nth % 2]),
            "{}: {told}",
            host.name
        );
    }
}
