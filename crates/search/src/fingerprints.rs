//! Fingerprints of struck sources: enough to notice that a document nearly the same comes in again, and no text. Without the
//! salt, which is kept apart, nobody can try whether a text that they guess was struck. Not here: the index, which forgets.

use hmac::{Hmac, KeyInit, Mac};
use obelus_core::Digest;
use sha2::Sha256;

use crate::{
    passage::NEAR,
    shingles::SHINGLE_WORDS,
    signature::{PLACES, Signature},
    words::Words,
};

/// Begins the bytes; another way to reckon fingerprints gets another version.
const MAGIC: [u8; 8] = *b"OBLUSFP\x01";
const DIGEST_BYTES: usize = 32;
/// Says which salt the fingerprints are of, without saying the salt.
const SALT_LABEL: &[u8] = b"obelus-fingerprints/v1/salt";
/// Bytes between the words of a shingle: in no word, so that no two shingles look alike.
const BETWEEN_WORDS: &[u8] = b" ";

/// Fingerprints of documents that were struck, under one salt.
#[derive(Clone)]
pub struct Fingerprints {
    salt: [u8; 32],
    kept: Vec<(String, Signature)>,
}

/// A struck document that another one is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Resemblance {
    /// The struck source.
    pub source: String,
    /// Estimated Jaccard similarity of their runs of five words, from 0 to 1; the standard deviation is at most 0.045.
    pub similarity: f64,
}

/// The bytes are no fingerprints, or not of this salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintsError {
    /// Of another version, or something else.
    #[error("these are no fingerprints of version 1; read them with the version of Obelus that wrote them")]
    Version,
    /// Some bytes are missing or others.
    #[error("the fingerprints are damaged; restore them from a copy")]
    Damaged,
    /// They were made with another salt.
    #[error("the fingerprints were made with another salt; give the one that is kept for them")]
    Salt,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprints").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Fingerprints {
    /// None yet, under this salt: 32 random bytes, the same for as long as fingerprints are added.
    pub const fn new(salt: [u8; 32]) -> Self {
        Self { salt, kept: Vec::new() }
    }

    /// Keeps the fingerprint of a document of a source. A text without words has none.
    pub fn add(&mut self, source: &str, text: &str) {
        if let Some(signature) = self.signature(text) {
            self.kept.push((source.to_owned(), signature));
        }
    }

    /// How many documents.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The bytes to keep: magic and version (8), SHA-256 of label and salt (32), and for each document the length of the
    /// source's id (4, little-endian), the id, and 128 numbers (4 each, little-endian); then SHA-256 of all this.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(salt_check(&self.salt).as_bytes());
        for (source, Signature(numbers)) in &self.kept {
            bytes.extend((source.len() as u32).to_le_bytes());
            bytes.extend(source.as_bytes());
            bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        }
        let digest = Digest::sha256(&bytes);
        bytes.extend(digest.as_bytes());
        bytes
    }

    /// Reads what [`Fingerprints::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are of another version, damaged, or made with another salt.
    pub fn from_bytes(bytes: &[u8], salt: [u8; 32]) -> Result<Self, FingerprintsError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(FingerprintsError::Version)?;
        let (body, digest) = bytes.split_last_chunk::<DIGEST_BYTES>().ok_or(FingerprintsError::Damaged)?;
        if Digest::sha256(body).as_bytes() != digest || rest.len() < 2 * DIGEST_BYTES {
            return Err(FingerprintsError::Damaged);
        }
        let (check, mut rest) = rest[..rest.len() - DIGEST_BYTES].split_at(DIGEST_BYTES);
        if check != salt_check(&salt).as_bytes() {
            return Err(FingerprintsError::Salt);
        }
        let mut kept = Vec::new();
        while !rest.is_empty() {
            let (entry, after) = entry(rest).ok_or(FingerprintsError::Damaged)?;
            kept.push(entry);
            rest = after;
        }
        Ok(Self { salt, kept })
    }

    fn signature(&self, text: &str) -> Option<Signature> {
        let keyed = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.salt).expect("a key of HMAC has any length");
        let words = Words::of(text);
        let size = SHINGLE_WORDS.min(words.len());
        let shingle = |start: usize| {
            let mut mac = keyed.clone();
            for index in start..start + size {
                mac.update(words.word(index).as_bytes());
                mac.update(BETWEEN_WORDS);
            }
            let bytes = mac.finalize().into_bytes();
            u64::from_le_bytes(*bytes.first_chunk().expect("a SHA-256 has 32 bytes"))
        };
        let shingles: Vec<u64> = (0..(words.len() + 1 - size).min(words.len())).map(shingle).collect();
        Signature::of(&shingles)
    }
}

fn salt_check(salt: &[u8; 32]) -> Digest {
    Digest::sha256([SALT_LABEL, salt].concat())
}

/// The first entry, and what follows it.
fn entry(bytes: &[u8]) -> Option<((String, Signature), &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (source, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let source = String::from_utf8(source.to_vec()).ok()?;
    let (numbers, rest) = rest.split_at_checked(PLACES * 4)?;
    let mut signature = [0; PLACES];
    for (number, bytes) in signature.iter_mut().zip(numbers.as_chunks::<4>().0) {
        *number = u32::from_le_bytes(*bytes);
    }
    Some(((source, Signature(signature)), rest))
}

/// The struck document that a text is most like, if it is nearly the same; of equals the one kept first. A struck text
/// within a much longer one is not noticed by this.
pub fn resembles(text: &str, struck: &Fingerprints) -> Option<Resemblance> {
    let signature = struck.signature(text)?;
    let likenesses = struck.kept.iter().map(|(source, kept)| (source, kept.similarity(&signature)));
    let (source, similarity) = likenesses.rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (similarity >= NEAR).then(|| Resemblance { source: source.clone(), similarity })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "The ferry to Harn leaves at nine from the old pier, and the last one comes back before the tide \
                        turns; in winter it waits for the mail, the doctor and whoever has business with the court.";

    fn struck(salt: u8) -> Fingerprints {
        let mut fingerprints = Fingerprints::new([salt; 32]);
        fingerprints
            .add("other", "Nothing of this kind was ever said about the bakers of the upper town, or their guild.");
        fingerprints.add("ferry", TEXT);
        fingerprints
    }

    fn check(text: &str, expected: Option<&str>) {
        let found = resembles(text, &struck(7));
        assert_eq!(found.as_ref().map(|r| r.source.as_str()), expected, "{text:?}: {found:?}");
    }

    #[test]
    fn a_struck_text_is_noticed_also_when_it_was_touched() {
        check(TEXT, Some("ferry"));
        check(&TEXT.to_uppercase().replace(',', " --"), Some("ferry"));
        check(&TEXT.replace("the mail", "parcels"), Some("ferry"));
        check("A ferry leaves at nine, and the last one comes back.", None);
        check("", None);
        check("?!", None);
    }

    #[test]
    fn bytes_come_back_and_hold_no_text() {
        let bytes = struck(7).to_bytes();
        let read = Fingerprints::from_bytes(&bytes, [7; 32]).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(resembles(TEXT, &read).unwrap().similarity, 1.0);
        assert!(!bytes.windows(4).any(|w| w == b"pier"));
    }

    #[test]
    fn without_the_salt_a_guess_tells_nothing() {
        let bytes = struck(7).to_bytes();
        assert_eq!(Fingerprints::from_bytes(&bytes, [8; 32]).unwrap_err(), FingerprintsError::Salt);
        let (one, two) = (struck(7), struck(8));
        assert!(one.kept[1].1.similarity(&two.kept[1].1) < 0.05);
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = struck(7).to_bytes();
        for end in 0..bytes.len() {
            assert!(Fingerprints::from_bytes(&bytes[..end], [7; 32]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(Fingerprints::from_bytes(&other, [7; 32]).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_like_itself(text in "\\PC{0,60}") {
            let mut fingerprints = Fingerprints::new([1; 32]);
            fingerprints.add("s", &text);
            let found = resembles(&text, &fingerprints).map(|r| r.similarity);
            prop_assert_eq!(found, (!Words::of(&text).is_empty()).then_some(1.0));
        }
    }
}
