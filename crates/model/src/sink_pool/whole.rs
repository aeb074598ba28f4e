//! The pool as tensors on a GPU, updated as a whole: there one pass over it costs less than picking rows.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{MATRICES, PREFIXES, name};
use crate::{LitSinks, ModelConfig, SourceMask, adamw::Step, sinks::LitRows};

/// Weights, mean and square of each layer and the gradient collected so far, `[3 matrices * neurons, d_model]` each.
pub(crate) struct WholePool {
    neurons: i64,
    layers: Vec<[Tensor; 3]>,
    pending: Vec<Tensor>,
    device: Device,
}

impl WholePool {
    pub fn new(config: &ModelConfig, device: Device) -> Self {
        let neurons = i64::from(config.sinks());
        let shape = [MATRICES as i64 * neurons, i64::from(config.d_model)];
        let buffer = |_| Tensor::zeros(shape, (Kind::Float, device));
        let layers = (0..config.layers).map(|_| [0, 1, 2].map(buffer)).collect();
        Self { neurons, layers, pending: (0..config.layers).map(buffer).collect(), device }
    }

    /// Row numbers of a run's gate and up rows, and of its down rows, int64.
    fn indices(&self, masks: &[&SourceMask], l: usize) -> (Tensor, Tensor) {
        let rows = |matrices: &[i64]| {
            let of = |m: &&SourceMask| -> Vec<i64> {
                let lists =
                    matrices.iter().map(|x| m.per_layer[l].iter().map(move |n| x * self.neurons + i64::from(*n)));
                lists.flatten().collect()
            };
            let all: Vec<i64> = masks.iter().flat_map(of).collect();
            Tensor::from_slice(&all).to_device_(self.device, Kind::Int64, true, false)
        };
        (rows(&[0, 1]), rows(&[2]))
    }

    pub fn light(&mut self, masks: &[&SourceMask], chunks: &[(i64, i64)], kind: Kind) -> LitSinks {
        let layers = self.layers.iter().enumerate().map(|(l, [weights, ..])| {
            let mut from = 0;
            let run = |(groups, _): &(i64, i64)| {
                let (gate_up, down) = self.indices(&masks[from..from + *groups as usize], l);
                from += *groups as usize;
                let leaf = |rows: &Tensor| {
                    let rows = weights.index_select(0, rows).to_kind(kind);
                    rows.view([*groups, -1, weights.size()[1]]).detach().set_requires_grad(true)
                };
                LitRows { gate_up: leaf(&gate_up), down: leaf(&down) }
            };
            chunks.iter().map(run).collect()
        });
        LitSinks::Gathered(layers.collect())
    }

    pub fn collect(&mut self, masks: &[&SourceMask], gradients: &[Tensor]) {
        let _guard = tch::no_grad_guard();
        let runs = gradients.len() / (2 * self.layers.len());
        for l in 0..self.layers.len() {
            let mut from = 0;
            for pair in gradients[2 * runs * l..2 * runs * (l + 1)].chunks(2) {
                let groups = pair[0].size()[0] as usize;
                let (gate_up, down) = self.indices(&masks[from..from + groups], l);
                from += groups;
                for (rows, gradient) in [(gate_up, &pair[0]), (down, &pair[1])] {
                    let gradient = gradient.to_kind(Kind::Float).view([rows.size()[0], -1]);
                    let _ = self.pending[l].index_add_(0, &rows, &gradient);
                }
            }
        }
    }

    pub fn square_sum(&self) -> Tensor {
        let squares: Vec<Tensor> = self.pending.iter().map(|g| g.norm().to_kind(Kind::Double).square()).collect();
        Tensor::stack(&squares, 0).sum(Kind::Double)
    }

    pub fn step(&mut self, scale: Option<&Tensor>, step: &Step) {
        let _guard = tch::no_grad_guard();
        for ([w, m, v], pending) in self.layers.iter().zip(&mut self.pending) {
            if let Some(scale) = scale {
                let _ = pending.g_mul_(scale);
            }
            step.apply(w, m, v, pending, false);
            let _ = pending.zero_();
        }
    }

    pub fn tensors(&mut self) -> BTreeMap<String, Tensor> {
        let mut named = BTreeMap::new();
        for (l, states) in self.layers.iter().enumerate() {
            for (prefix, state) in PREFIXES.iter().zip(states) {
                for matrix in 0..MATRICES {
                    let rows = state.narrow(0, matrix as i64 * self.neurons, self.neurons);
                    named.insert(format!("{prefix}{}", name(l, matrix)), rows);
                }
            }
        }
        named
    }

    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>) {
        let _guard = tch::no_grad_guard();
        for (name, mut rows) in self.tensors() {
            if let Some(saved) = tensors.get(&name) {
                rows.copy_(saved);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, sink_pool::rows::RowPool};

    #[test]
    fn moves_lit_rows_as_the_pool_in_main_memory_does_and_no_others() {
        let preset = Preset::named("tiny").unwrap();
        let (mut whole, mut rows) = (WholePool::new(&preset.model, Device::Cpu), RowPool::new(&preset.model));
        // What zeros alone would hide: values of both signs.
        let start: BTreeMap<String, Tensor> = (0..2)
            .flat_map(|l| (0..3).map(move |m| name(l, m)))
            .map(|name| (name, (Tensor::arange(64 * 32, (Kind::Float, Device::Cpu)) * 0.7).sin().view([64, 32]) * 0.1))
            .collect();
        let mask = SourceMask::derive(&[1; 32], 0, &preset.model).unwrap();
        whole.restore(&start);
        rows.restore(&start);
        for t in 1..=5 {
            let step = Step::new(&preset.training, t, 1e-3);
            let sinks = whole.light(&[&mask], &[(1, 10)], Kind::Float);
            let gradients: Vec<Tensor> = super::super::leaves(&sinks).into_iter().map(|w| w.cos().detach()).collect();
            whole.collect(&[&mask], &gradients);
            whole.step(Some(&Tensor::from(0.7f32)), &step);
            rows.light(&[&mask], &[(1, 10)], Kind::Float);
            rows.collect(&[&mask], &gradients);
            rows.step(0.7, &step);
        }
        let (whole, rows) = (whole.tensors(), rows.tensors());
        for (name, tensor) in &whole {
            assert!((tensor - &rows[name]).abs().max().double_value(&[]) < 1e-6, "{name}");
        }
        for (l, lit) in mask.per_layer.iter().enumerate() {
            let lit = Tensor::from_slice(&lit.iter().map(|n| i64::from(*n)).collect::<Vec<_>>());
            for name in (0..3).map(|m| name(l, m)) {
                let others = |t: &Tensor| t.index_fill(0, &lit, 0.0).contiguous().view_dtype(Kind::Int);
                assert!(others(&whole[&name]).equal(&others(&start[&name])), "{name}");
                assert!(!whole[&name].equal(&start[&name]), "{name}");
            }
        }
    }
}
