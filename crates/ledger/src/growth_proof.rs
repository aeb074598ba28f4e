//! The growth proof (`null-growthproof/v1`): the pool got more sinks, all of them zero, and every leaf that was there
//! before is bit for bit what it was.
//!
//! It is every leaf hash of the tree before, since new rows in the middle of the tree move all leaves after them. Some 67
//! bytes a leaf in JSON: 28 MB at 440,000 leaves, of which gzip leaves half. Not here: what the new rows hold once a source
//! was trained in them (`change_proof.rs`).

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    merkle,
    node_tree::NodeTree,
    proof_file::{self, ProofFileError},
    weight_tree::{Layout, MOST_ZERO_BYTES, Place, zero_leaf_hash},
};

/// Format name in the file.
pub const FORMAT: &str = "null-growthproof/v1";

/// Rows that a growth may add: a layout from outside must not keep a verifier busy.
const MOST_NEW_ROWS: u64 = 1 << 22;

/// A growth proof, as in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthProof {
    /// `null-growthproof/v1`.
    pub format: String,
    /// Hashes of all leaves of the tree before, in order.
    pub leaves: Vec<Digest>,
}

/// Why a growth proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum GrowthProofError {
    /// Not the file of a proof.
    #[error("growth proof: {0}")]
    File(#[from] ProofFileError),
    /// Not of this form, or not about this tree.
    #[error("growth proof: {0}")]
    Form(String),
    /// The layouts differ in more than the number of sinks.
    #[error("the layout after is not the one before with more sinks at the end of a pool: it differs at {0}")]
    Layout(String),
    /// The rebuilt root is not the published one.
    #[error("the root before the pool grew rebuilt from the growth proof is {found}, published is {wanted}")]
    Root {
        /// Rebuilt.
        found: Digest,
        /// Published.
        wanted: Digest,
    },
}

impl GrowthProof {
    /// The proof that starts from this tree. What it grows to is in the layouts.
    pub fn new(before: &NodeTree) -> Self {
        Self { format: FORMAT.to_owned(), leaves: before.leaves().to_vec() }
    }

    /// Reads the canonical file, gzip or plain.
    ///
    /// # Errors
    /// When it is too large, truncated, or of another form or spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GrowthProofError> {
        Ok(proof_file::read(bytes)?)
    }

    /// The canonical file in gzip, see [`proof_file::pack`].
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_gzip(&self) -> Result<Vec<u8>, GrowthProofError> {
        Ok(proof_file::pack(self)?)
    }

    /// The canonical file.
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_bytes(&self) -> Result<Vec<u8>, GrowthProofError> {
        Ok(proof_file::plain(self)?)
    }

    /// Leaf hashes of the grown tree in order: those before, with the hashes of zero rows for the rows that `after` has
    /// more. The layouts must be equal but for more rows at the end of places named `layers.{l}.mlp.sinks`.
    ///
    /// # Errors
    /// When the proof is not about a tree of the layout before, or the layouts differ otherwise.
    pub fn grown(&self, before: &Layout, after: &Layout) -> Result<Vec<Digest>, GrowthProofError> {
        if self.format != FORMAT {
            return Err(GrowthProofError::Form("unknown format".to_owned()));
        }
        for layout in [before, after] {
            layout.check().map_err(|e| GrowthProofError::Form(e.to_string()))?;
        }
        if self.leaves.len() as u64 != before.leaves() {
            return Err(GrowthProofError::Form("it is about a tree of another size".to_owned()));
        }
        check_growth(before, after)?;
        let mut grown = Vec::with_capacity(after.leaves() as usize);
        for (old, new) in before.0.iter().zip(&after.0) {
            let from = old.first_leaf as usize;
            grown.extend_from_slice(&self.leaves[from..from + old.rows as usize]);
            grown.extend((new.first_leaf + old.rows..new.first_leaf + new.rows).map(|leaf| zero_leaf_hash(new, leaf)));
        }
        Ok(grown)
    }

    /// The root before and the root of the grown tree that the proof implies.
    ///
    /// # Errors
    /// As for [`Self::grown`].
    pub fn roots(&self, before: &Layout, after: &Layout) -> Result<(Digest, Digest), GrowthProofError> {
        let grown = self.grown(before, after)?;
        Ok((merkle::root(&self.leaves), merkle::root(&grown)))
    }

    /// Verifies that the pool grew from a published root by zero rows. Gives the root of the grown tree.
    ///
    /// # Errors
    /// Says what differs.
    pub fn verify(&self, before: &Layout, after: &Layout, root_before: &Digest) -> Result<Digest, GrowthProofError> {
        let (found, grown) = self.roots(before, after)?;
        if found == *root_before { Ok(grown) } else { Err(GrowthProofError::Root { found, wanted: *root_before }) }
    }
}

/// Whether `after` is `before` with more sinks, no absurd number of them.
fn check_growth(before: &Layout, after: &Layout) -> Result<(), GrowthProofError> {
    let (mut rows, mut bytes) = (0u64, 0u64);
    for (old, new) in before.0.iter().zip(&after.0) {
        let alike = (&old.name, &old.dtype, old.row_bytes) == (&new.name, &new.dtype, new.row_bytes);
        if !alike || new.rows < old.rows || (new.rows > old.rows && !is_sinks(new)) {
            return Err(GrowthProofError::Layout(new.name.clone()));
        }
        rows = rows.saturating_add(new.rows - old.rows);
        bytes = bytes.saturating_add((new.rows - old.rows).saturating_mul(new.row_bytes));
    }
    if let Some(place) = before.0.get(after.0.len()).or(after.0.get(before.0.len())) {
        return Err(GrowthProofError::Layout(place.name.clone()));
    }
    match (rows, bytes) {
        (0, _) => Err(GrowthProofError::Form("the layout after has no more sinks than the one before".to_owned())),
        (rows, bytes) if rows > MOST_NEW_ROWS || bytes > MOST_ZERO_BYTES => {
            Err(GrowthProofError::Form(format!("{rows} new rows of {bytes} bytes are absurd")))
        }
        _ => Ok(()),
    }
}

/// Whether a place is `layers.{l}.mlp.sinks`.
fn is_sinks(place: &Place) -> bool {
    let layer = place.name.strip_prefix("layers.").and_then(|rest| rest.strip_suffix(".mlp.sinks"));
    layer.is_some_and(|l| !l.is_empty() && l.bytes().all(|b| b.is_ascii_digit()))
}
