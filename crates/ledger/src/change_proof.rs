//! The change proof (`null-changeproof/v1`): between two weight roots only these leaves may differ, and every other leaf
//! is bit for bit what it was.
//!
//! Not here: how siblings lead to roots (`multiproof.rs`), which leaves a run was allowed to change (`adaptation.rs`), and
//! what the changed leaves hold now, which no proof shows.

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    multiproof::{self, MultiproofError},
    node_tree::NodeTree,
    proof_file::{self, ProofFileError},
    weight_tree::{Layout, MOST_ZERO_BYTES, Place, zero_leaf_hash},
};

/// Format name in the file.
pub const FORMAT: &str = "null-changeproof/v1";

/// A change proof, as in its file: some 140 bytes a changed leaf and 67 a sibling before it is packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeProof {
    /// `null-changeproof/v1`.
    pub format: String,
    /// Leaves of the tree, before and after.
    pub leaf_count: u64,
    /// Leaves that may differ, ascending.
    pub changed_leaves: Vec<u64>,
    /// Their hashes before, in the same order.
    pub before_leaves: Vec<Digest>,
    /// Their hashes after, in the same order.
    pub after_leaves: Vec<Digest>,
    /// Hashes of the maximal subtrees without such a leaf, depth first, left to right.
    pub siblings: Vec<Digest>,
}

/// Why a change proof proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ChangeProofError {
    /// Not the file of a proof.
    #[error("change proof: {0}")]
    File(#[from] ProofFileError),
    /// Not of this form, or not about this tree.
    #[error("change proof: {0}")]
    Form(String),
    /// A leaf that was not allowed to change.
    #[error("the change proof lets leaf {0} differ, which no named neuron is")]
    Leaf(u64),
    /// A leaf that held something before.
    #[error("leaf {0} was not zero before it changed, so that the sources were not added in fresh rows")]
    NotZero(u64),
    /// The two trees differ elsewhere too.
    #[error("leaf {0} differs between the trees and is not among those that were to change")]
    Unlisted(u64),
    /// A rebuilt root is not the published one.
    #[error("the root {which} the run rebuilt from the change proof is {found}, published is {wanted}")]
    Root {
        /// `before` or `after`.
        which: &'static str,
        /// Rebuilt.
        found: Digest,
        /// Published.
        wanted: Digest,
    },
}

impl From<MultiproofError> for ChangeProofError {
    fn from(e: MultiproofError) -> Self {
        Self::Form(e.to_string())
    }
}

impl ChangeProof {
    /// Makes a proof from both trees. `changed` ascends and has every leaf that differs; a leaf in it may be unchanged.
    ///
    /// # Errors
    /// When `changed` is empty, does not ascend or names a leaf that is not there, when the trees differ in size, or in
    /// a leaf outside `changed`, which is named.
    pub fn new(before: &NodeTree, after: &NodeTree, changed: &[u64]) -> Result<Self, ChangeProofError> {
        let (old, new) = (before.leaves(), after.leaves());
        if old.len() != new.len() {
            let sizes = format!("the tree has {} leaves before and {} after", old.len(), new.len());
            return Err(ChangeProofError::Form(sizes));
        }
        let siblings = multiproof::siblings(before, changed)?;
        let differs = |i: &u64| old[*i as usize] != new[*i as usize];
        if let Some(leaf) = (0..old.len() as u64).filter(differs).find(|i| changed.binary_search(i).is_err()) {
            return Err(ChangeProofError::Unlisted(leaf));
        }
        let hashes = |leaves: &[Digest]| changed.iter().map(|i| leaves[*i as usize]).collect();
        Ok(Self {
            format: FORMAT.to_owned(),
            leaf_count: old.len() as u64,
            changed_leaves: changed.to_vec(),
            before_leaves: hashes(old),
            after_leaves: hashes(new),
            siblings,
        })
    }

    /// Reads the canonical file, gzip or plain.
    ///
    /// # Errors
    /// When it is too large, truncated, or of another form or spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChangeProofError> {
        Ok(proof_file::read(bytes)?)
    }

    /// The canonical file in gzip, see [`proof_file::pack`].
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_gzip(&self) -> Result<Vec<u8>, ChangeProofError> {
        Ok(proof_file::pack(self)?)
    }

    /// The canonical file.
    ///
    /// # Errors
    /// Never for a proof made or read here.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ChangeProofError> {
        Ok(proof_file::plain(self)?)
    }

    /// The roots before and after that the proof implies under a layout, which is that of both trees.
    ///
    /// # Errors
    /// When the proof does not fit the layout or itself.
    pub fn roots(&self, layout: &Layout) -> Result<(Digest, Digest), ChangeProofError> {
        if self.format != FORMAT {
            return Err(ChangeProofError::Form("unknown format".to_owned()));
        }
        layout.check().map_err(|e| ChangeProofError::Form(e.to_string()))?;
        if self.leaf_count != layout.leaves() {
            return Err(ChangeProofError::Form("it is about a tree of another size".to_owned()));
        }
        let (before, after) = (&self.before_leaves, &self.after_leaves);
        Ok(multiproof::roots(self.leaf_count, &self.changed_leaves, before, after, &self.siblings)?)
    }

    /// Verifies that every changed leaf was zero before. The hashes before are those of [`Self::roots`].
    ///
    /// # Errors
    /// Names the first leaf that was not, or says that the layout's rows are too large to hash.
    pub fn verify_zero_before(&self, layout: &Layout) -> Result<(), ChangeProofError> {
        let mut places = Vec::with_capacity(self.changed_leaves.len());
        for leaf in &self.changed_leaves {
            let outside = || ChangeProofError::Form(format!("leaf {leaf} is not in the layout"));
            places.push(layout.place_of(*leaf).ok_or_else(outside)?);
        }
        let bytes = places.iter().fold(0u64, |sum, place| sum.saturating_add(place.row_bytes));
        if bytes > MOST_ZERO_BYTES {
            return Err(ChangeProofError::Form(format!("{bytes} bytes of changed rows are absurd")));
        }
        let zero = |((place, leaf), hash): ((&&Place, &u64), &Digest)| zero_leaf_hash(place, *leaf) == *hash;
        match places.iter().zip(&self.changed_leaves).zip(&self.before_leaves).position(|of| !zero(of)) {
            Some(at) => Err(ChangeProofError::NotZero(self.changed_leaves[at])),
            None => Ok(()),
        }
    }

    /// Verifies that between two published roots no leaf differs but those in `allowed`, which ascends.
    ///
    /// # Errors
    /// Says which leaf or which root is wrong.
    pub fn verify(
        &self,
        layout: &Layout,
        allowed: &[u64],
        before: &Digest,
        after: &Digest,
    ) -> Result<(), ChangeProofError> {
        if let Some(leaf) = self.changed_leaves.iter().find(|leaf| allowed.binary_search(leaf).is_err()) {
            return Err(ChangeProofError::Leaf(*leaf));
        }
        let (found_before, found_after) = self.roots(layout)?;
        for (which, found, wanted) in [("before", found_before, *before), ("after", found_after, *after)] {
            if found != wanted {
                return Err(ChangeProofError::Root { which, found, wanted });
            }
        }
        Ok(())
    }
}
