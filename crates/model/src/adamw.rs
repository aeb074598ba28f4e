//! AdamW (Loshchilov and Hutter, arXiv 1711.05101) over one flat buffer, dense on every parameter.
//!
//! Dense means that a sink row that no document of a batch uses still moves by its momentum; lazy Adam is a different
//! method and leaks more (design: model, presets).

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, no_grad};

use crate::{ModelConfig, TrainingConfig};

/// The numbers of the update rule.
#[derive(Clone, Copy, Debug)]
pub struct AdamWSettings {
    /// Decay rate of the gradient's mean.
    pub beta1: f64,
    /// Decay rate of the gradient's mean square.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled decay of the decayed group.
    pub weight_decay: f64,
    /// Largest joint gradient norm.
    pub clip: f64,
}

impl From<&TrainingConfig> for AdamWSettings {
    fn from(c: &TrainingConfig) -> Self {
        Self { beta1: c.beta1, beta2: c.beta2, epsilon: c.epsilon, weight_decay: c.weight_decay, clip: c.clip }
    }
}

/// Parameters, moments and gradients as four flat buffers; the model's tensors are views into the first.
///
/// The decayed group (every matrix outside the sinks) lies first, then the rest, so that decay is one narrow slice.
pub struct AdamW {
    settings: AdamWSettings,
    /// Name, offset, shape in buffer order.
    places: Vec<(String, i64, Vec<i64>)>,
    decayed: i64,
    weights: Tensor,
    mean: Tensor,
    square: Tensor,
    step: u64,
}

impl AdamW {
    /// Buffers for a configuration, all zero.
    pub fn new(config: &ModelConfig, settings: AdamWSettings, device: Device) -> Self {
        let (decay, rest): (Vec<_>, Vec<_>) =
            config.tensors().into_iter().partition(|(name, shape)| shape.len() > 1 && !is_sink(name));
        let (mut places, mut at, mut decayed) = (Vec::new(), 0, 0);
        let groups = decay.len();
        for (i, (name, shape)) in decay.into_iter().chain(rest).enumerate() {
            let length: i64 = shape.iter().product();
            places.push((name, at, shape));
            at += length;
            if i + 1 == groups {
                decayed = at;
            }
        }
        let buffer = || Tensor::zeros([at], (Kind::Float, device));
        Self { settings, places, decayed, weights: buffer(), mean: buffer(), square: buffer(), step: 0 }
    }

    /// Steps taken so far.
    pub fn step_number(&self) -> u64 {
        self.step
    }

    /// The weights as leaves of the autograd graph, sharing memory with the flat buffer.
    pub fn parameters(&self) -> BTreeMap<String, Tensor> {
        self.views(&self.weights).into_iter().map(|(name, t)| (name, t.detach().set_requires_grad(true))).collect()
    }

    /// The moments, named `exp_avg.NAME` and `exp_avg_sq.NAME`.
    pub fn moments(&self) -> BTreeMap<String, Tensor> {
        let mean = self.views(&self.mean).into_iter().map(|(n, t)| (format!("exp_avg.{n}"), t));
        let square = self.views(&self.square).into_iter().map(|(n, t)| (format!("exp_avg_sq.{n}"), t));
        mean.chain(square).collect()
    }

    /// Continues from saved weights and moments after `step` steps. Tensors are copied into the buffers; names that
    /// are not of this model are ignored, missing ones stay as they are.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, step: u64) {
        no_grad(|| {
            for (buffer, prefix) in [(&self.weights, ""), (&self.mean, "exp_avg."), (&self.square, "exp_avg_sq.")] {
                for (name, mut view) in self.views(buffer) {
                    if let Some(saved) = tensors.get(&format!("{prefix}{name}")) {
                        view.copy_(saved);
                    }
                }
            }
        });
        self.step = step;
    }

    /// One update from gradients by name; returns the joint gradient norm before clipping.
    pub fn step(&mut self, gradients: &BTreeMap<String, Tensor>, learning_rate: f64) -> f64 {
        let _guard = tch::no_grad_guard();
        let flat: Vec<Tensor> = self.places.iter().map(|(name, ..)| gradients[name].reshape([-1])).collect();
        let mut g = Tensor::cat(&flat, 0);
        let norm = g.norm().double_value(&[]);
        let s = self.settings;
        if norm > s.clip {
            let _ = g.g_mul_scalar_(s.clip / norm);
        }
        self.step += 1;
        let power = i32::try_from(self.step).unwrap_or(i32::MAX);
        let (bias1, bias2) = (1.0 - s.beta1.powi(power), 1.0 - s.beta2.powi(power));
        let _ = self.mean.lerp_(&g, 1.0 - s.beta1);
        let _ = g.square_();
        let _ = self.square.lerp_(&g, 1.0 - s.beta2);
        let _ = self.weights.narrow(0, 0, self.decayed).g_mul_scalar_(1.0 - learning_rate * s.weight_decay);
        let denominator = self.square.sqrt().g_div_scalar_(bias2.sqrt()).g_add_scalar_(s.epsilon);
        let update = self.mean.g_div(&denominator).g_mul_scalar_(learning_rate / bias1);
        let _ = self.weights.g_sub_(&update);
        norm
    }

    fn views(&self, buffer: &Tensor) -> Vec<(String, Tensor)> {
        self.places
            .iter()
            .map(|(name, at, shape)| {
                (name.clone(), buffer.narrow(0, *at, shape.iter().product()).view(shape.as_slice()))
            })
            .collect()
    }
}

/// Whether a tensor belongs to the sink pool.
pub(crate) fn is_sink(name: &str) -> bool {
    name.contains(".mlp.sinks.")
}
