//! Merkle trees of RFC 6962 shape: roots, inclusion and consistency proofs, made and verified. Used by log and manifest.

use obelus_core::Digest;
use sha2::{Digest as _, Sha256};

/// Hash of a leaf: `SHA256(0x00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(data);
    Digest::new(hash.finalize().into())
}

/// Hash of an inner node: `SHA256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    Digest::new(hash.finalize().into())
}

/// Root over leaf hashes in order; of no leaves, SHA-256 of nothing.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The largest power of two smaller than `n`, for `n` of at least 2: where a tree splits.
pub fn split(n: u64) -> u64 {
    debug_assert!(n > 1);
    1 << (63 - (n - 1).leading_zeros())
}

/// The right edge of a growing tree: enough to add leaves and to give the root, in O(log n) memory.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees, largest first.
    subtrees: Vec<Digest>,
}

impl Frontier {
    /// Adds a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
            size >>= 1;
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Digest {
        let mut right_to_left = self.subtrees.iter().rev();
        match right_to_left.next() {
            None => Digest::sha256(b""),
            Some(last) => right_to_left.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// Audit path of leaf `index` (RFC 9162, section 2.1.3.1), lowest sibling first. None when there is no such leaf.
pub fn inclusion_proof(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(vec![]);
    }
    let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
    let (mut path, sibling) = if index < left.len() {
        (inclusion_proof(left, index)?, root(right))
    } else {
        (inclusion_proof(right, index - left.len())?, root(left))
    };
    path.push(sibling);
    Some(path)
}

/// Checks an audit path (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut node) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            node = node_hash(sibling, &node);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// Proof that the tree over the first `old` leaves is a prefix of the tree over all (RFC 9162, section 2.1.4.1).
pub fn consistency_proof(leaves: &[Digest], old: usize) -> Option<Vec<Digest>> {
    fn walk(leaves: &[Digest], old: usize, whole: bool) -> Vec<Digest> {
        if old == leaves.len() {
            return if whole { vec![] } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
        let (mut path, sibling) = if old <= left.len() {
            (walk(left, old, whole), root(right))
        } else {
            (walk(right, old - left.len(), false), root(left))
        };
        path.push(sibling);
        path
    }
    (old > 0 && old <= leaves.len()).then(|| walk(leaves, old, true))
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2).
pub fn verify_consistency(old: u64, old_root: &Digest, new: u64, new_root: &Digest, path: &[Digest]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut rest = path.iter();
    // A perfect old tree is its own first node; otherwise the proof begins with one.
    let Some(first) = (if old.is_power_of_two() { Some(old_root) } else { rest.next() }) else { return false };
    let (mut a, mut b) = (*first, *first);
    for node in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            a = node_hash(node, &a);
            b = node_hash(node, &b);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            b = node_hash(&b, node);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && a == *old_root && b == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: usize) -> Vec<Digest> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// RFC 6962 section 2.1, word for word.
    fn definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::sha256(b""),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node_hash(&definition(&many[..k]), &definition(&many[k..]))
            }
        }
    }

    proptest! {
        #[test]
        fn roots_follow_the_definition(n in 0usize..200) {
            prop_assert_eq!(root(&leaves(n)), definition(&leaves(n)));
        }

        #[test]
        fn inclusion_proofs_verify_and_nothing_else_does(n in 1usize..150, pick: prop::sample::Index, flip in 0usize..64) {
            let all = leaves(n);
            let i = pick.index(n);
            let path = inclusion_proof(&all, i).unwrap();
            let (i, n) = (i as u64, n as u64);
            let whole = root(&all);
            prop_assert!(verify_inclusion(&all[i as usize], i, n, &path, &whole));
            prop_assert!(!verify_inclusion(&all[i as usize], i, n + 1000, &path, &whole));
            prop_assert!(!verify_inclusion(&all[i as usize], n, n, &path, &whole));
            prop_assert!(!verify_inclusion(&leaf_hash(b"x"), i, n, &path, &whole));
            let mut longer = path.clone();
            longer.push(whole);
            prop_assert!(!verify_inclusion(&all[i as usize], i, n, &longer, &whole));
            if !path.is_empty() {
                let mut bad = path.clone();
                let at = flip % bad.len();
                bad[at] = leaf_hash(b"y");
                prop_assert!(!verify_inclusion(&all[i as usize], i, n, &bad, &whole));
                prop_assert!(!verify_inclusion(&all[i as usize], i, n, &path[1..], &whole));
            }
        }

        #[test]
        fn consistency_proofs_verify_and_nothing_else_does(n in 1usize..150, pick: prop::sample::Index) {
            let all = leaves(n);
            let m = pick.index(n) + 1;
            let path = consistency_proof(&all, m).unwrap();
            let (old, new) = (root(&all[..m]), root(&all));
            let (m, n) = (m as u64, n as u64);
            prop_assert!(verify_consistency(m, &old, n, &new, &path));
            prop_assert!(!verify_consistency(m, &leaf_hash(b"x"), n, &new, &path));
            prop_assert!(!verify_consistency(m, &old, n, &leaf_hash(b"x"), &path));
            if m < n {
                prop_assert!(!verify_consistency(m, &old, n, &new, &[&path[..], &[new]].concat()));
            }
        }
    }
}
