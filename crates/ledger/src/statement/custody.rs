//! What the log says of the keys themselves: that one took another's place, that one is no longer trusted. Not here:
//! where a key counts for a verifier (`trust.rs`), which learns it from the trusted root and never from the log alone.

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Predicate, predicates::predicate};
use crate::keys::Role;

predicate! {
    /// A key took another's place. Subject: the key id of the retired one.
    KeyRotation, "key-rotation/v1", Registrar, rotated_at {
        /// What both sign.
        role: Role,
        /// Key id of the key that is retired.
        retired: Digest,
        /// Key id of the key that takes its place.
        successor: Digest,
        /// Its SPKI PEM.
        public_key: String,
        /// The first entry of the log that the successor may sign, and the first that the retired key may not.
        entry: u64,
        /// When.
        rotated_at: Timestamp,
    }
}

predicate! {
    /// A key is no longer trusted. Subject: its key id.
    KeyRevocation, "key-revocation/v1", Registrar, revoked_at {
        /// What it signed.
        role: Role,
        /// Key id of the key.
        keyid: Digest,
        /// Why, in words.
        reason: String,
        /// Since when others may have had it; nothing that it states about a later time is believed.
        compromised_since: Timestamp,
        /// The first entry of the log that is not believed, if it signed that.
        first_distrusted_entry: u64,
        /// Key id of the key that is in use instead.
        successor: Digest,
        /// When.
        revoked_at: Timestamp,
    }
}
