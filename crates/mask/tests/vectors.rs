//! Seeds and masks against the published vectors, and the properties that every mask has.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use obelus_mask::{MaskError, Segment, derive_seed, mask, neurons};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn vectors(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/null-v1.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn bytes(value: &Value) -> [u8; 32] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

#[test]
fn seeds_match_the_vectors() {
    let cases = vectors("null-seed/v1");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let (lineage, source) = (case["lineage"].as_str().unwrap(), case["source"].as_str().unwrap());
        assert_eq!(derive_seed(&bytes(&case["campaign_salt"]), lineage, source), bytes(&case["seed"]), "{case}");
    }
}

#[test]
fn masks_match_the_vectors() {
    let cases = vectors("null-mask/v1");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let found =
            mask(&bytes(&case["seed"]), number(&case["layer"]), number(&case["n"]), number(&case["k"])).unwrap();
        if let Some(wanted) = case["neurons"].as_array() {
            assert_eq!(found, wanted.iter().map(number).collect::<Vec<_>>());
        } else {
            let list: Vec<u8> = found.iter().flat_map(|n| n.to_be_bytes()).collect();
            assert_eq!(Sha256::digest(list)[..], bytes(&case["sha256_of_u32be_list"]));
        }
    }
}

#[test]
fn impossible_masks_are_refused() {
    assert_eq!(mask(&[0; 32], 0, 3, 4), Err(MaskError::TooMany { n: 3, k: 4 }));
    let far = Segment { base: u32::MAX, n: 2, k: 1 };
    assert_eq!(neurons(&[0; 32], &[far], 0), Err(MaskError::TooFar { base: u32::MAX, n: 2 }));
}

proptest! {
    #[test]
    fn a_mask_has_exactly_k_distinct_neurons(seed: [u8; 32], layer: u32, n in 1u32..5_000, share in 0.0f64..=1.0) {
        let k = (f64::from(n) * share) as u32;
        let lit = mask(&seed, layer, n, k).unwrap();
        prop_assert_eq!(lit.len(), k as usize);
        prop_assert!(lit.windows(2).all(|w| w[0] < w[1]));
        prop_assert!(lit.last().is_none_or(|last| *last < n));
        prop_assert_eq!(lit, mask(&seed, layer, n, k).unwrap());
    }

    #[test]
    fn appending_a_segment_never_changes_an_old_mask(seed: [u8; 32], layer in 0u32..64, n in 8u32..500) {
        let old = Segment { base: 0, n, k: 4 };
        let new = Segment { base: n, n: 100, k: 3 };
        let before = neurons(&seed, &[old], layer).unwrap();
        let after = neurons(&seed, &[old, new], layer).unwrap();
        prop_assert_eq!(&after[..4], &before[..]);
        prop_assert!(after[4..].iter().all(|j| (n..n + 100).contains(j)));
    }

    #[test]
    fn names_that_share_their_bytes_do_not_share_a_seed(a in "[a-z]{1,6}", b in "[a-z]{1,6}") {
        prop_assume!(!b.is_empty());
        let moved = (format!("{a}{}", &b[..1]), b[1..].to_owned());
        prop_assert_ne!(derive_seed(&[7; 32], &a, &b), derive_seed(&[7; 32], &moved.0, &moved.1));
    }
}
