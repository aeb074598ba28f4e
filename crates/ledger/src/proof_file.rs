//! The files of proofs: canonical JSON, plain or in gzip, of bounded size. Row, change and growth proofs are stored so.
//!
//! Not here: what the proofs say (`row_proof.rs`, `change_proof.rs`, `growth_proof.rs`), and reading from a disk.

use std::io::{Read as _, Write as _};

use serde::{Serialize, de::DeserializeOwned};

use crate::canonical::{self, CanonicalError};

/// Larger proofs are refused, unpacked or not: a proof takes some 67 bytes a hash.
pub const LARGEST_PROOF_BYTES: u64 = 256 << 20;

/// First two bytes of every gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why bytes are not the file of a proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// Too large, or damaged gzip.
    #[error("{0}")]
    Form(String),
    /// Not canonical JSON of this form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Whether a file is packed.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP)
}

/// Reads the canonical file, gzip or plain.
///
/// # Errors
/// When it is too large, truncated, or of another form or spelling.
pub fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, ProofFileError> {
    let too_large = |length: u64| length > LARGEST_PROOF_BYTES;
    let refuse = || ProofFileError::Form(format!("more than {LARGEST_PROOF_BYTES} bytes"));
    if !is_gzip(bytes) {
        return if too_large(bytes.len() as u64) { Err(refuse()) } else { Ok(canonical::from_bytes(bytes)?) };
    }
    let mut rest = bytes;
    let mut plain = Vec::new();
    flate2::bufread::GzDecoder::new(&mut rest)
        .take(LARGEST_PROOF_BYTES + 1)
        .read_to_end(&mut plain)
        .map_err(|e| ProofFileError::Form(format!("damaged gzip: {e}")))?;
    if too_large(plain.len() as u64) {
        return Err(refuse());
    }
    if !rest.is_empty() {
        return Err(ProofFileError::Form("bytes follow the end of the gzip".to_owned()));
    }
    Ok(canonical::from_bytes(&plain)?)
}

/// The first bytes of what a packed file holds, at most so many; fewer where it is shorter or damaged.
pub fn beginning(bytes: &[u8], most: u64) -> Vec<u8> {
    let mut plain = Vec::new();
    // What was unpacked before the damage is in the list; that the file is damaged is said where it is read whole.
    let _ = flate2::bufread::GzDecoder::new(bytes).take(most).read_to_end(&mut plain);
    plain
}

/// The canonical file in gzip, as it is stored and handed out. Statements cite the SHA-256 of exactly these bytes, since
/// a gzip header holds bytes that unpacking ignores. The same proof gives the same bytes.
///
/// # Errors
/// Never for a proof made or read here.
pub fn pack(proof: &impl Serialize) -> Result<Vec<u8>, ProofFileError> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let written = gzip.write_all(&canonical::to_bytes(proof)?).and_then(|()| gzip.finish());
    written.map_err(|e| ProofFileError::Form(format!("cannot be packed: {e}")))
}

/// The canonical file, not packed.
///
/// # Errors
/// Never for a proof made or read here.
pub fn plain(proof: &impl Serialize) -> Result<Vec<u8>, ProofFileError> {
    Ok(canonical::to_bytes(proof)?)
}
