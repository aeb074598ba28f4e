//! Shingles: the runs of five words of a text as numbers, and which of them the index keeps. Numbers only propose what to
//! compare; what is shown rests on the words themselves. Not here: salted shingles (`fingerprints`).

use obelus_core::SplitMix64;

use crate::words::Words;

/// Words of a shingle.
pub(crate) const SHINGLE_WORDS: usize = 5;
/// Of every so many shingles in a row at least one is kept.
const WINDOW: usize = 4;

/// Two texts that share so many words in a row are always compared: that many words hold a whole window of shingles.
pub const RUN_WORDS: usize = SHINGLE_WORDS + WINDOW - 1;

/// A number for every shingle, in order. A text of fewer words is one shingle, one of no words has none.
pub(crate) fn hashes(words: &Words) -> Vec<u64> {
    let numbers: Vec<u64> = words.iter().map(number).collect();
    numbers.windows(SHINGLE_WORDS.min(numbers.len()).max(1)).map(mixed).collect()
}

/// FNV-1a, 64 bits.
fn number(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// One number for several, which depends on their order.
pub(crate) fn mixed(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |h, n| SplitMix64(h ^ n).bits())
}

/// The least of every window of shingles (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003), ascending, each once.
pub(crate) fn winnow(hashes: &[u64]) -> Vec<u64> {
    let windows = hashes.windows(WINDOW.min(hashes.len()).max(1));
    let mut kept: Vec<u64> = windows.filter_map(|window| window.iter().min().copied()).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<u64> {
        hashes(&Words::of(text))
    }

    #[test]
    fn there_is_one_for_every_five_words() {
        let lengths = ["", "a", "a b c d", "a b c d e", "a b c d e f"].map(|text| of(text).len());
        assert_eq!(lengths, [0, 1, 1, 1, 2]);
        assert_ne!(of("a b c d e"), of("b a c d e"));
        assert_eq!(of("A, b: C d e"), of("a b c d e"));
        assert!(winnow(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn texts_that_share_eight_words_share_a_kept_shingle(
            shared in prop::collection::vec("[a-c]", RUN_WORDS),
            around in prop::array::uniform4(prop::collection::vec("[a-e]", 0..12)),
        ) {
            let [a, b, c, d] = around.map(|words| words.join(" "));
            let shared = shared.join(" ");
            let (one, two) = (winnow(&of(&format!("{a} {shared} {b}"))), winnow(&of(&format!("{c} {shared} {d}"))));
            prop_assert!(one.iter().any(|h| two.binary_search(h).is_ok()));
        }
    }
}
