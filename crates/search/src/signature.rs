//! MinHash signatures (Broder, 1997): how alike the shingles of two texts are, from 128 numbers each. The exact figure is
//! reckoned elsewhere, from the texts, wherever there are texts.

use obelus_core::SplitMix64;

use crate::shingles::mixed;

/// Numbers of a signature.
pub(crate) const PLACES: usize = 128;
/// Numbers of a band: two texts with a Jaccard similarity `s` share one of the 32 bands with 1 - (1 - s^4)^32, which is 0.87
/// for one half and 0.9998 for 0.7.
const BAND_PLACES: usize = 4;
/// Fixed for ever: a signature that is kept must mean the same years later.
const SEED: u64 = 0x6f62_656c_7573_0001;

/// The signature of a set of shingles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature(pub(crate) [u32; PLACES]);

impl Signature {
    /// Of these shingles, of which some may be there more than once; none have no signature.
    pub(crate) fn of(shingles: &[u64]) -> Option<Self> {
        if shingles.is_empty() {
            return None;
        }
        let mut seeds = SplitMix64(SEED);
        let least = |seed: u64| shingles.iter().map(|s| SplitMix64(s ^ seed).bits()).min().unwrap_or(u64::MAX);
        // The low half: the high half of a least number is small, and alike in all long texts.
        Some(Self(std::array::from_fn(|_| least(seeds.bits()) as u32)))
    }

    /// Estimates the Jaccard similarity `s` of the two sets; the standard deviation is `sqrt(s (1 - s) / 128)`.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        let same = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        same as f64 / PLACES as f64
    }

    /// A number for every band: texts that share one may be near-duplicates.
    pub(crate) fn bands(&self) -> impl Iterator<Item = u64> {
        self.0.chunks_exact(BAND_PLACES).zip(0u64..).map(|(band, index)| {
            let numbers: [u64; BAND_PLACES] = std::array::from_fn(|i| u64::from(band[i]));
            mixed(&[index, mixed(&numbers)])
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_never_changes() {
        let signature = Signature::of(&[1, 2, 3]).unwrap();
        assert_eq!(signature, Signature::of(&[3, 2, 1, 1]).unwrap());
        // Reckoned apart, in Python.
        assert_eq!(&signature.0[..4], &[3_359_608_487, 2_657_035_005, 4_068_831_760, 1_342_654_984]);
        assert_eq!(Signature::of(&[]), None);
    }

    #[test]
    fn likeness_shows_in_the_bands() {
        let a: Vec<u64> = (0..1000).collect();
        let bands = |s: &[u64]| Signature::of(s).unwrap().bands().collect::<HashSet<_>>();
        assert_eq!(bands(&a).intersection(&bands(&a)).count(), PLACES / BAND_PLACES);
        assert!(bands(&a).intersection(&bands(&a[150..])).count() > 0);
        let far: Vec<u64> = (5000..6000).collect();
        assert_eq!(bands(&a).intersection(&bands(&far)).count(), 0);
    }

    proptest! {
        // Five standard deviations: once in two million draws by chance, and the seeds of a failure are kept.
        #[test]
        fn estimates_are_near_the_exact_similarity(start in any::<u64>(), common in 0u64..400, own in 1u64..400) {
            let set = |from: u64, n: u64| (0..n).map(move |i| SplitMix64(start ^ (from + i)).bits());
            let a: Vec<u64> = set(0, common).chain(set(1 << 32, own)).collect();
            let b: Vec<u64> = set(0, common).chain(set(1 << 33, own)).collect();
            let exact = common as f64 / (common + 2 * own) as f64;
            let estimate = Signature::of(&a).unwrap().similarity(&Signature::of(&b).unwrap());
            let deviation = (exact * (1.0 - exact) / PLACES as f64).sqrt();
            prop_assert!((estimate - exact).abs() <= 5.0 * deviation + 1.0 / PLACES as f64, "{estimate} {exact}");
        }
    }
}
