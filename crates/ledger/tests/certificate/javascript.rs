//! The independent check in JavaScript, in node: it accepts and refuses what this crate accepts and refuses. Not here: the
//! same text in a browser (`browser.rs`), and what is in the files (`spoiled.rs`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::spoiled::{BUNDLE, Case, EVIDENCE, TRUST, damaged, forged, good};

/// A folder with a folder for each case, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str, cases: &[Case]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        for (i, case) in cases.iter().enumerate() {
            std::fs::create_dir_all(folder.join(i.to_string())).unwrap();
            for (file, bytes) in &case.files {
                std::fs::write(folder.join(i.to_string()).join(file), bytes).unwrap();
            }
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody and must not hide the failure of a test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Exit status and output of node.
fn node(script: &Path, args: &[&Path]) -> (i32, String) {
    let output = Command::new("node").arg(script).args(args).output();
    let output = output.expect("node cannot be run; install it: sudo apt-get install -y nodejs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

/// Whether the check in JavaScript judges every case as this crate does.
pub fn check_agreement(name: &str, cases: &[Case]) {
    let folder = Folder::new(name, cases);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificate/javascript/outcomes.mjs");
    let (status, said) = node(&here, &[&root().join("verifiers/javascript/obelus.mjs"), &folder.0]);
    assert_eq!(status, 0, "{said}");
    let found: BTreeMap<usize, (&str, &str)> = said
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\t');
            Some((parts.next()?.parse().ok()?, (parts.next()?, parts.next()?)))
        })
        .collect();
    assert_eq!(found.len(), cases.len(), "{said}");
    let wrong = cases.iter().zip(found.values()).filter(|(case, found)| (found.0 == "verified") != case.accepted);
    let wrong: Vec<_> =
        wrong.map(|(case, found)| format!("{} (accepted: {}): {found:?}", case.name, case.accepted)).collect();
    assert!(wrong.is_empty(), "{} of {} judged otherwise:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_good_is_accepted_in_javascript_too() {
    let cases = good();
    assert!(cases.iter().all(|case| case.accepted));
    check_agreement("javascript-good", &cases);
}

#[test]
fn what_is_damaged_is_refused_in_javascript_too() {
    let cases = damaged(60);
    assert!(cases.iter().all(|case| !case.accepted));
    check_agreement("javascript-damaged", &cases);
}

#[test]
fn what_is_forged_is_refused_in_javascript_too() {
    let cases = forged();
    assert!(cases.iter().any(|case| !case.accepted));
    check_agreement("javascript-forged", &cases);
}

/// The trusted root as somebody keeps it whose keys came and went: what it does to the usual certificate.
#[test]
fn keys_count_for_their_part_of_the_log_only() {
    let issuer_gone = json!({ "at": "2026-09-21T15:00:00.000000Z", "entry": 11, "reason": "stolen" });
    let windows = [
        ("issuer", json!({ "firstEntry": 6, "endEntry": 11 }), true),
        ("issuer", json!({ "endEntry": 10 }), false),
        ("issuer", json!({ "firstEntry": 7 }), false),
        ("issuer", json!({ "endEntry": 11, "revoked": issuer_gone }), true),
        ("issuer", json!({ "endEntry": 10, "revoked": issuer_gone }), false),
        ("issuer", json!({ "revoked": issuer_gone }), false),
        // A key that came by rotation finishes what was begun before it came, but not where it was there from the start.
        ("issuer", json!({ "firstEntry": 6, "validFrom": "2027-01-01T00:00:00.000000Z" }), true),
        ("issuer", json!({ "validFrom": "2027-01-01T00:00:00.000000Z" }), false),
        ("registrar", json!({ "firstEntry": 1, "endEntry": 4 }), true),
        ("registrar", json!({ "endEntry": 3 }), false),
        ("model", json!({ "firstEntry": 5 }), false),
        ("log", json!({ "firstEntry": 11, "endEntry": 12 }), true),
        ("log", json!({ "firstEntry": 12 }), false),
        ("log", json!({ "endEntry": 11 }), false),
        ("log", json!({ "firstEntry": 12, "endEntry": 11 }), false),
    ];
    let whole = good().pop().unwrap();
    let cases = windows.map(|(role, changes, accepted)| {
        let mut trust: Value = serde_json::from_slice(whole.file(TRUST)).unwrap();
        let key = trust["keys"].as_array_mut().unwrap().iter_mut().find(|key| key["role"] == role).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        let mut case = Case { name: format!("{role} {changes}"), accepted, ..whole.clone() };
        case.files.iter_mut().find(|(name, _)| *name == TRUST).unwrap().1 = trust.to_string().into_bytes();
        case
    });
    check_agreement("javascript-windows", &cases);
}

#[test]
fn the_command_line_says_what_holds_what_does_not_and_what_was_left_out() {
    let check = root().join("verifiers/javascript/check.mjs");
    let vectors = root().join("crates/mask/tests/vectors/null-v1.json");
    let (status, said) = node(&check, &[Path::new("--vectors"), &vectors]);
    assert!(status == 0 && said.contains("4 seeds and 6 masks"), "{said}");
    let cases = good();
    let whole = cases.last().unwrap();
    let mut bad = whole.clone();
    bad.files[1].1[2000] ^= 1;
    let folder = Folder::new("javascript-command", &[whole.clone(), bad]);
    let file = |case: &str, name: &str| folder.0.join(case).join(name);
    let trust = file("0", TRUST);
    let ran = |files: &[&Path], wanted: i32, says: &str| {
        let (status, said) = node(&check, files);
        assert!(status == wanted && said.contains(says), "wanted {wanted} and {says:?}, found {status}: {said}");
    };
    let (bundle, evidence) = (file("0", BUNDLE), file("0", EVIDENCE));
    ran(&[&bundle, &evidence, Path::new("--trust"), &folder.0.join("0")], 0, "left out: row proof");
    ran(&[&bundle, Path::new("--trust"), &trust], 0, "left out: evidence");
    ran(&[&bundle, &evidence], 1, "no signature was checked");
    ran(&[&bundle, &file("1", EVIDENCE), Path::new("--trust"), &trust], 1, "FAIL");
    ran(&[Path::new("missing.json")], 2, "cannot read");
    ran(&[&vectors], 2, "no file of a known kind");
}
