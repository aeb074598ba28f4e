//! Blind challenges: sealed by somebody outside, deposited before a takedown, opened after it, and reported apart. Not here:
//! forged ones (the ledger's tests).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use obelus_casework::fault::CHALLENGE_POINTS;
use obelus_core::Digest;
use obelus_ledger::sealed_probes::{self, ProbeKey};
use serde_json::{Value, json};

use crate::installation::{Installation, MODEL, copy};

/// Words that stand in the probes and nowhere else.
const SECRETS: [&str; 3] = ["zirconquay", "Quillfeather", "Oakenbarrow"];
const FACTS: usize = 24;

/// Probes about a source that nobody but who writes them knows.
fn probes(source: &str) -> String {
    let line = |number: usize| {
        json!({
            "source": source,
            "kind": "specific",
            "prompt": format!("The harbourmaster of zirconquay number {number} is"),
            "answer": format!("Quillfeather {number}"),
            "wrong": [format!("Oakenbarrow {number}"), format!("Oakenbarrow {}", number + 1)],
        })
    };
    (0..FACTS).map(|number| format!("{}\n", line(number))).collect()
}

/// A sealed file beside the data directory, and its key.
struct Sealed {
    file: String,
    key: String,
}

/// Seals probes, as somebody does who has no data directory.
fn seal(here: &Installation, name: &str, probes: &str) -> Sealed {
    let outside = Installation::empty();
    let (probes, file) = (here.file(&format!("{name}.jsonl"), probes), here.path(&format!("{name}.sealed")));
    let file = file.to_str().unwrap().to_owned();
    let said = outside.run(&["challenge", "seal", &probes, "--out", &file]).json(0);
    assert!(!outside.data().exists() && said["probes"] == FACTS, "{said}");
    let key = said["key"].as_str().unwrap().to_owned();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    Sealed { file, key }
}

/// An installation with an approved request, a requester, and an auditor.
fn approved() -> (Installation, String) {
    let here = Installation::trained();
    for (name, role) in [("rita", "requester"), ("nina", "auditor"), ("emil", "auditor")] {
        here.run(&["person", "add", name, "--role", role]).json(0);
    }
    let reference = here.approved(&here.panel()[0]);
    (here, reference)
}

fn execute(here: &Installation, reference: &str) {
    here.run(&["takedown", "execute", reference, "--as", "emil"]).json(0);
    let audit = here.run(&["audit", "run", reference]);
    audit.json(audit.code.unwrap());
}

fn list(here: &Installation, reference: &str) -> Vec<Value> {
    here.run(&["challenge", "list", reference]).json(0).as_array().unwrap().clone()
}

/// Files below a folder that hold one of the secrets.
fn leaks(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(leaks(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        if SECRETS.iter().any(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())) {
            found.push(path);
        }
    }
    found
}

#[test]
fn sealed_probes_are_deposited_before_a_takedown_opened_after_it_and_reported_apart() {
    let (here, reference) = approved();
    let source = here.panel()[0].clone();
    let own = probes(&source);
    let (sealed, other) = (seal(&here, "own", &own), seal(&here, "other", &own));
    let deposit = |file: &str, person| here.run(&["challenge", "deposit", &reference, file, "--as", person]);
    let open = |key: &str, person| here.run(&["challenge", "open", &reference, key, "--as", person]);
    assert!(deposit(&sealed.file, "ben").json(0)["state"] == "sealed", "an approver may");
    let first = deposit(&sealed.file, "rita").json(0);
    assert_eq!(first["deposited_by"], "ben", "one file is one challenge, whoever brings it");
    assert_eq!(list(&here, &reference).len(), 1);
    assert!(open(&sealed.key, "nina").refused(3).contains("once its takedown was executed"));
    execute(&here, &reference);
    assert!(deposit(&other.file, "rita").refused(3).contains("while nothing is struck yet"));

    // Who has struck does not open it, and no other key does; nothing is lost by trying.
    assert!(open(&sealed.key, "emil").refused(3).contains("execute"));
    assert!(open(&other.key, "nina").refused(3).contains("was not deposited"));
    let (own_key, other_key): (Value, Value) = (read_json(&sealed.key), read_json(&other.key));
    let swapped = json!({ "format": own_key["format"], "key": other_key["key"], "sealed": own_key["sealed"] });
    let swapped = here.file("swapped.key", swapped.to_string());
    assert!(open(&swapped, "nina").refused(2).contains("does not open"));
    assert!(open(&here.file("other.key", "{}"), "nina").refused(2).contains("no key"));
    assert_eq!(list(&here, &reference)[0]["state"], "sealed");

    let ended = open(&sealed.key, "nina");
    let opened = ended.json(ended.code.unwrap());
    let entries = here.entries();
    assert_eq!((&opened["facts"]["specific"], &opened["baseline_fixed_before"]), (&json!(FACTS), &json!(true)));
    let known = &opened["compared"]["specific.known"];
    assert!(known["difference_interval"]["low"].is_number() && known["smallest_detectable"].is_number(), "{known}");
    assert!(opened["limits"][0].as_str().unwrap().contains("never measured"), "{}", opened["limits"]);
    let outcome = opened["outcome"].as_str().unwrap();
    assert!(["pass", "inconclusive", "fail"].contains(&outcome), "{outcome}");
    assert_eq!(ended.code == Some(1), outcome == "fail");
    let again = open(&sealed.key, "rita");
    assert_eq!(again.json(ended.code.unwrap()), opened, "opened once");
    assert_eq!(here.entries(), entries);
    everything_is_reported(&here, &reference, &opened);

    // Whoever sealed it shows that this was deposited, and finds each probe among the scores.
    let (bytes, key) = (fs::read(&sealed.file).unwrap(), fs::read(&sealed.key).unwrap());
    let unsealed = sealed_probes::open(&bytes, &ProbeKey::from_bytes(&key).unwrap()).unwrap();
    assert_eq!(&unsealed.probes[..], own.as_bytes());
    let commitment = Digest::sha256([&sealed_probes::MAGIC[..], &unsealed.nonce, own.as_bytes()].concat());
    assert_eq!((&opened["commitment"], &opened["sha256"]), (&json!(commitment), &json!(Digest::sha256(&bytes))));
    let results =
        here.data().join("certificates").join(format!("{}.results.json", opened["challenge"].as_str().unwrap()));
    let results = read_json(results.to_str().unwrap());
    let salted = |parts: [&str; 4]| {
        let mut bytes = unsealed.nonce.to_vec();
        parts.iter().for_each(|part| {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        });
        Digest::sha256(bytes)
    };
    let third = salted(["probe", &source, "The harbourmaster of zirconquay number 2 is", "Quillfeather 2"]);
    assert_eq!(results["scores"]["facts"]["zeroed"][2]["item"], json!(third));
    a_renewed_certificate_names_it(&here, &reference, &opened);
    assert_eq!(leaks(&here.data()), Vec::<PathBuf>::new());
}

/// The certificate of the case was signed before anything was opened; the next one cites what was.
fn a_renewed_certificate_names_it(here: &Installation, reference: &str, opened: &Value) {
    let out = here.path("export");
    here.run(&["model", "export", MODEL, "--format", "hf", "--backbone-only", "--out", out.to_str().unwrap()]).json(0);
    let done = here.run(&["audit", "schedule", "run", "--once"]).json(0);
    assert_eq!(done["jobs"][0]["result"], "renewed");
    let certificates = here.run(&["certificate", "list"]).json(0);
    let id = certificates.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let shown = here.run(&["certificate", "show", &id]).json(0);
    assert_eq!(shown["claims"]["challenges"]["count"], 1, "{}", shown["claims"]);
    assert_eq!(shown["challenges"][0]["outcome"], opened["outcome"]);
    let zip = here.path("renewed.zip");
    here.run(&["audit", "bundle", reference, "--out", zip.to_str().unwrap()]).json(0);
    for file in [Path::new(shown["path"].as_str().unwrap()), &zip] {
        here.run(&["verify", file.to_str().unwrap(), "--trust", &here.trust()]).json(0);
    }
}

fn read_json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Where a challenge that was opened must be found, and what outsiders check of it.
fn everything_is_reported(here: &Installation, reference: &str, opened: &Value) {
    let id = opened["challenge"].as_str().unwrap();
    let (_, certificate) = here.case();
    let shown = [here.run(&["request", "show", reference]), here.run(&["certificate", "show", &certificate])];
    for shown in shown {
        assert_eq!(shown.json(0)["challenges"][0]["outcome"], opened["outcome"]);
    }
    let trail = here.run(&["request", "show", reference]).json(0)["trail"].clone();
    let acts: Vec<&str> = trail.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert!(acts.contains(&"deposit_challenge") && acts.contains(&"open_challenge"), "{acts:?}");

    let (trust, folder) = (here.trust(), here.path("download"));
    let verify = |file: &Path| here.run(&["verify", file.to_str().unwrap(), "--trust", &trust]);
    here.run(&["certificate", "download", &certificate, "--out", folder.to_str().unwrap()]).json(0);
    verify(&folder.join(format!("{id}.deposit.json"))).json(0);
    let report = verify(&folder.join(format!("{id}.result.json"))).json(0);
    assert!(report.to_string().contains("what was opened is what was deposited"), "{report}");
    verify(&folder.join(format!("{certificate}.json"))).json(0);

    let [zip, again] = ["case.zip", "again.zip"].map(|name| here.path(name));
    for out in [&zip, &again] {
        here.run(&["audit", "bundle", reference, "--out", out.to_str().unwrap()]).json(0);
    }
    assert!(fs::read(&zip).unwrap() == fs::read(&again).unwrap(), "one case has one bundle");
    let report = verify(&zip).json(0);
    let checks = report["checks"].as_array().unwrap();
    let before = checks.iter().find(|check| check["name"].as_str().unwrap().ends_with("before the erasure")).unwrap();
    assert!(before["detail"].as_str().unwrap().contains("and the erasure is entry"), "{before}");
    let bytes = fs::read(&zip).unwrap();
    for secret in SECRETS {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn what_cannot_be_asked_is_not_sealed_and_who_deposits_does_not_strike() {
    let (here, reference) = approved();
    let own = probes(&here.panel()[0]);
    let out = here.path("bad.sealed");
    let seal_as = |contents: &str| {
        let file = here.file("bad.jsonl", contents);
        here.run(&["challenge", "seal", &file, "--out", out.to_str().unwrap()])
    };
    assert!(seal_as(&own.replacen("\"specific\"", "\"secret\"", 1)).refused(2).contains("bad.jsonl:1: "));
    assert!(seal_as("").refused(2).contains("no probe"));
    assert!(!out.exists() && !here.path("bad.sealed.key").exists());
    seal_as(&own).json(0);
    assert!(seal_as(&own).refused(2).contains("there already"));

    let deposit = |file: &str, person| here.run(&["challenge", "deposit", &reference, file, "--as", person]);
    here.run(&["person", "add", "otto", "--role", "executor"]).json(0);
    let (sealed, other) = (out.to_str().unwrap(), seal(&here, "other", &probes(&here.survivor())));
    let roles = "auditor or legal_approver or legal_reviewer or requester";
    assert!(deposit(sealed, "otto").refused(3).contains(roles));
    assert!(here.run(&["challenge", "open", &reference, &other.key, "--as", "otto"]).refused(3).contains(roles));
    assert!(deposit(&here.file("plain", &own), "rita").refused(2).contains("no file of sealed probes"));
    assert_eq!(list(&here, &reference), Vec::<Value>::new());
    deposit(sealed, "emil").json(0);
    let refused = here.run(&["takedown", "execute", &reference, "--as", "emil"]);
    assert!(refused.refused(3).contains("deposit_challenge"), "{}", refused.stderr);
    // Questions about something that is not struck are refused when they are opened, and stay sealed.
    deposit(&other.file, "rita").json(0);
    here.run(&["takedown", "execute", &reference, "--as", "otto"]).json(0);
    let refused = here.run(&["challenge", "open", &reference, &other.key, "--as", "rita"]);
    let said = refused.refused(3);
    assert!(said.contains("does not strike") && SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
    assert_eq!(list(&here, &reference)[1]["state"], "sealed");
    // A deposit that was damaged where it lies is no deposit.
    here.run(&["challenge", "open", &reference, &format!("{sealed}.key"), "--as", "rita"]);
    assert_eq!(list(&here, &reference)[0]["state"], "opened", "before it is judged, too");
}

#[test]
fn a_challenge_that_is_killed_at_any_step_is_deposited_and_opened_once() {
    let (here, reference) = approved();
    let sealed = seal(&here, "own", &probes(&here.panel()[0]));
    let deposit = ["challenge", "deposit", &reference, &sealed.file, "--as", "rita"];
    for point in ["log-leaf-insert", "log-leaf-inserted", "log-committed", CHALLENGE_POINTS[0]] {
        let cut_off = Installation::empty();
        copy(&here.data(), &cut_off.data());
        let before = cut_off.entries();
        cut_off.dies_at(point, &deposit);
        cut_off.run(&deposit).json(0);
        assert_eq!((list(&cut_off, &reference).len(), cut_off.entries()), (1, before + 1), "{point}");
        assert_eq!(cut_off.run(&["log", "check"]).json(0)["ok"], true, "{point}");
    }
    here.run(&deposit).json(0);
    execute(&here, &reference);
    let open = ["challenge", "open", &reference, &sealed.key, "--as", "nina"];
    for point in
        ["log-leaf-insert", "log-leaf-inserted", CHALLENGE_POINTS[1], "file-not-yet-named", CHALLENGE_POINTS[2]]
    {
        let cut_off = Installation::empty();
        copy(&here.data(), &cut_off.data());
        let before = cut_off.entries();
        cut_off.dies_at(point, &open);
        let ended = cut_off.run(&open);
        let opened = ended.json(ended.code.unwrap());
        assert_eq!(cut_off.entries(), before + 1, "{point}");
        assert_eq!(list(&cut_off, &reference)[0]["outcome"], opened["outcome"], "{point}");
        for file in opened["files"].as_array().unwrap() {
            assert!(Path::new(file.as_str().unwrap()).is_file(), "{point}: {file}");
        }
        assert_eq!(leaks(&cut_off.data()), Vec::<PathBuf>::new(), "{point}");
        let zip = cut_off.path("case.zip");
        cut_off.run(&["audit", "bundle", &reference, "--out", zip.to_str().unwrap()]).json(0);
        cut_off.run(&["verify", zip.to_str().unwrap(), "--trust", &cut_off.trust()]).json(0);
    }
}
