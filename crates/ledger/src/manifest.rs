//! The source manifest (`source-manifest/v1`): keyed, sorted source records under one root; presence and absence.
//!
//! [`Manifest`] holds all of one in memory; for millions of sources there are [`Sorter`] and [`ManifestTree`]. Not here: the
//! signed statement about the root (`statement.rs`), and who may be told the manifest key.

mod sorting;
mod tree;

use hmac::{Hmac, KeyInit, Mac};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    canonical::{self, CanonicalError},
    merkle,
};
pub use sorting::{Entry, SortError, Sorted, Sorter, merged};
pub use tree::{ManifestTree, Place, TreeError, TreeWriter, file_bytes};

/// What is registered about a source. Its canonical JSON is the record's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SourceRecord {
    /// Source id.
    pub source: String,
    /// Publisher, empty when unknown.
    pub publisher: String,
    /// Licence, empty when unknown.
    pub license: String,
    /// Number of documents.
    pub documents: u64,
    /// Digest over its documents.
    pub content_digest: Digest,
    /// Mask seed.
    pub seed: Digest,
    /// Pool segment that its sinks lie in.
    pub segment: u64,
    /// Random 128-bit salt, hexadecimal.
    pub salt: String,
}

/// The key of a source in a manifest: HMAC-SHA-256 of its id, so that the order reveals no name.
pub fn key(manifest_key: &[u8; 32], source: &str) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(manifest_key).expect("HMAC takes keys of any length");
    mac.update(source.as_bytes());
    Digest::new(mac.finalize().into_bytes().into())
}

/// Leaf hash of a record: `SHA256(0x00 || key || record)`.
pub fn leaf(key: &Digest, record: &[u8]) -> Digest {
    merkle::leaf_hash(&[key.as_ref(), record].concat())
}

/// Digest of a list of sources: SHA-256 of the canonical JSON of `[key, SHA-256 of record]` pairs, ascending by key.
///
/// # Errors
/// Never for digests.
pub fn list_digest(sources: impl IntoIterator<Item = (Digest, Digest)>) -> Result<Digest, CanonicalError> {
    let mut pairs: Vec<(Digest, Digest)> = sources.into_iter().collect();
    pairs.sort_unstable();
    Ok(Digest::sha256(canonical::to_bytes(&pairs)?))
}

/// A manifest's records sorted by key, as keys and leaf hashes.
#[derive(Clone, Debug)]
pub struct Manifest {
    keys: Vec<Digest>,
    leaves: Vec<Digest>,
}

/// A record with its place in a manifest, as certificates carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// Key of the source.
    pub key: Digest,
    /// Canonical JSON of the record.
    pub record: String,
    /// Position in the sorted manifest.
    pub index: u64,
    /// Audit path.
    pub path: Vec<Digest>,
}

impl Presence {
    /// Checks the path and returns the parsed record.
    ///
    /// # Errors
    /// When the record is not canonical. A path that does not lead to the root is `Ok(None)`.
    pub fn verify(&self, size: u64, root: &Digest) -> Result<Option<SourceRecord>, CanonicalError> {
        let record = canonical::from_bytes(self.record.as_bytes())?;
        let leaf = leaf(&self.key, self.record.as_bytes());
        Ok(merkle::verify_inclusion(&leaf, self.index, size, &self.path, root).then_some(record))
    }
}

impl Manifest {
    /// Sorts `(key, record bytes)` by key.
    pub fn new(records: impl IntoIterator<Item = (Digest, Vec<u8>)>) -> Self {
        let mut leaves: Vec<(Digest, Digest)> =
            records.into_iter().map(|(key, record)| (key, leaf(&key, &record))).collect();
        leaves.sort_unstable();
        let (keys, leaves) = leaves.into_iter().unzip();
        Self { keys, leaves }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Root over the sorted records.
    pub fn root(&self) -> Digest {
        merkle::root(&self.leaves)
    }

    /// Presence of a key with its record. None when the key is not in the manifest.
    pub fn presence(&self, key: &Digest, record: &[u8]) -> Option<Presence> {
        let index = self.keys.binary_search(key).ok()?;
        let path = merkle::inclusion_proof(&self.leaves, index)?;
        let record = String::from_utf8(record.to_vec()).ok()?;
        Some(Presence { key: *key, record, index: index as u64, path })
    }
}

/// Proof that a source is in no manifest of this root: the two records between which it would stand. It shows those
/// records, so it is for somebody entitled to the manifest key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// The last record before; none when the source would be the first.
    pub before: Option<Presence>,
    /// The first record after; none when the source would be the last.
    pub after: Option<Presence>,
}

impl Manifest {
    /// Absence of a key. `record` gives the bytes of the record with a key. None when the key is present, or when the
    /// record of a neighbour cannot be had.
    pub fn absence(&self, key: &Digest, record: impl Fn(&Digest) -> Option<Vec<u8>>) -> Option<Absence> {
        let at = self.keys.binary_search(key).err()?;
        let neighbour = |index: Option<usize>| -> Option<Option<Presence>> {
            match index.and_then(|i| self.keys.get(i)) {
                None => Some(None),
                Some(key) => self.presence(key, &record(key)?).map(Some),
            }
        };
        Some(Absence { before: neighbour(at.checked_sub(1))?, after: neighbour(Some(at))? })
    }
}

impl Absence {
    /// Checks that no source of this name is in the manifest of `size` records under `root`.
    ///
    /// # Errors
    /// When a neighbour's record is not canonical.
    pub fn verify(
        &self,
        manifest_key: &[u8; 32],
        source: &str,
        size: u64,
        root: &Digest,
    ) -> Result<bool, CanonicalError> {
        let wanted = key(manifest_key, source);
        for neighbour in self.before.iter().chain(&self.after) {
            match neighbour.verify(size, root)? {
                // The order is by key: a neighbour under another key than its source's would prove nothing.
                Some(record) if key(manifest_key, &record.source) == neighbour.key => {}
                _ => return Ok(false),
            }
        }
        Ok(match (&self.before, &self.after) {
            (None, None) => size == 0 && *root == merkle::root(&[]),
            (None, Some(after)) => after.index == 0 && wanted < after.key,
            (Some(before), None) => before.index + 1 == size && before.key < wanted,
            (Some(before), Some(after)) => before.index + 1 == after.index && before.key < wanted && wanted < after.key,
        })
    }
}
