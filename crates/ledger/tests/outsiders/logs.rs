//! Logs in the hands of Go's golang.org/x/mod: the checkpoint, every tile and entry, proofs of inclusion and growth. Not
//! here: bundles (`bundles.rs`).

use std::{collections::BTreeSet, path::PathBuf};

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    certificate::Exhibit,
    checkpoint::{Checkpoint, vkey},
    keys::{PrivateKey, PublicKey, Role, Signer as _},
    merkle,
    tile::{TileId, TileKind, WIDTH, entry_bytes, hash_bytes},
    tile_edge::TileEdge,
    tlog_proof::TlogProof,
};
use obelus_testkit::outsiders::{Folder, check, flipped, go};
use serde_json::json;

use crate::fixture::{Fixture, ORIGIN, private_key};

fn log_key() -> PublicKey {
    private_key(Role::Log).public_key()
}

fn check_logs(folder: &Folder, key: &str, expected: &[(String, bool)]) {
    let Some(mut command) = go("check_log.go", folder) else { return };
    command.arg(folder.write("log.vkey", format!("{key}\n")));
    check(command, folder, expected);
}

fn entries(size: usize) -> Vec<Vec<u8>> {
    (0..size).map(|i| format!("entry {i} {}", "x".repeat(i % 5)).into_bytes()).collect()
}

fn leaves(entries: &[Vec<u8>]) -> Vec<Digest> {
    entries.iter().map(|entry| merkle::leaf_hash(entry)).collect()
}

fn note(leaves: &[Digest]) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: leaves.len() as u64, root: merkle::root(leaves) };
    checkpoint.sign(&private_key(Role::Log)).unwrap()
}

/// Writes a log that grew in these steps as C2SP tlog-tiles asks for it; gives the files that its last size needs, the
/// checkpoint aside. Those of smaller sizes lie there too, as they do in a log that is being served.
fn write_log(folder: &Folder, name: &str, entries: &[Vec<u8>], steps: &[usize]) -> Vec<String> {
    assert_eq!(steps.iter().sum::<usize>(), entries.len());
    let mut edge = TileEdge::default();
    let mut needed = BTreeSet::new();
    let mut write = |tile: TileId, bytes: Vec<u8>| {
        folder.write(&format!("{name}/{tile}"), bytes);
        if TileId::at(tile.kind, tile.index, entries.len() as u64) == Some(tile) {
            needed.insert(tile.to_string());
        }
    };
    for step in steps {
        let before = edge.size();
        let new = &entries[before as usize..][..*step];
        for (tile, hashes) in edge.grow(leaves(new)).tiles() {
            write(tile, hash_bytes(hashes));
        }
        for index in before / WIDTH..edge.size().div_ceil(WIDTH) {
            let tile = TileId::at(TileKind::Entries, index, edge.size()).unwrap();
            let held = &entries[(index * WIDTH) as usize..][..tile.width as usize];
            write(tile, entry_bytes(held.iter().map(Vec::as_slice)).unwrap());
        }
    }
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() };
    folder.write(&format!("{name}/checkpoint"), checkpoint.sign(&private_key(Role::Log)).unwrap());
    needed.into_iter().collect()
}

fn flip_file(path: PathBuf, at: usize) {
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, flipped(&bytes, at % bytes.len())).unwrap();
}

#[test]
fn go_reads_every_tile_and_entry_of_logs_of_every_shape() {
    let folder = Folder::new("logs");
    let mut expected = Vec::new();
    for (number, steps) in [
        &[][..],
        &[1],
        &[1, 1],
        &[5, 7],
        &[255],
        &[256],
        &[255, 2],
        &[100, 156, 1, 300],
        &[512],
        &[65_536],
        &[300, 65_235, 1, 257],
    ]
    .into_iter()
    .enumerate()
    {
        write_log(&folder, &format!("log-{number}"), &entries(steps.iter().sum()), steps);
        expected.push((format!("log-{number}"), true));
    }
    check_logs(&folder, &vkey(ORIGIN, &log_key()), &expected);
    let stranger = PrivateKey::from_seed(&[99; 32]).public_key();
    expected.iter_mut().for_each(|(_, accepted)| *accepted = false);
    check_logs(&folder, &vkey(ORIGIN, &stranger), &expected);
    check_logs(&folder, &vkey("log.example/other", &log_key()), &expected);
}

#[test]
fn go_refuses_a_log_with_a_changed_or_missing_file() {
    let folder = Folder::new("tampered-logs");
    let all = entries(600);
    let files = write_log(&folder, "good", &all, &[10, 500, 90]);
    let mut expected = vec![("good".to_owned(), true)];
    let mut number = 0;
    let mut spoilt = |spoil: &dyn Fn(PathBuf)| {
        number += 1;
        let name = format!("bad-{number}");
        write_log(&folder, &name, &all, &[10, 500, 90]);
        spoil(folder.path(&name));
        expected.push((name, false));
    };
    for file in files.iter().map(String::as_str).chain(["checkpoint"]) {
        for at in [0, 1, 37, 101, 4_095] {
            spoilt(&|log| flip_file(log.join(file), at));
        }
        spoilt(&|log| std::fs::remove_file(log.join(file)).unwrap());
        spoilt(&|log| {
            let bytes = std::fs::read(log.join(file)).unwrap();
            std::fs::write(log.join(file), [&bytes[..], b"x"].concat()).unwrap();
        });
    }
    assert_eq!(files.len(), 7, "three tiles of entries, four of hashes: {files:?}");
    // The checkpoint of another log of the same size, by the same key.
    let mut other = all.clone();
    other[300] = b"something else".to_vec();
    spoilt(&|log| std::fs::write(log.join("checkpoint"), note(&leaves(&other))).unwrap());
    check_logs(&folder, &vkey(ORIGIN, &log_key()), &expected);
}

#[test]
fn go_verifies_log_proofs_and_refuses_tampered_ones() {
    let fixture = Fixture::usual();
    let folder = Folder::new("log-proofs");
    let mut expected = Vec::new();
    let mut add = |name: String, proof: &str, accepted| {
        folder.write(&name, proof);
        expected.push((name, accepted));
    };
    for logged in &fixture.document.exhibits {
        let proof = TlogProof {
            body: fixture.bundle(logged.exhibit).body().unwrap(),
            index: logged.index,
            path: logged.path.clone(),
            checkpoint: fixture.document.checkpoint.clone(),
        };
        add(format!("{:?}.tlog-proof", logged.exhibit), &proof.to_text(), true);
        if logged.exhibit != Exhibit::Certificate {
            continue;
        }
        for at in (0..proof.body.len()).step_by(41) {
            let bad = TlogProof { body: flipped(&proof.body, at), ..proof.clone() };
            add(format!("body-{at}.tlog-proof"), &bad.to_text(), false);
        }
        for at in 0..proof.path.len() {
            let mut bad = proof.clone();
            bad.path[at] = Digest::sha256("another");
            add(format!("hash-{at}.tlog-proof"), &bad.to_text(), false);
            bad.path.remove(at);
            add(format!("fewer-{at}.tlog-proof"), &bad.to_text(), false);
        }
        let mut longer = proof.clone();
        longer.path.push(Digest::sha256("more"));
        add("longer.tlog-proof".to_owned(), &longer.to_text(), false);
        let moved = TlogProof { index: proof.index ^ 1, ..proof.clone() };
        add("moved.tlog-proof".to_owned(), &moved.to_text(), false);
        for at in 0..proof.checkpoint.len() {
            let note = flipped(proof.checkpoint.as_bytes(), at);
            let Ok(checkpoint) = String::from_utf8(note) else { continue };
            let bad = TlogProof { checkpoint, ..proof.clone() };
            add(format!("note-{at}.tlog-proof"), &bad.to_text(), false);
        }
    }
    check_logs(&folder, &vkey(ORIGIN, &log_key()), &expected);
}

#[test]
fn go_verifies_that_a_log_only_grew() {
    let folder = Folder::new("growth");
    let all = leaves(&entries(70));
    let mut expected = Vec::new();
    let mut add = |name: String, earlier: &str, consistency: &[Digest], accepted| {
        let file = json!({"checkpoint": note(&all), "consistency": consistency, "earlier": earlier});
        folder.write(&name, canonical::to_bytes(&file).unwrap());
        expected.push((name, accepted));
    };
    for old in [1, 2, 31, 32, 33, 64, 69, 70] {
        let path = merkle::consistency_proof(&all, old).unwrap();
        add(format!("{old}.json"), &note(&all[..old]), &path, true);
        let mut rewritten = all[..old].to_vec();
        rewritten[old / 2] = Digest::sha256("rewritten");
        add(format!("rewritten-{old}.json"), &note(&rewritten), &path, false);
        for at in 0..path.len() {
            let mut bad = path.clone();
            bad[at] = Digest::sha256("another");
            add(format!("hash-{old}-{at}.json"), &note(&all[..old]), &bad, false);
        }
    }
    check_logs(&folder, &vkey(ORIGIN, &log_key()), &expected);
}
