//! Saved plans on real hosts: what `show` lists is what `apply` does, and where a host moved since nothing is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use holdfast::change::StepNumber;
use holdfast::event::{EventKind, Fault};
use holdfast::plan_file::PlanFile;

use crate::listed::Listed;
use crate::live::Live;
use crate::operator::{Footprint, Operator, Told, list_inputs, within};
use crate::refresh::{V4, V6};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};

const FORTY: &str = include_str!("saved_plan/forty.yaml");

#[track_caller]
fn saved(operator: &Operator<'_>, file: &str) -> PlanFile {
    let bytes = fs::read(operator.project().join(file)).expect("a plan");
    PlanFile::open(&bytes, None).expect("a whole plan").plan
}

/// The steps that moved on a host, with the diffs as they were shown.
fn moved(told: &Told, host: &str) -> Vec<StepNumber> {
    let moved = told.events.iter().filter_map(|event| match &event.kind {
        EventKind::StepMoved { host: name, moved } if name == host => Some(moved.number),
        _ => None,
    });
    moved.collect()
}

#[track_caller]
fn packages(host: &LabHost<'_>) -> Vec<String> {
    let all = host
        .sh("dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n' | grep ^installed");
    all.lines().map(str::to_owned).collect()
}

#[test]
fn an_untouched_plan_of_forty_resources_changes_just_what_it_lists_on_every_release() {
    let lab = Lab::new("forty");
    let hosts = lab.boot_releases(Setup::Bare);
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("forty", FORTY);
    let template = operator.project().join("runbooks/templates");
    fs::create_dir_all(&template).expect("a folder");
    fs::write(
        template.join("forty.j2"),
        "{{ inputs.greeting }} {{ host.name }}\n{% for n in range(30) %}line {{ n }}\n{% endfor %}",
    )
    .expect("a template");
    for host in &hosts {
        host.sh("echo old >/etc/hf-forty-old.conf; echo 'as it is' >/etc/hf-forty-open.conf; chmod 666 /etc/hf-forty-open.conf; echo bye >/etc/hf-forty-gone.conf");
    }
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let installed: Vec<Vec<String>> = hosts.iter().map(packages).collect();
    let lived: Vec<Live> = hosts.iter().map(Live::of).collect();
    operator
        .run(&["plan", "forty", "--out", "forty.plan"])
        .exits(0);
    for ((host, before), lived) in hosts.iter().zip(&before).zip(&lived) {
        before.is_that_of(host);
        assert_eq!(lived.differences(&Live::of(host)), [], "{}", host.name);
    }
    // Nothing outside the file matters any more.
    operator.runbook("forty", "name: forty\nsummary: another\nsteps: []\n");
    fs::remove_dir_all(&template).expect("removed");

    let plan = saved(&operator, "forty.plan");
    let told = operator.run(&["apply", "forty.plan", "--yes"]);
    told.exits(0);
    for (((host, before), installed), lived) in
        hosts.iter().zip(&before).zip(&installed).zip(&lived)
    {
        let plan = plan.plan_of(&host.name).expect("a plan");
        assert!(plan.steps.len() >= 40, "{}", plan.steps.len());
        let listed = Listed::of(plan);
        assert!(listed.len() > 50, "{listed:?}");
        let mut surprises = listed.surprises(host, before);
        surprises.extend(listed.live_surprises(host, lived));
        assert!(
            surprises.is_empty(),
            "{}:\n{}",
            host.name,
            surprises.join("\n")
        );
        let come: Vec<String> = packages(host)
            .into_iter()
            .filter(|p| !installed.contains(p))
            .collect();
        let promised = listed.packages().iter();
        let mut promised: Vec<String> = promised
            .map(|(name, version)| format!("installed {name} {version}"))
            .collect();
        promised.sort();
        assert_eq!(come, promised, "{}", host.name);
        let tuples = host.sh("cat /etc/ufw/user.rules /etc/ufw/user6.rules | grep -c '^### tuple'");
        assert_eq!(
            tuples.trim(),
            listed.rules().len().to_string(),
            "{}",
            host.name
        );
    }
    // What was agreed to is so already: nothing is left to do, and the comparison would have seen more.
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();
    let lived: Vec<Live> = hosts.iter().map(Live::of).collect();
    let again = operator.run(&["apply", "forty.plan", "--yes"]);
    again.exits(0);
    for ((host, before), lived) in hosts.iter().zip(&before).zip(&lived) {
        again.nothing_to_do(&host.name);
        before.is_that_of(host);
        assert_eq!(lived.differences(&Live::of(host)), [], "{}", host.name);
    }
    let host = &hosts[0];
    host.sh("echo more >>/etc/hf-forty-1.conf; chmod 600 /etc/hf-forty-3.conf; echo x >/etc/hf-surprise");
    let listed = Listed::of(plan.plan_of(&host.name).expect("a plan"));
    let surprises = listed.surprises(host, &before[0]).join("\n");
    for path in [
        "hf-forty-1.conf has another text",
        "hf-forty-3.conf is 600",
        "not listed: /etc/hf-surprise",
    ] {
        assert!(surprises.contains(path), "{surprises}");
    }
    host.sh(
        "systemd-run -q --unit hf-surprise python3 -m http.server 8123; systemctl -q enable systemd-networkd-wait-online.service
        iptables -A INPUT -p tcp --dport 81 -j ACCEPT; sysctl -q -w net.ipv4.conf.all.log_martians=1
        for i in $(seq 100); do ss -Hltn sport = :8123 | grep -q . && exit; sleep 0.2; done; exit 1",
    );
    let surprises = listed.live_surprises(host, &lived[0]).join("\n");
    for line in [
        "+ port tcp 0.0.0.0:8123",
        "+ unit hf-surprise.service active",
        "+ boot systemd-networkd-wait-online.service enabled",
        "+ rule iptables-save -A INPUT -p tcp -m tcp --dport 81 -j ACCEPT",
        "+ sysctl net.ipv4.conf.all.log_martians = 1",
    ] {
        assert!(surprises.contains(line), "{surprises}");
    }
}

const APP: &str = r#"
name: app
summary: An app behind the firewall
risk: medium
inputs:
  word: { type: text, default: old }
  ports: { type: list of port, default: [8080] }
steps:
  - id: conf
    name: The app is configured
    file: { path: /etc/hf-app.conf, content: "listen\n{{ inputs.word }}\nend\n" }
  - name: A note is there
    file: { path: /etc/hf-note.conf, content: "{{ inputs.word }}\n" }
  - name: The app's ports are open
    ufw: { rules: [{ tag: app, action: allow, ports: "{{ inputs.ports }}", protocol: tcp, from: 192.0.2.0/24 }] }
  - name: Cron knows the app
    service: { name: cron, running: true, on_change: restart }
    reload_on: conf
  - name: What rests on the app is there
    after: conf
    file: { path: /etc/hf-after.conf, content: "{{ inputs.word }}\n" }
  - name: The app's data are of this version
    command:
      argv: [touch, "/etc/hf-data-{{ inputs.word }}"]
      creates: "/etc/hf-data-{{ inputs.word }}"
"#;

/// The files of the app, and its rules.
fn app(host: &LabHost<'_>) -> String {
    host.sh("cd /etc; head -n 9 hf-app.conf hf-note.conf hf-after.conf; grep '^### tuple.*192.0.2.0' ufw/user.rules || true")
}

#[test]
fn where_a_colleague_was_since_the_plan_is_shown_and_nothing_is_overwritten() {
    let lab = Lab::new("colleague");
    let hosts = lab.boot_releases(Setup::UfwActive);
    let [filed, ruled, calm] = &hosts[..] else {
        panic!("three releases");
    };
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("app", APP);
    operator.run(&["run", "app", "--yes"]).exits(0);
    let plan = [
        "plan",
        "app",
        "-e",
        "word=new",
        "-e",
        "ports=8080,8443",
        "--out",
        "app.plan",
    ];
    operator.run(&plan).exits(0).says("Plan for 3 hosts saved");
    filed.sh("printf 'listen\ncolleague\nend\n' >/etc/hf-app.conf");
    ruled.sh("ufw --force delete $(ufw status numbered | sed -n 's/^\\[ *\\([0-9]*\\)\\] 8080.*/\\1/p' | head -n 1) >/dev/null");
    let before: Vec<Footprint> = hosts.iter().map(Footprint::of).collect();

    // One host that moved is one that failed: with --max-fail 1 no other is begun.
    let told = operator.run(&["apply", "app.plan", "--yes", "--max-fail", "1"]);
    told.exits(8).says("--max-fail 1");
    told.stopped(&filed.name, Fault::Stale);
    told.stopped(&ruled.name, Fault::Stale);
    told.stopped(&calm.name, Fault::NotBegun);
    for (host, before) in hosts.iter().zip(&before) {
        before.is_that_of(host);
    }

    let seen: Vec<String> = hosts.iter().map(app).collect();
    let told = operator.run(&["apply", "app.plan", "--yes"]);
    told.exits(8);
    assert_eq!(moved(&told, &filed.name), [StepNumber(1)]);
    assert_eq!(moved(&told, &ruled.name), [StepNumber(3)]);
    assert_eq!(moved(&told, &calm.name), []);
    for text in [
        "-old",
        "+colleague",
        "firewall rules, since then: −1",
        "- allow tcp 8080 from 192.0.2.0/24",
    ] {
        told.says(text);
    }
    before[0].is_that_of(filed);
    before[1].is_that_of(ruled);
    assert_eq!(app(filed), seen[0], "overwritten");
    assert_eq!(app(ruled), seen[1], "overwritten");
    told.changed(&calm.name, 7);
    assert!(
        app(calm).contains("new") && app(calm).contains("8080,8443"),
        "{}",
        app(calm)
    );

    // On its own word, the rest of a host goes on: what moved is left alone with all that may rest on it.
    let told = operator.run(&["apply", "app.plan", "--yes", "--keep-going"]);
    told.exits(8).nothing_to_do(&calm.name);
    told.stopped(&filed.name, Fault::Stale);
    told.stopped(&ruled.name, Fault::Stale);
    assert_eq!(
        told.done(&filed.name),
        [2],
        "guarded rules, what rests on the file and programs wait"
    );
    assert_eq!(
        told.done(&ruled.name),
        [1, 2, 5, 4],
        "the rules wait, and a program behind them; the reload comes at the end"
    );
    let after = app(filed);
    assert!(
        after.contains("colleague") && after.contains("hf-note.conf <==\nnew"),
        "{after}"
    );
    assert!(
        after.contains("hf-after.conf <==\nold") && !after.contains("8443"),
        "{after}"
    );
    let after = app(ruled);
    assert!(
        !after.contains("8443") && !after.contains("8080"),
        "{after}"
    );
    assert!(after.contains("hf-app.conf <==\nlisten\nnew"), "{after}");
    let data = |host: &LabHost<'_>| host.sh("ls /etc/hf-data-* | xargs");
    let old_and_new = "/etc/hf-data-new /etc/hf-data-old\n";
    assert_eq!(
        [filed, ruled, calm].map(data),
        ["/etc/hf-data-old\n", "/etc/hf-data-old\n", old_and_new]
    );
}

const SLOW: &str = r#"
name: slow
summary: Takes a while in the middle
steps:
  - name: first
    file: { path: /etc/hf-first, content: "x\n" }
  - name: slow
    command: { argv: [sh, -c, "sleep 6; touch /etc/hf-second"], creates: /etc/hf-second }
  - name: last
    file: { path: /etc/hf-last, content: "x\n" }
"#;

const FAILING: &str = r#"
name: failing
summary: Cannot work
steps:
  - name: this cannot work
    command: { argv: ["false"], always: true }
"#;

#[test]
fn a_plan_holds_what_was_published_and_is_carried_on_after_a_cut() {
    let lab = Lab::new("held");
    let specs = ["web", "web-2"].map(|name| HostSpec::new(name).setup(Setup::UfwActive));
    let hosts = lab.boot_all(specs.into());
    let web = lab.web();
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("slow", SLOW);
    operator.runbook("failing", FAILING);
    operator.inventory(&format!(
        "hosts:\n  web: {{}}\n  weak: {{ address: {}, user: nosudo }}\n  off: {{ address: 127.0.0.1, port: 9 }}\n  web-2: {{}}\n",
        hosts[0].v4()
    ));
    web.set_live(V4.into_iter().chain(V6));
    let inputs = list_inputs(&web, "live");
    let mut words = vec![
        "plan",
        "ufw-cf-refresh",
        "-l",
        "all,!web-2",
        "--out",
        "cf.plan",
    ];
    words.extend(inputs.iter().flat_map(|input| ["-e", input.as_str()]));
    let told = operator.run(&words);
    told.exits(4).says("Plan for 1 host saved in cf.plan");
    let plan = saved(&operator, "cf.plan");
    let mut without = plan.without_plan();
    without.sort_by_key(|(host, _)| *host);
    assert_eq!(
        without,
        [
            ("off", Some(Fault::Unreachable)),
            ("weak", Some(Fault::Sudo))
        ]
    );
    let mode = fs::metadata(operator.project().join("cf.plan"))
        .expect("a plan")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // What is published now is another list, and nobody asks for it.
    web.set_live(
        V4.into_iter()
            .chain(V6)
            .filter(|range| *range != "131.0.72.0/22"),
    );
    let asked = web.requests().len();
    let told = operator.run(&["apply", "cf.plan", "--yes"]);
    told.exits(0)
        .says("no plan in it for off (unreachable)")
        .changed("web", 22);
    assert!(
        told.rules("web")
            .1
            .iter()
            .any(|rule| rule.contains("131.0.72.0/22"))
    );
    assert_eq!(web.requests().len(), asked);
    words[3] = "web";
    words[5] = "nothing.plan";
    web.set_live(V4.into_iter().chain(V6));
    operator.run(&words).exits(0).says("nothing to do");
    let before = Footprint::of(&hosts[0]);
    operator
        .run(&["apply", "nothing.plan", "--unattended"])
        .exits(0)
        .says_nothing();
    before.is_that_of(&hosts[0]);

    // Cut off in the middle, the same plan is carried on: what it did is no difference.
    operator
        .run(&["plan", "slow", "-l", "web", "--out", "slow.plan"])
        .exits(0);
    let running = operator.start(&["apply", "slow.plan", "--yes"]);
    running.wait_for_step(2);
    running.kill();
    within(Duration::from_mins(2), "the end of the step", || {
        hosts[0]
            .exec(&["test", "-e", "/etc/hf-second"])
            .status
            .success()
    });
    let told = operator.run(&["apply", "slow.plan", "--yes"]);
    told.exits(0).changed("web", 1);
    assert_eq!(told.done("web"), [3]);

    // A colleague comes between the look at the beginning and the step itself.
    let host = &hosts[0];
    host.sh("rm /etc/hf-second /etc/hf-last");
    operator
        .run(&["plan", "slow", "-l", "web", "--out", "again.plan"])
        .exits(0);
    let running = operator.start(&["apply", "again.plan", "--yes"]);
    running.wait_for_step(2);
    host.write("/etc/hf-last", "colleague\n");
    let told = running.wait();
    told.exits(8).says(
        "the host is no longer as it was when the plan was made; nothing of this step was done",
    );
    told.stopped("web", Fault::Stale);
    assert_eq!(told.done("web"), [2]);
    assert_eq!(host.read("/etc/hf-last"), b"colleague\n");

    let told = operator.run(&[
        "run",
        "failing",
        "--yes",
        "-l",
        "web,web-2",
        "--forks",
        "1",
        "--max-fail",
        "1",
    ]);
    told.exits(3);
    told.stopped("web", Fault::Failed);
    told.stopped("web-2", Fault::NotBegun);
}
