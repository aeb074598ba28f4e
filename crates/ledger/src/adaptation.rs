//! The document of an adaptation: the signed statements of a run that added sources to a model or repaired struck
//! neurons, and everything needed to check offline that nothing else in the model changed.
//!
//! Not here: the checks (`verify/adaptation.rs`), and certificates of erasure (`certificate.rs`).

use serde::{Deserialize, Serialize};

use crate::{
    certificate::{Exhibit, Logged},
    manifest::Presence,
    weight_tree::Layout,
};

/// Format name in the file.
pub const FORMAT: &str = "obelus-adaptation/v1";
/// Kind of an adaptation that taught sources which the model did not have.
pub const ADDED_SOURCES: &str = "added-sources";
/// Kind of an adaptation that trained struck neurons again on sources which the model has.
pub const REPAIR: &str = "repair";

/// The statements that the document of an adaptation has one each of, in log order.
pub const EXHIBITS: [Exhibit; 3] = [Exhibit::Campaign, Exhibit::Manifest, Exhibit::Training];

/// The document. Canonical JSON; the proofs are files of their own beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AdaptationDocument {
    /// `obelus-adaptation/v1`.
    pub format: String,
    /// Campaign, manifest and training run, in log order.
    pub exhibits: Vec<Logged>,
    /// The pool extensions that the manifest rests on, oldest first; missing where the pool never grew. The log has them
    /// between campaign and manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Logged>,
    /// The records of the added sources and their places in the manifest, ascending by key; empty for a repair.
    pub sources: Vec<Presence>,
    /// Layout of the checkpoint before.
    pub layout_before: Layout,
    /// Layout of the checkpoint after; the same unless the pool grew.
    pub layout_after: Layout,
    /// Signed checkpoint that covers every exhibit.
    pub checkpoint: String,
    /// File name of the change proof, see [`change_proof_file`].
    pub change_proof_file: String,
    /// File name of the growth proof, see [`growth_proof_file`]; only where the pool grew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_proof_file: Option<String>,
    /// For a repair, the sink neurons that were allowed to change, one ascending list a layer. Those of added sources
    /// follow from the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Vec<Vec<u32>>>,
}

/// Name of the document's file: the verifier finds it by this name from a proof beside it.
pub fn document_file(model: &str, generation: u64) -> String {
    format!("{}.json", stem(model, generation))
}

/// Name of the change proof's file.
pub fn change_proof_file(model: &str, generation: u64) -> String {
    format!("{}.changeproof.json", stem(model, generation))
}

/// Name of the growth proof's file.
pub fn growth_proof_file(model: &str, generation: u64) -> String {
    format!("{}.growthproof.json", stem(model, generation))
}

/// Model and generation are signed, so that no name in the document can be changed unnoticed.
fn stem(model: &str, generation: u64) -> String {
    format!("{model}.adaptation-{generation}")
}
