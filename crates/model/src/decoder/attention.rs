//! Grouped-query attention with rotary embeddings, inside documents only.

use tch::{Device, Kind, Tensor};

use super::{Cache, Decoder};
use crate::{
    ModelConfig,
    packing::{Packing, cut, join},
    parameters::LayerWeights,
};

/// Cosines and sines of the rotary embeddings, `[context, head_dim]` each. Halves are rotated as in LLaMA checkpoints;
/// the sign of the rotated half lies in the table, which saves a pass over keys and queries.
pub(super) struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

/// The tables' rows for the tokens at hand, `[tokens, 1, head_dim]`.
pub(super) struct Turns {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    pub fn new(config: &ModelConfig, kind: Kind, device: Device) -> Self {
        let half = i64::from(config.head_dim) / 2;
        let exponent = Tensor::arange(half, (Kind::Double, Device::Cpu)) / half as f64;
        let inverse = (exponent * -f64::from(config.rope_base).ln()).exp();
        let angles = Tensor::arange(i64::from(config.context), (Kind::Double, Device::Cpu)).outer(&inverse);
        let (cos, sin) = (angles.cos(), angles.sin());
        let table = |a: &Tensor, b: &Tensor| Tensor::cat(&[a, b], 1).to_kind(kind).to_device(device);
        Self { cos: table(&cos, &cos), sin: table(&sin.neg(), &sin) }
    }

    pub fn share(&self) -> Self {
        Self { cos: self.cos.shallow_clone(), sin: self.sin.shallow_clone() }
    }

    /// Rows at `positions` `[tokens]`.
    pub fn at(&self, positions: &Tensor) -> Turns {
        let rows = |table: &Tensor| table.index_select(0, positions).unsqueeze(1);
        Turns { cos: rows(&self.cos), sin: rows(&self.sin) }
    }
}

impl Turns {
    /// Rotates `[tokens, heads, head_dim]`.
    fn apply(&self, x: &Tensor) -> Tensor {
        let half = x.size()[2] / 2;
        (x * &self.cos).addcmul(&x.roll([half], [2]), &self.sin)
    }
}

impl Decoder {
    /// Queries `[tokens, heads, head_dim]`, keys and values `[tokens, kv_heads, head_dim]` of `x` `[tokens, d_model]`.
    fn project(&self, layer: &LayerWeights, x: &Tensor, turns: &Turns) -> (Tensor, Tensor, Tensor) {
        let (heads, kv) = (i64::from(self.config.heads), i64::from(self.config.kv_heads));
        let qkv = x.linear::<&Tensor>(&layer.qkv, None).view([-1, heads + 2 * kv, i64::from(self.config.head_dim)]);
        let parts = qkv.split_with_sizes([heads + kv, kv], 1);
        let turned = turns.apply(&parts[0]).split_with_sizes([heads, kv], 1);
        (turned[0].shallow_clone(), turned[1].shallow_clone(), parts[1].shallow_clone())
    }

    /// Attention of whole documents, `[tokens, d_model]` to the same.
    pub(super) fn attend(
        &self,
        layer: &LayerWeights,
        x: &Tensor,
        turns: &Turns,
        packing: &Packing,
        cache: Option<(&mut Cache, usize)>,
    ) -> Tensor {
        let parts = self.of_spans(layer, x, turns, packing, cache);
        let attended = parts
            .iter()
            .map(|[q, k, v]| {
                let (documents, length) = (q.size()[0], q.size()[2]);
                let y = self.product(q, k, v, None, true);
                y.transpose(1, 2).reshape([documents * length, -1])
            })
            .collect();
        join(attended).linear::<&Tensor>(&layer.o, None)
    }

    /// Queries, keys and values `[documents, heads, tokens, head_dim]` of each run of equally long documents.
    fn of_spans(
        &self,
        layer: &LayerWeights,
        x: &Tensor,
        turns: &Turns,
        packing: &Packing,
        cache: Option<(&mut Cache, usize)>,
    ) -> Vec<[Tensor; 3]> {
        let (q, k, v) = self.project(layer, x, turns);
        if let Some((cache, l)) = cache {
            cache.fill(l, &k, &v);
        }
        let spans = &packing.spans;
        let parts = cut(&q, spans).into_iter().zip(cut(&k, spans)).zip(cut(&v, spans)).zip(spans);
        parts
            .map(|(((q, k), v), (documents, length))| {
                [q, k, v].map(|t| t.view([*documents, *length, t.size()[1], -1]).transpose(1, 2))
            })
            .collect()
    }

    /// Attention of one new token a row over what the cache holds, `[rows, d_model]` to the same.
    pub(super) fn attend_next(
        &self,
        layer: &LayerWeights,
        x: &Tensor,
        turns: &Turns,
        cache: &mut Cache,
        l: usize,
    ) -> Tensor {
        let [q, k, v] = self.of_next(layer, x, turns, cache, l);
        let y = self.product(&q, &k, &v, cache.visible(), false);
        y.reshape([x.size()[0], -1]).linear::<&Tensor>(&layer.o, None)
    }

    /// Queries `[rows, heads, 1, head_dim]` of one new token a row, keys and values of all tokens.
    fn of_next(&self, layer: &LayerWeights, x: &Tensor, turns: &Turns, cache: &mut Cache, l: usize) -> [Tensor; 3] {
        let (q, k, v) = self.project(layer, x, turns);
        let (k, v) = cache.append(l, &k, &v);
        [q.unsqueeze(2), k, v]
    }

    fn product(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool) -> Tensor {
        Tensor::scaled_dot_product_attention(q, k, v, mask, 0.0, causal, None, self.grouped())
    }

    fn grouped(&self) -> bool {
        self.config.heads != self.config.kv_heads
    }

    /// Which kernel attention of whole documents runs, from the tensors that the first layer calls it with: `x` are
    /// embeddings `[tokens, d_model]`. Where runs of documents differ, the least of them.
    pub fn kernel(&self, x: &Tensor, packing: &Packing) -> AttentionKernel {
        let (layer, turns) = (&self.weights.layers[0], self.rotary.at(&packing.positions(self.device())));
        let h = self.normalise(x, &layer.attn_norm);
        let parts = self.of_spans(layer, &h, &turns, packing, None);
        let kernels = parts.iter().map(|[q, k, v]| AttentionKernel::of(q, k, v, None, true, self.grouped()));
        kernels.min().unwrap_or(AttentionKernel::Unfused)
    }

    /// Which kernel attention of one new token a row runs, `x` `[rows, d_model]`. The cache stays as it was.
    pub fn kernel_of_next(&self, x: &Tensor, cache: &mut Cache) -> AttentionKernel {
        let (layer, turns) = (&self.weights.layers[0], self.rotary.at(cache.positions()));
        // What this stores, the token itself will overwrite.
        let [q, k, v] = self.of_next(layer, &self.normalise(x, &layer.attn_norm), &turns, cache, 0);
        AttentionKernel::of(&q, &k, &v, cache.visible(), false, self.grouped())
    }
}

/// What libtorch computes attention with, the slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttentionKernel {
    /// Separate products with the whole matrix of scores between them.
    Unfused,
    /// A kernel that this program does not know.
    Other,
    /// Memory-efficient attention.
    Efficient,
    /// cuDNN's.
    Cudnn,
    /// FlashAttention, or its counterpart on a CPU.
    Flash,
}

impl AttentionKernel {
    /// libtorch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfused => "math",
            Self::Other => "other",
            Self::Efficient => "efficient",
            Self::Cudnn => "cudnn",
            Self::Flash => "flash",
        }
    }

    /// What libtorch chooses for a call with these arguments.
    fn of(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool, grouped: bool) -> Self {
        // The values of at::SDPBackend.
        match Tensor::internal_fused_sdp_choice(q, k, v, mask, 0.0, causal, None, grouped) {
            0 => Self::Unfused,
            1 => Self::Flash,
            2 => Self::Efficient,
            3 => Self::Cudnn,
            _ => Self::Other,
        }
    }
}
