//! The sink pool in training: the rows of a batch's sources are gathered as leaves, their gradients come back, and every
//! row moves by AdamW with dense semantics.
//!
//! Two forms with the same result: on the CPU only touched rows are worked on (`rows.rs`), on a GPU one pass over the
//! whole pool is cheaper than the bookkeeping (`whole.rs`).

mod rows;
mod whole;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use self::{rows::RowPool, whole::WholePool};
use crate::{LitSinks, ModelConfig, SourceMask, adamw::Step};

/// Gate, up and down.
const MATRICES: usize = 3;

/// Sinks of all layers with their moments.
pub(crate) enum SinkPool {
    Rows(RowPool),
    Whole(WholePool),
}

impl SinkPool {
    /// A pool of zeros; none for a shape without sinks.
    pub fn new(config: &ModelConfig, device: Device) -> Option<Self> {
        (config.sinks() > 0).then(|| match device {
            Device::Cpu => Self::Rows(RowPool::new(config)),
            _ => Self::Whole(WholePool::new(config, device)),
        })
    }

    /// The rows of a batch's groups as leaves in `kind`, one run for every `(groups, tokens)` of `chunks`.
    pub fn light(&mut self, masks: &[&SourceMask], chunks: &[(i64, i64)], kind: Kind) -> LitSinks {
        match self {
            Self::Rows(pool) => pool.light(masks, chunks, kind),
            Self::Whole(pool) => pool.light(masks, chunks, kind),
        }
    }

    /// Adds up gradients of what [`SinkPool::light`] gave, in the order of [`leaves`].
    pub fn collect(&mut self, masks: &[&SourceMask], gradients: &[Tensor]) {
        match self {
            Self::Rows(pool) => pool.collect(masks, gradients),
            Self::Whole(pool) => pool.collect(masks, gradients),
        }
    }

    /// Sum of the squares of the collected gradients, a double scalar on the pool's device.
    pub fn square_sum(&self) -> Tensor {
        match self {
            Self::Rows(pool) => Tensor::from(pool.square_sum()),
            Self::Whole(pool) => pool.square_sum(),
        }
    }

    /// One update from the collected gradients, multiplied by `scale` first (a scalar tensor).
    pub fn step(&mut self, scale: Option<&Tensor>, step: &Step) {
        match self {
            Self::Rows(pool) => pool.step(scale.map_or(1.0, |s| s.double_value(&[])) as f32, step),
            Self::Whole(pool) => pool.step(scale, step),
        }
    }

    /// Brings every row up to date.
    pub fn settle(&mut self) {
        match self {
            Self::Rows(pool) => pool.settle(),
            Self::Whole(_) => {}
        }
    }

    /// Weights and moments of every row, as they are now, under their stored names.
    pub fn tensors(&mut self) -> BTreeMap<String, Tensor> {
        match self {
            Self::Rows(pool) => pool.tensors(),
            Self::Whole(pool) => pool.tensors(),
        }
    }

    /// Continues from saved tensors. Missing ones stay as they are.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>) {
        match self {
            Self::Rows(pool) => pool.restore(tensors),
            Self::Whole(pool) => pool.restore(tensors),
        }
    }
}

/// The leaves of lit sinks: by layer and run, gate and up rows before down rows.
pub(crate) fn leaves(sinks: &LitSinks) -> Vec<&Tensor> {
    match sinks {
        LitSinks::Gathered(layers) => layers.iter().flatten().flat_map(|r| [&r.gate_up, &r.down]).collect(),
        LitSinks::None | LitSinks::Masked(_) => Vec::new(),
    }
}

/// Stored name of a matrix (0 gate, 1 up, 2 down) of a layer.
pub(crate) fn name(layer: usize, matrix: usize) -> String {
    format!("layers.{layer}.mlp.sinks.{}", ["gate", "up", "down"][matrix])
}

/// Prefixes of weights, mean and square in files.
pub(crate) const PREFIXES: [&str; 3] = ["", "exp_avg.", "exp_avg_sq."];
