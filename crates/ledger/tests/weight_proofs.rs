//! Change proofs and growth proofs against trees built anew from their leaves by the definition of RFC 6962. Not here: the
//! documents that cite them (`certificate/adaptations.rs`), and row proofs (`vectors.rs`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use obelus_core::Digest;
use obelus_ledger::{
    change_proof::{ChangeProof, ChangeProofError},
    growth_proof::{GrowthProof, GrowthProofError},
    merkle::{node_hash, split},
    node_tree::NodeTree,
    weight_tree::{Layout, Place, TensorRows, leaf_hash},
};
use proptest::prelude::*;

/// RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::sha256(b""),
        [one] => *one,
        many => {
            let (left, right) = many.split_at(split(many.len() as u64) as usize);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Two layers with `sinks` sinks each, some of another place between and after them.
fn layout(sinks: [u64; 2]) -> Layout {
    let tensor = |name: String, rows, row_bytes| TensorRows { name, dtype: "float32".to_owned(), rows, row_bytes };
    let mut tensors = vec![tensor("embed.weight".to_owned(), 3, 8), tensor("norm.weight".to_owned(), 1, 8)];
    for (layer, rows) in sinks.into_iter().enumerate() {
        for part in ["gate", "up", "down"] {
            tensors.push(tensor(format!("layers.{layer}.mlp.backbone.{part}"), 2, 4));
            tensors.push(tensor(format!("layers.{layer}.mlp.sinks.{part}"), rows, 4));
        }
    }
    Layout::new(tensors).unwrap()
}

/// Leaf hashes of a checkpoint whose bytes `byte` gives by place and row.
fn leaves(layout: &Layout, byte: impl Fn(&Place, u64) -> u8) -> Vec<Digest> {
    let row = |p: &Place, row| leaf_hash(&p.name, row as u32, &[&vec![byte(p, row); p.row_bytes as usize]]);
    layout.0.iter().flat_map(|p| (0..p.rows).map(|r| row(p, r)).collect::<Vec<_>>()).collect()
}

/// Never zero.
fn trained(place: &Place, row: u64) -> u8 {
    1 + ((place.name.len() as u64 * 31 + row * 7) % 200) as u8
}

fn picked(picks: &[prop::sample::Index], count: usize) -> Vec<u64> {
    let mut picked: Vec<u64> = picks.iter().map(|i| i.index(count) as u64).collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

proptest! {
    #[test]
    fn a_change_proof_proves_its_own_change_and_no_other(
        sinks in [1u64..40, 1u64..40],
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        really in prop::collection::vec(any::<bool>(), 12),
        other: prop::sample::Index,
    ) {
        let layout = layout(sinks);
        let before = leaves(&layout, trained);
        let changed = picked(&picks, before.len());
        let mut after = before.clone();
        // A leaf that was allowed to change need not have changed.
        for (leaf, really) in changed.iter().zip(&really) {
            if *really {
                after[*leaf as usize] = leaf_hash("trained on", *leaf as u32, &[&[9; 8]]);
            }
        }
        let roots = [naive_root(&before), naive_root(&after)];
        let trees = [&before, &after].map(|leaves| NodeTree::new(leaves.clone()));
        let proof = ChangeProof::new(&trees[0], &trees[1], &changed).unwrap();
        prop_assert_eq!(proof.roots(&layout).unwrap(), (roots[0], roots[1]));
        proof.verify(&layout, &changed, &roots[0], &roots[1]).unwrap();
        let everywhere: Vec<u64> = (0..before.len() as u64).collect();
        proof.verify(&layout, &everywhere, &roots[0], &roots[1]).unwrap();
        for file in [proof.to_bytes().unwrap(), proof.to_gzip().unwrap()] {
            prop_assert_eq!(&ChangeProof::from_bytes(&file).unwrap(), &proof);
        }

        // A leaf that is not allowed.
        let (one, allowed) = changed.split_last().unwrap();
        let refused = proof.verify(&layout, allowed, &roots[0], &roots[1]);
        prop_assert!(matches!(refused, Err(ChangeProofError::Leaf(leaf)) if leaf == *one));

        // A leaf that is not listed: neither made nor accepted.
        let other = other.index(before.len());
        let mut touched = after.clone();
        touched[other] = leaf_hash("touched", 0, &[&[0xff; 8]]);
        prop_assert!(proof.verify(&layout, &changed, &roots[0], &naive_root(&touched)).is_err());
        let made = ChangeProof::new(&trees[0], &NodeTree::new(touched), &changed);
        match changed.binary_search(&(other as u64)) {
            Ok(_) => prop_assert!(made.is_ok()),
            Err(_) => prop_assert!(matches!(made, Err(ChangeProofError::Unlisted(leaf)) if leaf == other as u64)),
        }
    }

    #[test]
    fn a_growth_proof_gives_the_tree_with_zero_rows_and_no_other(
        sinks in [1u64..20, 1u64..20],
        more in [0u64..20, 1u64..20],
        at: prop::sample::Index,
    ) {
        let [before, after] = [layout(sinks), layout([sinks[0] + more[0], sinks[1] + more[1]])];
        let old = leaves(&before, trained);
        let fresh = |p: &Place, row| p.name.ends_with("sinks") && before.0.iter().any(|b| b.name == p.name && row >= b.rows);
        let grown = leaves(&after, |p, row| if fresh(p, row) { 0 } else { trained(p, row) });
        let proof = GrowthProof::new(&NodeTree::new(old.clone()));
        prop_assert_eq!(&proof.grown(&before, &after).unwrap(), &grown);
        prop_assert_eq!(proof.verify(&before, &after, &naive_root(&old)).unwrap(), naive_root(&grown));
        for file in [proof.to_bytes().unwrap(), proof.to_gzip().unwrap()] {
            prop_assert_eq!(&GrowthProof::from_bytes(&file).unwrap(), &proof);
        }
        // One other weight before.
        let mut other = proof.clone();
        other.leaves[at.index(old.len())] = Digest::sha256("other weight");
        let refused = other.verify(&before, &after, &naive_root(&old));
        let wrong_root = matches!(refused, Err(GrowthProofError::Root { .. }));
        prop_assert!(wrong_root);
        // Fewer or more leaves than the layout, and a growth that is none.
        other.leaves.pop();
        prop_assert!(other.roots(&before, &after).is_err());
        prop_assert!(proof.roots(&after, &before).is_err());
        prop_assert!(proof.roots(&before, &before).is_err());
    }
}

/// Every bit that somebody flips in a file makes it unreadable or leads to other roots.
fn check_flips(file: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(file));
    for at in 0..file.len() {
        for bits in [0x01, 0x20, 0x80] {
            let mut changed = file.to_vec();
            changed[at] ^= bits;
            assert!(!accepts(&changed), "byte {at} xor {bits:#x}");
        }
        assert!(!accepts(&file[..at]), "{at} bytes");
    }
}

#[test]
fn every_flipped_byte_of_a_plain_proof_is_noticed() {
    let [before, after] = [layout([3, 3]), layout([5, 4])];
    let old = leaves(&before, trained);
    let growth = GrowthProof::new(&NodeTree::new(old.clone()));
    check_flips(&growth.to_bytes().unwrap(), |file| {
        GrowthProof::from_bytes(file).is_ok_and(|p| p.verify(&before, &after, &naive_root(&old)).is_ok())
    });
    let grown = growth.grown(&before, &after).unwrap();
    let changed = after.neuron_leaves(&[vec![3, 4], vec![3]]).unwrap();
    let mut trained_on = grown.clone();
    changed.iter().for_each(|leaf| trained_on[*leaf as usize] = leaf_hash("taught", *leaf as u32, &[&[3; 12]]));
    let roots = [naive_root(&grown), naive_root(&trained_on)];
    let change = ChangeProof::new(&NodeTree::new(grown), &NodeTree::new(trained_on), &changed).unwrap();
    check_flips(&change.to_bytes().unwrap(), |file| {
        ChangeProof::from_bytes(file).is_ok_and(|p| p.verify(&after, &changed, &roots[0], &roots[1]).is_ok())
    });
}

type Change<'a> = dyn Fn(&mut Vec<TensorRows>) + 'a;

#[test]
fn growth_elsewhere_than_at_the_end_of_a_pool_is_refused() {
    let before = layout([3, 3]);
    let proof = GrowthProof::new(&NodeTree::new(leaves(&before, trained)));
    let refused = |change: &Change<'_>| {
        let mut tensors = Vec::new();
        for place in &layout([4, 4]).0 {
            let parts: &[&str] = if place.name.contains(".mlp.") { &[".gate", ".up", ".down"] } else { &[""] };
            tensors.extend(parts.iter().map(|part| TensorRows {
                name: format!("{}{part}", place.name),
                dtype: place.dtype.clone(),
                rows: place.rows,
                row_bytes: place.row_bytes / parts.len() as u64,
            }));
        }
        change(&mut tensors);
        proof.grown(&before, &Layout::new(tensors).unwrap()).err().map(|e| e.to_string())
    };
    assert_eq!(refused(&|_| ()), None);
    let of = |prefix: &'static str, change: fn(&mut TensorRows)| {
        move |t: &mut Vec<TensorRows>| t.iter_mut().filter(|t| t.name.starts_with(prefix)).for_each(change)
    };
    let layouts: [&Change<'_>; 7] = [
        &of("embed", |t| t.rows += 1),
        &of("layers.0.mlp.backbone", |t| t.rows += 1),
        &of("layers.0.mlp.sinks", |t| t.rows = 2),
        &of("layers.0.mlp.sinks", |t| t.dtype = "bfloat16".to_owned()),
        &of("layers.0.mlp.sinks", |t| t.row_bytes *= 2),
        &|t| t.retain(|t| t.name != "norm.weight"),
        &|t| t.push(TensorRows { name: "z".to_owned(), dtype: "float32".to_owned(), rows: 1, row_bytes: 8 }),
    ];
    for (i, change) in layouts.iter().enumerate() {
        assert!(refused(change).is_some_and(|why| why.contains("differs at")), "layout {i}");
    }
    // A hostile layout must not keep a verifier hashing zeros.
    let absurd = refused(&of("layers.1.mlp.sinks", |t| t.rows = u64::from(u32::MAX)));
    assert!(absurd.unwrap().contains("absurd"));
}

#[test]
fn trees_of_different_sizes_and_leaves_that_are_not_there_give_no_change_proof() {
    let [small, large] = [layout([3, 3]), layout([4, 3])].map(|l| NodeTree::new(leaves(&l, trained)));
    assert!(ChangeProof::new(&small, &large, &[0]).is_err());
    for changed in [&[][..], &[1, 1], &[2, 1], &[1 << 40]] {
        assert!(ChangeProof::new(&small, &small, changed).is_err(), "{changed:?}");
    }
}
