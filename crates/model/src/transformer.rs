//! A whole model in memory, for scoring and generation: the decoder and its sink pool.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::{
    AttentionKernel, LitSinks, ModelConfig, ModelError, SourceMask,
    decoder::{Cache, Decoder},
    packing::Packing,
    parameters::Weights,
    sinks::LitRows,
};

/// A matrix of an MLP layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    /// What opens a neuron.
    Gate,
    /// What it carries.
    Up,
    /// What it writes.
    Down,
}

/// A gate, up and down matrix, each `[neurons, d_model]`: a neuron is the same row of all three.
struct Neurons {
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// A model in memory.
pub struct Transformer {
    decoder: Decoder,
    /// By layer; empty for a transformer without sinks.
    sinks: Vec<Neurons>,
}

impl Transformer {
    /// Builds the model from tensors named as in the checkpoint, in their element type.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the configuration says.
    pub fn new(config: ModelConfig, tensors: &BTreeMap<String, Tensor>) -> Result<Self, ModelError> {
        for (name, shape) in config.tensors() {
            let found = tensors.get(&name).map(Tensor::size);
            if found.as_ref() != Some(&shape) {
                return Err(ModelError::Config(format!("tensor {name} should have shape {shape:?}, found {found:?}")));
            }
        }
        let (kind, device) = (tensors["embed.weight"].kind(), tensors["embed.weight"].device());
        let sinks = if config.sinks() == 0 { 0 } else { config.layers };
        let sinks = (0..sinks)
            .map(|l| {
                let get = |part: &str| tensors[&format!("layers.{l}.mlp.sinks.{part}")].detach();
                Neurons { gate: get("gate"), up: get("up"), down: get("down") }
            })
            .collect();
        let weights = Weights::from_named(&config, tensors, kind, device);
        Ok(Self { decoder: Decoder::new(config, weights), sinks })
    }

    /// The shape.
    pub fn config(&self) -> &ModelConfig {
        self.decoder.config()
    }

    pub(crate) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Where the weights lie.
    pub fn device(&self) -> Device {
        self.decoder.device()
    }

    /// Zeroes the neurons of `mask` where they lie, so that nothing of them is left in this model's memory.
    pub fn strike(&mut self, mask: &SourceMask) {
        for (layer, neurons) in self.sinks.iter().zip(&mask.per_layer) {
            let rows = self.index(neurons);
            for matrix in [&layer.gate, &layer.up, &layer.down] {
                // The handle is another, the memory the same.
                let _ = matrix.shallow_clone().index_fill_(0, &rows, 0.0);
            }
        }
    }

    /// A model that shares every tensor but the sinks, in which the neurons of `mask` are zero rows: the effect of a
    /// takedown, in memory.
    pub fn with_struck(&self, mask: &SourceMask) -> Self {
        self.with_zeroed(mask, &[Matrix::Gate, Matrix::Up, Matrix::Down])
    }

    /// The same with the rows of some matrices alone: takedowns that are broken on purpose.
    pub fn with_zeroed(&self, mask: &SourceMask, matrices: &[Matrix]) -> Self {
        let sinks = self
            .sinks
            .iter()
            .zip(&mask.per_layer)
            .map(|(layer, neurons)| {
                let rows = self.index(neurons);
                let strike = |matrix, t: &Tensor| match matrices.contains(&matrix) {
                    true => t.index_fill(0, &rows, 0.0),
                    false => t.shallow_clone(),
                };
                Neurons {
                    gate: strike(Matrix::Gate, &layer.gate),
                    up: strike(Matrix::Up, &layer.up),
                    down: strike(Matrix::Down, &layer.down),
                }
            })
            .collect();
        let weights = self.decoder.weights().share(self.config());
        Self { decoder: self.decoder.with_weights(weights), sinks }
    }

    /// The rows of a mask's neurons, float32: gate, up and down of the first layer, then of the next; each list holds
    /// `neurons * d_model` numbers.
    pub fn sink_rows(&self, mask: &SourceMask) -> Vec<Vec<f32>> {
        let layers = self.sinks.iter().zip(&mask.per_layer);
        let rows = layers.flat_map(|(layer, neurons)| {
            let index = self.index(neurons);
            [&layer.gate, &layer.up, &layer.down].map(|matrix| matrix.index_select(0, &index))
        });
        let read = |rows: Tensor| {
            let flat = rows.to_kind(Kind::Float).to_device(Device::Cpu).reshape([-1]);
            Vec::try_from(flat).expect("a flat tensor of floats is a list of floats")
        };
        rows.map(read).collect()
    }

    /// A model whose every matrix went through `change`: embedding, head, attention, backbone neurons and sinks, each
    /// `[rows, d_model]` or, behind attention, `[d_model, heads * head_dim]`. Norms are shared.
    pub(crate) fn with_matrices(&self, change: impl Fn(&Tensor) -> Tensor) -> Self {
        let changed = |t: &Tensor| if t.dim() == 2 { change(t) } else { t.shallow_clone() };
        let of = |n: &Neurons| Neurons { gate: change(&n.gate), up: change(&n.up), down: change(&n.down) };
        let tensors: Vec<Tensor> = self.decoder.weights().in_order().into_iter().map(changed).collect();
        let weights = Weights::from_regions(self.config(), tensors);
        Self { decoder: self.decoder.with_weights(weights), sinks: self.sinks.iter().map(of).collect() }
    }

    /// The sinks of one source for every text of a batch; the backbone alone without a mask.
    pub fn light(&self, mask: Option<&SourceMask>) -> LitSinks {
        mask.map_or(LitSinks::None, |m| self.light_groups(&[m], &Packing::even(1, 1, true)))
    }

    /// The sinks of one source for each text of a batch. All masks have the same number of neurons in each layer.
    pub fn light_rows(&self, masks: &[&SourceMask]) -> LitSinks {
        self.light_groups(masks, &Packing::even(masks.len() as i64, 1, true))
    }

    /// The sinks of each group of a packing.
    pub(crate) fn light_groups(&self, masks: &[&SourceMask], packing: &Packing) -> LitSinks {
        let layers = self.sinks.iter().enumerate().map(|(l, pool)| {
            let mut masks = masks.iter();
            let run = |(groups, _): &(i64, i64)| {
                let all: Vec<u32> =
                    masks.by_ref().take(*groups as usize).flat_map(|m| &m.per_layer[l]).copied().collect();
                let (rows, active) = (self.index(&all), all.len() as i64 / groups);
                let gather = |t: &Tensor| t.index_select(0, &rows).view([*groups, active, t.size()[1]]);
                let gate_up = Tensor::cat(&[gather(&pool.gate), gather(&pool.up)], 1);
                LitRows { gate_up, down: gather(&pool.down) }
            };
            packing.chunks.iter().map(run).collect()
        });
        LitSinks::Gathered(layers.collect())
    }

    fn index(&self, neurons: &[u32]) -> Tensor {
        let rows: Vec<i64> = neurons.iter().map(|n| i64::from(*n)).collect();
        Tensor::from_slice(&rows).to_device(self.device())
    }

    /// Final normalised hidden states `[rows, tokens, d_model]` of token ids `[rows, tokens]`.
    ///
    /// Each row is one document (or one window of it), padded on the right: causal attention within the row is then
    /// all the isolation that documents need, because no row sees another and no token sees the padding after it.
    pub fn hidden(&self, tokens: &Tensor, sinks: &LitSinks) -> Tensor {
        let (rows, length) = tokens.size2().expect("token ids have two dimensions");
        let packing = Packing::even(rows, length, sinks.groups() > 1);
        self.packed_hidden(&tokens.reshape([-1]), &packing, sinks).view([rows, length, -1])
    }

    /// Final normalised hidden states `[tokens, d_model]` of documents packed end to end, `tokens` int64 `[tokens]`.
    pub fn packed_hidden(&self, tokens: &Tensor, packing: &Packing, sinks: &LitSinks) -> Tensor {
        self.decoder.hidden(&self.decoder.embed(tokens), packing, sinks, None)
    }

    /// As [`Transformer::packed_hidden`]; `each` gets the number of every layer and the residual stream `[tokens,
    /// d_model]` after it, and says what the next layer goes on from.
    pub fn packed_hidden_through(
        &self,
        tokens: &Tensor,
        packing: &Packing,
        sinks: &LitSinks,
        each: impl FnMut(usize, Tensor) -> Tensor,
    ) -> Tensor {
        self.decoder.hidden_through(&self.decoder.embed(tokens), packing, sinks, None, each)
    }

    /// What attention within texts is computed with, for token ids `[rows, tokens]`.
    pub fn attention_kernel(&self, tokens: &Tensor) -> AttentionKernel {
        let (rows, length) = tokens.size2().expect("token ids have two dimensions");
        self.decoder.kernel(&self.decoder.embed(&tokens.reshape([-1])), &Packing::even(rows, length, false))
    }

    /// Logits `[.., vocab]` of hidden states `[.., d_model]`, float32.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        hidden.linear::<&Tensor>(self.decoder.head(), None).to_kind(Kind::Float)
    }

    /// Logits `[.., vocab]` of residual states `[.., d_model]`, as if the layers that are left did nothing: float32.
    /// After the last layer these are the model's own.
    pub fn read_out(&self, residual: &Tensor) -> Tensor {
        self.logits(&self.decoder.finish(residual))
    }

    /// What sinks of a layer write, through the gain of the final norm and the head: float32 `[neurons, vocab]`, up to
    /// a factor above 0 that the rest of the residual stream decides. A sink that is zero reads out as zeros.
    pub fn sink_read_out(&self, layer: usize, neurons: &[u32]) -> Tensor {
        let written = self.sinks[layer].down.index_select(0, &self.index(neurons));
        self.logits(&(written * &self.decoder.weights().norm))
    }

    pub(crate) fn cache(&self, lengths: Vec<i64>, more: i64) -> Cache {
        Cache::new(self.config(), lengths, more, self.decoder.kind(), self.device())
    }

    /// As [`Transformer::packed_hidden`], keeping keys and values.
    pub(crate) fn prefill(&self, tokens: &Tensor, packing: &Packing, sinks: &LitSinks, cache: &mut Cache) -> Tensor {
        self.decoder.hidden(&self.decoder.embed(tokens), packing, sinks, Some(cache))
    }

    pub(crate) fn kernel_of_next(&self, tokens: &Tensor, cache: &mut Cache) -> AttentionKernel {
        self.decoder.kernel_of_next(&self.decoder.embed(tokens), cache)
    }

    /// Hidden states `[rows, d_model]` of one new token a row, int64 `[rows]`.
    pub(crate) fn next(&self, tokens: &Tensor, packing: &Packing, sinks: &LitSinks, cache: &mut Cache) -> Tensor {
        self.decoder.next(&self.decoder.embed(tokens), packing, sinks, cache)
    }
}
