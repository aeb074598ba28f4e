//! The generator's source of chance: SHA-256 in counter mode, so that a seed gives the same corpus on every machine for
//! all time. Not for keys, and not the derivation of masks, which is `null-mask/v1`.

use obelus_core::Digest;

/// An endless stream of numbers that a seed and a label determine.
///
/// Block i is SHA-256("obelus-generator/v1\0" || u64be(seed) || u32be(length of label) || label || u64be(i)); it gives
/// four big-endian 64-bit words. Streams of different labels are independent: using more of one changes no other.
#[derive(Clone, Debug)]
pub struct Stream {
    prefix: Vec<u8>,
    block: u64,
    words: Vec<u64>,
}

impl Stream {
    /// The stream of a seed and a label.
    pub fn new(seed: u64, label: &str) -> Self {
        let mut prefix = b"obelus-generator/v1\0".to_vec();
        prefix.extend_from_slice(&seed.to_be_bytes());
        prefix.extend_from_slice(&(label.len() as u32).to_be_bytes());
        prefix.extend_from_slice(label.as_bytes());
        Self { prefix, block: 0, words: Vec::new() }
    }

    fn word(&mut self) -> u64 {
        if self.words.is_empty() {
            let mut bytes = self.prefix.clone();
            bytes.extend_from_slice(&self.block.to_be_bytes());
            self.block += 1;
            let digest = Digest::sha256(&bytes);
            self.words = digest.as_bytes().as_chunks::<8>().0.iter().rev().map(|w| u64::from_be_bytes(*w)).collect();
        }
        // Just filled: a digest has four words.
        self.words.pop().unwrap_or_default()
    }

    /// A number below `bound`, all equally likely; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        let first_refused = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let word = self.word();
            if word <= first_refused {
                return (word % bound) as usize;
            }
        }
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// `count` different numbers below `bound`, in random order; all of them if there are not so many.
    pub fn choose(&mut self, bound: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..bound).collect();
        self.shuffle(&mut all);
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_label_same_numbers() {
        let draw = |seed, label| {
            let mut s = Stream::new(seed, label);
            [(); 9].map(|()| s.below(1000))
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn words_are_those_of_the_definition() {
        let block = Digest::sha256(b"obelus-generator/v1\0\0\0\0\0\0\0\0\x07\0\0\0\x01x\0\0\0\0\0\0\0\0");
        let mut stream = Stream::new(7, "x");
        for expected in block.as_bytes().as_chunks::<8>().0 {
            assert_eq!(stream.word(), u64::from_be_bytes(*expected));
        }
    }

    #[test]
    fn draws_are_even() {
        let mut stream = Stream::new(3, "even");
        let mut counts = [0; 7];
        (0..7000).for_each(|_| counts[stream.below(7)] += 1);
        assert!(counts.iter().all(|c| (850..1150).contains(c)), "{counts:?}");
        assert_eq!(stream.choose(5, 9).len(), 5);
        assert_eq!(stream.below(1), 0);
    }
}
