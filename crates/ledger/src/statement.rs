//! in-toto Statements v1 with the predicates of this product. Every field is explained in `docs/attestation/`;
//! the predicates themselves are in `predicates.rs`, the pool that they describe in `pool.rs`,
//! those about keys in `custody.rs`, about the steps of a case in `case.rs`, what certificates have become in `status.rs`, blind challenges in `challenge.rs`. Not here: what statements must say of each other.

mod case;
mod challenge;
mod custody;
mod pool;
mod predicates;
mod status;

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    canonical,
    dsse::{Envelope, EnvelopeError},
    keys::{PublicKey, Role, Signer},
};
pub use case::{CaseEvent, RequestReceipt, actor_digest};
pub use challenge::{BlindChallenge, BlindChallengeResult, ChallengeFigure, Challenges, results_digest};
pub use custody::{KeyRevocation, KeyRotation};
pub use pool::{PoolError, check_extensions, segment_at};
pub use predicates::{
    Adaptation, AuditBundle, Campaign, Certificate, Erasure, ErasureTarget, Figure, PoolExtension, PoolSegment,
    SourceManifest, SourceProvenance, TrainingRun, VerificationProtocol, VerificationRun,
};
pub use status::{CertificateStatus, Renewal, Repetition, StatusEntry};

pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Statements about weights, whose subject may have the digest of their `model.sig` too.
const OF_WEIGHTS: [&str; 4] = [TrainingRun::NAME, Erasure::NAME, VerificationRun::NAME, Certificate::NAME];
const PREDICATES: &str = "https://obelus.dev/attestation/";

/// What a predicate is called and who signs it.
pub trait Predicate: Serialize + DeserializeOwned {
    /// Name and version, the end of the predicate type.
    const NAME: &'static str;
    /// The role whose key signs it.
    const ROLE: Role;
    /// When it says that it was made: its key must have been valid then.
    fn stated_at(&self) -> Timestamp;
}

/// Subject digests. Exactly one is present; both where a statement is about weights and their folder has a `model.sig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SubjectDigest {
    /// Root of a model's weight tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_weight_tree_v1: Option<Digest>,
    /// SHA-256 of anything else. Of a model: the root of its `model.sig`, see [`crate::model_signing::root_digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Name, for people.
    pub name: String,
    /// Digest, for machines.
    pub digest: SubjectDigest,
}

impl Subject {
    /// A model with a weight root.
    pub fn weights(name: &str, root: Digest) -> Self {
        Self { name: name.to_owned(), digest: SubjectDigest { null_weight_tree_v1: Some(root), sha256: None } }
    }

    /// A model with a weight root, in a folder with a `model.sig`; none where there is no signature.
    pub fn signed_weights(name: &str, root: Digest, model_sig: Option<Digest>) -> Self {
        Self { name: name.to_owned(), digest: SubjectDigest { null_weight_tree_v1: Some(root), sha256: model_sig } }
    }

    /// Anything named by SHA-256.
    pub fn sha256(name: &str, digest: Digest) -> Self {
        Self { name: name.to_owned(), digest: SubjectDigest { null_weight_tree_v1: None, sha256: Some(digest) } }
    }
}

/// An in-toto statement with one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// What is stated.
    pub predicate: P,
}

impl<P: Predicate> Statement<P> {
    /// A statement about one subject.
    pub fn new(subject: Subject, predicate: P) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![subject],
            predicate_type: format!("{PREDICATES}{}", P::NAME),
            predicate,
        }
    }

    /// Signs the statement's canonical bytes.
    ///
    /// # Errors
    /// When it is larger than hardware signers take, or the signer refuses.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Envelope, EnvelopeError> {
        Envelope::sign(&canonical::to_bytes(self)?, signer)
    }

    /// Verifies an envelope and reads the statement in it.
    ///
    /// # Errors
    /// When the signature, the form or the predicate type is not what is expected.
    pub fn verify(envelope: &Envelope, key: &PublicKey) -> Result<Self, EnvelopeError> {
        Self::from_payload(&envelope.verify(key)?)
    }

    /// Reads the statement in a payload whose signature the caller has verified.
    ///
    /// # Errors
    /// When the form or the predicate type is not what is expected.
    pub(crate) fn from_payload(payload: &[u8]) -> Result<Self, EnvelopeError> {
        let statement: Self = canonical::from_bytes(payload)?;
        if statement.statement_type != STATEMENT_TYPE {
            return Err(EnvelopeError::Field("the payload is not an in-toto statement v1"));
        }
        if statement.predicate_type != format!("{PREDICATES}{}", P::NAME) {
            return Err(EnvelopeError::Field("the statement has another predicate type"));
        }
        let of_weights = OF_WEIGHTS.contains(&P::NAME);
        let named = |s: &Subject| match (s.digest.null_weight_tree_v1, s.digest.sha256) {
            (Some(_), Some(_)) => of_weights,
            (None, None) => false,
            _ => true,
        };
        if statement.subject.len() != 1 || !statement.subject.iter().all(named) {
            let once = "the statement has not exactly one subject with exactly one digest (two where it is of weights)";
            return Err(EnvelopeError::Field(once));
        }
        Ok(statement)
    }

    /// The subject.
    pub fn subject(&self) -> &Subject {
        &self.subject[0]
    }
}
