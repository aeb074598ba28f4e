//! Keys through their lives: replaced, revoked, cut off in between; what they signed counts where it should. Not here:
//! the windows themselves (the ledger's own tests) and files of keys (the auditor's).

use std::{fs, path::Path};

use obelus_casework::fault::KEY_POINTS;
use serde_json::Value;

use crate::installation::{Installation, MODEL};

const ROLES: [&str; 4] = ["log", "issuer", "registrar", "model"];

/// Takes an approved case to its certificate, and gives a copy of it that nothing rewrites.
fn certified(here: &Installation, reference: &str) -> String {
    here.run(&["takedown", "execute", reference]).json(0);
    let audit = here.run(&["audit", "run", reference]);
    let judged = audit.json(audit.code.unwrap());
    let path = Path::new(judged["certificate"]["path"].as_str().unwrap());
    let id = path.file_stem().unwrap().to_str().unwrap();
    let out = here.path("handed-out");
    here.run(&["certificate", "download", id, "--out", out.to_str().unwrap()]).json(0);
    out.join(format!("{id}.json")).to_str().unwrap().to_owned()
}

fn exported(here: &Installation, name: &str) -> String {
    let trust = here.path(name).to_str().unwrap().to_owned();
    here.run(&["keys", "export-trust", "--out", &trust]).json(0);
    trust
}

/// A statement that the registrar signs now.
fn statement(here: &Installation, name: &str) -> String {
    let file = here.path(name).to_str().unwrap().to_owned();
    here.run(&["source", "statement", MODEL, &here.survivor(), "--out", &file]).json(0);
    file
}

#[track_caller]
fn verifies(here: &Installation, file: &str, trust: &str) {
    here.run(&["verify", file, "--trust", trust]).json(0);
}

#[track_caller]
fn refused(here: &Installation, file: &str, trust: &str, because: &str) {
    let report = here.run(&["verify", file, "--trust", trust]).json(1);
    let failed: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert!(failed.iter().any(|check| check["detail"].as_str().unwrap().contains(because)), "{failed:?}");
}

/// The keys of a role, as `keys list` shows them.
fn keys_of(here: &Installation, role: &str) -> Vec<Value> {
    let list = here.run(&["keys", "list"]).json(0);
    list.as_array().unwrap().iter().filter(|key| key["role"] == role).cloned().collect()
}

#[test]
fn certificates_outlive_their_keys_and_a_revoked_issuer_certifies_nothing() {
    let here = Installation::trained();
    let panel = here.panel();
    let (first, second) = (here.approved(&panel[0]), here.approved(&panel[1]));
    let old = certified(&here, &first);
    let old_statement = statement(&here, "old.json");
    let old_trust = exported(&here, "old-trust");

    for role in ROLES {
        let rotated = here.run(&["keys", "rotate", role]).json(0);
        let keys = keys_of(&here, role);
        assert_eq!(keys.len(), 2);
        assert_eq!((&keys[0]["keyid"], &keys[0]["state"]), (&rotated["retired"], &"retired".into()));
        assert_eq!((&keys[1]["keyid"], &keys[1]["state"]), (&rotated["successor"], &"in use".into()));
        assert_eq!(keys[0]["end_entry"], keys[1]["first_entry"]);
        assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "{role}");
    }
    here.run(&["doctor"]).json(0);
    let trust = exported(&here, "trust");
    for old in [&old, &old_statement] {
        verifies(&here, old, &trust);
        verifies(&here, old, &old_trust);
    }

    here.run(&["takedown", "plan", &second]).json(0);
    for person in ["ana", "ben"] {
        here.run(&["request", "approve", &second, "--as", person]).json(0);
    }
    let new = certified(&here, &second);
    let new_statement = statement(&here, "new.json");
    verifies(&here, &new, &trust);
    verifies(&here, &new_statement, &trust);
    // Whoever has only the keys of before is told so.
    refused(&here, &new, &old_trust, "no valid signature");
    refused(&here, &new_statement, &old_trust, "no trusted registrar key");

    // The first certificate was signed with a key that somebody stole before the log began.
    let stolen = keys_of(&here, "issuer")[0]["keyid"].as_str().unwrap().to_owned();
    let revoke = ["keys", "revoke", &stolen[..10], "--reason", "stolen with the laptop", "--from-entry", "0"];
    let revoked = here.run(&revoke).json(0);
    assert_eq!((&revoked["keyid"], &revoked["first_distrusted_entry"]), (&stolen.clone().into(), &0.into()));
    assert!(here.run(&revoke).refused(2).contains("revoked already"));
    verifies(&here, &old, &trust);
    let trust = exported(&here, "trust");
    refused(&here, &old, &trust, "stolen with the laptop");
    verifies(&here, &new, &trust);
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);

    let files: Vec<String> =
        fs::read_dir(&trust).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for role in ROLES {
        let retired = format!("{role}-{}.pem", &keys_of(&here, role)[0]["keyid"].as_str().unwrap()[..8]);
        assert!(files.contains(&format!("{role}.pem")) && files.contains(&retired), "{files:?}");
    }
    assert_eq!(files.iter().filter(|name| name.ends_with(".vkey")).count(), 2);
}

/// Runs a command that changes the registrar's key, kills it at a step, goes on, and checks that it happened once.
fn check_killed(point: &str, command: &[&str], ended: &str) {
    let here = Installation::trained();
    here.dies_at(point, command);
    // Others sign in between, with a key that verifiers will know.
    let between = statement(&here, "between.json");
    here.run(command).json(0);
    let states: Vec<Value> = keys_of(&here, "registrar").iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, [ended, "in use"], "{point}");
    let private =
        fs::read_dir(here.data().join("keys")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(private.filter(|name| name.ends_with(".pem")).count(), 5, "{point}");
    let trust = exported(&here, "trust");
    let before_the_register = point == "key-made" && ended == "revoked";
    if before_the_register {
        refused(&here, &between, &trust, "was revoked");
    } else {
        verifies(&here, &between, &trust);
    }
    verifies(&here, &statement(&here, "after.json"), &trust);
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "{point}");
}

#[test]
fn a_key_whose_change_is_killed_at_any_step_is_changed_once() {
    for point in KEY_POINTS {
        if point != "revocation-logged" {
            check_killed(point, &["keys", "rotate", "registrar"], "retired");
        }
        check_killed(point, &["keys", "revoke", "registrar", "--reason", "lost"], "revoked");
    }
}

#[test]
fn keys_that_cannot_be_meant_change_nothing() {
    let here = Installation::new();
    let before = here.run(&["keys", "list"]).json(0);
    let id = before[1]["keyid"].as_str().unwrap().to_owned();
    let cases: [(&[&str], &str); 6] = [
        (&["keys", "rotate", "janitor"], "registrar"),
        (&["keys", "revoke", &id[..7], "--reason", "x"], "8 or more digits"),
        (&["keys", "revoke", "00000000", "--reason", "x"], "keys list"),
        (&["keys", "revoke", "issuer", "--reason", " "], "reason"),
        (&["keys", "revoke", "issuer", "--reason", "x", "--since", "2999-01-01T00:00:00Z"], "has not come"),
        (&["keys", "revoke", "issuer", "--reason", "x", "--from-entry", "1"], "0 entries"),
    ];
    for (arguments, says) in cases {
        assert!(here.run(arguments).refused(2).contains(says), "{arguments:?}");
    }
    assert_eq!(here.run(&["keys", "list"]).json(0), before);
    // An empty log has keys to replace all the same.
    here.run(&["keys", "rotate", "log"]).json(0);
    here.run(&["keys", "revoke", "issuer", "--reason", "x", "--since", "2020-01-01T00:00:00Z"]).json(0);
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);
    exported(&here, "trust");
}

#[test]
fn the_passphrase_may_lie_elsewhere() {
    let here = Installation::new().with("OBELUS_KEY_PASSPHRASE", "correct horse battery staple");
    let doctor = |here: &Installation| {
        let report = here.run(&["doctor"]);
        let report = report.json(report.code.unwrap());
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "keys").unwrap().clone()
    };
    assert!(doctor(&here)["detail"].as_str().unwrap().contains("passphrase is wrong"), "the keys have another one");
    let own = Installation::empty().with("OBELUS_KEY_PASSPHRASE", "correct horse battery staple");
    own.run(&["init"]).json(0);
    assert!(!own.data().join("keys/passphrase").exists());
    assert_eq!(doctor(&own)["ok"], true);

    let here = Installation::new();
    fs::rename(here.data().join("keys/passphrase"), here.path("passphrase")).unwrap();
    assert!(here.run(&["keys", "rotate", "issuer"]).refused(3).contains("passphrase"));
    let configuration = here.data().join("obelus.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    fs::write(&configuration, format!("{text}passphrase_file = {:?}\n", here.path("passphrase"))).unwrap();
    here.run(&["keys", "rotate", "issuer"]).json(0);
    assert_eq!(doctor(&here)["ok"], true);
}
