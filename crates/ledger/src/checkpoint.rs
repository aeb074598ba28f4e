//! The log's signed checkpoint: C2SP tlog-checkpoint in a C2SP signed note. Tiles are not here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;

use crate::keys::{KeyError, PublicKey, Signer};

/// Notes longer than this are refused unread.
const LARGEST_NOTE_BYTES: usize = 64 << 10;
/// Algorithm byte of Ed25519 in C2SP signed-note keys.
const ED25519: u8 = 1;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, also the name of its key.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

/// Why a note is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note of this form.
    #[error("not a signed checkpoint: {0}")]
    Form(&'static str),
    /// No signature line of the expected key, or one that does not verify.
    #[error("the checkpoint has no valid signature of {0}")]
    Unsigned(String),
    /// The signer refused.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The id of a log and its key: `SHA256(name || 0x0A || 0x01 || key)`.
pub fn log_id(name: &str, key: &PublicKey) -> Digest {
    Digest::sha256([name.as_bytes(), &[b'\n', ED25519], key.as_bytes()].concat())
}

/// Key id in signature lines: the first four bytes of [`log_id`].
fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let mut hash = [0; 4];
    hash.copy_from_slice(&log_id(name, key).as_bytes()[..4]);
    hash
}

/// The verifier key as one line: `name+hex+base64(0x01 || key)`.
pub fn vkey(name: &str, key: &PublicKey) -> String {
    let raw = [&[ED25519][..], key.as_bytes()].concat();
    format!("{name}+{}+{}", hex::encode(key_hash(name, key)), STANDARD.encode(raw))
}

impl Checkpoint {
    /// The note's text, up to and including the newline before the blank line.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    ///
    /// # Errors
    /// When the signer refuses.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, CheckpointError> {
        let text = self.text();
        let signature = signer.sign(text.as_bytes())?;
        let raw = [&key_hash(&self.origin, &signer.public_key())[..], &signature].concat();
        Ok(format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(raw)))
    }

    /// Reads a note and verifies the log's own signature. Further signature lines (witnesses) are allowed and ignored.
    ///
    /// # Errors
    /// When the note has another form, another origin, or no valid signature of `key`.
    pub fn verify(note: &str, origin: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let form = CheckpointError::Form;
        if note.len() > LARGEST_NOTE_BYTES {
            return Err(form("it is too long"));
        }
        let (text, signatures) = note.split_once("\n\n").ok_or(form("there is no blank line"))?;
        let mut lines = text.split('\n');
        let (Some(name), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(form("the text is not origin, size and root"));
        };
        if name != origin {
            return Err(form("the origin is another log"));
        }
        let size: u64 = size.parse().map_err(|_| form("the size is not a number"))?;
        let root = STANDARD.decode(root).map_err(|_| form("the root is not base64"))?;
        let root: [u8; 32] = root.try_into().map_err(|_| form("the root has not 32 bytes"))?;
        let found = Self { origin: name.to_owned(), size, root: Digest::new(root) };
        // A size of "07" or "+7" would be another spelling of the same number.
        if format!("{text}\n") != found.text() {
            return Err(form("the text has another spelling"));
        }
        let body = signatures.strip_suffix('\n').ok_or(form("the last line does not end"))?;
        let mut signed = false;
        for line in body.split('\n') {
            let parts = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' '));
            let (signer, raw) = parts.ok_or(form("a signature line has another form"))?;
            let raw = STANDARD.decode(raw).map_err(|_| form("a signature is not base64"))?;
            let (hash, signature) = raw.split_at_checked(4).ok_or(form("a signature is too short"))?;
            if signer == origin && hash == key_hash(origin, key) {
                let valid = key.verify(found.text().as_bytes(), signature).is_ok();
                if signed || !valid {
                    return Err(CheckpointError::Unsigned(vkey(origin, key)));
                }
                signed = true;
            }
        }
        if signed { Ok(found) } else { Err(CheckpointError::Unsigned(vkey(origin, key))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::PrivateKey;

    #[test]
    fn every_flipped_bit_of_a_note_is_noticed() {
        let key = PrivateKey::from_seed(&[9; 32]);
        let public = key.public_key();
        let checkpoint = Checkpoint { origin: "log.example/a".into(), size: 7, root: Digest::sha256("root") };
        let note = checkpoint.sign(&key).unwrap();
        assert_eq!(Checkpoint::verify(&note, "log.example/a", &public).unwrap(), checkpoint);
        for i in 0..note.len() {
            for bit in 0..8 {
                let mut bad = note.clone().into_bytes();
                bad[i] ^= 1 << bit;
                let Ok(bad) = String::from_utf8(bad) else { continue };
                assert!(Checkpoint::verify(&bad, "log.example/a", &public).is_err(), "bit {bit} of byte {i}");
            }
        }
    }

    #[test]
    fn other_keys_origins_and_witness_lines() {
        let key = PrivateKey::from_seed(&[9; 32]);
        let checkpoint = Checkpoint { origin: "log.example/a".into(), size: 0, root: Digest::sha256("") };
        let note = checkpoint.sign(&key).unwrap();
        assert!(Checkpoint::verify(&note, "log.example/b", &key.public_key()).is_err());
        assert!(Checkpoint::verify(&note, "log.example/a", &PrivateKey::from_seed(&[8; 32]).public_key()).is_err());
        let witnessed = format!("{note}\u{2014} witness.example AAAAAAAA\n");
        assert!(Checkpoint::verify(&witnessed, "log.example/a", &key.public_key()).is_ok());
    }
}
