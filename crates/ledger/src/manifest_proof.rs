//! Documents for outsiders about one source and one signed manifest: that its record is in it, or that no source of its name
//! is. Not here: their checks (`verify/manifest_proof.rs`), and how the proofs in them are made (`manifest/`).

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    bundle::Bundle,
    manifest::{Absence, Presence},
};

/// Format name of a [`PresenceDocument`].
pub const PRESENCE_FORMAT: &str = "obelus-presence/v1";
/// Format name of an [`AbsenceDocument`].
pub const ABSENCE_FORMAT: &str = "obelus-absence/v1";

/// A source's record and its place in a signed manifest. Canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PresenceDocument {
    /// [`PRESENCE_FORMAT`].
    pub format: String,
    /// The signed `source-manifest/v1` with its place in the log.
    pub manifest: Bundle,
    /// The record and its path to the manifest's root.
    pub presence: Presence,
    /// Source id, as in the record.
    pub source: String,
}

/// Two records of a signed manifest that stand beside each other, between which a source would be. Canonical JSON.
///
/// It shows the manifest key, with which any name can be tested against the keys that one sees: it is for a party that is
/// entitled to the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AbsenceDocument {
    /// The neighbours.
    pub absence: Absence,
    /// [`ABSENCE_FORMAT`].
    pub format: String,
    /// The signed `source-manifest/v1` with its place in the log.
    pub manifest: Bundle,
    /// Key of the order.
    pub manifest_key: Digest,
    /// The id that no source of the manifest has.
    pub source: String,
}

/// Name of the presence document beside a statement of provenance: its own with another ending.
pub fn presence_file(statement: &str) -> String {
    let stem = statement.rsplit_once('.').map_or(statement, |(stem, _)| stem);
    format!("{stem}.presence.json")
}
