//! The row proof (`null-rowproof/v1`): exactly these leaves became zero and every other leaf is what it was.
//!
//! Not here: how siblings lead to roots (`multiproof.rs`), which leaves a source has (`weight_tree.rs`), and that training obeyed the masks, which no proof shows.

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    canonical::{self, CanonicalError},
    multiproof::{self, MultiproofError},
    node_tree::NodeTree,
    proof_file::{self, ProofFileError},
    weight_tree::{Layout, zero_leaf_hash},
};

/// A row proof, as in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowProof {
    /// `null-rowproof/v1`.
    pub format: String,
    /// Leaves of the tree.
    pub leaf_count: u64,
    /// Leaves that became zero, ascending.
    pub zeroed_leaves: Vec<u64>,
    /// Their hashes before, in the same order.
    pub before_leaves: Vec<Digest>,
    /// Hashes of the maximal subtrees without a zeroed leaf, depth first, left to right.
    pub siblings: Vec<Digest>,
}

/// Why a row proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum RowProofError {
    /// Not a file of this form.
    #[error("row proof: {0}")]
    Form(String),
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The proof is about other leaves than the source's neurons.
    #[error("the row proof names {found} leaves, first difference at position {at}; the seed gives {wanted}")]
    Leaves {
        /// Leaves in the proof.
        found: usize,
        /// Leaves that the seed gives.
        wanted: usize,
        /// First position that differs.
        at: usize,
    },
    /// A rebuilt root is not the published one.
    #[error("the root {which} the strike rebuilt from the row proof is {found}, published is {wanted}")]
    Root {
        /// `before` or `after`.
        which: &'static str,
        /// Rebuilt.
        found: Digest,
        /// Published.
        wanted: Digest,
    },
}

impl From<MultiproofError> for RowProofError {
    fn from(e: MultiproofError) -> Self {
        Self::Form(e.to_string())
    }
}

impl From<ProofFileError> for RowProofError {
    fn from(e: ProofFileError) -> Self {
        match e {
            ProofFileError::Form(what) => Self::Form(what),
            ProofFileError::Canonical(e) => Self::Canonical(e),
        }
    }
}

/// Format name in the file.
pub const FORMAT: &str = "null-rowproof/v1";

impl RowProof {
    /// Makes a proof from the tree before the strike, without hashing. `zeroed` ascends.
    ///
    /// # Errors
    /// When `zeroed` is empty, does not ascend, or names a leaf that is not there.
    pub fn new(before: &NodeTree, zeroed: &[u64]) -> Result<Self, RowProofError> {
        let leaves = before.leaves();
        let siblings = multiproof::siblings(before, zeroed)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            leaf_count: leaves.len() as u64,
            zeroed_leaves: zeroed.to_vec(),
            before_leaves: zeroed.iter().map(|i| leaves[*i as usize]).collect(),
            siblings,
        })
    }

    /// Reads the canonical file, gzip or plain.
    ///
    /// # Errors
    /// When it is too large, truncated, or of another form or spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RowProofError> {
        Ok(proof_file::read(bytes)?)
    }

    /// The canonical file in gzip, see [`proof_file::pack`].
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_gzip(&self) -> Result<Vec<u8>, RowProofError> {
        Ok(proof_file::pack(self)?)
    }

    /// The canonical file.
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RowProofError> {
        Ok(canonical::to_bytes(self)?)
    }

    /// The roots before and after that the proof implies under a layout.
    ///
    /// # Errors
    /// When the proof does not fit the layout or itself.
    pub fn roots(&self, layout: &Layout) -> Result<(Digest, Digest), RowProofError> {
        let form = |what: &str| RowProofError::Form(what.to_owned());
        if self.format != FORMAT {
            return Err(form("unknown format"));
        }
        layout.check().map_err(|e| form(&e.to_string()))?;
        if self.leaf_count != layout.leaves() {
            return Err(form("it is about a tree of another size"));
        }
        multiproof::check_leaves(&self.zeroed_leaves, self.leaf_count)?;
        let mut after = Vec::with_capacity(self.zeroed_leaves.len());
        for leaf in &self.zeroed_leaves {
            let place = layout.place_of(*leaf).ok_or_else(|| form("a zeroed leaf is not in the layout"))?;
            after.push(zero_leaf_hash(place, *leaf));
        }
        Ok(multiproof::roots(self.leaf_count, &self.zeroed_leaves, &self.before_leaves, &after, &self.siblings)?)
    }

    /// Verifies that exactly `expected` became zero between two published roots.
    ///
    /// # Errors
    /// Says which leaf or which root differs.
    pub fn verify(
        &self,
        layout: &Layout,
        expected: &[u64],
        before: &Digest,
        after: &Digest,
    ) -> Result<(), RowProofError> {
        if self.zeroed_leaves != expected {
            let at = self.zeroed_leaves.iter().zip(expected).position(|(a, b)| a != b);
            let at = at.unwrap_or(self.zeroed_leaves.len().min(expected.len()));
            return Err(RowProofError::Leaves { found: self.zeroed_leaves.len(), wanted: expected.len(), at });
        }
        let (found_before, found_after) = self.roots(layout)?;
        for (which, found, wanted) in [("before", found_before, *before), ("after", found_after, *after)] {
            if found != wanted {
                return Err(RowProofError::Root { which, found, wanted });
            }
        }
        Ok(())
    }
}
