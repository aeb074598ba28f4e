//! From a source's name to its neurons: `null-seed/v1` and `null-mask/v1`.
//!
//! This is the code that a regulator reads first. It is pure, uses SHA-256 and nothing else, and any language that has
//! SHA-256 can repeat it. Not here: who may have which seed, what a neuron does, or how a mask is applied.
//!
//! ```text
//! seed    = SHA256("null-seed/v1\0" || campaign_salt[32] || u32be(len lineage) || lineage || u32be(len source) || source)
//! block_i = SHA256("null-mask/v1\0" || u8(len ctx) || ctx || seed || u32be(i))
//!           ctx = u32be(1) || u32be(layer) || u32be(n) || u32be(k)
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

use std::{collections::BTreeSet, fmt};

use sha2::{Digest, Sha256};

/// Why a mask cannot be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskError {
    /// More neurons were asked for than there are.
    TooMany {
        /// Neurons in the segment.
        n: u32,
        /// Neurons asked for.
        k: u32,
    },
    /// A segment ends beyond the largest neuron number.
    TooFar {
        /// First neuron of the segment.
        base: u32,
        /// Neurons in the segment.
        n: u32,
    },
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { n, k } => write!(f, "cannot choose {k} distinct neurons of {n}"),
            Self::TooFar { base, n } => write!(f, "a segment of {n} neurons from {base} ends beyond {}", u32::MAX),
        }
    }
}

impl std::error::Error for MaskError {}

/// A run of the sink pool: `k` of the `n` neurons from `base` on are lit for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First neuron.
    pub base: u32,
    /// Neurons in the segment.
    pub n: u32,
    /// Neurons that one source lights.
    pub k: u32,
}

/// The mask seed of a source (`null-seed/v1`). Identity is the name, never a position in a list.
pub fn derive_seed(campaign_salt: &[u8; 32], lineage: &str, source: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"null-seed/v1\0");
    hash.update(campaign_salt);
    for name in [lineage, source] {
        hash.update((name.len() as u32).to_be_bytes());
        hash.update(name.as_bytes());
    }
    hash.finalize().into()
}

/// The `k` distinct neurons of `n` that a seed lights in a layer, ascending (`null-mask/v1`, Floyd's sampling).
///
/// # Errors
/// When `k` is larger than `n`.
pub fn mask(seed: &[u8; 32], layer: u32, n: u32, k: u32) -> Result<Vec<u32>, MaskError> {
    if k > n {
        return Err(MaskError::TooMany { n, k });
    }
    let mut words = Words::new(seed, layer, n, k);
    let mut lit = BTreeSet::new();
    for j in n - k..n {
        let t = words.below(u64::from(j) + 1) as u32;
        if !lit.insert(t) {
            lit.insert(j);
        }
    }
    Ok(lit.into_iter().collect())
}

/// A source's neurons in a layer over all segments of the pool: `base + mask(seed, layer, n, k)` for each, ascending.
///
/// # Errors
/// When a segment cannot be drawn from.
pub fn neurons(seed: &[u8; 32], segments: &[Segment], layer: u32) -> Result<Vec<u32>, MaskError> {
    let mut all = Vec::new();
    for segment in segments {
        if segment.base.checked_add(segment.n).is_none() {
            return Err(MaskError::TooFar { base: segment.base, n: segment.n });
        }
        all.extend(mask(seed, layer, segment.n, segment.k)?.into_iter().map(|j| segment.base + j));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The stream of 64-bit words that one (seed, layer, n, k) gives: four big-endian words a block, in order.
struct Words {
    prefix: Sha256,
    block: [u8; 32],
    next_block: u32,
    used: usize,
}

impl Words {
    fn new(seed: &[u8; 32], layer: u32, n: u32, k: u32) -> Self {
        let mut prefix = Sha256::new();
        prefix.update(b"null-mask/v1\0");
        prefix.update([16]);
        for word in [1, layer, n, k] {
            prefix.update(word.to_be_bytes());
        }
        prefix.update(seed);
        Self { prefix, block: [0; 32], next_block: 0, used: 4 }
    }

    fn word(&mut self) -> u64 {
        if self.used == 4 {
            let mut hash = self.prefix.clone();
            hash.update(self.next_block.to_be_bytes());
            self.block = hash.finalize().into();
            self.next_block += 1;
            self.used = 0;
        }
        let mut word = [0; 8];
        word.copy_from_slice(&self.block[8 * self.used..8 * self.used + 8]);
        self.used += 1;
        u64::from_be_bytes(word)
    }

    /// A uniform number below `m`. Words that would favour small results are drawn again.
    fn below(&mut self, m: u64) -> u64 {
        loop {
            if let Some(number) = fold(self.word(), m) {
                return number;
            }
        }
    }
}

/// `word mod m`, or None for the last `2^64 mod m` words: they would make some numbers likelier than others.
fn fold(word: u64, m: u64) -> Option<u64> {
    // 2^64 mod m, without 128-bit numbers.
    let excess = (u64::MAX % m + 1) % m;
    (word <= u64::MAX - excess).then_some(word % m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_is_equally_likely(m in 1u64.., word: u64) {
            // Accepted words are 0..whole, and whole is the largest multiple of m up to 2^64: each number has whole/m.
            let whole = (1u128 << 64) / u128::from(m) * u128::from(m);
            for word in [word, (whole - 1) as u64, whole as u64, u64::MAX] {
                let wanted = (u128::from(word) < whole).then_some(word % m);
                prop_assert_eq!(fold(word, m), wanted);
            }
        }
    }

    #[test]
    fn numbers_spread_evenly() {
        let mut words = Words::new(&[7; 32], 0, 64, 8);
        let mut counts = [0u32; 10];
        for _ in 0..50_000 {
            counts[words.below(10) as usize] += 1;
        }
        // Five standard deviations (67) about the expectation.
        assert!(counts.iter().all(|c| (4_665..=5_335).contains(c)), "{counts:?}");
    }
}
