//! Initial weights: normal numbers from a generator of our own, a function of seed and tensor name alone.
//!
//! Not libtorch's global generator: another thread that draws from it would change the model.

use std::collections::BTreeMap;

use obelus_core::{Digest, SplitMix64};
use tch::{Kind, Tensor};

use crate::ModelConfig;

/// Normal weights with standard deviation `std` for every matrix, ones for every norm; float32 on the CPU.
pub(crate) fn initial_weights(config: &ModelConfig, std: f64, seed: u64) -> BTreeMap<String, Tensor> {
    config
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let tensor = if shape.len() == 1 {
                Tensor::ones(shape.as_slice(), (Kind::Float, tch::Device::Cpu))
            } else {
                let mut normal = Normal::new(seed, &name);
                let values: Vec<f32> =
                    (0..shape.iter().product::<i64>()).map(|_| (normal.draw() * std) as f32).collect();
                Tensor::from_slice(&values).view(shape.as_slice())
            };
            (name, tensor)
        })
        .collect()
}

/// Box-Muller over SplitMix64.
pub(crate) struct Normal {
    bits: SplitMix64,
    spare: Option<f64>,
}

impl Normal {
    pub fn new(seed: u64, name: &str) -> Self {
        let digest = Digest::sha256([&seed.to_be_bytes()[..], name.as_bytes()].concat());
        let mut word = [0; 8];
        word.copy_from_slice(&digest.as_bytes()[..8]);
        Self { bits: SplitMix64(u64::from_be_bytes(word)), spare: None }
    }

    /// A uniform number in (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.bits.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number.
    pub fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_standard_normal() {
        let mut normal = Normal::new(1, "embed.weight");
        let draws: Vec<f64> = (0..100_000).map(|_| normal.draw()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        let within = draws.iter().filter(|x| x.abs() < 1.0).count() as f64 / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02 && (within - 0.6827).abs() < 0.005);
    }
}
