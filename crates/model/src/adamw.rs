//! AdamW (Loshchilov and Hutter, arXiv 1711.05101): the update rule, on tensors and on plain numbers, and the optimizer of
//! everything outside the sink pool. The pool's rows are `sink_pool`'s.
//!
//! Dense on every parameter: a sink row that no document of a batch uses still moves by its momentum. Lazy Adam is a
//! different method and leaks more (design: model, presets).

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::{
    ModelConfig, Trained, TrainingConfig,
    parameters::{Region, Weights, regions},
};

/// Elements of one pass over a CPU buffer: weights, both moments and a gradient of this many stay in a second-level
/// cache, so that the eight operations of a step read main memory once.
const CHUNK: i64 = 1 << 16;

/// The factors of one step of the update rule; the learning rate and both bias corrections are folded in:
///
/// ```text
/// m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
/// w = keep w - rate m / (sqrt(v) + epsilon)
/// rate = lr sqrt(1 - beta2^t) / (1 - beta1^t)      epsilon = eps sqrt(1 - beta2^t)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub beta1: f32,
    pub beta2: f32,
    pub rate: f32,
    pub epsilon: f32,
    /// What decoupled decay leaves of a decayed weight.
    pub keep: f32,
}

impl Step {
    /// Step number `t`, counted from 1.
    pub fn new(config: &TrainingConfig, t: u64, learning_rate: f64) -> Self {
        let power = i32::try_from(t).unwrap_or(i32::MAX);
        let (bias1, bias2) = (1.0 - config.beta1.powi(power), 1.0 - config.beta2.powi(power));
        Self {
            beta1: config.beta1 as f32,
            beta2: config.beta2 as f32,
            rate: (learning_rate * bias2.sqrt() / bias1) as f32,
            epsilon: (config.epsilon * bias2.sqrt()) as f32,
            keep: (1.0 - learning_rate * config.weight_decay) as f32,
        }
    }

    /// Updates tensors of one shape in place.
    pub fn apply(&self, w: &Tensor, m: &Tensor, v: &Tensor, g: &Tensor, decays: bool) {
        let (mut w, mut m, mut v) = (w.shallow_clone(), m.shallow_clone(), v.shallow_clone());
        let _ = m.lerp_(g, f64::from(1.0 - self.beta1));
        let _ = v.lerp_(&g.square(), f64::from(1.0 - self.beta2));
        if decays {
            let _ = w.g_mul_scalar_(f64::from(self.keep));
        }
        let denominator = v.sqrt().g_add_scalar_(f64::from(self.epsilon)).g_mul_scalar_(-1.0 / f64::from(self.rate));
        let _ = w.addcdiv_(&m, &denominator);
    }
}

/// Weights and moments outside the sink pool, each one flat float32 buffer.
pub(crate) struct AdamW {
    regions: Vec<Region>,
    weights: Tensor,
    mean: Tensor,
    square: Tensor,
}

impl AdamW {
    /// Buffers for a shape, all zero.
    pub fn new(config: &ModelConfig, device: Device) -> Self {
        let regions = regions(config);
        let length = regions.iter().map(|r| r.length).sum::<i64>();
        let buffer = || Tensor::zeros([length], (Kind::Float, device));
        Self { regions, weights: buffer(), mean: buffer(), square: buffer() }
    }

    /// The weights as leaves of the autograd graph in `kind`: views of the buffer for float32, one copy of it otherwise.
    /// Without gradients for weights that stay as they are.
    pub fn leaves(&self, config: &ModelConfig, kind: Kind, trained: Trained) -> Weights {
        let flat = self.weights.to_kind(kind);
        let leaf = |r: &Region| r.of(&flat).detach().set_requires_grad(trained == Trained::All);
        Weights::from_regions(config, self.regions.iter().map(leaf))
    }

    /// The weights under their stored names, sharing memory with the buffer.
    pub fn parameters(&self) -> BTreeMap<String, Tensor> {
        self.regions.iter().flat_map(|r| r.named(&self.weights)).collect()
    }

    /// The moments, named `exp_avg.NAME` and `exp_avg_sq.NAME`.
    pub fn moments(&self) -> BTreeMap<String, Tensor> {
        let named = |flat, prefix| {
            let views = self.regions.iter().flat_map(move |r: &Region| r.named(flat));
            views.map(move |(n, t)| (format!("{prefix}.{n}"), t))
        };
        named(&self.mean, "exp_avg").chain(named(&self.square, "exp_avg_sq")).collect()
    }

    /// Copies saved tensors into the buffers; names of other tensors are ignored, missing ones stay as they are.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>) {
        let _guard = tch::no_grad_guard();
        for (buffer, prefix) in [(&self.weights, ""), (&self.mean, "exp_avg."), (&self.square, "exp_avg_sq.")] {
            for (name, mut view) in self.regions.iter().flat_map(|r| r.named(buffer)) {
                if let Some(saved) = tensors.get(&format!("{prefix}{name}")) {
                    view.copy_(saved);
                }
            }
        }
    }

    /// One update from gradients in the order of [`regions`], each multiplied by `scale` first (a scalar tensor).
    pub fn step(&mut self, gradients: &[Tensor], scale: Option<&Tensor>, step: &Step) {
        let _guard = tch::no_grad_guard();
        let on_cpu = self.weights.device() == Device::Cpu;
        for (region, gradient) in self.regions.iter().zip(gradients) {
            let gradient = gradient.reshape([-1]);
            let most = if on_cpu { CHUNK } else { region.length };
            for from in (0..region.length).step_by(most as usize) {
                let length = most.min(region.length - from);
                let part = |t: &Tensor| t.narrow(0, region.at + from, length);
                let mut g = gradient.narrow(0, from, length).to_kind(Kind::Float);
                if let Some(scale) = scale {
                    g *= scale;
                }
                step.apply(&part(&self.weights), &part(&self.mean), &part(&self.square), &g, region.decays);
            }
        }
    }
}

/// Whether a tensor belongs to the sink pool.
pub(crate) fn is_sink(name: &str) -> bool {
    name.contains(".mlp.sinks.")
}
