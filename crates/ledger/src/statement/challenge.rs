//! What is said of a blind challenge: that sealed probes were deposited, and what the erased model made of them once they
//! were open. Not here: the sealed file (`sealed_probes.rs`).

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Predicate, predicates::predicate};
use crate::{
    canonical::{self, CanonicalError},
    keys::Role,
};

predicate! {
    /// Sealed probes were deposited before a takedown. Subject: the sealed file.
    BlindChallenge, "blind-challenge/v1", Issuer, deposited_at {
        /// Challenge id.
        challenge: String,
        /// Reference of the request.
        request: String,
        /// Model name.
        model: String,
        /// What the file commits to, see [`crate::sealed_probes::commitment`].
        commitment: Digest,
        /// Length of the sealed file.
        sealed_bytes: u64,
        /// When.
        deposited_at: Timestamp,
    }
}

/// One comparison of a challenge. Decimals with their intervals; empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeFigure {
    /// Kind of facts and metric.
    pub name: String,
    /// How it came out.
    pub outcome: String,
    /// Facts that were asked about.
    pub facts: u64,
    /// The erased model.
    pub erased: String,
    /// The retrain.
    pub retrain: String,
    /// Erased minus retrain.
    pub difference: String,
}

/// The challenges that were opened before a certificate was issued. They are reported apart and change no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenges {
    /// How many.
    pub count: u64,
    /// Digest of the list of their results, see [`results_digest`].
    pub results: Digest,
}

/// SHA-256 over the canonical JSON of the envelope digests of results, in the order of the log.
///
/// # Errors
/// Never for digests.
pub fn results_digest(results: &[Digest]) -> Result<Digest, CanonicalError> {
    Ok(Digest::sha256(canonical::to_bytes(&results)?))
}

predicate! {
    /// Deposited probes were opened and asked. Subject: the weights that were asked.
    BlindChallengeResult, "blind-challenge-result/v1", Issuer, opened_at {
        /// Challenge id.
        challenge: String,
        /// Reference of the request.
        request: String,
        /// Model name.
        model: String,
        /// Envelope digest of the deposit.
        deposit: Digest,
        /// Envelope digest of the erasure.
        erasure: Digest,
        /// What was deposited commits to this, and what was opened is this.
        commitment: Digest,
        /// Probes that were asked.
        probes: u64,
        /// Envelope digests of the training runs of the retrains that it was compared with.
        baselines: Vec<Digest>,
        /// SHA-256 of the results.
        results: Digest,
        /// `pass`, `inconclusive`, `fail` or `not_tested`.
        outcome: String,
        /// Shares of known facts.
        figures: Vec<ChallengeFigure>,
        /// What this does not prove.
        limits: Vec<String>,
        /// When.
        opened_at: Timestamp,
    }
}
