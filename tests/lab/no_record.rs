//! Without a record on the operator's machine no step starts: a full disk, a folder that cannot be written, one that
//! is taken away while the run is under way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::operator::{Footprint, Operator, Told};
use crate::support::lab::{HostSpec, Lab, LabHost, Setup};

/// The plan alone is larger than the smallest disk.
const TWO: &str = r"name: two
summary: Two files, and a while between them
steps:
  - name: The first is there
    file: { path: /etc/hf-first, content: '{% for n in range(900) %}line {{ n }} {% endfor %}' }
  - name: A while passes
    guard: false
    command: { argv: [sleep, '3'], always: true }
  - name: The second is there
    file: { path: /etc/hf-second, content: x }
";

/// A small file system of its own where the operator's state is.
struct Disk(PathBuf);

impl Disk {
    fn new(operator: &Operator<'_>, size: &str) -> Self {
        let place = operator.home().join(".local/state/holdfast");
        fs::create_dir_all(&place).expect("a folder");
        let options = format!("size={size},mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "none"], &place);
        Self(place)
    }

    fn fill(&self) {
        let size = 1 << 20;
        // Ends when the disk is full.
        let _ = fs::write(self.0.join("filler"), vec![0; size]);
    }
}

#[track_caller]
fn mount(words: &[&str], place: &Path) {
    let done = Command::new("mount").args(words).arg(place).status();
    assert!(done.expect("mount").success(), "mount {words:?}");
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[track_caller]
fn failed(told: &Told) -> &Told {
    assert_eq!(told.status, 3, "{}", told.all());
    told
}

fn is_there(host: &LabHost<'_>, path: &str) -> bool {
    host.exec(&["test", "-e", path]).status.success()
}

#[test]
fn without_a_record_no_step_starts() {
    let lab = Lab::new("norecord");
    let hosts = lab.boot_all(vec![HostSpec::new("web").setup(Setup::Bare)]);
    let host = &hosts[0];
    let operator = Operator::new(&lab, "operator", &hosts);
    operator.runbook("two", TWO);
    let before = Footprint::of(host);
    {
        let disk = Disk::new(&operator, "64k");
        disk.fill();
        let told = operator.run(&["run", "two", "--yes"]);
        failed(&told)
            .says("cannot create the journal")
            .says("without a journal nothing is changed");
        before.is_that_of(host);
        fs::remove_file(disk.0.join("filler")).expect("room");
        mount(&["-o", "remount,ro"], &disk.0);
        let told = operator.run(&["run", "two", "--yes"]);
        failed(&told).says("cannot create the journal");
        before.is_that_of(host);
    }
    {
        // Room for the beginning, and for nothing that follows.
        let _disk = Disk::new(&operator, "8k");
        let told = operator.run(&["run", "two", "--yes"]);
        failed(&told)
            .says("the journal on this machine cannot be written; nothing more was started")
            .says("the journal of this run is not whole");
        assert!(!is_there(host, "/etc/hf-first"), "{}", told.all());
    }
    let run = operator.start(&["run", "two", "--yes"]);
    run.wait_for_step(2);
    fs::remove_dir_all(operator.home().join(".local/state/holdfast/runs")).expect("runs");
    let told = run.wait();
    failed(&told).says("nothing more was started");
    assert!(is_there(host, "/etc/hf-first"));
    assert!(!is_there(host, "/etc/hf-second"), "{}", told.all());
    // With a record it goes on where it was.
    operator
        .run(&["run", "two", "--yes", "--unfinished", "settle"])
        .exits(0);
    assert!(is_there(host, "/etc/hf-second"));
    let told = operator.run(&["history", "--verify"]);
    assert_eq!(told.status, 0, "{}", told.all());
}
