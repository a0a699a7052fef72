//! What machines read: lines of JSON are the journal, and the journal keeps all.

use super::super::samples::*;
use super::super::{Json, Report};
use super::told;
use crate::event::{EventKind, Proof};
use crate::journal::{Integrity, Journal, Recording, RunId};

#[test]
fn json_lines_are_the_journal() {
    let state = tempfile::tempdir().unwrap();
    let run: RunId = "019a7b3e-5c1d".parse().unwrap();
    let mut journal = Journal::create(state.path(), &run).unwrap();
    for event in events(apply()) {
        journal.append(&event).unwrap();
    }
    let written = std::fs::read_to_string(journal.dir().join(crate::journal::EVENTS)).unwrap();
    assert_eq!(
        told(|streams| Report::Json(Json::new(streams)), apply()),
        written
    );
    let recording = Recording::read(state.path(), &run).unwrap();
    assert_eq!(recording.integrity, Integrity::Complete);
    assert_eq!(recording.events, events(apply()));
}

#[test]
fn every_event_kind_survives_the_journal() {
    let mut kinds = apply();
    kinds.insert(1, data_refused());
    kinds.insert(2, EventKind::Interrupting);
    kinds.insert(3, planned("web-1", peculiar()));
    let step = Box::new(common().remove(1));
    kinds.insert(
        4,
        EventKind::StepReplanned {
            host: "web-1".into(),
            step,
        },
    );
    kinds.insert(
        5,
        check("web-1", "x", Proof::CouldNotTell { why: "y".into() }),
    );
    for event in events(kinds) {
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(
            serde_json::from_str::<crate::event::Event>(&json).unwrap(),
            event
        );
    }
}
