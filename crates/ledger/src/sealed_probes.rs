//! Sealed probes: questions that somebody commits to before a takedown and opens after it. Who keeps the sealed file learns
//! its size and nothing else; who sealed it cannot change what is in it. Made and opened from bytes.
//!
//! Not here: what a probe is (`obelus-corpus`), and when a file may be deposited or opened (`obelus-auditor`).

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::keys::{Zeroize as _, Zeroizing};

/// What a sealed file begins with: format and version.
pub const MAGIC: &[u8; 24] = b"obelus-sealed-probes/v1\n";
/// Format name of the key's file.
pub const KEY_FORMAT: &str = "obelus-probe-key/v1";
/// Most bytes of probes that are sealed.
pub const MOST_PROBE_BYTES: usize = 4 << 20;

const COMMITMENT_BYTES: usize = 32;
const NONCE_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = MAGIC.len() + COMMITMENT_BYTES;
const LEAST_BYTES: usize = HEADER_BYTES + NONCE_BYTES + TAG_BYTES + 1;
/// Most bytes of a sealed file.
pub const MOST_SEALED_BYTES: usize = LEAST_BYTES - 1 + MOST_PROBE_BYTES;

/// Why probes are not sealed or not opened. Never says anything of what is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a sealed file.
    #[error("it is no file of sealed probes; obelus challenge seal makes one")]
    Form,
    /// Empty or too large.
    #[error("probes to be sealed are between 1 and {MOST_PROBE_BYTES} bytes; these are {0}")]
    Size(usize),
    /// Not a key's file.
    #[error("it is no key of sealed probes; obelus challenge seal writes one beside the sealed file")]
    KeyForm,
    /// The key of another file.
    #[error("the key is that of the sealed file {key}, not of {file}")]
    OtherFile {
        /// SHA-256 of the file that the key is for.
        key: Digest,
        /// SHA-256 of the file.
        file: Digest,
    },
    /// Decryption refused.
    #[error("the key does not open the sealed file")]
    Key,
    /// What was opened is not what was committed to.
    #[error("the sealed file opens to something else than it commits to, so it counts for nothing")]
    Commitment,
    /// No randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
}

/// The key of one sealed file, as whoever sealed it keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeKey {
    /// AES-256 key.
    key: Zeroizing<[u8; 32]>,
    /// SHA-256 of the sealed file.
    sealed: Digest,
}

/// A key as its file has it, in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    key: String,
    sealed: Digest,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl std::fmt::Debug for ProbeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProbeKey(of {})", self.sealed)
    }
}

impl ProbeKey {
    /// Reads a key's file.
    ///
    /// # Errors
    /// [`SealError::KeyForm`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| SealError::KeyForm)?;
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&file.key, &mut key[..]).map_err(|_| SealError::KeyForm)?;
        if file.format != KEY_FORMAT {
            return Err(SealError::KeyForm);
        }
        Ok(Self { key, sealed: file.sealed })
    }

    /// The bytes of a key's file.
    ///
    /// # Errors
    /// Never for a key.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let file =
            KeyFile { format: KEY_FORMAT.to_owned(), key: hex::encode(self.key.as_slice()), sealed: self.sealed };
        let mut bytes = serde_json::to_vec(&file).map_err(|_| SealError::KeyForm)?;
        bytes.push(b'\n');
        Ok(Zeroizing::new(bytes))
    }

    /// SHA-256 of the sealed file that it opens.
    pub fn sealed(&self) -> Digest {
        self.sealed
    }

    fn cipher(&self) -> Result<Aes256Gcm, SealError> {
        Aes256Gcm::new_from_slice(self.key.as_slice()).map_err(|_| SealError::KeyForm)
    }
}

/// What was sealed.
pub struct Unsealed {
    /// The random bytes that hide the commitment: whoever has them and the probes can check it. They also salt the digests
    /// by which results name the probes.
    pub nonce: [u8; NONCE_BYTES],
    /// The probes, as they were sealed.
    pub probes: Zeroizing<Vec<u8>>,
}

/// Seals probes under a fresh key: the sealed file and its key.
///
/// # Errors
/// When there is nothing or too much to seal, or no randomness.
pub fn seal(probes: &[u8]) -> Result<(Vec<u8>, ProbeKey), SealError> {
    let (mut key, mut nonce) = (Zeroizing::new([0; 32]), Zeroizing::new([0; NONCE_BYTES]));
    for random in [&mut key, &mut nonce] {
        getrandom::fill(&mut random[..]).map_err(|_| SealError::Randomness)?;
    }
    sealed_with(probes, &key, &nonce, commitment_to(&nonce, probes))
}

fn sealed_with(
    probes: &[u8],
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    commitment: Digest,
) -> Result<(Vec<u8>, ProbeKey), SealError> {
    if probes.is_empty() || probes.len() > MOST_PROBE_BYTES {
        return Err(SealError::Size(probes.len()));
    }
    let mut file = [&MAGIC[..], commitment.as_bytes()].concat();
    let mut of_file = ProbeKey { key: Zeroizing::new(*key), sealed: commitment };
    let plain = Zeroizing::new([&nonce[..], probes].concat());
    // Every key seals one file, so no number used once is ever used twice.
    let sealed = of_file.cipher()?.encrypt(&Nonce::default(), Payload { msg: &plain, aad: &file });
    file.extend(sealed.map_err(|_| SealError::Size(probes.len()))?);
    of_file.sealed = Digest::sha256(&file);
    Ok((file, of_file))
}

/// What a sealed file commits to. AES-GCM alone does not bind its sender: one ciphertext can be made that opens under two
/// keys to two texts, and then who sealed it could choose after the takedown. So the file names, and the log keeps, a
/// SHA-256 over the random bytes and the probes, which nobody opens in two ways; the random bytes keep it from being
/// guessed.
fn commitment_to(nonce: &[u8; NONCE_BYTES], probes: &[u8]) -> Digest {
    Digest::sha256([&MAGIC[..], nonce, probes].concat())
}

/// The commitment that a sealed file states: SHA-256 over [`MAGIC`], 32 random bytes and the probes.
///
/// # Errors
/// When it is no sealed file.
pub fn commitment(file: &[u8]) -> Result<Digest, SealError> {
    let fits = file.starts_with(MAGIC) && (LEAST_BYTES..=MOST_SEALED_BYTES).contains(&file.len());
    let stated = file.get(MAGIC.len()..HEADER_BYTES).filter(|_| fits).ok_or(SealError::Form)?;
    Ok(Digest::new(stated.try_into().map_err(|_| SealError::Form)?))
}

/// Opens a sealed file with its key.
///
/// # Errors
/// When the key is another's, the file was changed, or what is in it is not what it commits to.
pub fn open(file: &[u8], key: &ProbeKey) -> Result<Unsealed, SealError> {
    let stated = commitment(file)?;
    let found = Digest::sha256(file);
    if found != key.sealed {
        return Err(SealError::OtherFile { key: key.sealed, file: found });
    }
    let (aad, msg) = file.split_at(HEADER_BYTES);
    let plain = key.cipher()?.decrypt(&Nonce::default(), Payload { msg, aad }).map_err(|_| SealError::Key)?;
    let plain = Zeroizing::new(plain);
    let (nonce, probes) = plain.split_at_checked(NONCE_BYTES).ok_or(SealError::Form)?;
    let nonce = nonce.try_into().map_err(|_| SealError::Form)?;
    if commitment_to(&nonce, probes) != stated {
        return Err(SealError::Commitment);
    }
    Ok(Unsealed { nonce, probes: Zeroizing::new(probes.to_vec()) })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const PROBES: &[u8] = b"{\"source\":\"a\",\"prompt\":\"The river is\",\"answer\":\"wide\"}\n";

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_nothing_of_it_is_in_the_file(probes in prop::collection::vec(any::<u8>(), 1..300)) {
            let (file, key) = seal(&probes).unwrap();
            let key = ProbeKey::from_bytes(&key.to_bytes().unwrap()).unwrap();
            let opened = open(&file, &key).unwrap();
            prop_assert_eq!(&opened.probes[..], &probes[..]);
            prop_assert_eq!(commitment(&file).unwrap(), commitment_to(&opened.nonce, &probes));
            let windows: HashSet<&[u8]> = probes.windows(16).collect();
            prop_assert!(!file.windows(16).any(|window| windows.contains(window)));
            // The same probes, sealed again, have nothing in common but their length.
            let (again, _) = seal(&probes).unwrap();
            prop_assert_eq!(again.len(), file.len());
            prop_assert_ne!(commitment(&again).unwrap(), commitment(&file).unwrap());
        }
    }

    #[test]
    fn every_flipped_byte_and_truncation_is_refused() {
        let (file, key) = seal(PROBES).unwrap();
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            assert!(open(&bad, &key).is_err(), "byte {at}");
            // Nor when the key says that this is its file.
            let key = ProbeKey { sealed: Digest::sha256(&bad), ..key.clone() };
            assert!(open(&bad, &key).is_err(), "byte {at}, the key adapted");
            assert!(open(&file[..at], &key).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn another_key_is_refused_and_said_to_be_that_of_another_file() {
        let ((file, _), (_, key)) = (seal(PROBES).unwrap(), seal(PROBES).unwrap());
        assert!(matches!(open(&file, &key), Err(SealError::OtherFile { .. })));
        let swapped = ProbeKey { sealed: Digest::sha256(&file), ..key };
        assert_eq!(open(&file, &swapped).err(), Some(SealError::Key));
    }

    #[test]
    fn a_file_that_opens_to_something_it_does_not_commit_to_is_refused() {
        let elsewhere = commitment_to(&[1; 32], b"other probes");
        let (file, key) = sealed_with(PROBES, &[7; 32], &[1; 32], elsewhere).unwrap();
        assert_eq!(commitment(&file), Ok(elsewhere));
        assert_eq!(open(&file, &key).err(), Some(SealError::Commitment));
    }

    #[test]
    fn sizes_and_forms_are_checked_and_a_key_is_not_printed() {
        assert_eq!(seal(b"").err(), Some(SealError::Size(0)));
        assert!(matches!(seal(&vec![1; MOST_PROBE_BYTES + 1]), Err(SealError::Size(_))));
        let (file, key) = seal(&vec![1; MOST_PROBE_BYTES]).unwrap();
        assert_eq!(file.len(), MOST_SEALED_BYTES);
        assert_eq!(commitment(&[&file[..], b"more"].concat()), Err(SealError::Form));
        assert_eq!(commitment(PROBES), Err(SealError::Form));
        let secret = hex::encode(key.key.as_slice());
        assert!(!format!("{key:?}").contains(&secret));
        let text = String::from_utf8(key.to_bytes().unwrap().to_vec()).unwrap();
        for bad in [text.replace("v1", "v2"), text.replacen(&secret, "00", 1), "{}".to_owned()] {
            assert_eq!(ProbeKey::from_bytes(bad.as_bytes()), Err(SealError::KeyForm));
        }
    }
}
