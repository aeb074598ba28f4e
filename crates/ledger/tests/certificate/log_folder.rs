//! The public folder of a log, damaged in every way that keeps its checkpoint's signature from being made anew: flipped,
//! cut, missing and exchanged files, and entries in another order.

use std::{collections::BTreeMap, io};

use obelus_core::Digest;
use obelus_ledger::{
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::{PrivateKey, Role, Signer as _},
    log_entry, merkle,
    tile::{self, TileId, TileKind},
    tile_edge::TileEdge,
    verify,
};

use crate::{
    fixture::{ORIGIN, private_key, trusted_root},
    flips::{check_all, flipped},
};

/// Path below the folder, and bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What a log of these entries publishes.
pub fn files(entries: &[Vec<u8>], key: &PrivateKey) -> Files {
    let leaves: Vec<Digest> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
    let mut edge = TileEdge::default();
    let growth = edge.grow(leaves);
    let size = entries.len() as u64;
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: edge.root() };
    let mut files = Files::from([("checkpoint".to_owned(), checkpoint.sign(key).unwrap().into_bytes())]);
    files.extend(growth.tiles().map(|(id, hashes)| (id.to_string(), tile::hash_bytes(hashes))));
    for number in 0..size.div_ceil(tile::WIDTH) {
        let id = TileId::at(TileKind::Entries, number, size).unwrap();
        let first = (number * tile::WIDTH) as usize;
        let some = entries[first..].iter().take(tile::WIDTH as usize).map(Vec::as_slice);
        files.insert(id.to_string(), tile::entry_bytes(some).unwrap());
    }
    files
}

/// Entries as a log has them.
fn entries(count: usize) -> Vec<Vec<u8>> {
    let key = private_key(Role::Issuer);
    let envelope = |i: usize| Envelope::sign(format!("{{\"number\":{i}}}").as_bytes(), &key).unwrap();
    (0..count).map(|i| log_entry::body(&envelope(i), &key.public_key()).unwrap()).collect()
}

/// Whether a monitor that follows the folder from zero finds nothing wrong.
fn accepted(files: &Files) -> bool {
    let mut read = |path: &str| files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
    verify::follow(&mut read, None, &trusted_root()).ok
}

fn with(files: &Files, path: &str, bytes: Vec<u8>) -> Files {
    let mut changed = files.clone();
    changed.insert(path.to_owned(), bytes);
    changed
}

#[test]
fn every_flipped_byte_and_truncation_of_every_file_of_a_log_is_noticed() {
    let whole = files(&entries(5), &private_key(Role::Log));
    assert!(accepted(&whole));
    assert_eq!(whole.keys().collect::<Vec<_>>(), ["checkpoint", "tile/0/000.p/5", "tile/entries/000.p/5"]);
    for (path, bytes) in &whole {
        check_all(bytes.len(), |at| {
            let flips = [0x01, 0x20, 0x80].map(|bits| flipped(bytes, at, bits));
            let cut = bytes[..at].to_vec();
            match flips.into_iter().chain([cut]).position(|bad| accepted(&with(&whole, path, bad))) {
                Some(case) => Err(format!("{path}, byte {at}, case {case}")),
                None => Ok(()),
            }
        });
        let longer = [bytes.as_slice(), b"\n"].concat();
        assert!(!accepted(&with(&whole, path, longer)), "{path} with a byte more");
    }
}

#[test]
fn every_damaged_missing_or_exchanged_tile_of_a_log_of_two_levels_is_noticed() {
    let whole = files(&entries(600), &private_key(Role::Log));
    assert!(accepted(&whole));
    assert_eq!(whole.len(), 1 + 3 + 1 + 3);
    for (path, bytes) in &whole {
        let mut missing = whole.clone();
        missing.remove(path);
        assert!(!accepted(&missing), "without {path}");
        // Every hash of every tile, in one of its bytes; of the entries, some.
        let step = if path.contains("entries") { 6007 } else { 31 };
        check_all(bytes.len() / step, |i| {
            let bad = with(&whole, path, flipped(bytes, i * step, 1));
            if accepted(&bad) { Err(format!("{path}, byte {}", i * step)) } else { Ok(()) }
        });
        for (other, others) in whole.iter().filter(|(other, _)| *other != path) {
            let exchanged = with(&with(&whole, path, others.clone()), other, bytes.clone());
            assert!(!accepted(&exchanged), "{path} and {other} exchanged");
        }
    }
}

#[test]
fn entries_in_another_order_or_of_another_log_are_noticed() {
    let (log, stranger) = (private_key(Role::Log), PrivateKey::from_seed(&[77; 32]));
    let entries = entries(300);
    let whole = files(&entries, &log);
    let checkpoint = &whole["checkpoint"];
    for (a, b) in [(0, 1), (0, 299), (255, 256), (298, 299)] {
        let mut swapped = entries.clone();
        swapped.swap(a, b);
        // Every tile as it would be for that order; the signed checkpoint stays.
        assert!(!accepted(&with(&files(&swapped, &log), "checkpoint", checkpoint.clone())), "{a} and {b}");
    }
    assert!(!accepted(&with(&files(&entries[..299], &log), "checkpoint", checkpoint.clone())), "one entry less");
    assert!(
        !accepted(&with(&whole, "checkpoint", files(&entries[..299], &log)["checkpoint"].clone())),
        "an older note"
    );
    assert!(!accepted(&files(&entries, &stranger)), "signed by a stranger");
}
