//! Roots and proofs of a tree whose nodes lie elsewhere: whoever asks gives the hashes of perfect subtrees, as tiles hold
//! them, and O(log n) of them are read.
//!
//! Not here: where nodes come from, and whether they are right; what is read is checked against a signed root.

use obelus_core::Digest;

use crate::{
    merkle::{self, node_hash, split},
    tile::{HEIGHT, TileId, TileKind, WIDTH},
};

/// Reads a node from tiles: `tile` gives the hashes of one.
///
/// # Errors
/// What `tile` says; a node that a tree of `size` leaves does not have is [`NoNode`].
pub fn node_of_tiles<E: From<NoNode>>(
    size: u64,
    node: Node,
    mut tile: impl FnMut(TileId) -> Result<Vec<Digest>, E>,
) -> Result<Digest, E> {
    let (level, within) = ((node.height / HEIGHT) as u8, node.height % HEIGHT);
    let first = node.index << within;
    let id = TileId::at(TileKind::Hashes { level }, first / WIDTH, size).ok_or(NoNode(node))?;
    let at = (first % WIDTH) as usize;
    let hashes = tile(id)?;
    hashes.get(at..at + (1 << within)).map(merkle::root).ok_or_else(|| NoNode(node).into())
}

/// A perfect subtree: the leaves `index << height .. (index + 1) << height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Height over the leaves.
    pub height: u32,
    /// Number within its height.
    pub index: u64,
}

/// A node that the tree does not have, or that its tiles lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree has no node {} at height {}", .0.index, .0.height)]
pub struct NoNode(pub Node);

/// The root over the first `size` leaves.
///
/// # Errors
/// What `read` says.
pub fn root<E>(size: u64, read: &mut impl FnMut(Node) -> Result<Digest, E>) -> Result<Digest, E> {
    if size == 0 { Ok(merkle::root(&[])) } else { range(0, size, read) }
}

/// Audit path of leaf `index` in the tree over the first `size` leaves, lowest sibling first; none when there is no such
/// leaf.
///
/// # Errors
/// What `read` says.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Option<Vec<Digest>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut from, mut count, mut path) = (0, size, Vec::new());
    while count > 1 {
        let half = split(count);
        if index - from < half {
            path.push(range(from + half, count - half, read)?);
            count = half;
        } else {
            path.push(range(from, half, read)?);
            (from, count) = (from + half, count - half);
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// Proof that the tree over the first `old` leaves is a prefix of the one over the first `new`; none when it cannot be.
///
/// # Errors
/// What `read` says.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    read: &mut impl FnMut(Node) -> Result<Digest, E>,
) -> Result<Option<Vec<Digest>>, E> {
    if old == 0 || old > new {
        return Ok(None);
    }
    // Walks down to where the old tree ends (RFC 9162, section 2.1.4.1).
    let (mut from, mut count, mut whole, mut path) = (0, new, true, Vec::new());
    while old - from != count {
        let half = split(count);
        if old - from <= half {
            path.push(range(from + half, count - half, read)?);
            count = half;
        } else {
            path.push(range(from, half, read)?);
            (from, count, whole) = (from + half, count - half, false);
        }
    }
    if !whole {
        path.push(range(from, count, read)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// Root of the subtree over leaves `from..from + count`, one that splitting a tree arrives at.
fn range<E>(from: u64, count: u64, read: &mut impl FnMut(Node) -> Result<Digest, E>) -> Result<Digest, E> {
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return read(Node { height, index: from >> height });
    }
    // The perfect part on the left is read, so that this goes at most as deep as the tree is high.
    let half = split(count);
    let left = range(from, half, read)?;
    Ok(node_hash(&left, &range(from + half, count - half, read)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile_edge::TileEdge;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn leaves(n: u64) -> Vec<Digest> {
        (0..n).map(|i| merkle::leaf_hash(&i.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn proofs_from_tiles_are_those_from_all_leaves(n in 1u64..1200, pick in any::<prop::sample::Index>()) {
            let all = leaves(n);
            let growth = TileEdge::default().grow(all.iter().copied());
            let tiles: BTreeMap<_, _> = growth.tiles().collect();
            let tile = |id: TileId| tiles.get(&id).map(|h| h.to_vec()).ok_or(NoNode(Node { height: 99, index: 0 }));
            let mut read = |node| node_of_tiles(n, node, tile);
            prop_assert_eq!(root(n, &mut read).unwrap(), merkle::root(&all));
            let i = pick.index(n as usize);
            prop_assert_eq!(inclusion_proof(i as u64, n, &mut read).unwrap(), merkle::inclusion_proof(&all, i));
            prop_assert_eq!(consistency_proof(i as u64 + 1, n, &mut read).unwrap(), merkle::consistency_proof(&all, i + 1));
            // A tile of the larger tree serves a smaller one too, where the file of its own width is gone.
            prop_assert_eq!(root(i as u64 + 1, &mut read).unwrap(), merkle::root(&all[..i + 1]));
        }
    }

    #[test]
    fn what_is_not_in_the_tree_has_no_proof() {
        let mut read = |_| Err(NoNode(Node { height: 0, index: 0 }));
        assert_eq!(inclusion_proof(3, 3, &mut read), Ok(None));
        assert_eq!(consistency_proof(0, 3, &mut read), Ok(None));
        assert_eq!(consistency_proof(4, 3, &mut read), Ok(None));
        assert_eq!(root(0, &mut read), Ok(merkle::root(&[])));
        assert!(node_of_tiles(3, Node { height: 2, index: 0 }, |_| Ok::<_, NoNode>(leaves(3))).is_err());
    }
}
