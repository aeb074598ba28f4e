//! The downloadable certificate: the signed certificate statement and everything needed to check it offline.

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    dsse::Envelope,
    keys::Role,
    manifest::Presence,
    statement::{
        Campaign, Certificate, Erasure, PoolExtension, Predicate, SourceManifest, TrainingRun, VerificationProtocol,
        VerificationRun,
    },
    weight_tree::Layout,
};

/// Format name in the file.
pub const FORMAT: &str = "obelus-certificate/v1";
/// The only first claim that a certificate makes.
pub const ERASURE_CLAIM: &str = "proved";
/// Title of a certificate whose verdict is `not_verified`, and of no other.
pub const FAILED_TITLE: &str = "Erasure record, verification failed";

/// The statements that a certificate rests on, in the order in which they were logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Exhibit {
    /// `campaign/v1`
    Campaign,
    /// `pool-extension/v1`; any number of them, in a list of their own.
    PoolExtension,
    /// `source-manifest/v1`
    Manifest,
    /// `training-run/v1`
    Training,
    /// `verification-protocol/v1`
    Protocol,
    /// `erasure/v1`
    Erasure,
    /// `verification-run/v1`
    Verification,
    /// `certificate/v1`
    Certificate,
}

impl Exhibit {
    /// Those of which a certificate has one each, in log order.
    pub const ALL: [Self; 7] = [
        Self::Campaign,
        Self::Manifest,
        Self::Training,
        Self::Protocol,
        Self::Erasure,
        Self::Verification,
        Self::Certificate,
    ];

    /// Name of its predicate, and the role whose key signs it.
    pub fn signed_by(self) -> (&'static str, Role) {
        fn of<P: Predicate>() -> (&'static str, Role) {
            (P::NAME, P::ROLE)
        }
        match self {
            Self::Campaign => of::<Campaign>(),
            Self::PoolExtension => of::<PoolExtension>(),
            Self::Manifest => of::<SourceManifest>(),
            Self::Training => of::<TrainingRun>(),
            Self::Protocol => of::<VerificationProtocol>(),
            Self::Erasure => of::<Erasure>(),
            Self::Verification => of::<VerificationRun>(),
            Self::Certificate => of::<Certificate>(),
        }
    }
}

/// One logged statement: its envelope and its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// Which statement.
    pub exhibit: Exhibit,
    /// The envelope.
    pub envelope: Envelope,
    /// Index in the log.
    pub index: u64,
    /// Audit path to the checkpoint's root.
    pub path: Vec<Digest>,
}

/// The document. Canonical JSON; the row proof is a file of its own beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CertificateDocument {
    /// `obelus-certificate/v1`.
    pub format: String,
    /// One of each exhibit, in log order.
    pub exhibits: Vec<Logged>,
    /// The pool extensions that the manifest rests on, oldest first; missing where the pool never grew. The log has them
    /// between campaign and manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Logged>,
    /// The records of the struck sources and their places in the manifest, ascending by key.
    pub sources: Vec<Presence>,
    /// Layout of the checkpoint.
    pub layout: Layout,
    /// Signed checkpoint that covers every exhibit.
    pub checkpoint: String,
    /// File name of the row proof.
    pub row_proof_file: String,
}

impl CertificateDocument {
    /// The envelope of an exhibit.
    pub fn envelope(&self, exhibit: Exhibit) -> Option<&Envelope> {
        self.exhibits.iter().find(|e| e.exhibit == exhibit).map(|e| &e.envelope)
    }
}
