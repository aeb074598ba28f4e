//! The weight tree (`null-weights/v1`): which rows of a checkpoint are which leaves, and how a leaf is hashed.
//!
//! Not here: reading the checkpoint. The caller hands over row bytes.

use std::collections::BTreeMap;

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::canonical::{self, CanonicalError};

/// One run of leaves: the rows of a tensor, or the neurons of an MLP part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Tensor name, or `layers.{l}.mlp.{backbone,sinks}` for neurons.
    pub name: String,
    /// `float32` or `bfloat16`.
    pub dtype: String,
    /// Number of leaves.
    pub rows: u64,
    /// Bytes of one leaf: one row, or gate, up and down row of a neuron together.
    pub row_bytes: u64,
    /// Index of the first leaf in the tree.
    pub first_leaf: u64,
}

/// All leaves of a checkpoint in order. Its digest stands in statements, so that a verifier need not trust a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layout(pub Vec<Place>);

/// A stored tensor as the layout needs it: name, dtype, rows and bytes of a row.
#[derive(Clone, Debug)]
pub struct TensorRows {
    /// Tensor name.
    pub name: String,
    /// `float32` or `bfloat16`.
    pub dtype: String,
    /// Rows of the first dimension; one for a one-dimensional tensor.
    pub rows: u64,
    /// Bytes of one row.
    pub row_bytes: u64,
}

/// Tensors that cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A neuron's three rows do not match.
    #[error("{0} does not have gate, up and down of one shape and element type")]
    Neurons(String),
    /// A layout that no checkpoint has.
    #[error("the layout is inconsistent at {0}")]
    Order(String),
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Rows larger than this are in no model; a layout from outside that names one is refused.
const LARGEST_ROW_BYTES: u64 = 1 << 24;

/// Zero bytes that a verifier hashes for one proof at most, six times the sink pool of the largest preset: a layout from
/// outside must not keep it hashing.
pub const MOST_ZERO_BYTES: u64 = 16 << 30;

/// The matrices of a neuron, in the order in which their rows are hashed.
pub const NEURON_PARTS: [&str; 3] = ["gate", "up", "down"];

impl Layout {
    /// Lays out tensors: sorted by name bytes, gate, up and down of an MLP part merged into neurons.
    ///
    /// # Errors
    /// When an MLP part lacks a matrix or its matrices differ in shape.
    pub fn new(tensors: impl IntoIterator<Item = TensorRows>) -> Result<Self, LayoutError> {
        let mut merged: BTreeMap<String, Vec<TensorRows>> = BTreeMap::new();
        for tensor in tensors {
            let name = neuron_part(&tensor.name).map_or(tensor.name.as_str(), |(part, _)| part).to_owned();
            merged.entry(name).or_default().push(tensor);
        }
        let mut first_leaf = 0;
        let mut places = Vec::with_capacity(merged.len());
        for (name, parts) in merged {
            let one = &parts[0];
            let neurons = neuron_part(&one.name).is_some();
            let alike = parts.iter().all(|p| (&p.dtype, p.rows, p.row_bytes) == (&one.dtype, one.rows, one.row_bytes));
            if !alike || parts.len() != if neurons { NEURON_PARTS.len() } else { 1 } {
                return Err(LayoutError::Neurons(name));
            }
            let row_bytes = one.row_bytes * parts.len() as u64;
            places.push(Place { name, dtype: one.dtype.clone(), rows: one.rows, row_bytes, first_leaf });
            first_leaf += one.rows;
        }
        Ok(Self(places))
    }

    /// Checks that leaves are numbered without gaps and names ascend: what a layout from outside must satisfy.
    ///
    /// # Errors
    /// Names the first place that breaks the order.
    pub fn check(&self) -> Result<(), LayoutError> {
        let mut next = 0u64;
        for (i, place) in self.0.iter().enumerate() {
            let ascends = i == 0 || self.0[i - 1].name < place.name;
            // A leaf is hashed with its row as u32 and the length of its name as u16.
            let sized = u32::try_from(place.rows).is_ok()
                && u16::try_from(place.name.len()).is_ok()
                && (1..=LARGEST_ROW_BYTES).contains(&place.row_bytes);
            let end = place.first_leaf.checked_add(place.rows).filter(|_| sized && ascends && place.first_leaf == next);
            next = end.ok_or_else(|| LayoutError::Order(place.name.clone()))?;
        }
        Ok(())
    }

    /// Number of leaves.
    pub fn leaves(&self) -> u64 {
        self.0.last().map_or(0, |p| p.first_leaf + p.rows)
    }

    /// Digest of the canonical JSON of the layout.
    ///
    /// # Errors
    /// Never for a layout made or checked here.
    pub fn digest(&self) -> Result<Digest, LayoutError> {
        Ok(Digest::sha256(canonical::to_bytes(self)?))
    }

    /// The sink neurons of a layer.
    pub fn sinks(&self, layer: usize) -> Option<&Place> {
        let name = format!("layers.{layer}.mlp.sinks");
        self.0.binary_search_by(|p| p.name.as_str().cmp(&name)).ok().map(|i| &self.0[i])
    }

    /// Leaf indices, ascending, of a source's neurons given layer by layer. None when the layout has no such neuron.
    pub fn neuron_leaves(&self, per_layer: &[Vec<u32>]) -> Option<Vec<u64>> {
        let mut leaves = Vec::new();
        for (layer, neurons) in per_layer.iter().enumerate() {
            let place = self.sinks(layer)?;
            for neuron in neurons {
                if u64::from(*neuron) >= place.rows {
                    return None;
                }
                leaves.push(place.first_leaf + u64::from(*neuron));
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        Some(leaves)
    }

    /// The place that holds a leaf.
    pub fn place_of(&self, leaf: u64) -> Option<&Place> {
        let after = self.0.partition_point(|p| p.first_leaf <= leaf);
        self.0[..after].last().filter(|p| leaf < p.first_leaf + p.rows)
    }
}

/// Splits `layers.{l}.mlp.{part}.{matrix}` into the neurons' name and the matrix.
pub fn neuron_part(tensor: &str) -> Option<(&str, &str)> {
    let (part, matrix) = tensor.rsplit_once('.')?;
    let of_mlp = part.ends_with(".mlp.sinks") || part.ends_with(".mlp.backbone");
    (of_mlp && NEURON_PARTS.contains(&matrix)).then_some((part, matrix))
}

/// Hash of one leaf: `SHA256(0x00 || "null-weights/v1\0" || u16be(len name) || name || u32be(row) || bytes)`, the bytes
/// given in pieces (one for a row, three for a neuron).
pub fn leaf_hash(name: &str, row: u32, pieces: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"\0null-weights/v1\0");
    hash.update((name.len() as u16).to_be_bytes());
    hash.update(name.as_bytes());
    hash.update(row.to_be_bytes());
    pieces.iter().for_each(|piece| hash.update(piece));
    Digest::new(hash.finalize().into())
}

/// Hash of a leaf whose bytes are all zero.
pub fn zero_leaf_hash(place: &Place, leaf: u64) -> Digest {
    let zeros = vec![0; place.row_bytes as usize];
    leaf_hash(&place.name, (leaf - place.first_leaf) as u32, &[&zeros])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, rows: u64, row_bytes: u64) -> TensorRows {
        TensorRows { name: name.to_owned(), dtype: "float32".to_owned(), rows, row_bytes }
    }

    fn small() -> Vec<TensorRows> {
        let neurons = ["down", "gate", "up"].map(|part| rows(&format!("layers.0.mlp.sinks.{part}"), 4, 8));
        let others = [rows("norm.weight", 1, 8), rows("embed.weight", 3, 8), rows("layers.0.attn.q.weight", 2, 8)];
        others.into_iter().chain(neurons).collect()
    }

    #[test]
    fn places_are_sorted_and_neurons_merged() {
        let layout = Layout::new(small()).unwrap();
        layout.check().unwrap();
        let found: Vec<_> = layout.0.iter().map(|p| (p.name.as_str(), p.rows, p.row_bytes, p.first_leaf)).collect();
        let wanted = [
            ("embed.weight", 3, 8, 0),
            ("layers.0.attn.q.weight", 2, 8, 3),
            ("layers.0.mlp.sinks", 4, 24, 5),
            ("norm.weight", 1, 8, 9),
        ];
        assert_eq!(found, wanted);
        assert_eq!(layout.leaves(), 10);
        assert_eq!(layout.neuron_leaves(&[vec![0, 3]]), Some(vec![5, 8]));
        assert_eq!(layout.neuron_leaves(&[vec![4]]), None);
        assert_eq!(layout.neuron_leaves(&[vec![0], vec![0]]), None);
        for leaf in 0..10 {
            let place = layout.place_of(leaf).unwrap();
            assert!((place.first_leaf..place.first_leaf + place.rows).contains(&leaf));
        }
        assert!(layout.place_of(10).is_none());
    }

    #[test]
    fn incomplete_and_uneven_neurons_are_refused() {
        let mut tensors = small();
        tensors.pop();
        assert!(matches!(Layout::new(tensors), Err(LayoutError::Neurons(_))));
        let mut tensors = small();
        tensors.last_mut().unwrap().row_bytes = 16;
        assert!(matches!(Layout::new(tensors), Err(LayoutError::Neurons(_))));
    }

    #[test]
    fn absurd_layouts_are_refused() {
        let changes: [fn(&mut Layout); 7] = [
            |l| l.0.swap(0, 1),
            |l| l.0[1].first_leaf += 1,
            |l| l.0[0].rows = u64::MAX,
            |l| l.0[0].row_bytes = 1 << 40,
            // A row without bytes is always zero.
            |l| l.0[2].row_bytes = 0,
            |l| l.0[2].name = "x".repeat(70_000),
            |l| l.0[1].name = l.0[0].name.clone(),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut layout = Layout::new(small()).unwrap();
            change(&mut layout);
            assert!(layout.check().is_err(), "change {i}");
        }
    }
}
