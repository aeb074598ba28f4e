//! What an adaptation does to a model's tensors before its sinks are trained: the pool gets rows for new segments, and
//! neurons start anew.
//!
//! Not here: the shape of a grown pool (`segments.rs`), training the sinks alone (`Trained::Sinks`), and which neurons may
//! start anew.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::{
    ModelConfig, ModelError, SourceMask,
    initial::Normal,
    sink_pool::{PREFIXES, name},
};

/// Appends rows of zeros to the sinks, and to their moments where `tensors` has them, until there are as many as the
/// shape says: `[sinks, d_model]` each. Rows that were there stay bit for bit what they were.
///
/// # Errors
/// When the sinks of a layer are missing, or have more rows or another width than the shape; no tensor is changed then.
pub fn grow(tensors: &mut BTreeMap<String, Tensor>, config: &ModelConfig) -> Result<(), ModelError> {
    let mut grown = BTreeMap::new();
    for (name, shape) in config.tensors().into_iter().filter(|(name, _)| crate::adamw::is_sink(name)) {
        for prefix in PREFIXES {
            let name = format!("{prefix}{name}");
            let Some(old) = tensors.get(&name) else {
                if prefix.is_empty() {
                    return Err(ModelError::Config(format!("tensor {name} is missing")));
                }
                continue;
            };
            let size = old.size();
            if size.len() != 2 || size[0] > shape[0] || size[1] != shape[1] {
                return Err(ModelError::Config(format!("tensor {name} of shape {size:?} cannot grow to {shape:?}")));
            }
            let new = Tensor::zeros([shape[0] - size[0], size[1]], (old.kind(), old.device()));
            grown.insert(name, Tensor::cat(&[old, &new], 0));
        }
    }
    tensors.extend(grown);
    Ok(())
}

/// Starts neurons anew: gate and up rows become normal numbers with standard deviation `std`, down rows zero, and so do
/// the moments where `tensors` has them. With down zero a fresh neuron changes nothing yet, but has gradients.
///
/// The numbers of a row are a function of `seed`, the tensor's name and the neuron's number alone: which other neurons
/// start anew does not matter. Tensors are replaced, not written to.
///
/// # Errors
/// When a layer's sinks are missing or have no such neuron; no tensor is changed then.
pub fn renew(
    tensors: &mut BTreeMap<String, Tensor>,
    neurons: &SourceMask,
    std: f64,
    seed: u64,
) -> Result<(), ModelError> {
    let mut renewed = BTreeMap::new();
    for (l, neurons) in neurons.per_layer.iter().enumerate() {
        for (matrix, prefix) in (0..3).flat_map(|matrix| PREFIXES.map(|prefix| (matrix, prefix))) {
            let name = format!("{prefix}{}", name(l, matrix));
            let Some(old) = tensors.get(&name) else {
                if prefix.is_empty() {
                    return Err(ModelError::Config(format!("tensor {name} is missing")));
                }
                continue;
            };
            let (rows, width) = old.size2()?;
            if let Some(absent) = neurons.iter().find(|n| i64::from(**n) >= rows) {
                return Err(ModelError::Config(format!("tensor {name} has {rows} rows and no neuron {absent}")));
            }
            let drawn = prefix.is_empty() && matrix < 2;
            let values: Vec<f32> = neurons
                .iter()
                .flat_map(|n| {
                    let mut normal = Normal::new(seed, &format!("{name}[{n}]"));
                    (0..width).map(move |_| if drawn { (normal.draw() * std) as f32 } else { 0.0 })
                })
                .collect();
            let values = Tensor::from_slice(&values).view([-1, width]).to_kind(old.kind()).to_device(old.device());
            let places: Vec<i64> = neurons.iter().map(|n| i64::from(*n)).collect();
            let places = Tensor::from_slice(&places).to_kind(Kind::Int64).to_device(old.device());
            renewed.insert(name, old.detach().index_copy(0, &places, &values));
        }
    }
    tensors.extend(renewed);
    Ok(())
}
