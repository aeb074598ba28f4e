//! The independent checks in Python: what they accept and refuse must be what this crate accepts and refuses. Not here:
//! presence and absence of sources (`listings.rs`), and the check in JavaScript (`javascript.rs`).

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    checkpoint::vkey,
    keys::{PrivateKey, Role, Signer as _},
    row_proof::RowProof,
};

use crate::{
    fixture::{Draft, Fixture, GROWN, ORIGIN, Setting, USUAL, private_key},
    flips::flipped,
    javascript::root,
    log_folder,
    spoiled::{self, BUNDLE, LOG_PROOF},
};

/// A folder with the fixture's files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, fixture: &Fixture) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("certificate.json"), fixture.file()).unwrap();
        std::fs::write(folder.join("proof.json"), &fixture.proof).unwrap();
        std::fs::write(folder.join("bundle.json"), spoiled::whole("", fixture).file(BUNDLE)).unwrap();
        std::fs::write(folder.join("trusted_root.json"), canonical::to_bytes(&fixture.trust).unwrap()).unwrap();
        Self(folder)
    }

    /// Exit status and output of a script on files of the folder.
    fn python(&self, script: &str, files: &[&str]) -> (i32, String) {
        let script = root().join("verifiers/python").join(script);
        let paths = files.iter().map(|file| self.0.join(file));
        // Nothing is left behind in the checkout.
        let output = Command::new("python3").arg("-B").arg(script).args(paths).output();
        let output = output.expect("python3 cannot be run; install it: sudo apt-get install -y python3");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
    }

    fn of(name: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}-{}", std::process::id()));
        for (file, bytes) in files {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), bytes).unwrap();
        }
        Self(folder)
    }
}

/// Exit status and output of a script on these files, in this order.
pub fn python(name: &str, script: &str, files: &[(&str, &[u8])]) -> (i32, String) {
    let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
    Folder::of(name, files).python(script, &names)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody and must not hide the failure of a test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(name: &str, fixture: &Fixture, files: &[&str], status: i32, says: &str) {
    let (found, said) = Folder::new(name, fixture).python("check_row_proof.py", files);
    assert!(found == status && said.contains(says), "wanted {status} and {says:?}, found {found}: {said}");
}

const WITH_LOG: [&str; 3] = ["certificate.json", "proof.json", "trusted_root.json"];

#[test]
fn the_independent_check_accepts_what_this_crate_accepts() {
    let usual = Fixture::usual();
    check("two-files", &usual, &WITH_LOG[..2], 0, "left out: places in the log");
    check("three-files", &usual, &WITH_LOG, 0, "among the 12 leaves");
    check(
        "four-files",
        &usual,
        &["certificate.json", "proof.json", "bundle.json", "trusted_root.json"],
        0,
        "ok   bundle",
    );
    check("no-file", &usual, &["certificate.json", "missing.json"], 2, "cannot read");
    let one_source = Fixture::new(Setting { struck: &[4], weights: 90, ..USUAL }, &mut |_| ());
    check("one-source", &one_source, &WITH_LOG, 0, "Everything agrees");
    let mut same_masks = |draft: Draft<'_>| {
        if let Draft::Campaign(_, said) = draft {
            said.same_mask_in_all_layers = true;
        }
    };
    check("same-masks", &Fixture::new(USUAL, &mut same_masks), &WITH_LOG, 1, "other neurons");
}

#[test]
fn the_independent_check_refuses_a_tampered_row_proof() {
    let mut fixture = Fixture::usual();
    for at in (0..fixture.proof.len()).step_by(fixture.proof.len() / 4) {
        let mut tampered = Fixture::usual();
        tampered.proof[at] ^= 1;
        check(&format!("flip-{at}"), &tampered, &WITH_LOG[..2], 1, "not the file that the erasure cites");
    }
    // The operator cites the tampered proof: the roots give it away.
    let mut proof = RowProof::from_bytes(&fixture.proof).unwrap();
    proof.siblings[0] = Digest::sha256("another weight");
    let bytes = proof.to_gzip().unwrap();
    let cited = Digest::sha256(&bytes);
    let mut cite = |draft: Draft<'_>| match draft {
        Draft::Erasure(_, said) => said.row_proof = cited,
        Draft::Certificate(_, said) => said.row_proof = cited,
        _ => (),
    };
    fixture = Fixture::new(USUAL, &mut cite);
    fixture.proof = bytes;
    check("other-weight", &fixture, &WITH_LOG[..2], 1, "rebuilt root is not the stated one");
    let truncated = Fixture { proof: fixture.proof[..20].to_vec(), ..Fixture::usual() };
    check("truncated", &truncated, &WITH_LOG[..2], 1, "FAIL");
}

#[test]
fn the_independent_check_refuses_a_tampered_certificate() {
    let mut swapped = Fixture::usual();
    swapped.document.exhibits.swap(3, 4);
    check("swapped", &swapped, &WITH_LOG[..2], 1, "one of each");
    let mut moved = Fixture::usual();
    moved.document.exhibits[6].index += 1;
    check("moved", &moved, &WITH_LOG, 1, "certificate: not in the log");
    let mut fewer = Fixture::usual();
    fewer.document.sources.pop();
    check("fewer", &fewer, &WITH_LOG, 1, "other sources");
    let mut stranger = Fixture::usual();
    stranger.trust.keys.clear();
    check("stranger", &stranger, &WITH_LOG, 1, "not trusted");
    let mut retired = Fixture::usual();
    retired.trust.keys.iter_mut().filter(|key| key.role == Role::Issuer).for_each(|key| key.end_entry = Some(10));
    check("retired", &retired, &WITH_LOG, 1, "certificate: its key was not in use");
}

#[test]
fn the_independent_check_follows_the_pool_through_its_extensions() {
    let grown = || Fixture::new(GROWN, &mut |_| ());
    check("grown", &grown(), &WITH_LOG, 0, "all 9 statements");
    let everywhere = Fixture::new(Setting { struck: &[0, 1, 4], ..GROWN }, &mut |_| ());
    check("everywhere", &everywhere, &WITH_LOG, 0, "Everything agrees");
    let spoiled = |spoil: fn(Draft<'_>)| Fixture::new(GROWN, &mut { spoil });
    let refused = [
        spoiled(|draft| {
            if let Draft::Extension(1, _, said) = draft {
                said.previous = None;
            }
        }),
        spoiled(|draft| {
            if let Draft::Extension(0, _, said) = draft {
                said.base = 9;
            }
        }),
        spoiled(|draft| {
            if let Draft::Manifest(_, said) = draft {
                said.extension = None;
            }
        }),
        Fixture::new(Setting { extensions: &[2, 11], ..GROWN }, &mut |_| ()),
        Fixture::new(Setting { segments: [0, 4, 0, 2, 3], ..GROWN }, &mut |_| ()),
    ];
    let because = ["extension before it", "does not continue", "another pool", "in log order", "no segment"];
    for (i, (fixture, because)) in refused.iter().zip(because).enumerate() {
        check(&format!("pool-{i}"), fixture, &WITH_LOG, 1, because);
    }
    let mut cut = grown();
    cut.document.extensions.pop();
    check("cut", &cut, &WITH_LOG, 1, "another pool");
    // Strikes of a model that an adaptation made are counted from there.
    for (generation, status) in [(5, 0), (4, 1), (1, 1)] {
        let adapted = Fixture::new(GROWN, &mut |draft| match draft {
            Draft::Training(_, said) => said.adaptation = Some(crate::adaptations::adaptation(4)),
            Draft::Erasure(_, said) => said.generation = generation,
            _ => (),
        });
        check(&format!("generation-{generation}"), &adapted, &WITH_LOG, status, "");
    }
}

#[test]
fn the_vectors_of_masks_hold_in_python() {
    let vectors = std::fs::read(root().join("crates/mask/tests/vectors/null-v1.json")).unwrap();
    let ran = |bytes: &[u8]| python("vectors", "check_mask.py", &[("null-v1.json", bytes)]);
    assert_eq!(ran(&vectors), (0, "ok   4 seeds and 6 masks are those of the vectors\n".to_owned()));
    let other = String::from_utf8(vectors).unwrap().replacen("factbook/fr", "factbook/fs", 1);
    assert_eq!(ran(other.as_bytes()).0, 1);
}

fn log_vkey() -> String {
    format!("{}\n", vkey(ORIGIN, &private_key(Role::Log).public_key()))
}

#[test]
fn bundles_and_log_proofs_are_judged_in_python() {
    let case = spoiled::logged("", &Fixture::usual());
    let pem = |key: PrivateKey| key.public_key().to_pem().unwrap().into_bytes();
    let (issuer, stranger) = (pem(private_key(Role::Issuer)), pem(PrivateKey::from_seed(&[77; 32])));
    let other_log = vkey(ORIGIN, &PrivateKey::from_seed(&[77; 32]).public_key());
    let (bundle, proof, vkey) = (case.file(BUNDLE), case.file(LOG_PROOF), log_vkey());
    let ran = |files: &[(&str, &[u8])], wanted: i32, says: &str| {
        let (status, said) = python("log", "check_log.py", files);
        assert!(status == wanted && said.contains(says), "wanted {wanted} and {says:?}, found {status}: {said}");
    };
    let log = ("log.vkey", vkey.as_bytes());
    ran(&[("bundle", bundle), log], 0, "left out: who signed the statement");
    ran(&[("bundle", bundle), log, ("key.pem", &issuer)], 0, "ok   statement: the signature holds");
    ran(&[("bundle", bundle), log, ("key.pem", &stranger)], 1, "signed by another key");
    ran(&[("bundle", bundle), ("log.vkey", other_log.as_bytes())], 1, "by the key of this log");
    ran(&[("proof", proof), log], 0, "left out: whose leaf it is");
    ran(&[("proof", proof), log, ("bundle", bundle)], 0, "it is that of the bundle");
    let other = spoiled::logged("", &Fixture::new(Setting { struck: &[4], ..USUAL }, &mut |_| ()));
    ran(&[("proof", proof), log, ("bundle", other.file(BUNDLE))], 1, "another statement");
    for (file, bytes) in [("bundle", bundle), ("proof", proof)] {
        for at in (0..bytes.len()).step_by(bytes.len() / 5) {
            ran(&[(file, &flipped(bytes, at, 1)), log, ("key.pem", &issuer)], 1, "FAIL");
        }
    }
}

#[test]
fn a_copied_log_is_followed_in_python() {
    let entries: Vec<Vec<u8>> = (0..600).map(|i| format!("entry {i}").into_bytes()).collect();
    let files: Vec<_> = log_folder::files(&entries, &private_key(Role::Log)).into_iter().collect();
    let follow = |name: &str, files: &[(String, Vec<u8>)], wanted: i32, says: &str| {
        let vkey = log_vkey();
        let mut all = vec![("log.vkey".to_owned(), vkey.into_bytes())];
        all.extend(files.iter().map(|(path, bytes)| (format!("log/{path}"), bytes.clone())));
        let all: Vec<(&str, &[u8])> = all.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let (status, said) = Folder::of(name, &all).python("check_log.py", &["log", "log.vkey"]);
        assert!(status == wanted && said.contains(says), "{name}: wanted {wanted}, {says:?}; found {status}: {said}");
    };
    follow("log-whole", &files, 0, "the root over all 600 entries");
    assert_eq!(files.len(), 1 + 3 + 1 + 3);
    for i in 0..files.len() {
        let mut bad = files.clone();
        let middle = bad[i].1.len() / 2;
        bad[i].1[middle] ^= 1;
        follow(&format!("log-flip-{i}"), &bad, 1, "FAIL");
        let gone = files.iter().enumerate().filter(|(at, _)| *at != i).map(|(_, file)| file.clone());
        follow(&format!("log-gone-{i}"), &gone.collect::<Vec<_>>(), 2, "cannot read");
    }
}
