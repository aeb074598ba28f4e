//! Who may not do what: every act by the wrong role, and one person in two roles.

use crate::installation::{Installation, MODEL};

#[test]
fn every_act_is_refused_to_the_wrong_role() {
    let here = Installation::trained();
    here.run(&["person", "add", "nina", "--role", "auditor"]).json(0);
    let source = here.survivor();
    let file = ["request", "file", "--source", &source, "--model", MODEL, "--regime", "gdpr-art17", "--as", "nina"];
    assert!(here.run(&file).refused(3).contains("requester"));
    let reference = here.approved(&source);
    for (act, role) in [
        (vec!["request", "approve", &reference, "--as", "nina"], "legal_approver"),
        (vec!["request", "refuse", &reference, "--code", "other", "--reason", "x", "--as", "nina"], "legal_reviewer"),
        (vec!["request", "hold", &reference, "--as", "nina"], "hold_officer"),
        (vec!["request", "release", &reference, "--as", "nina"], "hold_officer"),
        (vec!["takedown", "execute", &reference, "--as", "nina"], "executor"),
        (vec!["takedown", "undo", &reference, "--as", "nina"], "legal_reviewer"),
    ] {
        assert!(here.run(&act).refused(3).contains(role), "{act:?}");
    }
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    assert!(here.run(&["audit", "run", &reference, "--as", "nina"]).refused(3).contains("verifier"));
    assert!(here.run(&["audit", "run", &reference, "--as", "nobody"]).refused(2).contains("no person"));
}

#[test]
fn bundles_and_keys_are_handed_out_and_changed_by_their_own_roles_alone() {
    let here = Installation::trained();
    for (name, role) in [("nina", "auditor"), ("kim", "key_custodian")] {
        here.run(&["person", "add", name, "--role", role]).json(0);
    }
    let reference = here.approved(&here.survivor());
    here.run(&["takedown", "execute", &reference]).json(0);
    let audit = here.run(&["audit", "run", &reference]);
    audit.json(audit.code.unwrap());

    let [refused, first, second] = ["refused.zip", "first.zip", "second.zip"].map(|name| here.path(name));
    let size = || here.run(&["log", "checkpoint"]).json(0)["size"].clone();
    let before = size();
    for person in ["emil", "kim"] {
        let bundle = ["audit", "bundle", &reference, "--out", refused.to_str().unwrap(), "--as", person];
        assert!(
            here.run(&bundle).refused(3).contains("auditor or legal_reviewer or regulator or verifier"),
            "{person}"
        );
    }
    assert!(!refused.exists() && size() == before, "a refusal leaves no file and signs nothing");
    // Having been handed out is no part of what is handed out.
    let handed = here.run(&["audit", "bundle", &reference, "--out", first.to_str().unwrap(), "--as", "nina"]).json(0);
    here.run(&["audit", "bundle", &reference, "--out", second.to_str().unwrap()]).json(0);
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap());
    let trail = here.run(&["request", "show", &reference]).json(0)["trail"].clone();
    let by: Vec<&str> = trail
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["action"] == "hand_out")
        .map(|e| e["actor"].as_str().unwrap())
        .collect();
    assert_eq!(by, ["nina", "owner"]);
    assert!(handed["sha256"].is_string());

    let keys = here.run(&["keys", "list"]).json(0);
    for person in ["nina", "emil"] {
        for act in [&["keys", "rotate", "issuer"][..], &["keys", "revoke", "issuer", "--reason", "x"]] {
            let act = [act, &["--as", person]].concat();
            assert!(here.run(&act).refused(3).contains("key_custodian"), "{act:?}");
        }
    }
    assert!(here.run(&["keys", "rotate", "issuer", "--as", "nobody"]).refused(2).contains("no person"));
    assert_eq!(here.run(&["keys", "list"]).json(0), keys, "a refusal changes no key");
    here.run(&["keys", "rotate", "issuer", "--as", "kim"]).json(0);
    here.run(&["keys", "revoke", "model", "--reason", "x", "--as", "kim"]).json(0);
}

#[test]
fn no_single_person_files_approves_and_executes() {
    let here = Installation::trained();
    let roles = ["requester", "legal_approver", "executor", "verifier"];
    for name in ["max", "mia"] {
        let mut add = vec!["person", "add", name];
        add.extend(roles.iter().flat_map(|role| ["--role", role]));
        here.run(&add).json(0);
    }
    let source = here.survivor();
    let file = ["request", "file", "--source", &source, "--model", MODEL, "--regime", "gdpr-art17", "--as", "max"];
    let reference = here.run(&file).json(0)["reference"].as_str().unwrap().to_owned();
    here.run(&["takedown", "plan", &reference]).json(0);
    let approve = |name: &str| here.run(&["request", "approve", &reference, "--as", name]);
    assert!(approve("max").refused(3).contains("file"), "nobody approves what they filed");
    assert_eq!(approve("mia").json(0)["state"], "approved_once");
    assert!(approve("mia").refused(3).contains("approve"), "two approvers are two people");
    assert!(here.run(&["takedown", "execute", &reference]).refused(3).contains("approved_once"));
    assert_eq!(approve("ana").json(0)["state"], "window_open");
    let execute = |name: &str| here.run(&["takedown", "execute", &reference, "--as", name]);
    assert!(execute("mia").refused(3).contains("approve"), "the executor is not an approver");
    execute("max").json(0);
    let verify = here.run(&["audit", "run", &reference, "--as", "max"]);
    assert!(verify.refused(3).contains("execute"), "the verifier is not the executor");
}

#[test]
fn the_owner_cannot_approve() {
    let here = Installation::trained();
    let source = here.survivor();
    let file = ["request", "file", "--source", &source, "--model", MODEL, "--regime", "gdpr-art17"];
    let reference = here.run(&file).json(0)["reference"].as_str().unwrap().to_owned();
    here.run(&["takedown", "plan", &reference]).json(0);
    assert!(here.run(&["request", "approve", &reference]).refused(2).contains("--as PERSON"));
    assert!(here.run(&["request", "approve", &reference, "--as", "owner"]).refused(3).contains("legal_approver"));
}
