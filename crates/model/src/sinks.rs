//! Which sink neurons are lit: a source's mask as neuron lists, and the index tensors that a forward pass gathers by.

use obelus_mask::neurons;
use tch::{Device, Tensor};

use crate::{ModelConfig, ModelError};

/// The sink neurons of one source, ascending, one list per layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMask {
    /// `layers` lists of neuron numbers in the pool.
    pub per_layer: Vec<Vec<u32>>,
}

impl SourceMask {
    /// Derives a source's neurons from its seed (`null-mask/v1`).
    ///
    /// # Errors
    /// When the segments of the configuration cannot be drawn from.
    pub fn derive(seed: &[u8; 32], config: &ModelConfig) -> Result<Self, ModelError> {
        let segments = config.mask_segments();
        let per_layer = (0..config.layers)
            .map(|l| neurons(seed, &segments, if config.same_mask_in_all_layers { 0 } else { l }))
            .collect::<Result<_, _>>()?;
        Ok(Self { per_layer })
    }

    /// Share of this mask's neurons, over all layers, that `struck` contains too.
    pub fn lost_fraction(&self, struck: &Self) -> f64 {
        let (mut lost, mut all) = (0usize, 0usize);
        for (own, other) in self.per_layer.iter().zip(&struck.per_layer) {
            lost += own.iter().filter(|n| other.binary_search(n).is_ok()).count();
            all += own.len();
        }
        if all == 0 { 0.0 } else { lost as f64 / all as f64 }
    }
}

/// The sinks of a batch: for every layer an index tensor `[rows, active]`, or `[1, active]` when all rows share a mask.
#[derive(Debug)]
pub struct ActiveSinks {
    /// One tensor of neuron numbers (int64) per layer; none when only the backbone is active.
    pub per_layer: Option<Vec<Tensor>>,
}

impl ActiveSinks {
    /// Backbone only.
    pub fn none() -> Self {
        Self { per_layer: None }
    }

    /// One mask for every row of the batch.
    pub fn shared(mask: &SourceMask, device: Device) -> Self {
        Self::rows(&[mask], device)
    }

    /// One mask per row of the batch. All masks have the same number of neurons in each layer.
    pub fn rows(masks: &[&SourceMask], device: Device) -> Self {
        let layers = masks.first().map_or(0, |m| m.per_layer.len());
        let per_layer = (0..layers)
            .map(|l| {
                let flat: Vec<i64> = masks.iter().flat_map(|m| &m.per_layer[l]).map(|n| i64::from(*n)).collect();
                Tensor::from_slice(&flat).view([masks.len() as i64, -1]).to_device(device)
            })
            .collect();
        Self { per_layer: Some(per_layer) }
    }
}
