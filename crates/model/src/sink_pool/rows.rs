//! The pool as rows in main memory: a step costs what its batch touches, not what the pool holds.
//!
//! A row without a gradient still moves by its momentum. Those missed steps are replayed when the row is next gathered
//! or saved, one after another with the same arithmetic, so that the result is bit for bit that of updating every row
//! in every step (test: `replayed_rows_equal_rows_updated_in_every_step`).

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::{MATRICES, PREFIXES, name};
use crate::{LitSinks, ModelConfig, SourceMask, adamw::Step, sinks::LitRows};

/// Moments below this are taken as zero: denormal numbers are a hundred times slower and move no weight.
const NEGLIGIBLE: f32 = 1e-35;
/// Numbers worked through all missed steps at once, in registers.
const LANES: usize = 16;
/// Fewer numbers than this are not worth a thread.
const THREAD_WORK: usize = 1 << 18;

/// Rows of all layers. A neuron's weights, mean and square lie side by side: `[3 states][gate, up, down][d_model]`.
pub(crate) struct RowPool {
    d_model: usize,
    neurons: usize,
    layers: Vec<Vec<f32>>,
    /// For every layer and neuron: steps that its row has seen. Rows with no gradient so far have zero moments, for
    /// which a missed step is no change.
    seen: Vec<Vec<u32>>,
    steps: Vec<Step>,
    pending: Vec<Pending>,
    /// One for every layer, for rows on their way between pool and tensors; kept, because new memory costs page faults.
    buffers: Vec<Vec<f32>>,
}

/// The gradients of a layer that were collected since the last step.
struct Pending {
    /// For every neuron its place in `sums`, or [`NO_PLACE`].
    places: Vec<u32>,
    /// The neurons that have a place, in the order of their places.
    neurons: Vec<u32>,
    /// `[places][gate, up, down][d_model]`.
    sums: Vec<f32>,
}

const NO_PLACE: u32 = u32::MAX;

impl RowPool {
    pub fn new(config: &ModelConfig) -> Self {
        let (d_model, neurons) = (config.d_model as usize, config.sinks() as usize);
        let layers = config.layers as usize;
        Self {
            d_model,
            neurons,
            layers: vec![vec![0.0; neurons * 3 * MATRICES * d_model]; layers],
            seen: vec![vec![0; neurons]; layers],
            steps: Vec::new(),
            pending: (0..layers)
                .map(|_| Pending { places: vec![NO_PLACE; neurons], neurons: vec![], sums: vec![] })
                .collect(),
            buffers: vec![Vec::new(); layers],
        }
    }

    /// Floats of one neuron's weights.
    fn width(&self) -> usize {
        MATRICES * self.d_model
    }

    pub fn light(&mut self, masks: &[&SourceMask], chunks: &[(i64, i64)], kind: Kind) -> LitSinks {
        for l in 0..self.layers.len() {
            let mut touched: Vec<u32> = masks.iter().flat_map(|m| &m.per_layer[l]).copied().collect();
            touched.sort_unstable();
            touched.dedup();
            self.catch_up(l, &touched);
        }
        let d = self.d_model;
        let work = self.layers.iter().zip(&mut self.buffers).enumerate().collect();
        let size = masks.iter().map(|m| m.per_layer.first().map_or(0, Vec::len)).sum::<usize>() * MATRICES * d;
        in_parallel(work, size, |(l, (state, buffer)): (usize, (&Vec<f32>, &mut Vec<f32>))| {
            buffer.clear();
            for_each_row(masks, chunks.iter().map(|(groups, _)| *groups as usize), l, |neuron, matrix| {
                let at = (neuron as usize * 3 * MATRICES + matrix) * d;
                buffer.extend_from_slice(&state[at..at + d]);
            });
        });
        let layers = self.buffers.iter().enumerate().map(|(l, buffer)| {
            let (mut rest, mut from) = (&buffer[..], 0);
            let mut leaf = |groups: i64, rows: usize| {
                let (own, tail) = rest.split_at(groups as usize * rows * d);
                rest = tail;
                let rows = Tensor::from_slice(own).view([groups, rows as i64, d as i64]);
                rows.to_kind(kind).set_requires_grad(true)
            };
            let run = |(groups, _): &(i64, i64)| {
                let active = masks[from].per_layer[l].len();
                from += *groups as usize;
                LitRows { gate_up: leaf(*groups, 2 * active), down: leaf(*groups, active) }
            };
            chunks.iter().map(run).collect()
        });
        LitSinks::Gathered(layers.collect())
    }

    pub fn collect(&mut self, masks: &[&SourceMask], gradients: &[Tensor]) {
        let of_layer = gradients.len() / self.layers.len();
        for (gradients, buffer) in gradients.chunks(of_layer).zip(&mut self.buffers) {
            buffer.resize(gradients.iter().map(Tensor::numel).sum(), 0.0);
            let mut rest = &mut buffer[..];
            for gradient in gradients {
                let (own, tail) = rest.split_at_mut(gradient.numel());
                gradient.to_kind(Kind::Float).contiguous().copy_data(own, gradient.numel());
                rest = tail;
            }
        }
        let runs: Vec<usize> = gradients[..of_layer].iter().step_by(2).map(|g| g.size()[0] as usize).collect();
        let (d, size) = (self.d_model, self.buffers.first().map_or(0, Vec::len));
        let work = self.pending.iter_mut().zip(&self.buffers).enumerate().collect();
        in_parallel(work, size, |(l, (pending, buffer)): (usize, (&mut Pending, &Vec<f32>))| {
            let mut rows = buffer.chunks(d);
            for_each_row(masks, runs.iter().copied(), l, |neuron, matrix| {
                rows.by_ref().take(1).for_each(|row| pending.add(neuron, matrix, row));
            });
        });
    }

    pub fn square_sum(&self) -> f64 {
        self.pending.iter().map(|p| square_sum(&p.sums)).sum()
    }

    pub fn step(&mut self, scale: f32, step: &Step) {
        let width = self.width();
        self.steps.push(*step);
        let now = self.steps.len() as u32;
        for (l, pending) in self.pending.iter_mut().enumerate() {
            let mut touched = std::mem::take(&mut pending.neurons);
            touched.sort_unstable();
            let rows = pick(&mut self.layers[l], 3 * width, &touched).into_iter().zip(&touched);
            let sum = |n: &u32| &pending.sums[pending.places[*n as usize] as usize * width..][..width];
            let work = rows.map(|(row, n)| (row, sum(n))).collect();
            in_parallel(work, 3 * width, |(row, gradient): (&mut [f32], &[f32])| {
                let (w, m, v) = states(row);
                for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(gradient) {
                    (*w, *m, *v) = moved(*w, *m, *v, g * scale, step);
                }
            });
            for n in touched.drain(..) {
                self.seen[l][n as usize] = now;
                pending.places[n as usize] = NO_PLACE;
            }
            pending.neurons = touched;
            pending.sums.clear();
        }
    }

    /// Replays the steps that rows have missed. `neurons` ascends.
    fn catch_up(&mut self, l: usize, neurons: &[u32]) {
        let (width, now) = (self.width(), self.steps.len() as u32);
        let (seen, steps) = (&mut self.seen[l], &self.steps);
        let late: Vec<u32> = neurons.iter().copied().filter(|n| seen[*n as usize] < now).collect();
        let from: Vec<u32> = late.iter().map(|n| std::mem::replace(&mut seen[*n as usize], now)).collect();
        let rows = pick(&mut self.layers[l], 3 * width, &late);
        let work = rows.into_iter().zip(from).collect();
        in_parallel(work, 3 * width, |(row, from): (&mut [f32], u32)| replay(row, &steps[from as usize..]));
    }

    /// Brings every row up to date.
    pub fn settle(&mut self) {
        let all: Vec<u32> = (0..self.neurons as u32).collect();
        (0..self.layers.len()).for_each(|l| self.catch_up(l, &all));
    }

    pub fn tensors(&mut self) -> BTreeMap<String, Tensor> {
        self.settle();
        let (d, width) = (self.d_model, self.width());
        let mut named = BTreeMap::new();
        for l in 0..self.layers.len() {
            for (state, prefix) in PREFIXES.iter().enumerate() {
                for matrix in 0..MATRICES {
                    let at = state * width + matrix * d;
                    let rows: Vec<f32> =
                        self.layers[l].chunks(3 * width).flat_map(|row| &row[at..at + d]).copied().collect();
                    let tensor = Tensor::from_slice(&rows).view([-1, d as i64]);
                    named.insert(format!("{prefix}{}", name(l, matrix)), tensor);
                }
            }
        }
        named
    }

    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>) {
        let (d, width) = (self.d_model, self.width());
        // What is saved is up to date: steps are counted from here.
        self.steps.clear();
        self.seen.iter_mut().flatten().for_each(|s| *s = 0);
        let mut buffer = vec![0.0f32; self.neurons * d];
        for (l, layer) in self.layers.iter_mut().enumerate() {
            for (state, prefix) in PREFIXES.iter().enumerate() {
                for matrix in 0..MATRICES {
                    let Some(saved) = tensors.get(&format!("{prefix}{}", name(l, matrix))) else { continue };
                    let saved = saved.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
                    saved.copy_data(&mut buffer, self.neurons * d);
                    let at = state * width + matrix * d;
                    for (row, values) in layer.chunks_mut(3 * width).zip(buffer.chunks(d)) {
                        row[at..at + d].copy_from_slice(values);
                    }
                }
            }
        }
    }
}

impl Pending {
    /// Adds a gradient row to one matrix (0 gate, 1 up, 2 down) of a neuron.
    fn add(&mut self, neuron: u32, matrix: usize, row: &[f32]) {
        let place = &mut self.places[neuron as usize];
        if *place == NO_PLACE {
            *place = self.neurons.len() as u32;
            self.neurons.push(neuron);
            self.sums.resize(self.neurons.len() * MATRICES * row.len(), 0.0);
        }
        let at = (*place as usize * MATRICES + matrix) * row.len();
        self.sums[at..at + row.len()].iter_mut().zip(row).for_each(|(s, g)| *s += g);
    }
}

/// Every `(neuron, matrix)` of a layer in the order of leaves: run by run, first gate and up of each group, then down of
/// each group.
fn for_each_row(
    masks: &[&SourceMask],
    runs: impl Iterator<Item = usize>,
    layer: usize,
    mut act: impl FnMut(u32, usize),
) {
    let mut from = 0;
    for groups in runs {
        let group = &masks[from..from + groups];
        from += groups;
        for matrices in [&[0, 1][..], &[2]] {
            for mask in group {
                for matrix in matrices {
                    mask.per_layer[layer].iter().for_each(|n| act(*n, *matrix));
                }
            }
        }
    }
}

/// Sum of squares, in eight sums side by side: one alone would wait for each addition.
fn square_sum(values: &[f32]) -> f64 {
    let mut sums = [0f64; 8];
    for chunk in values.chunks(sums.len()) {
        sums.iter_mut().zip(chunk).for_each(|(s, x)| *s += f64::from(*x) * f64::from(*x));
    }
    sums.iter().sum()
}

/// Weights, mean and square of one row.
fn states(row: &mut [f32]) -> (&mut [f32], &mut [f32], &mut [f32]) {
    let width = row.len() / 3;
    let (w, rest) = row.split_at_mut(width);
    let (m, v) = rest.split_at_mut(width);
    (w, m, v)
}

/// One number after one step.
#[inline(always)]
fn moved(w: f32, m: f32, v: f32, g: f32, step: &Step) -> (f32, f32, f32) {
    let m = settled(step.beta1 * m + (1.0 - step.beta1) * g);
    let v = settled(step.beta2 * v + (1.0 - step.beta2) * (g * g));
    (w - step.rate * m / (v.sqrt() + step.epsilon), m, v)
}

#[inline(always)]
fn settled(moment: f32) -> f32 {
    if moment.abs() < NEGLIGIBLE { 0.0 } else { moment }
}

/// Steps without a gradient. Numbers go through all steps a register's worth at a time, so that a row is read once
/// however many steps it missed.
fn replay(row: &mut [f32], steps: &[Step]) {
    let (w, m, v) = states(row);
    for ((w, m), v) in w.chunks_mut(LANES).zip(m.chunks_mut(LANES)).zip(v.chunks_mut(LANES)) {
        if m.iter().all(|x| *x == 0.0) && v.iter().all(|x| *x == 0.0) {
            continue;
        }
        for step in steps {
            for ((w, m), v) in w.iter_mut().zip(m.iter_mut()).zip(v.iter_mut()) {
                (*w, *m, *v) = moved(*w, *m, *v, 0.0, step);
            }
        }
    }
}

/// The rows of `neurons`, which ascend, out of `[neurons][width]`.
fn pick<'a>(state: &'a mut [f32], width: usize, neurons: &[u32]) -> Vec<&'a mut [f32]> {
    let (mut rest, mut at) = (state, 0);
    neurons
        .iter()
        .map(|n| {
            let skipped = (*n as usize - at) * width;
            let (row, tail) = std::mem::take(&mut rest)[skipped..].split_at_mut(width);
            (rest, at) = (tail, *n as usize + 1);
            row
        })
        .collect()
}

/// Does every piece of work, on as many threads as tensor operations use. Pieces are independent, so that the number of
/// threads does not show in the result.
fn in_parallel<T: Send>(mut work: Vec<T>, size: usize, act: impl Fn(T) + Sync) {
    let threads = (tch::get_num_threads().max(1) as usize).min(work.len() * size / THREAD_WORK);
    if threads < 2 {
        return work.into_iter().for_each(act);
    }
    let share = work.len().div_ceil(threads);
    std::thread::scope(|scope| {
        while !work.is_empty() {
            let part = work.split_off(work.len().saturating_sub(share));
            scope.spawn(|| part.into_iter().for_each(&act));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    /// Steps that touch few rows, with a catch-up of all rows after each step or only where rows are used.
    fn trained(every_step: bool, steps: u64) -> BTreeMap<String, Tensor> {
        let preset = Preset::named("tiny").unwrap();
        let mut pool = RowPool::new(&preset.model);
        tch::manual_seed(3);
        let shape = [i64::from(preset.model.sinks()), i64::from(preset.model.d_model)];
        let random = || Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.02;
        let weights = (0..2).flat_map(|l| (0..3).map(move |m| name(l, m))).map(|name| (name, random())).collect();
        pool.restore(&weights);
        for t in 1..=steps {
            let mask = SourceMask::derive(&[(t * t % 7) as u8; 32], 0, &preset.model).unwrap();
            let sinks = pool.light(&[&mask], &[(1, 10)], Kind::Float);
            let gradients: Vec<Tensor> = super::super::leaves(&sinks).into_iter().map(|w| w.sin() * 0.1).collect();
            pool.collect(&[&mask], &gradients);
            let rate = 3e-3 * (1.0 - t as f64 / (steps as f64 + 1.0));
            pool.step(0.7, &Step::new(&preset.training, t, rate));
            if every_step {
                pool.tensors();
            }
        }
        pool.tensors()
    }

    #[test]
    fn replayed_rows_equal_rows_updated_in_every_step() {
        let (dense, replayed) = (trained(true, 300), trained(false, 300));
        let moved = |t: &Tensor| t.abs().max().double_value(&[]) > 0.0;
        assert!(dense.values().all(moved));
        for (name, tensor) in &dense {
            assert!(tensor.equal(&replayed[name]), "{name}");
        }
    }

    #[test]
    fn a_row_without_gradients_settles() {
        let step = Step { beta1: 0.9, beta2: 0.95, rate: 1e-3, epsilon: 1e-8, keep: 1.0 };
        let mut row = [vec![1.0f32; 8], vec![1e-2; 8], vec![1e-4; 8]].concat();
        replay(&mut row, &vec![step; 3_000]);
        assert!(row[8..].iter().all(|moment| *moment == 0.0), "no moment stays denormal: {row:?}");
        let settled = row.clone();
        replay(&mut row, &[step]);
        assert_eq!(row, settled);
    }
}
