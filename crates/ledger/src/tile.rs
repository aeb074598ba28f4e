//! Tiles of the log: C2SP tlog-tiles, names and contents. Height 8: a tile holds up to 256 hashes of one level, the
//! entries of 256 leaves lie beside them.
//!
//! Not here: which tiles a growing log has (`tile_edge.rs`), reading and writing files, signatures.

use std::fmt;

use obelus_core::Digest;

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;
/// Levels of nodes that a tile spans.
pub const HEIGHT: u32 = 8;
/// Bytes of one entry, which a 16-bit number counts.
const LARGEST_ENTRY_BYTES: usize = u16::MAX as usize;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of nodes at height `8 * level` of the tree.
    Hashes {
        /// From 0, the leaf hashes.
        level: u8,
    },
    /// The leaves themselves.
    Entries,
}

/// Names a tile of the tree at some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// What it holds.
    pub kind: TileKind,
    /// Its number within its level.
    pub index: u64,
    /// How many it holds, 1 to [`WIDTH`].
    pub width: u64,
}

impl TileId {
    /// The tile of a kind with a number in a tree of `size` leaves; none where such a tree has no such tile.
    pub fn at(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let held = match kind {
            TileKind::Hashes { level } => size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0),
            TileKind::Entries => size,
        };
        let width = held.saturating_sub(index.checked_mul(WIDTH)?).min(WIDTH);
        (width > 0).then_some(Self { kind, index, width })
    }

    /// Whether it holds all that it ever will.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile when it is full.
    pub fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }
}

/// The path under the log's folder, with `/`: `tile/<level>/<number>[.p/<width>]`, where the number is written in groups
/// of three digits, all but the last with an `x` before them.
impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}")?,
            TileKind::Entries => f.write_str("tile/entries")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            write!(f, "/{}{group:03}", if place > 0 { "x" } else { "" })?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Why a tile's bytes are refused.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// Not as many hashes as the tile must hold.
    #[error("{0} must hold {wanted} bytes, it holds {1}", wanted = .0.width * 32)]
    Length(TileId, usize),
    /// Not as many entries as the tile must hold.
    #[error("{0} does not hold exactly {width} entries", width = .0.width)]
    Entries(TileId),
    /// An entry that no tile can hold.
    #[error("a log entry has {0} bytes, a tile holds entries of at most {LARGEST_ENTRY_BYTES}")]
    TooLarge(usize),
}

/// Bytes of a tile of hashes.
pub fn hash_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect()
}

/// Reads a tile of hashes.
///
/// # Errors
/// When it does not hold exactly as many as it must.
pub fn read_hashes(tile: TileId, bytes: &[u8]) -> Result<Vec<Digest>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() as u64 != tile.width || !rest.is_empty() {
        return Err(TileError::Length(tile, bytes.len()));
    }
    Ok(hashes.iter().map(|hash| Digest::new(*hash)).collect())
}

/// Bytes of a tile of entries: the length of each in 16 bits, big-endian, and the entry.
///
/// # Errors
/// When an entry is too large.
pub fn entry_bytes<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::TooLarge(entry.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads a tile of entries.
///
/// # Errors
/// When it does not hold exactly as many as it must, or ends within one.
pub fn read_entries(tile: TileId, bytes: &[u8]) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(TileError::Entries(tile))?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() as u64 == tile.width && rest.is_empty() { Ok(entries) } else { Err(TileError::Entries(tile)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: TileKind, index: u64, width: u64) -> String {
        TileId { kind, index, width }.to_string()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let hashes = |level| TileKind::Hashes { level };
        assert_eq!(path(hashes(0), 0, 256), "tile/0/000");
        assert_eq!(path(hashes(3), 5, 256), "tile/3/005");
        assert_eq!(path(hashes(1), 273, 112), "tile/1/273.p/112");
        assert_eq!(path(TileKind::Entries, 1_234_067, 256), "tile/entries/x001/x234/067");
        assert_eq!(path(TileKind::Entries, 1000, 1), "tile/entries/x001/000.p/1");
    }

    #[test]
    fn a_tree_has_the_tiles_of_its_size() {
        let at = |level, index, size| TileId::at(TileKind::Hashes { level }, index, size).map(|tile| tile.width);
        assert_eq!(
            [at(0, 0, 0), at(0, 0, 1), at(0, 0, 256), at(0, 1, 256), at(0, 1, 300)],
            [None, Some(1), Some(256), None, Some(44)]
        );
        assert_eq!(
            [at(1, 0, 255), at(1, 0, 256), at(1, 0, 65_536), at(1, 1, 70_000)],
            [None, Some(1), Some(256), Some(17)]
        );
        assert_eq!([at(7, 0, u64::MAX), at(8, 0, u64::MAX)], [Some(255), None]);
        assert_eq!(TileId::at(TileKind::Entries, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn contents_are_read_as_written_and_no_other_number_of_them() {
        let tile = |kind, width| TileId { kind, index: 0, width };
        let hashes = [Digest::sha256("a"), Digest::sha256("b")];
        let kind = TileKind::Hashes { level: 0 };
        assert_eq!(read_hashes(tile(kind, 2), &hash_bytes(&hashes)).unwrap(), hashes);
        assert!(read_hashes(tile(kind, 3), &hash_bytes(&hashes)).is_err());
        assert!(read_hashes(tile(kind, 2), &hash_bytes(&hashes)[..63]).is_err());
        let bytes = entry_bytes([&b"one"[..], b"", b"three"]).unwrap();
        assert_eq!(read_entries(tile(TileKind::Entries, 3), &bytes).unwrap(), [&b"one"[..], b"", b"three"]);
        for end in 0..bytes.len() {
            assert!(read_entries(tile(TileKind::Entries, 3), &bytes[..end]).is_err(), "{end} bytes");
        }
        assert!(read_entries(tile(TileKind::Entries, 2), &bytes).is_err());
        assert!(entry_bytes([&[0; 65_536][..]]).is_err());
    }
}
