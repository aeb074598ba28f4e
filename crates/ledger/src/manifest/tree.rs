//! A manifest's keys, leaf hashes and inner nodes in one file of fixed layout, so that a proof takes a few dozen small reads
//! and no memory. Written in one pass over sorted entries.
//!
//! The file is made from the records and can be made again. Nothing is believed of it: a proof leaves this module only when
//! it leads to the root that was signed. Not here: where the file lies, who makes it again, and the order (`sorting.rs`).
//!
//! Layout: `obelus-manifest-tree/v1\n`, number of records (64 bits, big endian), root; the keys in order; the leaf hashes;
//! then one level of nodes after the other up to the root, each of half the nodes below. A last node without a sibling
//! moves up unchanged (RFC 6962, section 2.1).

use std::io;

use obelus_core::Digest;

use super::{Entry, Presence, SourceRecord};
use crate::{
    canonical::CanonicalError,
    merkle::{Frontier, node_hash},
};

const MAGIC: &[u8; 24] = b"obelus-manifest-tree/v1\n";
const HEADER_BYTES: u64 = 64;
const HASH_BYTES: u64 = 32;
/// Written at once, for the keys and for each level.
const BUFFER_BYTES: usize = 1 << 16;

/// Why a tree cannot be written or does not give a proof.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The file could not be written or read.
    #[error("the file of the manifest tree cannot be used: {0}")]
    Io(#[from] io::Error),
    /// Entries do not ascend, or are not as many as were announced.
    #[error("the entries of the manifest are {0}; a tree is written over as many as were announced, ascending by key")]
    Entries(&'static str),
    /// The file is of another manifest, cut off or damaged.
    #[error("the file of the manifest tree {0}; it must be made again from the records")]
    Damaged(&'static str),
    /// A record is none.
    #[error("the record of a source is damaged: {0}; restore the database")]
    Record(#[from] CanonicalError),
}

/// Where the nodes of each level begin and how many there are; level 0 has the leaf hashes.
fn levels(count: u64) -> Vec<(u64, u64)> {
    let mut levels = vec![(HEADER_BYTES + count * HASH_BYTES, count)];
    while let Some((begin, nodes)) = levels.last().copied().filter(|(_, nodes)| *nodes > 1) {
        levels.push((begin + nodes * HASH_BYTES, nodes.div_ceil(2)));
    }
    levels
}

/// Size of the file for this many records.
pub fn file_bytes(count: u64) -> u64 {
    levels(count).last().map_or(0, |(begin, nodes)| begin + nodes * HASH_BYTES)
}

/// Hashes that are written one behind the other from a place on.
struct Stretch {
    at: u64,
    waiting: Vec<u8>,
}

impl Stretch {
    fn push(&mut self, hash: &Digest, write: &mut impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        self.waiting.extend_from_slice(hash.as_ref());
        if self.waiting.len() >= BUFFER_BYTES { self.flush(write) } else { Ok(()) }
    }

    fn flush(&mut self, write: &mut impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        write(self.at, &self.waiting)?;
        self.at += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// Writes a tree over sorted entries.
pub struct TreeWriter<W> {
    write: W,
    count: u64,
    keys: Stretch,
    levels: Vec<Stretch>,
    /// The left node of each level that waits for its sibling.
    left: Vec<Option<Digest>>,
    last: Option<Digest>,
    frontier: Frontier,
}

impl<W: FnMut(u64, &[u8]) -> io::Result<()>> TreeWriter<W> {
    /// A tree of `count` records. `write` puts bytes at a place of the file.
    pub fn new(count: u64, write: W) -> Self {
        let stretch = |at| Stretch { at, waiting: Vec::new() };
        let levels: Vec<_> = levels(count).into_iter().map(|(begin, _)| stretch(begin)).collect();
        let left = vec![None; levels.len()];
        Self { write, count, keys: stretch(HEADER_BYTES), levels, left, last: None, frontier: Frontier::default() }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// When it does not come after the one before, is one too many, or cannot be written.
    pub fn push(&mut self, entry: &Entry) -> Result<(), TreeError> {
        if self.frontier.size() == self.count {
            return Err(TreeError::Entries("more than were announced"));
        }
        if self.last.is_some_and(|last| last >= entry.key) {
            return Err(TreeError::Entries("not in order"));
        }
        self.last = Some(entry.key);
        self.frontier.push(entry.leaf);
        self.keys.push(&entry.key, &mut self.write)?;
        Ok(self.node(0, entry.leaf)?)
    }

    /// Adds a node to a level, and the node above where it is a right one.
    fn node(&mut self, level: usize, hash: Digest) -> io::Result<()> {
        let (mut level, mut hash) = (level, hash);
        loop {
            self.levels[level].push(&hash, &mut self.write)?;
            match self.left[level].take() {
                Some(left) => hash = node_hash(&left, &hash),
                None => {
                    self.left[level] = Some(hash);
                    return Ok(());
                }
            }
            level += 1;
        }
    }

    /// Writes what is left, the header last, and gives the root.
    ///
    /// # Errors
    /// When there were fewer entries than announced, or the file cannot be written.
    pub fn finish(mut self) -> Result<Digest, TreeError> {
        if self.frontier.size() != self.count {
            return Err(TreeError::Entries("fewer than were announced"));
        }
        for level in 1..self.levels.len() {
            if let Some(alone) = self.left[level - 1].take() {
                self.node(level, alone)?;
            }
        }
        for stretch in [&mut self.keys].into_iter().chain(&mut self.levels) {
            stretch.flush(&mut self.write)?;
        }
        let root = self.frontier.root();
        // Computed twice, by different code: what is about to be signed for years costs a second more.
        if self.count > 0 && self.left.last().copied().flatten() != Some(root) {
            return Err(TreeError::Damaged("has another root than its leaves"));
        }
        let header = [&MAGIC[..], &self.count.to_be_bytes(), root.as_ref()].concat();
        (self.write)(0, &header)?;
        Ok(root)
    }
}

/// Where a key is in a manifest, or between which two records it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this position.
    At(u64),
    /// Before this position.
    Before(u64),
}

/// A tree that proofs are made from, of a manifest whose root was signed.
pub struct ManifestTree<R> {
    read: R,
    count: u64,
    root: Digest,
    levels: Vec<(u64, u64)>,
}

impl<R: Fn(u64, &mut [u8]) -> io::Result<()>> ManifestTree<R> {
    /// Opens the tree of a manifest with this number of records and this root, as they were signed. `read` fills a buffer
    /// from a place of the file, which has `bytes` bytes.
    ///
    /// # Errors
    /// When the file is that of another manifest, or cut off.
    pub fn open(read: R, bytes: u64, count: u64, root: Digest) -> Result<Self, TreeError> {
        let mut header = [0; HEADER_BYTES as usize];
        let expected = [&MAGIC[..], &count.to_be_bytes(), root.as_ref()].concat();
        // The length first: a file that was cut off is damaged, and not one that cannot be read. A count that is too large for
        // any file of this length is not reckoned with at all.
        if count > bytes / HASH_BYTES || bytes != file_bytes(count) {
            return Err(TreeError::Damaged("has another size than its manifest"));
        }
        read(0, &mut header)?;
        if header[..] != expected {
            return Err(TreeError::Damaged("is that of another manifest"));
        }
        Ok(Self { read, count, root, levels: levels(count) })
    }

    /// Number of records.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn hash(&self, at: u64) -> io::Result<Digest> {
        let mut hash = [0; HASH_BYTES as usize];
        (self.read)(at, &mut hash)?;
        Ok(Digest::new(hash))
    }

    /// The key at a position.
    ///
    /// # Errors
    /// When the file cannot be read.
    ///
    /// # Panics
    /// When there is no such position.
    pub fn key(&self, index: u64) -> Result<Digest, TreeError> {
        assert!(index < self.count, "the manifest has {} records, none at {index}", self.count);
        Ok(self.hash(HEADER_BYTES + index * HASH_BYTES)?)
    }

    /// Looks for a key: O(log n) reads. What a damaged file answers is found out by the proofs at that place alone.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, key: &Digest) -> Result<Place, TreeError> {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.key(middle)?.cmp(key) {
                std::cmp::Ordering::Equal => return Ok(Place::At(middle)),
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        Ok(Place::Before(from))
    }

    /// The record at a position with its proof, and the record read. The proof leads to the signed root, or there is none.
    ///
    /// # Errors
    /// [`TreeError::Damaged`] when the file does not have the proof of this record at this place.
    ///
    /// # Panics
    /// When there is no such position.
    pub fn presence(&self, index: u64, record: &[u8]) -> Result<(Presence, SourceRecord), TreeError> {
        let key = self.key(index)?;
        let mut path = Vec::new();
        let mut at = index;
        for (begin, nodes) in &self.levels {
            let sibling = at ^ 1;
            if sibling < *nodes {
                path.push(self.hash(begin + sibling * HASH_BYTES)?);
            }
            at /= 2;
        }
        let record = String::from_utf8(record.to_vec()).map_err(|e| CanonicalError::Form(e.to_string()))?;
        let presence = Presence { key, record, index, path };
        match presence.verify(self.count, &self.root)? {
            Some(record) => Ok((presence, record)),
            None => Err(TreeError::Damaged("does not give the root that was signed")),
        }
    }
}
