//! The public part of the log as files, exactly as it is served: `checkpoint`, and tiles as C2SP tlog-tiles names them.
//!
//! Not here: what the log must hold (`sequencer.rs`). Nothing read here is believed: callers compare it with a signed root.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    tile::{self, TileId, TileKind},
    tile_edge::TileEdge,
    tree_reader::{NoNode, Node, node_of_tiles},
};

use crate::durable::write_durably;

/// The folder `log/`.
pub(crate) struct LogFolder(PathBuf);

impl LogFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Held by whoever writes: several processes share the folder. Released when dropped.
    ///
    /// It is waited for on a thread of its own: whoever holds it may be another task of the thread that asks, and would never
    /// go on if that thread waited.
    pub(crate) async fn lock(&self) -> Result<fs::File> {
        let folder = self.0.clone();
        let locked = move || -> Result<fs::File> {
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            let path = folder.join(".lock");
            let lock = fs::File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
            Ok(lock)
        };
        tokio::task::spawn_blocking(locked).await.context("the wait for the log's folder broke off")?
    }

    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.0.join("checkpoint")
    }

    /// The signed note that was last published; none when there never was one. That it cannot be read is never taken for
    /// none.
    pub(crate) fn note(&self) -> Result<Option<String>> {
        let path = self.checkpoint_path();
        match fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(crate) fn publish(&self, note: &[u8]) -> Result<()> {
        write_durably(&self.checkpoint_path(), note)
    }

    pub(crate) fn write(&self, tile: TileId, bytes: &[u8]) -> Result<()> {
        write_durably(&self.0.join(tile.to_string()), bytes)
    }

    /// Bytes of a tile; of a partial one that is gone, the beginning of the full one that took its place.
    fn read(&self, tile: TileId) -> Result<(TileId, Vec<u8>)> {
        let read = |tile: TileId| fs::read(self.0.join(tile.to_string()));
        let found = match read(tile) {
            Err(e) if e.kind() == ErrorKind::NotFound && !tile.is_full() => {
                read(tile.full()).map(|bytes| (tile.full(), bytes))
            }
            other => other.map(|bytes| (tile, bytes)),
        };
        found.with_context(|| format!("cannot read {} in {}", tile, self.0.display()))
    }

    /// The hashes of a tile.
    pub(crate) fn hashes(&self, tile: TileId) -> Result<Vec<Digest>> {
        let (found, bytes) = self.read(tile)?;
        let mut hashes = tile::read_hashes(found, &bytes)?;
        hashes.truncate(tile.width as usize);
        Ok(hashes)
    }

    /// The edge of the tree of `size` leaves.
    pub(crate) fn edge(&self, size: u64) -> Result<TileEdge> {
        let contents: Result<Vec<_>> = TileEdge::tiles(size).map(|tile| self.hashes(tile)).collect();
        Ok(TileEdge::of(size, contents?))
    }

    /// A node of the tree of `size` leaves.
    pub(crate) fn node(&self, size: u64, node: Node) -> Result<Digest> {
        Ok(node_of_tiles(size, node, |tile| self.hashes(tile).map_err(Unread))?)
    }

    /// Removes the partial files of a tile that is full now; who has an older checkpoint reads the full one.
    pub(crate) fn remove_partial(&self, tile: TileId) -> Result<()> {
        let mut folder = self.0.join(tile.full().to_string()).into_os_string();
        folder.push(".p");
        match fs::remove_dir_all(Path::new(&folder)) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", Path::new(&folder).display()))
            }
            _ => Ok(()),
        }
    }
}

/// Why a node cannot be had from the folder.
#[derive(Debug, thiserror::Error)]
enum NodeError {
    #[error(transparent)]
    NoNode(#[from] NoNode),
    #[error("{0:#}")]
    Unread(anyhow::Error),
}
use NodeError::Unread;

/// The tile of entries with a number in a log of `size` leaves.
pub(crate) fn entries_tile(index: u64, size: u64) -> Option<TileId> {
    TileId::at(TileKind::Entries, index, size)
}
