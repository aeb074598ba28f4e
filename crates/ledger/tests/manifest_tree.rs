//! Manifests of any size put in order in small runs and proved from the file: the same as all of it in memory.
//!
//! Not here: documents that outsiders check (`manifest_proofs.rs`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{
    cell::RefCell,
    io::{self, Cursor},
};

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    manifest::{
        self, Absence, Entry, Manifest, ManifestTree, Place, SortError, Sorter, SourceRecord, TreeError, TreeWriter,
        file_bytes, merged,
    },
};
use proptest::prelude::*;

const KEY: [u8; 32] = [7; 32];

fn record(n: u64) -> (Digest, Vec<u8>) {
    let source = format!("source {n}");
    let key = manifest::key(&KEY, &source);
    let record = SourceRecord {
        source,
        publisher: String::new(),
        license: "CC0-1.0".to_owned(),
        documents: n,
        content_digest: Digest::sha256(n.to_be_bytes()),
        seed: Digest::sha256(b"seed"),
        segment: 0,
        salt: format!("{n:032x}"),
    };
    (key, canonical::to_bytes(&record).unwrap())
}

fn records(n: u64) -> Vec<(Digest, Vec<u8>)> {
    (0..n).map(record).collect()
}

fn sorted(records: &[(Digest, Vec<u8>)], most: usize) -> impl Iterator<Item = Result<Entry, SortError>> {
    let mut sorter = Sorter::new(most, || Ok(Cursor::new(vec![])));
    records.iter().for_each(|(key, record)| sorter.push(Entry::new(*key, record)).unwrap());
    assert_eq!(sorter.count(), records.len() as u64);
    sorter.finish().unwrap()
}

/// The file of a tree, and its root.
fn written(
    count: u64,
    entries: impl Iterator<Item = Result<Entry, SortError>>,
) -> Result<(Vec<u8>, Digest), TreeError> {
    let file = RefCell::new(vec![0; file_bytes(count) as usize]);
    let mut tree = TreeWriter::new(count, |at, bytes: &[u8]| {
        file.borrow_mut()[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    });
    for entry in entries {
        tree.push(&entry.unwrap())?;
    }
    let root = tree.finish()?;
    Ok((file.into_inner(), root))
}

type Read<'f> = Box<dyn Fn(u64, &mut [u8]) -> io::Result<()> + 'f>;

fn opened(file: &[u8], count: u64, root: Digest) -> Result<ManifestTree<Read<'_>>, TreeError> {
    let read = move |at: u64, into: &mut [u8]| {
        let from = file.get(at as usize..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    };
    ManifestTree::open(Box::new(read), file.len() as u64, count, root)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_tree_in_a_file_is_the_manifest_in_memory(n in 0u64..200, most in 1usize..60, pick: prop::sample::Index) {
        let all = records(n);
        let whole = Manifest::new(all.clone());
        let (file, root) = written(n, sorted(&all, most)).unwrap();
        prop_assert_eq!(root, whole.root());
        let tree = opened(&file, n, root).unwrap();
        for (key, record) in &all {
            let expected = whole.presence(key, record).unwrap();
            prop_assert_eq!(tree.find(key).unwrap(), Place::At(expected.index));
            prop_assert_eq!(tree.presence(expected.index, record).unwrap().0, expected);
        }
        // A source that is not among them, by its neighbours.
        let stranger = format!("stranger {}", pick.index(1 << 20));
        let absent = manifest::key(&KEY, &stranger);
        let record_of = |wanted: &Digest| all.iter().find(|(key, _)| key == wanted).map(|(_, record)| record.clone());
        let Place::Before(next) = tree.find(&absent).unwrap() else { panic!("{stranger} was found") };
        let neighbour = |index: u64| {
            let record = record_of(&tree.key(index).unwrap()).unwrap();
            tree.presence(index, &record).unwrap().0
        };
        let absence = Absence {
            before: next.checked_sub(1).map(neighbour),
            after: (next < n).then(|| neighbour(next)),
        };
        prop_assert_eq!(Some(absence.clone()), whole.absence(&absent, record_of));
        prop_assert!(absence.verify(&KEY, &stranger, n, &root).unwrap());
    }

    #[test]
    fn lists_in_order_are_merged_to_one(n in 0u64..100, split in 0u64..100, most in 1usize..30) {
        let all = records(n);
        let (old, new) = all.split_at(split.min(n) as usize);
        let together = written(n, merged(sorted(old, most), sorted(new, most))).unwrap();
        prop_assert_eq!(together, written(n, sorted(&all, 1000)).unwrap());
    }

    #[test]
    fn a_source_that_is_listed_twice_is_refused(n in 1u64..100, most in 1usize..30, again: prop::sample::Index) {
        let all = records(n);
        let twice = record(again.index(n as usize) as u64);
        let more = [&all[..], std::slice::from_ref(&twice)].concat();
        let refused = |mut entries: Box<dyn Iterator<Item = Result<Entry, SortError>>>| {
            matches!(entries.find_map(Result::err), Some(SortError::Twice(key)) if key == twice.0)
        };
        prop_assert!(refused(Box::new(sorted(&more, most))));
        prop_assert!(refused(Box::new(merged(sorted(&all, most), sorted(std::slice::from_ref(&twice), most)))));
    }
}

/// Every bit of the file, for manifests with and without nodes that move up: what is opened and found in the changed file
/// is right, or it is refused.
#[test]
fn every_flipped_byte_of_the_file_is_noticed_or_harmless() {
    for n in [0, 1, 2, 5, 13] {
        let all = records(n);
        let whole = Manifest::new(all.clone());
        let (file, root) = written(n, sorted(&all, 4)).unwrap();
        let mut noticed = 0;
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1 << (at % 8);
            let Ok(tree) = opened(&bad, n, root) else {
                noticed += 1;
                continue;
            };
            let mut here = 0;
            for (key, record) in &all {
                let Place::At(index) = tree.find(key).unwrap() else {
                    here += 1;
                    continue;
                };
                match tree.presence(index, record) {
                    Ok((presence, _)) => assert_eq!(Some(presence), whole.presence(key, record), "byte {at} of {n}"),
                    Err(TreeError::Damaged(_)) => here += 1,
                    Err(other) => panic!("byte {at} of {n}: {other}"),
                }
            }
            noticed += usize::from(here > 0);
        }
        // A node without a sibling is in no proof, and read by nobody.
        let levels = std::iter::successors(Some(n), |nodes| (*nodes > 1).then(|| nodes.div_ceil(2)));
        let without_sibling = levels.filter(|nodes| nodes % 2 == 1).count();
        assert_eq!(file.len() - noticed, 32 * without_sibling, "bytes of {n} records changed unnoticed");
        for short in [0, 63, file.len() - 1] {
            assert!(opened(&file[..short], n, root).is_err());
        }
        assert!(opened(&[&file[..], &[0]].concat(), n, root).is_err());
        assert!(opened(&file, n + 1, root).is_err());
        assert!(opened(&file, n, Digest::sha256(b"another root")).is_err());
    }
}

#[test]
fn a_record_that_was_changed_has_no_proof() {
    let all = records(9);
    let (file, root) = written(9, sorted(&all, 4)).unwrap();
    let tree = opened(&file, 9, root).unwrap();
    let Place::At(index) = tree.find(&all[3].0).unwrap() else { panic!() };
    assert!(matches!(tree.presence(index, &all[4].1), Err(TreeError::Damaged(_))));
    assert!(matches!(tree.presence(index, b"{}"), Err(TreeError::Record(_))));
    assert!(matches!(tree.presence(index, &[255]), Err(TreeError::Record(_))));
}

#[test]
fn entries_that_are_not_in_order_or_not_as_many_make_no_tree() {
    let all: Vec<Entry> = sorted(&records(5), 9).map(Result::unwrap).collect();
    let ok = |entries: &[Entry]| entries.iter().copied().map(Ok).collect::<Vec<_>>().into_iter();
    assert!(written(5, ok(&all)).is_ok());
    for (count, entries) in [(4, &all[..]), (6, &all[..]), (5, &[all[1], all[0], all[2], all[3], all[4]])] {
        let file_of = |n| vec![0; file_bytes(n) as usize];
        let file = RefCell::new(file_of(8));
        let mut tree = TreeWriter::new(count, |at, bytes: &[u8]| {
            file.borrow_mut()[at as usize..][..bytes.len()].copy_from_slice(bytes);
            Ok(())
        });
        let pushed = entries.iter().try_for_each(|entry| tree.push(entry));
        assert!(matches!(pushed.and_then(|()| tree.finish()), Err(TreeError::Entries(_))), "{count}");
    }
}

#[test]
fn a_run_that_cannot_be_kept_is_said() {
    let mut sorter = Sorter::new(1, || Err::<Cursor<Vec<u8>>, _>(io::ErrorKind::StorageFull.into()));
    let (key, record) = record(0);
    sorter.push(Entry::new(key, &record)).unwrap();
    assert!(matches!(sorter.push(Entry::new(key, &record)), Err(SortError::Run(_))));
}
