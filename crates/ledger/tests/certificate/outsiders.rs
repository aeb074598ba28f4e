//! The independent check in Python: what it accepts and refuses must be what this crate accepts and refuses. Not here:
//! signatures, which it leaves out and says so.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use obelus_core::Digest;
use obelus_ledger::{canonical, keys::Role, row_proof::RowProof};

use crate::fixture::{Draft, Fixture, GROWN, Setting, USUAL};

/// A folder with the fixture's files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, fixture: &Fixture) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("certificate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("certificate.json"), fixture.file()).unwrap();
        std::fs::write(folder.join("proof.json"), &fixture.proof).unwrap();
        std::fs::write(folder.join("trusted_root.json"), canonical::to_bytes(&fixture.trust).unwrap()).unwrap();
        Self(folder)
    }

    /// Exit status and output of the script on files of the folder.
    fn python(&self, files: &[&str]) -> (i32, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../verifiers/python/check_row_proof.py");
        let output = Command::new("python3").arg(script).args(files.iter().map(|file| self.0.join(file))).output();
        let output = output.expect("python3 cannot be run; install it: sudo apt-get install -y python3");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody and must not hide the failure of a test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn check(name: &str, fixture: &Fixture, files: &[&str], status: i32, says: &str) {
    let (found, said) = Folder::new(name, fixture).python(files);
    assert!(found == status && said.contains(says), "wanted {status} and {says:?}, found {found}: {said}");
}

const WITH_LOG: [&str; 3] = ["certificate.json", "proof.json", "trusted_root.json"];

#[test]
fn the_independent_check_accepts_what_this_crate_accepts() {
    let usual = Fixture::usual();
    check("two-files", &usual, &WITH_LOG[..2], 0, "left out: places in the log");
    check("three-files", &usual, &WITH_LOG, 0, "among the 12 leaves");
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
