//! The Merkle proof for many leaves at once: the roots of the subtrees that hold none of them, depth first, left to right,
//! and both roots rebuilt from two hashes a leaf over the same siblings. Row proofs and change proofs rest on it.
//!
//! Not here: what the leaves are and what may become of them (`row_proof.rs`, `change_proof.rs`), and files.

use obelus_core::Digest;

use crate::{
    merkle::{node_hash, split},
    node_tree::NodeTree,
};

/// Why siblings do not lead from leaves to roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultiproofError {
    /// No leaf, or leaves that do not ascend within the tree.
    #[error("its leaves must ascend within the tree, and there must be one")]
    Leaves,
    /// Not one hash a leaf.
    #[error("it has not one hash for each of its leaves")]
    Hashes,
    /// Too few siblings.
    #[error("it has fewer siblings than the tree")]
    FewerSiblings,
    /// Too many siblings.
    #[error("it has more siblings than the tree")]
    MoreSiblings,
}

/// Roots of the maximal subtrees without any of `leaves`, depth first, left to right; nothing is hashed.
///
/// # Errors
/// When `leaves` is empty, does not ascend, or names a leaf that is not there.
pub fn siblings(tree: &NodeTree, leaves: &[u64]) -> Result<Vec<Digest>, MultiproofError> {
    let count = tree.leaves().len() as u64;
    check_leaves(leaves, count)?;
    let mut siblings = Vec::new();
    collect(tree, 0, count, leaves, &mut siblings);
    Ok(siblings)
}

/// Both roots of a tree of `leaf_count` leaves whose leaves `leaves` have the hashes `before` in one and `after` in the
/// other, and whose every other leaf is the same in both.
///
/// # Errors
/// When leaves, hashes and siblings do not fit a tree of this size.
pub fn roots(
    leaf_count: u64,
    leaves: &[u64],
    before: &[Digest],
    after: &[Digest],
    siblings: &[Digest],
) -> Result<(Digest, Digest), MultiproofError> {
    check_leaves(leaves, leaf_count)?;
    if before.len() != leaves.len() || after.len() != leaves.len() {
        return Err(MultiproofError::Hashes);
    }
    let mut walk = Walk { leaves, before, after, siblings, next_sibling: 0 };
    let roots = walk.subtree(0, leaf_count, 0, leaves.len())?;
    if walk.next_sibling == siblings.len() { Ok(roots) } else { Err(MultiproofError::MoreSiblings) }
}

/// Checks that a proof is about leaves that ascend within a tree of `count` leaves, and about one at least.
///
/// # Errors
/// When it is not.
pub fn check_leaves(leaves: &[u64], count: u64) -> Result<(), MultiproofError> {
    let ascends = leaves.windows(2).all(|w| w[0] < w[1]);
    if !ascends || leaves.last().is_none_or(|last| *last >= count) {
        return Err(MultiproofError::Leaves);
    }
    Ok(())
}

/// Collects the siblings of `leaves`, all of which lie within `from..from + count`.
fn collect(tree: &NodeTree, from: u64, count: u64, leaves: &[u64], siblings: &mut Vec<Digest>) {
    if leaves.is_empty() {
        siblings.push(tree.subtree(from, count));
    } else if count > 1 {
        let middle = split(count);
        let cut = leaves.partition_point(|i| *i < from + middle);
        collect(tree, from, middle, &leaves[..cut], siblings);
        collect(tree, from + middle, count - middle, &leaves[cut..], siblings);
    }
}

struct Walk<'a> {
    leaves: &'a [u64],
    before: &'a [Digest],
    after: &'a [Digest],
    siblings: &'a [Digest],
    next_sibling: usize,
}

impl Walk<'_> {
    /// Both roots of the subtree over leaves `from..from + count`, which holds numbers `first..last` of the proof's
    /// leaves. Depth is that of the tree, at most 64.
    fn subtree(
        &mut self,
        from: u64,
        count: u64,
        first: usize,
        last: usize,
    ) -> Result<(Digest, Digest), MultiproofError> {
        if first == last {
            let sibling = self.siblings.get(self.next_sibling);
            self.next_sibling += 1;
            return sibling.map(|s| (*s, *s)).ok_or(MultiproofError::FewerSiblings);
        }
        if count == 1 {
            return Ok((self.before[first], self.after[first]));
        }
        let middle = split(count);
        let cut = first + self.leaves[first..last].partition_point(|i| *i < from + middle);
        let left = self.subtree(from, middle, first, cut)?;
        let right = self.subtree(from + middle, count - middle, cut, last)?;
        Ok((node_hash(&left.0, &right.0), node_hash(&left.1, &right.1)))
    }
}
