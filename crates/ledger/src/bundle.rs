//! A signed statement with its place in the log, as one file: Sigstore bundle v0.3 (sigstore/protobuf-specs,
//! `sigstore_bundle.proto`), signed with a key and without a certificate authority. What npm's `@sigstore/verify` reads.
//!
//! Not here: whether the keys are trusted and what the statement says (`verify/bundle.rs`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::{Checkpoint, CheckpointError, log_id},
    dsse::{Envelope, EnvelopeError},
    keys::PublicKey,
    log_entry,
};

/// Media type of the file.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The file; canonical JSON. Protocol buffers write 64-bit numbers as decimal strings and bytes as base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bundle {
    /// [`MEDIA_TYPE`].
    pub media_type: String,
    /// What it is verified with.
    pub verification_material: VerificationMaterial,
    /// The signed statement.
    pub dsse_envelope: Envelope,
}

/// Which key signed, and the statement's entry in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerificationMaterial {
    /// A hint; the key itself comes from the trusted root.
    pub public_key: KeyHint,
    /// Exactly one here.
    pub tlog_entries: Vec<LogEntry>,
}

/// Names a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyHint {
    /// The key's id.
    pub hint: Digest,
}

/// One entry of the log with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogEntry {
    /// Index of the leaf.
    pub log_index: String,
    /// Which log.
    pub log_id: LogId,
    /// `dsse`, `0.0.1`.
    pub kind_version: KindVersion,
    /// Always `0`: the log vouches for an order, not for a time.
    pub integrated_time: String,
    /// Path to the root.
    pub inclusion_proof: InclusionProof,
    /// Base64 of the leaf's bytes.
    pub canonicalized_body: String,
}

/// A log by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogId {
    /// Base64 of [`log_id`].
    pub key_id: String,
}

/// Form of the leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindVersion {
    /// `dsse`.
    pub kind: String,
    /// `0.0.1`.
    pub version: String,
}

impl KindVersion {
    fn ours() -> Self {
        Self { kind: "dsse".to_owned(), version: "0.0.1".to_owned() }
    }
}

/// An audit path under a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InclusionProof {
    /// Index of the leaf, again.
    pub log_index: String,
    /// Base64 of the root in the checkpoint.
    pub root_hash: String,
    /// Size in the checkpoint.
    pub tree_size: String,
    /// Base64 of each sibling, lowest first.
    pub hashes: Vec<String>,
    /// The signed note.
    pub checkpoint: Note,
}

/// A signed note as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The note.
    pub envelope: String,
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The statement.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A member has a value that is never written, or contradicts another.
    #[error("bundle: {0}")]
    Member(&'static str),
}

/// Where a bundle says that its statement is; nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the leaf.
    pub index: u64,
    /// Siblings, lowest first.
    pub path: Vec<Digest>,
}

impl Bundle {
    /// Puts a statement signed by `signer` together with its place under a checkpoint signed by `log_key`.
    ///
    /// # Errors
    /// When the statement or the checkpoint does not verify under those keys.
    pub fn new(
        envelope: Envelope,
        signer: &PublicKey,
        place: &Place,
        note: &str,
        origin: &str,
        log_key: &PublicKey,
    ) -> Result<Self, BundleError> {
        let body = log_entry::body(&envelope, signer)?;
        let checkpoint = Checkpoint::verify(note, origin, log_key)?;
        let entry = LogEntry {
            log_index: place.index.to_string(),
            log_id: LogId { key_id: STANDARD.encode(log_id(origin, log_key)) },
            kind_version: KindVersion::ours(),
            integrated_time: "0".to_owned(),
            inclusion_proof: InclusionProof {
                log_index: place.index.to_string(),
                root_hash: STANDARD.encode(checkpoint.root),
                tree_size: checkpoint.size.to_string(),
                hashes: place.path.iter().map(|hash| STANDARD.encode(hash)).collect(),
                checkpoint: Note { envelope: note.to_owned() },
            },
            canonicalized_body: STANDARD.encode(body),
        };
        Ok(Self {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: VerificationMaterial {
                public_key: KeyHint { hint: signer.id() },
                tlog_entries: vec![entry],
            },
            dsse_envelope: envelope,
        })
    }

    /// The signed checkpoint's text, unverified.
    ///
    /// # Errors
    /// When there is not exactly one log entry.
    pub fn note(&self) -> Result<&str, BundleError> {
        Ok(&self.entry()?.inclusion_proof.checkpoint.envelope)
    }

    /// The index that the bundle states, unverified.
    ///
    /// # Errors
    /// When it is not a number.
    pub fn index(&self) -> Result<u64, BundleError> {
        self.entry()?.log_index.parse().map_err(|_| BundleError::Member("the index is not a number"))
    }

    /// The bytes of the leaf, unverified.
    ///
    /// # Errors
    /// When they are not base64 in its one spelling.
    pub fn body(&self) -> Result<Vec<u8>, BundleError> {
        STANDARD.decode(&self.entry()?.canonicalized_body).map_err(|_| BundleError::Member("the leaf is not base64"))
    }

    fn entry(&self) -> Result<&LogEntry, BundleError> {
        let [entry] = self.verification_material.tlog_entries.as_slice() else {
            return Err(BundleError::Member("there is not exactly one log entry"));
        };
        Ok(entry)
    }

    /// Checks everything that is said outside of the signatures against a statement signed by `signer` and a checkpoint
    /// that `log_key` signed, both verified by the caller, and gives the place that is left to verify.
    ///
    /// # Errors
    /// When a member is not what [`Bundle::new`] writes.
    pub fn place(
        &self,
        signer: &PublicKey,
        checkpoint: &Checkpoint,
        log_key: &PublicKey,
    ) -> Result<Place, BundleError> {
        let entry = self.entry()?;
        let proof = &entry.inclusion_proof;
        let index = self.index()?;
        let path = proof.hashes.iter().map(|hash| decoded(hash)).collect::<Option<Vec<_>>>();
        let path = path.ok_or(BundleError::Member("a hash of the path is not base64 of 32 bytes"))?;
        let place = Place { index, path };
        // Written anew and compared: whatever has one spelling only cannot be changed unnoticed.
        let note = &proof.checkpoint.envelope;
        let same = Self::new(self.dsse_envelope.clone(), signer, &place, note, &checkpoint.origin, log_key)?;
        if same == *self {
            Ok(place)
        } else {
            Err(BundleError::Member("a member is not what the statement and the log give"))
        }
    }
}

fn decoded(hash: &str) -> Option<Digest> {
    Some(Digest::new(STANDARD.decode(hash).ok()?.try_into().ok()?))
}
