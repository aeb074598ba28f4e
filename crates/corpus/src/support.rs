//! Support counts of the support filter (design, small-scale.md, "Closing the leak"): in how many *sources* does a token
//! follow another? What only one source says must not teach the weights that all sources share. Applying the weights to
//! gradients is the model's work.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use obelus_core::Digest;

use crate::shards::{TokenShards, replace};

/// `support.bin`: magic, digest of the token file, u64 count, count keys (u64), count numbers (u8), and SHA-256 of
/// all that. Integers are little-endian; a key is previous << 32 | current, keys ascend.
const MAGIC: &[u8; 16] = b"obelus-support/1";
pub(crate) const FILE: &str = "support.bin";
const HEADER_BYTES: usize = 16 + 32 + 8;

/// Why support counts cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    /// The file is not what was written.
    #[error("{}: {reason}; delete it and it is made anew", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// For every pair of neighbouring tokens, the number of distinct sources it occurs in, at most 255. The first pair of a
/// document is its beginning mark and its first token, the last its last token and its end mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairSupport {
    keys: Vec<u64>,
    counts: Vec<u8>,
}

impl PairSupport {
    /// Counts over all documents of `shards` but those of `excluded` sources.
    pub fn count(shards: &TokenShards, excluded: &BTreeSet<String>) -> Self {
        let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, entry) in shards.index().iter().enumerate() {
            if !excluded.contains(&entry.source) {
                by_source.entry(&entry.source).or_default().push(i);
            }
        }
        let mut counts: HashMap<u64, u8> = HashMap::new();
        let mut pairs: Vec<u64> = Vec::new();
        for documents in by_source.values() {
            pairs.clear();
            for i in documents {
                let tokens = shards.doc(*i);
                pairs
                    .extend(tokens.iter().zip(tokens.iter().skip(1)).map(|(previous, current)| key(previous, current)));
            }
            pairs.sort_unstable();
            pairs.dedup();
            for pair in &pairs {
                let count = counts.entry(*pair).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut sorted: Vec<(u64, u8)> = counts.into_iter().collect();
        sorted.sort_unstable();
        let (keys, counts) = sorted.into_iter().unzip();
        Self { keys, counts }
    }

    /// The counts of the whole corpus, from `support.bin` beside the shards; made and kept there if it is not there or
    /// belongs to other tokens. Of encrypted shards nothing is kept: pairs of neighbouring tokens give text away. A retrain
    /// without some sources uses [`PairSupport::count`].
    ///
    /// # Errors
    /// The file is damaged, or the system refuses.
    pub fn load_or_count(shards: &TokenShards) -> Result<Self, SupportError> {
        if shards.are_sealed() {
            return Ok(Self::count(shards, &BTreeSet::new()));
        }
        let path = shards.dir().join(FILE);
        let at = |source| SupportError::Io { path: path.clone(), source };
        match fs::read(&path) {
            Ok(bytes) => {
                let corrupt = |reason: String| SupportError::Corrupt { path: path.clone(), reason };
                let (support, tokens) = Self::from_bytes(&bytes).map_err(corrupt)?;
                if tokens == shards.digest() {
                    return Ok(support);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(at(e)),
        }
        let support = Self::count(shards, &BTreeSet::new());
        support.save(&path, shards.digest()).map_err(at)?;
        Ok(support)
    }

    /// In how many sources `current` follows `previous`; 255 means 255 or more.
    pub fn sources(&self, previous: u32, current: u32) -> u8 {
        self.keys.binary_search(&key(previous, current)).map_or(0, |i| self.counts[i])
    }

    /// Number of different pairs.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no pair at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// One weight per target of a document: 1 where its pair occurs in at least `threshold` sources, otherwise 0.
    /// `tokens` runs from the beginning mark to the end mark; the targets are all but the first, so the result is one
    /// shorter. A threshold of 0 or 1 turns the filter off.
    pub fn weights(&self, tokens: &[u32], threshold: u8) -> Vec<f32> {
        tokens
            .windows(2)
            .map(|pair| if threshold < 2 || self.sources(pair[0], pair[1]) >= threshold { 1.0 } else { 0.0 })
            .collect()
    }

    fn save(&self, path: &Path, tokens: Digest) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.keys.len() * 9 + 32);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(tokens.as_bytes());
        bytes.extend_from_slice(&(self.keys.len() as u64).to_le_bytes());
        self.keys.iter().for_each(|k| bytes.extend_from_slice(&k.to_le_bytes()));
        bytes.extend_from_slice(&self.counts);
        let digest = Digest::sha256(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        replace(path, &bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<(Self, Digest), String> {
        let (body, digest) = bytes.split_last_chunk::<32>().ok_or("it is cut off")?;
        if body.len() < HEADER_BYTES || !body.starts_with(MAGIC) {
            return Err("it is no file of support counts".into());
        }
        if Digest::sha256(body) != Digest::new(*digest) {
            return Err("its SHA-256 is not the one at its end".into());
        }
        let mut tokens = [0; 32];
        tokens.copy_from_slice(&body[16..48]);
        let rest = &body[HEADER_BYTES..];
        let mut count = [0; 8];
        count.copy_from_slice(&body[48..56]);
        if u64::from_le_bytes(count).checked_mul(9) != Some(rest.len() as u64) {
            return Err("its length is not what its header says".into());
        }
        let (keys, counts) = rest.split_at(rest.len() / 9 * 8);
        let keys = keys.as_chunks::<8>().0.iter().map(|k| u64::from_le_bytes(*k)).collect();
        Ok((Self { keys, counts: counts.to_vec() }, Digest::new(tokens)))
    }
}

fn key(previous: u32, current: u32) -> u64 {
    u64::from(previous) << 32 | u64::from(current)
}
