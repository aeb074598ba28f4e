//! Salted digests that stand for probes, facts and sources in what is published.

use obelus_core::Digest;

/// A salt. Whoever holds it and a probe can find the probe's scores; nobody else can guess a source from its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt of the caller's randomness.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 over the salt and length-prefixed parts, so that no two lists of parts collide.
    pub fn digest(&self, parts: &[&str]) -> Digest {
        let mut bytes = self.0.to_vec();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        Digest::sha256(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other_and_the_salt_counts() {
        let salt = Salt::new([1; 32]);
        assert_ne!(salt.digest(&["ab", "c"]), salt.digest(&["a", "bc"]));
        assert_ne!(salt.digest(&["a"]), Salt::new([2; 32]).digest(&["a"]));
    }
}
