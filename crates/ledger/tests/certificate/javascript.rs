//! The independent check in JavaScript, in node: it accepts and refuses what this crate accepts and refuses. Not here: the
//! same text in a browser (`browser.rs`), and what is in the files (`spoiled.rs`).

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

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
fn check_agreement(name: &str, cases: &[Case]) {
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
