//! The right edge of a growing log as its tiles hold it, and the tiles that an append makes or changes.
//!
//! Not here: reading and writing the tiles, and proofs (`tree_reader.rs`).

use std::collections::BTreeMap;

use obelus_core::Digest;

use crate::{
    merkle::{self, node_hash},
    tile::{HEIGHT, TileId, TileKind, WIDTH},
};

/// The tile of each level that is not full yet: all that is needed to add leaves and to give the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileEdge {
    size: u64,
    /// Hashes in the last tile of each level, fewer than [`WIDTH`].
    rows: Vec<Vec<Digest>>,
}

/// The tiles of hashes that an append made or changed, by level and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth(BTreeMap<(u8, u64), Vec<Digest>>);

impl TileEdge {
    /// The tiles that make up the edge of a tree of `size` leaves.
    pub fn tiles(size: u64) -> impl Iterator<Item = TileId> {
        (0..levels(size)).filter_map(move |level| {
            let held = size >> (HEIGHT * u32::from(level));
            (!held.is_multiple_of(WIDTH)).then_some(TileId {
                kind: TileKind::Hashes { level },
                index: held / WIDTH,
                width: held % WIDTH,
            })
        })
    }

    /// The edge of a tree of `size` leaves from the contents of [`TileEdge::tiles`], in their order. Whether they are the
    /// right ones, [`TileEdge::root`] tells.
    pub fn of(size: u64, contents: impl IntoIterator<Item = Vec<Digest>>) -> Self {
        let mut rows = vec![vec![]; usize::from(levels(size))];
        for (tile, hashes) in Self::tiles(size).zip(contents) {
            if let TileKind::Hashes { level } = tile.kind {
                rows[usize::from(level)] = hashes;
            }
        }
        Self { size, rows }
    }

    /// Leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tile of a level that is not full yet: its number and its hashes.
    pub fn row(&self, level: u8) -> Option<(u64, &[Digest])> {
        let row = self.rows.get(usize::from(level))?;
        Some(((self.size >> (HEIGHT * u32::from(level))) / WIDTH, row))
    }

    /// The root over all leaves; of none, SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        // The perfect subtrees from left to right, largest first: each row splits as the binary digits of its length.
        let mut peaks = Vec::new();
        for row in self.rows.iter().rev() {
            let mut rest = row.as_slice();
            while !rest.is_empty() {
                let (peak, after) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(merkle::root(peak));
                rest = after;
            }
        }
        peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| merkle::root(&[]))
    }

    /// Adds leaf hashes; gives every tile of hashes that is new or changed.
    pub fn grow(&mut self, leaves: impl IntoIterator<Item = Digest>) -> Growth {
        let mut growth = Growth::default();
        let before = self.size;
        for leaf in leaves {
            self.push(leaf, &mut growth);
        }
        for (level, row) in (0..).zip(&self.rows) {
            let held = |size: u64| size >> (HEIGHT * u32::from(level));
            if held(self.size) > held(before) && !row.is_empty() {
                growth.0.insert((level, held(self.size) / WIDTH), row.clone());
            }
        }
        growth
    }

    fn push(&mut self, leaf: Digest, growth: &mut Growth) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0u8.. {
            if self.rows.len() == usize::from(level) {
                self.rows.push(vec![]);
            }
            let row = &mut self.rows[usize::from(level)];
            row.push(hash);
            if row.len() as u64 != WIDTH {
                return;
            }
            let number = (self.size >> (HEIGHT * u32::from(level))) / WIDTH - 1;
            let full = std::mem::take(row);
            hash = merkle::root(&full);
            growth.0.insert((level, number), full);
        }
    }
}

/// Levels of tiles that a tree has.
fn levels(size: u64) -> u8 {
    (0u8..8).take_while(|level| size >> (HEIGHT * u32::from(*level)) > 0).count() as u8
}

impl Growth {
    /// The tiles, each with the number of hashes that it holds now.
    pub fn tiles(&self) -> impl Iterator<Item = (TileId, &[Digest])> {
        self.0.iter().map(|((level, index), hashes)| {
            let tile = TileId { kind: TileKind::Hashes { level: *level }, index: *index, width: hashes.len() as u64 };
            (tile, hashes.as_slice())
        })
    }

    /// The hashes of a tile, where it changed.
    pub fn hashes(&self, level: u8, index: u64) -> Option<&[Digest]> {
        self.0.get(&(level, index)).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf(i: u64) -> Digest {
        merkle::leaf_hash(&i.to_be_bytes())
    }

    /// Every tile of a log that grew in steps, as it lies on disk: full ones and each partial one.
    fn stored(steps: &[u64]) -> (BTreeMap<TileId, Vec<Digest>>, TileEdge) {
        let (mut files, mut edge) = (BTreeMap::new(), TileEdge::default());
        for step in steps {
            let growth = edge.grow((edge.size()..edge.size() + step).map(leaf).collect::<Vec<_>>());
            files.extend(growth.tiles().map(|(tile, hashes)| (tile, hashes.to_vec())));
        }
        (files, edge)
    }

    #[test]
    fn a_log_of_many_tiles_has_the_root_of_rfc_6962_and_tiles_of_the_right_hashes() {
        let (files, edge) = stored(&[1, 254, 1, 1, 700, 65_536, 3]);
        let leaves: Vec<_> = (0..edge.size()).map(leaf).collect();
        assert_eq!(edge.root(), merkle::root(&leaves));
        for (tile, hashes) in &files {
            let TileKind::Hashes { level } = tile.kind else { panic!("no entries here") };
            let span = 1 << (HEIGHT * u32::from(level));
            let first = (tile.index * WIDTH) as usize * span;
            let wanted = leaves[first..].chunks_exact(span).take(hashes.len()).map(merkle::root);
            assert!(wanted.eq(hashes.iter().copied()), "{tile}");
        }
        assert!(files.contains_key(&TileId { kind: TileKind::Hashes { level: 2 }, index: 0, width: 1 }));
    }

    proptest! {
        #[test]
        fn an_edge_is_read_back_from_its_tiles(steps in prop::collection::vec(1u64..400, 1..6)) {
            let (files, edge) = stored(&steps);
            let size = edge.size();
            let read = TileEdge::of(size, TileEdge::tiles(size).map(|tile| files[&tile].clone()));
            prop_assert_eq!(read.root(), merkle::root(&(0..size).map(leaf).collect::<Vec<_>>()));
            prop_assert_eq!(read, edge);
        }
    }
}
