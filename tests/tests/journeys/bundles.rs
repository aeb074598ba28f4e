//! Audit bundles and certificates as they are handed out: cut off, and after keys under them were revoked. Not here: what
//! is in a bundle, and what others say of it (`outsiders.rs`).

use std::{fs, path::PathBuf, time::Duration};

use obelus_casework::fault::BUNDLE_POINTS;

use crate::installation::{Ended, Installation};

/// Hands out the bundle of the one case.
fn hand_out(here: &Installation, reference: &str, name: &str) -> (Ended, PathBuf) {
    let out = here.path(name);
    (here.run(&["audit", "bundle", reference, "--out", out.to_str().unwrap()]), out)
}

fn bundle(here: &Installation, reference: &str, name: &str) -> Vec<u8> {
    let (ended, out) = hand_out(here, reference, name);
    ended.json(0);
    fs::read(out).unwrap()
}

#[track_caller]
fn verifies(here: &Installation, name: &str) {
    here.run(&["verify", here.path(name).to_str().unwrap(), "--trust", &here.trust()]).json(0);
}

/// The key that signs for a role, as `keys list` names it.
fn key_in_use(here: &Installation, role: &str) -> String {
    let list = here.run(&["keys", "list"]).json(0);
    let mut found = list.as_array().unwrap().iter().filter(|key| key["role"] == role && key["state"] == "in use");
    found.next().unwrap()["keyid"].as_str().unwrap().to_owned()
}

/// After a kill: one bundle that verifies, nothing half-written, and at most one statement more than without it.
fn ends_well(here: &Installation, reference: &str, before: u64, after: &str) {
    let archive = bundle(here, reference, "case.zip");
    assert!((before + 1..=before + 2).contains(&here.entries()), "after {after}");
    assert!(bundle(here, reference, "again.zip") == archive, "after {after} the same case gives another file");
    verifies(here, "case.zip");
    for folder in [here.path(""), here.data().join("certificates")] {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| !name.ends_with(".partial")), "after {after}");
    }
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "after {after}");
}

#[test]
fn a_bundle_that_is_killed_at_any_step_is_there_whole_or_not_at_all() {
    let in_the_log = ["log-leaf-insert", "log-leaf-inserted", "log-committed"];
    for point in BUNDLE_POINTS.into_iter().chain(in_the_log) {
        let here = Installation::certified();
        let (reference, _) = here.case();
        let (before, out) = (here.entries(), here.path("case.zip"));
        let command = ["audit", "bundle", &reference, "--out", out.to_str().unwrap()];
        here.dies_at(point, &command);
        assert!(!out.exists(), "{point}");
        ends_well(&here, &reference, before, point);
        // With its statement kept, the only file left to be written is the bundle itself.
        fs::remove_file(&out).unwrap();
        if ["bundle-noted", "file-not-yet-named"].contains(&point) {
            here.dies_at(point, &command);
            assert!(!out.exists(), "{point}, the second time");
            ends_well(&here, &reference, before, point);
        }
    }
}

#[test]
fn a_bundle_may_have_a_bare_name_in_the_folder_of_the_moment() {
    let here = Installation::certified();
    let (reference, _) = here.case();
    let mut command = here.command(&["audit", "bundle", &reference, "--out", "case.zip"]);
    let output = command.current_dir(here.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    verifies(&here, "case.zip");
}

#[test]
fn a_bundle_that_is_killed_at_any_moment_ends_the_same() {
    let here = Installation::certified();
    let (reference, _) = here.case();
    let (before, out) = (here.entries(), here.path("case.zip"));
    let mut cut_off = 0;
    for time_ms in [5, 20, 40, 60, 80, 100, 130, 160] {
        let command = ["audit", "bundle", &reference, "--out", out.to_str().unwrap()];
        cut_off += u64::from(here.killed_after(Duration::from_millis(time_ms), &command));
        if out.exists() {
            verifies(&here, "case.zip");
            fs::remove_file(&out).unwrap();
        }
    }
    assert!(cut_off > 0, "nothing was cut off");
    let archive = bundle(&here, &reference, "case.zip");
    assert!(bundle(&here, &reference, "again.zip") == archive);
    verifies(&here, "case.zip");
    assert!(here.entries() <= before + cut_off + 1, "a statement for each that was cut off, and one");
}

#[test]
fn the_statement_about_a_bundle_is_made_anew_only_when_its_key_was_revoked() {
    let here = Installation::certified();
    let (reference, _) = here.case();
    let entry = here.entries();
    let first = bundle(&here, &reference, "first.zip");
    let key = key_in_use(&here, "issuer");
    here.run(&["keys", "rotate", "issuer"]).json(0);
    let size = here.entries();
    assert!(bundle(&here, &reference, "second.zip") == first, "a retired key still counts where it signed");
    assert_eq!(here.entries(), size);

    // Whoever stole it had it before the bundle was made, and after the certificate was.
    let from = entry.to_string();
    here.run(&["keys", "revoke", &key, "--reason", "copied by a guest", "--from-entry", &from]).json(0);
    let file = here.path("first.zip");
    let report = here.run(&["verify", file.to_str().unwrap(), "--trust", &here.trust()]).json(1);
    assert!(report.to_string().contains("copied by a guest"), "{report}");
    let size = here.entries();
    let third = bundle(&here, &reference, "third.zip");
    assert!(third != first);
    assert_eq!(here.entries(), size + 1);
    verifies(&here, "third.zip");
    assert!(bundle(&here, &reference, "fourth.zip") == third);
    assert_eq!(here.entries(), size + 1, "one that verifies is kept");
}

#[test]
fn a_certificate_outlives_a_log_key_that_was_revoked() {
    let here = Installation::certified();
    let (reference, id) = here.case();
    let download = |name: &str| {
        here.run(&["certificate", "download", &id, "--out", here.path(name).to_str().unwrap()]).json(0);
        format!("{name}/{id}.json")
    };
    let old = download("old");
    bundle(&here, &reference, "old.zip");
    let key = key_in_use(&here, "log");
    let revoke = |key: &str| here.run(&["keys", "revoke", key, "--reason", "lost on a train", "--from-entry", "0"]);
    // The log itself goes on from the checkpoint that this key has signed.
    assert!(revoke("log").refused(2).contains("keys rotate log"));
    here.run(&["keys", "rotate", "log"]).json(0);
    revoke(&key).json(0);
    for name in [&old, "old.zip"] {
        let report = here.run(&["verify", here.path(name).to_str().unwrap(), "--trust", &here.trust()]).json(1);
        assert!(report.to_string().contains("lost on a train"), "{report}");
    }
    // Statements and entries are the same; what leads to a root is signed by the key of now, in every file.
    let new = download("new");
    verifies(&here, &new);
    verifies(&here, &new.replace(".json", ".evidence.json"));
    verifies(&here, &new.replace(".json", ".tlog-proof"));
    let archive = bundle(&here, &reference, "new.zip");
    verifies(&here, "new.zip");
    assert!(bundle(&here, &reference, "again.zip") == archive);
}

#[test]
fn nothing_is_certified_on_a_statement_whose_key_was_revoked() {
    let here = Installation::trained();
    let reference = here.approved(&here.panel()[0]);
    here.run(&["takedown", "execute", &reference]).json(0);
    here.run(&["keys", "revoke", "model", "--reason", "lost on a train", "--from-entry", "0"]).json(0);
    let audit = || here.run(&["audit", "run", &reference]).refused(3).to_owned();
    let said = audit();
    assert!(said.contains("training-run/v1") && said.contains("lost on a train"), "{said}");
    let size = here.entries();
    assert!(audit().contains("lost on a train"));
    assert_eq!(here.entries(), size, "nothing is signed that would not count");
    assert_eq!(here.run(&["certificate", "list"]).json(0), serde_json::json!([]));
}

#[test]
fn what_no_longer_counts_is_not_handed_out() {
    let here = Installation::certified();
    let (reference, id) = here.case();
    bundle(&here, &reference, "first.zip");
    here.run(&["keys", "revoke", "issuer", "--reason", "lost on a train", "--from-entry", "0"]).json(0);
    let size = here.entries();
    let (ended, out) = hand_out(&here, &reference, "second.zip");
    let download = here.path("download");
    for ended in [ended, here.run(&["certificate", "download", &id, "--out", download.to_str().unwrap()])] {
        let said = ended.refused(3);
        assert!(said.contains(&id) && said.contains("lost on a train"), "{said}");
    }
    assert!(!out.exists() && !download.exists() && here.entries() == size);
    assert!(here.run(&["audit", "run", &reference]).refused(3).contains("lost on a train"));
    // Whoever keeps the records may still read them.
    here.run(&["certificate", "show", &id]).json(0);
}
