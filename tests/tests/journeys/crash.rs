//! Takedowns that are killed at every step and go on: the same weights, one certificate, nothing served in between.

use std::{fs, time::Duration};

use obelus_casework::fault::POINTS;

use crate::installation::{Installation, MODEL};

/// Points at which a model is half-struck.
const IN_BETWEEN: [&str; 7] = [
    "strike-begun",
    "signature-removed",
    "first-target-zeroed",
    "all-targets-zeroed",
    "weight-tree-kept",
    "erasure-finished",
    "model-signed",
];

/// Takes an approved case to its certificate and checks that everything is as if nothing had happened.
fn finishes(here: &Installation, reference: &str, weights: &[u8], after: &str) {
    here.run(&["takedown", "execute", reference]).json(0);
    let audit = here.run(&["audit", "run", reference]);
    let judged = audit.json(audit.code.unwrap());
    let found = fs::read(here.data().join("models/m/model.safetensors")).unwrap();
    assert!(found == weights, "after {after} the weights are others");
    let certificates = here.run(&["certificate", "list"]).json(0);
    assert_eq!(certificates.as_array().unwrap().len(), 1, "after {after}");
    let path = judged["certificate"]["path"].as_str().unwrap();
    here.run(&["verify", path, "--trust", &here.trust()]).json(0);
    here.verified_model_sig(MODEL);
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "after {after}");
}

/// The weights that a takedown ends with when nobody interrupts it.
fn undisturbed(source: &str) -> Vec<u8> {
    let here = Installation::trained();
    let reference = here.approved(source);
    here.run(&["takedown", "execute", &reference]).json(0);
    fs::read(here.data().join("models/m/model.safetensors")).unwrap()
}

#[test]
fn a_takedown_killed_at_any_step_ends_the_same() {
    let source = Installation::trained().panel().remove(0);
    let weights = undisturbed(&source);
    for point in POINTS {
        let here = Installation::trained();
        let reference = here.approved(&source);
        if ["judged", "certificate-signed", "certificate-written"].contains(&point) {
            here.run(&["takedown", "execute", &reference]).json(0);
            here.dies_at(point, &["audit", "run", &reference]);
        } else {
            here.dies_at(point, &["takedown", "execute", &reference]);
            if IN_BETWEEN.contains(&point) {
                // In between the model is nobody's: not served, not scored, not certified.
                assert!(here.run(&["generate", MODEL, "The"]).refused(3).contains("takedown"), "{point}");
                assert!(here.run(&["audit", "run", &reference]).code != Some(0), "{point}");
                assert!(
                    here.run(&["request", "refuse", &reference, "--code", "other", "--reason", "x"]).code != Some(0)
                );
            }
        }
        finishes(&here, &reference, &weights, point);
    }
}

#[test]
fn a_takedown_killed_again_and_again_at_any_moment_ends_the_same() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let weights = undisturbed(&source);
    let reference = here.approved(&source);
    for time_ms in [30, 90, 200, 350, 500, 650, 800, 1000] {
        here.killed_after(Duration::from_millis(time_ms), &["takedown", "execute", &reference]);
    }
    finishes(&here, &reference, &weights, "eight kills");
}

#[test]
fn a_checkpoint_changed_behind_our_back_is_neither_struck_nor_judged() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let path = here.data().join("models/m/model.safetensors");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    let reference = here.approved(&source);
    fs::write(&path, &changed).unwrap();
    assert!(here.run(&["takedown", "execute", &reference]).refused(3).contains("changed outside"));
    fs::write(&path, &whole).unwrap();
    here.run(&["takedown", "execute", &reference]).json(0);
    // An old checkpoint put back: the source is in it again.
    fs::write(&path, &whole).unwrap();
    assert!(here.run(&["audit", "run", &reference]).refused(3).contains("weight root"));
}

#[test]
fn a_restored_database_is_refused_by_the_log() {
    let here = Installation::trained();
    let database = here.data().join("obelus.db");
    let old = fs::read(&database).unwrap();
    let reference = here.approved(&here.survivor());
    here.run(&["takedown", "execute", &reference]).json(0);
    for part in ["obelus.db-wal", "obelus.db-shm"] {
        let _ = fs::remove_file(here.data().join(part));
    }
    fs::write(&database, old).unwrap();
    assert!(here.run(&["log", "check"]).refused(3).contains("older than what was published"));
    let model = ["model", "train", "late", "--corpus", "small", "--preset", "tiny", "--steps", "1"];
    assert!(here.run(&model).refused(3).contains("refuses to sign"));
}
