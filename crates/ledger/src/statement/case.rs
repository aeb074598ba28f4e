//! What the log says of a case while people handle it: that it was received, and each step. The steps of one case are a
//! chain, so that whoever has the last one can tell whether one before it is missing. Not here: which steps there are, and
//! who may take them.

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Predicate, predicates::predicate};
use crate::keys::Role;

predicate! {
    /// A request was received: what its requester gets at once. Subject: the request, by the digest of what was filed.
    RequestReceipt, "request-receipt/v1", Registrar, acknowledged_at {
        /// Reference of the request.
        request: String,
        /// The regime it is handled under.
        regime: String,
        /// SHA-256 of the regime's file, which stays in force for it.
        regime_file: Digest,
        /// SHA-256 of the file of the calendar that days are counted on.
        calendar_file: Digest,
        /// SHA-256 of what was filed, byte by byte as its requester can download it.
        filed: Digest,
        /// When it was received: its clocks start here.
        received_at: Timestamp,
        /// When this receipt was signed.
        acknowledged_at: Timestamp,
    }
}

predicate! {
    /// A step in a case. Subject: the request, by the digest of what this step carries.
    CaseEvent, "case-event/v1", Registrar, happened_at {
        /// Reference of the request.
        request: String,
        /// Number of the step in its case, from 1 on without a gap.
        sequence: u64,
        /// Envelope digest of the step before; none of the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<Digest>,
        /// The act, such as `approve`.
        action: String,
        /// State of the request before; none of the first step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// State of the request after it.
        to: String,
        /// Who acted: SHA-256 of the salt as text, a zero byte and the name, so that the name can be shown and not be read off.
        actor: Digest,
        /// SHA-256 of what the step carries, as the audit trail has it: a plan's digest, a refusal's code, a reason.
        detail: Digest,
        /// SHA-256 of the authorisation rules in force.
        rules: Digest,
        /// When.
        happened_at: Timestamp,
    }
}

/// The pseudonym of somebody who acts, see [`CaseEvent::actor`].
pub fn actor_digest(salt: &str, name: &str) -> Digest {
    Digest::sha256([salt.as_bytes(), b"\0", name.as_bytes()].concat())
}
